/* In which order statements become IR. */
#ifndef PRNN_LOWER_ORDER_H
#define PRNN_LOWER_ORDER_H

#include "resolve.h"

/* All definitions, updates, outputs and guesses, each behind what it reads: for each state in order
 * of declaration what its update needs and the update, then outputs, guesses and what nobody reads.
 * So the order of independent lines in the file leaves no trace: values are numbered, operands
 * sorted and products fused as if the lines had been written in this order. */
struct ast_decl **lower_order(struct arena *arena, const struct sema *sema, uint32_t *count);

#endif
