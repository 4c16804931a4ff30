/* Names -> symbols: every name is declared once, used after its definition, every state updated
 * once. */
#ifndef PRNN_RESOLVE_H
#define PRNN_RESOLVE_H

#include "arena.h"
#include "ast.h"
#include "diag.h"
#include "scope.h"

/* -D name=value. */
struct sema_define {
    const char *name;
    double value;
};

/* What is written at each step. */
struct sema_output {
    const char *name;       /* "y"; of "output h'": "h" */
    struct ast_expr *value; /* what to compute: names resolved, typed like any other */
    struct symbol *symbol;  /* what it is declared by, or names (the state, the definition) */
    struct span span;
    const char *doc; /* or NULL */
};

/* The meaning of a cell: what later stages read beside the tree. */
struct sema {
    struct ast *ast;
    struct scope functions; /* the 'fn's of the file */
    struct scope values;    /* all names of the cell in order of declaration */
    struct symbol **states, **inputs, **params, **consts; /* in order of declaration */
    uint32_t state_count, input_count, param_count, const_count;
    struct sema_output *outputs; /* without any 'output': h' of every state, in order */
    uint32_t output_count;
    const struct sema_define *defines;
    uint32_t define_count;
};

/* NULL if errors were added to 'diag'. 'defines' is borrowed as long as the result is used; a name
 * in it that is no const of the cell is an error. */
struct sema *resolve(struct arena *arena, struct diag *diag, struct ast *ast,
                     const struct sema_define *defines, uint32_t define_count);

#endif
