# Script: cmake -DOUTPUT=FILE.c -DFILES=a.h,b.h -P EmbedKernels.cmake
#
# One C string array with the files one after the other: the text that NVRTC compiles.
string(REPLACE "," ";" FILES "${FILES}")
set(bytes "")
foreach(file IN LISTS FILES)
    file(READ ${file} hex HEX)
    string(APPEND bytes "${hex}")
endforeach()
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)"
    "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "extern const char device_text[];\n\nconst char device_text[] = {\n${bytes}0};\n")
