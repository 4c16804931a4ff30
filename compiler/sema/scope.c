#include "scope.h"

#include <string.h>

#include "diag.h"
#include "intern.h"

void scope_init(struct scope *scope, struct arena *arena, const struct scope *outer)
{
    *scope = (struct scope){.arena = arena, .outer = outer, .bucket_count = 16, .room = 8};
    scope->buckets = arena_array(arena, scope->bucket_count, sizeof *scope->buckets);
    scope->symbols = arena_array(arena, scope->room, sizeof *scope->symbols);
}

static uint32_t bucket_of(const struct scope *scope, const char *name)
{
    return intern_hash(name, strlen(name)) & (scope->bucket_count - 1);
}

struct symbol *scope_find(const struct scope *scope, const char *name)
{
    for (; scope; scope = scope->outer)
        for (struct symbol *s = scope->buckets[bucket_of(scope, name)]; s; s = s->next)
            if (strcmp(s->name, name) == 0)
                return s;
    return NULL;
}

static void link_symbol(struct scope *scope, struct symbol *symbol)
{
    struct symbol **bucket = &scope->buckets[bucket_of(scope, symbol->name)];
    symbol->next = *bucket;
    *bucket = symbol;
}

static void grow(struct scope *scope)
{
    scope->symbols = arena_grow(scope->arena, scope->symbols, scope->count, scope->room * 2,
                                sizeof *scope->symbols);
    scope->room *= 2;
    scope->bucket_count = scope->room * 2;
    scope->buckets = arena_array(scope->arena, scope->bucket_count, sizeof *scope->buckets);
    for (uint32_t i = 0; i < scope->count; i++)
        link_symbol(scope, scope->symbols[i]);
}

struct symbol *scope_add(struct scope *scope, enum symbol_kind kind, const char *name,
                         struct span span)
{
    if (scope->count == scope->room)
        grow(scope);
    struct symbol *symbol = arena_alloc(scope->arena, sizeof *symbol);
    symbol->kind = kind;
    symbol->name = name;
    symbol->span = span;
    link_symbol(scope, symbol);
    scope->symbols[scope->count++] = symbol;
    return symbol;
}

const struct symbol *scope_nearest(const struct scope *scope, const char *name)
{
    for (const struct scope *s = scope; s; s = s->outer) {
        uint32_t count = 0;
        const char **names = arena_array(s->arena, s->count, sizeof *names);
        for (uint32_t i = 0; i < s->count; i++)
            if (s->symbols[i]->kind != SYMBOL_UNKNOWN)
                names[count++] = s->symbols[i]->name;
        const char *nearest = diag_nearest(name, names, count);
        if (nearest)
            return scope_find(s, nearest);
    }
    return NULL;
}

static const char *const KIND_NAMES[] = {"a state",    "an input",     "a param",
                                         "a const",    "a definition", "an output",
                                         "a function", "a parameter",  "an unknown name"};

const char *symbol_kind_article(enum symbol_kind kind)
{
    return KIND_NAMES[kind];
}

const char *symbol_kind_name(enum symbol_kind kind)
{
    return strchr(KIND_NAMES[kind], ' ') + 1;
}
