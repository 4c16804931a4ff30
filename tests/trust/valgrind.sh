#!/bin/sh
# The command under valgrind: three cells checked and explained, and one solved forward and backward on
# the CPU by a compiled and by an interpreted plan; and the tests of the library's plan. It sees what the
# sanitizers do not: values that nobody has set, also in the code that a plan has compiled.
#
#   sh valgrind.sh SOURCE WORK FIGURES COMMAND CHECK_PLAN
set -u
source=$1 work=$2 figures=$3 command=$4 check_plan=$5
rm -rf "$figures" "$work"
mkdir -p "$work"
cd "$work" || exit 1
export PARARNNC_CACHE_DIR=none OMP_NUM_THREADS=2
runs=0 clean=0 planted=0

# Leaks are LeakSanitizer's affair: here threads and loaded libraries would be among them.
under() {
    valgrind --quiet --error-exitcode=99 --trace-children=no "$@" >out.txt 2>err.txt
}
watch() {
    runs=$((runs + 1))
    if under "$@"; then
        clean=$((clean + 1))
    else
        echo "ended with $?: $*"
        cat out.txt err.txt
    fi
}

for cell in paragru slstm titans_lite; do
    watch "$command" check "$source/cells/$cell.cell"
    watch "$command" explain "$source/cells/$cell.cell"
done
# Version 3.19 does not know AVX-512, which a plan compiled for this machine might use.
if grep -q -m1 avx512 /proc/cpuinfo; then
    printf '#!/bin/sh\nexec cc "$@" -mno-avx512f\n' >cc-without-avx512
    chmod +x cc-without-avx512
    export PARARNNC_CC="$PWD/cc-without-avx512"
fi
solve() {
    watch "$command" run "$source/cells/paralstm.cell" --device cpu --batch 2 --seq-len 40 --channels 9
}
solve
grep -q '^kernels: compiled' out.txt || {
    echo "the plan was not compiled:"
    cat out.txt
    clean=$((clean - 1))
}
PARARNNC_CC=none
export PARARNNC_CC
solve
CK_FORK=no watch "$check_plan"

# A value that nobody has set is reported.
cc -O0 -g -pthread "$source/tests/trust/planted_run.c" -o planted || exit 1
under ./planted unset
[ $? -eq 99 ] && grep -q 'depends on uninitialised value' err.txt && planted=1

{
    printf 'runs without a finding of valgrind\t%d\t%d\n' $clean $runs
    printf 'planted faults that valgrind finds\t%d\t1\n' $planted
} >"$figures"
cat "$figures"
[ $clean -eq $runs ] && [ $planted -eq 1 ]
