#!/bin/sh
# clang-tidy and cppcheck over compiler/ and runtime/: no findings. What is switched off, and why,
# stands in .clang-tidy and cmake/cppcheck.supp. The faults of planted_faults.c must be found.
#
#   sh analyse.sh SOURCE WORK FIGURES BUILD
set -u
source=$1 work=$2 figures=$3 build=$4
rm -rf "$figures" "$work"
mkdir -p "$work/cppcheck"
cd "$source" || exit 1
planted=tests/trust/planted_faults.c

# Assertions say what the analyser cannot know. All paths of the longest functions would take four
# times as long; what comes then was read once: it forgets that a count of freedom.h does not change.
tidy() {
    xargs -P2 -n3 clang-tidy --quiet --extra-arg=-UNDEBUG --extra-arg=-Xclang \
        --extra-arg=-analyzer-config --extra-arg=-Xclang --extra-arg=max-nodes=40000 "$@"
}
check() {
    cppcheck --quiet --std=c11 --enable=warning,performance,portability \
        --suppressions-list=cmake/cppcheck.supp --template='{file}:{line}: {severity}: {message} [{id}]' "$@"
}

ls compiler/*/*.c runtime/*/*.c >"$work/files.txt"
count=$(wc -l <"$work/files.txt")
tidy -p "$build" <"$work/files.txt" >"$work/tidy.txt" 2>"$work/tidy-errors.txt"
tidy_code=$?
grep -E '(warning|error): ' "$work/tidy.txt" | sort -u >"$work/findings.txt"
check --project="$build/compile_commands.json" --file-filter="$source/compiler/*" \
    --file-filter="$source/runtime/*" --cppcheck-build-dir="$work/cppcheck" -j2 2>"$work/cppcheck.txt"
check_code=$?
cat "$work/cppcheck.txt" >>"$work/findings.txt"
cat "$work/findings.txt"
findings=$(wc -l <"$work/findings.txt")
# A file that was not read is no clean file.
if [ $tidy_code -ne 0 ] || [ $check_code -ne 0 ]; then
    grep -v ' warnings* generated' "$work/tidy-errors.txt"
    echo "clang-tidy ended with $tidy_code, cppcheck with $check_code"
    findings=$((findings + 1))
fi
read=$(find "$work/cppcheck" -name '*.a[0-9]*' | wc -l)
[ "$read" -eq "$count" ] || echo "cppcheck has read $read files of $count"

# Lines with '/* tidy: ID */' and '/* cppcheck: ID */', each found where it stands.
expected=0 found=0
expect() {
    grep -n "/\* $1: " $planted | sed "s,^\([0-9]*\):.*/\* $1: \([^ ]*\) \*/.*,\1 \2," >"$work/planted.txt"
    while read -r line id; do
        expected=$((expected + 1))
        if grep -q "^[^ ]*planted_faults.c:$line:.*${id}[],]" "$2"; then
            found=$((found + 1))
        else
            echo "$1 does not report $id in line $line of $planted"
        fi
    done <"$work/planted.txt"
}
echo $planted | tidy -p "$build" >"$work/planted-tidy.txt" 2>/dev/null
check $planted 2>"$work/planted-cppcheck.txt"
expect tidy "$work/planted-tidy.txt"
expect cppcheck "$work/planted-cppcheck.txt"

{
    printf 'files without findings of clang-tidy or cppcheck (%d findings)\t%d\t%d\n' \
        "$findings" $((findings > 0 ? 0 : read)) "$count"
    printf 'planted faults that clang-tidy and cppcheck find\t%d\t%d\n' $found 8
} >"$figures"
cat "$figures"
[ "$findings" -eq 0 ] && [ "$read" -eq "$count" ] && [ $found -eq $expected ] && [ $expected -eq 8 ]
