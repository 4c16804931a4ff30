# The made-up clock favours 256 threads a block and few thread blocks.
cat >list <<'END'
# in order
W1 S8 L32 V1 R3 C1
W1 S8 L64 V1 R3 C1
forward W8 S16 L32 V1 R2 C1   # 256 threads
backward W8 S8 L32 V1 R2 C1
forward W4 S16 L8 V2 R2 C2
forward W16 S64 L32 V2 R4 C1
END
# What depends on this machine's memory is left out: the floor.
tune() {
    pararnnc tune "$CELLS/indrnn.cell" --candidates list "$@" 2>errors >found
    code=$?
    sed -E 's/[0-9.e+-]+ x floor/- x floor/' errors
    sed -E 's/"floor_ms": [^,]*/"floor_ms": -/' found | sed -E '/^(cell |indrnn)/s/^(.{66}).{9}/\1/'
    echo "exit $code"
}
# Strategies that the model picks change with its constants, and are not for this file.
chosen() {
    pararnnc run "$CELLS/indrnn.cell" --batch 2 --seq-len 300 --channels 64 "$@" --device cuda:0 --json |
        sed 's/\\n/\n/g' | grep -oE '[a-z ]*(strategy|expected): [^\\]*' >lines
    grep expected lines | sed -E 's/[0-9.e-]+ ms, model/- ms, model/'
    grep -q model lines || grep strategy lines
}
tune --shapes '2,300,64;4x64x32' --save tune.csv
cut -d, -f1-14,16-21,24-28 tune.csv
echo
echo '-- taken by plans of this class'
chosen
PARARNNC_TUNED=ignore chosen
chosen --strategy model
chosen --strategy 'W2 S4 L32 V1 R2 C1'
echo
echo '-- wrong ones never win'
FAKE_WRONG_THREADS=256 tune --shapes 2,300,64 --forget --direction forward --json
chosen
echo
echo '-- all wrong: nothing is stored'
echo 'W8 S16 L32 V1 R2 C1' >list
FAKE_WRONG_THREADS=256 tune --shapes 2,300,64 --forget --direction forward
chosen
echo
echo '-- time is up'
echo 'W1 S8 L32 V1 R3 C1' >>list
tune --shapes 2,300,64 --direction forward --time-limit 0 --dry-run
echo
echo '-- the device fails'
FAKE_FAIL=cuEventRecord tune --shapes 2,300,64 --save tune.csv
wc -l <tune.csv
echo
echo '-- without a list, what the model picks: so many, some of them in order'
pararnnc tune "$CELLS/indrnn.cell" --shapes 2,300,64 --direction forward --most 3 --dry-run --save tune.csv >found 2>&1
echo "exit $?, $(cut -d, -f9 tune.csv | tail -n +2 | sort -u | awk '{ n[$1 == "W1"]++ } END { print n[1] + 0, "in order", n[0] + 0, "not" }')"
echo
echo '-- nowhere to store it'
echo 'W8 S16 L32 V1 R2 C1' >list
PARARNNC_CACHE_DIR=none tune --shapes 2,300,64 --direction forward
for list in no-such-list /; do
    pararnnc tune "$CELLS/indrnn.cell" --candidates $list 2>&1
    echo "exit $?"
done
echo
echo '-- wrong command lines'
for options in '--shapes 1,2' '--dtype f32,f32' '--dtype f8' '--device cpu' '--save /no/such/place'; do
    pararnnc tune "$CELLS/indrnn.cell" --candidates list $options 2>&1 >out | head -n 1
done
echo 'W8 S16 L32 Q1' >list
tune
