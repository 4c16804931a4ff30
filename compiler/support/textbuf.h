/* The only writer of text: a growing string in an arena. Numbers are written without the locale. */
#ifndef PRNN_TEXTBUF_H
#define PRNN_TEXTBUF_H

#include "arena.h"

#include <stddef.h>

struct textbuf {
    struct arena *arena;
    char *text; /* always ends with a NUL, which 'length' does not count */
    size_t length, room;
};

void textbuf_init(struct textbuf *buf, struct arena *arena);
void textbuf_add(struct textbuf *buf, const char *text);
void textbuf_add_n(struct textbuf *buf, const char *text, size_t length);
/* printf, for integers, strings and characters: never for floating-point numbers, whose decimal
 * point follows the locale (textbuf_add_number() is for those). */
void textbuf_printf(struct textbuf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Shortest decimal that reads back as the same double: "0.5", "1e-05", "nan", "-inf". */
void textbuf_add_number(struct textbuf *buf, double number);
/* At most 'digits' significant digits, for people. */
void textbuf_add_short(struct textbuf *buf, double number, int digits);
/* A JSON string with quotes and escapes. */
void textbuf_add_json_string(struct textbuf *buf, const char *text);
/* A JSON number; null where JSON has none (NaN, infinities). */
void textbuf_add_json_number(struct textbuf *buf, double number);

#endif
