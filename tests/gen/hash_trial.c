/* One hash for a cell: in strict mode what a forward run writes has the same bits for every
 * compiler, every level of optimisation and every executor. */
#include "executors.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of all written tensors; one NaN is as good as another. */
static uint64_t hash_of(struct kernel_data *data)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t k = 0; k < data->start[GROUP_COUNT]; k++) {
        const struct kernel_tensor *t = &data->tensor[k];
        for (size_t i = 0; i < t->count && t->is_written; i++) {
            const double v = kernel_get(t, i);
            uint64_t bits = 0x7ff8u;
            if (!isnan(v))
                memcpy(&bits, &v, sizeof bits);
            for (int byte = 0; byte < 8; byte++)
                hash = (hash ^ (bits >> (8 * byte) & 255)) * 0x100000001b3u;
        }
    }
    return hash;
}

static void expect(uint64_t found, uint64_t wanted, const char *who)
{
    ck_assert_msg(found == wanted, "%s: hash %016llx, the kernel in order has %016llx", who,
                  (unsigned long long)found, (unsigned long long)wanted);
}

/* The CPU text through gcc or clang, one of them for each cell. */
static void compare_compilers(const struct trial *trial, struct kernel_data *data,
                              const struct pipeline_text *text, uint64_t wanted)
{
    static const char *const compilers[][5] = {{"gcc", "-O0", NULL},
                                               {"gcc", "-O2", "-fno-trapping-math", NULL},
                                               {"clang", "-O3", "-march=native", "-fopenmp-simd"}};
    int k = (int)(trial->seed % 3);
    if (k == 2 && system("command -v clang >/dev/null 2>&1"))
        k = 1;
    kernel_data_poison(data);
    executor_plain(data, text, compilers[k]);
    expect(hash_of(data), wanted, compilers[k][0]);
}

uint64_t trial_hash(const struct trial *trial)
{
    struct dice dice = {trial->seed};
    const int strategy = 1 + dice_below(&dice, KERNEL_STRATEGIES - 1);
    const enum assemble_storage storage =
        dice_chance(&dice, 75) ? ASSEMBLE_F32 : (enum assemble_storage)(1 + dice_below(&dice, 3));
    const struct kernel_shape shape =
        executor_shape(trial, &dice, &kernel_strategies[strategy].strategy);
    const struct assemble_options in_order =
        executor_options(ASSEMBLE_FORWARD, ASSEMBLE_STRICT, storage, 0, &shape);
    const struct assemble_options tiled =
        executor_options(ASSEMBLE_FORWARD, ASSEMBLE_STRICT, storage, strategy, &shape);
    struct kernel_plan plan;
    struct kernel_data data;
    struct pipeline_text cpu;
    if (!executor_load(trial, &plan, &in_order))
        return 0;
    kernel_data_create(&data, &plan, &shape);
    executor_run(trial, &data, SHIM_FORWARD);
    const uint64_t hash = hash_of(&data);
    executor_cpu_text(&plan, &cpu);
    kernel_data_poison(&data);
    executor_plain(&data, &cpu, NULL);
    expect(hash_of(&data), hash, "the CPU text");
    if (trial->with_compilers)
        compare_compilers(trial, &data, &cpu, hash);
    kernel_data_free(&data);
    pipeline_text_free(&cpu);
    kernel_plan_free(&plan);
    if (executor_load(trial, &plan, &tiled)) {
        kernel_data_create(&data, &plan, &shape);
        executor_run(trial, &data, SHIM_RANDOM);
        expect(hash_of(&data), hash, kernel_strategies[strategy].name);
        kernel_data_free(&data);
        kernel_plan_free(&plan);
    }
    trial->report->hash = (trial->report->hash ^ hash) * 0x100000001b3u;
    return hash;
}
