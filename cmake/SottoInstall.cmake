# `cmake --install BUILD --component development`: headers, the static library and the package files
# with which another project embeds the core: find_package(sotto), then sotto::core.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

configure_file(${PROJECT_SOURCE_DIR}/cmake/version.h.in ${PROJECT_BINARY_DIR}/include/sotto/version.h @ONLY)
set(SOTTO_INSTALL_HEADERS ${CMAKE_INSTALL_INCLUDEDIR}/sotto)  # they include each other as "common/..."
install(TARGETS sotto_core EXPORT sottoTargets COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/include/sotto/version.h DESTINATION ${SOTTO_INSTALL_HEADERS}/sotto COMPONENT development)
foreach(folder common participant/training)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${folder})
    get_filename_component(parent ${SOTTO_INSTALL_HEADERS}/${folder} DIRECTORY)
    install(DIRECTORY ${folder} DESTINATION ${parent} COMPONENT development FILES_MATCHING PATTERN "*.h"
            PATTERN net EXCLUDE PATTERN command EXCLUDE PATTERN cli EXCLUDE)
  endif()
endforeach()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/sotto)
install(EXPORT sottoTargets NAMESPACE sotto:: DESTINATION ${package} COMPONENT development)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/sottoConfig.cmake.in ${PROJECT_BINARY_DIR}/sottoConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sottoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sottoConfig.cmake ${PROJECT_BINARY_DIR}/sottoConfigVersion.cmake
        DESTINATION ${package} COMPONENT development)
