/**
 * Text as symbols. 98 of them, the same for every text: printable ASCII, newline, tab, and one for
 * all other bytes. A saved model therefore fits every text.
 */
#ifndef CHARLM_TEXT_H
#define CHARLM_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { TEXT_SYMBOLS = 98 };

struct text {
    unsigned char *symbols;
    size_t length;
};

struct corpus {
    struct text training, validation;
    size_t files;
};

unsigned char text_symbol(char byte);
char text_byte(unsigned char symbol); /* '?' for the symbol of all other bytes */

/** One file; the last twentieth is for validation. False: cannot be read, or shorter than 2000
 * bytes; errno is 0 for the latter. */
bool corpus_read_file(struct corpus *out, const char *path);
/**
 * The headers (*.h) below a folder in the order of their paths, 'share' bytes of each at most,
 * until 'limit' bytes are read; every twentieth file is for validation.
 */
bool corpus_read_headers(struct corpus *out, const char *folder, size_t share, size_t limit);
void corpus_free(struct corpus *corpus);

#endif
