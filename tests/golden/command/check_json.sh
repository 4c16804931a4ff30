pararnnc check --json "$SAMPLES/gru.cell"
echo "exit $?"
cd "$SAMPLES" && pararnnc check --json bad.cell
echo "exit $?"
# What the reader of a message can do, and the place it speaks of beside its own.
cd - >/dev/null
cat >twice.cell <<'END_OF_CELL'
cell twice {
    state h;
    input rate;
    z = rat*2;
    z = rate;
    h' = z*h;
}
END_OF_CELL
pararnnc check --json twice.cell no-such.cell 2>&1
echo "exit $?"
pararnnc check --json -Wno-unused "$SAMPLES/lstm.cell"
