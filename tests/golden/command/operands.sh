# Names that look like options, and words behind "--".
cp "$SAMPLES/gru.cell" ./-x.cell
pararnnc check -- -x.cell
echo "exit $?"
pararnnc check -x.cell 2>&1 | head -1
pararnnc check ./-x.cell "$SAMPLES/lstm.cell"
echo "exit $?"
printf 'cell c { state h; h'"'"' = 1; }' | pararnnc fmt /dev/stdin
echo "exit $?"
