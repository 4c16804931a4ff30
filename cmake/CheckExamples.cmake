# Every ```cell block of a page is a file that 'pararnnc check' accepts without a word.
#
#   cmake -DPARARNNC=PROGRAM -DPAGE=FILE.md -DWORK=FOLDER -P CheckExamples.cmake
cmake_minimum_required(VERSION 3.22)

file(MAKE_DIRECTORY ${WORK})
file(READ ${PAGE} rest)
set(count 0)
string(FIND "${rest}" "```cell\n" start)
while(NOT start EQUAL -1)
    math(EXPR start "${start} + 8")
    string(SUBSTRING "${rest}" ${start} -1 rest)
    string(FIND "${rest}" "\n```" end)
    math(EXPR end "${end} + 1")
    string(SUBSTRING "${rest}" 0 ${end} text)
    math(EXPR count "${count} + 1")
    file(WRITE ${WORK}/example${count}.cell "${text}")
    execute_process(COMMAND ${PARARNNC} check ${WORK}/example${count}.cell OUTPUT_VARIABLE out
                    ERROR_VARIABLE err RESULT_VARIABLE code)
    if(NOT code EQUAL 0 OR NOT err STREQUAL "")
        message(FATAL_ERROR "example ${count}: exit ${code}\n${err}\n${text}")
    endif()
    string(FIND "${rest}" "```cell\n" start)
endwhile()
if(count EQUAL 0)
    message(FATAL_ERROR "${PAGE} has no example")
endif()
