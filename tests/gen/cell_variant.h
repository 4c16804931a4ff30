/* Cells that mean the same as another: what the compiler makes of them must be the same text. */
#ifndef PRNN_CELL_VARIANT_H
#define PRNN_CELL_VARIANT_H

#include "cell_tree.h"
#include "dice.h"

enum cell_variant {
    VARIANT_RENAMED,   /* all names, among them words of C and CUDA */
    VARIANT_INLINED,   /* calls of fn written out */
    VARIANT_REORDERED, /* independent lines in another order */
    VARIANT_DEAD,      /* definitions and a fn that nobody reads */
    VARIANT_EXPANDED,  /* consts written as numbers */
    VARIANT_COUNT
};

const char *cell_variant_name(enum cell_variant variant);

/* False when the tree has no room for it. */
bool cell_variant_make(struct cell_tree *out, const struct cell_tree *tree,
                       enum cell_variant variant, struct dice *dice);

/* The states declared in another order: the same equations, all indices permuted. place[i] is where
 * scalar state i of 'tree' has gone. */
void cell_variant_permute(struct cell_tree *out, const struct cell_tree *tree, struct dice *dice,
                          int *place);

#endif
