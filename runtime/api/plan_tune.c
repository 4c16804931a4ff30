/* A plan with the strategies that are fastest on tensors of the caller. */
#include "handles.h"

#include "cuda_backend.h"
#include "cuda_timer.h"
#include "nvrtc.h"
#include "profile.h"
#include "status.h"
#include "strategy_candidates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 5, LAUNCHES_MOST = 100 };
#define BATCH_SECONDS 2e-3
/* What takes so many times the best so far is timed once only. */
#define HOPELESS 3.0
/* What is faster by less may be so by chance: the one before stays. */
#define CLEARLY 0.98

/* The plan of the caller and what it is run on. */
struct trial_run {
    const prnn_plan *plan;
    const prnn_tensor *args, *grads;
    void *stream;
    struct cuda_timer *timer;
};

struct candidates {
    struct strategy all[STRATEGY_CANDIDATES_MOST + 1];
    uint32_t count;
};

static struct assemble_options kernel_options(const prnn_plan *plan, bool is_backward)
{
    struct assemble_options options;
    shape_options(plan, &options);
    options.kernel = is_backward ? ASSEMBLE_BACKWARD : ASSEMBLE_FORWARD;
    options.target = ASSEMBLE_CUDA;
    return options;
}

/* What the plan has now comes first. */
static void candidates_find(struct candidates *out, const prnn_plan *plan,
                            const struct profile *profile, bool is_backward)
{
    const struct assemble_options options = kernel_options(plan, is_backward);
    const struct model_problem problem = profile_problem_on(
        plan->ctx->cuda, plan->ctx->cache, profile, plan->cell->unit, &plan->shape, &options);
    const struct strategy *now = &plan->strategy[is_backward];
    uint32_t kept = 1;
    out->all[0] = *now;
    const uint32_t found = strategy_candidates(out->all + 1, &problem);
    for (uint32_t i = 1; i <= found; i++)
        if (memcmp(&out->all[i], now, sizeof *now) != 0)
            out->all[kept++] = out->all[i];
    out->count = kept;
}

/* Several at once, into the cache, where the plans of the candidates find them. What fails here
 * fails there again, with words. */
static void compile_ahead(const prnn_plan *plan, const struct candidates *candidates,
                          bool is_backward)
{
    const struct cuda_properties *device = cuda_device_properties(plan->ctx->cuda);
    struct pipeline_text texts[STRATEGY_CANDIDATES_MOST + 1];
    struct nvrtc_request requests[STRATEGY_CANDIDATES_MOST + 1];
    struct nvrtc_result results[STRATEGY_CANDIDATES_MOST + 1];
    struct assemble_options options = kernel_options(plan, is_backward);
    char arch[24], *log = NULL;
    size_t count = 0;
    if (!plan->ctx->cache || nvrtc_arch(arch, device->major, device->minor, &log) != NVRTC_OK) {
        free(log);
        return;
    }
    for (uint32_t i = 0; i < candidates->count; i++) {
        struct pipeline_text *text = &texts[count];
        options.strategy = candidates->all[i];
        if (pipeline_assemble(text, plan->cell->unit, &options) != PIPELINE_OK)
            break;
        if (text->refusal) {
            pipeline_text_free(text);
            continue;
        }
        requests[count++] = (struct nvrtc_request){.text = text->assembled.text,
                                                   .length = text->assembled.length,
                                                   .arch = arch,
                                                   .label = text->assembled.entry};
    }
    if (count > 0)
        (void)nvrtc_compile(results, requests, count, plan->ctx->cache);
    for (size_t i = 0; i < count; i++) {
        nvrtc_result_free(&results[i]);
        pipeline_text_free(&texts[i]);
    }
}

static prnn_status run_once(const struct trial_run *run, const prnn_plan *plan, bool is_backward,
                            void *workspace)
{
    return is_backward ? prnn_backward(plan, run->args, run->grads, workspace, run->stream)
                       : prnn_forward(plan, run->args, workspace, run->stream);
}

/* Seconds of one of so many launches in a row. */
static prnn_status time_batch(double *seconds, const struct trial_run *run, const prnn_plan *plan,
                              bool is_backward, void *workspace, int launches)
{
    prnn_status st = cuda_timer_start(run->timer);
    *seconds = 0;
    for (int i = 0; st >= 0 && i < launches; i++)
        st = run_once(run, plan, is_backward, workspace);
    if (st >= 0)
        st = cuda_timer_stop(run->timer, seconds);
    *seconds /= launches;
    return st;
}

static int compare_seconds(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of some batches of launches, behind one that is not counted. */
static prnn_status time_plan(double *seconds, const struct trial_run *run, const prnn_plan *plan,
                             bool is_backward, void *workspace, double best)
{
    double batches[BATCHES], once;
    prnn_status st = time_batch(&once, run, plan, is_backward, workspace, 1);
    if (st >= 0)
        st = time_batch(&once, run, plan, is_backward, workspace, 1);
    *seconds = once;
    if (st < 0 || once > HOPELESS * best)
        return st;
    const int launches =
        once > 0 ? (int)fmin(fmax(BATCH_SECONDS / once, 1), LAUNCHES_MOST) : LAUNCHES_MOST;
    for (int i = 0; st >= 0 && i < BATCHES; i++)
        st = time_batch(&batches[i], run, plan, is_backward, workspace, launches);
    if (st >= 0) {
        qsort(batches, BATCHES, sizeof *batches, compare_seconds);
        *seconds = batches[BATCHES / 2];
    }
    return st;
}

/* A forward solve has to keep what its certificate promises. */
static prnn_status check_solved(bool *is_solved, const struct trial_run *run, const prnn_plan *plan,
                                const void *workspace)
{
    prnn_certificate certificate = PRNN_CERTIFICATE_INIT;
    const prnn_status st = prnn_plan_certificate(plan, workspace, &certificate, run->stream);
    *is_solved = certificate.nonfinite || certificate.mismatch <= certificate.tolerance;
    return st;
}

/* Another candidate may do where this one cannot be made, or has no room. */
static bool is_final(prnn_status st)
{
    return st == PRNN_E_STICKY || st == PRNN_E_INVALID;
}

/* The seconds of one candidate; infinite where it cannot be had. */
static prnn_status time_candidate(double *seconds, const struct trial_run *run, bool is_backward,
                                  const struct strategy *strategy, double best)
{
    prnn_plan *plan;
    void *workspace = NULL;
    bool is_solved = true;
    prnn_status st = plan_copy_shape(&plan, run->plan);
    *seconds = INFINITY;
    if (st < 0)
        return st;
    st = plan_create_cuda_kernel(plan, is_backward, strategy);
    if (st >= 0)
        st = prnn_memory_alloc(plan->ctx, &workspace, plan->workspace);
    if (st >= 0)
        st = time_plan(seconds, run, plan, is_backward, workspace, best);
    if (st >= 0 && !is_backward)
        st = check_solved(&is_solved, run, plan, workspace);
    if (st < 0 || !is_solved)
        *seconds = INFINITY;
    prnn_memory_free(plan->ctx, workspace);
    prnn_plan_free(plan);
    return st;
}

/* The fastest strategy of a kernel. */
static prnn_status measure(struct wish *wish, const struct trial_run *run,
                           const struct profile *profile, bool is_backward)
{
    struct candidates candidates;
    struct timing *best = &wish->timing[is_backward];
    *best = (struct timing){INFINITY, INFINITY, INFINITY};
    candidates_find(&candidates, run->plan, profile, is_backward);
    compile_ahead(run->plan, &candidates, is_backward);
    for (uint32_t i = 0; i < candidates.count; i++) {
        const struct strategy *strategy = &candidates.all[i];
        double seconds;
        const prnn_status st = time_candidate(&seconds, run, is_backward, strategy, best->seconds);
        /* What the plan has now must work; another one need not. */
        if (is_final(st) || (st < 0 && i == 0))
            return st;
        if (i == 0)
            best->before = seconds;
        if (strategy_is_sequential(strategy))
            best->in_order = fmin(best->in_order, seconds);
        if (seconds < CLEARLY * best->seconds) {
            best->seconds = seconds;
            wish->strategy[is_backward] = *strategy;
        }
    }
    if (best->seconds == INFINITY)
        best->seconds = 0;
    return PRNN_OK;
}

/* What the caller's tensors hold in the end is the new plan's. */
static prnn_status run_all(const struct trial_run *run, const prnn_plan *plan)
{
    void *workspace = NULL;
    prnn_status st = prnn_memory_alloc(plan->ctx, &workspace, plan->workspace);
    if (st >= 0)
        st = run_once(run, plan, false, workspace);
    if (st >= 0 && run->grads)
        st = run_once(run, plan, true, workspace);
    if (st >= 0)
        st = prnn_stream_wait(plan->ctx, run->stream);
    prnn_memory_free(plan->ctx, workspace);
    return st;
}

static prnn_status tune_on_device(prnn_plan *out, struct trial_run *run)
{
    const prnn_plan *plan = run->plan;
    const bool has_work = plan->shape.batch > 0 && plan->shape.channels > 0;
    struct wish wish = {.strategy = {plan->strategy[0], plan->strategy[1]}, .is_pair = true};
    struct profile profile;
    prnn_status st =
        profile_find(&profile, plan->cell->unit,
                     assemble_rounding(assemble_storage_of(plan->shape.storage)), plan->ctx->cache);
    if (st >= 0)
        st = cuda_timer_create(&run->timer, plan->ctx->cuda, run->stream);
    if (st >= 0 && has_work)
        st = measure(&wish, run, &profile, false);
    if (st >= 0 && has_work && run->grads)
        st = measure(&wish, run, &profile, true);
    cuda_timer_free(run->timer);
    if (st >= 0)
        st = plan_create_cuda(out, &wish, false);
    if (st >= 0 && has_work)
        st = run_all(run, out);
    return st;
}

/* A forward solve that is run again and again must begin with the same states. */
static prnn_status check_not_carried(const prnn_plan *plan, const prnn_tensor *args)
{
    for (uint32_t i = 0; i < plan->slot_count; i++)
        for (uint32_t j = 0; j < plan->slot_count; j++)
            if (plan->slots[i].kind == SLOT_HT && plan->slots[j].kind == SLOT_H0 && args[i].data &&
                args[i].data == args[j].data)
                return status_set(PRNN_E_INVALID,
                                  "'hT:%s' is bound where 'h0:%s' is: every run would begin with "
                                  "other states",
                                  plan->slots[i].name, plan->slots[j].name);
    return PRNN_OK;
}

prnn_status prnn_plan_tune(prnn_plan **out, const prnn_plan *plan, const prnn_tensor *args,
                           const prnn_tensor *grads, void *stream)
{
    struct trial_run run = {plan, args, grads, stream, NULL};
    prnn_status st;
    if (!out)
        return status_set(PRNN_E_INVALID, "'out' is NULL, needed is the place of a handle");
    *out = NULL;
    if (!plan || !plan->cell)
        return status_set(PRNN_E_INVALID, plan ? "the plan was made by prnn_scan_plan_create"
                                               : "'plan' is NULL, needed is a plan");
    if (!args)
        return status_set(PRNN_E_INVALID, "'args' is NULL, needed are bindings");
    if (grads && !plan->shape.is_backward)
        return status_set(PRNN_E_INVALID, "the plan was made without 'backward'");
    if (!plan->cuda && stream)
        return status_set(PRNN_E_INVALID, "'stream' is not NULL, a CPU plan has no streams");
    prnn_plan *made;
    if ((st = check_not_carried(plan, args)) < 0 || (st = plan_copy_shape(&made, plan)) < 0)
        return st;
    st = plan->cuda ? tune_on_device(made, &run) : plan_create_cpu(made);
    return plan_made(out, made, st);
}
