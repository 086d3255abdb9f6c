# Compiler cache, fast linker, warnings and sanitizers for every target.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(WEIR_CCACHE ccache)
if(WEIR_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEIR_CCACHE})
endif()
find_program(WEIR_MOLD mold)
if(WEIR_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# Designated initialisers leave fields at their defaults on purpose.
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Werror -Wno-missing-field-initializers -fno-omit-frame-pointer)
# Each finds what is seldom meant. The coverage build counts code that the other builds have passed.
if(NOT WEIR_COVERAGE)
  add_compile_options(-Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wextra-semi -Wcast-qual
                      -Wcast-align -Wformat=2 -Wundef -Wdouble-promotion -Wsuggest-override)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wduplicated-cond -Wlogical-op)
  # GCC 12 reports these inside its own std::string and std::vector when inlining (GCC PR 105329, 105562).
  add_compile_options(-Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-stringop-overread)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND NOT WEIR_COVERAGE)
  # What a lock guards is touched under it only (src/base/mutex.h); tests/lint/locks.sh shows that this can fail.
  add_compile_options(-Wthread-safety -Wthread-safety-beta)
  # GCC takes the casts inside OpenSSL's macros for ours.
  add_compile_options(-Wold-style-cast -Wloop-analysis -Wshift-sign-overflow -Wconditional-uninitialized -Wheader-hygiene
                      -Wstring-conversion -Wmissing-noreturn -Wunused-macros -Wunused-member-function
                      -Wunreachable-code)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's own std::stable_sort uses what C++20 deprecated.
  add_compile_options(-Wno-deprecated-declarations)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/hardening.cmake)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
# A floor that every x86 server since 2010 has (SSE4.2, POPCNT).
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  add_compile_options(-march=x86-64-v2 -mtune=generic)
endif()

if(WEIR_SANITIZE)
  add_compile_options(-fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WEIR_SANITIZE})
endif()

if(WEIR_COVERAGE)
  # Clang counts what the source says, not what the optimiser left of it, and knows every side of a condition.
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping -g0)
  add_link_options(-fprofile-instr-generate)
endif()
