#include "gpu_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of ledger_strategies; the first is the sequential one. */
static const int strategies[] = {0, 1, 5, 6};
enum {
    STRATEGIES = sizeof strategies / sizeof *strategies,
    PLANS = (CELL_FILES_MAX + 1) * STRATEGIES
};

static struct kernel_plan plans[PLANS];
static struct device_text texts[PLANS];
static int runs, skipped;

/* The shipped cells, then the logistic map. */
static size_t cell_count(void)
{
    return gpu.cells.count + 1;
}

static bool is_chaotic(size_t cell)
{
    return cell == gpu.cells.count;
}

static void prepare(void)
{
    for (size_t i = 0; i < cell_count() * STRATEGIES; i++) {
        const size_t cell = i / STRATEGIES;
        const char *text = is_chaotic(cell) ? kernel_cell_chaotic : gpu.cells.file[cell].text;
        struct assemble_options options = {
            .kernel = ASSEMBLE_FORWARD, .target = device_target(), .mode = ASSEMBLE_ACCURATE};
        ledger_strategy_fit(&options, text, strategies[i % STRATEGIES]);
        kernel_plan_assemble(&plans[i], text, &options);
    }
    device_texts_load(texts, plans, cell_count() * STRATEGIES);
}

static void finish(void)
{
    printf("bits of the sequential run: %d runs compared, %d left out because it is not finite\n",
           runs, skipped);
    device_texts_unload(texts, cell_count() * STRATEGIES);
    for (size_t i = 0; i < cell_count() * STRATEGIES; i++)
        kernel_plan_free(&plans[i]);
}

static bool is_finite(const struct kernel_data *d)
{
    for (uint32_t k = 0; k < d->start[GROUP_COUNT]; k++)
        for (size_t i = 0; i < d->tensor[k].count && d->tensor[k].is_written; i++)
            if (!isfinite(kernel_get(&d->tensor[k], i)))
                return false;
    return true;
}

START_TEST(tolerance_zero_has_the_bits_of_the_sequential_run)
{
    static const double gains[] = {1.5, 3};
    const size_t cell = (size_t)_i / 2;
    const char *name = is_chaotic(cell) ? "logistic map" : gpu.cells.file[cell].name;
    const struct kernel_shape shape = {.batch = 2,
                                       .steps = 203,
                                       .channels = 33,
                                       .has_h0 = strncmp(name, "slstm", 5) != 0,
                                       .gain = is_chaotic(cell) ? -0.5 : gains[_i % 2],
                                       .seed = (uint64_t)_i};
    struct kernel_data alone, tiled;
    kernel_data_create(&alone, &plans[cell * STRATEGIES], &shape);
    device_run(&texts[cell * STRATEGIES], &alone);
    const bool is_comparable = is_finite(&alone);
    for (size_t s = 1; s < STRATEGIES; s++) {
        if (!is_comparable) {
            printf("%s, gain %g: the sequential run is not finite\n", name, shape.gain);
            skipped++;
            continue;
        }
        kernel_data_create(&tiled, &plans[cell * STRATEGIES + s], &shape);
        device_run(&texts[cell * STRATEGIES + s], &tiled);
        printf("%s, gain %g, %s\n", name, shape.gain, ledger_strategies[strategies[s]].name);
        kernel_data_check_same(&alone, &tiled);
        for (int b = 0; b < tiled.grid; b++)
            ck_assert_msg(tiled.report[b].mismatch <= 0, "%s: mismatch %g", name,
                          tiled.report[b].mismatch);
        kernel_data_free(&tiled);
        runs++;
    }
    kernel_data_free(&alone);
}
END_TEST

void gpu_part_sequential(TCase *tcase)
{
    tcase_add_unchecked_fixture(tcase, prepare, finish);
    tcase_add_loop_test(tcase, tolerance_zero_has_the_bits_of_the_sequential_run, 0,
                        2 * (int)cell_count());
}
