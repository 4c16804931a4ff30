# What this machine has is left out: its processor, its compiler, the version of NVRTC.
doctor() {
    echo "-- $*"
    env "$@" pararnnc doctor >found 2>&1
    echo "exit $?"
    sed -n '/^driver/,$p' found | sed -E 's#[^ ]*/(libcuda|libnvrtc)[^ ,]*#PATH#; s/(PATH, version) .*/\1 N/'
    env "$@" pararnnc doctor --json >found.json
    echo "exit $?, $(sed -n '$!N; s/^ *"fault": \([^ ]*\)\n}$/fault \1/p; D' found.json)"
}
doctor CUDA_VISIBLE_DEVICES=0
doctor PARARNNC_NVRTC=none
doctor FAKE_FAIL=cuInit
doctor FAKE_FAIL=cuDeviceGetCount
doctor FAKE_FAIL=cuDeviceGet
