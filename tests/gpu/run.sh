#!/usr/bin/env bash
# Run the GPU suite, compute-sanitizer and 'pararnnc bench', and write what was verified. Needs no
# network.
#
#   tests/gpu/run.sh [LEDGER [CSV]]    default: tests/gpu/verified.tsv; CSV: what bench has measured
#
# PRNN_BUILD names a build folder that was carried here; without it the suite is built in 'build'.
# Exit code 77: no device.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1
export PRNN_SOURCE_DIR=$root
ledger=${1:-tests/gpu/verified.tsv}
csv=${2:-}
start=$SECONDS
if [ -n "${PRNN_BUILD:-}" ]; then
    build=$PRNN_BUILD
elif [ -x build/tests/gpu/gpu_suite ]; then
    build=build
else
    . cmake/setup.sh
    setup_build gpu_suite pararnnc || exit 1
    build=build
fi
suite=$build/tests/gpu/gpu_suite
command=$build/compiler/command/pararnnc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# Where there is a C compiler the shim is run here; else its hashes come with the build.
expected=()
if ! command -v "${CC:-cc}" >/dev/null; then
    if [ ! -e "$build/tests/gpu/expected.tsv" ]; then
        echo "no C compiler and no $build/tests/gpu/expected.tsv: before a build is carried," \
            "./test -R gpu_ledger has to write it" >&2
        exit 1
    fi
    expected=(--expected "$build/tests/gpu/expected.tsv")
fi

"$suite" "${expected[@]}" --ledger "$work/verified.tsv" 2>&1 | tee "$work/log"
code=${PIPESTATUS[0]}
[ "$code" -ne 77 ] || exit 77
[ "$code" -eq 0 ] || status=1
suite_seconds=$((SECONDS - start))

sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | tail -n 1)
results=()
if [ -z "$sanitizer" ]; then
    echo "note: compute-sanitizer is not there; its four tools are skipped"
    results+=("compute-sanitizer: skipped, not there")
else
    # An own error code, since the suite also fails with 1.
    for tool in memcheck racecheck initcheck synccheck; do
        begin=$SECONDS
        timeout 120 "$sanitizer" --tool "$tool" --error-exitcode 9 "$suite" --only sanitize \
            >"$work/$tool" 2>&1
        code=$?
        grep -E 'ERROR SUMMARY|RACECHECK SUMMARY' "$work/$tool"
        results+=("$tool: exit $code, $((SECONDS - begin)) s")
        if [ "$code" -ne 0 ]; then
            status=1
            head -c 6000 "$work/$tool"
        fi
    done
fi

# How far from the floor, of the library's choice: a glance, not the tables of docs/measurements.md.
if [ -x "$command" ]; then
    begin=$SECONDS
    PARARNNC_TUNED=ignore timeout 180 "$command" bench cells/paragru.cell cells/paralstm.cell \
        --device cuda:0 --shape 8x2048x1024 --shape 1x16384x1024 --save "$work/bench.csv"
    code=$?
    results+=("bench: exit $code, $((SECONDS - begin)) s")
    [ "$code" -eq 0 ] || status=1
    if [ -n "$csv" ] && [ -s "$work/bench.csv" ]; then
        cp "$work/bench.csv" "$csv" || status=1
    fi
else
    results+=("bench: skipped, no $command")
fi

# The ledger is replaced only by one that says something.
if [ -s "$work/verified.tsv" ]; then
    cp "$work/verified.tsv" "$ledger" || status=1
fi
echo
printf '%-12s %7s %7s %9s %10s %7s\n' part tests failed seconds compiling running
awk -F '\t' '$1 == "PART" { printf "%-12s %7s %7s %9s %10s %7s\n", $2, $3, $4, $5, $6, $7 }' "$work/log"
printf '%s\n' "${results[@]}"
grep -h 'GPU-verified' "$work/log"
echo "suite $suite_seconds s, all $((SECONDS - start)) s, $([ $status -eq 0 ] && echo passed || echo FAILED)"
exit $status
