# sotto_version: the version and commit of this build, behind common/base/version.h. A library of its own, because its
# bytes change with each commit and few programs print them.
set(SOTTO_COMMIT unknown)
find_package(Git QUIET)
if(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --short=12 HEAD WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --path-format=absolute --git-path logs/HEAD
                  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE log OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    set(SOTTO_COMMIT ${commit})
    if(EXISTS ${log})  # changes with each commit
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${log})
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/version.cc @ONLY CONTENT
"#include \"common/base/version.h\"
namespace sotto {
const char* version() { return \"@PROJECT_VERSION@\"; }
const char* build_id() { return \"@PROJECT_VERSION@ (@SOTTO_COMMIT@)\"; }
}  // namespace sotto
")
add_library(sotto_version STATIC ${PROJECT_BINARY_DIR}/version.cc)
target_include_directories(sotto_version PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
target_link_libraries(sotto_version PRIVATE $<BUILD_INTERFACE:sotto_flags>)
