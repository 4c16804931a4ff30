/* The recurrence by interpretation: what runs where there is no compiler. Slower, same answers. */
#ifndef PRNN_INTERPRETER_H
#define PRNN_INTERPRETER_H

#include "backend.h"
#include "ir_eval.h"

/* All borrowed; nothing changes after creation, so threads may share it. */
struct interpreter {
    const struct ir *ir;
    const struct ir_program *step;    /* next, output */
    const struct ir_program *adjoint; /* adj_h, adj_x, adj_p; NULL: forward only */
    /* Of each scalar output: its index among the expressions, or -1 if it is a state. */
    const int32_t *expression;
    const double *initial; /* of each state */
};

/* Bytes of scratch of one call, in arithmetic of 'storage'. */
size_t interpreter_scratch(const struct interpreter *interpreter, prnn_storage storage);

/* The entries of struct prnn_cpu_entries. Any range of work; 'scratch' is the caller's. */
void interpreter_forward(const struct interpreter *interpreter, const struct backend_shape *shape,
                         const struct prnn_launch_head *head, int64_t b0, int64_t b1, int64_t c0,
                         int64_t c1, void *scratch);
void interpreter_backward(const struct interpreter *interpreter, const struct backend_shape *shape,
                          const struct prnn_launch_head *head, int64_t b0, int64_t b1, int64_t c0,
                          int64_t c1, void *partial, void *scratch);

#endif
