#!/usr/bin/env bash
# Measure strategies of some cells on a device, some minutes: bench/tune-device.sh PROGRAM OUT-FOLDER [DEVICE]
# What was measured is in OUT-FOLDER also when the run is cut short: lines are written as they are made.
set -u
program=$1 out=$2 device=${3:-cuda:0}
cells=$(cd "$(dirname "${BASH_SOURCE[0]}")/../cells" && pwd)
shapes='8,4096,4096;8,2048,1024;1,16384,1024;1,65536,256'
mkdir -p "$out"
"$program" doctor >"$out/doctor.txt" 2>&1
tune() {
    name=$1
    shift
    "$program" tune --device "$device" --save "$out/$name.csv" --json "$@" >"$out/$name.json" 2>>"$out/log.txt"
    echo "$name: exit $?" | tee -a "$out/log.txt"
}
tune f32 "$cells/paragru.cell" "$cells/paralstm.cell" --shapes "$shapes" --time-limit 10
tune bf16 "$cells/paragru.cell" --shapes "$shapes" --dtype bf16 --math fast --time-limit 10
# Cells that contract less, or not at all, and a block of four states.
tune others "$cells/unicornn.cell" "$cells/mingru.cell" "$cells/slstm.cell" "$cells/elman_heads.cell" \
    --shapes '8,2048,1024;1,65536,256' --direction forward --most 48 --time-limit 10
