/* Names -> small integers, and one copy of each name. */
#ifndef PRNN_INTERN_H
#define PRNN_INTERN_H

#include "arena.h"

#include <stddef.h>
#include <stdint.h>

struct intern {
    struct arena *arena;
    const char **names; /* by number */
    uint32_t *lengths;
    uint32_t count, room;
    uint32_t *slots; /* number + 1, or 0: free; a power of two of them */
    uint32_t slot_count;
};

void intern_init(struct intern *table, struct arena *arena);
/* The number of a name: 0, 1, 2, ... in the order of first sight. */
uint32_t intern_add(struct intern *table, const char *text, size_t length);
/* The one copy of a name, with its NUL. Equal names are equal pointers. */
const char *intern_name(struct intern *table, const char *text, size_t length);

/* FNV-1a, for tables of names. */
uint32_t intern_hash(const char *text, size_t length);

#endif
