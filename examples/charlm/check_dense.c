/* The table of dense.h by a device's kernels, run by the stand-in, against the one by the CPU's own
 * loops; what happens when a device fails; and whether NVRTC takes the kernels. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dense_device.h"
#include "random.h"

enum { ROWS = 37, COLUMNS = 29, SYMBOLS = 11, MOST = ROWS * COLUMNS };

static prnn_context *ctx;
static struct accelerator accelerator;
static struct dense device;
static const struct dense *host;
static struct random numbers = {7};

static void start(bool is_f64)
{
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    accelerator_stand_in(&accelerator);
    host = is_f64 ? &dense_host_f64 : &dense_host_f32;
    ck_assert_int_eq(dense_device_create(&device, &accelerator, ctx, is_f64, ROWS, SYMBOLS),
                     PRNN_OK);
}

static void start_f32(void)
{
    start(false);
}

static void start_f64(void)
{
    start(true);
}

/* Everything that a test has asked for. */
static void *taken[32];
static int taken_count;

static void *take(size_t size)
{
    ck_assert_int_lt(taken_count, (int)(sizeof taken / sizeof *taken));
    ck_assert_int_eq(prnn_memory_alloc(ctx, &taken[taken_count], size), PRNN_OK);
    return taken[taken_count++];
}

static void stop(void)
{
    while (taken_count > 0)
        prnn_memory_free(ctx, taken[--taken_count]);
    dense_device_free(&device);
    prnn_context_free(ctx);
}

/* Two arrays of the same values: one for each table. */
struct pair {
    struct memory *ours, *theirs;
};

static struct pair pair_make(bool is_random)
{
    struct pair pair = {.ours = take(MOST * host->size), .theirs = take(MOST * host->size)};
    for (int i = 0; i < MOST; i++) {
        const double value = is_random ? random_normal(&numbers) : NAN;
        if (host->size == sizeof(double))
            ((double *)(void *)pair.ours)[i] = value;
        else
            ((float *)(void *)pair.ours)[i] = (float)value;
    }
    memcpy((void *)pair.theirs, (void *)pair.ours, MOST * host->size);
    return pair;
}

static struct memory *symbols_make(int count, int symbols)
{
    unsigned char *out = take((size_t)count);
    for (int i = 0; i < count; i++)
        out[i] = (unsigned char)(random_uniform(&numbers) * symbols);
    return (struct memory *)(void *)out;
}

static double value_at(const struct memory *memory, int i)
{
    return host->size == sizeof(double) ? ((const double *)(const void *)memory)[i]
                                        : (double)((const float *)(const void *)memory)[i];
}

/* Sums of 'terms' products of numbers near 1, in two orders: each rounds half an ulp a term. */
static void expect_equal(struct pair pair, int count, int terms, const char *what)
{
    const double epsilon = host->size == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON;
    for (int i = 0; i < MOST; i++) {
        const double ours = value_at(pair.ours, i), theirs = value_at(pair.theirs, i);
        if (i >= count) {
            ck_assert_msg(isnan(ours) && isnan(theirs), "%s: written past its end, at %d", what, i);
            continue;
        }
        ck_assert_msg(fabs(ours - theirs) <= terms * epsilon * (1 + fabs(theirs)),
                      "%s: [%d] is %.9g, on the CPU %.9g", what, i, ours, theirs);
    }
}

START_TEST(products_are_those_of_the_cpu_for_every_transposition)
{
    const struct product shape = {.rows = 13,
                                  .columns = 7,
                                  .inner = 19,
                                  .transpose_a = _i & 1,
                                  .transpose_b = _i >> 1 & 1,
                                  .accumulate = _i >> 2};
    const struct pair a = pair_make(true), b = pair_make(true);
    struct pair c = pair_make(shape.accumulate);
    device.multiply(&device, &shape, a.ours, b.ours, c.ours);
    host->multiply(host, &shape, a.theirs, b.theirs, c.theirs);
    if (shape.accumulate) /* what lies behind the product is no mark, but the same */
        expect_equal(c, MOST, 2 * shape.inner, "accumulated product");
    else
        expect_equal(c, shape.rows * shape.columns, 2 * shape.inner, "product");
}
END_TEST

START_TEST(moving_rows_is_exact)
{
    struct pair in = pair_make(true), out = pair_make(false);
    struct memory *symbols = symbols_make(ROWS, SYMBOLS);
    device.gather(&device, out.ours, in.ours, symbols, ROWS, COLUMNS - 1);
    host->gather(host, out.theirs, in.theirs, symbols, ROWS, COLUMNS - 1);
    expect_equal(out, ROWS * (COLUMNS - 1), 0, "gather");
    out = pair_make(false);
    device.fill_rows(&device, out.ours, in.ours, ROWS, 5);
    host->fill_rows(host, out.theirs, in.theirs, ROWS, 5);
    expect_equal(out, ROWS * 5, 0, "fill_rows");
    out = pair_make(false);
    device.add(&device, out.ours, in.ours, memory_at(host, in.ours, 3), 100);
    host->add(host, out.theirs, in.theirs, memory_at(host, in.theirs, 3), 100);
    expect_equal(out, 100, 0, "add");
    out = pair_make(false);
    device.copy(&device, out.ours, in.ours, 101);
    host->copy(host, out.theirs, in.theirs, 101);
    device.fill(&device, memory_at(host, out.ours, 101), 0.25, 2);
    host->fill(host, memory_at(host, out.theirs, 101), 0.25, 2);
    expect_equal(out, 103, 0, "copy and fill");
}
END_TEST

START_TEST(sums_over_rows_are_those_of_the_cpu)
{
    struct pair in = pair_make(true), out = pair_make(true);
    struct memory *symbols = symbols_make(ROWS, SYMBOLS);
    device.scatter(&device, out.ours, in.ours, symbols, ROWS, COLUMNS, SYMBOLS);
    host->scatter(host, out.theirs, in.theirs, symbols, ROWS, COLUMNS, SYMBOLS);
    expect_equal(out, MOST, ROWS, "scatter");
    out = pair_make(false);
    device.sum_rows(&device, out.ours, in.ours, ROWS, COLUMNS);
    host->sum_rows(host, out.theirs, in.theirs, ROWS, COLUMNS);
    expect_equal(out, COLUMNS, ROWS, "sum_rows");
}
END_TEST

START_TEST(loss_and_its_gradient_are_those_of_the_cpu)
{
    struct pair logits = pair_make(true);
    struct memory *targets = symbols_make(ROWS, COLUMNS);
    const double epsilon = host->size == sizeof(double) ? DBL_EPSILON : (double)FLT_EPSILON;
    for (int want_gradient = 0; want_gradient < 2; want_gradient++) {
        const double ours =
            device.loss(&device, logits.ours, targets, ROWS, COLUMNS, want_gradient);
        const double theirs =
            host->loss(host, logits.theirs, targets, ROWS, COLUMNS, want_gradient);
        ck_assert_msg(fabs(ours - theirs) <= COLUMNS * epsilon * theirs, "%.17g, on the CPU %.17g",
                      ours, theirs);
        ck_assert_double_gt(theirs, 1);
    }
    expect_equal(logits, ROWS * COLUMNS, COLUMNS, "gradient of the loss");
}
END_TEST

START_TEST(an_update_is_that_of_the_cpu_and_keeps_ranges)
{
    struct pair params = pair_make(true), mean = pair_make(true), square = pair_make(true);
    const struct pair grads = pair_make(true);
    struct memory *sum = take(sizeof(double));
    struct adaptation step = {.count = MOST,
                              .largest_norm = 1,
                              .beta1 = 0.9f,
                              .beta2 = 0.99f,
                              .pace = 0.5f,
                              .root = 1.5f,
                              .keep = 0.999f,
                              .lo = -0.75f,
                              .hi = 0.5f};
    for (int i = 0; i < 2; i++) {
        const struct dense *table = i ? host : &device;
        struct memory *squares = i ? square.theirs : square.ours;
        /* mean squares are not negative */
        table->fill(table, squares, 0.5, MOST);
        step.params = i ? params.theirs : params.ours;
        step.mean = i ? mean.theirs : mean.ours;
        step.square = squares;
        step.grads = i ? grads.theirs : grads.ours;
        step.square_sum = sum;
        table->squares(table, sum, step.grads, MOST);
        ck_assert_double_gt(*(double *)(void *)sum, MOST / 2.0);
        table->adapt(table, &step);
    }
    for (int i = 0; i < MOST; i++) {
        const double value = value_at(params.ours, i);
        ck_assert_msg(value >= -0.75 && value <= 0.5, "[%d] is %g", i, value);
    }
    expect_equal(params, MOST, 8, "parameters");
    expect_equal(mean, MOST, 4, "means");
    expect_equal(square, MOST, 4, "mean squares");
}
END_TEST

static int launches_left;

static bool launch_or_fail(struct accelerator *a, bool is_f64, enum kernel kernel,
                           const struct kernel_args *args)
{
    struct accelerator works;
    if (launches_left-- <= 0) {
        strcpy(a->fault, "out of order");
        return false;
    }
    accelerator_stand_in(&works);
    return works.launch(&works, is_f64, kernel, args);
}

START_TEST(a_failed_launch_is_said_and_nothing_is_done_after_it)
{
    struct pair out = pair_make(false);
    struct memory *targets = symbols_make(ROWS, COLUMNS);
    ck_assert_ptr_null(device.fault(&device));
    accelerator.launch = launch_or_fail;
    launches_left = _i;
    struct pair logits = pair_make(true);
    ck_assert(isnan(device.loss(&device, logits.ours, targets, ROWS, COLUMNS, true)));
    ck_assert_str_eq(device.fault(&device), "out of order");
    launches_left = 100;
    device.fill(&device, out.ours, 1, MOST);
    device.multiply(&device, &(struct product){.rows = 2, .columns = 2, .inner = 2}, logits.ours,
                    logits.ours, out.ours);
    expect_equal(out, 0, 0, "after a fault");
}
END_TEST

START_TEST(nvrtc_takes_the_kernels)
{
    static const char *const architectures[] = {"sm_80", "sm_90"};
    struct accelerator unused;
    const int code = accelerator_cuda_compiles(&unused, architectures[_i]);
    if (code < 0)
        printf("not compiled: %s\n", unused.fault);
    ck_assert_msg(code != 0, "%s", unused.fault);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*begin)(void))
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, begin, stop);
    tcase_add_loop_test(tests, products_are_those_of_the_cpu_for_every_transposition, 0, 8);
    tcase_add_test(tests, moving_rows_is_exact);
    tcase_add_test(tests, sums_over_rows_are_those_of_the_cpu);
    tcase_add_test(tests, loss_and_its_gradient_are_those_of_the_cpu);
    tcase_add_test(tests, an_update_is_that_of_the_cpu_and_keeps_ranges);
    tcase_add_loop_test(tests, a_failed_launch_is_said_and_nothing_is_done_after_it, 0, 4);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("dense");
    TCase *text = tcase_create("text");
    dense_host_start();
    add_tests(suite, "float", start_f32);
    add_tests(suite, "double", start_f64);
    tcase_set_timeout(text, 60);
    tcase_add_loop_test(text, nvrtc_takes_the_kernels, 0, 2);
    suite_add_tcase(suite, text);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
