# A small model learns a page, is saved, and gives the same text after it is loaded.
#
#   cmake -DCHARLM=PROGRAM -DCELL=FILE -DDENSE=NAME -DTEXT=FILE -DWORK=FOLDER -P smoke.cmake
cmake_minimum_required(VERSION 3.22)

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(charlm out)
    execute_process(COMMAND ${CHARLM} --cell ${CELL} --text ${TEXT} --device cpu --dense ${DENSE} --batch 3
                            --seq-len 17 --channels 20 --sample 50 ${ARGN}
                    OUTPUT_VARIABLE text ERROR_VARIABLE err RESULT_VARIABLE code
                    WORKING_DIRECTORY ${WORK})
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "exit ${code}\n${text}${err}")
    endif()
    if(NOT text MATCHES "validation ([0-9.]+) bits[^\n]*")
        message(FATAL_ERROR "no validation:\n${text}")
    endif()
    set(bits ${CMAKE_MATCH_1})
    string(FIND "${text}" "-- 50 characters" place)
    string(SUBSTRING "${text}" ${place} -1 sample)
    set(${out} "${bits}\n${sample}" PARENT_SCOPE)
endfunction()

charlm(first --steps 150 --tune 40 --plot loss.svg --save model.safetensors)
charlm(second --steps 0 --load model.safetensors)
if(NOT first STREQUAL second)
    message(FATAL_ERROR "a loaded model differs:\n${first}\n${second}")
endif()
# Every symbol equally likely is log2(98) = 6.6 bits: 150 steps take off a bit and more.
if(NOT first MATCHES "^([0-9.]+)" OR CMAKE_MATCH_1 GREATER 5.5)
    message(FATAL_ERROR "validation is ${CMAKE_MATCH_1} bits")
endif()
file(READ ${WORK}/loss.svg svg)
if(NOT svg MATCHES "<polyline[^>]*points=\"[0-9]")
    message(FATAL_ERROR "loss.svg has no curve")
endif()
