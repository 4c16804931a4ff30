# Script: cmake -DOUTPUT=embedded.c -DFILES=a.h,b.h -DFOLDER=... -P EmbedText.cmake
#
# Writes a C file with the bytes of each text as an array: C11 promises only 4095 characters in a
# string literal.
string(REPLACE "," ";" FILES "${FILES}")
set(text "#include \"embedded.h\"\n\n")
set(table "")
foreach(file IN LISTS FILES)
    file(READ ${FOLDER}/${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
    string(MAKE_C_IDENTIFIER ${file} name)
    string(APPEND text "static const char text_${name}[] = {\n${bytes}0};\n\n")
    string(APPEND table "    {\"${file}\", text_${name}, sizeof text_${name} - 1},\n")
endforeach()
string(APPEND text "const struct embedded_text embedded_texts[] = {\n${table}    {0, 0, 0},\n};\n")
file(WRITE ${OUTPUT}.new "${text}")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUTPUT}.new ${OUTPUT})
file(REMOVE ${OUTPUT}.new)
