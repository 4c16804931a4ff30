/* Random cells, well formed and in range by construction.
 *
 * Nine of ten are tame: inputs in [-1, 1] (or a declared range), parameters in [-1/2, 1/2] (ditto),
 * states in [-GROW_STATE, GROW_STATE] for ever; operands of log, sqrt, division and pow stay away
 * from trouble; the maximum norm of the Jacobian is at most GROW_JACOBIAN; a kink is never met
 * nearer than GROW_KINK, because its side is chosen by an exact comparison of an input or
 * parameter with a number. One of ten is hard: expanding, chaotic, singular or kinked. */
#ifndef PRNN_CELL_GROW_H
#define PRNN_CELL_GROW_H

#include "cell_tree.h"

#define GROW_STATE 1.25
#define GROW_JACOBIAN 0.95
#define GROW_KINK 0.1

enum { GROW_DEPTH = 6, GROW_SCALAR_STATES = 8 };

enum grow_kind { GROW_ANY, GROW_TAME, GROW_HARD };

/* The same seed gives the same cell. */
void cell_grow(struct cell_tree *tree, uint64_t seed, enum grow_kind kind);

#endif
