# A bundle is loaded like the cell it was made from.
pararnnc compile "$SAMPLES/lstm.cell" -o lstm.prnn
pararnnc explain --json lstm.prnn >a
pararnnc explain --json "$SAMPLES/lstm.cell" >b
cmp a b && echo same
head -c 200 lstm.prnn >short.prnn
pararnnc check short.prnn
echo "exit $?"
pararnnc check missing.prnn
echo "exit $?"
