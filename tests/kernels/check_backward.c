#include "kernel_case.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name, *cell;
} cells[] = {
    {"gru", kernel_cell_gru},       {"lstm", kernel_cell_lstm},     {"detach", kernel_cell_detach},
    {"output", kernel_cell_output}, {"shared", kernel_cell_shared}, {"dense", kernel_cell_dense},
    {"chain", kernel_cell_chain},
};
enum { CELLS = sizeof cells / sizeof *cells, STRATEGIES = 3, SHARED_STRATEGIES = 4 };

static struct assemble_options options_of(int strategy, enum assemble_storage storage,
                                          enum assemble_mode mode, bool has_resets)
{
    return (struct assemble_options){.kernel = ASSEMBLE_BACKWARD,
                                     .storage = storage,
                                     .mode = mode,
                                     .strategy = kernel_strategies[strategy].strategy,
                                     .has_resets = has_resets};
}

static void run_and_check(const struct kernel_plan *plan, const struct kernel_shape *shape,
                          enum shim_order order, double *ratio)
{
    struct kernel_data data;
    kernel_data_create(&data, plan, shape);
    kernel_data_run(&data, order);
    kernel_data_check(&data);
    *ratio = fmax(*ratio, data.largest_ratio);
    kernel_data_free(&data);
}

/* Those of them that the text was made for. */
static void run_shapes(const struct kernel_plan *plan, const struct kernel_shape *shapes,
                       size_t count, double *ratio)
{
    for (size_t k = 0; k < count; k++) {
        struct kernel_shape shape = shapes[k];
        if (shape.is_packed && !plan->options.is_packed)
            continue;
        shape.has_resets = plan->options.has_resets;
        shape.seed = k + 1;
        run_and_check(plan, &shape, (enum shim_order)(k % 3), ratio);
    }
}

START_TEST(gradients_are_those_of_backpropagation_in_order)
{
    const int cell = _i / STRATEGIES, strategy = (_i % STRATEGIES * 2 + cell % 2) % 6;
    struct assemble_options options = options_of(strategy, ASSEMBLE_F32, ASSEMBLE_ACCURATE, _i % 2);
    struct kernel_plan plan;
    double ratio = 0;
    options.is_packed = (cell / 2 + strategy / 2) % 2 == 0;
    kernel_plan_load(&plan, cells[cell].cell, &options, NULL);
    const struct strategy *s = &options.strategy;
    const int64_t tile = (int64_t)s->tile_chunks * s->chunk * s->cluster;
    const struct kernel_shape shapes[] = {
        {.batch = 1, .steps = 1, .channels = 1},
        {.batch = 3, .steps = 3 * tile + 7, .channels = 33, .has_h0 = true},
        {.batch = 2, .steps = tile - 1, .channels = 40, .is_aligned = true},
        {.batch = 1, .steps = tile + 1, .channels = 40, .is_aligned = true, .is_reversed = true},
        {.batch = 3, .steps = tile + 5, .channels = 9, .is_packed = true, .has_h0 = true},
        {.batch = 3, .steps = tile + 5, .channels = 9, .is_packed = true, .is_reversed = true},
    };
    run_shapes(&plan, shapes, sizeof shapes / sizeof *shapes, &ratio);
    printf("%s, %s: ratio %.3g of 30\n", cells[cell].name, kernel_strategies[strategy].name, ratio);
    kernel_plan_free(&plan);
}
END_TEST

/* Sums over segments of 4 to 32 threads, of fewer values than threads and of more. Behind the last
 * channel the cell divides by zero. */
START_TEST(gradients_of_any_number_of_shared_inputs_are_summed)
{
    static const int numbers[] = {1, 2, 3, 8, 33};
    enum { NUMBERS = sizeof numbers / sizeof *numbers };
    static const struct strategy strategies[SHARED_STRATEGIES] = {
        {.lanes = 32, .vc = 1, .tile_chunks = 1, .chunk = 4, .stages = 2, .cluster = 1},
        {.lanes = 64, .vc = 2, .tile_chunks = 1, .chunk = 3, .stages = 2, .cluster = 1},
        {.lanes = 4, .vc = 1, .tile_chunks = 8, .chunk = 2, .stages = 2, .cluster = 1},
        {.lanes = 16, .vc = 2, .tile_chunks = 2, .chunk = 2, .stages = 2, .cluster = 2},
    };
    struct assemble_options options = options_of(0, ASSEMBLE_F32, ASSEMBLE_ACCURATE, _i % 2);
    options.strategy = strategies[_i];
    options.is_packed = _i % 2 == 0;
    for (int k = 0; k < NUMBERS; k++) {
        char cell[300];
        struct kernel_plan plan;
        double ratio = 0;
        snprintf(cell, sizeof cell,
                 "cell mixed { const d = %d; state h; input b[d] : shared;\n"
                 "input u in [1, 4]; input n : shared nograd; param a; param w[d];\n"
                 "h' = tanh(a*h + n/4)/u + dot(w, b)*h/64; }\n",
                 numbers[k]);
        kernel_plan_load(&plan, cell, &options, NULL);
        const struct kernel_shape shapes[] = {
            {.batch = 2, .steps = 11, .channels = 5},
            {.batch = 2, .steps = 33, .channels = 80, .is_aligned = true, .has_h0 = true},
            {.batch = 1, .steps = 17, .channels = 150, .is_reversed = true},
            {.batch = 1, .steps = 9, .channels = 64, .is_aligned = true},
            {.batch = 3, .steps = 21, .channels = 40, .is_packed = true},
        };
        run_shapes(&plan, shapes, sizeof shapes / sizeof *shapes, &ratio);
        printf("%d shared inputs, strategy %d: ratio %.3g of 30\n", numbers[k], _i, ratio);
        kernel_plan_free(&plan);
    }
}
END_TEST

/* Long chunks: guessed from the steps behind them, or, without a tolerance, from their maps. */
#define LONG(l, v, w, s, r, c, g)                                                                  \
    {                                                                                              \
        .lanes = l, .vc = v, .tile_chunks = w, .chunk = s, .stages = r, .cluster = c, .guess = g   \
    }
static const struct strategy long_strategies[] = {
    LONG(8, 1, 4, 32, 2, 1, 0), LONG(8, 2, 4, 40, 3, 2, 96), LONG(32, 1, 2, 64, 3, 1, 0)};
#undef LONG
enum { LONG_STRATEGIES = sizeof long_strategies / sizeof *long_strategies };

static struct assemble_options long_options(int strategy, enum assemble_storage storage)
{
    struct assemble_options options = options_of(0, storage, ASSEMBLE_ACCURATE, false);
    options.strategy = long_strategies[strategy];
    return options;
}

START_TEST(gradients_in_long_chunks_are_those_of_backpropagation_in_order)
{
    const int cell = _i / LONG_STRATEGIES, strategy = _i % LONG_STRATEGIES;
    struct assemble_options options = long_options(strategy, ASSEMBLE_F32);
    struct kernel_plan plan;
    double ratio = 0;
    options.has_resets = _i % 2;
    options.is_packed = (cell / 2 + strategy / 2) % 2 == 0;
    /* Gradients of kernel_cell_shared grow from step to step, and so do their roundings. */
    static const char damped[] =
        "cell damped { state h; input u; input dt : shared; param a; param k : shared;\n"
        "h' = 0.5*h + sigmoid(dt)*(tanh(a*h + u) - k*tanh(h))/4; }\n";
    const char *text = cells[cell].cell == kernel_cell_shared ? damped : cells[cell].cell;
    kernel_plan_load(&plan, text, &options, NULL);
    const struct strategy *s = &options.strategy;
    const int64_t tile = (int64_t)s->tile_chunks * s->chunk * s->cluster;
    const struct kernel_shape shapes[] = {
        {.batch = 1, .steps = 1, .channels = 1, .tolerance = 1e-6},
        {.batch = 3, .steps = 2 * tile + 7, .channels = 9, .has_h0 = true, .tolerance = 1e-6},
        {.batch = 2, .steps = 2 * tile, .channels = 40, .is_aligned = true, .tolerance = 1e-6},
        {.batch = 2, .steps = 2 * tile, .channels = 40, .is_aligned = true},
        {.batch = 1, .steps = tile + 1, .channels = 40, .is_aligned = true, .is_reversed = true},
        {.batch = 3, .steps = tile + 5, .channels = 9, .is_packed = true, .has_h0 = true},
        {.batch = 3, .steps = tile + 5, .channels = 9, .is_packed = true, .tolerance = 1e-6},
    };
    run_shapes(&plan, shapes, sizeof shapes / sizeof *shapes, &ratio);
    printf("%s, long chunks %d: ratio %.3g of 30\n", cells[cell].name, strategy, ratio);
    kernel_plan_free(&plan);
}
END_TEST

/* Two tiles in long chunks, of a text that was changed. */
static void run_edited(int strategy, const char *cell, const struct kernel_edit *edits,
                       double tolerance)
{
    const struct assemble_options options = long_options(strategy, ASSEMBLE_F32);
    const struct strategy *s = &options.strategy;
    const struct kernel_shape shape = {.batch = 1,
                                       .steps =
                                           2 * (int64_t)s->tile_chunks * s->chunk * s->cluster - 3,
                                       .channels = 40,
                                       .is_aligned = true,
                                       .has_h0 = true,
                                       .tolerance = tolerance,
                                       .seed = 4};
    struct kernel_plan plan;
    double ratio = 0;
    kernel_plan_load_edited(&plan, cell, &options, edits);
    run_and_check(&plan, &shape, SHIM_RANDOM, &ratio);
    kernel_plan_free(&plan);
}

START_TEST(where_the_cell_forgets_the_guess_is_all)
{
    static const struct kernel_edit without_maps[] = {
        {"map_step(k, s, map, unused);", "map[0].q[0] += (prnn_real)77;"}, {NULL, NULL}};
    run_edited(_i % LONG_STRATEGIES, _i < LONG_STRATEGIES ? kernel_cell_gru : kernel_cell_lstm,
               without_maps, 1e-5);
}
END_TEST

START_TEST(a_wrong_guess_is_found_and_made_good)
{
    static const struct kernel_edit wrong[] = {
        {"states_copy(guess, lambda);",
         "if (!chunk_is_first(k) && k->w == 1) lambda[0][0] += (prnn_real)0.125;\n"
         "states_copy(guess, lambda);"},
        {NULL, NULL}};
    run_edited(_i % LONG_STRATEGIES, _i < LONG_STRATEGIES ? kernel_cell_gru : kernel_cell_lstm,
               wrong, 1e-5);
}
END_TEST

START_TEST(without_a_tolerance_nothing_is_guessed)
{
    static const struct kernel_edit wrong[] = {{"begins_with_guess ? PASS_GUESS : PASS_MAP",
                                                "begins_with_guess ? (enum pass)77 : PASS_MAP"},
                                               {NULL, NULL}};
    run_edited(_i, kernel_cell_gru, wrong, 0);
}
END_TEST

/* Guesses of the chunks before it are finite. */
START_TEST(nan_in_one_gradient_reaches_all_steps_before_it_and_no_other_channel)
{
    enum { STEPS = 250, CHANNELS = 40, FROM = 200, WHERE = 6 };
    const struct assemble_options options = long_options(_i, ASSEMBLE_F32);
    const struct kernel_shape shape = {.batch = 1,
                                       .steps = STEPS,
                                       .channels = CHANNELS,
                                       .is_aligned = true,
                                       .tolerance = 1e-5,
                                       .seed = 8};
    struct kernel_plan plan;
    struct kernel_data data;
    kernel_plan_load(&plan, kernel_cell_gru, &options, NULL);
    kernel_data_create(&data, &plan, &shape);
    struct kernel_tensor *g = kernel_tensor_of(&data, GROUP_GH, 0);
    kernel_set(g, (size_t)(FROM * CHANNELS + WHERE), (double)NAN);
    kernel_data_run(&data, SHIM_FORWARD);
    struct kernel_tensor *dx = kernel_tensor_of(&data, GROUP_DX, 0);
    for (int t = 0; t < STEPS; t++)
        for (int c = 0; c < CHANNELS; c++)
            ck_assert_msg(!isnan(kernel_get(dx, (size_t)(t * CHANNELS + c))) ==
                              !(c == WHERE && t <= FROM),
                          "step %d, channel %d", t, c);
    kernel_data_free(&data);
    kernel_plan_free(&plan);
}
END_TEST

/* The same bits of what two launches write, but of the first input's gradient. */
static void check_same_but_first(struct kernel_data *a, struct kernel_data *b)
{
    for (int g = GROUP_DX; g < GROUP_COUNT; g++)
        for (uint32_t k = g == GROUP_DX; k < a->counts[g]; k++) {
            const struct kernel_tensor *s = kernel_tensor_of(a, (enum kernel_group)g, k);
            const struct kernel_tensor *t = kernel_tensor_of(b, (enum kernel_group)g, k);
            for (size_t i = 0; s->is_present && i < s->count; i++)
                ck_assert_msg(kernel_get(s, i) == kernel_get(t, i), "group %d, %u, %zu: %g, %g", g,
                              k, i, kernel_get(s, i), kernel_get(t, i));
        }
}

/* What is not bound is a row of the workspace, the same at every step (runtime/cuda): zeros for a
 * gradient that comes in, and a row that nobody reads for one that is not wanted. Threads write
 * there in any order, which the shim would call a race: tried with one sequence in order, where
 * each channel has one thread. */
START_TEST(one_row_stands_for_tensors_that_are_not_bound)
{
    static const char *const texts[] = {kernel_cell_gru, kernel_cell_output, kernel_cell_chain};
    const int strategy = _i / 3 % 6;
    struct assemble_options options =
        options_of(strategy, _i % 2 ? ASSEMBLE_BF16 : ASSEMBLE_F32, ASSEMBLE_ACCURATE, false);
    if (strategy == 5)
        options.strategy = (struct strategy){
            .lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 32, .stages = 2, .cluster = 1};
    kernel_strategy_fit(&options);
    const bool is_alone = options.strategy.tile_chunks == 1;
    const struct kernel_shape shape = {.batch = is_alone ? 1 : 2,
                                       .steps = 150,
                                       .channels = _i % 2 ? 64 : 13,
                                       .has_h0 = true,
                                       .is_aligned = _i % 2,
                                       .is_reversed = _i % 4 == 0,
                                       .tolerance = 1e-6};
    struct kernel_plan plan;
    struct kernel_data whole, rows;
    kernel_plan_load(&plan, texts[_i % 3], &options, NULL);
    kernel_data_create(&whole, &plan, &shape);
    kernel_data_create(&rows, &plan, &shape);
    for (int g = GROUP_GH; g <= GROUP_GY; g++)
        for (uint32_t k = 0; k < whole.counts[g]; k++) {
            struct kernel_tensor *t[] = {kernel_tensor_of(&whole, (enum kernel_group)g, k),
                                         kernel_tensor_of(&rows, (enum kernel_group)g, k)};
            for (size_t i = 0; t[0]->is_present && i < t[0]->count; i++)
                kernel_set(t[0], i, 0);
            /* What is behind the first row is not to be read. */
            for (size_t i = 0; t[1]->is_present && i < t[1]->count; i++)
                kernel_set(t[1], i, i < (size_t)shape.channels ? 0 : NAN);
            t[1]->stride_b = t[1]->stride_t = 0;
        }
    struct kernel_tensor *unread = kernel_tensor_of(&rows, GROUP_DX, 0);
    if (is_alone)
        unread->stride_b = unread->stride_t = 0;
    kernel_data_run(&whole, SHIM_FORWARD);
    kernel_data_run(&rows, SHIM_RANDOM);
    check_same_but_first(&whole, &rows);
    for (size_t i = (size_t)shape.channels; is_alone && i < unread->count; i++)
        ck_assert(isnan(kernel_get(unread, i)));
    kernel_data_free(&whole);
    kernel_data_free(&rows);
    kernel_plan_free(&plan);
}
END_TEST

START_TEST(every_storage_type_keeps_its_precision)
{
    static const enum assemble_storage storages[] = {ASSEMBLE_F64, ASSEMBLE_BF16, ASSEMBLE_F16};
    const struct assemble_options options = options_of(3, storages[_i], ASSEMBLE_ACCURATE, false);
    struct kernel_plan plan;
    double ratio = 0;
    kernel_plan_load(&plan, kernel_cell_lstm, &options, NULL);
    const struct kernel_shape aligned = {
        .batch = 1, .steps = 31, .channels = 40, .is_aligned = true, .has_h0 = true};
    const struct kernel_shape odd = {.batch = 3, .steps = 29, .channels = 17};
    run_and_check(&plan, &aligned, SHIM_RANDOM, &ratio);
    run_and_check(&plan, &odd, SHIM_REVERSE, &ratio);
    kernel_plan_free(&plan);
}
END_TEST

START_TEST(gradients_have_the_same_bits_in_every_order_of_threads)
{
    const struct assemble_options options = options_of(5, ASSEMBLE_F32, ASSEMBLE_STRICT, true);
    struct kernel_plan plan;
    struct kernel_data first, other;
    kernel_plan_load(&plan, kernel_cell_shared, &options, NULL);
    const struct kernel_shape shape = {
        .batch = 3, .steps = 30, .channels = 20, .has_h0 = true, .has_resets = true, .seed = 9};
    kernel_data_create(&first, &plan, &shape);
    kernel_data_create(&other, &plan, &shape);
    kernel_data_run(&first, SHIM_FORWARD);
    kernel_data_run(&other, SHIM_REVERSE);
    kernel_data_check_same(&first, &other);
    kernel_data_poison(&other);
    kernel_data_run(&other, SHIM_RANDOM);
    kernel_data_check_same(&first, &other);
    kernel_data_free(&first);
    kernel_data_free(&other);
    kernel_plan_free(&plan);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("backward");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, gradients_are_those_of_backpropagation_in_order, 0,
                        CELLS * STRATEGIES);
    tcase_add_loop_test(tcase, gradients_of_any_number_of_shared_inputs_are_summed, 0,
                        SHARED_STRATEGIES);
    tcase_add_loop_test(tcase, gradients_in_long_chunks_are_those_of_backpropagation_in_order, 0,
                        CELLS * LONG_STRATEGIES);
    tcase_add_loop_test(tcase, where_the_cell_forgets_the_guess_is_all, 0, 2 * LONG_STRATEGIES);
    tcase_add_loop_test(tcase, a_wrong_guess_is_found_and_made_good, 0, 2 * LONG_STRATEGIES);
    tcase_add_loop_test(tcase, without_a_tolerance_nothing_is_guessed, 0, LONG_STRATEGIES);
    tcase_add_loop_test(tcase, nan_in_one_gradient_reaches_all_steps_before_it_and_no_other_channel,
                        0, LONG_STRATEGIES);
    tcase_add_loop_test(tcase, one_row_stands_for_tensors_that_are_not_bound, 0, 18);
    tcase_add_loop_test(tcase, every_storage_type_keeps_its_precision, 0, 3);
    tcase_add_test(tcase, gradients_have_the_same_bits_in_every_order_of_threads);
    Suite *suite = suite_create("backward");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
