#include "kernel_case.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *cell;
} cells[] = {
    {"gru", kernel_cell_gru},       {"lstm", kernel_cell_lstm},     {"affine", kernel_cell_affine},
    {"output", kernel_cell_output}, {"shared", kernel_cell_shared}, {"dense", kernel_cell_dense},
    {"chain", kernel_cell_chain},
};
enum { CELLS = sizeof cells / sizeof *cells };

static struct assemble_options options_of(int strategy, enum assemble_storage storage,
                                          enum assemble_mode mode, bool has_resets)
{
    struct assemble_options options = {.kernel = ASSEMBLE_FORWARD,
                                       .storage = storage,
                                       .mode = mode,
                                       .strategy = kernel_strategies[strategy].strategy,
                                       .has_resets = has_resets};
    kernel_strategy_fit(&options);
    return options;
}

static void check_certificate(const struct kernel_data *d)
{
    const struct strategy *s = &d->plan->options.strategy;
    const uint32_t chunks = s->tile_chunks * s->cluster;
    for (int b = 0; b < d->grid; b++) {
        const struct prnn_block_report *report = &d->report[b];
        ck_assert(report->mismatch >= 0 && report->mismatch <= d->shape.tolerance);
        /* Newton ends after the chunks and one more; then at most as many sweeps. */
        ck_assert_uint_le(report->max_corrections, 2 * (chunks + 1) + 1);
        ck_assert_uint_eq(report->nonfinite, 0);
        ck_assert_uint_le(report->sum_corrections,
                          (uint64_t)report->tiles * report->max_corrections);
    }
}

static void run_and_check(const struct kernel_plan *plan, const struct kernel_shape *shape,
                          enum shim_order order, double *ratio)
{
    struct kernel_data data;
    kernel_data_create(&data, plan, shape);
    kernel_data_run(&data, order);
    kernel_data_check(&data);
    check_certificate(&data);
    *ratio = fmax(*ratio, data.largest_ratio);
    kernel_data_free(&data);
}

START_TEST(states_and_outputs_are_the_interpreters_for_every_strategy)
{
    const int cell = _i / KERNEL_STRATEGIES, strategy = _i % KERNEL_STRATEGIES;
    /* Every strategy for two cells, every other one for the rest: a text costs half a second. */
    if (cell > 1 && (cell + strategy) % 2)
        return;
    struct assemble_options options = options_of(strategy, ASSEMBLE_F32, ASSEMBLE_ACCURATE, _i % 2);
    struct kernel_plan plan;
    double ratio = 0;
    options.is_packed = (cell + strategy) % 2 == 0;
    kernel_plan_load(&plan, cells[cell].cell, &options, NULL);
    const struct strategy *s = &options.strategy;
    const int64_t tile = (int64_t)s->tile_chunks * s->chunk * s->cluster;
    const struct kernel_shape shapes[] = {
        {.batch = 1, .steps = 1, .channels = 1},
        {.batch = 3, .steps = 3 * tile + 7, .channels = 33, .has_h0 = true, .tolerance = 1e-5},
        {.batch = 1, .steps = tile - 1, .channels = 40, .is_aligned = true, .tolerance = 1e-5},
        {.batch = 1, .steps = tile + 1, .channels = 40, .is_aligned = true, .is_reversed = true},
        {.batch = 3, .steps = tile + 5, .channels = 9, .is_packed = true, .has_h0 = true},
        {.batch = 3, .steps = tile + 5, .channels = 9, .is_packed = true, .is_reversed = true},
    };
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        struct kernel_shape shape = shapes[k];
        if (shape.is_packed && !options.is_packed)
            continue;
        shape.has_resets = options.has_resets;
        shape.seed = k + 1;
        run_and_check(&plan, &shape, (enum shim_order)(k % 3), &ratio);
    }
    printf("%s, %s: ratio %.3g of 30\n", cells[cell].name, kernel_strategies[strategy].name, ratio);
    kernel_plan_free(&plan);
}
END_TEST

/* Chunks of a warp are padded apart, and a tile takes several rounds of copies, which begin in
 * another chunk each. */
START_TEST(rows_of_long_chunks_arrive_in_their_places)
{
    struct assemble_options options = options_of(1, ASSEMBLE_F32, ASSEMBLE_ACCURATE, false);
    struct kernel_plan plan;
    double ratio = 0;
    options.strategy.chunk = _i ? 12 : 8;
    kernel_plan_load(&plan, kernel_cell_gru, &options, NULL);
    ck_assert(!strstr(plan.text.assembled.text, "#define PRNN_RING_PAD 0\n"));
    const struct kernel_shape shape = {.batch = 2,
                                       .steps = 3 * 4 * (int64_t)options.strategy.chunk + 7,
                                       .channels = 40,
                                       .is_aligned = true,
                                       .tolerance = 1e-6};
    run_and_check(&plan, &shape, SHIM_REVERSE, &ratio);
    kernel_plan_free(&plan);
}
END_TEST

START_TEST(every_storage_type_keeps_its_precision)
{
    static const enum assemble_storage storages[] = {ASSEMBLE_F64, ASSEMBLE_BF16, ASSEMBLE_F16};
    /* Pairs of channels with a ring; without one, where a shared input is one element for both; and
     * shared inputs of several elements beside the ring. */
    static const struct {
        const char *cell;
        int strategy;
    } kinds[] = {
        {kernel_cell_lstm, 3},
        {kernel_cell_shared, 7},
        {"cell common { state h; input s : shared; input u; input t[2] : shared; param a;\n"
         "h' = tanh(a*h + u*s + t[0]) - 0.25*t[1]; }\n",
         3}};
    const struct assemble_options options =
        options_of(kinds[_i / 3].strategy, storages[_i % 3], ASSEMBLE_ACCURATE, false);
    struct kernel_plan plan;
    double ratio = 0;
    kernel_plan_load(&plan, kinds[_i / 3].cell, &options, NULL);
    const struct kernel_shape aligned = {
        .batch = 1, .steps = 31, .channels = 40, .is_aligned = true, .has_h0 = true};
    const struct kernel_shape odd = {.batch = 3, .steps = 29, .channels = 17};
    run_and_check(&plan, &aligned, SHIM_RANDOM, &ratio);
    run_and_check(&plan, &odd, SHIM_REVERSE, &ratio);
    printf("storage %d: ratio %.3g of 30\n", _i, ratio);
    kernel_plan_free(&plan);
}
END_TEST

/* One sequence in order against every shape of a tile: tolerance 0 promises the same bits. */
static void check_bits(const char *cell, enum assemble_mode mode, int strategy, double gain)
{
    const struct assemble_options first = options_of(0, ASSEMBLE_F32, mode, false),
                                  second = options_of(strategy, ASSEMBLE_F32, mode, false);
    struct kernel_plan alone, tiled;
    kernel_plan_load(&alone, cell, &first, NULL);
    kernel_plan_load(&tiled, cell, &second, NULL);
    const struct kernel_shape shape = {
        .batch = 2, .steps = 75, .channels = 11, .has_h0 = true, .gain = gain, .seed = 7};
    struct kernel_data a, b;
    kernel_data_create(&a, &alone, &shape);
    kernel_data_create(&b, &tiled, &shape);
    kernel_data_run(&a, SHIM_FORWARD);
    for (int order = SHIM_FORWARD; order <= SHIM_RANDOM; order++) {
        kernel_data_poison(&b);
        kernel_data_run(&b, (enum shim_order)order);
        kernel_data_check_same(&a, &b);
        check_certificate(&b);
    }
    kernel_data_free(&a);
    kernel_data_free(&b);
    kernel_plan_free(&alone);
    kernel_plan_free(&tiled);
}

START_TEST(tolerance_zero_has_the_bits_of_the_sequential_run)
{
    const enum assemble_mode mode = _i % 2 ? ASSEMBLE_STRICT : ASSEMBLE_ACCURATE;
    const int strategy = 1 + _i / 2;
    check_bits(strategy % 2 ? kernel_cell_lstm : kernel_cell_gru, mode, strategy, 2.0);
}
END_TEST

START_TEST(chaotic_cell_ends_with_the_bits_of_the_sequential_run)
{
    check_bits(kernel_cell_chaotic, ASSEMBLE_STRICT, _i ? 4 : 2, -0.5);
}
END_TEST

START_TEST(nan_in_one_sequence_and_channel_reaches_no_other)
{
    const struct assemble_options options =
        options_of(_i ? 5 : 2, ASSEMBLE_F32, ASSEMBLE_ACCURATE, false);
    struct kernel_plan plan;
    kernel_plan_load(&plan, kernel_cell_gru, &options, NULL);
    const struct kernel_shape shape = {.batch = 3, .steps = 41, .channels = 20, .seed = 3};
    struct kernel_data a, b;
    kernel_data_create(&a, &plan, &shape);
    kernel_data_create(&b, &plan, &shape);
    kernel_set(kernel_tensor_of(&b, GROUP_X, 1), (size_t)((41 + 19) * 20 + 4), (double)NAN);
    kernel_data_run(&a, SHIM_FORWARD);
    kernel_data_run(&b, SHIM_FORWARD);
    const struct kernel_tensor *h = kernel_tensor_of(&a, GROUP_H, 0),
                               *k = kernel_tensor_of(&b, GROUP_H, 0);
    bool is_reported = false;
    for (int64_t row = 0; row < 3 * 41; row++)
        for (int64_t n = 0; n < 20; n++) {
            const double want = kernel_get(h, (size_t)(row * 20 + n));
            const double got = kernel_get(k, (size_t)(row * 20 + n));
            if (row / 41 == 1 && row % 41 >= 19 && n == 4)
                ck_assert_msg(isnan(got), "step %d is %g", (int)row % 41, got);
            else
                ck_assert_msg(got == want, "sequence %d step %d channel %d: %g, %g", (int)row / 41,
                              (int)row % 41, (int)n, got, want);
        }
    for (int block = 0; block < b.grid; block++) {
        is_reported |= b.report[block].nonfinite == 1;
        ck_assert(b.report[block].nonfinite == 0 || b.report[block].batch == 1);
    }
    ck_assert(is_reported);
    kernel_data_free(&a);
    kernel_data_free(&b);
    kernel_plan_free(&plan);
}
END_TEST

/* Mostly finite: e^(4000 u - 3900) overflows where an input is above 0.9972, and the step behind
 * that gives 0. */
static const char cell_spikes[] =
    "cell spikes { state h; input u; h' = exp(4000*u - 3900 - h*h); }";

/* How many states are not finite; 'inside' of them neither at the end of a chunk nor of the
 * sequence. */
static int nonfinite_states(struct kernel_data *data, int64_t chunk, int *inside)
{
    const struct kernel_tensor *h = kernel_tensor_of(data, GROUP_H, 0);
    int count = 0;
    for (int64_t b = 0; b < data->shape.batch; b++)
        for (int64_t t = 0; t < data->shape.steps; t++)
            for (int64_t n = 0; n < data->shape.channels; n++) {
                const int64_t row = b * data->shape.steps + t;
                if (isfinite(kernel_get(h, (size_t)(row * data->shape.channels + n))))
                    continue;
                count++;
                *inside += (t + 1) % chunk != 0 && t + 1 != data->shape.steps;
            }
    return count;
}

START_TEST(infinite_states_are_reported_wherever_they_are)
{
    const struct assemble_options options =
        options_of(_i / 2, ASSEMBLE_F32, _i % 2 ? ASSEMBLE_STRICT : ASSEMBLE_ACCURATE, false);
    struct kernel_plan plan;
    int with = 0, only_inside = 0;
    kernel_plan_load(&plan, cell_spikes, &options, NULL);
    for (uint64_t seed = 1; seed <= 24; seed++) {
        const struct kernel_shape shape = {
            .batch = 1, .steps = 41, .channels = 6, .tolerance = 1e-5, .seed = seed};
        struct kernel_data data;
        int inside = 0;
        bool is_reported = false;
        kernel_data_create(&data, &plan, &shape);
        kernel_data_run(&data, SHIM_FORWARD);
        const int count = nonfinite_states(&data, options.strategy.chunk, &inside);
        for (int b = 0; b < data.grid; b++)
            is_reported |= data.report[b].nonfinite == 1;
        ck_assert_msg(is_reported == (count > 0), "seed %d: %d states, reported %d", (int)seed,
                      count, is_reported);
        with += count > 0;
        only_inside += count > 0 && inside == count;
        kernel_data_free(&data);
    }
    ck_assert_msg(with > 0 && with < 24 && only_inside > 0, "%d with, %d inside", with,
                  only_inside);
    kernel_plan_free(&plan);
}
END_TEST

/* With a third stage the ring has the inputs of the next tile, and its entries are guessed while
 * this one is solved: the same operations at another time, so the same bits and corrections. */
START_TEST(entries_guessed_ahead_are_those_guessed_in_time)
{
    static const struct kernel_shape shapes[] = {
        {.batch = 2, .channels = 16, .is_aligned = true, .tolerance = 1e-6, .has_h0 = true},
        {.batch = 3, .channels = 9, .tolerance = 1e-6, .has_resets = true},
        {.batch = 3, .channels = 5, .tolerance = 1e-6, .is_packed = true, .is_reversed = true},
    };
    static const char *const nonlinear[] = {
        kernel_cell_gru, kernel_cell_lstm,
        "cell timed { state h; input u; input dt : shared; param a;\n"
        "h' = sigmoid(dt)*tanh(a*h + u); }"};
    struct assemble_options options =
        options_of(_i % 2 ? 4 : 1, ASSEMBLE_F32, ASSEMBLE_ACCURATE, false);
    options.strategy.chunk = _i < 3 ? 8 : 26; /* as long as the guess, and longer */
    const int64_t tile =
        (int64_t)options.strategy.tile_chunks * options.strategy.chunk * options.strategy.cluster;
    /* One shape will do for the longer one. */
    for (size_t i = 0; i < (_i < 3 ? sizeof shapes / sizeof *shapes : 1); i++) {
        struct kernel_shape shape = shapes[i];
        struct kernel_plan plan[2];
        struct kernel_data data[2];
        uint64_t sum[2] = {0, 0};
        shape.steps = 3 * tile + 11;
        shape.seed = 5 + i;
        options.has_resets = shape.has_resets;
        options.is_packed = shape.is_packed;
        for (int k = 0; k < 2; k++) {
            options.strategy.stages = k ? 3 : 2;
            kernel_plan_load(&plan[k], nonlinear[_i % 3], &options, NULL);
            kernel_data_create(&data[k], &plan[k], &shape);
            kernel_data_run(&data[k], SHIM_FORWARD);
            kernel_data_check(&data[k]);
            for (int b = 0; b < data[k].grid; b++)
                sum[k] += data[k].report[b].sum_corrections;
        }
        ck_assert_uint_eq(sum[0], sum[1]);
        for (uint32_t j = 0; j < data[0].counts[GROUP_H]; j++) {
            const struct kernel_tensor *a = kernel_tensor_of(&data[0], GROUP_H, j),
                                       *b = kernel_tensor_of(&data[1], GROUP_H, j);
            for (size_t e = 0; e < a->count; e++)
                ck_assert_msg(kernel_get(a, e) == kernel_get(b, e),
                              "shape %d, state %d, element %d", (int)i, (int)j, (int)e);
        }
        for (int k = 0; k < 2; k++) {
            kernel_data_free(&data[k]);
            kernel_plan_free(&plan[k]);
        }
    }
}
END_TEST

/* Without a ring: where a chunk of 64 steps forgets what was before it, its exit is known from its
 * last steps, and one run is enough. Where steps may be 2 GiB apart, or pairs of channels are not
 * aligned, nothing is read ahead, so nothing is guessed; the answer is the same. */
START_TEST(without_a_ring_a_cell_that_forgets_needs_no_correction)
{
    static const struct kernel_shape shapes[] = {
        {.batch = 2, .channels = 16, .is_aligned = true, .has_h0 = true},
        {.batch = 1, .channels = 9, .has_h0 = true, .has_resets = true},
        {.batch = 3, .channels = 20, .is_aligned = true, .is_packed = true, .is_reversed = true},
        {.batch = 1, .channels = 16, .is_aligned = true, .is_far = true},
    };
    static const char *const forget[] = {
        kernel_cell_gru, kernel_cell_lstm, kernel_cell_affine,
        "cell timed { state h; input u; input dt : shared; param a;\n"
        "h' = 0.7*sigmoid(dt)*tanh(a*h + u); output y = h'*u; }"};
    const enum assemble_storage storage = _i / 4 ? ASSEMBLE_BF16 : ASSEMBLE_F32;
    for (size_t i = 0; i < (_i < 4 ? sizeof shapes / sizeof *shapes : 2); i++) {
        struct kernel_shape shape = shapes[i];
        struct assemble_options options = options_of(6, storage, ASSEMBLE_ACCURATE, false);
        struct kernel_plan plan;
        struct kernel_data data;
        uint64_t sum = 0;
        const uint32_t vc = 1 + (uint32_t)(_i + (int)i) % 2;
        options.strategy = (struct strategy){
            .lanes = 8, .vc = vc, .tile_chunks = 4, .chunk = 64, .cluster = vc == 1 ? 1 : 2};
        options.has_resets = shape.has_resets;
        options.is_packed = shape.is_packed;
        shape.steps = 2 * 4 * 64 * (int64_t)options.strategy.cluster + 45;
        shape.tolerance = storage == ASSEMBLE_F32 ? 1e-6 : 0x1p-11;
        shape.gain = 0.5;
        shape.seed = 3 + i;
        kernel_plan_load(&plan, forget[_i % 4], &options, NULL);
        kernel_data_create(&data, &plan, &shape);
        kernel_data_run(&data, SHIM_FORWARD);
        kernel_data_check(&data);
        for (int b = 0; b < data.grid; b++)
            sum += data.report[b].sum_corrections;
        const bool is_read_ahead = !shape.is_far && (vc == 1 || shape.is_aligned);
        ck_assert_msg(is_read_ahead == (sum == 0), "cell %d, shape %d, vc %u: %llu corrections",
                      _i % 4, (int)i, (unsigned)vc, (unsigned long long)sum);
        kernel_data_free(&data);
        kernel_plan_free(&plan);
    }
}
END_TEST

/* ... and where it does not, the run that was for nothing shows it. */
START_TEST(without_a_ring_a_cell_that_remembers_is_corrected)
{
    static const char *const remember[] = {
        "cell slow { state h; input u; param a; h' = 0.995*h + 0.1*tanh(u + a*h); }",
        "cell slow { state h; input u; param a; h' = 0.998*h + u; }", kernel_cell_chaotic};
    struct assemble_options options = options_of(6, ASSEMBLE_F32, ASSEMBLE_ACCURATE, false);
    options.strategy.chunk = 64;
    const struct kernel_shape shape = {
        .batch = 1, .steps = 600, .channels = 5, .tolerance = 1e-6, .seed = 2, .gain = 0.3};
    struct kernel_plan plan;
    struct kernel_data data;
    kernel_plan_load(&plan, remember[_i], &options, NULL);
    kernel_data_create(&data, &plan, &shape);
    kernel_data_run(&data, SHIM_FORWARD);
    if (_i < 2)
        kernel_data_check(&data);
    ck_assert_uint_ge(data.report[0].max_corrections, 1);
    ck_assert(data.report[0].mismatch <= shape.tolerance);
    kernel_data_free(&data);
    kernel_plan_free(&plan);
}
END_TEST

/* Threads beyond the last channel and chunks beyond the last step compute something, too: with
 * inputs of 0, cos again and again. The channels that are there forget their state at every step,
 * so that their guess is exact. */
START_TEST(certificate_and_corrections_are_those_of_what_is_there)
{
    static const char cell[] = "cell cosine { state h; input u; h' = where(u > 1, 0.5, cos(h)); }";
    const struct assemble_options options =
        options_of(_i ? 5 : 2, ASSEMBLE_F32, ASSEMBLE_STRICT, false);
    struct kernel_plan plan;
    kernel_plan_load(&plan, cell, &options, NULL);
    /* Whole tiles, and a rest that stays in the first block: behind a block the guess is the
     * initial state. */
    const struct strategy *s = &options.strategy;
    const int64_t tile = (int64_t)s->tile_chunks * s->chunk * s->cluster;
    const struct kernel_shape shape = {
        .batch = 2, .steps = 3 * tile + 7, .channels = 3, .tolerance = 1e-5, .seed = 11};
    struct kernel_data data;
    kernel_data_create(&data, &plan, &shape);
    struct kernel_tensor *u = kernel_tensor_of(&data, GROUP_X, 0);
    for (size_t i = 0; i < u->count; i++)
        kernel_set(u, i, 2);
    kernel_data_run(&data, SHIM_FORWARD);
    for (int b = 0; b < data.grid; b++) {
        const struct prnn_block_report *report = &data.report[b];
        ck_assert_msg(report->mismatch <= 0, "mismatch %g in channel %lld of 3", report->mismatch,
                      report->channel);
        ck_assert_uint_le(report->max_corrections, 1);
    }
    kernel_data_free(&data);
    kernel_plan_free(&plan);
}
END_TEST

/* From a wrong entry a step may lie where the cell is flat: its tangent is 0, so that a large
 * change of the entry moves no recorded state, in first order. */
START_TEST(flat_cell_is_not_taken_for_a_solved_one)
{
    static const char *const flat[] = {
        "cell rectified { state h; input u; param w; h' = relu(u + (1 + 0.1*w)*h); }",
        "cell saturated { state h; input u; param w; h' = tanh(u + (8 + w)*h); }"};
    const struct assemble_options options = options_of(
        _i / 2 ? 5 : 1, _i % 4 > 1 ? ASSEMBLE_F32 : ASSEMBLE_BF16, ASSEMBLE_ACCURATE, false);
    struct kernel_plan plan;
    double ratio = 0;
    kernel_plan_load(&plan, flat[_i % 2], &options, NULL);
    for (uint64_t seed = 1; seed <= 8; seed++) {
        const struct kernel_shape shape = {.batch = 2,
                                           .steps = 128,
                                           .channels = 40,
                                           .is_aligned = true,
                                           .tolerance = _i % 4 > 1 ? 1e-6 : 0x1p-11,
                                           .seed = seed};
        run_and_check(&plan, &shape, SHIM_FORWARD, &ratio);
    }
    kernel_plan_free(&plan);
}
END_TEST

START_TEST(strict_mode_has_the_same_bits_by_every_compiler)
{
    static const char *const unoptimised[] = {"cc", "-O0", NULL};
    static const char *const optimised[] = {"cc", "-O2", NULL};
    static const char *const *const compilers[] = {unoptimised, optimised, NULL};
    uint64_t hash[3];
    for (int k = 0; k < 3; k++) {
        const struct assemble_options options = options_of(1, ASSEMBLE_F32, ASSEMBLE_STRICT, false);
        struct kernel_plan plan;
        struct kernel_data data;
        kernel_plan_load(&plan, kernel_cell_gru, &options, compilers[k]);
        const struct kernel_shape shape = {
            .batch = 1, .steps = 50, .channels = 8, .tolerance = 1e-5, .seed = 5};
        kernel_data_create(&data, &plan, &shape);
        kernel_data_run(&data, SHIM_FORWARD);
        hash[k] = kernel_data_hash(&data);
        kernel_data_free(&data);
        kernel_plan_free(&plan);
    }
    ck_assert_uint_eq(hash[0], hash[1]);
    ck_assert_uint_eq(hash[0], hash[2]);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("forward");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, states_and_outputs_are_the_interpreters_for_every_strategy, 0,
                        CELLS * KERNEL_STRATEGIES);
    tcase_add_loop_test(tcase, rows_of_long_chunks_arrive_in_their_places, 0, 2);
    tcase_add_loop_test(tcase, every_storage_type_keeps_its_precision, 0, 9);
    tcase_add_loop_test(tcase, tolerance_zero_has_the_bits_of_the_sequential_run, 0,
                        2 * (KERNEL_STRATEGIES - 1));
    tcase_add_loop_test(tcase, chaotic_cell_ends_with_the_bits_of_the_sequential_run, 0, 2);
    tcase_add_loop_test(tcase, nan_in_one_sequence_and_channel_reaches_no_other, 0, 2);
    tcase_add_loop_test(tcase, infinite_states_are_reported_wherever_they_are, 0,
                        2 * KERNEL_STRATEGIES);
    tcase_add_loop_test(tcase, entries_guessed_ahead_are_those_guessed_in_time, 0, 6);
    tcase_add_loop_test(tcase, without_a_ring_a_cell_that_forgets_needs_no_correction, 0, 6);
    tcase_add_loop_test(tcase, without_a_ring_a_cell_that_remembers_is_corrected, 0, 3);
    tcase_add_loop_test(tcase, certificate_and_corrections_are_those_of_what_is_there, 0, 2);
    tcase_add_loop_test(tcase, flat_cell_is_not_taken_for_a_solved_one, 0, 4);
    tcase_add_test(tcase, strict_mode_has_the_same_bits_by_every_compiler);
    Suite *suite = suite_create("forward");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
