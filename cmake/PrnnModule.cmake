# One folder is one module is one OBJECT target.
#
#   prnn_module(sema SOURCES scope.c resolve.c SEES ast source support)
#
# Links are PRIVATE, so a module finds the headers of the modules it names and of no others: an
# include against the arrows of docs/architecture.md is "no such file".
set(PRNN_MODULES "" CACHE INTERNAL "modules that make up the library")

function(prnn_module name)
    cmake_parse_arguments(ARG "COMMAND_ONLY" "" "SOURCES;SEES" ${ARGN})
    add_library(prnn_${name} OBJECT ${ARG_SOURCES})
    target_include_directories(prnn_${name} INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}
                                            PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    set_target_properties(prnn_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON
                                                  C_VISIBILITY_PRESET hidden)
    target_link_libraries(prnn_${name} PRIVATE prnn_flags)
    foreach(seen IN LISTS ARG_SEES)
        target_include_directories(prnn_${name} PRIVATE
            $<TARGET_PROPERTY:prnn_${seen},INTERFACE_INCLUDE_DIRECTORIES>)
    endforeach()
    if(NOT ARG_COMMAND_ONLY)
        set(PRNN_MODULES ${PRNN_MODULES} ${name} CACHE INTERNAL "")
    endif()
endfunction()
