# weir_embed(TARGET FILE SYMBOL): compiles FILE into TARGET as `extern const char weir::SYMBOL[]`, text up to 60 KB.
function(weir_embed target file symbol)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${file})
  file(READ ${PROJECT_SOURCE_DIR}/${file} WEIR_EMBED_TEXT)
  set(WEIR_EMBED_SYMBOL ${symbol})
  set(WEIR_EMBED_FILE ${file})
  set(generated ${PROJECT_BINARY_DIR}/generated/${symbol}.cc)
  file(CONFIGURE OUTPUT ${generated} CONTENT "// Generated from @WEIR_EMBED_FILE@.
namespace weir {
extern const char @WEIR_EMBED_SYMBOL@[];
const char @WEIR_EMBED_SYMBOL@[] = R\"weir_embed(@WEIR_EMBED_TEXT@)weir_embed\";
}  // namespace weir
" @ONLY)
  target_sources(${target} PRIVATE ${generated})
endfunction()
