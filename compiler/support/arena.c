#include "arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The debug twin: with a block size of 0 every allocation is a block of its own, so that the
 * address sanitiser sees each one's bounds. */
#ifndef PRNN_ARENA_BLOCK
#define PRNN_ARENA_BLOCK 65536
#endif

struct block {
    struct block *next;
    size_t used, size;
    max_align_t data[];
};

struct arena {
    struct block *blocks;
    jmp_buf *escape;
    size_t used;
};

struct arena *arena_create(jmp_buf *escape)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (arena)
        arena->escape = escape;
    return arena;
}

void arena_set_escape(struct arena *arena, jmp_buf *escape)
{
    arena->escape = escape;
}

void arena_destroy(struct arena *arena)
{
    if (!arena)
        return;
    for (struct block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

_Noreturn void arena_out_of_memory(struct arena *arena)
{
    longjmp(*arena->escape, 1);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t unit = sizeof(max_align_t);
    if (size > SIZE_MAX / 2)
        arena_out_of_memory(arena);
    const size_t need = size ? (size + unit - 1) / unit * unit : unit;
    struct block *block = arena->blocks;
    if (!block || block->size - block->used < need) {
        const size_t room = need > PRNN_ARENA_BLOCK ? need : PRNN_ARENA_BLOCK;
        block = calloc(1, sizeof *block + room);
        if (!block)
            arena_out_of_memory(arena);
        block->size = room;
        /* A large piece does not retire a block that still has room. */
        if (arena->blocks && need > PRNN_ARENA_BLOCK / 4) {
            block->next = arena->blocks->next;
            arena->blocks->next = block;
        } else {
            block->next = arena->blocks;
            arena->blocks = block;
        }
    }
    void *result = (char *)block->data + block->used;
    block->used += need;
    arena->used += need;
    return result;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        arena_out_of_memory(arena);
    return arena_alloc(arena, count * size);
}

void *arena_grow(struct arena *arena, const void *old, size_t old_count, size_t new_count,
                 size_t size)
{
    void *result = arena_array(arena, new_count, size);
    if (old_count)
        memcpy(result, old, old_count * size);
    return result;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, length < 0 ? 1 : (size_t)length + 1);
    va_start(args, format);
    vsnprintf(text, length < 0 ? 1 : (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
