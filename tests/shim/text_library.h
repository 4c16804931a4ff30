/* Kernel text compiled for the shim and loaded into the test program. */
#ifndef PRNN_TEXT_LIBRARY_H
#define PRNN_TEXT_LIBRARY_H

#include <stddef.h>

#include "shim.h"

struct text_library;

/**
 * Compile 'text' and load it. The text stays beside the object while the library is loaded, so that
 * a debugger and the reports' line numbers find it.
 *
 * @param      bytes     of the text, without a final NUL
 * @param      name      of the temporary file, for messages; letters, digits, '-' and '_'
 * @param      compiler  a program and arguments for it, ended by NULL, as {"gcc", "-O2", NULL}; or
 *                       NULL: $CC, or where that is not set tcc (a kernel takes 10 ms, not 100) or
 *                       else cc
 *
 * @return NULL when it does not compile or load; what the compiler says goes to stderr
 */
struct text_library *text_library_load(const char *text, size_t bytes, const char *name,
                                       const char *const *compiler);

/* The kernel of this name, or NULL. */
shim_kernel *text_library_kernel(const struct text_library *library, const char *name);

void text_library_free(struct text_library *library);

#endif
