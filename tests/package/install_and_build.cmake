# cmake -DBUILD=... -DEXAMPLES=... -DPREFIX=... -P install_and_build.cmake: everything from nothing.
file(REMOVE_RECURSE ${PREFIX})
set(flags)
if(SANITIZE)
  set(flags -DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE})
endif()
foreach(step
    "${CMAKE_COMMAND};--install;${BUILD};--component;development;--prefix;${PREFIX}/installed"
    "${CMAKE_COMMAND};-S;${EXAMPLES};-B;${PREFIX}/examples;-G;${GENERATOR};-DCMAKE_PREFIX_PATH=${PREFIX}/installed;-DCMAKE_CXX_COMPILER=${COMPILER};-DCMAKE_BUILD_TYPE=Release;${flags}"
    "${CMAKE_COMMAND};--build;${PREFIX}/examples")
  execute_process(COMMAND ${step} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
