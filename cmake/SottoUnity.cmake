# sotto_unity(target): the target's sources are compiled several at a time as one, which reads their common headers once.
# A source with options of its own is compiled by itself, because options belong to a whole compile. SOTTO_UNITY=OFF
# compiles every source by itself and so shows an include that is missing.
#
# A development build takes -O1, which needs half of the time of -O2 (SottoFlags.cmake), but for the folders of
# SOTTO_HOT_FOLDERS: their loops run over parameters, shares, draws or texts.
set(SOTTO_HOT_FOLDERS common/crypto common/encoding common/model common/privacy common/secagg common/wire
                      participant/data participant/deidentify participant/text)
set(SOTTO_HOT_OPTIONS "$<$<CONFIG:RelWithDebInfo>:-O2>")

# sotto_temperature(variable source): "hot" if the source lies in one of those folders, else "cold"
function(sotto_temperature variable source)
  set(${variable} cold PARENT_SCOPE)
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
  foreach(folder IN LISTS SOTTO_HOT_FOLDERS)
    cmake_path(IS_PREFIX folder "${source}" is_inside)
    if(is_inside)
      set(${variable} hot PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

function(sotto_unity target)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    cmake_path(ABSOLUTE_PATH source)
    cmake_path(IS_PREFIX PROJECT_BINARY_DIR "${source}" is_generated)
    get_source_file_property(options ${source} COMPILE_OPTIONS)
    sotto_temperature(temperature ${source})
    if(is_generated)
      continue()
    elseif(SOTTO_UNITY AND NOT options)
      list(APPEND ${temperature}_sources ${source})
    elseif(temperature STREQUAL hot)
      list(PREPEND options ${SOTTO_HOT_OPTIONS})
      list(REMOVE_ITEM options NOTFOUND)
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${options}")
    endif()
  endforeach()
  foreach(temperature hot cold)
    list(LENGTH ${temperature}_sources count)
    math(EXPR batches "(${count} + 9) / 10")
    set(at 0)
    foreach(source IN LISTS ${temperature}_sources)
      math(EXPR batch "${at} * ${batches} / ${count}")
      math(EXPR at "${at} + 1")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${temperature}_${batch})
    endforeach()
    foreach(batch RANGE ${batches})
      set(together ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${target}.dir/Unity/unity_hot_${batch}_cxx.cxx)
      set_source_files_properties(${together} PROPERTIES COMPILE_OPTIONS ${SOTTO_HOT_OPTIONS})
    endforeach()
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${SOTTO_UNITY} UNITY_BUILD_MODE GROUP)
  # GCC takes a source for a header when another file includes it.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endfunction()
