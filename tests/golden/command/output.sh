# What goes wrong with output: exit code 3, the old file whole, nothing left behind.
cp "$SAMPLES/gru.cell" .
pararnnc compile gru.cell -o . --emit=ir 2>&1
echo "directory: exit $?"
pararnnc compile gru.cell -o none/x.ir 2>&1
echo "no folder: exit $?"
pararnnc explain gru.cell >&-
echo "closed stdout: exit $?"
pararnnc explain gru.cell >/dev/full
echo "full device: exit $?"
echo old >x.ir
pararnnc compile "$SAMPLES/bad.cell" -o x.ir 2>/dev/null
echo "wrong cell: exit $?, x.ir is $(cat x.ir)"
pararnnc compile gru.cell -o x.ir
echo "right cell: exit $?, x.ir begins $(head -1 x.ir)"
pararnnc compile gru.cell -o all --emit=ast,ir,c,header,latex,dot,bundle,cuda
echo "all kinds: exit $?"
ls
