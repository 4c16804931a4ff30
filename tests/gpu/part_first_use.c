#include "gpu_parts.h"

#include <pararnnc/pararnnc.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double milliseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e3 * (double)time.tv_sec + 1e-6 * (double)time.tv_nsec;
}

/* Of a plan for forward and backward, by a context that has just been made. */
static double plan_time(const char *path)
{
    prnn_problem problem = PRNN_PROBLEM_INIT;
    prnn_context *context;
    prnn_cell *cell;
    prnn_plan *plan;
    problem.batch = 8;
    problem.seq_len = 2048;
    problem.channels = 1024;
    problem.backward = true;
    ck_assert_msg(prnn_context_create(&context, "cuda:0") == PRNN_OK, "%s", prnn_last_error());
    ck_assert_msg(prnn_cell_load(&cell, context, path, NULL) == PRNN_OK, "%s", prnn_last_error());
    const double start = milliseconds();
    ck_assert_msg(prnn_plan_create(&plan, cell, &problem) == PRNN_OK, "%s", prnn_last_error());
    const double time = milliseconds() - start;
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(context);
    return time;
}

START_TEST(a_warm_plan_is_made_without_compiling)
{
    enum { ROUNDS = 3 };
    const char *name = _i ? "paralstm" : "paragru";
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.cell", gpu.cells_folder, name);
    double slowest_warm = 0, fastest_cold = 1e300;
    for (int i = 0; i < ROUNDS; i++) {
        char folder[] = "/tmp/prnn-first-XXXXXX";
        ck_assert(mkdtemp(folder) != NULL);
        setenv("PARARNNC_CACHE_DIR", folder, 1);
        const double cold = plan_time(path), warm = plan_time(path);
        printf("%s, forward and backward: cold %.0f ms, warm %.1f ms\n", name, cold, warm);
        fastest_cold = cold < fastest_cold ? cold : fastest_cold;
        slowest_warm = warm > slowest_warm ? warm : slowest_warm;
        struct cache *cache = cache_open(&(struct cache_options){.path = folder});
        ck_assert_msg(cache_stats(cache).entries > 0, "nothing was stored");
        cache_clean(cache);
        cache_close(cache);
        rmdir(folder);
    }
    unsetenv("PARARNNC_CACHE_DIR");
    ck_assert_msg(slowest_warm < fastest_cold, "warm %g ms, cold %g ms", slowest_warm,
                  fastest_cold);
}
END_TEST

void gpu_part_first_use(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_warm_plan_is_made_without_compiling, 0, 2);
}
