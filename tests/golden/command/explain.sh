pararnnc explain "$SAMPLES/lstm.cell"
pararnnc explain --json "$SAMPLES/lstm.cell"
pararnnc explain --latex "$SAMPLES/lstm.cell"
# Times and strategies change with the constants of the model.
pararnnc explain "$SAMPLES/gru.cell" --shapes '8,2048,1024;1x65536x256' | sed -n '/^strategies/,$p' | cut -c1-34
pararnnc explain "$SAMPLES/gru.cell" --shapes '8,2048' 2>&1 | head -n 1
pararnnc explain "$SAMPLES/gru.cell" --shapes '8,20,48' --json 2>&1 | head -n 1
pararnnc explain --dot "$SAMPLES/gru.cell"
pararnnc explain "$SAMPLES/gru.cell" --shapes 8x2048x64 --device cpu 2>&1 | head -n 1
pararnnc explain "$SAMPLES/bad.cell" --latex 2>&1 | head -n 1 | sed "s,.*/bad,bad,"
