#include "kernel_launch.h"

#include <check.h>
#include <string.h>

void kernel_launch_fill(struct kernel_data *d, struct kernel_launch *launch)
{
    const struct kernel_shape *s = &d->shape;
    const bool is_flipped = s->is_reversed && !s->is_packed;
    memset(launch, 0, sizeof *launch);
    launch->head = (struct prnn_launch_head){
        .batch = s->batch,
        .seq_len = s->is_packed ? d->rows : s->steps,
        .channels = s->channels,
        .cu_seqlens = s->is_packed ? d->cu_seqlens : NULL,
        .reset = s->has_resets ? d->reset + (is_flipped ? s->steps - 1 : 0) : NULL,
        .reset_stride_b = s->steps,
        .reset_stride_t = is_flipped ? -1 : 1,
        .workspace = d->workspace,
        .report = d->report,
        .tolerance = s->tolerance,
        .is_reversed = s->is_packed && s->is_reversed,
        .is_near = !s->is_far,
        .is_aligned = s->is_aligned && !s->is_far,
    };
    for (int g = 0; g < GROUP_COUNT; g++)
        for (uint32_t k = 0; k < d->counts[g]; k++) {
            const struct kernel_tensor *t = kernel_tensor_of(d, (enum kernel_group)g, k);
            if (!t->is_present)
                continue;
            struct prnn_arg *arg = &launch->arg[d->start[g] + k];
            const bool flips = is_flipped && kernel_group_is_sequence((enum kernel_group)g);
            arg->base =
                (char *)t->data + (flips ? (size_t)((s->steps - 1) * t->stride_t) * t->element : 0);
            arg->stride_b = t->stride_b;
            arg->stride_t = flips ? -t->stride_t : t->stride_t;
        }
}

int kernel_reduce_grid(const struct kernel_data *d)
{
    return (int)(d->plan->unit->ir->params * ((d->shape.channels + 31) / 32) +
                 (kernel_shared_gradients(d->plan) * d->rows + KERNEL_REDUCE_THREADS - 1) /
                     KERNEL_REDUCE_THREADS);
}

static void memory_allow(struct kernel_data *d, const struct kernel_launch *launch)
{
    shim_clear_globals();
    for (uint32_t k = 0; k < d->start[GROUP_COUNT]; k++) {
        const struct kernel_tensor *t = &d->tensor[k];
        if (t->is_present && t->count)
            shim_add_global(t->data, t->count * t->element, t->is_written, "tensor");
    }
    shim_add_global(d->reset, (size_t)d->rows + 1, false, "reset");
    shim_add_global(d->cu_seqlens, sizeof d->cu_seqlens, false, "cu_seqlens");
    shim_add_global(launch, sizeof *launch, false, "launch");
    if (d->workspace_bytes)
        shim_add_global(d->workspace, d->workspace_bytes, true, "workspace");
    shim_add_global(d->report, (size_t)d->grid * sizeof *d->report, true, "report");
}

static void launch_one(shim_kernel *kernel, const struct kernel_launch *launch,
                       const struct shim_config *config)
{
    struct shim_report report;
    if (config->grid == 0)
        return;
    if (shim_launch(kernel, launch, config, &report))
        ck_abort_msg("%lld faults, first: %s", (long long)report.faults, report.fault[0].text);
}

void kernel_data_run(struct kernel_data *d, enum shim_order order)
{
    const struct kernel_plan *plan = d->plan;
    struct kernel_launch launch;
    kernel_launch_fill(d, &launch);
    memory_allow(d, &launch);
    struct shim_config config = {.grid = d->grid,
                                 .threads = (int)plan->text.assembled.threads,
                                 .cluster = (int)plan->options.strategy.cluster,
                                 .shared_bytes = plan->text.assembled.shared_bytes,
                                 .order = order,
                                 .seed = d->shape.seed,
                                 .check = true};
    launch_one(plan->kernel, &launch, &config);
    if (!plan->reduce)
        return;
    config.grid = kernel_reduce_grid(d);
    config.threads = KERNEL_REDUCE_THREADS;
    config.cluster = 1;
    launch_one(plan->reduce, &launch, &config);
}
