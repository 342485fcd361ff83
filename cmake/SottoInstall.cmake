# `cmake --install BUILD --component development`: headers, static libraries and the package files with which another
# project embeds Sotto: find_package(sotto) makes sotto::core; with COMPONENTS federation also coordinator, participant
# (without torch) and simulation. Called after all targets exist.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

configure_file(${PROJECT_SOURCE_DIR}/cmake/version.h.in ${PROJECT_BINARY_DIR}/include/sotto/version.h @ONLY)
set(SOTTO_INSTALL_HEADERS ${CMAKE_INSTALL_INCLUDEDIR}/sotto)  # they include each other as "common/..."
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/sotto)
function(sotto_install export)  # targets: the libraries of one find_package component
  foreach(target IN LISTS ARGN)
    string(REPLACE sotto_ "" name ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  endforeach()
  install(TARGETS ${ARGN} EXPORT ${export} COMPONENT development)
  install(EXPORT ${export} NAMESPACE sotto:: DESTINATION ${package} COMPONENT development)
endfunction()
sotto_install(sottoTargets sotto_core)
sotto_install(sottoFederationTargets sotto_version sotto_text sotto_coordinator sotto_participant sotto_simulation)
install(FILES ${PROJECT_BINARY_DIR}/include/sotto/version.h DESTINATION ${SOTTO_INSTALL_HEADERS}/sotto COMPONENT development)
# The folders whose code is in the installed libraries.
install(DIRECTORY common coordinator participant DESTINATION ${SOTTO_INSTALL_HEADERS} COMPONENT development
        FILES_MATCHING PATTERN "*.h" PATTERN cli EXCLUDE PATTERN net EXCLUDE PATTERN learning EXCLUDE PATTERN dashboard EXCLUDE)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/sottoConfig.cmake.in ${PROJECT_BINARY_DIR}/sottoConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sottoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sottoConfig.cmake ${PROJECT_BINARY_DIR}/sottoConfigVersion.cmake
        DESTINATION ${package} COMPONENT development)
