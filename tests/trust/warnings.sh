#!/bin/sh
# Where warnings are errors, every source is compiled so, and a warning does end the compiler.
#
#   sh warnings.sh SOURCE WORK FIGURES BUILD WERROR
#
# WERROR is the setting PRNN_WERROR of BUILD; without it there is nothing to see: 77.
set -u
figures=$3 build=$4 werror=$5
rm -f "$figures"
[ "$werror" = ON ] || {
    echo "warnings are no errors in this build"
    exit 77
}
commands=$(grep -c '"command":' "$build/compile_commands.json")
strict=$(grep '"command":' "$build/compile_commands.json" | grep -c ' -Werror ')
grep '"command":' "$build/compile_commands.json" | grep -v ' -Werror ' | sed 's/.* -c //'

# The warnings of one of them, on a value that is not used, lost or hidden.
flags=$(grep '"command":' "$build/compile_commands.json" | grep -m1 '/status.c' | grep -o -e ' -W[a-z=-]*' | tr -d '\n')
planted=0 expected=0
for compiler in gcc clang; do
    for text in 'int f(void); int f(void) { int a; return 0; }' \
        'int f(double a); int f(double a) { return a; }' \
        'int f(int a); int f(int a) { { int a = 1; return a; } }' 'int f(int a) { return a; }'; do
        expected=$((expected + 1))
        # shellcheck disable=SC2086
        if echo "$text" | $compiler $flags -x c -fsyntax-only - 2>/dev/null; then
            echo "$compiler $flags takes: $text"
        else
            planted=$((planted + 1))
        fi
        echo "$text" | $compiler -x c -fsyntax-only - || echo "$compiler alone refuses: $text"
    done
done
{
    printf 'sources compiled with warnings as errors\t%d\t%d\n' "$strict" "$commands"
    printf 'planted warnings that gcc and clang refuse\t%d\t%d\n' $planted $expected
} >"$figures"
cat "$figures"
[ "$strict" -eq "$commands" ] && [ $planted -eq $expected ]
