#!/bin/sh
# The tests in which several threads use contexts, cells, plans, the pool and the cache, with the whole
# library, and the kernels that plans compile, built with the thread sanitiser: no report of a race.
#
#   sh races.sh SOURCE BUILD FIGURES
set -u
source=$1 build=$2 figures=$3
rm -f "$figures"

programs='check_plan_threads check_plan check_cache check_hostcc check_status'
# shellcheck disable=SC2086
cmake -G Ninja -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=None -DPRNN_TRUST=OFF -DPRNN_WERROR=ON \
    -DCMAKE_C_FLAGS='-O1 -g1 -fsanitize=thread' >"$build.log" 2>&1 &&
    ninja -C "$build" -j2 --quiet $programs >>"$build.log" 2>&1 || {
    cat "$build.log"
    exit 1
}
printf '#!/bin/sh\nexec cc "$@" -fsanitize=thread\n' >"$build/cc-thread"
chmod +x "$build/cc-thread"
export PARARNNC_CC="$build/cc-thread" CK_VERBOSITY=normal
export TSAN_OPTIONS="exitcode=66 halt_on_error=0"
ran=0 clean=0 planted=0
for program in $programs; do
    ran=$((ran + 1))
    place=$(find "$build/tests" -name "$program" -type f)
    if (cd "$source" && "$place" "$build/figures.tsv") >"$build.log" 2>&1 &&
        ! grep -q 'WARNING: ThreadSanitizer' "$build.log"; then
        clean=$((clean + 1))
    else
        echo "$program:"
        cat "$build.log"
    fi
done

# A race on purpose is reported.
cc -O1 -g -fsanitize=thread -pthread "$source/tests/trust/planted_run.c" -o "$build/planted" || exit 1
"$build/planted" race >"$build.log" 2>&1
[ $? -eq 66 ] && grep -q 'ThreadSanitizer: data race' "$build.log" && planted=1

{
    printf 'programs of several threads without a report of a race\t%d\t%d\n' $clean $ran
    printf 'planted races that the thread sanitiser finds\t%d\t1\n' $planted
} >"$figures"
cat "$figures"
[ $clean -eq $ran ] && [ $planted -eq 1 ]
