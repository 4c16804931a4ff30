# What --dump-after prints of every stage of a cell that has something for each of them.
cat >mix.cell <<'END_OF_CELL'
fn squash(x, y) = tanh(x) * y;
## A cell of everything.
cell mix {
    const k = 0.5;
    ## Two of them.
    state h[2];
    state m = 1;
    input u[2], dt : shared in [0, 1];
    input w nograd;
    param a[2, 2] init normal(0, 0.3);
    far = not (w <= 1);
    g = where(far and u > 0, squash(a @ h, 1), u);
    h' = (1 - g)*h + k*g;
    m' = k*m + dt*sum(h') + u[1];
    output y = m' * g;
}
END_OF_CELL
for stage in source tokens parse resolve typecheck lower structure jacobian adjoint range schedule; do
    echo "-- $stage"
    pararnnc check mix.cell --dump-after=$stage >dump
    echo "exit $?"
    case $stage in
    source) cmp dump mix.cell ;;
    tokens) sed -n '1,12p' dump ;;
    parse) sed 's/  ; .*//' dump >tree ;;
    resolve) sed 's/  ; .*//' dump | cmp - tree ;;
    lower | jacobian | adjoint | schedule) # IR: what it says of itself, and how many results of each kind
        head -n 1 dump
        sed -n 's/^out \([a-z_]*\).*/\1/p' dump | sort | uniq -c | awk '{ print $2, $1 }' ;;
    range) sed -n '1,3p;/jacobian/p' dump ;;
    *) cat dump ;;
    esac
done
pararnnc check "$SAMPLES/gru.cell" --dump-after=range | sed -n '1p;s#^\(jacobian [0-9.]\{4\}\).*#\1#p'
echo '-- two at once, of a cell whose faults end it'
pararnnc check "$SAMPLES/bad.cell" --dump-after=parse --dump-after=schedule 2>errors
echo "exit $?"
pararnnc check mix.cell --dump-after=parse --json 2>&1 | head -n 1
