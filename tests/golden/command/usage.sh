# Wrong command lines: exit code 2, usage on stderr, nothing on stdout.
try() {
    pararnnc "$@" 2>&1 >out
    echo "exit $?, $(wc -c <out) bytes on stdout"
    echo
}
try
try --no-such
try chekc
try check
try check --no-such x.cell
try check --dump-after x.cell
try check --dump-after=nowhere x.cell
try explain a.cell b.cell
try explain --json --html x.html a.cell
try run --batch 1 --batch 2 a.cell
try run --batch -1 a.cell
try run --dtype f8 a.cell
try check -Wno-such a.cell
try check -D k a.cell
try check -D k=1 -D k=2 a.cell
try compile a.cell
try compile a.cell -o a.xyz
try compile a.cell -o - --emit=c,ir
try cache empty
try bench --shape 1x2 "$SAMPLES/gru.cell"
try --help extra
