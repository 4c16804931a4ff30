/* Kernels without a ring and the one that runs in order, on the same tensors; a cell that forgets
 * or keeps as its inputs say. */
#ifndef PRNN_GUESS_CASE_H
#define PRNN_GUESS_CASE_H

#include "kernel_case.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { CHUNKS = 4, CHUNK = 96, TILE = CHUNKS * CHUNK };
/* Of a guess in single precision: steps that show how soon the cell forgets, and those behind. */
enum { SHOWING = 24, EXACT = 32 };
static const double TOLERANCE = 1e-6;

/* One or two channels a thread; thread blocks of a cluster. */
static inline struct assemble_options options_of(int vc, int cluster, bool in_order)
{
    struct assemble_options options = {.kernel = ASSEMBLE_FORWARD,
                                       .mode = ASSEMBLE_STRICT,
                                       .strategy = {.lanes = 8,
                                                    .vc = (uint32_t)vc,
                                                    .tile_chunks = CHUNKS,
                                                    .chunk = CHUNK,
                                                    .stages = 0,
                                                    .cluster = (uint32_t)cluster}};
    if (in_order)
        options.strategy = (struct strategy){
            .lanes = 32, .vc = 1, .tile_chunks = 1, .chunk = 8, .stages = 2, .cluster = 1};
    kernel_strategy_fit(&options);
    return options;
}

struct pair {
    struct kernel_plan plan, alone;
    struct kernel_data got, want;
};

/* The same tensors for a kernel that guesses, perhaps with changes of its text, and one in order.
 */
static inline void pair_create(struct pair *pair, const char *cell, int vc, int cluster,
                               const struct kernel_shape *shape, const struct kernel_edit *edits)
{
    const struct assemble_options guessing = options_of(vc, cluster, false),
                                  in_order = options_of(vc, 1, true);
    ck_assert(cluster > 1 ? assemble_has_secants(&guessing) : assemble_is_guessing(&guessing));
    if (edits)
        kernel_plan_load_edited(&pair->plan, cell, &guessing, edits);
    else
        kernel_plan_load(&pair->plan, cell, &guessing, NULL);
    kernel_plan_load(&pair->alone, cell, &in_order, NULL);
    kernel_data_create(&pair->got, &pair->plan, shape);
    kernel_data_create(&pair->want, &pair->alone, shape);
}

static inline void pair_run(struct pair *pair)
{
    kernel_data_run(&pair->got, SHIM_RANDOM);
    kernel_data_run(&pair->want, SHIM_FORWARD);
}

static inline void pair_free(struct pair *pair)
{
    kernel_data_free(&pair->got);
    kernel_data_free(&pair->want);
    kernel_plan_free(&pair->plan);
    kernel_plan_free(&pair->alone);
}

/* The largest difference of the first state, against 1. */
static inline double pair_error(struct pair *pair)
{
    const struct kernel_tensor *a = kernel_tensor_of(&pair->got, GROUP_H, 0),
                               *b = kernel_tensor_of(&pair->want, GROUP_H, 0);
    double error = 0;
    ck_assert_uint_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        error = fmax(error, fabs(kernel_get(a, i) - kernel_get(b, i)));
    return error;
}

static inline uint64_t corrections_of(const struct kernel_data *data)
{
    uint64_t sum = 0;
    for (int b = 0; b < data->grid; b++)
        sum += data->report[b].sum_corrections;
    return sum;
}

static inline double mismatch_of(const struct kernel_data *data)
{
    double mismatch = 0;
    for (int b = 0; b < data->grid; b++)
        mismatch = fmax(mismatch, data->report[b].mismatch);
    return mismatch;
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

/* Its second input says what it keeps. */
__attribute__((unused)) static const char keeps[] =
    "cell keeps { state h; input u, g; h' = g*h + (1 - g)*tanh(u); }";

/* ... and does not keep what is not a number. */
__attribute__((unused)) static const char recovers[] =
    "cell recovers { state h; input u, g; h' = g*where(h > -4, h, 0) + (1 - g)*tanh(u); }";

/* In all channels, or in one. */
enum { ALL = -1 };
static inline void keep(struct pair *pair, int channel, int64_t from, int64_t to, double g)
{
    struct kernel_data *const both[] = {&pair->got, &pair->want};
    for (int d = 0; d < 2; d++)
        for (int64_t t = from; t < to; t++)
            for (int64_t c = 0; c < both[d]->shape.channels; c++)
                if (channel == ALL || c == channel)
                    kernel_set(kernel_tensor_of(both[d], GROUP_X, 1),
                               (size_t)(kernel_row(both[d], 0, t) * both[d]->shape.channels + c),
                               g);
}

/* Before an entry: forget as far as it shows, 0.8^24 = 0.005, which would do if it went on; then
 * keep all. */
static inline void mislead(struct pair *pair, int channel, int64_t entry)
{
    keep(pair, channel, entry - SHOWING - EXACT, entry - EXACT, 0.8);
    keep(pair, channel, entry - EXACT, entry, 1);
}

/* A kernel that takes every guess, by these changes of its text, tells where it is wrong. */
static inline void check_wrong_guess_is_told(int vc, int cluster,
                                             const struct kernel_edit *careless, int channel,
                                             int chunk)
{
    const int64_t entry = TILE + (int64_t)chunk * CHUNK;
    const struct kernel_shape shape = shape_of(3 * TILE, 16);
    int told_of = 0;
    struct pair pair;
    pair_create(&pair, keeps, vc, cluster, &shape, careless);
    keep(&pair, ALL, 0, 3 * TILE, 0.2);
    mislead(&pair, channel, entry);
    pair_run(&pair);
    ck_assert_double_gt(pair_error(&pair), 10 * TOLERANCE);
    for (int b = 0; b < pair.got.grid; b++) {
        const struct prnn_block_report *report = &pair.got.report[b];
        if (!(report->mismatch > TOLERANCE))
            continue;
        told_of++;
        ck_assert_int_eq(report->step, entry);
        ck_assert_int_eq(report->channel, channel);
    }
    ck_assert_int_eq(told_of, 1);
    pair_free(&pair);
}

/* A state of a cell that recovers is NaN once, at 'step', where nothing is run again; the guess of
 * 'entry' is wrong. */
static inline void check_nonfinite_is_told(int vc, int cluster, int64_t entry, int64_t step)
{
    enum { CHANNELS = 16, CHANNEL = 5 };
    const struct kernel_shape shape = shape_of((int64_t)cluster * TILE, CHANNELS);
    uint32_t nonfinite = 0;
    struct pair pair;
    pair_create(&pair, recovers, vc, cluster, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.2);
    mislead(&pair, CHANNEL, entry);
    for (int d = 0; d < 2; d++)
        kernel_set(kernel_tensor_of(d ? &pair.got : &pair.want, GROUP_X, 0),
                   (size_t)step * CHANNELS + CHANNEL, NAN);
    pair_run(&pair);
    const struct kernel_tensor *h = kernel_tensor_of(&pair.got, GROUP_H, 0);
    ck_assert(isnan(kernel_get(h, (size_t)step * CHANNELS + CHANNEL)));
    ck_assert(!isnan(kernel_get(h, (size_t)(step + 1) * CHANNELS + CHANNEL)));
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    for (int b = 0; b < pair.got.grid; b++)
        nonfinite += pair.got.report[b].nonfinite;
    ck_assert_uint_eq(nonfinite, 1);
    pair_free(&pair);
}

#endif
