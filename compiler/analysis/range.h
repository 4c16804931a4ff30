/* Interval analysis: bounds of every value from the declared bounds and from the operations. */
#ifndef PRNN_RANGE_H
#define PRNN_RANGE_H

#include "ir.h"
#include "structure.h"

struct range {
    double lo, hi;
    bool may_be_nan; /* NaN, or an infinity that may become one, though the leaves are numbers */
};

struct range_report {
    struct range *value;                /* per instruction */
    struct range state[LIMIT_STATES];   /* invariant interval of each state, after widening */
    double jacobian_bound;              /* of the maximum norm |d h'/d h| over all states; INFINITY if none */
    struct range jacobian[LIMIT_STATES][LIMIT_STATES];
    bool is_contraction;                /* jacobian_bound < 1, proven */
    uint32_t worst_row;                 /* the state whose row gives the bound */
    bool may_overflow_f16, may_overflow_bf16; /* a state or output may leave the 16-bit range */
    uint32_t overflow_state; /* the first past f16: a state, or states + k for output k */
};

/* Leaves are numbers in their declared bounds, or any numbers. The ranges of states hold for runs from
 * the default initial state; those of the arithmetic are bounds up to its own roundings.
 * Needs the outs next, jacobian (and outputs). The states start from their initial values and are widened
 * until nothing changes. */
void range_find(struct range_report *out, const struct ir *ir, const struct structure *structure,
                struct arena *arena);

#endif
