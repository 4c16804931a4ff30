/* Contexts, cells and plans in the hands of several threads: nobody gets other bits than a thread
 * alone, nor the words of another. Built with the thread sanitiser as well (tests/trust/races.sh).
 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_figures.h"
#include "small_run.h"

enum { THREADS = 4, SOLVES = 25, PLANS = 4, CELLS = 6 };
enum { SHARED_PLAN, ONE_KEY, OWN_WORLD };

static struct figure *figures;
static char folder[64];
static prnn_context *ctx;
static prnn_cell *cell;
static prnn_problem problem;
static uint64_t solved, stepped; /* digests of one thread alone */
static _Atomic uint64_t first;   /* digest of the thread that was the first */
static pthread_barrier_t start;

/* The kernels are those of the compiler, kept in a directory of the test, or the interpreter. */
static void world_make(bool is_compiled)
{
    if (!is_compiled)
        ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    snprintf(folder, sizeof folder, "/tmp/check-plans-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", folder, 1), 0);
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    ck_assert_int_eq(prnn_cell_load_text(&cell, ctx, "lstm", small_lstm, strlen(small_lstm), NULL),
                     PRNN_OK);
    problem = small_problem();
    problem.threads = 2;
    ck_assert_int_eq(pthread_barrier_init(&start, NULL, THREADS), 0);
}

static void teardown(void)
{
    char command[128];
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    pthread_barrier_destroy(&start);
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* A thread's number, and what was wrong: NULL is fine. */
struct task {
    pthread_t thread;
    int number;
    const prnn_plan *plan;
    char words[256];
};

#define WRONG(task, ...) snprintf((task)->words, sizeof(task)->words, __VA_ARGS__)

static void all_run(void *(*work)(void *), const prnn_plan *plan, int what, int rounds)
{
    struct task tasks[THREADS] = {0};
    figures[what].goal += THREADS * rounds;
    for (int i = 0; i < THREADS; i++) {
        tasks[i].number = i;
        tasks[i].plan = plan;
        ck_assert_int_eq(pthread_create(&tasks[i].thread, NULL, work, &tasks[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(tasks[i].thread, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_msg(!tasks[i].words[0], "thread %d: %s", i, tasks[i].words);
}

static bool is_as_alone(struct task *task, const prnn_plan *plan)
{
    uint64_t digest;
    prnn_status st = small_solve(plan, cell, &digest);
    if (st != PRNN_OK || digest != solved)
        WRONG(task, "forward and backward: %s, or other bits", prnn_status_name(st));
    else if ((st = small_steps(plan, cell, &digest)) != PRNN_OK || digest != stepped)
        WRONG(task, "steps: %s, or other bits", prnn_status_name(st));
    return !task->words[0];
}

static void *solve(void *argument)
{
    struct task *task = argument;
    pthread_barrier_wait(&start);
    for (int i = 0; i < SOLVES && is_as_alone(task, task->plan); i++)
        figures[SHARED_PLAN].reached++;
    return NULL;
}

START_TEST(threads_that_share_a_plan_get_the_bits_of_one_alone)
{
    prnn_plan *plan;
    world_make(_i == 0);
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), _i == 0 ? PRNN_OK : PRNN_FALLBACK);
    ck_assert_ptr_nonnull(strstr(prnn_plan_describe(plan), "threads: 2"));
    ck_assert_int_eq(small_solve(plan, cell, &solved), PRNN_OK);
    ck_assert_int_eq(small_steps(plan, cell, &stepped), PRNN_OK);
    all_run(solve, plan, SHARED_PLAN, SOLVES);
    prnn_plan_free(plan);
}
END_TEST

/* A problem that is large enough for the pool: with memory of its own for each caller. */
enum { BATCH = 6, STEPS = 60, CHANNELS = 64, SIZE = BATCH * STEPS * CHANNELS, ROUNDS = 5 };

static const char *const read_names[] = {"u_z", "u_r", "u_c", "a_z", "a_r", "a_c"};
enum { READ = 6, WRITTEN = 2 + READ, WORKSPACE = 1 << 20 };

/* What the library writes: h, hT, the gradients. */
static prnn_status large_solve(const prnn_plan *plan, uint64_t *digest)
{
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT, grads[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    float *read = malloc((READ + 1) * SIZE * sizeof *read);
    float *written = calloc(WRITTEN * SIZE, sizeof *written);
    void *workspace = aligned_alloc(256, WORKSPACE);
    prnn_status st = PRNN_E_NOMEM;
    if (read && written && workspace && prnn_plan_workspace_size(plan) <= WORKSPACE) {
        for (size_t i = 0; i < (size_t)(READ + 1) * SIZE; i++)
            read[i] = (float)(i * 2654435761u % 1999) / 1000.0f - 0.9995f;
        st = prnn_plan_bind(plan, args, "h", written, PRNN_DENSE, PRNN_DENSE);
        if (st == PRNN_OK)
            st = prnn_plan_bind(plan, args, "hT:h", written + SIZE, PRNN_DENSE, PRNN_DENSE);
        if (st == PRNN_OK)
            st = prnn_plan_bind(plan, grads, "h", read + READ * SIZE, PRNN_DENSE, PRNN_DENSE);
        for (int i = 0; i < READ && st == PRNN_OK; i++) {
            st = prnn_plan_bind(plan, args, read_names[i], read + i * SIZE, PRNN_DENSE, PRNN_DENSE);
            if (st == PRNN_OK)
                st = prnn_plan_bind(plan, grads, read_names[i], written + (2 + i) * SIZE,
                                    PRNN_DENSE, PRNN_DENSE);
        }
        if (st == PRNN_OK)
            st = prnn_forward(plan, args, workspace, NULL);
        if (st == PRNN_OK)
            st = prnn_backward(plan, args, grads, workspace, NULL);
        *digest = 0xcbf29ce484222325u; /* FNV-1a */
        for (size_t i = 0; i < WRITTEN * SIZE * sizeof *written; i++)
            *digest = (*digest ^ ((const unsigned char *)written)[i]) * 0x100000001b3u;
    }
    free(read);
    free(written);
    free(workspace);
    return st;
}

static void *solve_large(void *argument)
{
    struct task *task = argument;
    pthread_barrier_wait(&start);
    for (int i = 0; i < ROUNDS && !task->words[0]; i++) {
        uint64_t digest;
        const prnn_status st = large_solve(task->plan, &digest);
        if (st != PRNN_OK || digest != solved)
            WRONG(task, "%s, or other bits", prnn_status_name(st));
        else
            figures[SHARED_PLAN].reached++;
    }
    return NULL;
}

START_TEST(threads_that_share_a_plan_share_its_pool)
{
    prnn_plan *plan;
    world_make(_i == 0);
    prnn_cell_free(cell);
    ck_assert_int_eq(prnn_cell_load_text(&cell, ctx, "gru", small_gru, strlen(small_gru), NULL),
                     PRNN_OK);
    problem.batch = BATCH;
    problem.seq_len = STEPS;
    problem.channels = CHANNELS;
    problem.threads = 3;
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), _i == 0 ? PRNN_OK : PRNN_FALLBACK);
    ck_assert_int_eq(large_solve(plan, &solved), PRNN_OK);
    all_run(solve_large, plan, SHARED_PLAN, ROUNDS);
    prnn_plan_free(plan);
}
END_TEST

static void *make_plans(void *argument)
{
    struct task *task = argument;
    pthread_barrier_wait(&start);
    for (int i = 0; i < PLANS && !task->words[0]; i++) {
        prnn_plan *plan;
        uint64_t digest, expected = 0;
        const prnn_status st = prnn_plan_create(&plan, cell, &problem);
        if (st != PRNN_OK)
            WRONG(task, "%s: %.200s", prnn_status_name(st), prnn_last_error());
        else if (i > 0 && !strstr(prnn_plan_describe(plan), "from the cache"))
            WRONG(task, "plan %d of the same key was compiled again", i);
        else if (small_solve(plan, cell, &digest) != PRNN_OK)
            WRONG(task, "%.200s", prnn_last_error());
        else if (!atomic_compare_exchange_strong(&first, &expected, digest) && expected != digest)
            WRONG(task, "plan %d gives other bits", i);
        else
            figures[ONE_KEY].reached++;
        prnn_plan_free(plan);
    }
    return NULL;
}

/* At first all find the cache empty and compile. */
START_TEST(threads_that_make_plans_of_one_key_at_once_get_the_same)
{
    prnn_plan *plan;
    world_make(true);
    all_run(make_plans, NULL, ONE_KEY, PLANS);
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_OK);
    ck_assert_int_eq(small_solve(plan, cell, &solved), PRNN_OK);
    ck_assert_uint_eq(solved, first);
    prnn_plan_free(plan);
}
END_TEST

/* Everything made and freed in the thread, with an error of its own on the way. */
static void *live_alone(void *argument)
{
    struct task *task = argument;
    char wrong[64], own[32];
    snprintf(own, sizeof own, "nobody_%d", task->number);
    snprintf(wrong, sizeof wrong, "cell w { state h; h' = h + %s; }", own);
    pthread_barrier_wait(&start);
    for (int i = 0; i < CELLS && !task->words[0]; i++) {
        prnn_context *context = NULL;
        prnn_cell *good = NULL, *bad = NULL;
        prnn_plan *plan = NULL;
        uint64_t digest;
        if (prnn_context_create(&context, "cpu") != PRNN_OK)
            WRONG(task, "%.200s", prnn_last_error());
        else if (prnn_cell_load_text(&bad, context, own, wrong, strlen(wrong), NULL) != PRNN_E_CELL)
            WRONG(task, "an unknown name was taken");
        else if (!strstr(prnn_last_error(), own) || !strstr(prnn_last_diagnostics(), own))
            WRONG(task, "the words of another thread: %.200s", prnn_last_error());
        else if (prnn_cell_load_text(&good, context, "lstm", small_lstm, strlen(small_lstm),
                                     NULL) != PRNN_OK)
            WRONG(task, "%.200s", prnn_last_error());
        else if (prnn_plan_create(&plan, good, &problem) != PRNN_FALLBACK)
            WRONG(task, "the interpreter was not taken");
        else if (small_solve(plan, good, &digest) != PRNN_OK || digest != solved)
            WRONG(task, "other bits");
        else if (small_scan(context, &digest) != PRNN_OK || digest != stepped)
            WRONG(task, "other bits of a scan");
        else
            figures[OWN_WORLD].reached++;
        prnn_cell_free(good); /* the plan stays usable */
        prnn_plan_free(plan);
        prnn_context_free(context);
    }
    return NULL;
}

START_TEST(threads_with_contexts_of_their_own_do_not_meet)
{
    prnn_plan *plan;
    world_make(false);
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_FALLBACK);
    ck_assert_int_eq(small_solve(plan, cell, &solved), PRNN_OK);
    ck_assert_int_eq(small_scan(ctx, &stepped), PRNN_OK);
    prnn_plan_free(plan);
    all_run(live_alone, NULL, OWN_WORLD, CELLS);
}
END_TEST

int main(int argc, char **argv)
{
    static const char *const names[] = {"solves of one plan by several threads at once",
                                        "plans of one key made by several threads at once",
                                        "contexts, cells and plans of several threads at once",
                                        NULL};
    if (argc < 2)
        return 1;
    figures = figures_begin(argv[1], names);
    TCase *cases = tcase_create("plan_threads");
    tcase_add_checked_fixture(cases, NULL, teardown);
    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, threads_that_share_a_plan_get_the_bits_of_one_alone, 0, 2);
    tcase_add_loop_test(cases, threads_that_share_a_plan_share_its_pool, 0, 2);
    tcase_add_test(cases, threads_that_make_plans_of_one_key_at_once_get_the_same);
    tcase_add_test(cases, threads_with_contexts_of_their_own_do_not_meet);
    Suite *suite = suite_create("plan_threads");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    figures_write();
    return failed != 0;
}
