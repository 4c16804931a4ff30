pararnnc check --json "$SAMPLES/gru.cell"
echo "exit $?"
cd "$SAMPLES" && pararnnc check --json bad.cell
echo "exit $?"
