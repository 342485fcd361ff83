# One interface target that carries how our own code is compiled: warnings, hardening, sanitizers.
add_library(sotto_flags INTERFACE)

target_compile_options(sotto_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast
  -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wformat=2 -Wimplicit-fallthrough
  -Wdouble-promotion -Wundef
  # Designated initialisers leave the rest to the members' own defaults, which is their point.
  -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports falsely on std::optional of a time point at -O2.
  target_compile_options(sotto_flags INTERFACE -Wduplicated-cond -Wlogical-op -Wno-maybe-uninitialized)
else()
  # Clang counts the step from double to __float128, of which the exact noise is made.
  target_compile_options(sotto_flags INTERFACE -Wthread-safety -Wno-double-promotion)
endif()
if(SOTTO_WERROR)
  target_compile_options(sotto_flags INTERFACE -Werror)
endif()

if(SOTTO_SANITIZE)
  target_compile_options(sotto_flags INTERFACE -fsanitize=${SOTTO_SANITIZE} -fno-sanitize-recover=all
                                               -fno-omit-frame-pointer)
  target_link_options(sotto_flags INTERFACE -fsanitize=${SOTTO_SANITIZE})
  if(SOTTO_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(sotto_flags INTERFACE -Wno-error=tsan)
  endif()
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(sotto_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
target_compile_options(sotto_flags INTERFACE -fstack-protector-strong)
target_compile_definitions(sotto_flags INTERFACE _GLIBCXX_ASSERTIONS)
target_link_options(sotto_flags INTERFACE $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie> -Wl,-z,relro,-z,now)

# A trace of a crash has its functions and lines. The variables of every inlined frame would double the time to
# compile what includes torch; who debugs takes CMAKE_BUILD_TYPE=Debug. SottoUnity.cmake says what takes -O2.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -DNDEBUG")

find_program(SOTTO_CCACHE ccache)
if(SOTTO_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SOTTO_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${SOTTO_CCACHE})
endif()
find_program(SOTTO_MOLD mold)
if(SOTTO_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
