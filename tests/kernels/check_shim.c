#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "planted.h"
#include "shim.h"
#include "text_library.h"

enum { GRID = EXCHANGE_BLOCKS, CELLS = GRID * RELAY_THREADS };

struct bench {
    alignas(16) float in[STREAM_ROWS * RELAY_THREADS];
    float gap[16]; /* so that past the inputs is not in the outputs */
    alignas(16) float out[CELLS];
    int turn[CELLS + 1];
    double doubles[2 * RELAY_THREADS];
    unsigned short halves[RELAY_THREADS];
    struct shim_report report;
};

static const char *const order_names[] = {"forward", "reverse", "random"};

static void run(struct bench *bench, shim_kernel *kernel, enum plant plant, enum shim_order order)
{
    const struct shim_config config = {
        .grid = kernel == stream || kernel == types ? 1 : GRID,
        .threads = RELAY_THREADS,
        .cluster = kernel == exchange ? EXCHANGE_BLOCKS
                   : kernel == place  ? 2
                                      : 1,
        .shared_bytes = kernel == relay    ? RELAY_SHARED
                        : kernel == stream ? STREAM_SHARED
                        : kernel == types  ? RELAY_THREADS * 20
                                           : EXCHANGE_SHARED,
        .order = order,
        .seed = 7 + (uint64_t)plant,
        .check = true,
        .barrier_limit = 1000,
    };
    const size_t inputs = kernel == stream ? STREAM_ROWS * RELAY_THREADS : CELLS;
    for (int i = 0; i < STREAM_ROWS * RELAY_THREADS; i++)
        bench->in[i] = (float)((i * 37) % 101);
    memset(bench->out, 0xff, sizeof bench->out);
    memset(bench->turn, 0, sizeof bench->turn);
    const struct prnn_launch launch = {plant,           bench->in,      bench->out,
                                       bench->turn + 1, bench->doubles, bench->halves};
    shim_clear_globals();
    shim_add_global(bench->in, inputs * sizeof *bench->in, false, "in");
    shim_add_global(bench->out, sizeof bench->out, true, "out");
    shim_add_global(bench->doubles, sizeof bench->doubles, true, "doubles");
    shim_add_global(bench->halves, sizeof bench->halves, true, "halves");
    const int64_t faults = shim_launch(kernel, &launch, &config, &bench->report);
    ck_assert_int_eq(faults, bench->report.faults);
}

/* Results, by another way than the kernels'. */

static float relay_expected(const struct bench *bench, int i)
{
    const int block = i / RELAY_THREADS, warp = i % RELAY_THREADS / 32;
    float sum = 0.0f;
    for (int lane = 0; lane < 32; lane++)
        sum +=
            bench->in[block * RELAY_THREADS + (warp * 32 + lane + RELAY_ROUNDS) % RELAY_THREADS] +
            (float)RELAY_ROUNDS;
    return sum; /* of small integers, hence exact in any order */
}

static float segments_expected(const struct bench *bench, int i)
{
    float sum = 0.0f;
    for (int lane = 0; lane < SEGMENT; lane++)
        sum += bench->in[i / SEGMENT * SEGMENT + lane];
    for (int round = 0; round < i % 32 / SEGMENT; round++)
        sum *= SEGMENT;
    return sum;
}

static float stream_expected(const struct bench *bench, int i)
{
    float sum = 0.0f;
    for (int row = 0; row < STREAM_ROWS; row++)
        sum += bench->in[row * RELAY_THREADS + RELAY_THREADS - 1 - i];
    return sum;
}

static float exchange_expected(const struct bench *bench, int i)
{
    float v[EXCHANGE_BLOCKS];
    for (int b = 0; b < EXCHANGE_BLOCKS; b++)
        v[b] = bench->in[b * RELAY_THREADS];
    for (int round = 0; round < EXCHANGE_ROUNDS; round++) {
        float sum = 0.0f;
        for (int b = 0; b < EXCHANGE_BLOCKS; b++)
            sum += v[b];
        for (int b = 0; b < EXCHANGE_BLOCKS; b++)
            v[b] = sum + (float)b;
    }
    return v[i / RELAY_THREADS];
}

static void assert_clean(const struct bench *bench, const char *kernel, int order)
{
    if (bench->report.faults)
        shim_report_print(&bench->report);
    ck_assert_msg(bench->report.faults == 0, "%s, %s order: %s", kernel, order_names[order],
                  bench->report.fault[0].text);
}

START_TEST(correct_kernels_are_clean_and_right_in_every_order)
{
    static const struct {
        const char *name;
        shim_kernel *kernel;
        float (*expected)(const struct bench *bench, int i);
        int cells;
    } rows[] = {{"relay", relay, relay_expected, CELLS},
                {"stream", stream, stream_expected, RELAY_THREADS},
                {"exchange", exchange, exchange_expected, CELLS},
                {"segments", segments, segments_expected, CELLS}};
    static struct bench bench;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        run(&bench, rows[k].kernel, PLANT_NOTHING, (enum shim_order)_i);
        assert_clean(&bench, rows[k].name, _i);
        for (int i = 0; i < rows[k].cells; i++)
            ck_assert_msg(bench.out[i] == rows[k].expected(&bench, i),
                          "%s, %s order: out[%d] is %g, needed %g", rows[k].name, order_names[_i],
                          i, bench.out[i], rows[k].expected(&bench, i));
    }
}
END_TEST

static const struct {
    enum plant plant;
    const char *name;
    shim_kernel *kernel;
    enum shim_fault_kind kind;
} plants[] = {
#define ROW(name, kernel, kind)                                                                    \
    {                                                                                              \
        PLANT_##name, #name, kernel, SHIM_##kind                                                   \
    }
    ROW(NO_BARRIER_AFTER_WRITE, relay, RACE),
    ROW(NO_BARRIER_BEFORE_NEXT_WRITE, relay, RACE),
    ROW(BARRIERS_AT_TWO_PLACES, relay, DIVERGENCE),
    ROW(RETURN_BEFORE_BARRIER, relay, DIVERGENCE),
    ROW(SHARED_PAST_END, relay, BOUNDS),
    ROW(SHARED_BEFORE_BEGIN, relay, BOUNDS),
    ROW(SHARED_INTO_NEXT_VIEW, relay, BOUNDS),
    ROW(SHARED_STORE_PAST_END, relay, BOUNDS),
    ROW(VIEW_OUTSIDE_POOL, relay, BOUNDS),
    ROW(VIEW_UNALIGNED, relay, ALIGNMENT),
    ROW(UNINITIALISED, relay, UNINITIALISED),
    ROW(LAST_READER_WRITES, relay, RACE),
    ROW(TWO_WRITERS, relay, RACE),
    ROW(GLOBAL_READ_PAST_END, relay, BOUNDS),
    ROW(GLOBAL_READ_BEFORE_BEGIN, relay, BOUNDS),
    ROW(GLOBAL_WRITE_PAST_END, relay, BOUNDS),
    ROW(GLOBAL_WRITE_TO_INPUT, relay, BOUNDS),
    ROW(GLOBAL_UNALIGNED_PAIR, relay, ALIGNMENT),
    ROW(GLOBAL_TWO_WRITERS, relay, RACE),
    ROW(GLOBAL_READ_OF_OTHER_BLOCK, relay, RACE),
    ROW(SHUFFLE_IN_BRANCH, relay, DIVERGENCE),
    ROW(SHUFFLES_AT_TWO_PLACES, relay, DIVERGENCE),
    ROW(ENDLESS_BARRIERS, relay, DEADLOCK),
    ROW(NO_WAIT, stream, IN_FLIGHT),
    ROW(WAIT_FOR_TOO_FEW, stream, IN_FLIGHT),
    ROW(NO_COMMIT, stream, IN_FLIGHT),
    ROW(NO_BARRIER_BEFORE_REFILL, stream, RACE),
    ROW(COPY_TO_UNALIGNED, stream, ALIGNMENT),
    ROW(COPY_FROM_UNALIGNED, stream, ALIGNMENT),
    ROW(COPY_FROM_PAST_END, stream, BOUNDS),
    ROW(COPY_TO_PAST_END, stream, BOUNDS),
    ROW(COPY_TWICE, stream, IN_FLIGHT),
    ROW(NO_FIRST_CLUSTER_BARRIER, exchange, LIFETIME),
    ROW(NO_CLUSTER_BARRIER_AFTER_SEND, exchange, RACE),
    ROW(BLOCK_BARRIER_AFTER_SEND, exchange, RACE),
    ROW(NO_CLUSTER_BARRIER_BEFORE_NEXT_SEND, exchange, RACE),
    ROW(SEND_BEFORE_END, exchange, LIFETIME),
    ROW(SEND_TO_NO_BLOCK, exchange, BOUNDS),
    ROW(BARRIERS_OF_TWO_KINDS, exchange, DEADLOCK),
    ROW(SEGMENT_TOO_FAR, segments, DIVERGENCE),
    ROW(SEGMENT_LACKS_A_LANE, segments, DIVERGENCE),
    ROW(SEGMENT_OF_TWO_WIDTHS, segments, DIVERGENCE),
#undef ROW
};

enum { PLANTS = sizeof plants / sizeof *plants };

START_TEST(planted_fault_is_reported_in_every_order)
{
    static struct bench bench;
    for (int order = SHIM_FORWARD; order <= SHIM_RANDOM; order++) {
        run(&bench, plants[_i].kernel, plants[_i].plant, (enum shim_order)order);
        ck_assert_msg(bench.report.count[plants[_i].kind] > 0,
                      "%s, %s order: %lld faults, no %s; first: %s", plants[_i].name,
                      order_names[order], (long long)bench.report.faults,
                      shim_fault_name(plants[_i].kind), bench.report.fault[0].text);
        bool is_placed = false;
        for (int k = 0; k < bench.report.kept; k++)
            is_placed |= bench.report.fault[k].kind == plants[_i].kind &&
                         bench.report.fault[k].line > 0 &&
                         strstr(bench.report.fault[k].text, "planted.c:") != NULL;
        ck_assert_msg(is_placed, "%s: no fault names its line", plants[_i].name);
    }
}
END_TEST

/* Whoever runs first meets the copy on its way; whoever runs last, a write of the same phase. */
START_TEST(data_read_before_the_barrier_after_its_wait_is_reported)
{
    static struct bench bench;
    run(&bench, stream, PLANT_NO_BARRIER_AFTER_WAIT, (enum shim_order)_i);
    ck_assert_int_gt(bench.report.count[SHIM_IN_FLIGHT] + bench.report.count[SHIM_RACE], 0);
}
END_TEST

static bool is_said(const struct shim_report *report, const char *words)
{
    for (int k = 0; k < report->kept; k++)
        if (strstr(report->fault[k].text, words))
            return true;
    return false;
}

START_TEST(a_writer_that_also_read_last_races_with_the_other_readers)
{
    static struct bench bench;
    run(&bench, relay, PLANT_LAST_READER_WRITES, (enum shim_order)_i);
    ck_assert(is_said(&bench.report, "and others read"));
}
END_TEST

START_TEST(threads_left_at_a_barrier_are_told_who_returned)
{
    static struct bench bench;
    run(&bench, relay, PLANT_RETURN_BEFORE_BARRIER, (enum shim_order)_i);
    ck_assert(is_said(&bench.report, "thread 5 of block 0 never reached: it has returned"));
}
END_TEST

/* Three stores reach a block that ends afterwards, one a block that has ended: either way round. */
START_TEST(every_store_that_no_cluster_barrier_follows_is_reported)
{
    static struct bench bench;
    run(&bench, exchange, PLANT_SEND_BEFORE_END, SHIM_FORWARD);
    ck_assert_int_eq(bench.report.count[SHIM_LIFETIME], 4);
}
END_TEST

START_TEST(redundant_barrier_is_not_missed)
{
    static struct bench bench;
    run(&bench, relay, PLANT_NO_REDUNDANT_BARRIER, (enum shim_order)_i);
    assert_clean(&bench, "relay", _i);
}
END_TEST

START_TEST(wrong_shuffle_distance_shows_in_the_result)
{
    static struct bench bench;
    run(&bench, relay, PLANT_SHUFFLE_WRONG_DISTANCE, SHIM_FORWARD);
    ck_assert_int_eq(bench.report.faults, 0);
    ck_assert(!(bench.out[0] == relay_expected(&bench, 0)));
}
END_TEST

START_TEST(raw_dereference_of_a_view_crashes)
{
    static struct bench bench;
    run(&bench, relay, PLANT_RAW_DEREFERENCE, SHIM_FORWARD);
}
END_TEST

START_TEST(stack_overflow_meets_the_guard_page)
{
    static struct bench bench;
    run(&bench, relay, PLANT_DEEP_STACK, SHIM_FORWARD);
}
END_TEST

START_TEST(races_are_silent_without_check_but_bounds_are_not)
{
    static struct bench bench;
    const struct prnn_launch racy = {
        .plant = PLANT_NO_BARRIER_AFTER_WRITE, .in = bench.in, .out = bench.out};
    const struct prnn_launch wild = {
        .plant = PLANT_SHARED_PAST_END, .in = bench.in, .out = bench.out};
    const struct shim_config config = {
        .grid = 1, .threads = RELAY_THREADS, .shared_bytes = RELAY_SHARED};
    shim_clear_globals();
    ck_assert_int_eq(shim_launch(relay, &racy, &config, NULL), 0);
    ck_assert_int_gt(shim_launch(relay, &wild, &config, NULL), 0);
}
END_TEST

START_TEST(launch_that_does_not_fit_is_refused)
{
    static struct bench bench;
    const struct prnn_launch launch = {.in = bench.in, .out = bench.out};
    struct shim_report report;
    struct shim_config config = {.grid = 1, .threads = 96, .shared_bytes = 2 * RELAY_SHARED};
    shim_clear_globals();
    shim_launch(relay, &launch, &config, &report);
    ck_assert_int_gt(report.count[SHIM_CONFIG], 0);
    config = (struct shim_config){.grid = 3, .threads = RELAY_THREADS, .cluster = 2};
    ck_assert_int_eq(shim_launch(relay, &launch, &config, &report), 1);
    ck_assert_int_eq(report.count[SHIM_CONFIG], 1);
    config = (struct shim_config){.grid = 1, .threads = 48, .shared_bytes = RELAY_SHARED};
    shim_launch(relay, &launch, &config, &report);
    ck_assert_msg(report.count[SHIM_DIVERGENCE] > 0, "a shuffle in half a warp passed");
}
END_TEST

START_TEST(threads_run_in_the_order_asked_for)
{
    static struct bench bench;
    static int other[RELAY_THREADS];
    run(&bench, place, PLANT_NOTHING, SHIM_FORWARD);
    for (int i = 0; i < RELAY_THREADS; i++)
        ck_assert_int_eq(bench.turn[1 + i], i);
    run(&bench, place, PLANT_NOTHING, SHIM_REVERSE);
    for (int i = 0; i < RELAY_THREADS; i++) /* of a cluster of two blocks */
        ck_assert_int_eq(bench.turn[1 + i], 2 * RELAY_THREADS - 1 - i);
    run(&bench, place, PLANT_NOTHING, SHIM_RANDOM);
    memcpy(other, bench.turn + 1, sizeof other);
    run(&bench, place, PLANT_NOTHING, SHIM_RANDOM);
    ck_assert_msg(memcmp(other, bench.turn + 1, sizeof other) == 0, "a seed is not one order");
    run(&bench, place, PLANT_NO_WAIT, SHIM_RANDOM); /* another seed */
    ck_assert_msg(memcmp(other, bench.turn + 1, sizeof other) != 0, "two seeds are one order");
    bool seen[2 * RELAY_THREADS] = {false};
    for (int i = 0; i < 2 * RELAY_THREADS; i++) {
        ck_assert_int_lt(bench.turn[1 + i], 2 * RELAY_THREADS);
        ck_assert(!seen[bench.turn[1 + i]]);
        seen[bench.turn[1 + i]] = true;
    }
}
END_TEST

START_TEST(threads_know_their_place_and_what_any_of_them_said)
{
    static struct bench bench;
    run(&bench, place, PLANT_NOTHING, (enum shim_order)_i);
    assert_clean(&bench, "place", _i);
    for (int i = 0; i < CELLS; i++) {
        const int block = i / RELAY_THREADS;
        ck_assert(bench.out[i] == (float)(block * 1000 + block % 2 * 100 + (block == 1) * 10));
    }
}
END_TEST

START_TEST(every_element_type_keeps_its_value)
{
    static struct bench bench;
    run(&bench, types, PLANT_NOTHING, (enum shim_order)_i);
    assert_clean(&bench, "types", _i);
    for (int i = 0; i < RELAY_THREADS; i++) {
        const int next = (i + 1) % RELAY_THREADS, lane = i % 32, warp = i / 32;
        ck_assert(bench.doubles[i] == next + 0.5);
        ck_assert(bench.out[i] == (float)(2 * next) + (float)next / 256.0f);
        ck_assert_uint_eq(bench.halves[i], (unsigned)(65000 + (i ^ 1)));
        ck_assert(bench.doubles[RELAY_THREADS + i] ==
                  (lane < 2 ? i : i - 2) + 1000.0 * (32 * warp + 31));
    }
}
END_TEST

START_TEST(text_is_compiled_loaded_and_blamed_by_its_line)
{
    static const char text[] = "#define PRNN_ENTRY late\n"
                               "#include \"abi.h\"\n"
                               "#include \"prelude_shim.h\"\n"
                               "struct prnn_launch { float *out; };\n"
                               "PRNN_KERNEL(PRNN_ENTRY, 32)\n"
                               "{\n"
                               "    PRNN_SHARED(float, s_a, 0, 32);\n"
                               "    PRNN_SST(s_a, PRNN_TID, 1.0f);\n"
                               "    PRNN_GST(PRNN_LAUNCH->out + PRNN_TID,\n"
                               "             PRNN_SLD(s_a, 31 - PRNN_TID));\n"
                               "}\n";
    static const char *const compiler[] = {"cc", "-I" PRNN_SOURCE_DIR "/kernels-gen", NULL};
    float out[32];
    struct {
        float *out;
    } launch = {out};
    struct shim_report report;
    const struct shim_config config = {
        .grid = 1, .threads = 32, .shared_bytes = 128, .check = true};
    struct text_library *library = text_library_load(text, sizeof text - 1, "late", compiler);
    ck_assert_ptr_nonnull(library);
    ck_assert_ptr_null((void *)(uintptr_t)text_library_kernel(library, "early"));
    shim_clear_globals();
    shim_add_global(out, sizeof out, true, "out");
    shim_launch(text_library_kernel(library, "late"), &launch, &config, &report);
    ck_assert_int_gt(report.count[SHIM_RACE], 0);
    bool is_blamed = false;
    for (int k = 0; k < report.kept; k++)
        is_blamed |= strstr(report.fault[k].text, "late.c:10: race") != NULL;
    ck_assert_msg(is_blamed, "%s", report.fault[0].text);
    text_library_free(library);
}
END_TEST

/* AddressSanitizer must leave the two crashes above to the system. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_segv=0";
}

int main(void)
{
    TCase *tcase = tcase_create("shim");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, correct_kernels_are_clean_and_right_in_every_order, 0, 3);
    tcase_add_loop_test(tcase, planted_fault_is_reported_in_every_order, 0, PLANTS);
    tcase_add_loop_test(tcase, data_read_before_the_barrier_after_its_wait_is_reported, 0, 3);
    tcase_add_loop_test(tcase, a_writer_that_also_read_last_races_with_the_other_readers, 0, 2);
    tcase_add_loop_test(tcase, threads_left_at_a_barrier_are_told_who_returned, 0, 3);
    tcase_add_test(tcase, every_store_that_no_cluster_barrier_follows_is_reported);
    tcase_add_loop_test(tcase, redundant_barrier_is_not_missed, 0, 3);
    tcase_add_test(tcase, wrong_shuffle_distance_shows_in_the_result);
    tcase_add_test_raise_signal(tcase, raw_dereference_of_a_view_crashes, SIGSEGV);
    tcase_add_test_raise_signal(tcase, stack_overflow_meets_the_guard_page, SIGSEGV);
    tcase_add_test(tcase, races_are_silent_without_check_but_bounds_are_not);
    tcase_add_test(tcase, launch_that_does_not_fit_is_refused);
    tcase_add_test(tcase, threads_run_in_the_order_asked_for);
    tcase_add_loop_test(tcase, threads_know_their_place_and_what_any_of_them_said, 0, 3);
    tcase_add_loop_test(tcase, every_element_type_keeps_its_value, 0, 3);
    tcase_add_test(tcase, text_is_compiled_loaded_and_blamed_by_its_line);
    Suite *suite = suite_create("shim");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
