# Run one golden case and compare what pararnnc says with the file beside it.
#
#   cmake -DPARARNNC=PROGRAM -DKIND=error|fmt -DCASE=NAME -DFOLDER=tests/golden -DWORK=FOLDER
#         -P RunGolden.cmake
#
# error: 'pararnnc check error/NAME.cell' in FOLDER; NAME.txt holds stderr and, in the last line, the
#        exit code. A first line '# check: ARGUMENTS' of the cell adds arguments. A case that would be
#        a large file is NAME.repeat instead, four lines: how often, the beginning, what is repeated,
#        the end; how often 'never' makes no file at all.
# fmt:   'pararnnc fmt fmt/NAME.cell'; NAME.txt holds stdout. Its text goes through fmt once more and
#        must not change.
#
# With GOLDEN_UPDATE=1 in the environment the expected text is written instead: read the diff.
cmake_minimum_required(VERSION 3.22)

set(folder ${FOLDER})
set(expected ${FOLDER}/${KIND}/${CASE}.txt)
set(arguments)

if(EXISTS ${FOLDER}/${KIND}/${CASE}.repeat)
    set(folder ${WORK})
    file(MAKE_DIRECTORY ${WORK}/${KIND})
    file(STRINGS ${FOLDER}/${KIND}/${CASE}.repeat lines)
    list(GET lines 0 count)
    if(NOT count STREQUAL "never")
        list(GET lines 1 first)
        list(GET lines 2 middle)
        list(GET lines 3 last)
        string(REPEAT "${middle}" ${count} middle)
        file(WRITE ${WORK}/${KIND}/${CASE}.cell "${first}\n${middle}\n${last}\n")
    endif()
elseif(KIND STREQUAL "error")
    file(STRINGS ${FOLDER}/${KIND}/${CASE}.cell first LIMIT_COUNT 1)
    if(first MATCHES "^# check: (.*)")
        separate_arguments(arguments UNIX_COMMAND "${CMAKE_MATCH_1}")
    endif()
endif()

# Messages must not follow the user's settings.
set(ENV{LC_ALL} C)
unset(ENV{NO_COLOR})

function(compare found what)
    if(DEFINED ENV{GOLDEN_UPDATE})
        file(WRITE ${expected} "${found}")
        return()
    endif()
    if(NOT EXISTS ${expected})
        message(FATAL_ERROR "${expected} is missing; ${what} is:\n${found}")
    endif()
    # Compared as files: lists and semicolons mean something to CMake.
    file(MAKE_DIRECTORY ${WORK}/${KIND})
    file(WRITE ${WORK}/${KIND}/${CASE}.found "${found}")
    execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${expected}
                            ${WORK}/${KIND}/${CASE}.found RESULT_VARIABLE differs OUTPUT_QUIET
                            ERROR_QUIET)
    if(differs)
        execute_process(COMMAND diff -u ${expected} ${WORK}/${KIND}/${CASE}.found
                        OUTPUT_VARIABLE difference ERROR_QUIET)
        message(FATAL_ERROR "${what} of ${KIND}/${CASE} differs\n${difference}")
    endif()
endfunction()

if(KIND STREQUAL "error")
    execute_process(COMMAND ${PARARNNC} check ${arguments} error/${CASE}.cell
                    WORKING_DIRECTORY ${folder} OUTPUT_VARIABLE out ERROR_VARIABLE err
                    RESULT_VARIABLE code)
    compare("${err}exit ${code}\n" "stderr and exit code")
else()
    execute_process(COMMAND ${PARARNNC} fmt fmt/${CASE}.cell WORKING_DIRECTORY ${folder}
                    OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE code)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "exit ${code}\n${err}")
    endif()
    compare("${out}" "stdout")
    file(MAKE_DIRECTORY ${WORK}/${KIND})
    file(WRITE ${WORK}/${KIND}/${CASE}.once "${out}")
    execute_process(COMMAND ${PARARNNC} fmt ${WORK}/${KIND}/${CASE}.once OUTPUT_VARIABLE twice
                    ERROR_VARIABLE err RESULT_VARIABLE code)
    if(NOT code EQUAL 0 OR NOT "${twice}" STREQUAL "${out}")
        message(FATAL_ERROR "printing again changes the text:\n${twice}\n${err}")
    endif()
endif()
