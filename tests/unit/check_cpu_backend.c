/* What the CPU backend promises beside the semantics: element types, threads, empty problems,
 * values that are not finite, and the interpreter. */
#include "world_cells.h"

#include <unistd.h>

/* The error of the recurrence in float is the cell's own: the interpreter's is the measure. */
START_TEST(float_is_as_exact_as_the_sequential_float_recurrence)
{
    struct world w;
    prnn_problem problem = problem_of(2, 257, 33, PRNN_F32);
    problem.backward = false;
    world_make(&w, cells[_i], &problem);
    world_run(&w);
    const double compiled = world_forward_error(&w);
    ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    world_run(&w);
    unsetenv("PARARNNC_CC");
    const double interpreted = world_forward_error(&w);
    ck_assert_msg(compiled <= 4 * interpreted + 4 * 1.2e-7, "%s: off by %g, interpreted by %g",
                  texts[_i], compiled, interpreted);
    world_free(&w);
}
END_TEST

/* Gradients of 16-bit and float plans against those of a double plan on the same numbers. */
START_TEST(narrow_types_lose_no_more_than_their_rounding)
{
    static const prnn_storage storages[] = {PRNN_F32, PRNN_BF16, PRNN_F16};
    static const double limits[] = {4e-6, 0.05, 0.006};
    const prnn_storage storage = storages[_i % 3];
    struct world narrow, wide;
    prnn_problem problem = problem_of(2, 40, 19, storage);
    const uint64_t seed = world_seed;
    world_make(&narrow, cells[_i / 3], &problem);
    world_seed = seed;
    problem.storage = PRNN_F64;
    world_make(&wide, cells[_i / 3], &problem);
    for (uint32_t k = 0; k < wide.ir->inputs; k++)
        memcpy(wide.x[k], narrow.x[k],
               (size_t)(80 * world_width(&wide, IR_ROLE_INPUT, k)) * sizeof(double));
    for (uint32_t i = 0; i < wide.ir->states; i++)
        memcpy(wide.gh[i], narrow.gh[i], 80 * 19 * sizeof(double));
    for (uint32_t k = 0; k < wide.ir->outputs; k++)
        memcpy(wide.gy[k], narrow.gy[k], 80 * 19 * sizeof(double));
    world_run(&narrow);
    world_run(&wide);
    double worst = 0;
    for (uint32_t i = 0; i < wide.ir->states; i++) {
        worst = world_worse(worst, world_distance(narrow.h[i], wide.h[i], 80 * 19));
        worst = world_worse(worst, world_distance(narrow.dh0[i], wide.dh0[i], 2 * 19));
    }
    for (uint32_t k = 0; k < wide.ir->inputs; k++)
        worst = world_worse(worst, world_distance(narrow.dx[k], wide.dx[k],
                                                  80 * world_width(&wide, IR_ROLE_INPUT, k)));
    for (uint32_t k = 0; k < wide.ir->params; k++)
        if (wide.cell->param_has_gradient[k])
            worst = world_worse(worst, world_distance(narrow.dp[k], wide.dp[k],
                                                      world_width(&wide, IR_ROLE_PARAM, k)));
    ck_assert_msg(worst <= limits[_i % 3], "%s: storage %d is off by %g", texts[_i / 3],
                  (int)storage, worst);
    world_free(&narrow);
    world_free(&wide);
}
END_TEST

/* T = T1 + T2 with the state carried between gives the bits of one run. */
START_TEST(a_split_sequence_has_the_bits_of_the_whole)
{
    const int64_t first = 1 + _i % 8, all = 19, n = 11;
    struct world whole, one, two;
    prnn_problem problem = problem_of(1, all, n, PRNN_F32);
    problem.backward = false;
    prnn_cell *cell = cells[_i / 8];
    world_make(&whole, cell, &problem);
    problem.seq_len = first;
    world_make(&one, cell, &problem);
    problem.seq_len = all - first;
    world_make(&two, cell, &problem);
    for (uint32_t k = 0; k < whole.ir->inputs; k++) {
        const size_t row = (size_t)world_width(&whole, IR_ROLE_INPUT, k) * sizeof(double);
        memcpy(one.x[k], whole.x[k], (size_t)first * row);
        memcpy(two.x[k], (char *)whole.x[k] + (size_t)first * row, (size_t)(all - first) * row);
    }
    for (uint32_t k = 0; k < whole.ir->params; k++) {
        const size_t row = (size_t)world_width(&whole, IR_ROLE_PARAM, k) * sizeof(double);
        memcpy(one.p[k], whole.p[k], row);
        memcpy(two.p[k], whole.p[k], row);
    }
    for (uint32_t i = 0; i < whole.ir->states; i++)
        memcpy(one.h0[i], whole.h0[i], (size_t)n * sizeof(double));
    world_run(&whole);
    world_run(&one);
    for (uint32_t i = 0; i < whole.ir->states; i++)
        memcpy(two.h0[i], one.last[i], (size_t)n * sizeof(double));
    world_run(&two);
    for (uint32_t i = 0; i < whole.ir->states; i++) {
        ck_assert_mem_eq(whole.h[i], one.h[i], (size_t)(first * n) * sizeof(double));
        ck_assert_mem_eq(whole.h[i] + first * n, two.h[i],
                         (size_t)((all - first) * n) * sizeof(double));
        ck_assert_mem_eq(whole.last[i], two.last[i], (size_t)n * sizeof(double));
    }
    world_free(&whole);
    world_free(&one);
    world_free(&two);
}
END_TEST

START_TEST(the_number_of_threads_changes_no_bit)
{
    struct world one, many;
    prnn_problem problem = problem_of(11, 64, 130, PRNN_F32);
    const uint64_t seed = world_seed;
    problem.threads = 1;
    world_make(&one, cells[_i], &problem);
    world_seed = seed;
    problem.threads = 5;
    world_make(&many, cells[_i], &problem);
    world_run(&one);
    world_run(&many);
    for (uint32_t i = 0; i < one.ir->states; i++) {
        ck_assert_mem_eq(one.h[i], many.h[i], 11 * 64 * 130 * sizeof(double));
        ck_assert_mem_eq(one.dh0[i], many.dh0[i], 11 * 130 * sizeof(double));
    }
    for (uint32_t k = 0; k < one.ir->inputs; k++)
        ck_assert_mem_eq(one.dx[k], many.dx[k],
                         (size_t)(11 * 64 * world_width(&one, IR_ROLE_INPUT, k)) * sizeof(double));
    for (uint32_t k = 0; k < one.ir->params; k++)
        ck_assert_mem_eq(one.dp[k], many.dp[k],
                         (size_t)world_width(&one, IR_ROLE_PARAM, k) * sizeof(double));
    world_free(&one);
    world_free(&many);
}
END_TEST

START_TEST(last_only_writes_the_final_state)
{
    struct world w;
    prnn_problem problem = problem_of(2, 14, 7, PRNN_F64);
    problem.backward = false;
    problem.write = PRNN_WRITE_LAST;
    world_make(&w, cells[_i], &problem);
    world_run(&w);
    ck_assert_int_eq(w.forward_status, PRNN_OK);
    ck_assert_msg(world_forward_error(&w) <= 1e-13, "off by %g", world_forward_error(&w));
    world_free(&w);
}
END_TEST

/* Without a step the final state is the initial one, and so are their gradients. */
START_TEST(no_steps_pass_the_state_through)
{
    struct world w;
    prnn_problem problem = problem_of(2, 0, 7, PRNN_F64);
    world_make(&w, cells[_i], &problem);
    world_run(&w);
    for (uint32_t i = 0; i < w.ir->states; i++) {
        ck_assert_mem_eq(w.last[i], w.h0[i], 14 * sizeof(double));
        ck_assert_mem_eq(w.dh0[i], w.ght[i], 14 * sizeof(double));
    }
    for (uint32_t k = 0; k < w.ir->params; k++)
        for (int64_t c = 0; w.cell->param_has_gradient[k] && c < world_width(&w, IR_ROLE_PARAM, k);
             c++)
            ck_assert_msg(w.dp[k][c] == 0, "a parameter's gradient without steps is %g",
                          w.dp[k][c]);
    world_free(&w);
}
END_TEST

START_TEST(nothing_to_do_is_fine)
{
    static const int64_t sizes[][3] = {{0, 5, 3}, {2, 5, 0}, {0, 0, 0}};
    struct world w;
    prnn_problem problem =
        problem_of(sizes[_i % 3][0], sizes[_i % 3][1], sizes[_i % 3][2], PRNN_F32);
    world_make(&w, cells[_i / 3], &problem);
    world_run(&w);
    ck_assert_int_eq(w.forward_status, PRNN_OK);
    for (uint32_t k = 0; k < w.ir->params; k++)
        for (int64_t c = 0; w.cell->param_has_gradient[k] && c < world_width(&w, IR_ROLE_PARAM, k);
             c++)
            ck_assert_msg(w.dp[k][c] == 0, "the gradient of nothing is %g", w.dp[k][c]);
    world_free(&w);
}
END_TEST

START_TEST(a_nan_stays_in_its_sequence_and_channel)
{
    struct world clean, spoilt;
    prnn_problem problem = problem_of(3, 20, 9, PRNN_F32);
    const uint64_t seed = world_seed;
    world_make(&clean, cells[0], &problem);
    world_seed = seed;
    world_make(&spoilt, cells[0], &problem);
    spoilt.x[1][(1 * 20 + 8) * 9 + 4] = _i ? (double)NAN : (double)INFINITY;
    world_run(&clean);
    world_run(&spoilt);
    ck_assert_int_eq(clean.forward_status, PRNN_OK);
    ck_assert(!clean.certificate.nonfinite);
    if (_i) {
        ck_assert_int_eq(spoilt.forward_status, PRNN_NONFINITE);
        ck_assert(spoilt.certificate.nonfinite);
    }
    for (int64_t b = 0; b < 3; b++)
        for (int64_t t = 0; t < 20; t++)
            for (int64_t c = 0; c < 9; c++) {
                const int64_t at = (b * 20 + t) * 9 + c;
                if (b == 1 && c == 4 && t >= 8)
                    ck_assert_msg(!_i || isnan(spoilt.h[0][at]), "step %d lost the NaN", (int)t);
                else
                    ck_assert_msg(spoilt.h[0][at] == clean.h[0][at], "%d %d %d has moved", (int)b,
                                  (int)t, (int)c);
            }
    world_free(&clean);
    world_free(&spoilt);
}
END_TEST

/* The interpreter runs where there is no compiler: the same recurrence by other code. */
/* 33 channels: pairs of vectors, and a rest. Cells as above, and one that chooses between two
 * states. */
START_TEST(each_compiler_gives_the_recurrence)
{
    static const char choice[] = "cell choice { state h, k, m; input u;\n"
                                 "h' = where(0.125 < u, 0.75, -0.75);\n"
                                 "k' = where(u > 0.125, h, m); m' = 0.5; }\n";
    static const char *const compilers[] = {"gcc", "clang"};
    const char *compiler = compilers[_i % 2];
    char found[64];
    snprintf(found, sizeof found, "command -v %s >/dev/null 2>&1", compiler);
    if (system(found) != 0)
        return;
    prnn_cell *cell = world_cell(ctx, _i / 2 == CELLS ? choice : texts[_i / 2]);
    prnn_problem problem = problem_of(2, 9, 33, PRNN_F64);
    struct world w;
    problem.backward = false;
    ck_assert_int_eq(setenv("PARARNNC_CC", compiler, 1), 0);
    world_make(&w, cell, &problem);
    world_run(&w);
    unsetenv("PARARNNC_CC");
    ck_assert_msg(world_forward_error(&w) <= 1e-13, "%s is off by %g", compiler,
                  world_forward_error(&w));
    world_free(&w);
    prnn_cell_free(cell);
}
END_TEST

START_TEST(without_a_compiler_the_answers_are_the_same)
{
    static const prnn_storage storages[] = {PRNN_F64, PRNN_F32};
    struct world compiled, interpreted;
    prnn_problem problem = problem_of(2, 21, 10, storages[_i % 2]);
    problem.resets = problem.reverse = _i / 2 % 2;
    const uint64_t seed = world_seed;
    struct world *const both[] = {&compiled, &interpreted};
    for (int k = 0; k < 2; k++) {
        world_seed = seed;
        world_make(both[k], cells[_i / 4], &problem);
        if (problem.resets) {
            both[k]->reset = calloc(42, 1);
            both[k]->reset[6] = both[k]->reset[30] = 1;
        }
    }
    world_run(&compiled);
    ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    prnn_plan *plan;
    ck_assert_int_eq(prnn_plan_create(&plan, cells[_i / 4], &problem), PRNN_FALLBACK);
    ck_assert_ptr_nonnull(strstr(prnn_last_error(), "interpreter"));
    prnn_plan_free(plan);
    world_run(&interpreted);
    unsetenv("PARARNNC_CC");
    ck_assert_msg(world_forward_error(&interpreted) <= (_i % 2 ? 2e-6 : 1e-13),
                  "the interpreter is off by %g", world_forward_error(&interpreted));
    double worst = 0;
    for (uint32_t i = 0; i < compiled.ir->states; i++)
        worst = world_worse(worst, world_distance(compiled.dh0[i], interpreted.dh0[i], 20));
    for (uint32_t k = 0; k < compiled.ir->inputs; k++)
        worst = world_worse(worst, world_distance(compiled.dx[k], interpreted.dx[k],
                                                  42 * world_width(&compiled, IR_ROLE_INPUT, k)));
    for (uint32_t k = 0; k < compiled.ir->params; k++)
        worst = world_worse(worst, world_distance(compiled.dp[k], interpreted.dp[k],
                                                  world_width(&compiled, IR_ROLE_PARAM, k)));
    ck_assert_msg(worst <= (_i % 2 ? 1e-5 : 1e-13), "gradients differ by %g", worst);
    world_free(&compiled);
    world_free(&interpreted);
}
END_TEST

/* Packed or not, either direction, each type: an error of more than the type's is a wrong index. */
START_TEST(without_a_compiler_every_layout_and_type_is_the_recurrence)
{
    static const prnn_storage storages[] = {PRNN_F64, PRNN_F32, PRNN_BF16, PRNN_F16};
    static const double limits[] = {1e-13, 2e-6, 0.02, 0.003};
    static const int64_t starts[] = {0, 3, 3, 4, 9, 13};
    struct world w;
    prnn_problem problem = problem_of(5, 13, 3, storages[_i % 4]);
    problem.packed = _i / 4 % 2;
    problem.reverse = _i / 8 % 2;
    world_make(&w, cells[_i / 16], &problem);
    if (problem.packed) {
        w.cu_seqlens = malloc(sizeof starts);
        memcpy(w.cu_seqlens, starts, sizeof starts);
    }
    ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    world_run(&w);
    unsetenv("PARARNNC_CC");
    const double error = world_forward_error(&w);
    ck_assert_msg(error <= limits[_i % 4], "%s: storage %d is off by %g", texts[_i / 16],
                  (int)problem.storage, error);
    if (problem.storage == PRNN_F64)
        ck_assert_msg(world_backward_error(&w) <= 2e-7, "%s: a slope is off by %g", texts[_i / 16],
                      world_backward_error(&w));
    world_free(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cpu backend");
    TCase *tests = tcase_create("cpu");
    char folder[] = "/tmp/check-cpu-XXXXXX";
    char command[64];
    if (!mkdtemp(folder) || setenv("PARARNNC_CACHE_DIR", folder, 1))
        return 1;
    tcase_set_timeout(tests, 100);
    tcase_add_unchecked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, float_is_as_exact_as_the_sequential_float_recurrence, 0, CELLS);
    tcase_add_loop_test(tests, narrow_types_lose_no_more_than_their_rounding, 0, 3 * CELLS);
    tcase_add_loop_test(tests, a_split_sequence_has_the_bits_of_the_whole, 0, 8 * CELLS);
    tcase_add_loop_test(tests, the_number_of_threads_changes_no_bit, 0, CELLS);
    tcase_add_loop_test(tests, last_only_writes_the_final_state, 0, CELLS);
    tcase_add_loop_test(tests, no_steps_pass_the_state_through, 0, CELLS);
    tcase_add_loop_test(tests, nothing_to_do_is_fine, 0, 3 * CELLS);
    tcase_add_loop_test(tests, a_nan_stays_in_its_sequence_and_channel, 0, 2);
    tcase_add_loop_test(tests, each_compiler_gives_the_recurrence, 0, 2 * (CELLS + 1));
    tcase_add_loop_test(tests, without_a_compiler_the_answers_are_the_same, 0, 4 * CELLS);
    tcase_add_loop_test(tests, without_a_compiler_every_layout_and_type_is_the_recurrence, 0,
                        16 * CELLS);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 || failed != 0;
}
