/* C text -> shared object in memory -> loaded. The compiler is run without a shell, on text from
 * its standard input, in a directory of its own; the result is loaded from sealed memory, so that
 * nothing is checked and then opened again. Thread-safe. */
#ifndef PRNN_HOSTCC_H
#define PRNN_HOSTCC_H

#include <stdbool.h>
#include <stddef.h>

#include "cache.h"

enum hostcc_status {
    HOSTCC_OK,
    HOSTCC_MISSING,  /* no compiler here: use the interpreter */
    HOSTCC_REJECTED, /* the compiler ended with an error: our text, or a compiler of another kind */
    HOSTCC_TROUBLE,  /* could not be run, was killed, took too long, result cannot be loaded */
    HOSTCC_NOMEM
};

/* The compiler of this process: $PARARNNC_CC (a program, no arguments; "none": no compiler), else
 * the first of cc, gcc, clang on PATH. Strings live as long as the process. */
struct hostcc_compiler {
    const char *path;    /* resolved; NULL: there is none */
    const char *version; /* first line of --version */
    const char *isa;     /* short name of the instruction set for a person to read */
    const char *missing; /* path NULL: why, with what was searched */
};

/* Found once for each value of the environment, then remembered. NULL: memory has ended. */
const struct hostcc_compiler *hostcc_compiler(void);

/* A loaded object. */
struct hostcc_object;

struct hostcc_info {
    bool from_cache;
    double seconds; /* of the compiler; 0 from the cache */
};

/**
 * Compile a text, or find it in the cache, and load it.
 *
 * @param      cache NULL: none
 * @param[out] info  NULL: not wanted
 * @param[out] log   on failure: malloc'd words for the user, with the compiler's own output; may be
 *                   NULL when memory has ended. NULL on success
 */
enum hostcc_status hostcc_load(struct hostcc_object **out, const char *text, size_t length,
                               struct cache *cache, struct hostcc_info *info, char **log);

/* Address of an exported object (the table 'prnn_cpu_entries'), or NULL. */
void *hostcc_symbol(const struct hostcc_object *object, const char *name);
void hostcc_unload(struct hostcc_object *object); /* NULL is fine */

#endif
