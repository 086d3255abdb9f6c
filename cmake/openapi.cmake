# weir_openapi(TARGET): src/admin/openapi/*.json as one document, compiled into TARGET (admin/openapi.h).
find_program(WEIR_NODE node)

function(weir_openapi target)
  if(NOT WEIR_NODE)
    message(FATAL_ERROR "node is needed to build: Debian package nodejs")
  endif()
  set(folder ${PROJECT_SOURCE_DIR}/src/admin/openapi)
  set(script ${PROJECT_SOURCE_DIR}/cmake/openapi/merge.mjs)
  set(generated ${PROJECT_BINARY_DIR}/generated/openapi.cc)
  file(GLOB parts CONFIGURE_DEPENDS ${folder}/*.json)
  list(REMOVE_ITEM parts ${folder}/base.json)
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/generated)
  add_custom_command(OUTPUT ${generated}
    COMMAND ${WEIR_NODE} ${script} ${generated} ${folder}/base.json ${parts}
    DEPENDS ${script} ${folder}/base.json ${parts}
    COMMENT "The OpenAPI document" VERBATIM)
  target_sources(${target} PRIVATE ${generated})
endfunction()
