/* Dependency bits: on which states a value depends, and on which of them nonlinearly.
 *
 * "Depends" is about values, not derivatives: sign(h) and where(h > 0, a, b) depend on h,
 * nonlinearly, although their derivatives are zero. Blocks are solved in an order, and a value that
 * is read through a condition must be known as well. So the pattern of the Jacobian is within these
 * bits, and equal to them where no condition is in the way. */
#ifndef PRNN_DEPEND_H
#define PRNN_DEPEND_H

#include "ir.h"
#include "pattern.h"

struct depend {
    struct pattern any;       /* [instructions, states] */
    struct pattern nonlinear; /* within 'any' */
};

/* One sweep. 'known' has 'states' entries: a state for which it is true counts as a known input.
 * NULL: all states are unknown. */
void depend_find(struct depend *out, const struct ir *ir, const bool *known, struct arena *arena);

/* The same for every next.i: rows are states. */
void depend_find_step(struct depend *out, const struct ir *ir, const bool *known,
                      struct arena *arena);

/* Whether the value depends on the state. Of a leaf: whether it is that state. */
bool depend_has(const struct depend *depend, ir_ref value, uint32_t state);

#endif
