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
# A FIFO and a device take the bytes and stay what they are.
mkfifo pipe
cat pipe >through &
pararnnc compile gru.cell -o pipe --emit=ir
echo "FIFO: exit $?"
wait
cmp x.ir through && test -p pipe && echo 'the same bytes'
pararnnc compile gru.cell -o /dev/full --emit=ir 2>&1
echo "full device: exit $?"
pararnnc compile gru.cell -o - --emit=ir | cmp - x.ir && echo 'standard output: the same bytes'
pararnnc compile gru.cell -o "$(printf '%0250d' 0).ir" 2>&1 | sed 's/0\{200,\}/0.../'
pararnnc compile gru.cell -o "$(printf '%05000d' 0).ir" 2>&1 | sed 's/0\{200,\}/0.../'
for list in '' ',' 'ir,' 'ir,no' 'ir,ir'; do
    pararnnc compile gru.cell -o - --emit=$list 2>&1 | head -n 1
done
pararnnc compile gru.cell -o nothing 2>&1 | head -n 1
ls | grep -v '^all'
