/* IR as text, both ways, and the checker. The form is one that a person reads and tests compare:
 *
 *   ir 1 cell "elman"
 *   state h 0.0
 *   input u
 *   param a in -1.0 1.0
 *   %0 = mul p0, h0            ; 5:15
 *   %1 = add %0, x0
 *   %2 = tanh %1
 *   out next.0 = %2
 *   out jac.0.0 = %5
 *
 * Declarations of vectors carry their shape (state h[4]). Text after ';' is a comment. */
#ifndef PRNN_IR_TEXT_H
#define PRNN_IR_TEXT_H

#include "ir.h"
#include "textbuf.h"

void ir_print(struct textbuf *out, const struct ir *ir);

/* NULL on an error, with its line and words in *line and *message (made in the arena). The reader
 * does not fold or share: what is printed is what was read. */
struct ir *ir_read(struct arena *arena, const char *text, uint32_t *line, const char **message);

/* NULL if 'ir' is well formed, else what is wrong with it: operands before use, types, arity, every
 * next.i present, outs in range, and, if 'is_clean', nothing dead. */
const char *ir_verify(const struct ir *ir, bool is_clean, struct arena *arena);

#endif
