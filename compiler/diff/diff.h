/* Derivatives of the step, as IR in the same array. No derivative is built that is structurally
 * zero, and derivatives reuse the values of the step. */
#ifndef PRNN_DIFF_H
#define PRNN_DIFF_H

#include "ir.h"
#include "structure.h"

/* Adds jac.i.j = d next.i / d h.j, true (through detach), where structurally nonzero. */
void jacobian_build(struct ir *ir, const struct structure *structure);

/* Adds adj_h, adj_x, adj_p (all cotangents; declarations with no_gradient left out), src (from the
 * cotangents of outputs alone), and adjac.i.j: all of them with detach() as a constant. Cotangent i <
 * states belongs to next.i, states + k to out.k. An out that is exactly some next.i still has a
 * cotangent of its own here; emit decides which are aliases. */
void adjoint_build(struct ir *ir, const struct structure *structure);

#endif
