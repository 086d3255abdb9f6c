# weir_embed_tables(TARGET): token ranks and Unicode classes, compiled into tables that TARGET takes into its read-only
# memory (src/tokens/table_data.cc). The ranks are fetched once for all presets, into build/ranks.
find_program(WEIR_NPM npm)

function(weir_embed_tables target)
  set(source ${PROJECT_SOURCE_DIR}/cmake/ranks)
  set(fetched ${PROJECT_SOURCE_DIR}/build/ranks)
  set(folder ${PROJECT_BINARY_DIR}/tables)
  set(classes ${PROJECT_SOURCE_DIR}/src/tokens/unicode_classes.txt)
  file(MAKE_DIRECTORY ${folder})

  add_executable(compile_ranks ${source}/compile_ranks.cc)
  target_include_directories(compile_ranks PRIVATE ${PROJECT_SOURCE_DIR}/src)

  add_custom_command(OUTPUT ${folder}/fetched
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DFOLDER=${fetched} "-DNPM=$<$<BOOL:${WEIR_NPM}>:${WEIR_NPM}>"
            -P ${source}/fetch_ranks.cmake
    COMMAND ${CMAKE_COMMAND} -E touch ${folder}/fetched
    DEPENDS ${source}/package.json ${source}/package-lock.json ${source}/fetch_ranks.cmake
    COMMENT "Token ranks from npm" VERBATIM)
  set(tables "")
  foreach(name o200k_base cl100k_base p50k_base r50k_base)
    add_custom_command(OUTPUT ${folder}/${name}.bin
      COMMAND compile_ranks ranks ${fetched}/node_modules/tiktoken/encoders/${name}.json ${folder}/${name}.bin
      DEPENDS compile_ranks ${folder}/fetched
      COMMENT "Compiling the ranks of ${name}" VERBATIM)
    list(APPEND tables ${folder}/${name}.bin)
  endforeach()
  add_custom_command(OUTPUT ${folder}/unicode.bin
    COMMAND compile_ranks unicode ${classes} ${folder}/unicode.bin
    DEPENDS compile_ranks ${classes} VERBATIM)
  list(APPEND tables ${folder}/unicode.bin)

  set(user ${PROJECT_SOURCE_DIR}/src/tokens/table_data.cc)
  set_source_files_properties(${user} PROPERTIES OBJECT_DEPENDS "${tables}"
                              COMPILE_DEFINITIONS "WEIR_TABLE_FOLDER=\"${folder}\"")
endfunction()
