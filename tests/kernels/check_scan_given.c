#include "kernel_case.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    uint32_t block;
    bool is_diagonal;
    int strategy;
} cases[] = {{1, true, 1}, {2, false, 2}, {3, true, 0}, {3, false, 1}, {4, false, 2}};
enum { CASES = sizeof cases / sizeof *cases };

/* A signed permutation with some rows struck out: whatever is composed of such Jacobians has
 * entries in {-1, 0, 1}, so that every association of the products and sums is exact. */
static int entry_of(uint64_t key, uint32_t n, uint32_t i, uint32_t j, bool is_diagonal)
{
    const uint32_t shift = is_diagonal ? 0 : (uint32_t)(key % n);
    const int sign = key >> (8 + i) & 1 ? -1 : 1;
    const bool is_struck = (key >> (16 + 3 * i) & 7) == 0;
    return (i + shift) % n == j && !is_struck ? sign : 0;
}

static uint64_t key_of(int64_t row, int64_t channel)
{
    uint64_t z = (uint64_t)(row * 131 + channel + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 31) * 0xbf58476d1ce4e5b9u;
    return (z ^ z >> 29) >> 4;
}

static void fill(struct kernel_data *d, uint32_t n, bool is_diagonal)
{
    const int64_t channels = d->shape.channels;
    for (int64_t b = 0; b < d->shape.batch; b++)
        for (int64_t c = 0; c < channels; c++) {
            double h[4] = {0};
            for (uint32_t i = 0; i < n && d->shape.has_h0; i++) {
                h[i] = (double)(key_of(b, c + 7) >> 8 * i & 15);
                kernel_set(kernel_tensor_of(d, GROUP_H0, i), (size_t)(b * channels + c), h[i]);
            }
            for (int64_t t = 0; t < d->length[b]; t++) {
                const int64_t row = kernel_row(d, b, t);
                const size_t at = (size_t)(row * channels + c);
                const uint64_t key = key_of(row, c);
                uint32_t k = 0;
                double next[4];
                for (uint32_t i = 0; i < n; i++) {
                    next[i] = 0;
                    for (uint32_t j = 0; j < n; j++) {
                        if (is_diagonal && i != j)
                            continue;
                        const int entry = entry_of(key, n, i, j, is_diagonal);
                        kernel_set(kernel_tensor_of(d, GROUP_X, k++), at, entry);
                        next[i] += entry * h[j];
                    }
                }
                for (uint32_t i = 0; i < n; i++) {
                    const double r = (double)(int)(key >> (32 + 4 * i) & 15) - 7;
                    kernel_set(kernel_tensor_of(d, GROUP_X, k + i), at, r);
                    h[i] = next[i] + r;
                    kernel_tensor_of(d, GROUP_H, i)->want[at] = h[i];
                }
            }
            for (uint32_t i = 0; i < n; i++)
                kernel_tensor_of(d, GROUP_HT, i)->want[b * channels + c] = h[i];
        }
}

START_TEST(exact_jacobians_give_the_sequential_answer_exactly)
{
    const struct assemble_options options = {.kernel = ASSEMBLE_SCAN,
                                             .storage = _i % 2 ? ASSEMBLE_F64 : ASSEMBLE_F32,
                                             .mode = ASSEMBLE_STRICT,
                                             .is_packed = true,
                                             .strategy =
                                                 kernel_strategies[cases[_i].strategy].strategy,
                                             .scan_block = cases[_i].block,
                                             .scan_is_diagonal = cases[_i].is_diagonal};
    const int64_t tile = (int64_t)options.strategy.tile_chunks * options.strategy.chunk;
    const struct kernel_shape shapes[] = {
        {.batch = 1, .steps = 1, .channels = 1},
        {.batch = 3, .steps = 3 * tile + 7, .channels = 33, .has_h0 = true},
        {.batch = 2, .steps = tile - 1, .channels = 40},
        {.batch = 1, .steps = tile + 1, .channels = 8, .is_reversed = true},
        {.batch = 3, .steps = tile + 5, .channels = 9, .is_packed = true, .has_h0 = true},
        {.batch = 3, .steps = tile + 5, .channels = 9, .is_packed = true, .is_reversed = true},
    };
    struct kernel_plan plan;
    kernel_plan_load(&plan, NULL, &options, NULL);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        struct kernel_data data;
        kernel_data_create(&data, &plan, &shapes[k]);
        fill(&data, cases[_i].block, cases[_i].is_diagonal);
        kernel_data_run(&data, (enum shim_order)(k % 3));
        kernel_data_check(&data);
        kernel_data_free(&data);
    }
    kernel_plan_free(&plan);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("scan_given");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, exact_jacobians_give_the_sequential_answer_exactly, 0, CASES);
    Suite *suite = suite_create("scan_given");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
