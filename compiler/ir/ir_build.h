/* Private to the module: what the passes need of the array beside the public builder. */
#ifndef PRNN_IR_BUILD_H
#define PRNN_IR_BUILD_H

#include "ir.h"

/* The value that 'op' on these operands folds to, or IR_REF_NONE. Operands are in the order of
 * ir_make(); 'op' is not made. */
ir_ref ir_fold(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c);

/* What 'op' gives on constants, in double; a condition gives 0 or 1. */
double ir_fold_eval(enum ir_op op, double a, double b, double c);

/* How many values of a kind there are: indices are below it. */
uint32_t ir_kind_count(const struct ir *ir, enum ir_kind kind);

/* A new instruction at the end; no folding, no sharing, no limit. */
ir_ref ir_append(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c);

/* The instruction that computes this, an old one if there is one; no folding, no limit. */
ir_ref ir_share(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c);

/* Take all instructions away and give them back; the caller makes them anew, in order, with
 * ir_share() or ir_append(), and then renames the outs. The old array stays valid. */
const struct ir_insn *ir_restart(struct ir *ir);

/* Rebuild the array from 'order': 'count' old indices, operands before uses. Outs follow; a value
 * that an out or a kept instruction needs must be in it. */
void ir_reorder(struct ir *ir, const uint32_t *order, uint32_t count);

static inline ir_ref ir_operand(const struct ir_insn *insn, unsigned operand)
{
    return operand == 0 ? insn->a : operand == 1 ? insn->b : insn->c;
}

/* In its first two operands. min and max are not: the derivative of a tie goes to the first. */
bool ir_is_commutative(enum ir_op op);

#endif
