/* A range of bytes of the source file. Lines and columns are computed when printing. */
#ifndef PRNN_SPAN_H
#define PRNN_SPAN_H

#include <stdint.h>

struct span {
    uint32_t begin; /* first byte */
    uint32_t end;   /* one past the last byte; begin == end: between two bytes */
};

#endif
