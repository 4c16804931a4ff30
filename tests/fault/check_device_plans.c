/* Plans on a device that only counts: which kernels they get, and what is launched. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_device.h"
#include "small_run.h"

static prnn_context *ctx;

static void setup(void)
{
    ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", "none", 1), 0);
    fake_device_load();
    fake_device_reset();
    ck_assert_msg(prnn_context_create(&ctx, "cuda:0") == PRNN_OK, "%s", prnn_last_error());
}

static void teardown(void)
{
    prnn_context_free(ctx);
    ck_assert_int_eq(fake->misused, 0);
    ck_assert_int_eq(fake->modules, 0);
    ck_assert_int_eq(fake->contexts, 0);
}

/* Tensors that nobody reads, far from each other. */
static void *place_of(int index)
{
    return (void *)((uintptr_t)(index + 1) << 40);
}

static prnn_status scan_run(const prnn_plan *plan)
{
    static const char *const names[] = {"J", "r", "h0:h", "h", "hT:h"};
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(prnn_plan_bind(plan, args, names[i], place_of(i), PRNN_DENSE, PRNN_DENSE),
                         PRNN_OK);
    return prnn_scan(plan, args, place_of(5), NULL);
}

/* Every block, type and width, short or long, has a kernel that fits, without being asked for one.
 */
START_TEST(every_scan_gets_a_strategy_that_fits)
{
    static const int64_t shapes[][3] = {{1, 1, 1},    {2, 7, 5},      {8, 2048, 64},
                                        {1, 3, 4096}, {64, 300, 100}, {1, 65536, 256}};
    static const prnn_storage storages[] = {PRNN_F32, PRNN_F64, PRNN_BF16, PRNN_F16};
    for (uint32_t i = 0; i < 6 * 4 * 2; i++) {
        const int64_t *shape = shapes[i % 6];
        prnn_scan_problem problem = PRNN_SCAN_PROBLEM_INIT;
        prnn_plan *plan;
        problem.batch = shape[0];
        problem.seq_len = shape[1];
        problem.channels = shape[2];
        problem.block = 1 + (uint32_t)_i;
        problem.storage = storages[i / 6 % 4];
        problem.is_diagonal = i / 24;
        ck_assert_msg(prnn_scan_plan_create(&plan, ctx, &problem) == PRNN_OK, "%s",
                      prnn_last_error());
        ck_assert_ptr_nonnull(strstr(prnn_plan_describe(plan), "device: cuda:0"));
        const int before = fake->launches;
        ck_assert_msg(scan_run(plan) == PRNN_OK, "%s", prnn_last_error());
        ck_assert_int_eq(fake->launches, before + 1);
        const struct fake_launch *launch = &fake->launched[before % 4];
        ck_assert_ptr_nonnull(strstr(launch->name, "scan"));
        ck_assert_msg(launch->threads % 32 == 0 && launch->threads <= 1024 && launch->grid > 0 &&
                          launch->shared_bytes <= 227 * 1024,
                      "%u threads, grid %u, %u bytes", launch->threads, launch->grid,
                      launch->shared_bytes);
        prnn_plan_free(plan);
    }
}
END_TEST

START_TEST(nothing_to_do_launches_nothing)
{
    prnn_scan_problem scan_problem = PRNN_SCAN_PROBLEM_INIT;
    prnn_problem problem = small_problem();
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    prnn_cell *cell;
    prnn_plan *plan;
    scan_problem.seq_len = scan_problem.channels = 3;
    ck_assert_int_eq(prnn_scan_plan_create(&plan, ctx, &scan_problem), PRNN_OK);
    ck_assert_msg(scan_run(plan) == PRNN_OK, "%s", prnn_last_error());
    prnn_plan_free(plan);

    ck_assert_int_eq(
        prnn_cell_load_text(&cell, ctx, "gru.cell", small_gru, strlen(small_gru), NULL), PRNN_OK);
    problem.batch = 0;
    problem.strategy = "W4 S8 L32 V1 R2 C1";
    ck_assert_msg(prnn_plan_create(&plan, cell, &problem) == PRNN_OK, "%s", prnn_last_error());
    ck_assert_msg(prnn_forward(plan, args, place_of(0), NULL) == PRNN_OK, "%s", prnn_last_error());
    ck_assert_msg(prnn_step(plan, args, place_of(0), NULL) == PRNN_OK, "%s", prnn_last_error());
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    ck_assert_int_eq(fake->launches, 0);
}
END_TEST

START_TEST(a_step_is_one_launch_of_its_own_kernel)
{
    prnn_problem problem = small_problem();
    prnn_cell *cell;
    prnn_plan *plan;
    uint64_t digest;
    ck_assert_int_eq(
        prnn_cell_load_text(&cell, ctx, "lstm.cell", small_lstm, strlen(small_lstm), NULL),
        PRNN_OK);
    problem.strategy = "W4 S8 L32 V1 R2 C1";
    ck_assert_msg(prnn_plan_create(&plan, cell, &problem) == PRNN_OK, "%s", prnn_last_error());
    ck_assert_msg(small_steps(plan, cell, &digest) == PRNN_OK, "%s", prnn_last_error());
    ck_assert_int_eq(fake->launches, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(strstr(fake->launched[i].name, "decode") != NULL, "'%s'",
                      fake->launched[i].name);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
}
END_TEST

/* The backward pass holds more in shared memory than the forward solve whose strategy was asked
 * for: it gets a smaller one where that is needed, and never none. */
START_TEST(a_strategy_that_the_forward_solve_has_room_for_makes_a_plan_with_gradients)
{
    static const char text[] =
        "cell wide { state h[4]; input u[4], v[4]; param R[4, 4];\n"
        "h' = tanh(R @ h + u)*sigmoid(v) + 0.1*h*v; output h'; output y = h'*u; }\n";
    static const unsigned tiles[] = {1, 2, 4, 8, 16}, chunks[] = {1, 4, 16, 64}, lanes[] = {4, 32};
    prnn_problem problem = small_problem();
    prnn_cell *cell;
    int made = 0, smaller = 0;
    ck_assert_int_eq(prnn_cell_load_text(&cell, ctx, "wide.cell", text, strlen(text), NULL),
                     PRNN_OK);
    problem.storage = PRNN_F64;
    for (unsigned i = 0; i < 5 * 4 * 2 * 2 * 2 * 2; i++) {
        const unsigned tile = tiles[i % 5], chunk = chunks[i / 5 % 4], lane = lanes[i / 20 % 2];
        char strategy[64];
        prnn_plan *forward, *both;
        snprintf(strategy, sizeof strategy, "W%u S%u L%u V%u R%u C%u", tile, chunk, lane,
                 1 + i / 40 % 2, 2 + i / 80 % 2, i / 160 ? 2 : 1);
        problem.strategy = strategy;
        problem.backward = false;
        if (prnn_plan_create(&forward, cell, &problem) != PRNN_OK)
            continue;
        prnn_plan_free(forward);
        problem.backward = true;
        ck_assert_msg(prnn_plan_create(&both, cell, &problem) == PRNN_OK, "%s: %s", strategy,
                      prnn_last_error());
        const char *words = strstr(prnn_plan_describe(both), "\nstrategy: ");
        ck_assert_msg(words && !strncmp(words + 11, strategy, strlen(strategy)), "%s: %s", strategy,
                      words);
        words = strstr(words, "backward strategy: ");
        ck_assert_ptr_nonnull(words);
        smaller += strncmp(words + 19, strategy, strlen(strategy)) != 0;
        made++;
        prnn_plan_free(both);
    }
    ck_assert_msg(made > 20 && smaller > 5 && smaller < made, "%d made, %d smaller", made, smaller);
    prnn_cell_free(cell);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("device plans");
    TCase *tests = tcase_create("plans");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, every_scan_gets_a_strategy_that_fits, 0, 4);
    tcase_add_test(tests, nothing_to_do_launches_nothing);
    tcase_add_test(tests, a_step_is_one_launch_of_its_own_kernel);
    tcase_add_test(tests,
                   a_strategy_that_the_forward_solve_has_room_for_makes_a_plan_with_gradients);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
