# The installable library: weir::engine and the public headers, found by find_package(weir).
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

if(TARGET weir_engine)
  # One translation unit: the decision crosses eight small files and is worth inlining as a whole.
  set_target_properties(weir_engine PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0 EXPORT_NAME engine)
  set_target_properties(weir_public_headers PROPERTIES EXPORT_NAME headers)
  install(TARGETS weir_engine weir_public_headers EXPORT weir-targets COMPONENT weir
          ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/weir DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT weir)
  install(EXPORT weir-targets NAMESPACE weir:: COMPONENT weir DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/weir)
  configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/weir-config.cmake.in ${PROJECT_BINARY_DIR}/weir-config.cmake
                                INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/weir)
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/weir-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/weir-config.cmake ${PROJECT_BINARY_DIR}/weir-config-version.cmake
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/weir COMPONENT weir)
endif()

if(WEIR_TESTS AND TARGET weir_engine AND NOT WEIR_SANITIZE)
  add_test(NAME consumer COMMAND ${PROJECT_SOURCE_DIR}/tests/consumer/run.sh ${PROJECT_BINARY_DIR} ${CMAKE_CXX_COMPILER})
  set_tests_properties(consumer PROPERTIES TIMEOUT 300)
endif()
