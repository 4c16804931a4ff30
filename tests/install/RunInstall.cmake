# Script: installs BUILD under WORK/root, then uses it by find_package and by pkg-config.
set(root ${WORK}/root)
set(ENV{PARARNNC_CACHE_DIR} none)
file(REMOVE_RECURSE ${root} ${WORK}/build ${WORK}/moved)

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "'${ARGN}' ended with ${result}:\n${output}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${root})
foreach(file include/pararnnc/pararnnc.h ${LIBDIR}/libpararnnc.so ${LIBDIR}/libpararnnc.a
        ${LIBDIR}/pkgconfig/pararnnc.pc bin/pararnnc)
    if(NOT EXISTS ${root}/${file})
        message(FATAL_ERROR "'${file}' is not installed")
    endif()
endforeach()
# Found where it is, not where it was installed to.
file(RENAME ${root} ${WORK}/moved)
set(root ${WORK}/moved)

run(${CMAKE_COMMAND} -S ${PROJECT} -B ${WORK}/build -DCMAKE_PREFIX_PATH=${root}
    -DCMAKE_C_COMPILER=${C_COMPILER})
run(${CMAKE_COMMAND} --build ${WORK}/build)
foreach(program uses_c uses_static uses_cxx)
    run(${WORK}/build/${program})
endforeach()

find_program(PKG_CONFIG pkg-config REQUIRED)
set(ENV{PKG_CONFIG_PATH} ${root}/${LIBDIR}/pkgconfig)
foreach(kind "" --static)
    execute_process(COMMAND ${PKG_CONFIG} --define-variable=prefix=${root} --cflags --libs ${kind} pararnnc
                    OUTPUT_VARIABLE flags RESULT_VARIABLE result OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT result EQUAL 0)
        message(FATAL_ERROR "pkg-config does not find pararnnc")
    endif()
    separate_arguments(flags)
    run(${C_COMPILER} -std=c11 ${PROJECT}/main.c -o ${WORK}/uses_pc ${flags} -Wl,-rpath,${root}/${LIBDIR})
    run(${WORK}/uses_pc)
endforeach()

# Nothing but the public names leaves the library.
run(nm -D --defined-only ${root}/${LIBDIR}/libpararnnc.so)
string(REPLACE "\n" ";" lines "${output}")
foreach(line IN LISTS lines)
    if(line MATCHES " [A-Za-z] ([^ ]+)$" AND NOT CMAKE_MATCH_1 MATCHES "^(prnn_|_init$|_fini$)")
        message(FATAL_ERROR "'${CMAKE_MATCH_1}' is visible")
    endif()
endforeach()
