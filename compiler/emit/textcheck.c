#include "textcheck.h"

#include "limits.h"

#include <string.h>

enum { NESTING = 32 };

const char textcheck_too_long[] = "more than 2000 statements in one function";
_Static_assert(LIMIT_STATEMENTS == 2000, "the number is in the words");

const char *textcheck(const char *text, size_t length)
{
    int depth = 0;
    unsigned statements = 0;
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        if (c != '\n' && (c < ' ' || c > '~'))
            return "a byte that is not printable ASCII";
        if (c == '"' || c == '\'' || c == '\\' || c == '#')
            return "a quote, a backslash or '#'";
        if (c == 'a' && length - i >= 3 && !memcmp(text + i, "asm", 3))
            return "the word 'asm'";
        depth += (c == '(' || c == '{' || c == '[') - (c == ')' || c == '}' || c == ']');
        if (depth > NESTING)
            return "nesting above 32";
        statements += c == ';';
        if (c == '}' && depth == 0)
            statements = 0;
        if (statements > LIMIT_STATEMENTS)
            return textcheck_too_long;
    }
    return depth == 0 ? NULL : "unbalanced parentheses";
}
