/* Symbols: what a name of the cell stands for.
 *
 * Values and functions have names of their own kinds: a name before '(' is a function, any other is
 * a value, so a value may be called 'min'. */
#ifndef PRNN_SCOPE_H
#define PRNN_SCOPE_H

#include "arena.h"
#include "ast.h"

#include <stdbool.h>
#include <stdint.h>

enum symbol_kind {
    SYMBOL_STATE,
    SYMBOL_INPUT,
    SYMBOL_PARAM,
    SYMBOL_CONST,
    SYMBOL_DEFINITION, /* z = expr; */
    SYMBOL_OUTPUT,     /* output y = expr; may be read like a definition */
    SYMBOL_FUNCTION,
    SYMBOL_FN_PARAM,
    SYMBOL_UNKNOWN, /* an unknown name that was reported: later uses are silent */
};

enum symbol_init {
    SYMBOL_INIT_DEFAULT, /* nothing was written */
    SYMBOL_INIT_ZEROS,
    SYMBOL_INIT_ONES,
    SYMBOL_INIT_CONSTANT, /* init_a */
    SYMBOL_INIT_NORMAL,   /* mean init_a, standard deviation init_b */
    SYMBOL_INIT_UNIFORM,  /* from init_a to init_b */
};

struct symbol {
    enum symbol_kind kind;
    const char *name;
    struct span span;      /* of the name where it is declared */
    struct ast_decl *decl; /* NULL for functions, their parameters and unknown names */
    struct ast_fn *fn;     /* of a function, and of the function of a parameter */
    uint32_t index;        /* among the symbols of its kind; of a parameter: its position */
    uint32_t uses;         /* how often it is read */

    struct ast_decl *update; /* of a state: h' = ...; */
    struct ast_decl *guess;  /* of a state: guess h = ...; or NULL */
    uint32_t height;         /* of a function: of its body with all calls inlined */
    bool is_defined;         /* while resolving: may be read from now on */
    bool is_updated;         /* while resolving: h' may be read from now on */
    bool is_reported;        /* used too early, and said so */

    /* Set by typecheck(). */
    struct ast_shape shape;
    bool is_condition;
    bool is_error;
    double value; /* of a const; the default initial state, for every element */
    bool is_shared, no_gradient;
    bool has_range;
    double lo, hi;
    enum symbol_init init;
    double init_a, init_b;

    struct symbol *next; /* private to scope.c */
};

/* Names of one kind, found in the order they were added. */
struct scope {
    struct arena *arena;
    const struct scope *outer; /* searched next; or NULL */
    struct symbol **buckets;
    uint32_t bucket_count, count;
    struct symbol **symbols; /* in order of declaration */
    uint32_t room;
};

void scope_init(struct scope *scope, struct arena *arena, const struct scope *outer);
struct symbol *scope_find(const struct scope *scope, const char *name); /* NULL: unknown */
/* A new symbol; the name must not be in this scope yet. */
struct symbol *scope_add(struct scope *scope, enum symbol_kind kind, const char *name,
                         struct span span);
/* A symbol of this scope or an outer one whose name is close to 'name', or NULL. */
const struct symbol *scope_nearest(const struct scope *scope, const char *name);
/* "state", "input", "definition", ... */
const char *symbol_kind_name(enum symbol_kind kind);
/* "a state", "an input", ... */
const char *symbol_kind_article(enum symbol_kind kind);

#endif
