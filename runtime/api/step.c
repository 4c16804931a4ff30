/* The calls that run a plan: they allocate nothing and load nothing. */
#include "handles.h"

#include "cpu_scan.h"
#include "cuda_backend.h"
#include "status.h"

static prnn_status check_run(const prnn_plan *plan, const void *args, const void *workspace,
                             bool is_scan)
{
    if (!plan)
        return status_set(PRNN_E_INVALID, "'plan' is NULL, needed is a plan");
    if ((plan->cell == NULL) != is_scan)
        return status_set(PRNN_E_INVALID, "the plan was made by %s()",
                          is_scan ? "prnn_plan_create" : "prnn_scan_plan_create");
    if (!args)
        return status_set(PRNN_E_INVALID, "'args' is NULL, needed are bindings");
    if (plan->workspace && !workspace)
        return status_set(PRNN_E_INVALID, "'workspace' is NULL, needed are %zu bytes",
                          plan->workspace);
    if ((uintptr_t)workspace % prnn_plan_workspace_alignment(plan))
        return status_set(PRNN_E_INVALID, "'workspace' is not aligned to %zu bytes",
                          prnn_plan_workspace_alignment(plan));
    return PRNN_OK;
}

static prnn_status check_stream(const prnn_plan *plan, const void *stream)
{
    if (!plan->cuda && stream)
        return status_set(PRNN_E_INVALID, "'stream' is not NULL, a CPU plan has no streams");
    return PRNN_OK;
}

static bool is_empty(const prnn_plan *plan)
{
    return plan->shape.batch == 0 || plan->shape.channels == 0;
}

prnn_status prnn_forward(const prnn_plan *plan, const prnn_tensor *args, void *workspace,
                         void *stream)
{
    struct launch launch;
    prnn_status st;
    if ((st = check_run(plan, args, workspace, false)) < 0 ||
        (st = check_stream(plan, stream)) < 0 ||
        (st = launch_make(plan, VIEW_FORWARD, args, NULL, &launch)) < 0)
        return st;
    if (plan->cpu)
        return cpu_plan_forward(plan->cpu, &launch, workspace);
    if (is_empty(plan))
        return PRNN_OK;
    return cuda_plan_launch(plan->cuda, CUDA_FORWARD, &launch, workspace, stream);
}

prnn_status prnn_backward(const prnn_plan *plan, const prnn_tensor *args, const prnn_tensor *grads,
                          void *workspace, void *stream)
{
    struct launch launch;
    prnn_status st;
    if ((st = check_run(plan, args, workspace, false)) < 0 || (st = check_stream(plan, stream)) < 0)
        return st;
    if (!plan->shape.is_backward)
        return status_set(PRNN_E_INVALID, "the plan was made without 'backward'");
    if (!grads)
        return status_set(PRNN_E_INVALID, "'grads' is NULL, needed are bindings of gradients");
    if ((st = launch_make(plan, VIEW_BACKWARD, args, grads, &launch)) < 0)
        return st;
    if (plan->cpu)
        return cpu_plan_backward(plan->cpu, &launch, workspace);
    return cuda_plan_launch(plan->cuda, CUDA_BACKWARD, &launch, workspace, stream);
}

prnn_status prnn_step(const prnn_plan *plan, const prnn_tensor *args, void *workspace, void *stream)
{
    struct launch launch;
    prnn_status st;
    if ((st = check_run(plan, args, workspace, false)) < 0 ||
        (st = check_stream(plan, stream)) < 0 ||
        (st = launch_make(plan, VIEW_STEP, args, NULL, &launch)) < 0)
        return st;
    if (plan->cpu)
        return cpu_plan_forward(plan->cpu, &launch, workspace);
    if (is_empty(plan))
        return PRNN_OK;
    return cuda_plan_launch(plan->cuda, CUDA_STEP, &launch, workspace, stream);
}

/* Entry (i, j) of a full Jacobian becomes entry (j, i). */
static void transpose(const prnn_plan *plan, struct launch *launch)
{
    const uint32_t n = plan->scan_block;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < i; j++) {
            struct prnn_arg *const lower = &launch->args[plan->shape.places.x + i * n + j];
            struct prnn_arg *const upper = &launch->args[plan->shape.places.x + j * n + i];
            const struct prnn_arg kept = *lower;
            *lower = *upper;
            *upper = kept;
        }
}

prnn_status prnn_scan(const prnn_plan *plan, const prnn_tensor *args, void *workspace, void *stream)
{
    struct launch launch;
    prnn_status st;
    if ((st = check_run(plan, args, workspace, true)) < 0 ||
        (st = check_stream(plan, stream)) < 0 ||
        (st = launch_make(plan, VIEW_FORWARD, args, NULL, &launch)) < 0)
        return st;
    if (plan->scan_transposes)
        transpose(plan, &launch);
    if (plan->scan)
        return cpu_scan_run(plan->scan, &launch);
    if (is_empty(plan))
        return PRNN_OK;
    return cuda_plan_launch(plan->cuda, CUDA_SCAN, &launch, workspace, stream);
}

prnn_status prnn_plan_certificate(const prnn_plan *plan, const void *workspace,
                                  prnn_certificate *out, void *stream)
{
    prnn_status st;
    if (!out || out->struct_size != sizeof *out)
        return status_set(PRNN_E_INVALID, "'out' has struct_size %zu, needed is %zu",
                          out ? out->struct_size : (size_t)0, sizeof *out);
    if ((st = check_run(plan, out, workspace, false)) < 0 || (st = check_stream(plan, stream)) < 0)
        return st;
    *out = (prnn_certificate)PRNN_CERTIFICATE_INIT;
    out->tolerance = plan->shape.tolerance;
    if (plan->cpu)
        cpu_plan_certificate(plan->cpu, workspace, out);
    else if (!is_empty(plan) &&
             (st = cuda_plan_certificate(plan->cuda, workspace, out, stream)) < 0)
        return st;
    if (out->nonfinite)
        return status_set(PRNN_NONFINITE, "a state is inf or NaN, as in the sequential recurrence");
    return PRNN_OK;
}

size_t prnn_plan_workspace_size(const prnn_plan *plan)
{
    return plan ? plan->workspace : 0;
}

size_t prnn_plan_workspace_alignment(const prnn_plan *plan)
{
    return plan && plan->cuda ? CUDA_WORKSPACE_ALIGNMENT : 64;
}

const char *prnn_plan_describe(const prnn_plan *plan)
{
    return plan ? plan->description : "";
}
