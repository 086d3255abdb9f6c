# weir_embed_web(TARGET FILE): the dashboard of web/, built once for all presets in build/web, and compiled into FILE of
# TARGET, compressed (src/api/page_files.cc). Needs npm, as the token ranks do.
function(weir_embed_web target file)
  set(source ${PROJECT_SOURCE_DIR}/web)
  set(folder ${PROJECT_BINARY_DIR}/web)
  set(scripts ${PROJECT_SOURCE_DIR}/cmake/web)
  file(MAKE_DIRECTORY ${folder})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${source}/src/*)
  add_custom_command(OUTPUT ${folder}/page.bin ${folder}/page.inc
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DSHARED=${PROJECT_SOURCE_DIR}/build/web -DFOLDER=${folder}
            -DPACK=${scripts}/pack.mjs "-DNPM=$<$<BOOL:${WEIR_NPM}>:${WEIR_NPM}>" -P ${scripts}/build_web.cmake
    DEPENDS ${sources} ${source}/index.html ${source}/package.json ${source}/package-lock.json ${source}/tsconfig.json
            ${source}/vite.config.ts ${scripts}/build_web.cmake ${scripts}/pack.mjs
    COMMENT "Dashboard" VERBATIM)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/${file} PROPERTIES OBJECT_DEPENDS "${folder}/page.bin;${folder}/page.inc"
                              COMPILE_DEFINITIONS "WEIR_PAGE_BYTES=\"${folder}/page.bin\";WEIR_PAGE_TABLE=\"${folder}/page.inc\"")
  target_sources(${target} PRIVATE ${folder}/page.inc)
endfunction()
