/* The few strategies that are worth measuring on somebody's own tensors. */
#ifndef PRNN_STRATEGY_CANDIDATES_H
#define PRNN_STRATEGY_CANDIDATES_H

#include "strategy_grid.h"

enum { STRATEGY_CANDIDATES_MOST = 24 };

/* How long a cell remembers, its parameters and inputs decide, and the model knows only random
 * ones: so the fastest by prediction of each kind, in order, with a ring and without one, and
 * guesses of several lengths. Returns their number; no two are equal. */
uint32_t strategy_candidates(struct strategy out[STRATEGY_CANDIDATES_MOST],
                             const struct model_problem *problem);

#endif
