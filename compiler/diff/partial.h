/* What derivatives are made of: a value with a sign and a gate. The partial of one operation is
 * one, and so is the derivative that the chain rule carries along.
 *
 * Signs are carried instead of computed, so that a difference costs one instruction. A gate stays
 * outermost: multiplying where(gate, value, 0) by a factor gives where(gate, value*factor, 0), in
 * either direction of the chain rule, so a branch that is not taken never gives 0 * inf = NaN. */
#ifndef PRNN_PARTIAL_H
#define PRNN_PARTIAL_H

#include "ir.h"

#include <stdbool.h>
#include <stdint.h>

struct partial {
    ir_ref value; /* IR_REF_NONE: structural zero */
    ir_ref gate;  /* a condition; where it does not hold all is 0. IR_REF_NONE: always open */
    bool is_negative;
    bool is_shut_to_zero; /* 'value' itself is 0 where the gate is shut */
};

static inline bool partial_is_zero(struct partial partial)
{
    return partial.value == IR_REF_NONE;
}

struct partial partial_from(ir_ref value);

/* d(instruction)/d(operand 0, 1 or 2), from ops.def. Makes no instruction where it is a structural
 * zero. DETACH is a structural one here. */
struct partial partial_of(struct ir *ir, uint32_t instruction, unsigned operand);

struct partial partial_chain(struct ir *ir, struct partial carried, struct partial local);
struct partial partial_sum(struct ir *ir, struct partial a, struct partial b);

/* As a value of the IR, sign and gate applied; IR_REF_NONE for a structural zero. */
ir_ref partial_value(struct ir *ir, struct partial partial);

#endif
