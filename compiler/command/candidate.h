/* Strategies worth measuring. */
#ifndef PRNN_CANDIDATE_H
#define PRNN_CANDIDATE_H

#include "arena.h"
#include "strategy_grid.h"

#include <stdint.h>

struct candidate_list {
    struct strategy *strategies;
    uint32_t count, sequential; /* the first ones run in order: one chunk a tile */
};

/* At most 'most' strategies of the grid: the fastest by prediction, and the best of each kind. */
void candidate_grid(struct candidate_list *out, const struct model_problem *problem, uint32_t most,
                    struct arena *arena);

/* One strategy a line, perhaps with "forward" or "backward" before it; '#' begins a comment. NULL,
 * or the number and words of the first line that is not understood. */
const char *candidate_read(struct candidate_list *out, const char *text, bool is_backward,
                           struct arena *arena);

/* "W8 S16 L32 V1 R2 C1"; in 'arena'. */
const char *candidate_text(const struct strategy *strategy, struct arena *arena);

#endif
