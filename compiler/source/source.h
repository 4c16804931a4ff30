/* The text of one .cell file and its lines. */
#ifndef PRNN_SOURCE_H
#define PRNN_SOURCE_H

#include "arena.h"
#include "span.h"

#include <stddef.h>
#include <stdint.h>

struct diag;

struct source {
    const char *name; /* as the user wrote it: for messages */
    const char *text; /* ends with two NULs that 'length' does not count */
    uint32_t length;
    uint32_t start;        /* 3 behind a byte order mark, else 0 */
    const uint32_t *lines; /* first byte of each line */
    uint32_t line_count;
    const uint32_t *marks; /* characters before every SOURCE_MARK-th byte: columns of long lines */
};

enum { SOURCE_MARK = 256 };

/* Both counted from 1; columns count characters, not bytes. */
struct source_place {
    uint32_t line, column;
};

/* Read a file, a FIFO or a device, up to LIMIT_SOURCE_BYTES. NULL when there is no usable text: the
 * message in 'diag' is of class DIAG_IO (not readable), DIAG_LIMIT (too large) or DIAG_CELL (a NUL
 * byte, not UTF-8). The result becomes the source of 'diag'. */
struct source *source_load(struct arena *arena, struct diag *diag, const char *path);
/* The same from memory; the text is copied. */
struct source *source_from_memory(struct arena *arena, struct diag *diag, const char *name,
                                  const char *text, size_t length);
struct source_place source_place(const struct source *source, uint32_t offset);
/* The bytes of a line (counted from 1) without its end of line. */
struct span source_line(const struct source *source, uint32_t line);
/* The bytes of a well-formed UTF-8 sequence at 'text'; 0 if it is not one. */
unsigned source_utf8_length(const char *text, size_t length, uint32_t *code);

#endif
