/* The interpreter: evaluates outs of the IR one scalar at a time. In double it is the oracle of the
 * tests; in the plan's arithmetic it is the fallback where no compiler is found. One body
 * (ir_eval_body.h), the element type by macro, so that tests build it in binary128 too. */
#ifndef PRNN_IR_EVAL_H
#define PRNN_IR_EVAL_H

#include "ir.h"

/* A function of a cell, made ready: the instructions that the outs of 'mask' reach, in order. */
struct ir_program;

/* Made in 'arena'; NULL is never returned (see arena.h). */
struct ir_program *ir_program_create(const struct ir *ir, uint32_t mask, struct arena *arena);

/* How many reals of scratch an evaluation needs. */
size_t ir_program_scratch(const struct ir_program *program);

/* Where the leaves of an evaluation come from, and where each kind of out goes. Any may be NULL if
 * the program does not use it. Out arrays are dense: next[i], output[k], guess[i], adj_*[k],
 * source[j]; jacobian[i*states + j] and adjacobian likewise. Structurally zero entries are written
 * as 0 (Jacobians, adjoints, source). */
#define IR_EVAL_LEAVES(NAME, real)                                                                 \
    struct NAME {                                                                                  \
        const real *h, *x, *p, *cotangent;                                                         \
        real *out[IR_OUT_KIND_COUNT];                                                              \
    }
IR_EVAL_LEAVES(ir_leaves_f64, double);
IR_EVAL_LEAVES(ir_leaves_f32, float);

void ir_eval_f64(const struct ir_program *program, const struct ir_leaves_f64 *leaves,
                 double *scratch);
void ir_eval_f32(const struct ir_program *program, const struct ir_leaves_f32 *leaves,
                 float *scratch);

#endif
