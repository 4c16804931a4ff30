/* The launch argument as the runtime builds it, and where each scalar stands in it.
 * kernels-gen/abi.h fixes the layout with the counts as constants; here they come from the cell. */
#ifndef PRNN_LAUNCH_ARGS_H
#define PRNN_LAUNCH_ARGS_H

#include "abi.h"

#include <stddef.h>
#include <stdint.h>

/* Scalars of a launch. A cell that needs more is refused when its plan is made: the argument lives
 * on the stack of the call, since nothing may be allocated then. */
enum { LAUNCH_ARGS_MAX = 2048 };

struct launch {
    struct prnn_launch_head head;
    struct prnn_arg args[LAUNCH_ARGS_MAX];
};

/* First scalar of each group: PRNN_ARG_* of abi.h. */
struct launch_places {
    uint32_t x, h, y, p, h0, ht;
    uint32_t forward_count; /* scalars of a forward launch */
    uint32_t gh, gy, ght, dx, dp, dh0;
    uint32_t backward_count; /* ... of a backward launch, which begins with those of forward */
};

/* 'outputs' counts expressions only: those that are plainly a state are its trajectory. */
void launch_places_find(struct launch_places *out, const struct prnn_counts *counts);

/* Bytes of a launch argument with 'count' scalars. */
size_t launch_bytes(uint32_t count);

#endif
