/* Forward kernels that solve a tile from guesses alone, and else in order: when they do which, and
 * that the answer is right either way. */
#include "kernel_case.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

enum { CHUNKS = 4, CHUNK = 96, TILE = CHUNKS * CHUNK };
/* Of a guess in single precision: steps that show how soon the cell forgets, and those behind. */
enum { SHOWING = 24, EXACT = 32 };
static const double TOLERANCE = 1e-6;

/* One or two channels a thread. */
static struct assemble_options options_of(int vc, bool in_order)
{
    struct assemble_options options = {.kernel = ASSEMBLE_FORWARD,
                                       .mode = ASSEMBLE_STRICT,
                                       .strategy = {.lanes = 8,
                                                    .vc = (uint32_t)vc,
                                                    .tile_chunks = CHUNKS,
                                                    .chunk = CHUNK,
                                                    .stages = 0,
                                                    .cluster = 1}};
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
static void pair_create(struct pair *pair, const char *cell, int vc,
                        const struct kernel_shape *shape, const struct kernel_edit *edits)
{
    const struct assemble_options guessing = options_of(vc, false), in_order = options_of(vc, true);
    ck_assert(assemble_is_guessing(&guessing));
    if (edits)
        kernel_plan_load_edited(&pair->plan, cell, &guessing, edits);
    else
        kernel_plan_load(&pair->plan, cell, &guessing, NULL);
    kernel_plan_load(&pair->alone, cell, &in_order, NULL);
    kernel_data_create(&pair->got, &pair->plan, shape);
    kernel_data_create(&pair->want, &pair->alone, shape);
}

static void pair_run(struct pair *pair)
{
    kernel_data_run(&pair->got, SHIM_RANDOM);
    kernel_data_run(&pair->want, SHIM_FORWARD);
}

static void pair_free(struct pair *pair)
{
    kernel_data_free(&pair->got);
    kernel_data_free(&pair->want);
    kernel_plan_free(&pair->plan);
    kernel_plan_free(&pair->alone);
}

/* The largest difference of the first state, against 1. */
static double pair_error(struct pair *pair)
{
    const struct kernel_tensor *a = kernel_tensor_of(&pair->got, GROUP_H, 0),
                               *b = kernel_tensor_of(&pair->want, GROUP_H, 0);
    double error = 0;
    ck_assert_uint_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        error = fmax(error, fabs(kernel_get(a, i) - kernel_get(b, i)));
    return error;
}

static uint64_t corrections_of(const struct kernel_data *data)
{
    uint64_t sum = 0;
    for (int b = 0; b < data->grid; b++)
        sum += data->report[b].sum_corrections;
    return sum;
}

static double mismatch_of(const struct kernel_data *data)
{
    double mismatch = 0;
    for (int b = 0; b < data->grid; b++)
        mismatch = fmax(mismatch, data->report[b].mismatch);
    return mismatch;
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

START_TEST(where_the_cell_forgets_guesses_are_all)
{
    const struct kernel_shape shape = shape_of(3 * TILE + 7, 16);
    struct pair pair;
    pair_create(&pair, "cell forgets { state h; input u; h' = tanh(0.3*h + u); }", 1 + _i, &shape,
                NULL);
    pair_run(&pair);
    kernel_data_check(&pair.got);
    ck_assert_uint_eq(corrections_of(&pair.got), 0);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    pair_free(&pair);
}
END_TEST

/* Neither state moves, so there is no difference to forget. */
START_TEST(a_state_that_stays_where_it_is_is_not_doubted)
{
    struct kernel_shape shape = shape_of(2 * TILE, 16);
    struct pair pair;
    shape.has_h0 = false;
    pair_create(&pair, "cell forgets { state h; input u; h' = tanh(0.3*h + u); }", 1 + _i, &shape,
                NULL);
    for (int d = 0; d < 2; d++)
        for (size_t t = 0; t < 2 * TILE; t++)
            kernel_set(kernel_tensor_of(d ? &pair.got : &pair.want, GROUP_X, 0), t * 16 + 2, 0);
    pair_run(&pair);
    ck_assert_uint_eq(corrections_of(&pair.got), 0);
    ck_assert_double_le(pair_error(&pair), 4 * TOLERANCE);
    pair_free(&pair);
}
END_TEST

/* 0.98^24 = 0.62: that a guess will not do shows at once, and nothing is guessed. */
static const char remembers[] = "cell remembers { state h; input u; h' = 0.98*h + 0.02*tanh(u); }";

START_TEST(where_it_remembers_the_bits_are_those_of_running_in_order)
{
    const struct kernel_shape shape = shape_of(3 * TILE + 7, 16);
    struct pair pair;
    pair_create(&pair, remembers, 1 + _i, &shape, NULL);
    pair_run(&pair);
    kernel_data_check_same(&pair.want, &pair.got);
    /* The last tile is one chunk, which has nobody to wait for. */
    for (int b = 0; b < pair.got.grid; b++) {
        ck_assert_uint_eq(pair.got.report[b].tiles, 4);
        ck_assert_uint_eq(pair.got.report[b].sum_corrections, 3 * (CHUNKS - 1));
        /* Exact: the largest mismatch is nowhere. */
        ck_assert_double_eq(pair.got.report[b].mismatch, 0);
        ck_assert_int_eq(pair.got.report[b].step, -1);
        ck_assert_int_eq(pair.got.report[b].channel, -1);
    }
    pair_free(&pair);
}
END_TEST

/* Tells tiles that were not guessed at all from those whose guesses failed. */
static const struct kernel_edit told[] = {
    {"    return PRNN_TILE_CHUNKS - 1;\n", "    return has_run ? 1 : 1000;\n"}, {0}};

/* A linear cell forgets evenly: it is doubted where 1.5 times the steps of a guess leave more than
 * a tenth of the tolerance, in the worst channel. */
START_TEST(a_guess_is_doubted_by_what_its_first_steps_leave)
{
    enum { CHANNELS = 16, TILES = 2 };
    const double shown = pow(0.1 * TOLERANCE, SHOWING / (1.5 * (SHOWING + EXACT)));
    const double limit = pow(shown, 1.0 / (SHOWING - 1));
    const struct kernel_shape shape = shape_of(TILES * TILE, CHANNELS);
    const int vc = 1 + _i % 2, worst = _i / 2 % 4 * 5; /* a channel of either block, odd or even */
    const bool is_doubted = _i / 8;
    struct pair pair;
    pair_create(&pair, "cell even { state h; input u; param f; h' = f*h + u; }", vc, &shape, told);
    for (int d = 0; d < 2; d++)
        for (int c = 0; c < CHANNELS; c++)
            kernel_set(kernel_tensor_of(d ? &pair.got : &pair.want, GROUP_P, 0), (size_t)c,
                       c != worst   ? 0.5
                       : is_doubted ? limit + 0.004
                                    : limit - 0.004);
    pair_run(&pair);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    ck_assert_uint_eq(corrections_of(&pair.got), is_doubted ? TILES * 1000 : TILES);
    pair_free(&pair);
}
END_TEST

/* If that is not seen, the exits show it. What stays guessed is within the tolerance. */
START_TEST(what_is_not_foreseen_is_found_out)
{
    static const struct kernel_edit blind[] = {
        {"        has_run = !PRNN_BARRIER_OR(!is_enough);\n",
         "        has_run = (PRNN_BARRIER_OR(!is_enough), 1);\n"},
        {0}};
    const struct kernel_shape shape = shape_of(3 * TILE + 7, 16);
    struct pair pair;
    pair_create(&pair, remembers, 1 + _i, &shape, blind);
    pair_run(&pair);
    ck_assert_double_le(pair_error(&pair), 50 * TOLERANCE);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

/* Its second input says what it keeps. */
static const char keeps[] = "cell keeps { state h; input u, g; h' = g*h + (1 - g)*tanh(u); }";

/* In all channels, or in one. */
enum { ALL = -1 };
static void keep(struct pair *pair, int channel, int64_t from, int64_t to, double g)
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
static void mislead(struct pair *pair, int channel, int64_t entry)
{
    keep(pair, channel, entry - SHOWING - EXACT, entry - EXACT, 0.8);
    keep(pair, channel, entry - EXACT, entry, 1);
}

/* A kernel that takes every guess tells where it is wrong. */
START_TEST(a_guess_that_is_taken_though_wrong_is_in_the_certificate)
{
    static const struct kernel_edit careless[] = {
        {"            if (!PRNN_BARRIER_OR(differs)) {\n",
         "            if (!(PRNN_BARRIER_OR(differs) & 0)) {\n"},
        {0}};
    const int channel = _i / 2, chunk = 1 + _i / 2 % (CHUNKS - 1);
    const int64_t entry = TILE + (int64_t)chunk * CHUNK;
    const struct kernel_shape shape = shape_of(3 * TILE, 16);
    int told_of = 0;
    struct pair pair;
    pair_create(&pair, keeps, 1 + _i % 2, &shape, careless);
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
END_TEST

/* What is wrong is run again, the rest stays, and the next tile begins with the exit of the last
 * chunk. */
START_TEST(one_wrong_guess_costs_its_chunk)
{
    /* Chunks of the second of three tiles whose entries mislead; -1: none. */
    static const int misled[][2] = {{1, -1}, {3, -1}, {2, 3}, {1, 3}};
    const int *const wrong = misled[_i / 2];
    const struct kernel_shape shape = shape_of(3 * TILE, 16);
    struct pair pair;
    pair_create(&pair, keeps, 1 + _i % 2, &shape, NULL);
    keep(&pair, ALL, 0, 3 * TILE, 0.2);
    for (int i = 0; i < 2 && wrong[i] >= 0; i++)
        mislead(&pair, ALL, TILE + (int64_t)wrong[i] * CHUNK);
    pair_run(&pair);
    ck_assert_double_le(pair_error(&pair), 4 * TOLERANCE);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    for (int b = 0; b < pair.got.grid; b++)
        ck_assert_uint_eq(pair.got.report[b].sum_corrections, CHUNKS - 1);
    pair_free(&pair);
}
END_TEST

/* Pairs of channels that do not start at a multiple of their size are not guessed. */
START_TEST(what_is_not_aligned_runs_in_order)
{
    const struct kernel_shape shape = shape_of(TILE + 7, 9);
    struct pair pair;
    pair_create(&pair, "cell forgets { state h; input u; h' = tanh(0.3*h + u); }", 2, &shape, NULL);
    pair_run(&pair);
    kernel_data_check_same(&pair.want, &pair.got);
    pair_free(&pair);
}
END_TEST

/* A state of one channel that is NaN stays its own, and is told. */
START_TEST(what_is_not_finite_is_told_on_every_way)
{
    const struct kernel_shape shape = shape_of(2 * TILE, 16);
    struct pair pair;
    pair_create(&pair,
                _i / 2 ? remembers : "cell forgets { state h; input u; h' = tanh(0.3*h + u); }",
                1 + _i % 2, &shape, NULL);
    for (int d = 0; d < 2; d++)
        kernel_set(kernel_tensor_of(d ? &pair.got : &pair.want, GROUP_X, 0), (TILE + 5) * 16 + 3,
                   NAN);
    pair_run(&pair);
    const struct kernel_tensor *a = kernel_tensor_of(&pair.got, GROUP_H, 0),
                               *b = kernel_tensor_of(&pair.want, GROUP_H, 0);
    uint32_t nonfinite = 0;
    for (size_t i = 0; i < a->count; i++) {
        const double x = kernel_get(a, i), y = kernel_get(b, i);
        ck_assert_msg(isnan(x) ? isnan(y) : fabs(x - y) <= 4 * TOLERANCE, "%zu: %g, in order %g", i,
                      x, y);
    }
    for (int i = 0; i < pair.got.grid; i++)
        nonfinite += pair.got.report[i].nonfinite;
    ck_assert_uint_eq(nonfinite, 1);
    pair_free(&pair);
}
END_TEST

/* A wrong guess in one tile does not keep the next from being guessed. */
START_TEST(a_tile_that_fails_does_not_hold_up_the_next)
{
    enum { TILES = 6, FAILING = 3 };
    const struct kernel_shape shape = shape_of(TILES * TILE, 16);
    struct pair pair;
    pair_create(&pair, keeps, 1 + _i, &shape, NULL);
    keep(&pair, ALL, 0, TILES * TILE, 0.2);
    for (int tile = 0; tile < FAILING; tile++)
        mislead(&pair, ALL, tile * TILE + CHUNK);
    pair_run(&pair);
    ck_assert_double_le(pair_error(&pair), 4 * TOLERANCE);
    for (int b = 0; b < pair.got.grid; b++)
        ck_assert_uint_eq(pair.got.report[b].sum_corrections, FAILING * (CHUNKS - 1));
    pair_free(&pair);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("guess");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, where_the_cell_forgets_guesses_are_all, 0, 2);
    tcase_add_loop_test(tcase, a_state_that_stays_where_it_is_is_not_doubted, 0, 2);
    tcase_add_loop_test(tcase, where_it_remembers_the_bits_are_those_of_running_in_order, 0, 2);
    tcase_add_loop_test(tcase, a_guess_is_doubted_by_what_its_first_steps_leave, 0, 16);
    tcase_add_loop_test(tcase, what_is_not_foreseen_is_found_out, 0, 2);
    tcase_add_loop_test(tcase, a_guess_that_is_taken_though_wrong_is_in_the_certificate, 0, 32);
    tcase_add_loop_test(tcase, one_wrong_guess_costs_its_chunk, 0, 8);
    tcase_add_test(tcase, what_is_not_aligned_runs_in_order);
    tcase_add_loop_test(tcase, what_is_not_finite_is_told_on_every_way, 0, 4);
    tcase_add_loop_test(tcase, a_tile_that_fails_does_not_hold_up_the_next, 0, 2);
    Suite *suite = suite_create("guess");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
