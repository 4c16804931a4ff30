#!/bin/sh
# Print the figures of the trust programme and fail when one is below its goal.
#
#   sh trust_table.sh FOLDER
#
# Reads FOLDER/*.tsv: lines of 'what<TAB>reached<TAB>goal'; both are numbers, reached >= goal is good.
# Exit code 1: a figure is below its goal, or a line is not of this form; 77: there are no figures.
set -u
folder=$1
set -- "$folder"/*.tsv
if [ ! -e "$1" ]; then
    echo "no figures in $folder: the tests of the label 'trust' have not run"
    exit 77
fi
LC_ALL=C awk -F '\t' '
function is_number(text) { return text ~ /^-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?$/ }
/^[[:space:]]*$/ { next }
NF != 3 || $1 == "" || !is_number($2) || !is_number($3) {
    printf "%s:%d: found \"%s\", needed what<TAB>reached<TAB>goal\n", FILENAME, FNR, $0
    faults++
    next
}
{
    if (!rows++)
        printf "%-64s %12s %12s\n", "figure", "reached", "goal"
    missed = $2 + 0 < $3 + 0
    printf "%-64s %12s %12s%s\n", $1, $2, $3, missed ? "  below" : ""
    faults += missed
}
END {
    if (!rows && !faults) {
        print "the files of figures are empty"
        faults = 1
    }
    printf "%d figures, %d below their goal or unreadable\n", rows, faults
    exit faults ? 1 : 0
}' "$@"
