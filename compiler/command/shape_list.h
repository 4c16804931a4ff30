/* Shapes and element types as words of a command line. */
#ifndef PRNN_SHAPE_LIST_H
#define PRNN_SHAPE_LIST_H

#include "arena.h"

#include <pararnnc/pararnnc.h>

struct shape {
    int64_t batch, seq_len, channels;
};

struct shape_list {
    struct shape *shapes;
    uint32_t count;
};

/* "8x2048x1024" or "8,2048,1024": false where it is neither. */
bool shape_read(struct shape *out, const char *text, size_t length);
/* Several, separated by ';' or spaces. False, with *wrong the first piece that is no shape. */
bool shape_list_read(struct shape_list *out, const char *text, const char **wrong,
                     struct arena *arena);

/* "f32", ...; false: no such type. */
bool dtype_read(prnn_storage *out, const char *text, size_t length);
const char *dtype_word(prnn_storage storage);
/* "f32,bf16" into 'out', which has room for 4; 0: not understood, or a type twice. */
uint32_t dtype_list_read(prnn_storage out[4], const char *text);

#endif
