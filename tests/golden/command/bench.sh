# Measurements on the CPU: their rows and columns, and what is true of any numbers in them.
bench() {
    pararnnc bench "$@" --device cpu --threads 2 --seconds 0 2>&1
}
echo '-- table'
bench "$SAMPLES/gru.cell" --shape 2x33x5 --shape 1x9x3 >found
echo "exit $?"
sed -E '/^paragru/s/^(.{56}).*/\1/; s/[0-9.e+]+ GB/N GB/' found
echo '-- csv'
bench "$SAMPLES/gru.cell" --shape 2x33x5 --csv --save saved.csv --svg bars.svg >found
echo "exit $?, $(cmp found saved.csv && echo 'saved as printed')"
cut -d, -f1-8 found
echo "$(grep -c '<rect' bars.svg) rectangles, $(grep -c 'paragru f32' bars.svg) labels"
echo '-- json'
bench "$SAMPLES/gru.cell" --shape 2x33x5 --direction backward --json >found
echo "exit $?"
sed -E 's/: [0-9][0-9.e+-]*/: N/g' found
# Each number against the others; 330 elements.
sed 's/[{},]/\n/g; s/"//g' found | awk -F ': ' '
    { value[substr($1, 2)] = value[$1] = $2 }
    function near(a, b) { return a / b < 1.0001 && b / a < 1.0001 }
    END {
        print "ns_per_element", near(value["ns_per_element"] * 330, value["ms"] * 1e6)
        print "ratio_copy", near(value["ratio_copy"] * value["memory_floor_ms"], value["ms"])
        print "gb_per_s", value["gb_per_s"] * value["ms"] * 1e6 / 330, "bytes an element"
    }'
echo '-- wrong command lines and environments'
{
    bench "$SAMPLES/bad.cell" | head -n 1
    bench "$SAMPLES/gru.cell" --shape 1x2x3 --save none/x.csv
    echo "exit $?"
    bench "$SAMPLES/gru.cell" --shape 99999999x99999999x3
    echo "exit $?"
} | sed "s,$SAMPLES/,,"
PARARNNC_CC=none bench "$SAMPLES/gru.cell" --shape 1x2x3 --csv | cut -d, -f1-8
