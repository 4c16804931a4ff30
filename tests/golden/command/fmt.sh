printf "cell c{state h;# kept\nh'=tanh( h ) ;}" >a.cell
cp a.cell b.cell
pararnnc fmt --check a.cell
echo "exit $?"
pararnnc fmt a.cell
pararnnc fmt -i a.cell
pararnnc fmt --check a.cell
echo "exit $?"
pararnnc fmt b.cell | cmp - a.cell && echo same
printf "cell c { state h\n" >wrong.cell
pararnnc fmt -i wrong.cell 2>/dev/null
echo "exit $?: $(cat wrong.cell)"
pararnnc fmt --check --write a.cell 2>&1 | head -n 1
