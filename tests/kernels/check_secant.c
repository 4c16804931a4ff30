/* Forward kernels that guess the entries of chunks: what they do where a guess is wrong, and that
 * the answer is right whatever they do. */
#include "guess_case.h"

START_TEST(where_the_cell_forgets_guesses_are_all)
{
    const struct kernel_shape shape = shape_of(3 * TILE + 7, 16);
    struct pair pair;
    pair_create(&pair, "cell forgets { state h; input u; h' = tanh(0.3*h + u); }", 1 + _i % 2,
                2 + _i / 2, &shape, NULL);
    pair_run(&pair);
    kernel_data_check(&pair.got);
    ck_assert_uint_eq(corrections_of(&pair.got), 0);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    pair_free(&pair);
}
END_TEST

static const char remembers[] = "cell remembers { state h; input u; h' = 0.98*h + 0.02*tanh(u); }";

/* A kernel that takes every guess tells where it is wrong. */
START_TEST(a_guess_that_is_taken_though_wrong_is_in_the_certificate)
{
    static const struct kernel_edit careless[] = {
        {"        if (!all_or(k, off))\n", "        if (!(all_or(k, off) & 0))\n"}, {0}};
    const int channel = _i / 2, chunk = 1 + _i / 2 % (CHUNKS - 1);
    check_wrong_guess_is_told(1 + _i % 2, 2, careless, channel, chunk);
}
END_TEST

/* What is wrong is run again, in one pass, the rest stays, and the next tile begins with the exit
 * of the last chunk. */
START_TEST(one_wrong_guess_costs_a_pass)
{
    /* Chunks of the second of three tiles whose entries mislead; -1: none. */
    static const int misled[][2] = {{1, -1}, {3, -1}, {2, 3}, {1, 3}};
    const int *const wrong = misled[_i / 2 % 4];
    const int cluster = 2 + _i / 8, channel = _i / 2 % 2 ? ALL : 5 * (_i / 4 % 4);
    const int64_t tile = (int64_t)TILE * cluster;
    const struct kernel_shape shape = shape_of(3 * tile, 16);
    struct pair pair;
    uint64_t passes = 0;
    pair_create(&pair, keeps, 1 + _i % 2, cluster, &shape, NULL);
    keep(&pair, ALL, 0, 3 * tile, 0.2);
    for (int i = 0; i < 2 && wrong[i] >= 0; i++)
        mislead(&pair, channel, tile + (int64_t)(wrong[i] + (cluster - 1) * CHUNKS) * CHUNK);
    pair_run(&pair);
    ck_assert_double_le(pair_error(&pair), 4 * TOLERANCE);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    for (int b = 0; b < pair.got.grid; b++) {
        ck_assert_uint_le(pair.got.report[b].sum_corrections, 1);
        passes += pair.got.report[b].sum_corrections;
    }
    const uint64_t concerned = channel == ALL ? (uint64_t)pair.got.grid : (uint64_t)cluster;
    ck_assert_uint_eq(passes, concerned);
    pair_free(&pair);
}
END_TEST

/* Two channels remember, the others forget; parameters are 0. The exits of a chain of chunks move
 * together. */
static uint64_t passes_of_a_chain(const char *cell, int vc, int cluster,
                                  const struct kernel_edit *edits)
{
    const int64_t tile = (int64_t)TILE * cluster;
    const struct kernel_shape shape = shape_of(tile, 16);
    struct pair pair;
    uint64_t most = 0;
    pair_create(&pair, cell, vc, cluster, &shape, edits);
    keep(&pair, ALL, 0, tile, 0.2);
    keep(&pair, 3, 0, tile, 0.999);
    keep(&pair, 10, 0, tile, 0.995);
    for (int d = 0; d < 2 && pair.plan.unit->ir->params; d++)
        for (size_t c = 0; c < 16; c++)
            kernel_set(kernel_tensor_of(d ? &pair.got : &pair.want, GROUP_P, 0), c, 0);
    pair_run(&pair);
    ck_assert_double_le(pair_error(&pair), 20 * TOLERANCE);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    for (int b = 0; b < pair.got.grid; b++)
        most =
            most < pair.got.report[b].max_corrections ? pair.got.report[b].max_corrections : most;
    pair_free(&pair);
    return most;
}

/* A secant of a linear cell is its slope: after the pass that finds it one more is right but for
 * roundings, however long the chain is. */
START_TEST(a_linear_cell_takes_two_passes_and_one_for_roundings)
{
    const uint64_t passes = passes_of_a_chain(keeps, 1 + _i % 2, 2 + _i / 2, NULL);
    ck_assert_uint_ge(passes, 2);
    ck_assert_uint_le(passes, 3);
}
END_TEST

/* Without them each pass makes one more chunk right. */
START_TEST(without_secants_a_chain_takes_a_pass_a_chunk)
{
    static const struct kernel_edit none[] = {
        {"#define PRNN_SECANT_PASSES 8\n", "#define PRNN_SECANT_PASSES 0\n"}, {0}};
    const int cluster = 2 + _i / 2;
    ck_assert_uint_eq(passes_of_a_chain(keeps, 1 + _i % 2, cluster, none),
                      (uint64_t)(CHUNKS * cluster - 1));
}
END_TEST

/* Secants that are wrong cost passes, no more: after eight of them there are none. */
START_TEST(wrong_secants_still_end)
{
    static const struct kernel_edit wrong[] = {
        {"affine_closed(i, j) ? finite_or_zero(gain * unit[j]) : (prnn_real)0;",
         "(prnn_real)(2 + (i + j) * 0 + 0 * gain);"},
        {0}};
    const int cluster = 2 + _i / 2;
    const uint64_t passes = passes_of_a_chain(keeps, 1 + _i % 2, cluster, wrong);
    ck_assert_uint_le(passes, (uint64_t)(8 + CHUNKS * cluster));
}
END_TEST

/* Of two states one remembers and the other follows: they move together, as a secant says. That the
 * first does not depend on the second may be known, or not; p is 0. */
static const char follows[] = "cell follows { state a, b; input u, g; param p;\n"
                              "a' = g*a + (1 - g)*tanh(u) + p*u; b' = 0.5*b + 0.3*a; }";
static const char may_follow[] = "cell follows { state a, b; input u, g; param p;\n"
                                 "a' = g*a + (1 - g)*tanh(u) + p*b; b' = 0.5*b + 0.3*a; }";

START_TEST(two_states_that_move_together_take_few_passes)
{
    const uint64_t passes =
        passes_of_a_chain(_i / 4 ? may_follow : follows, 1 + _i % 2, 2 + _i / 2 % 2, NULL);
    ck_assert_uint_ge(passes, 2);
    ck_assert_uint_le(passes, 4);
}
END_TEST

/* A run that comes upon a state that has been there ends. What it takes for the same is told. */
START_TEST(what_is_left_where_a_run_ends_is_in_the_certificate)
{
    static const struct kernel_edit careless[] = {
        {"#define PRNN_MEETING ((prnn_real)0.125)\n", "#define PRNN_MEETING ((prnn_real)1e5)\n"},
        {0}};
    const int cluster = 2 + _i / 2;
    const int64_t tile = (int64_t)TILE * cluster, entry = tile - 2 * CHUNK;
    const struct kernel_shape shape = shape_of(tile, 16);
    struct pair pair;
    pair_create(&pair, keeps, 1 + _i % 2, cluster, &shape, careless);
    keep(&pair, ALL, 0, tile, 0.2);
    /* A guess that is far off makes the states large; those of the run that follows are below 1. */
    for (int d = 0; d < 2; d++)
        kernel_set(kernel_tensor_of(d ? &pair.got : &pair.want, GROUP_H0, 0), 7, 100);
    mislead(&pair, 7, entry);
    keep(&pair, 7, entry, entry + CHUNK, 0.9);
    pair_run(&pair);
    ck_assert_double_gt(pair_error(&pair), 10 * TOLERANCE);
    ck_assert_double_gt(mismatch_of(&pair.got), 0.5 * pair_error(&pair));
    pair_free(&pair);
}
END_TEST

/* 0.92^216 is 2e-8: a guess from so many steps needs no pass, if the chunk before has them. */
static uint64_t passes_from(uint32_t chunk, uint32_t guess)
{
    enum { TILES = 3 };
    struct assemble_options options = options_of(1, 2, false);
    options.mode = ASSEMBLE_ACCURATE;
    options.strategy.chunk = chunk;
    options.strategy.guess = guess;
    struct kernel_shape shape = shape_of((int64_t)TILES * 2 * CHUNKS * chunk, 4);
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
    ck_assert_uint_eq(passes_from(240, 216), 0);
    ck_assert_uint_gt(passes_from(240, 80), 0);
    ck_assert_uint_gt(passes_from(96, 216), 0);
}
END_TEST

/* Tolerance 0: what is run again ends where the bits are the same, and so are all. */
START_TEST(tolerance_0_gives_the_bits_of_running_in_order)
{
    const int cluster = 2 + _i / 2;
    struct kernel_shape shape = shape_of(3 * (int64_t)TILE * cluster / 2 + 5, 16);
    struct pair pair;
    shape.tolerance = 0;
    pair_create(&pair, "cell forgets { state h; input u; h' = tanh(0.3*h + u); }", 1 + _i % 2,
                cluster, &shape, NULL);
    pair_run(&pair);
    kernel_data_check_same(&pair.want, &pair.got);
    ck_assert_double_eq(mismatch_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

/* A state of one channel that is NaN stays its own, and is told. */
START_TEST(what_is_not_finite_is_told_on_every_way)
{
    const int cluster = 2 + _i / 4;
    const struct kernel_shape shape = shape_of(2 * (int64_t)TILE * cluster, 16);
    struct pair pair;
    pair_create(&pair,
                _i / 2 % 2 ? remembers : "cell forgets { state h; input u; h' = tanh(0.3*h + u); }",
                1 + _i % 2, cluster, &shape, NULL);
    for (int d = 0; d < 2; d++)
        kernel_set(kernel_tensor_of(d ? &pair.got : &pair.want, GROUP_X, 0),
                   (size_t)(TILE * cluster + 5) * 16 + 3, NAN);
    pair_run(&pair);
    const struct kernel_tensor *a = kernel_tensor_of(&pair.got, GROUP_H, 0),
                               *b = kernel_tensor_of(&pair.want, GROUP_H, 0);
    uint32_t nonfinite = 0;
    for (size_t i = 0; i < a->count; i++) {
        const double x = kernel_get(a, i), y = kernel_get(b, i);
        ck_assert_msg(isnan(x) ? isnan(y) : fabs(x - y) <= 20 * TOLERANCE, "%zu: %g, in order %g",
                      i, x, y);
    }
    for (int i = 0; i < pair.got.grid; i++)
        nonfinite += pair.got.report[i].nonfinite > 0;
    ck_assert_uint_ge(nonfinite, 1);
    ck_assert_uint_le(nonfinite, (uint32_t)cluster);
    pair_free(&pair);
}
END_TEST

/* A state that is NaN once and forgotten, behind where a run ends. */
START_TEST(what_is_not_run_again_is_told_of)
{
    check_nonfinite_is_told(1 + _i % 2, 2, 3 * CHUNK, 3 * CHUNK + 70);
}
END_TEST

/* A wrong guess in one tile does not keep the next from being guessed. */
START_TEST(a_tile_that_fails_does_not_hold_up_the_next)
{
    enum { TILES = 6, FAILING = 3, OF_CLUSTER = 2 * TILE };
    const struct kernel_shape shape = shape_of(TILES * OF_CLUSTER, 16);
    struct pair pair;
    pair_create(&pair, keeps, 1 + _i, 2, &shape, NULL);
    keep(&pair, ALL, 0, TILES * OF_CLUSTER, 0.2);
    for (int tile = 0; tile < FAILING; tile++)
        mislead(&pair, ALL, tile * OF_CLUSTER + CHUNK);
    pair_run(&pair);
    ck_assert_double_le(pair_error(&pair), 4 * TOLERANCE);
    for (int b = 0; b < pair.got.grid; b++)
        ck_assert_uint_eq(pair.got.report[b].sum_corrections, FAILING);
    pair_free(&pair);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("secant");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, where_the_cell_forgets_guesses_are_all, 0, 4);
    tcase_add_loop_test(tcase, a_guess_that_is_taken_though_wrong_is_in_the_certificate, 0, 32);
    tcase_add_loop_test(tcase, one_wrong_guess_costs_a_pass, 0, 16);
    tcase_add_loop_test(tcase, a_linear_cell_takes_two_passes_and_one_for_roundings, 0, 4);
    tcase_add_loop_test(tcase, two_states_that_move_together_take_few_passes, 0, 8);
    tcase_add_loop_test(tcase, without_secants_a_chain_takes_a_pass_a_chunk, 0, 4);
    tcase_add_loop_test(tcase, wrong_secants_still_end, 0, 4);
    tcase_add_loop_test(tcase, what_is_left_where_a_run_ends_is_in_the_certificate, 0, 4);
    tcase_add_test(tcase, a_guess_from_more_steps_needs_no_pass);
    tcase_add_loop_test(tcase, tolerance_0_gives_the_bits_of_running_in_order, 0, 4);
    tcase_add_loop_test(tcase, what_is_not_finite_is_told_on_every_way, 0, 8);
    tcase_add_loop_test(tcase, what_is_not_run_again_is_told_of, 0, 2);
    tcase_add_loop_test(tcase, a_tile_that_fails_does_not_hold_up_the_next, 0, 2);
    Suite *suite = suite_create("secant");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
