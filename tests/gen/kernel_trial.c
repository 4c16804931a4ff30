/* One cell through every executor: the interpreter in double is the oracle; kernel texts run on the
 * shim in several strategies; CPU texts are compiled plainly and, as the product does it, tuned. */
#include "certificate_check.h"
#include "executors.h"

#include <math.h>

/* -- trials ------------------------------------------------------------------------------------ */

/* With 16-bit storage the bound is little more than the rounding of what is stored, which says
 * nothing about the arithmetic. */
static void note(double *largest, const struct kernel_data *data)
{
    if (data->plan->options.storage > ASSEMBLE_F64)
        return;
    *largest = fmax(*largest, data->largest_ratio);
}

/* Values within their ratio; for hard cells nothing is promised. */
static void judge(const struct trial *trial, struct kernel_data *data, double *ratio)
{
    if (trial->is_hard)
        return;
    kernel_data_check(data);
    note(ratio, data);
}

static void trial_forward_strict(const struct trial *trial, struct dice *dice)
{
    const enum assemble_storage storage = executor_storage(trial, dice);
    const int strategies[2] = {1 + dice_below(dice, KERNEL_STRATEGIES - 1),
                               1 + dice_below(dice, KERNEL_STRATEGIES - 1)};
    struct kernel_shape shape =
        executor_shape(trial, dice, &kernel_strategies[strategies[0]].strategy);
    const struct assemble_options in_order =
        executor_options(ASSEMBLE_FORWARD, ASSEMBLE_STRICT, storage, 0, &shape);
    struct kernel_plan alone;
    struct kernel_data wanted, found;
    if (!executor_load(trial, &alone, &in_order))
        return;
    kernel_data_create(&wanted, &alone, &shape);
    executor_run(trial, &wanted, SHIM_FORWARD);
    judge(trial, &wanted, &trial->report->forward_ratio);
    certificate_check(trial, &wanted);

    struct pipeline_text cpu;
    executor_cpu_text(&alone, &cpu);
    kernel_data_create(&found, &alone, &shape);
    executor_plain(&found, &cpu, NULL);
    kernel_data_check_same(&wanted, &found);
    if (trial->with_forward_product) {
        kernel_data_poison(&found);
        executor_backend(&found, &cpu);
        kernel_data_check_same(&wanted, &found);
        trial->report->products++;
    }
    if (!trial->is_hard) {
        kernel_data_poison(&found);
        executor_backend(&found, NULL);
        judge(trial, &found, &trial->report->product_ratio);
    }
    kernel_data_free(&found);

    for (int k = 0; k < 2; k++) {
        const struct assemble_options tiled =
            executor_options(ASSEMBLE_FORWARD, ASSEMBLE_STRICT, storage, strategies[k], &shape);
        struct kernel_plan plan;
        if (!executor_load(trial, &plan, &tiled))
            continue;
        kernel_data_create(&found, &plan, &shape);
        executor_run(trial, &found, (enum shim_order)dice_below(dice, 3));
        kernel_data_check_same(&wanted, &found);
        certificate_check(trial, &found);
        kernel_data_free(&found);
        if (!trial->is_hard && storage == ASSEMBLE_F32) {
            struct kernel_shape loose = shape;
            loose.tolerance = dice_chance(dice, 50) ? 1e-5 : 1e-6;
            kernel_data_create(&found, &plan, &loose);
            executor_run(trial, &found, (enum shim_order)dice_below(dice, 3));
            judge(trial, &found, &trial->report->forward_ratio);
            certificate_check(trial, &found);
            corrections_check(trial, &found);
            kernel_data_free(&found);
        }
        if (trial->with_nvrtc && k == 0)
            executor_nvrtc(trial, &plan);
        kernel_plan_free(&plan);
    }
    kernel_data_free(&wanted);
    pipeline_text_free(&cpu);
    kernel_plan_free(&alone);
}

static void trial_forward_accurate(const struct trial *trial, struct dice *dice)
{
    const enum assemble_storage storage = executor_storage(trial, dice);
    const int strategy = dice_below(dice, KERNEL_STRATEGIES);
    struct kernel_shape shape = executor_shape(trial, dice, &kernel_strategies[strategy].strategy);
    const struct assemble_options options =
        executor_options(ASSEMBLE_FORWARD, ASSEMBLE_ACCURATE, storage, strategy, &shape);
    struct kernel_plan plan;
    struct kernel_data data;
    if (!executor_load(trial, &plan, &options))
        return;
    shape.tolerance = dice_chance(dice, 50) ? 0 : 1e-5;
    kernel_data_create(&data, &plan, &shape);
    executor_run(trial, &data, (enum shim_order)dice_below(dice, 3));
    judge(trial, &data, &trial->report->forward_ratio);
    certificate_check(trial, &data);
    if (storage == ASSEMBLE_F32 && shape.tolerance > 0)
        corrections_check(trial, &data);
    kernel_data_free(&data);
    kernel_plan_free(&plan);
}

static void trial_backward(const struct trial *trial, struct dice *dice, enum assemble_mode mode)
{
    const enum assemble_storage storage = executor_storage(trial, dice);
    const int strategy = dice_below(dice, KERNEL_STRATEGIES);
    struct kernel_shape shape = executor_shape(trial, dice, &kernel_strategies[strategy].strategy);
    const struct assemble_options options =
        executor_options(ASSEMBLE_BACKWARD, mode, storage, strategy, &shape);
    struct kernel_plan plan;
    struct kernel_data data, again;
    if (!executor_load(trial, &plan, &options))
        return;
    shape.tolerance = dice_chance(dice, 50) ? 0 : 1e-5;
    kernel_data_create(&data, &plan, &shape);
    executor_run(trial, &data, SHIM_FORWARD);
    judge(trial, &data, &trial->report->backward_ratio);
    kernel_data_create(&again, &plan, &shape);
    executor_run(trial, &again, dice_chance(dice, 50) ? SHIM_REVERSE : SHIM_RANDOM);
    kernel_data_check_same(&data, &again);
    if (mode == ASSEMBLE_STRICT) {
        struct pipeline_text cpu;
        kernel_data_poison(&again);
        executor_backend(&again, NULL);
        judge(trial, &again, &trial->report->product_ratio);
        if (trial->with_backward_product) {
            executor_cpu_text(&plan, &cpu);
            kernel_data_poison(&again);
            executor_backend(&again, &cpu);
            judge(trial, &again, &trial->report->product_ratio);
            trial->report->products++;
            pipeline_text_free(&cpu);
        }
    }
    if (trial->with_nvrtc)
        executor_nvrtc(trial, &plan);
    kernel_data_free(&again);
    kernel_data_free(&data);
    kernel_plan_free(&plan);
}

void trial_kernels(const struct trial *trial)
{
    struct dice dice = {trial->seed};
    trial_forward_strict(trial, &dice);
    if (trial->is_hard)
        return;
    trial_forward_accurate(trial, &dice);
    trial_backward(trial, &dice, ASSEMBLE_STRICT);
    trial_backward(trial, &dice, ASSEMBLE_ACCURATE);
}
