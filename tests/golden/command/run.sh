# The members of the object that 'run' prints, and errors within what the type allows; also for vectors,
# matrices, shared and nograd values, outputs that are expressions, and the interpreter.
cat >mix.cell <<'END'
cell mix {
    const k = 0.5;
    state h[2], m = 1;
    input u[2], dt : shared;
    input w nograd;
    param a[2, 2] init normal(0, 0.3);
    param b : shared in [0, 1];
    g = sigmoid(a @ h + u);
    h' = (1 - g)*h + g*tanh(u*dt + w);
    m' = k*m + b*sum(h');
    output y = m' * g;
    output h';
}
END
errors() { # the members with numbers, and whether errors are within $1
    grep -A1 '"forward": {"relative_error"' out.json | grep -o '"[A-Za-z0-9_:]*": [0-9][0-9.e-]*' | tr -d '":' |
        awk -v most="$1" '$1 ~ /^(tile_chunks|chunk|channels|tolerance|mean_corrections)$/ { next }
             $1 == "max_corrections" { print $1, ($2 <= 4 ? "few" : $2); next }
             { print $1, ($2 <= most ? "fine" : $2) }'
}
for type in f64:1e-13 f32:1e-5; do
    for cell in "$SAMPLES/gru.cell" mix.cell; do
        pararnnc run "$cell" --device cpu --batch 3 --seq-len 257 --channels 33 --seed 1 --json \
            --dtype ${type%:*} >out.json
        echo "exit $?, $(basename "$cell") ${type%:*}"
        errors ${type#*:}
    done
done
# Data moved by one place: the answer to them is further from the results than the answer to the data.
numbers() { # of line $1: how many, and their sum
    grep "$1" out.json | grep -o ': [0-9][0-9.e-]*' | awk '{ sum += $2 } END { print NR, sum }'
}
pararnnc run mix.cell --device cpu --batch 3 --seq-len 257 --channels 33 --seed 1 --json --moved >out.json
echo "exit $?, $(numbers '"backward": {"relative_error"') $(numbers '"moved"')" | awk '
    { print $1, $2, $3, "gradients,", $5, "moved:", ($6 > $4 && $6 < 50 * $4 ? "further" : $6 / $4) }'
PARARNNC_CC=none pararnnc run mix.cell --device cpu --batch 1 --seq-len 9 --channels 3 --json \
    --dtype f64 -D k=0.25 >out.json
echo "exit $?, $(grep -o '"interpreted": [a-z]*' out.json)"
errors 1e-13
for empty in batch seq-len channels; do
    pararnnc run mix.cell --device cpu --$empty 0 --json >out.json
    echo "exit $?, $empty 0"
done
# In words; a state that grows until it is infinite is said.
words() {
    pararnnc run "$@" --device cpu --seed 1 >out.txt
    echo "exit $?"
    sed -E 's/( +)[0-9.e+-]+( ms)?$/\1N\2/; s/corrections at most.*/corrections at most N/; s/^(processor|isa|compiler).*/\1 .../' out.txt
}
words mix.cell --batch 2 --seq-len 65 --channels 3 --moved
printf "cell grow { state h = 1; input u; h' = h*h + 2 + u*u; }\n" >grow.cell
words grow.cell --batch 1 --seq-len 40 --channels 2
words grow.cell --batch 1 --seq-len 40 --channels 2 --dtype bf16 | grep infinite
# Of a large problem the first channels are compared; a sum over all of them is not.
words mix.cell --batch 1 --seq-len 2200000 --channels 2 | grep -E "^exit|compared"
