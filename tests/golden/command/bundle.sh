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
# Constants from outside go with it.
printf "cell decay {\n    const k = 0.5, twice = 2*k;\n    state h;\n    input u;\n    h' = k*h + twice*u;\n}\n" >decay.cell
pararnnc compile decay.cell -D k=0.125 -o decay.prnn
pararnnc explain --json decay.prnn >a
pararnnc explain --json -D k=0.125 decay.cell >b
cmp a b && echo same
pararnnc explain --json decay.cell | cmp -s - a || echo 'another without it'
pararnnc check -D k=2 decay.prnn
echo "exit $?"
