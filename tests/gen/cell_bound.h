/* Bounds of the values of a cell, of their derivatives by the states, and of their rounding errors:
 * what the growth of random cells needs to keep them in range by construction. Shares nothing with
 * the compiler's own analysis of ranges. */
#ifndef PRNN_CELL_BOUND_H
#define PRNN_CELL_BOUND_H

#include "cell_tree.h"

enum { BOUND_STATES = 16, BOUND_ELEMENTS = 16 };

/* Of one scalar. */
struct bound {
    double lo, hi;
    double slope[BOUND_STATES]; /* largest |derivative| by each scalar state before the step */
    double error;               /* in units of the rounding of 1 */
    uint32_t reads;             /* states that it depends on, also through a condition */
    bool is_curved;             /* not affine in the states */
};

struct bounds {
    struct bound element[BOUND_ELEMENTS];
};

/* Bounds of the leaves: of each symbol, and of the states after the step. */
struct bound_leaves {
    struct bounds symbol[TREE_SYMBOLS], next[TREE_SYMBOLS];
};

struct bounds bounds_of_interval(double lo, double hi);
/* Every element of a state, before the step; 'first' is its first scalar. */
struct bounds bounds_of_state(double lo, double hi, int first);

/* Of a subtree; 'arguments' are those of the fn that is looked into, else NULL. Domains are not
 * checked: a division by an interval around 0 gives infinite bounds. */
struct bounds bounds_of(const struct cell_tree *tree, int root, const struct bound_leaves *leaves,
                        const struct bounds *arguments);

/* Over all 'count' elements. */
struct bound bounds_hull(const struct bounds *bounds, int count);
double bound_magnitude(const struct bound *bound);
/* Sum of the slopes: the row's share of the maximum norm of the Jacobian. */
double bound_norm(const struct bound *bound);

#endif
