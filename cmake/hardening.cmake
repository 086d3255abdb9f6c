# What makes a memory error a crash instead of a way in. tests/e2e/hardening.test.mjs looks for each of these in the
# release binary; what they cost together is in docs/benchmarks.md.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)
add_compile_options(-fstack-protector-strong)
add_link_options(-Wl,-z,relro,-z,now)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT WEIR_SANITIZE)
  add_link_options(-Wl,-z,noexecstack)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS -ftrivial-auto-var-init=zero)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Variables that are set to zero anyway make GCC 12 guess wrong inside other people's headers; dev builds look.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|aarch64")
    add_compile_options(-fstack-clash-protection)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    add_compile_options(-fcf-protection=full)
    # Debian 12's own start files carry no note, so that the linker would drop ours. Branch targets (IBT) are compiled in
    # but not claimed, because those files have none.
    add_link_options(-Wl,-z,shstk)
  endif()
endif()
