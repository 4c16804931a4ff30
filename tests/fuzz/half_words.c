#include "half_words.h"

#include <ctype.h>
#include <string.h>

static const char *const words[] = {
    "const",
    "int",
    "return",
    "void",
    "e",
    "h",
    "i",
    "j",
    "jac",
    "k",
    "next",
    "p",
    "row",
    "src",
    "sum",
    "v",
    "x",
    "y",
    "cot",
    "gy",
    "adj_h",
    "adj_x",
    "adj_p",
    "adjac",
    "saved",
    "cell_initial",
    "cell_jac_nonzero",
    "cell_closed",
    "cell_input_is_shared",
    "cell_param_is_shared",
    "cell_input_has_gradient",
    "cell_param_has_gradient",
    "cell_step",
    "cell_step_fast",
    "cell_step_outputs",
    "cell_jacobian",
    "cell_jacobian_fast",
    "cell_guess",
    "cell_functions",
    "cell_backmap",
    "cell_adjoint_saved",
    "cell_adjoint",
    "cell_input_row",
    "ring_arg",
    "ring_common_arg",
    "ring_shift",
    "ring_gradient_row",
};

/* prnn_ and PRNN_ are the compiler's own; a cell may use them too, which renaming finds. */
static bool is_own(const char *word, size_t length)
{
    if (length > 5 && (!strncmp(word, "prnn_", 5) || !strncmp(word, "PRNN_", 5)))
        return true;
    if (word[0] == 'v' && length > 1) {
        size_t digits = 1;
        while (digits < length && isdigit((unsigned char)word[digits]))
            digits++;
        /* v12; v12b and v12c, operands of a choice */
        const bool is_operand =
            digits + 1 == length && (word[digits] == 'b' || word[digits] == 'c');
        if (digits == length || (is_operand && digits > 1))
            return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == length && !strncmp(words[i], word, length))
            return true;
    return false;
}

const char *half_find(const char *text, size_t *length)
{
    static const char mark[] = "// Start of the cell\n";
    const char *half = strstr(text, mark);
    if (!half)
        return NULL;
    half += strlen(mark);
    const char *end = strstr(half, "\n// Start of ");
    *length = end ? (size_t)(end - half) + 1 : strlen(half);
    return half;
}

const char *half_foreign(const char *half, size_t length, size_t *word_length)
{
    *word_length = 1;
    for (size_t i = 0; i < length;) {
        const unsigned char c = (unsigned char)half[i];
        size_t end = i + 1;
        if (isalpha(c) || c == '_') {
            while (end < length && (isalnum((unsigned char)half[end]) || half[end] == '_'))
                end++;
            if (!is_own(half + i, end - i)) {
                *word_length = end - i;
                return half + i;
            }
        } else if (isdigit(c)) {
            /* 12, 0x3f800000u, 0x0ull */
            while (end < length && isxdigit((unsigned char)half[end]))
                end++;
            if (end < length && half[end] == 'x')
                end++;
            while (end < length && isxdigit((unsigned char)half[end]))
                end++;
            while (end < length && (half[end] == 'u' || half[end] == 'l'))
                end++;
        } else if (c == '/' && i + 1 < length && half[i + 1] == '*') {
            /* A comment holds a number, no more. */
            end = i + 2;
            while (end < length && half[end] && strchr(" +-.0123456789einfa", half[end]))
                end++;
            if (end + 1 >= length || half[end] != '*' || half[end + 1] != '/')
                return half + (end < length ? end : i);
            end += 2;
        } else if (c == '/' || !strchr(" \n()[]{},;=+-*<>?:!&|", c)) {
            return half + i;
        }
        i = end;
    }
    return NULL;
}
