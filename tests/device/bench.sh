# What depends on this machine's memory (bandwidth of a copy) or on the model's constants is left out.
strategy='W8 S16 L32 V1 R2 C1'
bench() {
    pararnnc bench "$CELLS/indrnn.cell" --device cuda:0 "$@"
}
echo '-- data'
bench --shape 2x300x64 --strategy "$strategy" --csv --save saved.csv --svg bars.svg >found
cut -d, -f1-9,19-29 found
cmp found saved.csv && echo 'saved as printed'
echo "$(grep -c '<rect' bars.svg) rectangles, $(grep -c 'indrnn f32' bars.svg) labels"
echo
echo '-- table'
bench --shape 2x300x64 --strategy "$strategy" --direction forward | sed -E '2s/^(.{66}).{30}/\1/; 1s/^(.{66}).{30}/\1/; s/copy: .* GB/copy: - GB/'
echo
echo '-- the plan of the library is expected to take some time'
bench --shape 2x300x64 --direction forward --json | grep -oE '"expected_ms": [0-9]' | sed 's/[0-9]$/N/'
echo
echo '-- crossover'
bench --crossover --elements 20000 --strategy "$strategy" --svg map.svg
cat map.svg
echo
echo '-- a wrong kernel is not timed'
FAKE_WRONG_THREADS=256 bench --shape 2x300x64 --strategy "$strategy" --direction forward --csv 2>&1 | cut -d, -f1-9,25-29
echo
echo '-- compile times'
bench --compile-times | sed -E '2s/[0-9.]+ ms/N ms/g; 2s/  +[0-9.]+  +[0-9.]+/  N  N/'
echo
echo '-- wrong command lines'
for options in '--crossover --dtype f32 --dtype bf16' '--crossover --compile-times' '--csv --json' '--save /no/such/place'; do
    pararnnc bench "$CELLS/indrnn.cell" --device cuda:0 $options 2>&1 >out | head -n 1
done
pararnnc bench "$CELLS/indrnn.cell" --crossover --device cpu 2>&1 | head -n 1
