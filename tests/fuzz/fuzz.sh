#!/bin/sh
# fuzz.sh NAME BUILD FUZZ SEED... -- OPTION...: run the fuzzer BUILD/fuzz/.../fuzz_NAME over FUZZ/corpus/NAME
# and the seeds, without writing to them. What it finds is left in BUILD/fuzz/finds; how far it came
# goes to BUILD/trust/fuzz_NAME.tsv.
set -u
name=$1
build=$2
here=$3
shift 3
seeds=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    seeds="$seeds $1"
    shift
done
shift

fuzzer=$build/fuzz/tests/fuzz/fuzz_$name
if [ ! -x "$fuzzer" ]; then
    echo "skipped: no fuzzers were built"
    exit 77
fi
work=$build/fuzz/run/$name
finds=$build/fuzz/finds
table=$build/trust/fuzz_$name.tsv
rm -rf "$work"
mkdir -p "$work/new" "$finds" "$build/trust"
: >"$table"
goal=$(awk -v name="$name" '$1 == name { print $2 }' "$here/goals.tsv")

# A find is a crash, a leak, a broken promise, or one input that takes 2 s or 512 MiB.
export ASAN_OPTIONS=quarantine_size_mb=8:malloc_context_size=8:detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
# shellcheck disable=SC2086
"$fuzzer" "$work/new" "$here/corpus/$name" $seeds -seed=1 -runs="$goal" -timeout=2 -rss_limit_mb=512 \
    -report_slow_units=1 -print_final_stats=1 "-artifact_prefix=$finds/$name-" "$@" 2>"$work/log"
code=$?
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$work/log")
printf 'fuzz %s: runs without a find\t%s\t%s\n' "$name" "${runs:-0}" "$goal" >>"$table"
grep -E 'stat::|^#.*DONE' "$work/log" || true
echo "$name: ${runs:-0} runs, ${rate:-0} a second"
if [ $code -ne 0 ]; then
    tail -n 60 "$work/log"
    exit 1
fi
