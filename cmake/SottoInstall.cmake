# `cmake --install BUILD --component development`: headers, the static library and the package files
# with which another project embeds the core: find_package(sotto), then sotto::core.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

configure_file(${PROJECT_SOURCE_DIR}/cmake/version.h.in ${PROJECT_BINARY_DIR}/include/sotto/version.h @ONLY)
set(SOTTO_INSTALL_HEADERS ${CMAKE_INSTALL_INCLUDEDIR}/sotto)  # they include each other as "common/..."
install(TARGETS sotto_core EXPORT sottoTargets COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/include/sotto/version.h DESTINATION ${SOTTO_INSTALL_HEADERS}/sotto COMPONENT development)
# The folders whose code is in the installed library.
install(DIRECTORY common DESTINATION ${SOTTO_INSTALL_HEADERS} COMPONENT development FILES_MATCHING PATTERN "*.h"
        PATTERN cli EXCLUDE PATTERN net EXCLUDE PATTERN simulation EXCLUDE)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/sotto)
install(EXPORT sottoTargets NAMESPACE sotto:: DESTINATION ${package} COMPONENT development)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/sottoConfig.cmake.in ${PROJECT_BINARY_DIR}/sottoConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sottoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sottoConfig.cmake ${PROJECT_BINARY_DIR}/sottoConfigVersion.cmake
        DESTINATION ${package} COMPONENT development)
