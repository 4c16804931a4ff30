/* Texts and a strategy for a device. */
#include "handles.h"

#include "cuda_backend.h"
#include "kernel_text.h"
#include "number.h"
#include "profile.h"
#include "status.h"
#include "tuned.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static prnn_status assemble_kernel(struct pipeline_text *out, const struct unit *unit,
                                   const struct assemble_options *options)
{
    if (pipeline_assemble(out, unit, options) != PIPELINE_OK)
        return status_set(PRNN_E_NOMEM, "no memory for a kernel text");
    return PRNN_OK;
}

/* A strategy that the shape can hold: the next smaller one where shared memory would not do. */
static bool shrink(struct strategy *strategy)
{
    if (strategy->stages > 2)
        strategy->stages--;
    else if (strategy->chunk > 4)
        strategy->chunk /= 2;
    else if (strategy->cluster > 1)
        strategy->cluster = 1;
    else if (strategy->tile_chunks > 1 && strategy->lanes * strategy->tile_chunks >= 64)
        strategy->tile_chunks /= 2;
    else if (strategy->vc > 1)
        strategy->vc = 1;
    else
        return false;
    return true;
}

/* The kernel's text under a strategy; with 'may_shrink' a smaller one where it is refused. */
static prnn_status make_text(struct pipeline_text *out, struct assemble_options *options,
                             const struct unit *unit, bool may_shrink)
{
    for (;;) {
        const prnn_status st = assemble_kernel(out, unit, options);
        if (st < 0 || !out->refusal)
            return st;
        if (!may_shrink || out->assembled.fault != ASSEMBLE_STRATEGY ||
            !shrink(&options->strategy)) {
            const prnn_status refused = refusal_status(out, unit);
            pipeline_text_free(out);
            return refused;
        }
        pipeline_text_free(out);
    }
}

/* Who said which strategy a kernel has. */
enum chooser { CHOSEN_BY_MODEL, CHOSEN_BY_TUNING, CHOSEN_BY_CALLER, CHOSEN_BY_MEASURING };
static const char *const chooser_words[] = {"model", "tuned", "caller", "measured"};

struct used {
    struct strategy strategy;
    enum chooser chooser;
    double seconds; /* predicted, or measured; 0: neither */
    struct timing timing;
};

enum { EXPECTED_ROOM = 128 };

/* "0.0981 ms", or "-". */
static const char *milliseconds(char room[NUMBER_TEXT_ROOM], double seconds)
{
    if (!(seconds > 0) || !isfinite(seconds))
        return "-";
    number_print_short(room, 1e3 * seconds, 3);
    return room;
}

/* "0.0981 ms, model"; in 'room'. */
static const char *expected(char room[EXPECTED_ROOM], const struct used *used)
{
    char number[3][NUMBER_TEXT_ROOM];
    const struct timing *m = &used->timing;
    if (!(used->seconds > 0))
        return chooser_words[used->chooser];
    const int length =
        snprintf(room, EXPECTED_ROOM, "%s ms, %s", milliseconds(number[0], used->seconds),
                 chooser_words[used->chooser]);
    if (used->chooser == CHOSEN_BY_MEASURING)
        snprintf(room + length, EXPECTED_ROOM - (size_t)length, " (%s before, %s in order)",
                 milliseconds(number[1], m->before), milliseconds(number[2], m->in_order));
    return room;
}

static char *describe(const prnn_plan *plan, const struct used *forward,
                      const struct used *backward)
{
    char strategies[2][STRATEGY_TEXT_ROOM], rooms[2][EXPECTED_ROOM];
    strategy_print(strategies[0], &forward->strategy);
    strategy_print(strategies[1], &backward->strategy);
    return text_make("device: %s\nstrategy: %s\nbackward strategy: %s\n"
                     "expected: %s\nbackward expected: %s\nworkspace: %zu\n%s",
                     plan->ctx->device, strategies[0], strategies[1], expected(rooms[0], forward),
                     expected(rooms[1], backward), plan->workspace, cuda_plan_describe(plan->cuda));
}

/* What was measured for this kernel and class of shapes; 'text' is the kernel's under any strategy.
 * A strategy that is not understood, from a later version say, counts as none. */
static bool find_tuned(struct used *out, const prnn_plan *plan, const struct tuned *tuned,
                       const struct assemble_options *options, const struct pipeline_text *text)
{
    const struct cuda_properties *device = cuda_device_properties(plan->ctx->cuda);
    int32_t width, length;
    if (!tuned->count ||
        (options->kernel != ASSEMBLE_FORWARD && options->kernel != ASSEMBLE_BACKWARD))
        return false;
    const struct cache_key key = tuned_key(device, options, text->assembled.half_hash);
    tuned_class(&plan->shape, &width, &length);
    const struct tuned_entry *entry = tuned_find(tuned, &key, width, length);
    if (!entry || strategy_read(&out->strategy, entry->strategy) < 0 ||
        (out->strategy.cluster > 1 && !device->has_clusters))
        return false;
    out->chooser = CHOSEN_BY_TUNING;
    out->seconds = 1e-9 * (double)entry->nanoseconds;
    return true;
}

/* Replace a text by the one of a strategy that was measured. */
static prnn_status use_tuned(struct pipeline_text *text, struct used *used,
                             struct assemble_options *options, const prnn_plan *plan,
                             const struct unit *unit, const struct tuned *tuned)
{
    struct assemble_options wanted = *options;
    struct used found = *used;
    struct pipeline_text other;
    if (!find_tuned(&found, plan, tuned, options, text))
        return PRNN_OK;
    wanted.strategy = found.strategy;
    const prnn_status st = make_text(&other, &wanted, unit, false);
    if (st == PRNN_E_LIMIT)
        return PRNN_OK;
    if (st < 0)
        return st;
    pipeline_text_free(text);
    *text = other;
    *options = wanted;
    *used = found;
    return PRNN_OK;
}

/* The strategy of a kernel before it is known whether one was measured. */
static void choose(struct used *used, const prnn_plan *plan, const struct unit *unit,
                   const struct profile *profile, const struct assemble_options *options)
{
    struct prediction prediction = {0};
    used->chooser = CHOSEN_BY_MODEL;
    if (options->kernel == ASSEMBLE_SCAN)
        strategy_choose_scan(&used->strategy, &plan->shape);
    else if (options->kernel != ASSEMBLE_DECODE) {
        const struct model_problem problem = profile_problem_on(
            plan->ctx->cuda, plan->ctx->cache, profile, unit, &plan->shape, options);
        strategy_choose(&used->strategy, &prediction, &problem);
        used->seconds = prediction.seconds;
    }
}

static prnn_status create(prnn_plan *plan, const struct unit *unit,
                          const enum assemble_kernel kernels[CUDA_KERNEL_COUNT],
                          const bool wanted[CUDA_KERNEL_COUNT], const struct wish *wish,
                          bool is_tuned, const struct assemble_options *common)
{
    struct pipeline_text texts[CUDA_KERNEL_COUNT];
    struct backend_text backend[CUDA_KERNEL_COUNT];
    const struct backend_text *pointers[CUDA_KERNEL_COUNT] = {NULL};
    struct used used[CUDA_KERNEL_COUNT] = {{.chooser = CHOSEN_BY_MODEL}};
    struct tuned tuned = is_tuned ? tuned_load(plan->ctx->cache) : (struct tuned){0};
    struct profile profile;
    prnn_status st = PRNN_OK;
    memset(texts, 0, sizeof texts);
    if (!wish && unit)
        st = profile_find(&profile, unit, assemble_rounding(common->storage), plan->ctx->cache);
    for (int k = 0; k < CUDA_KERNEL_COUNT && st >= 0; k++) {
        struct assemble_options options = *common;
        if (!wanted[k])
            continue;
        options.kernel = kernels[k];
        options.target = ASSEMBLE_CUDA;
        if (wish) {
            if (k <= CUDA_BACKWARD)
                used[k].timing = wish->timing[k];
            used[k].seconds = used[k].timing.seconds;
            used[k].chooser = used[k].seconds > 0 ? CHOSEN_BY_MEASURING : CHOSEN_BY_CALLER;
            options.strategy = wish->strategy[k == CUDA_BACKWARD];
            if (!wish->is_pair)
                strategy_limit(&options.strategy, options.kernel);
        } else {
            choose(&used[k], plan, unit, &profile, &options);
            options.strategy = used[k].strategy;
        }
        if (!cuda_device_properties(plan->ctx->cuda)->has_clusters)
            options.strategy.cluster = 1;
        /* The backward pass holds more rows: a forced strategy is that of the forward solve. */
        st = make_text(&texts[k], &options, unit, !wish || (k == CUDA_BACKWARD && !wish->is_pair));
        used[k].strategy = options.strategy;
        if (st == PRNN_OK)
            st = use_tuned(&texts[k], &used[k], &options, plan, unit, &tuned);
        if (st < 0)
            break;
        backend[k] = kernel_text_of(&texts[k].assembled, options.strategy.cluster);
        pointers[k] = &backend[k];
    }
    tuned_free(&tuned);
    if (st >= 0)
        st = cuda_plan_create(&plan->cuda, plan->ctx->cuda, &plan->shape, pointers,
                              plan->ctx->cache);
    for (int k = 0; k < CUDA_KERNEL_COUNT; k++)
        pipeline_text_free(&texts[k]);
    if (st < 0)
        return st;
    plan->workspace = cuda_plan_workspace_size(plan->cuda);
    plan->strategy[0] = used[CUDA_FORWARD].strategy;
    plan->strategy[1] = used[CUDA_BACKWARD].strategy;
    plan->description =
        describe(plan, &used[wanted[CUDA_SCAN] ? CUDA_SCAN : CUDA_FORWARD], &used[CUDA_BACKWARD]);
    return st;
}

static const enum assemble_kernel cell_kernels[CUDA_KERNEL_COUNT] = {
    [CUDA_FORWARD] = ASSEMBLE_FORWARD,
    [CUDA_BACKWARD] = ASSEMBLE_BACKWARD,
    [CUDA_STEP] = ASSEMBLE_DECODE,
    [CUDA_SCAN] = ASSEMBLE_SCAN,
};

prnn_status plan_create_cuda(prnn_plan *plan, const struct wish *wish, bool is_tuned)
{
    const bool wanted[CUDA_KERNEL_COUNT] = {
        [CUDA_FORWARD] = true, [CUDA_BACKWARD] = plan->shape.is_backward, [CUDA_STEP] = true};
    struct assemble_options options;
    shape_options(plan, &options);
    return create(plan, plan->cell->unit, cell_kernels, wanted, wish, is_tuned, &options);
}

prnn_status plan_create_cuda_kernel(prnn_plan *plan, bool is_backward,
                                    const struct strategy *strategy)
{
    const bool wanted[CUDA_KERNEL_COUNT] = {
        [CUDA_FORWARD] = !is_backward, [CUDA_BACKWARD] = is_backward};
    const struct wish wish = {.strategy = {*strategy, *strategy}, .is_pair = true};
    struct assemble_options options;
    shape_options(plan, &options);
    return create(plan, plan->cell->unit, cell_kernels, wanted, &wish, false, &options);
}

prnn_status plan_create_scan_cuda(prnn_plan *plan, const prnn_scan_problem *problem)
{
    const bool wanted[CUDA_KERNEL_COUNT] = {[CUDA_SCAN] = true};
    const char *const text = problem->strategy;
    struct assemble_options options;
    struct wish wish;
    prnn_status st;
    shape_options(plan, &options);
    options.scan_block = problem->block;
    options.scan_is_diagonal = problem->is_diagonal;
    const bool is_wished = text && strcmp(text, "model") != 0;
    if (is_wished && (st = wish_read(&wish, text)) < 0)
        return st;
    return create(plan, NULL, cell_kernels, wanted, is_wished ? &wish : NULL, false, &options);
}
