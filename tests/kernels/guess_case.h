/* Forward kernels that solve a tile from guesses, in one thread block and in clusters, and the one
 * that runs in order, on the same tensors; cells that forget or keep as their inputs say. */
#ifndef PRNN_GUESS_CASE_H
#define PRNN_GUESS_CASE_H

#include "kernel_case.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS = 4, CHUNK = 96, PARTS = 4 };
/* Steps before an entry that a guess is taken from, in single precision. */
enum { GUESS = 48 };
/* Kernels of one or two channels a thread, of one to three thread blocks a cluster. */
enum { WAYS = 6 };
enum { CHANNELS = 16, ALL = -1 };
__attribute__((unused)) static const double TOLERANCE = 1e-6;
/* Every part may begin off by the tolerance, for states of 1. A part that forgets leaves nothing of
 * that, one that remembers hands 0.98 of it on. */
enum { FORGOTTEN = 4, REMEMBERED = 60 };
/* What a channel that remembers keeps from a step to the next: 0.69 over a chunk; a bf16, too. */
__attribute__((unused)) static const double SLOW = 1 - 0x1p-8;

static inline int vc_of(int way)
{
    return 1 + way % 2;
}

static inline int cluster_of(int way)
{
    return 1 + way / 2 % 3;
}

/* Of kinds that come three times each, in a row: all clusters, one or two channels in turn. */
enum { TIMES = 3 };
static inline int way_of(int i)
{
    return i % TIMES * 2 + (i / TIMES + i % TIMES) % 2;
}

static inline int chunks_of(int way)
{
    return CHUNKS * cluster_of(way);
}

static inline int64_t tile_of(int way)
{
    return (int64_t)CHUNK * chunks_of(way);
}

static inline struct assemble_options options_of(int way)
{
    return (struct assemble_options){.kernel = ASSEMBLE_FORWARD,
                                     .mode = ASSEMBLE_STRICT,
                                     .strategy = {.lanes = 8,
                                                  .vc = (uint32_t)vc_of(way),
                                                  .tile_chunks = CHUNKS,
                                                  .chunk = CHUNK,
                                                  .stages = 0,
                                                  .cluster = (uint32_t)cluster_of(way)}};
}

static inline struct kernel_shape shape_of(int64_t steps, int64_t channels)
{
    return (struct kernel_shape){.batch = 1,
                                 .steps = steps,
                                 .channels = channels,
                                 .is_aligned = channels % 4 == 0,
                                 .has_h0 = true,
                                 .tolerance = TOLERANCE,
                                 .gain = 1};
}

/* The same tensors for a kernel that guesses, perhaps with changes of its text, and one that runs
 * in order. */
struct pair {
    struct kernel_plan plan, alone;
    struct kernel_data got, want;
};

static inline void pair_load(struct pair *pair, const char *cell,
                             const struct assemble_options *options,
                             const struct kernel_edit *edits)
{
    struct assemble_options guessing = *options, in_order = *options;
    kernel_strategy_fit(&guessing);
    in_order.strategy = (struct strategy){
        .lanes = 32, .vc = 1, .tile_chunks = 1, .chunk = 8, .stages = 2, .cluster = 1};
    ck_assert(assemble_is_guessing(&guessing));
    if (edits)
        kernel_plan_load_edited(&pair->plan, cell, &guessing, edits);
    else
        kernel_plan_load(&pair->plan, cell, &guessing, NULL);
    kernel_plan_load(&pair->alone, cell, &in_order, NULL);
}

static inline void pair_unload(struct pair *pair)
{
    kernel_plan_free(&pair->plan);
    kernel_plan_free(&pair->alone);
}

static inline void pair_shape(struct pair *pair, const struct kernel_shape *shape)
{
    kernel_data_create(&pair->got, &pair->plan, shape);
    kernel_data_create(&pair->want, &pair->alone, shape);
}

static inline void pair_unshape(struct pair *pair)
{
    kernel_data_free(&pair->got);
    kernel_data_free(&pair->want);
}

static inline void pair_create(struct pair *pair, const char *cell, int way,
                               const struct kernel_shape *shape, const struct kernel_edit *edits)
{
    const struct assemble_options options = options_of(way);
    pair_load(pair, cell, &options, edits);
    pair_shape(pair, shape);
}

static inline void pair_free(struct pair *pair)
{
    pair_unshape(pair);
    pair_unload(pair);
}

/* An element, in both. */
static inline void pair_set(struct pair *pair, enum kernel_group group, uint32_t k, size_t i,
                            double v)
{
    kernel_set(kernel_tensor_of(&pair->got, group, k), i, v);
    kernel_set(kernel_tensor_of(&pair->want, group, k), i, v);
}

/* Of one sequence that is neither packed nor reversed. */
static inline void pair_set_input(struct pair *pair, uint32_t k, int64_t step, int64_t channel,
                                  double v)
{
    pair_set(pair, GROUP_X, k, (size_t)(step * pair->got.shape.channels + channel), v);
}

static inline void pair_run(struct pair *pair)
{
    kernel_data_run(&pair->got, SHIM_RANDOM);
    kernel_data_run(&pair->want, SHIM_FORWARD);
}

/* The largest difference within a group, against 1; of two NaN there is none. */
static inline double error_of(struct pair *pair, enum kernel_group group)
{
    double error = 0;
    for (uint32_t k = 0; k < pair->got.counts[group]; k++) {
        const struct kernel_tensor *a = kernel_tensor_of(&pair->got, group, k),
                                   *b = kernel_tensor_of(&pair->want, group, k);
        ck_assert_uint_eq(a->count, b->count);
        for (size_t i = 0; i < a->count && a->is_written; i++) {
            const double x = kernel_get(a, i), y = kernel_get(b, i);
            if (isnan(x) != isnan(y))
                return INFINITY;
            error = fmax(error, fabs(x - y));
        }
    }
    return error;
}

static inline double pair_error(struct pair *pair)
{
    return fmax(error_of(pair, GROUP_H), fmax(error_of(pair, GROUP_Y), error_of(pair, GROUP_HT)));
}

static inline uint64_t corrections_of(const struct kernel_data *data)
{
    uint64_t sum = 0;
    for (int b = 0; b < data->grid; b++)
        sum += data->report[b].sum_corrections;
    return sum;
}

/* Of the tile that took most. */
static inline uint64_t passes_of(const struct kernel_data *data)
{
    uint64_t most = 0;
    for (int b = 0; b < data->grid; b++)
        if (data->report[b].max_corrections > most)
            most = data->report[b].max_corrections;
    return most;
}

static inline double mismatch_of(const struct kernel_data *data)
{
    double mismatch = 0;
    for (int b = 0; b < data->grid; b++)
        mismatch = fmax(mismatch, data->report[b].mismatch);
    return mismatch;
}

/* Thread blocks that tell of inf or NaN. */
static inline uint64_t nonfinite_of(const struct kernel_data *data)
{
    uint64_t blocks = 0;
    for (int b = 0; b < data->grid; b++)
        blocks += data->report[b].nonfinite;
    return blocks;
}

/* What is promised of every run, wherever it comes from: the answer, within so many tolerances, the
 * certificate, an end. */
static inline void check_pair(struct pair *pair, int tolerances)
{
    const double tolerance = pair->got.shape.tolerance;
    ck_assert_double_le(pair_error(pair), tolerances * tolerance);
    ck_assert_double_le(mismatch_of(&pair->got), tolerance);
    ck_assert_uint_le(passes_of(&pair->got), kernel_passes_most(&pair->plan.options.strategy));
}

__attribute__((unused)) static const char forgets[] =
    "cell forgets { state h; input u; h' = tanh(0.3*h + u); }";
/* 0.98^48 = 0.38: a guess will not do. */
__attribute__((unused)) static const char remembers[] =
    "cell remembers { state h; input u; h' = 0.98*h + 0.02*tanh(u); }";
/* Its second input says what it keeps. */
__attribute__((unused)) static const char keeps[] =
    "cell keeps { state h; input u, g; h' = g*h + (1 - g)*tanh(u); }";
/* ... and does not keep what is not a number. */
__attribute__((unused)) static const char recovers[] =
    "cell recovers { state h; input u, g; h' = g*where(h > -4, h, 0) + (1 - g)*tanh(u); }";
/* ... and is not linear, so that tangents do not say all. */
__attribute__((unused)) static const char bends[] =
    "cell bends { state h; input u, g; h' = g*h + (1 - g)*tanh(u + g*h); }";

/* In all channels, or in one. */
static inline void keep(struct pair *pair, int channel, int64_t from, int64_t to, double g)
{
    const struct kernel_shape *shape = &pair->got.shape;
    for (int64_t b = 0; b < shape->batch; b++)
        for (int64_t t = from; t < to && t < pair->got.length[b]; t++)
            for (int64_t c = 0; c < shape->channels; c++)
                if (channel == ALL || c == channel)
                    pair_set(pair, GROUP_X, 1,
                             (size_t)(kernel_row(&pair->got, b, t) * shape->channels + c), g);
}

/* The others forget: 0.25^48 = 1e-29. */
static inline void remember(struct pair *pair, const int *channels, int count)
{
    keep(pair, ALL, 0, pair->got.shape.steps, 0.25);
    for (int i = 0; i < count; i++)
        keep(pair, channels[i], 0, pair->got.shape.steps, SLOW);
}

/* What a guess begins with is what it ends with. */
static inline void mislead(struct pair *pair, int channel, int64_t entry)
{
    keep(pair, channel, entry - GUESS, entry, 1);
}

#endif
