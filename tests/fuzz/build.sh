#!/bin/sh
# build.sh SOURCE FOLDER: the fuzzers in FOLDER, with clang. Ends with 77 where clang has no libFuzzer.
# What is there already is kept: a second call builds what has changed.
set -eu
source=$1
folder=$2

probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
cat >"$probe/probe.c" <<'END'
int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size);
int LLVMFuzzerTestOneInput(const unsigned char *data, unsigned long size)
{
    return data && size ? 0 : 0;
}
END
if ! clang -fsanitize=fuzzer,address,undefined "$probe/probe.c" -o "$probe/probe" 2>"$probe/log"; then
    echo "skipped: clang with libFuzzer is not found (Debian: clang, libclang-rt-14-dev)"
    exit 77
fi

# Asserts are on.
if [ ! -e "$folder/build.ninja" ]; then
    cmake -G Ninja -S "$source" -B "$folder" -DPRNN_FUZZ=ON -DCMAKE_C_COMPILER=clang \
        -DCMAKE_BUILD_TYPE=None "-DPRNN_FUZZ_LINK=-fsanitize=fuzzer" \
        "-DCMAKE_C_FLAGS=-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
-fno-sanitize-coverage=trace-cmp \
-fno-sanitize-recover=undefined -Wno-unused-variable"
fi
ninja -C "$folder" --quiet fuzzers
