# Help, man pages and the completion: what users read of the tables of options.
pararnnc --help
pararnnc --version | sed 's/[0-9.]*$/N/'
pararnnc cache --help
pararnnc cache --help-man
commands=$(pararnnc --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')

echo '-- every command'
pararnnc --help-man >pararnnc.1
pararnnc --help-bash >completion
for command in $commands; do
    pararnnc $command --help >help || echo "exit $?"
    pararnnc $command -h | cmp - help
    echo "$(head -n 1 help), at most $(sed '/^Examples:/,$d' help |
        awk 'length > 80 { long++ } END { print long ? long " long lines" : "80 columns" }')"
    pararnnc $command --help-man >man || echo "exit $?"
    for option in $(sed -n '/^Options:/,/^Examples:/s/^ .*  *--\([a-z-]*\).*/\1/p' help); do
        grep -q -- "^\.B .*\\\\-\\\\-$(echo $option | sed 's/-/\\\\-/g')" man || echo "man: no --$option"
        test $option = help-man && continue # not for the command line of every day
        sed -n "/^    $command)/,/;;/p" completion | grep -q -- "--$option" || echo "completion: no --$option"
    done
    grep '^\.SH' man | tr '\n' ' ' | sed 's/\.SH //g; s/ $/\n/'
    grep -q "pararnnc\\\\-$command (1)" pararnnc.1 || echo "pararnnc.1 does not name it"
done

# What bash completes, with the last word under the cursor. It makes a word of '='.
echo '-- completion'
complete() {
    bash -c '. ./completion
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _pararnnc
        echo "${COMP_WORDS[*]}: ${COMPREPLY[*]}"' bash pararnnc "$@"
}
touch one.cell two.cell
complete c
complete --v
complete check --d
complete check --dump-after = ''
complete run --dtype ''
complete run --dtype = b
complete compile --kernel =
complete check t
complete nothing --o
