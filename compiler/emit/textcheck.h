/* The last look at an emitted half before a compiler sees it: a user's bytes must never be in it.
 */
#ifndef PRNN_TEXTCHECK_H
#define PRNN_TEXTCHECK_H

#include <stddef.h>

/* The fault of a text that is only too large: the user's cell, not the compiler, is to change. */
extern const char textcheck_too_long[];

/* NULL, or what is wrong: a byte that is neither newline nor printable ASCII, a quote, backslash or
 * '#', the word asm, nesting of parentheses above 32, or a function of too many
 * statements (textcheck_too_long itself). */
const char *textcheck(const char *text, size_t length);

#endif
