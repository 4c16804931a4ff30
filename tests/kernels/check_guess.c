/* Forward kernels that solve a tile from guesses, in one thread block and in clusters: what they do
 * where a guess is wrong, and that the answer is right whatever they do. */
#include "kernel_case.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS = 4, CHUNK = 96, PARTS = 4 };
/* Steps before an entry that a guess is taken from, in single precision. */
enum { GUESS = 48 };
/* As kernels-gen/tile_guess.h: behind them each pass makes one more chunk right. */
enum { NEWTON_PASSES = 12 };
/* Kernels of one or two channels a thread, of one to three thread blocks a cluster. */
enum { WAYS = 6 };
enum { CHANNELS = 16, ALL = -1 };
static const double TOLERANCE = 1e-6;
/* Every part may begin off by the tolerance, for states of 1. A part that forgets leaves nothing of
 * that, one that remembers hands 0.98 of it on. */
enum { FORGOTTEN = 4, REMEMBERED = 60 };
/* What a channel that remembers keeps from a step to the next: 0.69 over a chunk; a bf16, too. */
static const double SLOW = 1 - 0x1p-8;

static int vc_of(int way)
{
    return 1 + way % 2;
}

static int cluster_of(int way)
{
    return 1 + way / 2 % 3;
}

/* Of kinds that come three times each, in a row: all clusters, one or two channels in turn. */
enum { TIMES = 3 };
static int way_of(int i)
{
    return i % TIMES * 2 + (i / TIMES + i % TIMES) % 2;
}

static int chunks_of(int way)
{
    return CHUNKS * cluster_of(way);
}

static int64_t tile_of(int way)
{
    return (int64_t)CHUNK * chunks_of(way);
}

static struct assemble_options options_of(int way)
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

static struct kernel_shape shape_of(int64_t steps, int64_t channels)
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

static void pair_load(struct pair *pair, const char *cell, const struct assemble_options *options,
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

static void pair_unload(struct pair *pair)
{
    kernel_plan_free(&pair->plan);
    kernel_plan_free(&pair->alone);
}

static void pair_shape(struct pair *pair, const struct kernel_shape *shape)
{
    kernel_data_create(&pair->got, &pair->plan, shape);
    kernel_data_create(&pair->want, &pair->alone, shape);
}

static void pair_unshape(struct pair *pair)
{
    kernel_data_free(&pair->got);
    kernel_data_free(&pair->want);
}

static void pair_create(struct pair *pair, const char *cell, int way,
                        const struct kernel_shape *shape, const struct kernel_edit *edits)
{
    const struct assemble_options options = options_of(way);
    pair_load(pair, cell, &options, edits);
    pair_shape(pair, shape);
}

static void pair_free(struct pair *pair)
{
    pair_unshape(pair);
    pair_unload(pair);
}

/* An element, in both. */
static void pair_set(struct pair *pair, enum kernel_group group, uint32_t k, size_t i, double v)
{
    kernel_set(kernel_tensor_of(&pair->got, group, k), i, v);
    kernel_set(kernel_tensor_of(&pair->want, group, k), i, v);
}

/* Of one sequence that is neither packed nor reversed. */
static void pair_set_input(struct pair *pair, uint32_t k, int64_t step, int64_t channel, double v)
{
    pair_set(pair, GROUP_X, k, (size_t)(step * pair->got.shape.channels + channel), v);
}

static void pair_run(struct pair *pair)
{
    kernel_data_run(&pair->got, SHIM_RANDOM);
    kernel_data_run(&pair->want, SHIM_FORWARD);
}

/* The largest difference within a group, against 1; of two NaN there is none. */
static double error_of(struct pair *pair, enum kernel_group group)
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

static double pair_error(struct pair *pair)
{
    return fmax(error_of(pair, GROUP_H), fmax(error_of(pair, GROUP_Y), error_of(pair, GROUP_HT)));
}

static uint64_t corrections_of(const struct kernel_data *data)
{
    uint64_t sum = 0;
    for (int b = 0; b < data->grid; b++)
        sum += data->report[b].sum_corrections;
    return sum;
}

/* Of the tile that took most. */
static uint64_t passes_of(const struct kernel_data *data)
{
    uint64_t most = 0;
    for (int b = 0; b < data->grid; b++)
        if (data->report[b].max_corrections > most)
            most = data->report[b].max_corrections;
    return most;
}

static double mismatch_of(const struct kernel_data *data)
{
    double mismatch = 0;
    for (int b = 0; b < data->grid; b++)
        mismatch = fmax(mismatch, data->report[b].mismatch);
    return mismatch;
}

/* Thread blocks that tell of inf or NaN. */
static uint64_t nonfinite_of(const struct kernel_data *data)
{
    uint64_t blocks = 0;
    for (int b = 0; b < data->grid; b++)
        blocks += data->report[b].nonfinite;
    return blocks;
}

/* What is promised of every run, wherever it comes from: the answer, within so many tolerances, the
 * certificate, an end. */
static void check_pair(struct pair *pair, int tolerances)
{
    const struct strategy *s = &pair->plan.options.strategy;
    const double tolerance = pair->got.shape.tolerance;
    ck_assert_double_le(pair_error(pair), tolerances * tolerance);
    ck_assert_double_le(mismatch_of(&pair->got), tolerance);
    ck_assert_uint_le(passes_of(&pair->got), NEWTON_PASSES + s->tile_chunks * s->cluster - 1);
}

static const char forgets[] = "cell forgets { state h; input u; h' = tanh(0.3*h + u); }";
/* 0.98^48 = 0.38: a guess will not do. */
static const char remembers[] = "cell remembers { state h; input u; h' = 0.98*h + 0.02*tanh(u); }";
/* Its second input says what it keeps. */
static const char keeps[] = "cell keeps { state h; input u, g; h' = g*h + (1 - g)*tanh(u); }";
/* ... and does not keep what is not a number. */
static const char recovers[] =
    "cell recovers { state h; input u, g; h' = g*where(h > -4, h, 0) + (1 - g)*tanh(u); }";
/* ... and is not linear, so that tangents do not say all. */
static const char bends[] = "cell bends { state h; input u, g; h' = g*h + (1 - g)*tanh(u + g*h); }";

/* In all channels, or in one. */
static void keep(struct pair *pair, int channel, int64_t from, int64_t to, double g)
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
static void remember(struct pair *pair, const int *channels, int count)
{
    keep(pair, ALL, 0, pair->got.shape.steps, 0.25);
    for (int i = 0; i < count; i++)
        keep(pair, channels[i], 0, pair->got.shape.steps, SLOW);
}

/* What a guess begins with is what it ends with. */
static void mislead(struct pair *pair, int channel, int64_t entry)
{
    keep(pair, channel, entry - GUESS, entry, 1);
}

/* -- guesses ----------------------------------------------------------------------------------- */

/* Also that of a last chunk of one step. */
START_TEST(where_the_cell_forgets_guesses_are_all)
{
    const struct kernel_shape shape = shape_of(3 * tile_of(_i) + CHUNK + 1, CHANNELS);
    struct pair pair;
    pair_create(&pair, forgets, _i, &shape, NULL);
    pair_run(&pair);
    kernel_data_check(&pair.got);
    ck_assert_uint_eq(corrections_of(&pair.got), 0);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    pair_free(&pair);
}
END_TEST

/* It forgets nothing, but there is nothing to forget. */
START_TEST(a_state_that_stays_where_it_is_needs_no_pass)
{
    const struct kernel_shape shape = shape_of(2 * tile_of(_i), CHANNELS);
    struct pair pair;
    pair_create(&pair, keeps, _i, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    keep(&pair, 2, 0, shape.steps, 1);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    ck_assert_uint_eq(corrections_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

/* 0.92^216 is 2e-8: a guess from so many steps needs no pass, if the chunk before has them. */
static uint64_t passes_from(int way, uint32_t chunk, uint32_t guess)
{
    enum { TILES = 3 };
    struct assemble_options options = options_of(way);
    options.mode = ASSEMBLE_ACCURATE;
    options.strategy.chunk = chunk;
    options.strategy.guess = guess;
    struct kernel_shape shape = shape_of((int64_t)TILES * chunks_of(way) * chunk, 4);
    struct kernel_plan plan;
    struct kernel_data data;
    shape.has_h0 = false;
    kernel_plan_load(&plan, "cell remembers { state h; input u; h' = 0.9*h + 0.02*tanh(h + u); }",
                     &options, NULL);
    kernel_data_create(&data, &plan, &shape);
    kernel_data_run(&data, SHIM_RANDOM);
    kernel_data_check(&data);
    const uint64_t sum = corrections_of(&data);
    kernel_data_free(&data);
    kernel_plan_free(&plan);
    return sum;
}

START_TEST(a_guess_from_more_steps_needs_no_pass)
{
    const int way = 2 * _i;
    ck_assert_uint_eq(passes_from(way, 240, 216), 0);
    ck_assert_uint_gt(passes_from(way, 240, 80), 0);
    ck_assert_uint_gt(passes_from(way, 96, 216), 0);
}
END_TEST

/* Steps 2 GiB apart, or pairs of channels that do not start at a multiple of their size: nothing is
 * read ahead, so every chunk begins with the initial state, and one pass makes all right. */
START_TEST(what_is_not_read_ahead_is_not_guessed)
{
    struct kernel_shape shape = shape_of(2 * tile_of(_i) + 7, vc_of(_i) == 2 ? 9 : CHANNELS);
    struct pair pair;
    shape.is_far = vc_of(_i) == 1;
    pair_create(&pair, forgets, _i, &shape, NULL);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    for (int b = 0; b < pair.got.grid; b++)
        ck_assert_uint_eq(pair.got.report[b].sum_corrections, 2);
    pair_free(&pair);
}
END_TEST

/* -- certificate ------------------------------------------------------------------------------- */

/* A kernel that takes every guess tells where it is wrong. */
START_TEST(a_guess_that_is_taken_though_wrong_is_in_the_certificate)
{
    static const struct kernel_edit careless[] = {
        {"        if (!all_or(k, off | loose))\n", "        if (!(all_or(k, off | loose) & 0))\n"},
        {0}};
    const int way = way_of(_i), channel = 5 * (_i / TIMES),
              chunk = 1 + 5 * _i % (chunks_of(way) - 1);
    const int64_t tile = tile_of(way), entry = tile + (int64_t)chunk * CHUNK;
    const struct kernel_shape shape = shape_of(3 * tile, CHANNELS);
    int told_of = 0;
    struct pair pair;
    pair_create(&pair, keeps, way, &shape, careless);
    keep(&pair, ALL, 0, shape.steps, 0.25);
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
END_TEST

/* A lane that comes upon a state that has been there ends. What it takes for the same is told. */
START_TEST(what_is_left_where_a_lane_ends_is_in_the_certificate)
{
    static const struct kernel_edit careless[] = {
        {"#define PRNN_MEETING ((prnn_real)0.125)\n", "#define PRNN_MEETING ((prnn_real)1e5)\n"},
        {0}};
    const int64_t entry = tile_of(_i) - 2 * CHUNK;
    const struct kernel_shape shape = shape_of(tile_of(_i), CHANNELS);
    struct pair pair;
    pair_create(&pair, keeps, _i, &shape, careless);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    /* A guess that is far off makes the states large; those of the run that follows are below 1. */
    pair_set(&pair, GROUP_H0, 0, 7, 10);
    mislead(&pair, 7, entry);
    keep(&pair, 7, entry, entry + CHUNK, 0.9);
    pair_run(&pair);
    ck_assert_double_gt(pair_error(&pair), 10 * TOLERANCE);
    ck_assert_double_gt(mismatch_of(&pair.got), 0.5 * pair_error(&pair));
    pair_free(&pair);
}
END_TEST

/* The largest difference of a state of 'bends' and what the cell makes of the state before it. */
static double largest_jump(struct kernel_data *data)
{
    const struct kernel_tensor *h = kernel_tensor_of(data, GROUP_H, 0),
                               *u = kernel_tensor_of(data, GROUP_X, 0),
                               *g = kernel_tensor_of(data, GROUP_X, 1);
    double jump = 0;
    for (size_t i = (size_t)data->shape.channels; i < h->count; i++) {
        const double before = kernel_get(h, i - (size_t)data->shape.channels),
                     kept = kernel_get(g, i),
                     next = kept * before + (1 - kept) * tanh(kernel_get(u, i) + kept * before);
        jump = fmax(jump, fabs(kernel_get(h, i) - next));
    }
    return jump;
}

/* A kernel that looks at the ends of chunks alone tells what is left between parts. */
START_TEST(what_is_left_within_a_chunk_is_in_the_certificate)
{
    static const struct kernel_edit careless[] = {
        {"        if (!all_or(k, off | loose))\n", "        if (!all_or(k, off))\n"}, {0}};
    static const int channel = 5;
    /* The last of three chunks begins where it should, and nobody takes its exit. */
    const struct kernel_shape shape = shape_of(3 * CHUNK, CHANNELS);
    int told_of = 0;
    struct pair pair;
    pair_create(&pair, bends, _i, &shape, careless);
    remember(&pair, &channel, 1);
    pair_set(&pair, GROUP_H0, 0, (size_t)channel, 3);
    pair_run(&pair);
    ck_assert_double_gt(largest_jump(&pair.got), 10 * TOLERANCE);
    for (int b = 0; b < pair.got.grid; b++) {
        const struct prnn_block_report *report = &pair.got.report[b];
        if (!(report->mismatch > TOLERANCE))
            continue;
        told_of++;
        ck_assert_int_eq(report->step, 2 * CHUNK);
        ck_assert_int_eq(report->channel, channel);
    }
    ck_assert_int_eq(told_of, 1);
    pair_free(&pair);
}
END_TEST

/* Whatever is left anywhere: no step is further from the cell's than the certificate says, where
 * states are below 1, but for roundings. */
START_TEST(no_step_is_further_off_than_the_certificate_says)
{
    static const int slow[] = {0, 3, 8, 13};
    const int way = way_of(_i);
    struct kernel_shape shape = shape_of(tile_of(way) + 5, CHANNELS);
    struct pair pair;
    shape.tolerance = _i / TIMES ? 1e-3 : 1e-4;
    pair_create(&pair, bends, way, &shape, NULL);
    remember(&pair, slow, 4);
    mislead(&pair, 5, 2 * CHUNK);
    keep(&pair, 5, 2 * CHUNK, 3 * CHUNK, 0.9);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    const double jump = largest_jump(&pair.got);
    ck_assert_double_gt(jump, 1e-6);
    ck_assert_double_le(jump, mismatch_of(&pair.got) + 0x1p-22);
    pair_free(&pair);
}
END_TEST

/* One channel is run again; of another, of the same thread, the guess is wrong by less than the
 * tolerance and stays. */
START_TEST(what_is_not_run_again_keeps_its_mismatch)
{
    struct kernel_shape shape = shape_of(tile_of(_i), CHANNELS);
    struct pair pair;
    shape.tolerance = 0.1;
    pair_create(&pair, bends, _i, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    for (size_t c = 4; c < 6; c++)
        pair_set(&pair, GROUP_H0, 0, c, 0.9);
    mislead(&pair, 4, 2 * CHUNK);
    keep(&pair, 5, 2 * CHUNK - GUESS, 2 * CHUNK + 1, 0.8);
    pair_run(&pair);
    check_pair(&pair, 1);
    ck_assert_uint_eq(passes_of(&pair.got), 1);
    ck_assert_double_gt(largest_jump(&pair.got), 0.001);
    ck_assert_double_le(largest_jump(&pair.got), mismatch_of(&pair.got));
    pair_free(&pair);
}
END_TEST

/* States of 0.001, and as much less is left. */
START_TEST(the_tolerance_is_of_the_size_of_the_states)
{
    static const double size = 0.001;
    static const int slow[] = {3, 8};
    struct kernel_shape shape = shape_of(tile_of(_i), CHANNELS);
    struct pair pair;
    shape.tolerance = 1e-4;
    shape.has_h0 = false;
    pair_create(&pair, "cell small { state h; input u, g; h' = g*h + (1 - g)*0.001*tanh(u); }", _i,
                &shape, NULL);
    remember(&pair, slow, 2);
    pair_run(&pair);
    ck_assert_double_le(mismatch_of(&pair.got), shape.tolerance);
    ck_assert_double_le(pair_error(&pair), REMEMBERED * shape.tolerance * size);
    pair_free(&pair);
}
END_TEST

/* A state of one channel that is NaN stays its own, and is told. */
START_TEST(what_is_not_finite_is_told_on_every_way)
{
    const int way = way_of(_i);
    const struct kernel_shape shape = shape_of(2 * tile_of(way), CHANNELS);
    struct pair pair;
    pair_create(&pair, _i / TIMES ? remembers : forgets, way, &shape, NULL);
    pair_set_input(&pair, 0, tile_of(way) + 5, 3, NAN);
    pair_run(&pair);
    ck_assert_double_le(pair_error(&pair), REMEMBERED * TOLERANCE);
    ck_assert_uint_ge(nonfinite_of(&pair.got), 1);
    ck_assert_uint_le(nonfinite_of(&pair.got), (uint64_t)cluster_of(way));
    pair_free(&pair);
}
END_TEST

/* A state is NaN once and forgotten, where nothing is run again: in the chunk behind one that is,
 * and behind where a lane ends. */
START_TEST(what_is_not_run_again_is_told_of)
{
    static const struct {
        int64_t entry, step;
    } cases[] = {{CHUNK, 2 * CHUNK + 70}, {3 * CHUNK, 3 * CHUNK + 70}};
    enum { CHANNEL = 5 };
    const int way = way_of(_i);
    const int64_t step = cases[_i / TIMES].step;
    const struct kernel_shape shape = shape_of(tile_of(way), CHANNELS);
    struct pair pair;
    pair_create(&pair, recovers, way, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    mislead(&pair, CHANNEL, cases[_i / TIMES].entry);
    pair_set_input(&pair, 0, step, CHANNEL, NAN);
    pair_run(&pair);
    const struct kernel_tensor *h = kernel_tensor_of(&pair.got, GROUP_H, 0);
    ck_assert(isnan(kernel_get(h, (size_t)step * CHANNELS + CHANNEL)));
    ck_assert(!isnan(kernel_get(h, (size_t)(step + 1) * CHANNELS + CHANNEL)));
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    ck_assert_uint_eq(nonfinite_of(&pair.got), 1);
    pair_free(&pair);
}
END_TEST

/* The same where it is run again, as a whole or in parts. */
START_TEST(what_is_not_finite_in_what_is_run_again_is_told_of)
{
    static const int64_t steps[] = {2 * CHUNK - 10, 2 * CHUNK + 5, 3 * CHUNK + 30, 3 * CHUNK + 90};
    enum { CHANNEL = 5 };
    static const int slow = CHANNEL;
    const int way = way_of(_i);
    const struct kernel_shape shape = shape_of(tile_of(way), CHANNELS);
    struct pair pair;
    pair_create(&pair, recovers, way, &shape, NULL);
    remember(&pair, &slow, 1);
    pair_set_input(&pair, 0, steps[_i / TIMES], CHANNEL, NAN);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_eq(nonfinite_of(&pair.got), 1);
    pair_free(&pair);
}
END_TEST

/* Only a wrong guess overflows, and what was run from it. */
START_TEST(what_was_not_finite_and_is_run_again_is_not_told_of)
{
    enum { CHANNEL = 5 };
    const int64_t entry = 2 * CHUNK;
    const struct kernel_shape shape = shape_of(tile_of(_i), CHANNELS);
    struct pair pair;
    pair_create(&pair,
                "cell begins { state h; input u, g; h' = where(u > 5, 0, g*h) + (1 - g)*tanh(u); }",
                _i, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    pair_set(&pair, GROUP_H0, 0, CHANNEL, 3e38);
    pair_set_input(&pair, 0, 0, CHANNEL, 9);
    mislead(&pair, CHANNEL, entry);
    keep(&pair, CHANNEL, entry - 1, entry, 2);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    ck_assert_uint_eq(nonfinite_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

/* -- passes ------------------------------------------------------------------------------------ */

START_TEST(where_it_remembers_it_is_run_again)
{
    const struct kernel_shape shape = shape_of(3 * tile_of(_i) + 7, CHANNELS);
    struct pair pair;
    pair_create(&pair, remembers, _i, &shape, NULL);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

/* What is wrong is run again, in one pass, the rest stays, and the next tile begins with the exit
 * of the last chunk. */
START_TEST(one_wrong_guess_costs_a_pass)
{
    /* Chunks of the last thread block of the second of three tiles; -1: none. */
    static const int misled[][2] = {{1, -1}, {3, -1}, {2, 3}, {1, 3}};
    const int way = way_of(_i), cluster = cluster_of(way), *const wrong = misled[_i / TIMES];
    const int channel = _i / TIMES % 2 ? ALL : 5 * (_i % 4);
    const int64_t last = 2 * tile_of(way) - CHUNKS * CHUNK;
    const struct kernel_shape shape = shape_of(3 * tile_of(way), CHANNELS);
    struct pair pair;
    uint64_t passes = 0;
    pair_create(&pair, keeps, way, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    for (int i = 0; i < 2 && wrong[i] >= 0; i++)
        mislead(&pair, channel, last + (int64_t)wrong[i] * CHUNK);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    for (int b = 0; b < pair.got.grid; b++) {
        ck_assert_uint_le(pair.got.report[b].sum_corrections, 1);
        passes += pair.got.report[b].sum_corrections;
    }
    ck_assert_uint_eq(passes, (uint64_t)(channel == ALL ? pair.got.grid : cluster));
    pair_free(&pair);
}
END_TEST

/* A wrong guess in one tile does not keep the next from being guessed. */
START_TEST(a_tile_that_fails_does_not_hold_up_the_next)
{
    enum { TILES = 6, FAILING = 3 };
    const struct kernel_shape shape = shape_of(TILES * tile_of(_i), CHANNELS);
    struct pair pair;
    pair_create(&pair, keeps, _i, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    for (int tile = 0; tile < FAILING; tile++)
        mislead(&pair, ALL, tile * tile_of(_i) + CHUNK);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    for (int b = 0; b < pair.got.grid; b++)
        ck_assert_uint_eq(pair.got.report[b].sum_corrections, FAILING);
    pair_free(&pair);
}
END_TEST

/* Two channels remember, more or less from part to part; the others forget; parameters are 0. The
 * exits of a chain of chunks move together. */
static uint64_t passes_of_a_chain(const char *cell, int way, double tolerance,
                                  const struct kernel_edit *edits)
{
    struct kernel_shape shape = shape_of(tile_of(way), CHANNELS);
    struct pair pair;
    shape.tolerance = tolerance;
    pair_create(&pair, cell, way, &shape, edits);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    for (int64_t t = 0; t < shape.steps; t += CHUNK / PARTS) {
        const bool is_odd = t / (CHUNK / PARTS) % 2;
        keep(&pair, 3, t, t + CHUNK / PARTS, 0.999);
        keep(&pair, 10, t, t + CHUNK / PARTS, is_odd ? 0.98 : 0.999);
    }
    for (uint32_t k = 0; k < pair.plan.unit->ir->params; k++)
        for (size_t c = 0; c < CHANNELS; c++)
            pair_set(&pair, GROUP_P, k, c, 0);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    const uint64_t passes = passes_of(&pair.got);
    pair_free(&pair);
    return passes;
}

/* Of two states one remembers and the other follows. That the first does not depend on the second
 * may be known, or not; p is 0. */
static const char follows[] = "cell follows { state a, b; input u, g; param p;\n"
                              "a' = g*a + (1 - g)*tanh(u) + p*u; b' = 0.5*b + 0.3*a; }";
static const char may_follow[] = "cell follows { state a, b; input u, g; param p;\n"
                                 "a' = g*a + (1 - g)*tanh(u) + p*b; b' = 0.5*b + 0.3*a; }";
/* ... or the second remembers nothing of its own. */
static const char leads[] = "cell leads { state a, b; input u, g;\n"
                            "a' = g*a + (1 - g)*tanh(u); b' = 0.5*a; }";
static const char *const linear[] = {keeps, follows, may_follow, leads};

/* Tangents of a linear cell say all: behind the pass that finds them one is right, however long the
 * chain is. */
START_TEST(a_linear_cell_takes_two_passes)
{
    ck_assert_uint_eq(passes_of_a_chain(linear[_i / TIMES], way_of(_i), 1e-4, NULL), 2);
}
END_TEST

/* What is before a reset moves nothing behind it: the third chunk, which has one, is run twice, the
 * fourth once. It is in the last part, so that no lane ends before. */
START_TEST(a_linear_cell_takes_two_passes_with_resets)
{
    static const int slow[] = {3, 10};
    struct assemble_options options = options_of(_i);
    struct kernel_shape shape = shape_of(4 * CHUNK, CHANNELS);
    struct pair pair;
    options.has_resets = shape.has_resets = true;
    shape.tolerance = 1e-4;
    pair_load(&pair, keeps, &options, NULL);
    pair_shape(&pair, &shape);
    remember(&pair, slow, 2);
    memset(pair.got.reset, 0, (size_t)shape.steps);
    memset(pair.want.reset, 0, (size_t)shape.steps);
    pair.got.reset[3 * CHUNK - 9] = pair.want.reset[3 * CHUNK - 9] = 1;
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_eq(passes_of(&pair.got), 2);
    pair_free(&pair);
}
END_TEST

/* Four chunks remember, which takes two passes; what moves their exits ends in the fifth, which
 * forgets, though it is run again, too. */
START_TEST(what_a_chunk_forgets_moves_nothing_behind_it)
{
    const int way = WAYS - 1 - _i;
    struct kernel_shape shape = shape_of(tile_of(way), CHANNELS);
    struct pair pair;
    shape.tolerance = 1e-4;
    pair_create(&pair, keeps, way, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    keep(&pair, 3, 0, 4 * CHUNK, SLOW);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_eq(passes_of(&pair.got), 2);
    pair_free(&pair);
}
END_TEST

/* Guesses that agree with each other and not with what came to pass: no chunk is run before the one
 * before it, so each begins without tangents, and what is behind it does not move. */
START_TEST(what_holds_its_state_takes_a_pass_a_chunk)
{
    const struct kernel_shape shape = shape_of(tile_of(_i), CHANNELS);
    struct pair pair;
    pair_create(&pair, keeps, _i, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    keep(&pair, 5, 20, shape.steps, 1);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    ck_assert_uint_ge(passes_of(&pair.got), 2);
    ck_assert_uint_le(passes_of(&pair.got), (uint64_t)chunks_of(_i));
    pair_free(&pair);
}
END_TEST

/* Where states are small roundings of what has moved are more than the tolerance. One pass sees to
 * them, and moves the chunks behind by what is left in those that it does not run; so one more. */
START_TEST(a_linear_cell_takes_two_passes_more_for_roundings)
{
    ck_assert_uint_le(passes_of_a_chain(linear[_i / TIMES], way_of(_i), TOLERANCE, NULL), 4);
}
END_TEST

/* Where Newton's method leads nowhere: a whole chunk is run, the next in parts twice, which shows
 * that, and as a whole, and so on; behind its last pass a chunk a pass. */
static uint64_t stuck_passes(int way)
{
    const uint64_t chunks = (uint64_t)chunks_of(way) - 1, passes = 1 + 3 * (chunks - 1);
    enum { RIGHT = 1 + (NEWTON_PASSES - 1) / 3 };
    return passes <= NEWTON_PASSES ? passes : NEWTON_PASSES + chunks - RIGHT;
}

/* Without tangents each pass makes one more chunk right. */
START_TEST(without_newtons_method_a_chain_takes_a_pass_a_chunk)
{
    static const struct kernel_edit none[] = {
        {"#define PRNN_NEWTON_PASSES 12\n", "#define PRNN_NEWTON_PASSES 0\n"}, {0}};
    ck_assert_uint_eq(passes_of_a_chain(keeps, _i, TOLERANCE, none), (uint64_t)chunks_of(_i) - 1);
}
END_TEST

/* Tangents that are wrong cost passes, no more: three for a chunk, as where_newtons_method_is_stuck
 * says. */
START_TEST(wrong_tangents_still_end)
{
    static const struct kernel_edit wrong[] = {
        {"            PRNN_SST(s_tangent, AT_SLOT(ij, slot), lane->d[ij]);\n",
         "            PRNN_SST(s_tangent, AT_SLOT(ij, slot), (prnn_real)2);\n"},
        {0}};
    const uint64_t passes = passes_of_a_chain(keeps, _i, TOLERANCE, wrong);
    ck_assert_uint_gt(passes, 2);
    ck_assert_uint_le(passes, stuck_passes(_i));
}
END_TEST

/* Tolerance 0: what is run again ends where the bits are the same, and so are all. */
START_TEST(tolerance_0_gives_the_bits_of_running_in_order)
{
    static const int slow[] = {3, 8};
    const int way = _i % WAYS;
    struct kernel_shape shape = shape_of(tile_of(way) + CHUNK + 5, _i / WAYS ? 9 : CHANNELS);
    struct pair pair;
    shape.tolerance = 0;
    pair_create(&pair, bends, way, &shape, NULL);
    remember(&pair, slow, 2);
    pair_run(&pair);
    kernel_data_check_same(&pair.want, &pair.got);
    ck_assert_double_eq(mismatch_of(&pair.got), 0);
    ck_assert_uint_eq(passes_of(&pair.got), (uint64_t)chunks_of(way) - 1);
    pair_free(&pair);
}
END_TEST

/* A state fades to 0, from below where the guess is wrong. */
START_TEST(zeros_of_either_sign_are_not_the_same)
{
    struct kernel_shape shape = shape_of(tile_of(_i), CHANNELS);
    struct pair pair;
    shape.tolerance = 0;
    pair_create(&pair, "cell fades { state h; input u, g; h' = g*h; }", _i, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0x1p-4);
    for (size_t c = 0; c < CHANNELS; c++)
        pair_set(&pair, GROUP_H0, 0, c, -1);
    keep(&pair, 5, 10, 11, -1);
    mislead(&pair, 5, 2 * CHUNK);
    pair_run(&pair);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    kernel_data_check_same(&pair.want, &pair.got);
    pair_free(&pair);
}
END_TEST

/* -- parts ------------------------------------------------------------------------------------- */

/* The first step of part j. */
static int64_t part_step(int chunk, int group, int parts, int j)
{
    return (int64_t)(chunk / group * j / parts) * group;
}

/* The last chunk ends in its first part, at a boundary, behind it, one step before its end. */
START_TEST(chunks_of_any_length_are_run_in_parts)
{
    static const struct {
        int chunk, group, parts; /* 'group' steps of an unrolled loop */
    } kinds[] = {{128, 8, 8}, {200, 8, 8}, {96, 8, 4}, {36, 6, 2}, {24, 8, 1}};
    static const int slow[] = {3, 10};
    const int way = way_of(_i), chunk = kinds[_i / TIMES].chunk, group = kinds[_i / TIMES].group,
              parts = kinds[_i / TIMES].parts;
    const int64_t last = part_step(chunk, group, parts, parts - 1),
                  rests[] = {3, last, last + 1, chunk - 1, chunk};
    struct assemble_options options = options_of(way);
    char said[64];
    struct pair pair;
    options.strategy.chunk = (uint32_t)chunk;
    pair_load(&pair, bends, &options, NULL);
    snprintf(said, sizeof said, "#define PRNN_PARTS %d\n", parts);
    ck_assert_ptr_nonnull(strstr(pair.plan.text.assembled.text, said));
    snprintf(said, sizeof said, "#define PRNN_UNROLL_STEPS %d\n", group);
    ck_assert_ptr_nonnull(strstr(pair.plan.text.assembled.text, said));
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        const struct kernel_shape shape =
            shape_of((int64_t)(chunks_of(way) - 1) * chunk + rests[i], CHANNELS);
        pair_shape(&pair, &shape);
        remember(&pair, slow, 2);
        pair_run(&pair);
        check_pair(&pair, REMEMBERED);
        ck_assert_uint_ge(passes_of(&pair.got), parts > 1 ? 2 : 1);
        pair_unshape(&pair);
    }
    pair_unload(&pair);
}
END_TEST

/* All channels, those of either thread block and of a thread in turn. */
static const int first_of_all[CHANNELS] = {15, 14, 5, 12, 11, 8, 9, 10, 7, 6, 13, 4, 3, 2, 1, 0};

/* So many channels remember: lanes run none, one or several of them, in many parts or few. One warp
 * of threads, or four. */
START_TEST(many_are_run_again_at_once)
{
    static const int counts[] = {1, 3, 8, 16};
    const int way = _i % WAYS;
    struct assemble_options options = options_of(way);
    struct strategy *s = &options.strategy;
    struct pair pair;
    if (_i / WAYS) {
        s->lanes = 16;
        s->tile_chunks = 8;
        s->chunk = 64;
    }
    const struct kernel_shape shape =
        shape_of((int64_t)(s->cluster * s->tile_chunks + 2) * s->chunk, CHANNELS);
    pair_load(&pair, bends, &options, NULL);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        pair_shape(&pair, &shape);
        remember(&pair, first_of_all, counts[i]);
        pair_run(&pair);
        check_pair(&pair, REMEMBERED);
        ck_assert_uint_ge(passes_of(&pair.got), 2);
        pair_unshape(&pair);
    }
    pair_unload(&pair);
}
END_TEST

/* What is left is squared by each pass: of 0.2, which a pass of whole chunks leaves, 0.05, 5e-4 and
 * 1e-7. It takes more where parts become shorter, because nothing has moved what is between them,
 * and where a chunk moves behind one that stays, or without tangents, because it was not run
 * before: what is left then goes from chunk to chunk, one a pass. Without tangents it takes 11 in
 * the longest of these chains. */
START_TEST(newtons_method_takes_few_passes)
{
    enum { FEW = 9 };
    static const int counts[] = {1, 4, 6, 16};
    const struct assemble_options options = options_of(_i);
    struct kernel_shape shape = shape_of(2 * tile_of(_i), CHANNELS);
    struct pair pair;
    shape.tolerance = 1e-4;
    pair_load(&pair, bends, &options, NULL);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        pair_shape(&pair, &shape);
        remember(&pair, first_of_all, counts[i]);
        pair_run(&pair);
        check_pair(&pair, REMEMBERED);
        ck_assert_msg(passes_of(&pair.got) <= FEW, "%d channels take %d passes", counts[i],
                      (int)passes_of(&pair.got));
        pair_unshape(&pair);
    }
    pair_unload(&pair);
}
END_TEST

/* It stays at 1 or -1, until an input is large. What has settled has tangents of 0, so that they
 * say nothing of what comes behind. */
static const char latch[] = "cell latch { state h; input u, g; h' = tanh(3*g*h + u); }";

/* From -1 to 1 within the first chunk, which no guess behind it knows. 'dip': what is left of the
 * state before each entry, next to where the cell is not stable. */
static uint64_t passes_of_a_latch(int way, double dip, const struct kernel_edit *edits)
{
    enum { LONG = 128 };
    const struct kernel_shape shape = shape_of((int64_t)LONG * chunks_of(way), CHANNELS);
    struct assemble_options options = options_of(way);
    struct pair pair;
    options.strategy.chunk = LONG;
    pair_load(&pair, latch, &options, edits);
    pair_shape(&pair, &shape);
    keep(&pair, ALL, 0, shape.steps, 1);
    for (int64_t t = 0; t < shape.steps; t++)
        for (int c = 0; c < CHANNELS; c++)
            pair_set_input(&pair, 0, t, c, 0);
    for (int64_t t = LONG; t <= shape.steps; t += LONG)
        keep(&pair, ALL, t - 1, t, dip);
    for (int c = 0; c < CHANNELS; c++)
        pair_set(&pair, GROUP_H0, 0, (size_t)c, -0.9);
    pair_set_input(&pair, 0, 10, 5, 9);
    pair_set_input(&pair, 0, 40, 13, 9);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    const uint64_t passes = passes_of(&pair.got);
    pair_free(&pair);
    return passes;
}

/* A whole chunk is made right by the third pass; without that each pass makes right the next of its
 * eight parts. */
START_TEST(where_newtons_method_is_stuck_whole_chunks_are_run)
{
    static const struct kernel_edit never[] = {
        {"#define PRNN_STUCK ((prnn_real)0.5)\n", "#define PRNN_STUCK ((prnn_real)1e30)\n"}, {0}};
    static const double dips[] = {1, 1e-4};
    const int way = way_of(_i);
    const double dip = dips[_i / TIMES];
    const uint64_t passes = passes_of_a_latch(way, dip, NULL);
    ck_assert_uint_le(passes, stuck_passes(way));
    ck_assert_uint_gt(passes_of_a_latch(way, dip, never), passes);
}
END_TEST

/* Tangents of chaos are beyond all bounds. No step is further off than its slope makes of the
 * tolerance. */
START_TEST(chaos_ends_within_the_tolerance)
{
    struct kernel_shape shape = shape_of(tile_of(_i) + 50, CHANNELS);
    struct pair pair;
    shape.gain = -0.5;
    pair_create(&pair, kernel_cell_chaotic, _i, &shape, NULL);
    pair_run(&pair);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    ck_assert_uint_le(passes_of(&pair.got), (uint64_t)(NEWTON_PASSES + chunks_of(_i) - 1));
    const struct kernel_tensor *h = kernel_tensor_of(&pair.got, GROUP_H, 0);
    for (size_t i = CHANNELS; i < h->count; i++) {
        const double before = kernel_get(h, i - CHANNELS);
        ck_assert_double_le(fabs(kernel_get(h, i) - 3.9 * before * (1 - before)),
                            4 * TOLERANCE + 0x1p-22);
    }
    pair_free(&pair);
}
END_TEST

/* -- what a launch may have -------------------------------------------------------------------- */

/* As memory has it: pairs of channels in one word, or elements where they are not aligned. */
START_TEST(every_storage_type_is_run_again)
{
    static const struct {
        enum assemble_storage storage;
        double unit, tolerance; /* unit: where two states round to neighbours, below 1 */
    } types[] = {
        {ASSEMBLE_BF16, 0x1p-8, 1e-6}, {ASSEMBLE_F16, 0x1p-11, 1e-6}, {ASSEMBLE_F64, 0, 1e-12}};
    static const int64_t channels[] = {24, 9};
    static const int slow[] = {0, 3, 8, 17};
    const int way = _i % WAYS;
    const double unit = types[_i / WAYS].unit;
    struct assemble_options options = options_of(way);
    struct pair pair;
    options.storage = types[_i / WAYS].storage;
    pair_load(&pair, bends, &options, NULL);
    for (int i = 0; i < 2; i++) {
        struct kernel_shape shape = shape_of(tile_of(way) + 30, channels[i]);
        shape.tolerance = types[_i / WAYS].tolerance;
        pair_shape(&pair, &shape);
        remember(&pair, slow, 4);
        pair_run(&pair);
        /* The last states are not rounded. */
        ck_assert_double_le(error_of(&pair, GROUP_HT), REMEMBERED * shape.tolerance);
        ck_assert_double_le(error_of(&pair, GROUP_H), unit + REMEMBERED * shape.tolerance);
        ck_assert_double_le(mismatch_of(&pair.got), shape.tolerance);
        ck_assert_uint_gt(corrections_of(&pair.got), 0);
        pair_unshape(&pair);
    }
    pair_unload(&pair);
}
END_TEST

/* All that a step may read and write. */
static const char rich[] =
    "cell rich { state a = 0.5, b; input u, g; input s : shared; param w; param k : shared;\n"
    "a' = g*a + (1 - g)*tanh(u + 0.5*g*w*b); b' = g*b + (1 - g)*sin(s + k*a);\n"
    "output y = a'*b + u, z = b' - s; }";

/* Of the two states. */
START_TEST(a_state_that_is_not_asked_for_is_not_written)
{
    static const struct kernel_edit one[] = {
        {"#define PRNN_STATE_WRITTEN 3\n", "#define PRNN_STATE_WRITTEN 1\n"}, {0}};
    static const int slow[] = {0, 7, 8};
    const struct kernel_shape shape = shape_of(tile_of(_i), CHANNELS);
    struct pair pair;
    pair_create(&pair, rich, _i, &shape, one);
    remember(&pair, slow, 3);
    pair_run(&pair);
    struct kernel_tensor *b = kernel_tensor_of(&pair.got, GROUP_H, 1);
    for (size_t i = 0; i < b->count; i++)
        ck_assert(isnan(kernel_get(b, i)));
    b->is_written = false;
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

/* At the first step of a chunk, at that of a part, within one, and one behind another. */
static void reset_some(struct kernel_data *data)
{
    static const int64_t steps[] = {2 * CHUNK, 3 * CHUNK + CHUNK / PARTS, 4 * CHUNK + 35,
                                    4 * CHUNK + 36};
    memset(data->reset, 0, (size_t)data->rows);
    for (int64_t b = 0; b < data->shape.batch; b++)
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++)
            if (steps[k] < data->length[b])
                data->reset[kernel_row(data, b, steps[k])] = 1;
}

START_TEST(whatever_a_launch_has_is_run_again)
{
    static const struct kernel_shape kinds[] = {
        {.batch = 2, .has_h0 = true, .has_resets = true},
        {.batch = 2, .is_reversed = true, .has_resets = true},
        {.batch = 3, .is_packed = true, .has_h0 = true},
        {.batch = 3, .is_packed = true, .is_reversed = true, .has_resets = true, .has_h0 = true},
        {.batch = 1, .is_far = true, .has_h0 = true},
    };
    static const int slow[] = {0, 7, 8};
    const int way = way_of(_i);
    const bool is_wide = _i % 5 < 3;
    struct kernel_shape shape = kinds[_i / TIMES];
    struct assemble_options options = options_of(way);
    struct pair pair;
    options.storage = is_wide ? ASSEMBLE_F32 : ASSEMBLE_BF16;
    options.has_resets = shape.has_resets;
    options.is_packed = shape.is_packed;
    shape.steps = tile_of(way) + 2 * CHUNK + 31;
    shape.is_aligned = _i / 2 % 2 == 0;
    shape.channels = shape.is_aligned ? CHANNELS : 9;
    shape.tolerance = TOLERANCE;
    shape.gain = 1;
    pair_load(&pair, rich, &options, NULL);
    pair_shape(&pair, &shape);
    remember(&pair, slow, 3);
    if (shape.has_resets) {
        reset_some(&pair.got);
        reset_some(&pair.want);
    }
    pair_run(&pair);
    /* Neighbours of 16 bits, where outputs are below 2. */
    const double unit = is_wide ? 0 : 0x1p-7;
    ck_assert_double_le(error_of(&pair, GROUP_HT), REMEMBERED * TOLERANCE);
    ck_assert_double_le(error_of(&pair, GROUP_H), unit + REMEMBERED * TOLERANCE);
    ck_assert_double_le(error_of(&pair, GROUP_Y), unit + REMEMBERED * TOLERANCE);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("guess");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, where_the_cell_forgets_guesses_are_all, 0, WAYS);
    tcase_add_loop_test(tcase, a_state_that_stays_where_it_is_needs_no_pass, 0, WAYS);
    tcase_add_loop_test(tcase, a_guess_from_more_steps_needs_no_pass, 0, 3);
    tcase_add_loop_test(tcase, what_is_not_read_ahead_is_not_guessed, 0, WAYS);
    tcase_add_loop_test(tcase, a_guess_that_is_taken_though_wrong_is_in_the_certificate, 0,
                        4 * TIMES);
    tcase_add_loop_test(tcase, what_is_left_where_a_lane_ends_is_in_the_certificate, 0, WAYS);
    tcase_add_loop_test(tcase, what_is_left_within_a_chunk_is_in_the_certificate, 0, WAYS);
    tcase_add_loop_test(tcase, no_step_is_further_off_than_the_certificate_says, 0, 2 * TIMES);
    tcase_add_loop_test(tcase, what_is_not_run_again_keeps_its_mismatch, 0, WAYS);
    tcase_add_loop_test(tcase, the_tolerance_is_of_the_size_of_the_states, 0, WAYS);
    tcase_add_loop_test(tcase, what_is_not_finite_is_told_on_every_way, 0, 2 * TIMES);
    tcase_add_loop_test(tcase, what_is_not_run_again_is_told_of, 0, 2 * TIMES);
    tcase_add_loop_test(tcase, what_is_not_finite_in_what_is_run_again_is_told_of, 0, 4 * TIMES);
    tcase_add_loop_test(tcase, what_was_not_finite_and_is_run_again_is_not_told_of, 0, WAYS);
    tcase_add_loop_test(tcase, where_it_remembers_it_is_run_again, 0, WAYS);
    tcase_add_loop_test(tcase, one_wrong_guess_costs_a_pass, 0, 4 * TIMES);
    tcase_add_loop_test(tcase, a_tile_that_fails_does_not_hold_up_the_next, 0, WAYS);
    tcase_add_loop_test(tcase, a_linear_cell_takes_two_passes, 0, 4 * TIMES);
    tcase_add_loop_test(tcase, a_linear_cell_takes_two_passes_with_resets, 0, WAYS);
    tcase_add_loop_test(tcase, what_a_chunk_forgets_moves_nothing_behind_it, 0, 4);
    tcase_add_loop_test(tcase, what_holds_its_state_takes_a_pass_a_chunk, 0, WAYS);
    tcase_add_loop_test(tcase, a_linear_cell_takes_two_passes_more_for_roundings, 0, 4 * TIMES);
    tcase_add_loop_test(tcase, without_newtons_method_a_chain_takes_a_pass_a_chunk, 0, WAYS);
    tcase_add_loop_test(tcase, wrong_tangents_still_end, 0, WAYS);
    tcase_add_loop_test(tcase, tolerance_0_gives_the_bits_of_running_in_order, 0, 2 * WAYS);
    tcase_add_loop_test(tcase, zeros_of_either_sign_are_not_the_same, 0, WAYS);
    tcase_add_loop_test(tcase, chunks_of_any_length_are_run_in_parts, 0, 5 * TIMES);
    tcase_add_loop_test(tcase, many_are_run_again_at_once, 0, 2 * WAYS);
    tcase_add_loop_test(tcase, newtons_method_takes_few_passes, 0, WAYS);
    tcase_add_loop_test(tcase, where_newtons_method_is_stuck_whole_chunks_are_run, 0, 2 * TIMES);
    tcase_add_loop_test(tcase, chaos_ends_within_the_tolerance, 0, WAYS);
    tcase_add_loop_test(tcase, every_storage_type_is_run_again, 0, 3 * WAYS);
    tcase_add_loop_test(tcase, a_state_that_is_not_asked_for_is_not_written, 0, WAYS);
    tcase_add_loop_test(tcase, whatever_a_launch_has_is_run_again, 0, 5 * TIMES);
    Suite *suite = suite_create("guess");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
