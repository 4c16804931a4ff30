/* Strategies worth measuring. */
#ifndef PRNN_CANDIDATE_H
#define PRNN_CANDIDATE_H

#include "arena.h"
#include "assemble.h"
#include "cuda_device.h"

#include <stdint.h>

struct candidate_list {
    struct strategy *strategies;
    uint32_t count, sequential; /* the first ones run in order: one chunk a tile */
};

/* The problem that candidates are for. 'options' is that of the kernel without its strategy. */
struct candidate_problem {
    const struct unit *unit;
    const struct cuda_properties *device;
    struct assemble_options options;
    int64_t batch, seq_len, channels;
    uint32_t most; /* candidates; the likelier ones are kept */
};

/* A grid of strategies that the device can hold and that fill it reasonably. */
void candidate_grid(struct candidate_list *out, const struct candidate_problem *problem,
                    struct arena *arena);

/* One strategy a line, perhaps with "forward" or "backward" before it; '#' begins a comment. NULL,
 * or the number and words of the first line that is not understood. */
const char *candidate_read(struct candidate_list *out, const char *text, bool is_backward,
                           struct arena *arena);

/* "W8 S16 L32 V1 R2 C1"; in 'arena'. */
const char *candidate_text(const struct strategy *strategy, struct arena *arena);

#endif
