/* The strategies that a choice is made from. */
#ifndef PRNN_STRATEGY_GRID_H
#define PRNN_STRATEGY_GRID_H

#include "strategy_model.h"

/* Tangents of more states do not fit the registers of a thread: such a cell runs in order. */
enum { STRATEGY_STATES_MAX = 6 };

/* Call visit() for every strategy of the grid that the device and the kernel can hold, always in
 * the same order; those with one chunk a tile, which run in order, come first. */
void strategy_grid(const struct model_problem *problem,
                   void (*visit)(void *context, const struct strategy *strategy), void *context);

/* Shared memory that a thread block can have. */
uint32_t strategy_shared_most(const struct cuda_properties *device);

/* The strategy for running in order, by rules from measurements. */
void strategy_in_order(struct strategy *out, const struct model_problem *problem);

/* Whether enough of its kind, which solves in parallel, was measured to trust a prediction; others
 * are for 'tune'. */
bool strategy_is_known(const struct strategy *strategy, const struct model_problem *problem);

/* Whether it begins with guesses that are all it needs where the cell forgets, and runs again where
 * it does not: without a ring, and backward in long chunks. */
bool strategy_guesses(const struct strategy *strategy, const struct model_problem *problem);

#endif
