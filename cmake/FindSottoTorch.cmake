# FindSottoTorch makes the target sotto_torch: headers and libraries of libtorch 1.13 or later. It looks in SOTTO_TORCH_ROOT alone
# if that is set, else where CMake looks for packages (CMAKE_PREFIX_PATH, also in the form that torch.utils.cmake_prefix_path
# has, and the system).
#
# find_package(Torch) is not used: the package files of a CUDA build of libtorch require a CUDA toolkit, although nothing here is
# compiled for a device. The libraries for CUDA are linked if they are there. They register themselves when they are loaded and no
# symbol of them is named, so the linker must not leave them out.
set(SOTTO_TORCH_ROOT "" CACHE PATH "The libtorch to use: a folder with include/ and lib/, for example that of Python's package torch")

# Another root than that of the last run: forget what was found.
if(NOT "${SOTTO_TORCH_ROOT}" STREQUAL "${SOTTO_TORCH_LAST_ROOT}")
  foreach(name IN ITEMS INCLUDE_DIR LIBRARY CPU_LIBRARY C10_LIBRARY CUDA_LIBRARY C10_CUDA_LIBRARY HAS_OUR_ABI)
    unset(SOTTO_TORCH_${name} CACHE)
  endforeach()
endif()
set(SOTTO_TORCH_LAST_ROOT "${SOTTO_TORCH_ROOT}" CACHE INTERNAL "")

if(SOTTO_TORCH_ROOT)
  set(where HINTS ${SOTTO_TORCH_ROOT} NO_DEFAULT_PATH)
else()
  string(REPLACE ":" ";" roots "$ENV{CMAKE_PREFIX_PATH}")
  list(APPEND roots ${CMAKE_PREFIX_PATH})
  list(FILTER roots INCLUDE REGEX "/share/cmake/?$")
  list(TRANSFORM roots REPLACE "/share/cmake/?$" "")
  set(where HINTS ${roots})
endif()
find_path(SOTTO_TORCH_INCLUDE_DIR ATen/ATen.h ${where} PATH_SUFFIXES include)
# The libraries are those beside the headers: two versions of libtorch must not be mixed.
get_filename_component(root "${SOTTO_TORCH_INCLUDE_DIR}" DIRECTORY)
foreach(pair IN ITEMS LIBRARY:torch CPU_LIBRARY:torch_cpu C10_LIBRARY:c10 CUDA_LIBRARY:torch_cuda C10_CUDA_LIBRARY:c10_cuda)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 variable)
  list(GET pair 1 library)
  find_library(SOTTO_TORCH_${variable} ${library} HINTS ${root} PATH_SUFFIXES lib lib/${CMAKE_LIBRARY_ARCHITECTURE} NO_DEFAULT_PATH)
  mark_as_advanced(SOTTO_TORCH_${variable})
endforeach()
mark_as_advanced(SOTTO_TORCH_INCLUDE_DIR)

set(SottoTorch_VERSION "")
foreach(file IN ITEMS headeronly/version.h csrc/api/include/torch/version.h)  # newer versions have it in the first
  if(EXISTS ${SOTTO_TORCH_INCLUDE_DIR}/torch/${file} AND NOT SottoTorch_VERSION)
    file(STRINGS ${SOTTO_TORCH_INCLUDE_DIR}/torch/${file} lines REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
    list(TRANSFORM lines REPLACE ".* ([0-9]+)$" "\\1")
    list(JOIN lines "." SottoTorch_VERSION)
  endif()
endforeach()
set(SOTTO_TORCH_VERSION "${SottoTorch_VERSION}" CACHE INTERNAL "")
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SottoTorch
  REQUIRED_VARS SOTTO_TORCH_LIBRARY SOTTO_TORCH_CPU_LIBRARY SOTTO_TORCH_C10_LIBRARY SOTTO_TORCH_INCLUDE_DIR
  VERSION_VAR SottoTorch_VERSION)
if(NOT SottoTorch_FOUND OR TARGET sotto_torch)
  return()
endif()

# Python's packages before torch 2.6 were compiled with the C++ ABI of before GCC 5, which cannot be linked.
include(CheckCXXSourceCompiles)
include(CMakePushCheckState)
cmake_push_check_state(RESET)
set(CMAKE_REQUIRED_INCLUDES ${SOTTO_TORCH_INCLUDE_DIR})
set(CMAKE_REQUIRED_LIBRARIES ${SOTTO_TORCH_C10_LIBRARY} -Wl,--allow-shlib-undefined)
check_cxx_source_compiles("#include <c10/util/Type.h>
int main() { return static_cast<int>(c10::demangle(\"i\").size()); }" SOTTO_TORCH_HAS_OUR_ABI)
cmake_pop_check_state()
if(NOT SOTTO_TORCH_HAS_OUR_ABI)
  message(FATAL_ERROR "A program with std::string in its interface cannot be linked with ${SOTTO_TORCH_C10_LIBRARY}: this libtorch "
                      "has the old C++ ABI, or it is of another compiler or processor. Choose another one with -DSOTTO_TORCH_ROOT=")
endif()

add_library(sotto_torch INTERFACE)
target_include_directories(sotto_torch SYSTEM INTERFACE ${SOTTO_TORCH_INCLUDE_DIR} ${SOTTO_TORCH_INCLUDE_DIR}/torch/csrc/api/include)
target_link_libraries(sotto_torch INTERFACE ${SOTTO_TORCH_LIBRARY} ${SOTTO_TORCH_CPU_LIBRARY} ${SOTTO_TORCH_C10_LIBRARY})
if(SOTTO_TORCH_CUDA_LIBRARY AND SOTTO_TORCH_C10_CUDA_LIBRARY)
  # Their own libraries need not be found at link time: they are where the loader, not the linker, looks for them.
  target_link_libraries(sotto_torch INTERFACE -Wl,--allow-shlib-undefined
    "-Wl,--push-state,--no-as-needed,${SOTTO_TORCH_CUDA_LIBRARY},${SOTTO_TORCH_C10_CUDA_LIBRARY},--pop-state")
endif()
