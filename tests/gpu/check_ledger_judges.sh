#!/bin/sh
# What gpu_ledger says of ledgers that are right, old and wrong: check_ledger_judges.sh PROGRAM CELL FOLDER
set -u
program=$1 cell=$2 work=$3
rm -rf "$work"
mkdir -p "$work/cells"
cp "$cell" "$work/cells" || exit 1
failed=0

# judge NAME EXIT-CODE WORDS OPTIONS...
judge() {
    name=$1 wanted=$2 words=$3
    shift 3
    "$program" --part --cells "$work/cells" --ledger "$work/$name.tsv" "$@" >"$work/$name.log" 2>&1
    code=$?
    if [ $code -ne "$wanted" ] || ! grep -q "$words" "$work/$name.log"; then
        echo "$name: exit $code, needed $wanted with '$words':"
        cat "$work/$name.log"
        failed=1
    fi
}

judge missing 0 'GPU-verified 0 of 9' --write "$work/right.tsv"
judge right 0 'GPU-verified 9 of 9' --release
# The first row's text is another one; its result may be anything then.
awk -F '\t' -v OFS='\t' '/^#/ { print; next } !n++ { $2 = "0123456789abcdef"; $3 = $2 } { print }' \
    "$work/right.tsv" >"$work/lapsed.tsv"
judge lapsed 0 'lapsed: '
grep -q 'GPU-verified 8 of 9' "$work/lapsed.log" || failed=1
cp "$work/lapsed.tsv" "$work/release.tsv"
judge release 1 'GPU-verified 8 of 9' --release
awk -F '\t' -v OFS='\t' '/^#/ { print; next } !n++ { $3 = "0123456789abcdef" } { print }' \
    "$work/right.tsv" >"$work/wrong.tsv"
judge wrong 1 'FAILED: .* on a device'
echo 'no row' >"$work/broken.tsv"
judge broken 1 'a line is not'
exit $failed
