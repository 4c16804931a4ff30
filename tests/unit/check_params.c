#include "world.h"

static const char text[] = "cell c { state h = 0.25; input u;\n"
                           "param z init zeros; param o init ones; param k init constant(0.75);\n"
                           "param n init normal(1, 0.5); param f init uniform(-2, 3);\n"
                           "param r[2] in [-0.05, 0.05]; param s : shared;\n"
                           "h' = z*h + o + k*u + n + f + r[0] + r[1]*s; }\n";
enum { N = 20000 };

static prnn_context *ctx;
static prnn_cell *cell;
static double values[2 * N], again[2 * N];

static void setup(void)
{
    setenv("PARARNNC_CACHE_DIR", "none", 1);
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    cell = world_cell(ctx, text);
}

static void teardown(void)
{
    prnn_cell_free(cell);
    prnn_context_free(ctx);
}

static void fill(const char *name, uint64_t seed, double *out)
{
    ck_assert_msg(prnn_params_init(cell, name, seed, N, PRNN_F64, out, PRNN_DENSE) == PRNN_OK, "%s",
                  prnn_last_error());
}

static void expect_constant(const char *name, double value)
{
    fill(name, 1, values);
    for (int i = 0; i < N; i++)
        ck_assert_msg(values[i] == value, "%s[%d] is %g", name, i, values[i]);
}

START_TEST(constants_are_constant)
{
    expect_constant("z", 0);
    expect_constant("o", 1);
    expect_constant("k", 0.75);
    expect_constant("h", 0.25);
}
END_TEST

/* Mean and deviation of N draws, at five deviations of their own. */
START_TEST(draws_follow_their_distribution)
{
    static const struct {
        const char *name;
        double mean, deviation;
    } rows[] = {{"n", 1, 0.5}, {"f", 0.5, 1.4433756729740645}};
    fill(rows[_i].name, 7, values);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++)
        sum += values[i];
    for (int i = 0; i < N; i++)
        squares += (values[i] - rows[_i].mean) * (values[i] - rows[_i].mean);
    const double deviation = sqrt(squares / N), error = rows[_i].deviation / sqrt(N);
    ck_assert_msg(fabs(sum / N - rows[_i].mean) <= 5 * error, "mean %g", sum / N);
    ck_assert_msg(fabs(deviation - rows[_i].deviation) <= 5 * error, "deviation %g", deviation);
}
END_TEST

START_TEST(seeds_and_names_make_streams_of_their_own)
{
    fill("n", 7, values);
    fill("n", 7, again);
    ck_assert_mem_eq(values, again, N * sizeof *values);
    fill("n", 8, again);
    ck_assert_mem_ne(values, again, N * sizeof *values);
    ck_assert(values[0] != values[1]);
}
END_TEST

START_TEST(values_begin_within_their_range)
{
    fill("r", 3, values);
    int clipped = 0;
    for (int i = 0; i < 2 * N; i++) {
        ck_assert(values[i] >= -0.05 && values[i] <= 0.05);
        clipped += fabs(values[i]) == 0.05;
    }
    ck_assert_int_gt(clipped, 0);
    ck_assert_int_lt(clipped, 2 * N);
}
END_TEST

START_TEST(shared_values_are_one)
{
    values[1] = 99;
    fill("s", 3, values);
    ck_assert(values[1] == 99);
}
END_TEST

START_TEST(clipping_brings_values_back_and_keeps_nan)
{
    float small[2][4] = {{-1, 0.01f, 1, NAN}, {0.06f, -0.06f, 0, 5}};
    float wide[3] = {100, -100, NAN};
    ck_assert_int_eq(prnn_params_clip(cell, "r", 3, PRNN_F32, small, 4), PRNN_OK);
    ck_assert(small[0][0] == -0.05f && small[0][1] == 0.01f && small[0][2] == 0.05f);
    ck_assert(isnan(small[0][3]));
    ck_assert(small[1][0] == 0.05f && small[1][1] == -0.05f && small[1][2] == 0);
    ck_assert(small[1][3] == 5); /* behind the channels */
    ck_assert_int_eq(prnn_params_clip(cell, "n", 3, PRNN_F32, wide, PRNN_DENSE), PRNN_OK);
    ck_assert(wide[0] == 100 && wide[1] == -100);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    ck_assert_int_eq(prnn_params_init(cell, "u", 1, 3, PRNN_F32, values, 3), PRNN_E_INVALID);
    ck_assert_ptr_nonnull(strstr(prnn_last_error(), "'u'"));
    ck_assert_int_eq(prnn_params_init(cell, "n", 1, 3, PRNN_BF16, values, 3), PRNN_E_INVALID);
    ck_assert_ptr_nonnull(strstr(prnn_last_error(), "PRNN_F32"));
    ck_assert_int_eq(prnn_params_init(cell, "n", 1, -3, PRNN_F32, values, 3), PRNN_E_INVALID);
    ck_assert_int_eq(prnn_params_init(cell, "n", 1, 3, PRNN_F32, NULL, 3), PRNN_E_INVALID);
    ck_assert_int_eq(prnn_params_clip(cell, "h", 3, PRNN_F32, values, 3), PRNN_E_INVALID);
    ck_assert_int_eq(prnn_params_clip(NULL, "h", 3, PRNN_F32, values, 3), PRNN_E_INVALID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("params");
    TCase *tests = tcase_create("values");
    tcase_add_unchecked_fixture(tests, setup, teardown);
    tcase_add_test(tests, constants_are_constant);
    tcase_add_loop_test(tests, draws_follow_their_distribution, 0, 2);
    tcase_add_test(tests, seeds_and_names_make_streams_of_their_own);
    tcase_add_test(tests, values_begin_within_their_range);
    tcase_add_test(tests, shared_values_are_one);
    tcase_add_test(tests, clipping_brings_values_back_and_keeps_nan);
    tcase_add_test(tests, wrong_arguments_are_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
