# A module is a folder: src/<name>/*.cpp and include/gsync/<name>/*.hpp make the library gsync_<name>. It links only the modules and libraries
# named here, so an include that goes the wrong way does not build or is caught by tests/unit/architecture.

set(GSYNC_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
if(GSYNC_WERROR)
  list(APPEND GSYNC_WARNINGS -Werror)
endif()

add_library(gsync_build INTERFACE)
target_compile_options(gsync_build INTERFACE ${GSYNC_WARNINGS})
# _FILE_OFFSET_BITS and _TIME_BITS: 32-bit Pis have files over 2 GB and clocks after 2038.
target_compile_definitions(gsync_build INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64 _TIME_BITS=64)
target_include_directories(gsync_build INTERFACE ${PROJECT_SOURCE_DIR}/include)
if(GSYNC_SANITIZE)
  target_compile_options(gsync_build INTERFACE -fsanitize=${GSYNC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(gsync_build INTERFACE -fsanitize=${GSYNC_SANITIZE})
endif()

if(GSYNC_COVERAGE)
  target_link_options(gsync_build INTERFACE --coverage)
endif()

# gsync_module(NAME [PUBLIC libs...] [PRIVATE libs...])
function(gsync_module name)
  cmake_parse_arguments(ARG "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  add_library(gsync_${name} STATIC ${sources})
  target_include_directories(gsync_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  target_link_libraries(gsync_${name} PUBLIC gsync_build ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  # Else gcc gives nearly every source file its own copy of what fmt needs for floating-point numbers: 1.3 MB of 3.
  target_compile_options(gsync_${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-ipa-sra>)
  if(GSYNC_COVERAGE)
    target_compile_options(gsync_${name} PRIVATE --coverage -fprofile-update=atomic -Og)
  endif()
endfunction()

# gsync_test(NAME FOLDER [LIBS libs...] [DEPENDS targets...] [TIMEOUT seconds] [SERIAL filter]): one test program of all the *_test.cpp in FOLDER. Each TEST is a ctest test of its own; those that
# SERIAL names (as --gtest_filter does) have the machine to themselves, because they count what meets a lock of a millisecond.
function(gsync_test name folder)
  cmake_parse_arguments(ARG "" "TIMEOUT;SERIAL" "LIBS;DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*_test.cpp)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  set(others "*")
  if(ARG_SERIAL)
    set(others "-${ARG_SERIAL}")
    gtest_discover_tests(${name} TEST_PREFIX "${name}." TEST_FILTER "${ARG_SERIAL}" TEST_LIST ${name}_SERIAL_TESTS DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL TRUE)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}." TEST_FILTER "${others}" DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${ARG_TIMEOUT})
endfunction()
