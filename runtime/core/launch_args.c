#include "launch_args.h"

#include <stddef.h>

_Static_assert(sizeof(struct prnn_arg) == 24, "kernel text and runtime agree");
_Static_assert(sizeof(struct prnn_launch_head) == 96, "kernel text and runtime agree");
_Static_assert(sizeof(struct prnn_block_report) == 56, "kernel text and runtime agree");
_Static_assert(offsetof(struct prnn_launch_head, tolerance) == 72, "kernel text and runtime agree");
_Static_assert(offsetof(struct launch, args) == sizeof(struct prnn_launch_head),
               "the scalars follow the head");

void launch_places_find(struct launch_places *out, const struct prnn_counts *counts)
{
    out->x = 0;
    out->h = out->x + counts->inputs;
    out->y = out->h + counts->states;
    out->p = out->y + counts->outputs;
    out->h0 = out->p + counts->params;
    out->ht = out->h0 + counts->states;
    out->forward_count = out->ht + counts->states;
    out->gh = out->forward_count;
    out->gy = out->gh + counts->states;
    out->ght = out->gy + counts->outputs;
    out->dx = out->ght + counts->states;
    out->dp = out->dx + counts->inputs;
    out->dh0 = out->dp + counts->params;
    out->backward_count = out->dh0 + counts->states;
}

size_t launch_bytes(uint32_t count)
{
    return offsetof(struct launch, args) + count * sizeof(struct prnn_arg);
}
