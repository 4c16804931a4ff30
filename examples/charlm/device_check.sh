#!/usr/bin/env bash
# charlm on a GPU against charlm on the CPU, from the root of the repository, with the program built:
#
#   examples/charlm/device_check.sh [PROGRAM [DEVICE [STEPS]]]
#
# Learns the sources of this repository on the device and on the CPU, from the same parameters. The
# program itself compares all gradients of a small model with central differences, on the device too.
# What is asked here: parameters trained on either have the same loss on both. The loss is a mean over
# more than 10000 characters, so that rounding moves its third decimal by one at most.
set -euo pipefail
program=${1:-build/examples/charlm/charlm}
device=${2:-cuda:0}
steps=${3:-400}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat compiler/*/*.[chyl] runtime/*/*.[ch] kernels-gen/*.h tests/unit/*.[ch] >"$folder/text.c"

charlm() { # NAME DEVICE OPTION...
    local name=$1 where=$2
    shift 2
    if ! "$program" --device "$where" --text "$folder/text.c" --sample 0 \
        --plot "$folder/$name.svg" "$@" >"$folder/$name.txt" 2>&1; then
        cat "$folder/$name.txt"
        exit 1
    fi
    if grep 'cannot be used' "$folder/$name.txt"; then
        exit 5
    fi
}
bits() { sed -n 's/^validation \([0-9.]*\) bits.*/\1/p' "$folder/$1.txt"; }

charlm device "$device" --steps "$steps" --seconds 600 --save "$folder/device.safetensors"
grep -v 'loss curve' "$folder/device.txt"
charlm cpu cpu --steps "$steps" --seconds 600 --save "$folder/cpu.safetensors"
grep -E '^(gradients|trained|validation)|100%' "$folder/cpu.txt" | sed 's/^/cpu: /'
failed=0
for made in device cpu; do
    charlm "$made-on-device" "$device" --steps 0 --load "$folder/$made.safetensors"
    charlm "$made-on-cpu" cpu --steps 0 --load "$folder/$made.safetensors"
    here=$(bits "$made-on-device")
    there=$(bits "$made-on-cpu")
    echo "parameters of the $made: $here bits on $device, $there on the CPU"
    awk -v a="$here" -v b="$there" 'BEGIN { exit !(a != "" && b != "" && (a - b)^2 <= 0.0011^2) }' ||
        failed=1
done
if [ "$failed" -ne 0 ]; then
    echo "DIFFERENT"
    exit 1
fi
echo "the same on both"
