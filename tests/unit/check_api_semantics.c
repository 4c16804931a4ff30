/* What every plan promises, on the CPU: strides, initial and final states and their gradients,
 * resets, packed and reversed sequences, every element type and odd sizes. Forward results are
 * compared with the recurrence in double, gradients with difference quotients of it. */
#include "world_cells.h"

#include <unistd.h>

/* Both directions of one world; the slopes of a double plan are exact to the quotient's error. */
static void expect_right(struct world *w, const char *what)
{
    world_run(w);
    ck_assert_int_eq(w->forward_status, PRNN_OK);
    const double forward = world_forward_error(w);
    const bool is_f64 = w->problem.storage == PRNN_F64;
    ck_assert_msg(forward <= (is_f64 ? 1e-13 : 1e-5), "%s: forward is off by %g", what, forward);
    if (!w->problem.backward)
        return;
    const double backward = world_backward_error(w);
    ck_assert_msg(backward <= (is_f64 ? 2e-7 : 1e-3), "%s: a slope is off by %g", what, backward);
}

START_TEST(every_layout_gives_the_recurrence_and_its_gradients)
{
    static const int64_t sizes[][3] = {{1, 1, 1}, {3, 2, 33}, {2, 17, 5}, {3, 70, 31}, {1, 9, 70}};
    const int64_t *size = sizes[_i % 5];
    struct world w;
    prnn_problem problem = problem_of(size[0], size[1], size[2], PRNN_F64);
    world_make(&w, cells[_i / 5 % CELLS], &problem);
    w.layout = (enum layout)(_i / 20);
    w.has_h0 = _i % 2;
    expect_right(&w, texts[_i / 5 % CELLS]);
    world_free(&w);
}
END_TEST

START_TEST(a_reset_at_any_step_starts_again_from_the_initial_state)
{
    struct world w;
    prnn_problem problem = problem_of(2, 12, 5, PRNN_F64);
    problem.resets = true;
    problem.reverse = _i / 12 % 2;
    world_make(&w, cells[_i / 24], &problem);
    w.has_h0 = _i % 2;
    w.reset = calloc(24, 1);
    w.reset[_i % 12] = 1;
    w.reset[12 + (_i * 7 + 3) % 12] = 1;
    w.reset[12 + (_i * 5 + 8) % 12] = 255;
    expect_right(&w, "reset");
    world_free(&w);
}
END_TEST

START_TEST(packed_sequences_are_sequences_of_their_own)
{
    static const int64_t starts[3][6] = {
        {0, 7, 7, 8, 30, 41}, {0, 41, 41, 41, 41, 41}, {0, 1, 2, 3, 4, 41}};
    struct world w;
    prnn_problem problem = problem_of(5, 41, 9, PRNN_F64);
    problem.packed = true;
    problem.reverse = _i % 2;
    problem.resets = _i / 2 % 2;
    world_make(&w, cells[_i / 4 % CELLS], &problem);
    w.cu_seqlens = malloc(6 * sizeof *w.cu_seqlens);
    memcpy(w.cu_seqlens, starts[_i / 16 % 3], sizeof starts[0]);
    if (problem.resets) {
        w.reset = calloc(41, 1);
        w.reset[5] = w.reset[19] = w.reset[40] = 1;
    }
    expect_right(&w, "packed");
    world_free(&w);
}
END_TEST

START_TEST(reverse_is_the_flipped_input)
{
    struct world w;
    prnn_problem problem = problem_of(3, 23, 6, PRNN_F64);
    problem.reverse = true;
    world_make(&w, cells[_i % CELLS], &problem);
    w.layout = (enum layout)(_i / CELLS);
    expect_right(&w, "reverse");
    world_free(&w);
}
END_TEST

/* The slope of p is the sum of the gradients: 2048 terms near 1, then as many near -1. Any sixteen
 * of them have an exact sum in float, the thousands before they cancel have not. */
START_TEST(parameter_gradients_keep_what_is_left_of_terms_that_cancel)
{
    enum { STEPS = 4096, CHANNELS = 3, ROOM = STEPS * CHANNELS };
    static float x[ROOM], h[ROOM], gh[ROOM];
    float p[CHANNELS] = {0.5f, 1, 2}, dp[CHANNELS];
    double wanted[CHANNELS] = {0};
    prnn_cell *cell =
        world_cell(ctx, "cell sum { state h; input x; param p; h' = p*x + 0*tanh(h); }\n");
    prnn_problem problem = problem_of(1, STEPS, CHANNELS, PRNN_F32);
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT, grads[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    prnn_plan *plan;
    for (int i = 0; i < ROOM; i++) {
        const int fraction = (int)((world_random() + 1) * 64);
        x[i] = 1;
        gh[i] = (i < ROOM / 2 ? 1.0f : -1.0f) * (1 + (float)fraction * 0x1p-15f);
        wanted[i % CHANNELS] += (double)gh[i];
    }
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_OK);
    void *workspace;
    ck_assert_int_eq(prnn_memory_alloc(ctx, &workspace, prnn_plan_workspace_size(plan)), PRNN_OK);
    prnn_plan_bind(plan, args, "x", x, PRNN_DENSE, PRNN_DENSE);
    prnn_plan_bind(plan, args, "p", p, 0, 0);
    prnn_plan_bind(plan, args, "h", h, PRNN_DENSE, PRNN_DENSE);
    prnn_plan_bind(plan, grads, "h", gh, PRNN_DENSE, PRNN_DENSE);
    prnn_plan_bind(plan, grads, "p", dp, 0, 0);
    ck_assert_int_eq(prnn_forward(plan, args, workspace, NULL), PRNN_OK);
    ck_assert_int_eq(prnn_backward(plan, args, grads, workspace, NULL), PRNN_OK);
    for (int c = 0; c < CHANNELS; c++)
        ck_assert_msg((double)dp[c] == wanted[c], "channel %d: %.9g, wanted %.9g", c, (double)dp[c],
                      wanted[c]);
    prnn_memory_free(ctx, workspace);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
}
END_TEST

/* In float the roundings of some thousand steps would leave 1e-5 of either answer. */
START_TEST(a_linear_recurrence_keeps_what_it_remembers)
{
    enum { STEPS = 20000 };
    static float x[STEPS], h[STEPS], gh[STEPS];
    static double want[STEPS];
    float p[1] = {0.9998f}, dp[1];
    double state = 0, lambda = 0, slope = 0, error = 0, size = 0;
    prnn_cell *cell = world_cell(ctx, "cell slow { state h; input x; param p; h' = p*h + x; }\n");
    prnn_problem problem = problem_of(1, STEPS, 1, PRNN_F32);
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT, grads[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    prnn_plan *plan;
    for (int t = 0; t < STEPS; t++) {
        x[t] = (float)world_random();
        gh[t] = (float)world_random();
        want[t] = state = (double)p[0] * state + (double)x[t];
    }
    for (int t = STEPS; t-- > 0;) {
        lambda = (double)p[0] * lambda + (double)gh[t];
        slope += t ? lambda * want[t - 1] : 0;
    }
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_OK);
    void *workspace;
    ck_assert_int_eq(prnn_memory_alloc(ctx, &workspace, prnn_plan_workspace_size(plan)), PRNN_OK);
    prnn_plan_bind(plan, args, "x", x, PRNN_DENSE, PRNN_DENSE);
    prnn_plan_bind(plan, args, "p", p, 0, 0);
    prnn_plan_bind(plan, args, "h", h, PRNN_DENSE, PRNN_DENSE);
    prnn_plan_bind(plan, grads, "h", gh, PRNN_DENSE, PRNN_DENSE);
    prnn_plan_bind(plan, grads, "p", dp, 0, 0);
    ck_assert_int_eq(prnn_forward(plan, args, workspace, NULL), PRNN_OK);
    ck_assert_int_eq(prnn_backward(plan, args, grads, workspace, NULL), PRNN_OK);
    for (int t = 0; t < STEPS; t++) {
        error = fmax(error, fabs((double)h[t] - want[t]));
        size = fmax(size, fabs(want[t]));
    }
    ck_assert_msg(error <= 6e-8 * size, "states are off by %g of %g", error, size);
    ck_assert_msg(fabs((double)dp[0] - slope) <= 1e-6 * fabs(slope), "%.9g, wanted %.9g",
                  (double)dp[0], slope);
    prnn_memory_free(ctx, workspace);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api semantics");
    TCase *tests = tcase_create("cpu");
    char folder[] = "/tmp/check-semantics-XXXXXX";
    char command[64];
    if (!mkdtemp(folder) || setenv("PARARNNC_CACHE_DIR", folder, 1))
        return 1;
    tcase_set_timeout(tests, 100);
    tcase_add_unchecked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, every_layout_gives_the_recurrence_and_its_gradients, 0, 80);
    tcase_add_loop_test(tests, a_reset_at_any_step_starts_again_from_the_initial_state, 0, 96);
    tcase_add_loop_test(tests, packed_sequences_are_sequences_of_their_own, 0, 48);
    tcase_add_loop_test(tests, reverse_is_the_flipped_input, 0, 4 * CELLS);
    tcase_add_test(tests, a_linear_recurrence_keeps_what_it_remembers);
    tcase_add_test(tests, parameter_gradients_keep_what_is_left_of_terms_that_cancel);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 || failed != 0;
}
