/* Memory of one compilation: allocated piece by piece, freed at once.
 *
 * arena_alloc() never returns NULL. When memory ends it jumps to the buffer given to arena_create()
 * (the one setjmp is in the entry of the pipeline), so between the two nothing may be held that the
 * arena does not own: no files, no locks, no malloc. */
#ifndef PRNN_ARENA_H
#define PRNN_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

struct arena;

/* A new arena, or NULL when memory has ended. 'escape' is jumped to (with value 1) when a later
 * allocation fails; it may be replaced with arena_set_escape(). It is borrowed. */
struct arena *arena_create(jmp_buf *escape);
void arena_set_escape(struct arena *arena, jmp_buf *escape);
void arena_destroy(struct arena *arena); /* NULL is fine */

/* Zeroed memory, aligned for every type. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/* count * size with a check for overflow (which counts as "memory has ended"). */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* A larger copy of an array; the old one stays valid. */
void *arena_grow(struct arena *arena, const void *old, size_t old_count, size_t new_count,
                 size_t size);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
size_t arena_used(const struct arena *arena);
/* For a caller whose own allocation has failed: leave as if one of the arena had. */
_Noreturn void arena_out_of_memory(struct arena *arena);

#endif
