/* The words of an emitted half. Everything in it is made by the compiler: a word that is not one of
 * its own came from a user. */
#ifndef PRNN_HALF_WORDS_H
#define PRNN_HALF_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* The emitted half within a whole text: from its mark to the next. NULL: there is none. */
const char *half_find(const char *text, size_t *length);

/* NULL, or the first byte or word that the compiler would not write, with its length. */
const char *half_foreign(const char *half, size_t length, size_t *word_length);

#endif
