# What doctor finds wrong, named first and told by the exit code. What this machine has is left out.
doctor() {
    echo "-- $*" | sed "s#$PWD#HERE#g"
    env "$@" pararnnc doctor >found 2>&1
    echo "exit $?, $(sed -n "s#$PWD#HERE#g; /^wrong/p" found)"
    env "$@" pararnnc doctor --json >found.json
    echo "exit $?"
    grep -E '"(compiler|cache)"' found.json |
        sed -E "s#$PWD#HERE#g; s/(\"compiler\", \"fault\": false, \"text\": ).*/\1.../"
}
doctor PARARNNC_CC=none PARARNNC_CACHE_DIR=$PWD/cache
doctor PARARNNC_CC=/no/such/cc PARARNNC_CACHE_DIR=$PWD/cache
doctor PARARNNC_CACHE_DIR=none
doctor PARARNNC_CC=none PARARNNC_CACHE_DIR=none
