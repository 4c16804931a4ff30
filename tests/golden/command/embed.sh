# The C file compiles as C99 without a warning, alone, and computes what the cell says.
pararnnc compile "$SAMPLES/gru.cell" -o gru --emit=c,header --dtype f64
${CC:-cc} -std=c99 -Wall -Wextra -Werror -O2 -ffp-contract=off -c gru.c && echo compiled
${CC:-cc} -std=c99 -Wall -Wextra -O1 -I. "$SAMPLES/embed_main.c" gru.o -o test -lm && ./test
for type in f32 bf16 f16; do
    pararnnc compile "$SAMPLES/lstm.cell" -o lstm.c --dtype $type
    ${CC:-cc} -std=c99 -Wall -Wextra -Werror -O2 -c lstm.c && echo "$type compiled"
done
grep '#include' gru.c lstm.c || echo 'nothing is included'
