#include "profile.h"

#include "cpu_parallel.h"
#include "handles.h"
#include "status.h"
#include "strategy_grid.h"

#include <stdlib.h>
#include <string.h>

/* Share of the time of running in order that a strategy for parallel solving may be predicted to
 * take. Where it takes many corrections, their number depends on the inputs, and may well be half
 * as many again. Tiles of few chunks that took two and more took 1.4 to 2.4 times what was
 * predicted (brc, ctrnn, indrnn_relu, lrc on an H200), with one up to 1.4 times (hgrn, rglru). */
static double clear_win(const struct strategy *strategy, double corrections,
                        const struct model_problem *problem)
{
    enum { FEW_CHUNKS = 8 };
    /* One scan is all, whatever the inputs, and where 0.95 to 1 was predicted 0.87 to 0.98 were
     * measured (nine cells on an H200). */
    if (problem->options.kernel == ASSEMBLE_BACKWARD && !strategy_guesses(strategy, problem))
        return 1;
    if (strategy->tile_chunks * strategy->cluster <= FEW_CHUNKS && corrections >= 1)
        return corrections >= 2 ? 0.45 : 0.7;
    if (corrections > 1)
        return corrections > 3 ? 0.7 : 0.75;
    /* Without a ring, where registers are short, it was up to 1.23 times (slstm_r0); and running in
     * order took 0.8 of what was predicted of a cell that takes long to forget (cfc). */
    return strategy->stages == 0 &&
                   (strategy->guess > 0 || model_direct_tightness(problem, strategy) > 1)
               ? 0.85
               : 0.9;
}

struct search {
    struct profile *profile;
    const struct unit *unit;
    enum settle_rounding rounding;
    bool is_known; /* 'settle' came from the cache */
    struct settle_trial *trial;
};

static void run_part(void *context, int64_t part, int worker)
{
    const struct search *search = context;
    (void)worker;
    settle_run(&search->profile->settle, search->trial, (int)part);
}

static void try_to_settle(struct search *search, struct arena *arena)
{
    const int processors = cpu_parallel_default();
    const int threads = processors < SETTLE_PARTS ? processors : SETTLE_PARTS;
    search->trial =
        settle_begin(search->unit->ir, &search->unit->structure, search->rounding, arena);
    cpu_parallel_prepare(threads);
    cpu_parallel(threads, SETTLE_PARTS, run_part, search);
    settle_end(&search->profile->settle, search->trial);
}

static void find(struct arena *arena, void *context)
{
    struct search *search = context;
    work_find(&search->profile->work, search->unit->ir, arena);
    /* Larger blocks run in order. */
    if (search->unit->ir->states > STRATEGY_STATES_MAX)
        search->profile->settle = (struct settle){0};
    else if (!search->is_known)
        try_to_settle(search, arena);
}

/* The key of a cell: a digest of its emitted half, in which no name of the user stands. */
static prnn_status key_of(struct cache_key *out, const struct unit *unit,
                          enum settle_rounding rounding)
{
    const struct assemble_options options = {
        .kernel = ASSEMBLE_DECODE,
        .target = ASSEMBLE_CUDA,
        .strategy = {
            .lanes = 32, .vc = 1, .tile_chunks = 1, .chunk = 1, .stages = 2, .cluster = 1}};
    struct pipeline_text text;
    if (pipeline_assemble(&text, unit, &options) != PIPELINE_OK || text.refusal)
        return status_set(PRNN_E_NOMEM, "no memory for a kernel text");
    const uint64_t half = text.assembled.half_hash;
    pipeline_text_free(&text);
    const struct cache_part parts[] = {{"kind", "settle 10", 9},
                                       {"cell", &half, sizeof half},
                                       {"rounding", &rounding, sizeof rounding}};
    *out = cache_key_make(parts, sizeof parts / sizeof *parts);
    return PRNN_OK;
}

prnn_status profile_find(struct profile *out, const struct unit *unit,
                         enum settle_rounding rounding, struct cache *cache)
{
    struct search search = {.profile = out, .unit = unit, .rounding = rounding};
    struct cache_key key;
    void *data;
    size_t size;
    const prnn_status st = key_of(&key, unit, rounding);
    if (st < 0)
        return st;
    if (cache_get(cache, &key, &data, &size)) {
        search.is_known = size == sizeof out->settle;
        if (search.is_known)
            memcpy(&out->settle, data, size);
        free(data);
    }
    if (pipeline_guard(NULL, find, &search) != PIPELINE_OK)
        return status_set(PRNN_E_NOMEM, "no memory for the profile of cell '%s'", unit->ir->name);
    if (!search.is_known)
        cache_put(cache, &key, "profile", &out->settle, sizeof out->settle);
    return PRNN_OK;
}

struct model_problem profile_problem(const struct profile *profile, const struct unit *unit,
                                     const struct cuda_properties *device,
                                     const struct backend_shape *shape,
                                     const struct assemble_options *options)
{
    return (struct model_problem){.unit = unit,
                                  .options = *options,
                                  .batch = shape->batch,
                                  .seq_len = shape->seq_len,
                                  .channels = shape->channels,
                                  .device = device,
                                  .work = &profile->work,
                                  .settle = &profile->settle};
}

struct model_problem profile_problem_on(struct cuda_device *device, struct cache *cache,
                                        const struct profile *profile, const struct unit *unit,
                                        const struct backend_shape *shape,
                                        const struct assemble_options *options)
{
    enum { RECURRENCES_MOST = 4096 };
    struct model_problem problem =
        profile_problem(profile, unit, cuda_device_properties(device), shape, options);
    if ((double)shape->batch * (double)shape->channels <= RECURRENCES_MOST)
        problem.clusters = cuda_clusters_ask(device, cache);
    return problem;
}

/* The best that solves in parallel. */
struct best {
    const struct model_problem *problem;
    bool is_sure; /* only what does not guess */
    struct strategy strategy;
    struct prediction prediction;
    double seconds; /* as compared */
    bool is_found;
};

/* What guesses is fast where the cell forgets. A cell that has learnt remembers longer than one
 * with random parameters: two layers of six cells took 2 to 2.7 times as long in backward passes
 * that guessed as in short chunks, which do not depend on it, and affine cells 2.5 to 5 times
 * forward (decision 0014). So guessing has to be predicted faster by about the root of that; in 16
 * bits, where what does not guess loses more and guesses fail less often, by less. */
#define RISK_OF_GUESS 1.5
#define RISK_OF_GUESS_NARROW 1.08

/* Where there are kernels that do not guess and take less than twice as long: backward, and of
 * affine cells. */
static double risk_of_guess(const struct model_problem *problem, const struct strategy *strategy)
{
    const bool is_avoidable =
        problem->options.kernel == ASSEMBLE_BACKWARD || problem->unit->structure.is_affine;
    if (!is_avoidable || !strategy_guesses(strategy, problem))
        return 1;
    return assemble_element_bytes(problem->options.storage) < 4 ? RISK_OF_GUESS_NARROW
                                                                : RISK_OF_GUESS;
}

/* Forward, with a ring, cells that take longer than most to forget also take more corrections than
 * are tried: brc, cfc, ctrnn, indrnn_relu 1.2 to 1.5 times the prediction, titans_lite 1.8, lrc 2.
 * Measured for 8192 recurrences. */
static bool is_slow_to_settle(const struct model_problem *problem, const struct strategy *strategy)
{
    const enum settle_rounding rounding = assemble_rounding(problem->options.storage);
    const int64_t recurrences = problem->batch * problem->channels;
    return strategy->stages > 0 && !strategy_is_sequential(strategy) &&
           !problem->unit->structure.is_affine && recurrences > 4096 && recurrences <= 8192 &&
           problem->settle->guess > settle_trusted_steps(rounding, 0).all;
}

/* How many times too fast kernels were predicted, against each other. Backward: long chunks where a
 * step reads and writes many values up to 1.25 times (slstm_r0, titans_lite, minlstm), of few
 * values not, but for clusters of 4 a tenth; of 16 channels in pairs of thread blocks 1.4 times
 * (slstm, slstm_r0, elman_heads). Short chunks in clusters of 7 up to 1.2 times against those of 6;
 * 32 of them alone on a multiprocessor, of cells of many states, were 1.35 times too slow (slstm,
 * elman_heads). */
static double misprediction(const struct model_problem *problem, const struct strategy *strategy)
{
    enum { VALUES_FEW = 6, STATES_FEW = 2 };
    const struct cost *cost = &problem->unit->backward;
    if (problem->options.kernel != ASSEMBLE_BACKWARD)
        return is_slow_to_settle(problem, strategy) ? 1.4 : 1;
    if (strategy_guesses(strategy, problem)) {
        if (strategy->lanes == 16 && strategy->cluster == 2)
            return 1.4;
        if (cost->values_read + cost->values_written > VALUES_FEW)
            return 1.15;
        return strategy->cluster == 4 ? 1.1 : 1;
    }
    const bool is_alone = problem->batch * problem->channels <=
                          (int64_t)strategy->lanes * problem->device->multiprocessors;
    if (problem->unit->ir->states > STATES_FEW && strategy->tile_chunks == 32 && is_alone &&
        strategy->cluster == 1)
        return 0.75;
    return strategy->cluster == 7 ? 1.2 : 1;
}

static void look(void *context, const struct strategy *strategy)
{
    struct best *best = context;
    struct prediction prediction;
    if (!strategy_is_known(strategy, best->problem))
        return;
    model_predict(&prediction, best->problem, strategy);
    const double seconds = risk_of_guess(best->problem, strategy) *
                           misprediction(best->problem, strategy) * prediction.seconds;
    if (best->is_found && !(seconds < best->seconds))
        return;
    if (best->is_sure && strategy_guesses(strategy, best->problem))
        return;
    best->strategy = *strategy;
    best->prediction = prediction;
    best->seconds = seconds;
    best->is_found = true;
}

/* Whether there is one that wins against running in order, which takes so many seconds. */
static bool find_best(struct best *best, double in_order)
{
    strategy_grid(best->problem, look, best);
    return best->is_found &&
           best->prediction.seconds <
               clear_win(&best->strategy, best->prediction.corrections, best->problem) * in_order;
}

/* Backward in f32, of one state, where the device is full: eight short chunks of pairs of channels
 * took 0.97 to 1.003 of the time of the best in order, as long as arithmetic hides behind memory
 * (14 cells, bench/results/2026-11-30-h200-chosen-9.csv; lrc, of which it does not, 1.04). They
 * are predicted 1.1 times too slow, so it is a rule, and the time of running in order says more. */
static bool channel_pairs_are_faster(const struct strategy *pairs,
                                     const struct model_problem *problem)
{
    enum { RECURRENCES_LEAST = 32768, STEPS_LEAST = 128 };
    static const double issue_most = 0.9;
    struct assemble_options options = problem->options;
    struct prediction prediction;
    options.strategy = *pairs;
    if (options.kernel != ASSEMBLE_BACKWARD || options.storage != ASSEMBLE_F32 ||
        problem->unit->ir->states != 1 || problem->seq_len < STEPS_LEAST ||
        problem->batch * problem->channels < RECURRENCES_LEAST ||
        problem->channels < pairs->lanes * pairs->vc ||
        assemble_shared_bytes(problem->unit->ir, &options) > strategy_shared_most(problem->device))
        return false;
    model_predict(&prediction, problem, pairs);
    return prediction.issue <= issue_most * prediction.memory;
}

void strategy_choose(struct strategy *out, struct prediction *prediction,
                     const struct model_problem *problem)
{
    static const struct strategy pairs = {
        .lanes = 32, .vc = 2, .tile_chunks = 8, .chunk = 8, .stages = 2, .cluster = 1};
    struct best best = {.problem = problem}, sure = {.problem = problem, .is_sure = true};
    strategy_in_order(out, problem);
    model_predict(prediction, problem, out);
    const double in_order = prediction->seconds;
    if (channel_pairs_are_faster(&pairs, problem)) {
        *out = pairs;
        return;
    }
    if (!find_best(&best, in_order)) {
        if (problem->options.kernel != ASSEMBLE_BACKWARD || !find_best(&sure, in_order))
            return;
        best = sure;
    }
    *out = best.strategy;
    *prediction = best.prediction;
}

void strategy_choose_scan(struct strategy *out, const struct backend_shape *shape)
{
    /* What was fastest for the backward pass on an H200. Jacobians and right-hand sides of a chunk
     * stay in registers. */
    const double width = (double)shape->batch * (double)shape->channels;
    const uint32_t states = shape->counts.states;
    *out = (struct strategy){.lanes = 32, .vc = 1, .tile_chunks = 8, .stages = 2, .cluster = 1};
    if (width < 3072)
        *out = (struct strategy){
            .lanes = 8, .vc = 1, .tile_chunks = width < 640 ? 16 : 32, .stages = 2, .cluster = 1};
    out->chunk = states == 1 ? 8 : states == 2 ? 4 : 2;
    /* Short sequences fill no wide tile. */
    while (out->tile_chunks > 1 && (int64_t)out->tile_chunks * out->chunk > 2 * shape->seq_len) {
        if (out->lanes < 32)
            out->lanes *= 2;
        out->tile_chunks /= 2;
    }
}
