#!/bin/sh
# The tests again under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer, built by clang
# with warnings as errors; the same run counts which lines and branches were reached. What is generated
# (scanner, parser, embedded texts) and the tests themselves are not counted.
#
#   sh sanitize.sh SOURCE BUILD FIGURES REPORT
#
# BUILD is configured from the preset 'sanitize'; FIGURES is a .tsv of the table of figures; REPORT is
# a folder for the lists of what was not reached.
set -u
source=$1 build=$2 figures=$3 report=$4
here=$source/tests/trust
llvm=$(dirname "$(readlink -f "$(command -v clang)")")
rm -f "$figures"

cmake --preset sanitize -G Ninja -S "$source" -B "$build" >"$build.log" 2>&1 &&
    ninja -C "$build" -j2 --quiet all >>"$build.log" 2>&1 || {
    cat "$build.log"
    exit 1
}

rm -rf "$build/profile"
export LLVM_PROFILE_FILE="$build/profile/%4m.profraw"
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS="suppressions=$here/leaks.supp:print_suppressions=0"

# Programs of Check run in one process, so that leaks are looked for once at their end and not after
# each test. Some need processes of their own, because they crash, change the environment for good or
# hold a library open; there LeakSanitizer would stop every one, and is off.
apart='^check_(cpu_parallel|hostcc|nvrtc|cuda_backend|shim|texts)$'
# These judge what is built for users or have no part of the library in them.
without='^(install|golden_abi|header_)'
# Of the trust programme, what takes no time; the other tests of faults start thousands of processes.
quick='^check_misuse$'
status=0
# Whether LeakSanitizer itself crashed in each test that failed, before it had judged: a race of its
# tracer with a thread that ends (google/sanitizers issue 1353). Then these tests run once more, and
# have to pass.
tracer_crashed() {
    awk '/^ *[0-9]+\/[0-9]+ Test +#/ { lacking += is_failed && !has_crashed; is_failed = has_crashed = 0 }
         /\*\*\*/ && !/Skipped/ { is_failed = 1; failed++ }
         /Tracer caught signal/ { has_crashed = 1 }
         /tests passed,/ { lacking += is_failed && !has_crashed; is_failed = 0 }
         END { exit !(failed && !lacking) }' "$1"
}
run() {
    ctest --test-dir "$build" -j2 --output-on-failure "$@" >"$build.log" 2>&1 || {
        grep -v -e ' Start ' -e ' Passed ' "$build.log"
        tracer_crashed "$build.log" &&
            ctest --test-dir "$build" --rerun-failed --output-on-failure >>"$build.log" 2>&1 || {
            tail -n 20 "$build.log"
            status=1
        }
    }
    grep '% tests passed' "$build.log"
    ran=$((ran + $(grep -c ' Passed ' "$build.log")))
    if grep -q ' device_.*Skipped' "$build.log"; then
        has_nvrtc=no
    fi
}
ran=0 has_nvrtc=yes
CK_FORK=no run -LE trust -E "$apart|$without"
CK_FORK=no run -R "$quick"
ASAN_OPTIONS=detect_leaks=0 run -LE trust -R "$apart"

"$llvm/llvm-profdata" merge -sparse -o "$build/all.profdata" "$build"/profile/*.profraw || exit 1
mkdir -p "$report"
cover() {
    "$llvm/llvm-cov" "$@" -instr-profile "$build/all.profdata" "$build/libpararnnc.so" \
        -object "$build/compiler/command/pararnnc" -ignore-filename-regex='/(build|kernels-gen|tests)/'
}
cover report -show-branch-summary >"$report/files.txt"
# Lines that were not reached, with their numbers.
cover show -show-branches=count |
    awk '/^\/.*:$/ { file = $0 } /^ *[0-9]+\| *0\|/ { if (file != "") print "\n" file; file = ""; print }' \
        >"$report/unreached-lines.txt"
# The columns of the last line: regions, functions, lines, branches; each count, missed, per cent.
# Without NVRTC what works on a device is skipped, and what was reached says nothing.
awk -v ran=$ran -v has_nvrtc=$has_nvrtc '
    $1 == "TOTAL" {
        sub("%", "", $10); sub("%", "", $13)
        printf "tests under ASan, UBSan and LeakSanitizer\t%d\t120\n", ran
        if (has_nvrtc == "yes") {
            printf "lines that they reach, %%\t%s\t95\n", $10
            printf "branches that they reach, %%\t%s\t85\n", $13
        } else
            printf "not judged without NVRTC: %s %% of lines, %s %% of branches\n", $10, $13 >"/dev/stderr"
        found = 1
    }
    END { exit !found }' "$report/files.txt" >"$figures" || {
    echo "no total in $report/files.txt"
    exit 1
}
cat "$figures"
exit $status
