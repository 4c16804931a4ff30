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

/* ---- a plan for somebody's own tensors ---- */

/* The fake device takes 256 threads a block and few blocks for the best. */
static prnn_cell *gru_cell(void)
{
    prnn_cell *cell;
    ck_assert_int_eq(
        prnn_cell_load_text(&cell, ctx, "gru.cell", small_gru, strlen(small_gru), NULL), PRNN_OK);
    return cell;
}

static prnn_plan *long_plan(const prnn_cell *cell, const char *strategy)
{
    prnn_problem problem = small_problem();
    prnn_plan *plan;
    problem.batch = 8;
    problem.seq_len = 2048;
    problem.channels = 1024;
    problem.strategy = strategy;
    ck_assert_msg(prnn_plan_create(&plan, cell, &problem) == PRNN_OK, "%s", prnn_last_error());
    return plan;
}

static void bind_names(const prnn_plan *plan, const prnn_cell *cell, prnn_tensor *args,
                       prnn_tensor *grads)
{
    int place = 0;
    for (prnn_role role = PRNN_STATE; role <= PRNN_OUTPUT; role++) {
        prnn_value_info info = PRNN_VALUE_INFO_INIT;
        for (uint32_t i = 0; prnn_cell_value(cell, role, i, &info) == PRNN_OK; i++) {
            ck_assert_int_eq(
                prnn_plan_bind(plan, args, info.name, place_of(place++), PRNN_DENSE, PRNN_DENSE),
                PRNN_OK);
            ck_assert_int_eq(
                prnn_plan_bind(plan, grads, info.name, place_of(place++), PRNN_DENSE, PRNN_DENSE),
                PRNN_OK);
        }
    }
}

/* The line of the description that begins with 'name'; without its end. */
static void line_of(char out[96], const prnn_plan *plan, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\n%s: ", name);
    const char *at = strstr(prnn_plan_describe(plan), wanted);
    ck_assert_ptr_nonnull(at);
    snprintf(out, 96, "%.*s", (int)strcspn(at + strlen(wanted), "\n"), at + strlen(wanted));
}

START_TEST(a_plan_is_tuned_on_the_tensors_of_the_caller)
{
    static const char slow[] = "W1 S4 L32 V1 R2 C1 / W1 S8 L32 V1 R2 C1";
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT, grads[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    prnn_cell *cell = gru_cell();
    prnn_plan *plan = long_plan(cell, slow), *tuned, *again, *forced;
    char line[2][96], other[96], pair[200];
    line_of(line[0], plan, "strategy");
    ck_assert_str_eq(line[0], "W1 S4 L32 V1 R2 C1");
    line_of(line[0], plan, "backward strategy");
    ck_assert_str_eq(line[0], "W1 S8 L32 V1 R2 C1");
    bind_names(plan, cell, args, grads);

    const int before = fake->launches, allocations = fake->allocations;
    ck_assert_msg(prnn_plan_tune(&tuned, plan, args, grads, NULL) == PRNN_OK, "%s",
                  prnn_last_error());
    ck_assert_int_gt(fake->launches, before + 100);
    ck_assert_int_eq(fake->allocations, allocations);
    for (int i = 0; i < 2; i++) {
        line_of(line[i], tuned, i ? "backward strategy" : "strategy");
        ck_assert_msg(strncmp(line[i], "W1 ", 3) != 0, "%s", line[i]);
        line_of(other, tuned, i ? "backward expected" : "expected");
        double now, earlier, in_order;
        ck_assert_msg(sscanf(other, "%lf ms, measured (%lf before, %lf in order)", &now, &earlier,
                             &in_order) == 3,
                      "%s", other);
        /* Before it ran in order. */
        ck_assert_msg(0 < now && now < 0.98 * in_order && in_order <= earlier, "%s", other);
    }
    /* What was launched last is the new plan's: forward, backward, and the sums of gradients. */
    ck_assert_ptr_nonnull(strstr(fake->launched[(fake->launches - 3) % 4].name, "forward"));
    ck_assert_ptr_nonnull(strstr(fake->launched[(fake->launches - 2) % 4].name, "backward"));

    /* The same again; without gradients the backward pass keeps its strategy. */
    ck_assert_int_eq(prnn_plan_tune(&again, tuned, args, NULL, NULL), PRNN_OK);
    line_of(other, again, "strategy");
    ck_assert_str_eq(other, line[0]);
    line_of(other, again, "backward strategy");
    ck_assert_str_eq(other, line[1]);
    prnn_plan_free(again);

    /* What was found can be asked for. */
    snprintf(pair, sizeof pair, "%s / %s", line[0], line[1]);
    forced = long_plan(cell, pair);
    line_of(other, forced, "strategy");
    ck_assert_str_eq(other, line[0]);
    line_of(other, forced, "backward strategy");
    ck_assert_str_eq(other, line[1]);
    line_of(other, forced, "expected");
    ck_assert_str_eq(other, "caller");
    prnn_plan_free(forced);
    prnn_plan_free(tuned);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
}
END_TEST

/* The fake device certifies a mismatch of 1e-8. */
START_TEST(a_candidate_that_breaks_its_promise_is_not_taken)
{
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT, grads[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    prnn_problem problem = small_problem();
    prnn_cell *cell = gru_cell();
    prnn_plan *plan, *tuned;
    char line[96];
    problem.seq_len = 2048;
    problem.strategy = "W1 S4 L32 V1 R2 C1";
    problem.tolerance = 1e-9;
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_OK);
    bind_names(plan, cell, args, grads);
    ck_assert_int_eq(prnn_plan_tune(&tuned, plan, args, NULL, NULL), PRNN_OK);
    line_of(line, tuned, "strategy");
    ck_assert_str_eq(line, problem.strategy);
    line_of(line, tuned, "expected");
    ck_assert_str_eq(line, "caller");
    prnn_plan_free(tuned);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
}
END_TEST

START_TEST(what_cannot_be_tuned_is_refused)
{
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT, grads[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    prnn_scan_problem scan_problem = PRNN_SCAN_PROBLEM_INIT;
    prnn_problem problem = small_problem();
    prnn_cell *cell = gru_cell();
    prnn_plan *plan = long_plan(cell, "W4 S8 L32 V1 R2 C1"), *forward, *scan, *out = plan;
    problem.backward = false;
    problem.strategy = "W4 S8 L32 V1 R2 C1";
    ck_assert_int_eq(prnn_plan_create(&forward, cell, &problem), PRNN_OK);
    ck_assert_int_eq(prnn_scan_plan_create(&scan, ctx, &scan_problem), PRNN_OK);
    const int launches = fake->launches;
#define REFUSED(call, part)                                                                        \
    do {                                                                                           \
        ck_assert_int_eq(call, PRNN_E_INVALID);                                                    \
        ck_assert_msg(strstr(prnn_last_error(), part) != NULL, "%s", prnn_last_error());           \
    } while (0)
    REFUSED(prnn_plan_tune(NULL, plan, args, NULL, NULL), "'out'");
    REFUSED(prnn_plan_tune(&out, NULL, args, NULL, NULL), "'plan'");
    ck_assert_ptr_null(out);
    REFUSED(prnn_plan_tune(&out, plan, NULL, NULL, NULL), "'args'");
    REFUSED(prnn_plan_tune(&out, scan, args, NULL, NULL), "prnn_scan_plan_create");
    REFUSED(prnn_plan_tune(&out, forward, args, grads, NULL), "without 'backward'");
    /* Nothing is bound. */
    REFUSED(prnn_plan_tune(&out, plan, args, NULL, NULL), "bound");
    bind_names(plan, cell, args, grads);
    ck_assert_int_eq(prnn_plan_bind(plan, args, "h0:h", place_of(40), PRNN_DENSE, 0), PRNN_OK);
    ck_assert_int_eq(prnn_plan_bind(plan, args, "hT:h", place_of(40), PRNN_DENSE, 0), PRNN_OK);
    REFUSED(prnn_plan_tune(&out, plan, args, grads, NULL), "'hT:h'");
    ck_assert_ptr_null(out);
    ck_assert_int_eq(fake->launches, launches);
    REFUSED(prnn_plan_create(&out, cell,
                             &(prnn_problem){.struct_size = sizeof(prnn_problem),
                                             .tolerance = -1,
                                             .strategy = "W4 S8 L32 / W4 X2"}),
            "'X2'");
#undef REFUSED
    prnn_plan_free(scan);
    prnn_plan_free(forward);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
}
END_TEST

/* The call that failed was to give something back. */
static bool is_kept_by_driver(void)
{
    return !strcmp(fake->failed, "cuCtxPushCurrent") || !strcmp(fake->failed, "cuModuleUnload") ||
           !strncmp(fake->failed, "cuMemFree", 9);
}

/* Every so many calls of the driver one fails while a plan is tuned: a status, or another
 * candidate, and nothing stays behind. The first calls are of the caller's own strategy, which must
 * work. */
START_TEST(the_driver_may_fail_while_a_plan_is_tuned)
{
    enum { OFTEN = 37, FIRST_CALLS = 400, EVERY = 199 };
    static const int codes[] = {2, 999, 700};
    const int code = codes[_i];
    int failed = 0, spared = 0, begin = 1 + 7 * _i;
    for (int n = begin;; n += n < FIRST_CALLS ? OFTEN : EVERY) {
        prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT, grads[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
        prnn_cell *cell = gru_cell();
        prnn_plan *plan = long_plan(cell, "W4 S8 L32 V1 R2 C1"), *tuned;
        bind_names(plan, cell, args, grads);
        fake->fail_at = fake->calls + n;
        fake->fail_code = code;
        const prnn_status st = prnn_plan_tune(&tuned, plan, args, n % 2 ? grads : NULL, NULL);
        const bool was_reached = fake->calls >= fake->fail_at;
        fake->fail_at = 0;
        if (st < 0) {
            ck_assert_ptr_null(tuned);
            ck_assert_msg(strlen(prnn_last_error()) > 10, "'%s'", prnn_last_error());
            ck_assert_int_eq(st, code == 2     ? PRNN_E_NOMEM
                                 : code == 700 ? PRNN_E_STICKY
                                               : PRNN_E_BACKEND);
            failed++;
        } else {
            spared += was_reached;
        }
        prnn_plan_free(tuned);
        prnn_plan_free(plan);
        prnn_cell_free(cell);
        ck_assert_int_eq(fake->depth, 0);
        ck_assert_int_eq(fake->misused, 0);
        if (fake->lost) {
            /* It takes what it had along. */
            prnn_context_free(ctx);
            fake->modules = fake->allocations = 0;
            fake_device_reset();
            ck_assert_int_eq(prnn_context_create(&ctx, "cuda:0"), PRNN_OK);
        } else if (is_kept_by_driver()) {
            fake->modules = fake->allocations = 0;
        }
        ck_assert_msg(fake->modules == 0 && fake->allocations == 0, "%s failed: %d modules, %d",
                      fake->failed, fake->modules, fake->allocations);
        if (!was_reached)
            break;
    }
    ck_assert_msg(failed > 1 && (code == 700 || spared > 10), "%d failed, %d spared", failed,
                  spared);
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
    tcase_add_test(tests, a_plan_is_tuned_on_the_tensors_of_the_caller);
    tcase_add_test(tests, a_candidate_that_breaks_its_promise_is_not_taken);
    tcase_add_test(tests, what_cannot_be_tuned_is_refused);
    tcase_add_loop_test(tests, the_driver_may_fail_while_a_plan_is_tuned, 0, 3);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
