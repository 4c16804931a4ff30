/* Typed AST -> IR of one step: the outs next, out and guess. */
#ifndef PRNN_LOWER_H
#define PRNN_LOWER_H

#include "arena.h"
#include "diag.h"
#include "ir.h"
#include "resolve.h"

/* Vectors and matrices become scalars in row-major order, functions are inlined, and what no out
 * needs is left away. NULL if errors were added to 'diag' (too many operations). Needs a tree that
 * typecheck() accepted. */
struct ir *lower(struct arena *arena, struct diag *diag, const struct sema *sema);

#endif
