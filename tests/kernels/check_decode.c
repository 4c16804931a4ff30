#include "kernel_case.h"

#include <check.h>
#include <stdlib.h>

static const char *const cells[] = {kernel_cell_gru, kernel_cell_lstm, kernel_cell_output,
                                    kernel_cell_shared, kernel_cell_dense};
enum { CELLS = sizeof cells / sizeof *cells };

START_TEST(one_step_is_the_interpreters_and_has_the_bits_of_the_forward_kernel)
{
    const struct assemble_options decode = {.kernel = ASSEMBLE_DECODE,
                                            .mode = _i % 2 ? ASSEMBLE_STRICT : ASSEMBLE_ACCURATE};
    struct assemble_options forward = decode;
    forward.kernel = ASSEMBLE_FORWARD;
    forward.strategy = kernel_strategies[0].strategy;
    struct kernel_plan step, solve;
    kernel_plan_load(&step, cells[_i], &decode, NULL);
    kernel_plan_load(&solve, cells[_i], &forward, NULL);
    const struct kernel_shape shapes[] = {
        {.batch = 1, .steps = 1, .channels = 1},
        {.batch = 3, .steps = 1, .channels = 33, .has_h0 = true},
        {.batch = 4, .steps = 1, .channels = 40, .has_h0 = true, .is_aligned = true},
    };
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        struct kernel_data a, b;
        kernel_data_create(&a, &step, &shapes[k]);
        kernel_data_create(&b, &solve, &shapes[k]);
        kernel_data_run(&a, (enum shim_order)(k % 3));
        kernel_data_run(&b, SHIM_FORWARD);
        kernel_data_check(&a);
        kernel_data_check_same(&a, &b);
        kernel_data_free(&a);
        kernel_data_free(&b);
    }
    kernel_plan_free(&step);
    kernel_plan_free(&solve);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("decode");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, one_step_is_the_interpreters_and_has_the_bits_of_the_forward_kernel,
                        0, CELLS);
    Suite *suite = suite_create("decode");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
