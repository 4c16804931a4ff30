/* Forward kernels that solve a tile from guesses alone, and else in order: when they do which, and
 * that the answer is right either way. */
#include "guess_case.h"

START_TEST(where_the_cell_forgets_guesses_are_all)
{
    const struct kernel_shape shape = shape_of(3 * TILE + 7, 16);
    struct pair pair;
    pair_create(&pair, "cell forgets { state h; input u; h' = tanh(0.3*h + u); }", 1 + _i, 1,
                &shape, NULL);
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
    pair_create(&pair, "cell forgets { state h; input u; h' = tanh(0.3*h + u); }", 1 + _i, 1,
                &shape, NULL);
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
    pair_create(&pair, remembers, 1 + _i, 1, &shape, NULL);
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
    pair_create(&pair, "cell even { state h; input u; param f; h' = f*h + u; }", vc, 1, &shape,
                told);
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
    pair_create(&pair, remembers, 1 + _i, 1, &shape, blind);
    pair_run(&pair);
    ck_assert_double_le(pair_error(&pair), 50 * TOLERANCE);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

/* A kernel that takes every guess tells where it is wrong. */
START_TEST(a_guess_that_is_taken_though_wrong_is_in_the_certificate)
{
    static const struct kernel_edit careless[] = {
        {"            if (!PRNN_BARRIER_OR(differs)) {\n",
         "            if (!(PRNN_BARRIER_OR(differs) & 0)) {\n"},
        {0}};
    const int channel = _i / 2, chunk = 1 + _i / 2 % (CHUNKS - 1);
    check_wrong_guess_is_told(1 + _i % 2, 1, careless, channel, chunk);
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
    pair_create(&pair, keeps, 1 + _i % 2, 1, &shape, NULL);
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
    pair_create(&pair, "cell forgets { state h; input u; h' = tanh(0.3*h + u); }", 2, 1, &shape,
                NULL);
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
                1 + _i % 2, 1, &shape, NULL);
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

/* A state that is NaN once and forgotten, in a chunk that stays, behind one that is run again. */
START_TEST(what_is_not_run_again_is_told_of)
{
    check_nonfinite_is_told(1 + _i, 1, CHUNK, 2 * CHUNK + 70);
}
END_TEST

/* A wrong guess in one tile does not keep the next from being guessed. */
START_TEST(a_tile_that_fails_does_not_hold_up_the_next)
{
    enum { TILES = 6, FAILING = 3 };
    const struct kernel_shape shape = shape_of(TILES * TILE, 16);
    struct pair pair;
    pair_create(&pair, keeps, 1 + _i, 1, &shape, NULL);
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
    tcase_add_loop_test(tcase, what_is_not_run_again_is_told_of, 0, 2);
    tcase_add_loop_test(tcase, a_tile_that_fails_does_not_hold_up_the_next, 0, 2);
    Suite *suite = suite_create("guess");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
