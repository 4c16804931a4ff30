/* The files of kernels-gen/ as bytes in the library: cmake/EmbedText.cmake makes embedded.c. */
#ifndef PRNN_EMBEDDED_H
#define PRNN_EMBEDDED_H

#include <stddef.h>

struct embedded_text {
    const char *name;
    const char *text;
    size_t length;
};

extern const struct embedded_text embedded_texts[]; /* ends with a NULL name */

#endif
