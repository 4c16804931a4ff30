#!/bin/sh
# The binary interface against what is recorded: exported symbols, structures, constants.
#
#   sh check_abi.sh LIBRARY LAYOUT_PROGRAM HEADER FOLDER WORK
#
# FOLDER holds symbols.txt and layout.txt; GOLDEN_UPDATE=1 in the environment rewrites them. A line
# that goes or changes breaks programs that are compiled already: a new SOVERSION.
set -u
export LC_ALL=C
library=$1 layout=$2 header=$3 folder=$4 work=$5
faults=0
mkdir -p "$work"

nm -D --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort >"$work/symbols.txt"
"$layout" >"$work/layout.txt" || exit 1

for file in symbols.txt layout.txt; do
    if [ -n "${GOLDEN_UPDATE:-}" ]; then
        cp "$work/$file" "$folder/$file"
    elif ! diff -u "$folder/$file" "$work/$file"; then
        echo "$file differs from the recorded binary interface"
        faults=1
    fi
done

# The program lists by hand: nothing of the header may be missing in it.
code=$(cc -fpreprocessed -dD -E -P -x c "$header")
structs=$(printf '%s\n' "$code" | sed -n 's/^typedef struct \(prnn_[a-z_]*\) {.*/\1/p')
constants=$(printf '%s\n' "$code" | awk '/enum.*{/ { on = 1 } on { print } /}/ { on = 0 }' |
    grep -o 'PRNN_[A-Z0-9_]*')
[ -n "$structs" ] && [ -n "$constants" ] || {
    echo "found no structures or no constants in $header"
    exit 1
}
for name in $structs; do
    grep -q "^struct $name:" "$work/layout.txt" || { echo "layout.c lacks $name"; faults=1; }
    fields=$(printf '%s\n' "$code" | sed -n "/^typedef struct $name {/,/^}/p" | grep -o '[;,]' | wc -l)
    listed=$(sed -n "/^struct $name:/,/^[a-z]/p" "$work/layout.txt" | grep -c '^  ')
    # Each field ends at ';' or ','; the structure itself at one more.
    if [ $((fields - 1)) -ne "$listed" ]; then
        echo "$name: $((fields - 1)) fields in the header, $listed in layout.c"
        faults=1
    fi
done
for name in $constants; do
    grep -q "^  $name: " "$work/layout.txt" || { echo "layout.c lacks $name"; faults=1; }
done

# What is declared is exported, and nothing else.
printf '%s\n' "$code" | tr '\n' ' ' | grep -o 'PRNN_API [^(]*(' | grep -o 'prnn_[a-z_]*($' | tr -d '(' |
    sort >"$work/declared.txt"
if ! diff -u "$work/declared.txt" "$work/symbols.txt"; then
    echo "declared in the header (-) and exported (+) differ"
    faults=1
fi
exit $faults
