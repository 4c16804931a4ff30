# What a terminal gets that a file does not: colours, and the work of the moment until the next one;
# 'script' is the terminal.
terminal() {
    script -qec "$*" /dev/null </dev/null | sed -E 's/\x1b/ESC/g; s/\r/CR/g; s#[^ ]*/(bad.cell)#\1#'
}
cp "$SAMPLES/bad.cell" .
unset NO_COLOR
TERM=xterm terminal pararnnc check bad.cell
echo '-- NO_COLOR'
TERM=xterm NO_COLOR=1 terminal pararnnc check bad.cell
echo '-- dumb'
TERM=dumb terminal pararnnc check bad.cell
echo '-- a file'
pararnnc check bad.cell 2>&1
echo '-- progress'
TERM=xterm terminal "pararnnc bench $SAMPLES/gru.cell --device cpu --shape 1x2x3 --seconds 0 --csv | cut -d, -f1-7"
