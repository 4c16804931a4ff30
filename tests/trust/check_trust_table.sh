#!/bin/sh
# What the table of figures takes and refuses.
#
#   sh check_trust_table.sh TABLE FOLDER
set -u
table=$1 folder=$2
faults=0

# expect PROMISE CODE LINE... : the table of these lines ends with CODE
expect() {
    promise=$1 wanted=$2
    shift 2
    rm -rf "$folder"
    mkdir -p "$folder"
    [ $# -eq 0 ] || printf '%b\n' "$@" >"$folder/case.tsv"
    printed=$(sh "$table" "$folder")
    code=$?
    if [ $code -ne "$wanted" ]; then
        echo "$promise: code $code, needed $wanted; printed: $printed"
        faults=$((faults + 1))
    fi
}

expect a_figure_at_its_goal_passes 0 'cells\t600\t600'
expect a_figure_above_its_goal_passes 0 'cells\t1000\t600' 'lines %\t95.2\t95'
expect a_figure_below_its_goal_fails 1 'lines %\t94.9\t95'
expect one_bad_figure_among_good_ones_fails 1 'a\t2\t1' 'b\t0\t1' 'c\t2\t1'
expect numbers_are_not_compared_as_words 0 'cells\t1000\t999'
expect a_line_without_a_goal_fails 1 'cells\t600'
expect a_word_for_a_number_fails 1 'cells\tnan\t1'
expect a_comma_is_no_decimal_point 1 'lines %\t95,2\t95'
expect an_empty_file_fails 1 ''
expect no_figures_is_a_skip 77

exit $((faults > 0))
