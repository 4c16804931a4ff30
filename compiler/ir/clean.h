/* Clean-up passes. All rebuild the array in place and keep every out. */
#ifndef PRNN_CLEAN_H
#define PRNN_CLEAN_H

#include "ir.h"

/* Remove what no out reaches. */
void ir_remove_dead(struct ir *ir);

/* Number the instructions in the order in which the outs need them, operands first, from the left;
 * what no out reaches is removed. The order in which they were made leaves no trace. */
void ir_number(struct ir *ir);

/* Decide where a multiply-add is fused: an add or subtract of a product that nothing else uses
 * becomes FMA. Of two such products the second operand's fuses; the first keeps its own rounding.
 * Only instructions from 'first' on are changed, so that a pass over the step, then one over the
 * derivatives, leaves the step the same in every function: one meaning of the step in every kernel.
 * The product's other uses are counted over the whole array. What no out reaches is removed.
 * Instruction indices change; returns the number of instructions afterwards. */
uint32_t ir_contract(struct ir *ir, uint32_t first);

/* Put the instructions in an order with few live values (registers), operands first; what no out
 * reaches is removed. Deterministic. The order stays if the new one would need more. */
void ir_schedule(struct ir *ir);

/* The most values of instructions that are live at once while the outs of 'mask' are computed in
 * order of the array. An out lives to the end. */
uint32_t ir_max_live(const struct ir *ir, uint32_t mask, struct arena *arena);

#endif
