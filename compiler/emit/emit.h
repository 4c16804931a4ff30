/* The emitted half of a kernel text: straight-line code of one cell, one value a statement, no
 * loop, barrier or index arithmetic. The functions are listed in kernels-gen/README.md. */
#ifndef PRNN_EMIT_H
#define PRNN_EMIT_H

#include "ir.h"
#include "structure.h"
#include "textbuf.h"

struct emit_options {
    bool is_f64;      /* constants as double bit patterns, else float */
    bool is_backward; /* the adjoint functions too */
};

/* 'ir' is complete and clean: next, out, guess, jac, adjac, src, adj_*. The same cell gives the
 * same bytes, whatever its names. Returns how many values cell_backmap keeps: PRNN_SAVED of the
 * text. */
uint32_t emit_half(struct textbuf *out, const struct ir *ir, const struct structure *structure,
                   const struct emit_options *options);

/* Outputs that are plainly next.i share the trajectory of that state. For scalar output k: the
 * state, or -1 and in *expression its index among the outputs that are expressions. */
int emit_output_state(const struct ir *ir, uint32_t k, uint32_t *expression);

#endif
