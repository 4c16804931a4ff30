/* How long a kernel takes under a strategy, predicted from the compiler's counts and the device's
 * properties. docs/decisions/ says what was weighed; strategy_model.c has the constants. */
#ifndef PRNN_STRATEGY_MODEL_H
#define PRNN_STRATEGY_MODEL_H

#include "cuda_clusters.h"
#include "pipeline.h"
#include "settle.h"
#include "work.h"

struct model_problem {
    const struct unit *unit;
    struct assemble_options
        options; /* of ASSEMBLE_FORWARD or ASSEMBLE_BACKWARD; without its strategy */
    int64_t batch, seq_len, channels;
    const struct cuda_properties *device;
    const struct cuda_clusters *clusters; /* NULL: taken to be those of an H100 */
    const struct work_table *work;
    const struct settle *settle;
};

/* One chunk a tile: the kernel runs in order. */
static inline bool strategy_is_sequential(const struct strategy *strategy)
{
    return strategy->tile_chunks == 1 && strategy->cluster == 1;
}

/* Seconds. The parts overlap, so 'seconds' is more than the largest and less than their sum. */
struct prediction {
    double seconds;
    double memory;      /* every tensor once */
    double issue;       /* all instructions through the schedulers */
    double special;     /* ... through the special-function units */
    double latency;     /* of dependent steps, one after another */
    double fill;        /* launch, first tile */
    double corrections; /* of a tile */
};

/* Registers that a thread of a forward kernel without a ring wants over those that it has, about:
 * for states, and for rows that are under way. From what ptxas gave 24 cells in f32 and bf16,
 * within a fifth. assemble_tile() has another figure, the fewest, by which thread blocks are
 * planned for. */
double model_direct_tightness(const struct model_problem *problem, const struct strategy *strategy);

void model_predict(struct prediction *out, const struct model_problem *problem,
                   const struct strategy *strategy);

#endif
