/* Kernels that solve a tile from guesses: when a guess is all they need, what the certificate says
 * where it is wrong, and that what is wrong is run again whatever a launch has. */
#include "guess_case.h"

#include <stdio.h>

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

/* So many parameters that they are read for each tile. */
START_TEST(a_cell_of_many_parameters_is_run_again)
{
    enum { PARAMETERS = 42 };
    static const int slow[] = {3, 10};
    const struct kernel_shape shape = shape_of(3 * tile_of(_i) + 7, CHANNELS);
    struct pair pair;
    char cell[2048] = "cell many { state h; input u, g; param a0", said[64];
    for (int k = 1; k < PARAMETERS; k++)
        snprintf(cell + strlen(cell), sizeof cell - strlen(cell), ", a%d", k);
    strcat(cell, "; h' = g*h + (1 - g)*tanh(u + 0.01*(a0");
    for (int k = 1; k < PARAMETERS; k++)
        snprintf(cell + strlen(cell), sizeof cell - strlen(cell), " - %d*a%d", k, k);
    strcat(cell, ")); }");
    pair_create(&pair, cell, _i, &shape, NULL);
    snprintf(said, sizeof said, "#define PRNN_PARAMS %d\n", PARAMETERS);
    ck_assert_ptr_nonnull(strstr(pair.plan.text.assembled.text, said));
    remember(&pair, slow, 2);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_ge(passes_of(&pair.got), 1);
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

/* A NaN that ends within a part says nothing of what is left between the parts: it takes two
 * passes, over more chunks three, but for few places. */
START_TEST(a_nan_that_is_gone_costs_no_pass)
{
    enum { CHANNEL = 5 };
    static const int slow = CHANNEL;
    const int way = way_of(_i);
    const struct kernel_shape shape = shape_of(tile_of(way), CHANNELS);
    const struct assemble_options options = options_of(way);
    struct pair pair;
    uint64_t passes = 0, runs = 0;
    pair_load(&pair, recovers, &options, NULL);
    for (int64_t t = CHUNK; t < CHUNKS * CHUNK; t += 5) {
        pair_shape(&pair, &shape);
        remember(&pair, &slow, 1);
        pair_set_input(&pair, 0, t, CHANNEL, NAN);
        pair_run(&pair);
        check_pair(&pair, REMEMBERED);
        passes += passes_of(&pair.got);
        runs++;
        ck_assert_uint_eq(nonfinite_of(&pair.got), 1);
        pair_unshape(&pair);
    }
    const uint64_t usual = cluster_of(way) > 2 ? 3 : 2;
    ck_assert_uint_ge(passes, 2 * runs);
    ck_assert_uint_le(passes, usual * runs + runs / 8);
    pair_unload(&pair);
}
END_TEST

/* Only a wrong guess overflows, and what was run from it, to the end of its chunk or until an input
 * ends it: behind that a lane could meet what was there. */
START_TEST(what_was_not_finite_and_is_run_again_is_not_told_of)
{
    static const int64_t ends[] = {CHUNK, 10, CHUNK / PARTS + 10};
    enum { CHANNEL = 5 };
    const int64_t entry = 2 * CHUNK;
    const int way = way_of(_i);
    const struct kernel_shape shape = shape_of(tile_of(way), CHANNELS);
    struct pair pair;
    pair_create(&pair,
                "cell begins { state h; input u, g; h' = where(u > 5, 0, g*h) + (1 - g)*tanh(u); }",
                way, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    pair_set(&pair, GROUP_H0, 0, CHANNEL, 3e38);
    pair_set_input(&pair, 0, 0, CHANNEL, 9);
    pair_set_input(&pair, 0, entry + ends[_i / TIMES], CHANNEL, 9);
    mislead(&pair, CHANNEL, entry);
    keep(&pair, CHANNEL, entry - 1, entry, 2);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    ck_assert_uint_eq(nonfinite_of(&pair.got), 0);
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

/* Lanes have nothing to ask for, and no step to look at behind the last. */
START_TEST(a_cell_without_inputs_is_run_again)
{
    struct kernel_shape shape = shape_of(tile_of(_i) + 31, CHANNELS);
    struct assemble_options options = options_of(_i);
    struct pair pair;
    options.has_resets = shape.has_resets = true;
    pair_load(&pair, "cell fades { state h; param p; h' = 0.98*h + 0.01*tanh(p); }", &options,
              NULL);
    pair_shape(&pair, &shape);
    reset_some(&pair.got);
    reset_some(&pair.want);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("guess");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, where_the_cell_forgets_guesses_are_all, 0, WAYS);
    tcase_add_loop_test(tcase, a_cell_of_many_parameters_is_run_again, 0, WAYS);
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
    tcase_add_loop_test(tcase, a_nan_that_is_gone_costs_no_pass, 0, TIMES);
    tcase_add_loop_test(tcase, what_was_not_finite_and_is_run_again_is_not_told_of, 0, 3 * TIMES);
    tcase_add_loop_test(tcase, every_storage_type_is_run_again, 0, 3 * WAYS);
    tcase_add_loop_test(tcase, a_state_that_is_not_asked_for_is_not_written, 0, WAYS);
    tcase_add_loop_test(tcase, a_cell_without_inputs_is_run_again, 0, WAYS);
    tcase_add_loop_test(tcase, whatever_a_launch_has_is_run_again, 0, 5 * TIMES);
    Suite *suite = suite_create("guess");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
