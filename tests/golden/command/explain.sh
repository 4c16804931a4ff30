pararnnc explain "$SAMPLES/lstm.cell"
pararnnc explain --json "$SAMPLES/lstm.cell"
pararnnc explain --latex "$SAMPLES/lstm.cell"
