/* What one step costs: operations by class and values moved. */
#ifndef PRNN_COST_H
#define PRNN_COST_H

#include "structure.h"

struct cost {
    uint32_t transcendentals; /* SFU and CALL operations of one evaluation */
    uint32_t divisions;
    uint32_t flops; /* an fma counts two, every other arithmetic operation one */
    uint32_t operations;
    uint32_t values_read, values_written; /* per element: scalars of sequence tensors */
    uint32_t evaluations; /* runs of the step, solved in parallel in f32; docs/command-line.md */
};

/* Forward: the step and outputs. Evaluations are the guess of the entries, unless the cell is
 * affine; the run that is corrected; and a final one, unless the one before has kept its steps. */
void cost_forward(struct cost *out, const struct ir *ir, const struct structure *structure);
/* Backward: recomputed step, scanned Jacobian, adjoint. Reads inputs, states before the step and
 * the gradients of the outputs; writes the gradients of inputs. */
void cost_backward(struct cost *out, const struct ir *ir);
/* The outs of the sweep that composes the maps of a chunk backwards. Gradients of outputs that are
 * states arrive with those of the states: of such outputs alone there is no source. */
uint32_t cost_backmap_mask(const struct ir *ir);

/* Whether no elementary function and no division of the step depends on an input or a state: what
 * remains of it are a few multiplications and additions a value that is read or written. */
bool cost_is_bare(const struct ir *ir, struct arena *arena);

/* About how many instructions all functions of a step are: an elementary function counts 16, an
 * input 4. */
uint32_t cost_weight(const struct ir *ir);

/* How many copies of a step a kernel may have, so that NVRTC does not need minutes for them. */
uint32_t cost_copies_most(const struct ir *ir);

#endif
