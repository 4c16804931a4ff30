/* Strategies as text, and the table that picks one. Figures: docs/kernels.md. */
#include "handles.h"

#include "status.h"

#include <string.h>

/* One letter and a number for each field. */
static uint32_t *field_of(struct strategy *strategy, char letter)
{
    switch (letter) {
    case 'W':
        return &strategy->tile_chunks;
    case 'S':
        return &strategy->chunk;
    case 'L':
        return &strategy->lanes;
    case 'V':
        return &strategy->vc;
    case 'R':
        return &strategy->stages;
    case 'C':
        return &strategy->cluster;
    default:
        return NULL;
    }
}

prnn_status strategy_read(struct strategy *out, const char *text)
{
    struct strategy read = {.vc = 1, .stages = 2, .cluster = 1};
    const char *at = text;
    while (*at) {
        uint32_t *field = field_of(&read, *at);
        uint32_t number = 0;
        const char *digit = at + 1;
        for (; *digit >= '0' && *digit <= '9' && number < 100000; digit++)
            number = number * 10 + (uint32_t)(*digit - '0');
        if (!field || digit == at + 1 || !number || (*digit && *digit != ' '))
            return status_set(PRNN_E_INVALID,
                              "strategy '%.80s' is not understood at '%.16s', needed is like "
                              "'W8 S16 L32 V1 R2 C1'",
                              text, at);
        *field = number;
        at = digit;
        while (*at == ' ')
            at++;
    }
    if (!read.tile_chunks || !read.chunk || !read.lanes)
        return status_set(PRNN_E_INVALID, "strategy '%.80s' needs at least W, S and L", text);
    *out = read;
    return PRNN_OK;
}

/* A class of shapes by how many independent recurrences there are, and what was fastest in it on an
 * H200 for GRU and LSTM in f32. Few recurrences need many chunks, then clusters, to fill a device. */
struct choice {
    double least_width; /* batch * channels */
    struct strategy forward, backward;
};

static const struct choice choices[] = {
    {24576,
     {.lanes = 32, .vc = 1, .tile_chunks = 1, .chunk = 8, .stages = 6, .cluster = 1},
     {.lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 8, .stages = 2, .cluster = 1}},
    {3072,
     {.lanes = 32, .vc = 1, .tile_chunks = 4, .chunk = 32, .stages = 2, .cluster = 1},
     {.lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 8, .stages = 2, .cluster = 1}},
    {640,
     {.lanes = 8, .vc = 1, .tile_chunks = 16, .chunk = 32, .stages = 2, .cluster = 1},
     {.lanes = 8, .vc = 1, .tile_chunks = 32, .chunk = 8, .stages = 2, .cluster = 1}},
    {0,
     {.lanes = 8, .vc = 1, .tile_chunks = 16, .chunk = 32, .stages = 2, .cluster = 16},
     {.lanes = 8, .vc = 1, .tile_chunks = 16, .chunk = 8, .stages = 2, .cluster = 16}},
};

/* Tangents of larger blocks do not fit the registers of a thread: such a cell runs in order. */
enum { STATES_MAX = 6 };

void strategy_choose(struct strategy *out, const struct backend_shape *shape,
                     enum assemble_kernel kernel)
{
    const double width = (double)shape->batch * (double)shape->channels;
    const struct choice *choice = choices;
    const uint32_t states = shape->counts.states;
    while (width < choice->least_width)
        choice++;
    *out = kernel == ASSEMBLE_BACKWARD ? choice->backward : choice->forward;
    if (kernel == ASSEMBLE_SCAN) {
        /* Jacobians and right-hand sides of a chunk stay in registers. */
        *out = choice->backward;
        out->cluster = 1;
        out->chunk = states == 1 ? 8 : states == 2 ? 4 : 2;
    }
    if (kernel == ASSEMBLE_BACKWARD && states > 2)
        out->chunk = 4;
    if (states > STATES_MAX)
        *out = (struct strategy){
            .lanes = 32, .vc = 1, .tile_chunks = 1, .chunk = 4, .stages = 2, .cluster = 1};
    /* Short sequences fill no wide tile. */
    while (out->tile_chunks > 1 &&
           (int64_t)out->tile_chunks * out->chunk * out->cluster > 2 * shape->seq_len) {
        if (out->cluster > 1)
            out->cluster = 1;
        else if (out->lanes < 32) {
            out->lanes *= 2;
            out->tile_chunks /= 2;
        } else
            out->tile_chunks /= 2;
    }
}

void strategy_limit(struct strategy *strategy, enum assemble_kernel kernel)
{
    /* The backward pass keeps values of every step of a chunk in registers. */
    while (kernel == ASSEMBLE_BACKWARD && strategy->tile_chunks > 1 && strategy->chunk > 8)
        strategy->chunk /= 2;
}
