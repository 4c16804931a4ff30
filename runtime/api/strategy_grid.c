#include "strategy_grid.h"

#include "cost.h"

#include <math.h>

enum { WARPS_LEAST = 3, THREADS_FEWEST = 64, THREADS_MOST = 1024, WIDTH_OF_CLUSTERS = 16384 };

static uint32_t shared_most(const struct cuda_properties *device)
{
    return device->shared_optin > 0 ? (uint32_t)device->shared_optin : 48u << 10;
}

struct grid {
    const struct model_problem *problem;
    void (*visit)(void *context, const struct strategy *strategy);
    void *context;
    uint32_t element_bytes, shared_most;
};

static void offer(const struct grid *grid, const struct strategy *s)
{
    const struct model_problem *p = grid->problem;
    struct assemble_options options = p->options;
    const uint32_t threads = s->lanes * s->tile_chunks, width = s->lanes * s->vc;
    options.strategy = *s;
    if (threads % 32 || threads > THREADS_MOST ||
        (threads < THREADS_FEWEST && !strategy_is_sequential(s)))
        return;
    if (width * grid->element_bytes % 16 || (width > 32 && width > 2 * p->channels))
        return;
    /* More steps than the sequence has are for nothing. */
    if (!strategy_is_sequential(s) &&
        (int64_t)s->tile_chunks * s->chunk * s->cluster > 2 * p->seq_len)
        return;
    if (assemble_shared_bytes(p->unit->ir, &options) <= grid->shared_most)
        grid->visit(grid->context, s);
}

static void offer_sequential(const struct grid *grid)
{
    const struct model_problem *p = grid->problem;
    const double width = (double)p->batch * (double)p->channels;
    /* Two channels a thread are for devices that stay full with half the threads: with fewer they
     * were up to 50 % slower. */
    const uint32_t vc_most = width >= 64.0 * WARPS_LEAST * p->device->multiprocessors ? 2 : 1;
    static const uint32_t chunks[] = {8, 16, 4, 32}, stages[] = {4, 6, 3, 2},
                          lanes[] = {32, 64, 128};
    for (size_t l = 0; l < 3; l++)
        for (size_t s = 0; s < 4; s++)
            for (size_t r = 0; r < 4; r++)
                for (uint32_t vc = 1; vc <= vc_most; vc++)
                    offer(grid, &(struct strategy){.tile_chunks = 1,
                                                   .chunk = chunks[s],
                                                   .lanes = lanes[l],
                                                   .vc = vc,
                                                   .stages = stages[r],
                                                   .cluster = 1});
}

/* The backward pass keeps values of every step of a chunk in registers, and has a copy of the step
 * for each. */
static uint32_t chunk_most(const struct model_problem *problem)
{
    const struct ir *ir = problem->unit->ir;
    if (problem->options.kernel != ASSEMBLE_BACKWARD)
        return 64;
    uint32_t most = ir->states > 1 ? 8 : 16;
    while (most > 1 && most > cost_copies_most(ir))
        most /= 2;
    return most;
}

static void offer_parallel(const struct grid *grid)
{
    const struct model_problem *p = grid->problem;
    const double width = (double)p->batch * (double)p->channels;
    const double threads_sm = p->device->threads_sm > 0 ? p->device->threads_sm : 2048;
    const double capacity = threads_sm * p->device->multiprocessors;
    const uint32_t least = p->options.kernel == ASSEMBLE_BACKWARD ? 2 : 4, most = chunk_most(p);
    /* Sizes that leave little of a group of multiprocessors unused: see rounds_of_clusters(). */
    static const uint32_t clusters[] = {1, 2, 3, 4, 6, 7}, chunks[] = {2, 4, 8, 16, 24, 32, 48, 64};
    const uint32_t c_most = p->device->has_clusters ? 7 : 1,
                   w_most = p->device->has_clusters ? 16 : 64;
    for (uint32_t w = 2; w <= 128; w *= 2)
        for (size_t at = 0; at < sizeof clusters / sizeof *clusters; at++) {
            const uint32_t c = clusters[at];
            if (c > c_most)
                continue;
            const double fill = width * w * c / capacity;
            /* A device that is nearly empty wants more chunks, where the sequence and the grid have
             * them. */
            const bool has_more = (int64_t)w * c * 16 <= p->seq_len && (w < w_most || c < c_most);
            if (fill > 4 || (fill < 0.06 && has_more) || (c > 1 && width > WIDTH_OF_CLUSTERS))
                continue;
            for (size_t s = 0; s < sizeof chunks / sizeof *chunks; s++)
                for (uint32_t l = 4; l <= 64 && chunks[s] >= least && chunks[s] <= most; l *= 2)
                    for (uint32_t vc = 1; vc <= 2; vc++)
                        for (uint32_t r = 2; r <= 4; r++)
                            offer(grid, &(struct strategy){.tile_chunks = w,
                                                           .chunk = chunks[s],
                                                           .lanes = l,
                                                           .vc = vc,
                                                           .stages = r,
                                                           .cluster = c});
        }
}

/* Without a ring chunks may have any length; pairs of channels need aligned rows. */
static void offer_direct(const struct grid *grid)
{
    const struct model_problem *p = grid->problem;
    static const uint32_t clusters[] = {1, 2, 3, 4, 6},
                          chunks[] = {64, 128, 176, 256, 344, 512, 688};
    const bool has_pairs = (uint64_t)p->channels * grid->element_bytes % 16 == 0;
    for (uint32_t w = 4; w <= 64; w *= 2)
        for (size_t at = 0; at < sizeof clusters / sizeof *clusters; at++)
            for (size_t s = 0; s < sizeof chunks / sizeof *chunks; s++)
                for (uint32_t l = 8; l <= 32; l *= 2)
                    for (uint32_t vc = 1; vc <= (has_pairs ? 2 : 1); vc++)
                        if (clusters[at] == 1 || p->device->has_clusters)
                            offer(grid, &(struct strategy){.tile_chunks = w,
                                                           .chunk = chunks[s],
                                                           .lanes = l,
                                                           .vc = vc,
                                                           .stages = 0,
                                                           .cluster = clusters[at]});
}

/* The backward pass in long chunks, of a cell that forgets; in double nothing is guessed. Lengths
 * of chunks for clusters that leave little of a group of multiprocessors unused; of 7 were slower
 * than of 6 where both were measured. */
static void offer_long(const struct grid *grid)
{
    const struct model_problem *p = grid->problem;
    static const uint32_t clusters[] = {1, 2, 3, 4, 6},
                          chunks[] = {64, 96, 128, 176, 256, 344, 512, 688, 1024};
    for (uint32_t w = 4; w <= 32; w *= 2)
        for (size_t at = 0; at < sizeof clusters / sizeof *clusters; at++)
            for (size_t s = 0; s < sizeof chunks / sizeof *chunks; s++)
                for (uint32_t l = 8; l <= 32; l *= 2)
                    for (uint32_t vc = 1; vc <= 2; vc++)
                        for (uint32_t r = 2; r <= 4; r++)
                            if (clusters[at] == 1 || p->device->has_clusters)
                                offer(grid, &(struct strategy){.tile_chunks = w,
                                                               .chunk = chunks[s],
                                                               .lanes = l,
                                                               .vc = vc,
                                                               .stages = r,
                                                               .cluster = clusters[at]});
}

void strategy_grid(const struct model_problem *problem,
                   void (*visit)(void *context, const struct strategy *strategy), void *context)
{
    const struct grid grid = {.problem = problem,
                              .visit = visit,
                              .context = context,
                              .element_bytes = assemble_element_bytes(problem->options.storage),
                              .shared_most = shared_most(problem->device)};
    offer_sequential(&grid);
    if (problem->unit->ir->states <= STRATEGY_STATES_MAX)
        offer_parallel(&grid);
    if (problem->unit->ir->states <= STRATEGY_STATES_MAX &&
        problem->options.kernel == ASSEMBLE_FORWARD)
        offer_direct(&grid);
    if (problem->unit->ir->states <= STRATEGY_STATES_MAX &&
        problem->options.kernel == ASSEMBLE_BACKWARD && problem->options.storage != ASSEMBLE_F64 &&
        problem->settle->is_trusted)
        offer_long(&grid);
}

/* Of the inputs those that are one for all channels, and the others. */
static uint32_t input_rows(const struct ir *ir, bool are_shared)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < ir->decl_count; i++)
        if (ir->decls[i].role == IR_ROLE_INPUT && ir->decls[i].is_shared == are_shared)
            rows += ir->decls[i].count;
    return rows;
}

/* The rules for running in order: what was within 5 % of the fastest of 18, for a GRU and an LSTM
 * in f32 and bf16 on an H100 and an H200 (bench/results/2026-11-25-h100-in-order.csv, -tune-3.csv,
 * 2026-11-28-h200-in-order.csv, -direct.csv, 2026-11-29-h200-in-order.csv; of fewer inputs
 * 2026-11-28-h200-few-rows.csv). Where few warps are there, steps count: long tiles. Where many
 * are, rows do: what a thread block asks for at once is to be some KiB, also of two channels a
 * thread, and more of faster memory. */
struct in_order {
    bool is_backward, is_wide; /* elements of 32 bits and more */
    bool is_fast;              /* memory of an H200, not of an H100 */
    int64_t seq_len;
    double warps; /* of a multiprocessor */
};

/* Where memory takes longer than the steps, a small ring, which fills sooner, was 3 % faster (lru,
 * hgrn, backward, on an H200); long tiles were up to 19 % faster where it was not so clear. */
static bool memory_bounds(const struct strategy *s, const struct model_problem *problem)
{
    struct prediction prediction;
    model_predict(&prediction, problem, s);
    return prediction.latency < 0.87 * prediction.memory;
}

/* 3 to 6 warps. */
static void some_warps(struct strategy *s, const struct in_order *p)
{
    if (p->is_backward) {
        s->chunk = p->is_fast && !p->is_wide ? 16 : 8;
        s->stages = p->is_fast || p->is_wide ? 3 : 4;
    } else if (p->is_fast && p->seq_len >= (p->is_wide ? 512 : 128)) {
        s->lanes = 32;
        s->chunk = 32;
    } else if (!p->is_fast && p->is_wide && p->seq_len < 128) {
        s->chunk = 8;
    } else {
        s->chunk = 16;
        s->stages = 3;
    }
}

static void many_warps(struct strategy *s, const struct in_order *p, const struct ir *ir)
{
    const bool is_full = p->warps >= 12;
    const uint32_t rows = input_rows(ir, false);
    s->vc = 2;
    if (p->is_backward) {
        const bool is_tall = p->is_fast && !p->is_wide && !is_full;
        s->chunk = is_tall ? 8 : 4;
        s->stages = is_tall ? 3 : 4;
        return;
    }
    if (p->is_wide) {
        s->chunk = p->is_fast ? 8 : 4;
        s->stages = p->is_fast ? 3 : 4;
    } else {
        s->chunk = !p->is_fast ? 8 : is_full ? 16 : 32;
        s->stages = p->is_fast ? 2 : 4;
    }
    /* One row of a thread block is too short, whatever its stages: more thread blocks; measured for
     * cfc, too, whose shared input comes beside the ring. Two rows want another stage. */
    if (p->is_wide && (rows < 2 || input_rows(ir, true) > 0)) {
        s->vc = 1;
        s->chunk = 16;
        s->stages = 3;
    } else if (p->is_fast && rows <= 2) {
        s->stages++;
    }
}

static struct strategy measured_in_order(const struct model_problem *problem, double warps)
{
    const struct in_order p = {
        .is_backward = problem->options.kernel == ASSEMBLE_BACKWARD,
        .is_wide = assemble_element_bytes(problem->options.storage) >= 4,
        .is_fast = cuda_nominal_bandwidth(problem->device) > 4e12,
        .seq_len = problem->seq_len,
        .warps = warps,
    };
    struct strategy s = {.lanes = 64, .vc = 1, .tile_chunks = 1, .stages = 4, .cluster = 1};
    if (warps < 3) {
        s.lanes = p.is_backward && p.is_wide ? 64 : 32;
        s.chunk = 16;
        s.stages = 3;
        if (!(p.is_backward && p.is_wide && p.is_fast && memory_bounds(&s, problem))) {
            s.chunk = 32;
            s.stages = 4;
        }
    } else if (warps < 6) {
        some_warps(&s, &p);
    } else {
        many_warps(&s, &p, problem->unit->ir);
    }
    return s;
}

/* Whether two channels of the backward pass take more registers than a thread has: their states,
 * lambda and what adds up of the parameters. */
static bool pairs_spill(const struct model_problem *problem)
{
    enum { REGISTERS_MOST = 255, OTHERS = 48, OF_STATE = 16, OF_PARAM = 2 };
    const struct ir *ir = problem->unit->ir;
    return problem->options.kernel == ASSEMBLE_BACKWARD &&
           OTHERS + 2 * (OF_STATE * ir->states + OF_PARAM * ir->params) > REGISTERS_MOST;
}

/* One channel a thread, and no more of the ring than lets in as many thread blocks as there are, or
 * registers for: such a cell has many rows. */
static void fit_large(struct assemble_options *options, const struct unit *unit, double warps,
                      uint32_t most)
{
    struct strategy *s = &options->strategy;
    s->vc = 1;
    const uint32_t registers = assemble_tile(unit->ir, &unit->structure, options).registers;
    const double blocks =
        fmin(ceil(32 * warps / s->lanes), floor(65536.0 / (registers * s->lanes)));
    while (s->chunk > 2 && assemble_shared_bytes(unit->ir, options) * blocks > most) {
        if (s->stages > 2)
            s->stages--;
        else
            s->chunk /= 2;
    }
}

void strategy_in_order(struct strategy *out, const struct model_problem *problem)
{
    const double width = (double)problem->batch * (double)problem->channels;
    const double warps = width / 32 / fmax(problem->device->multiprocessors, 1);
    const uint32_t most = shared_most(problem->device);
    struct assemble_options options = problem->options;
    struct strategy s = measured_in_order(problem, warps);
    while (s.lanes * s.vc > 32 && s.lanes * s.vc > 2 * problem->channels) {
        s.lanes = s.vc > 1 ? s.lanes : s.lanes / 2;
        s.vc = 1;
    }
    options.strategy = s;
    if (pairs_spill(problem)) {
        fit_large(&options, problem->unit, warps, most);
        s = options.strategy;
    }
    /* Long tiles only where all thread blocks of a multiprocessor still fit side by side. */
    const double blocks = ceil(32 * warps / (s.lanes * s.vc));
    if (s.chunk > 16 && assemble_shared_bytes(problem->unit->ir, &options) * blocks > most)
        s.chunk = 16;
    for (options.strategy = s; assemble_shared_bytes(problem->unit->ir, &options) > most;
         options.strategy = s) {
        if (s.stages > 2)
            s.stages--;
        else if (s.chunk > 1)
            s.chunk /= 2;
        else if (s.vc > 1)
            s.vc = 1;
        else if (s.lanes > 32)
            s.lanes /= 2;
        else
            break; /* nothing fits: the kernel refuses it with its words */
    }
    *out = s;
}

/* Bytes of a thread block in a row of a tensor. */
static uint32_t row_bytes(const struct strategy *s, const struct model_problem *problem)
{
    return s->lanes * s->vc * assemble_element_bytes(problem->options.storage);
}

/* Long chunks of the backward pass, which take what registers there are: two channels a thread only
 * of cells of up to two states. In f32 two stages were up to a fifth faster than three, and where
 * 8192 recurrences are there, of up to two states, tiles of two chunks were faster still. */
static bool long_is_known(const struct strategy *s, const struct model_problem *problem)
{
    const bool is_narrow = assemble_element_bytes(problem->options.storage) < 4;
    const bool is_small = problem->unit->ir->states <= 2;
    if (!is_narrow && is_small && problem->batch * problem->channels >= 8192)
        return false;
    return s->tile_chunks >= 8 && s->lanes >= 16 &&
           s->lanes * s->tile_chunks <= (is_narrow ? 512 : 256) &&
           s->stages <= (is_narrow ? 3 : 2) && (s->vc == 1 || is_small) &&
           row_bytes(s, problem) >= 32;
}

/* Without a ring; 8 chunks are enough in f32 where every thread block is alone, or of 64 channels.
 * In clusters pairs of channels were up to a fifth faster than single ones, and short rows slower
 * than is predicted. Affine cells that do not forget took 2.4 to 5 times the prediction. */
static bool direct_is_known(const struct strategy *s, const struct model_problem *problem)
{
    const bool is_narrow = assemble_element_bytes(problem->options.storage) < 4;
    const uint32_t least = is_narrow || (s->cluster > 1 && s->lanes * s->vc < 64) ? 16 : 8;
    if (problem->unit->structure.is_affine && !problem->settle->is_trusted)
        return false;
    if (s->cluster > 1 && s->lanes == 32 && s->vc == 1)
        return false;
    if (s->cluster > 2 && s->lanes < 32 && s->tile_chunks < 32)
        return false;
    return s->tile_chunks >= least && s->tile_chunks <= 32 && s->lanes * s->tile_chunks <= 512 &&
           row_bytes(s, problem) >= 32;
}

bool strategy_is_known(const struct strategy *strategy, const struct model_problem *problem)
{
    enum { RECURRENCES_OF_CLUSTERS = 512 };
    const bool is_backward = problem->options.kernel == ASSEMBLE_BACKWARD;
    const bool is_narrow = assemble_element_bytes(problem->options.storage) < 4;
    struct assemble_options options = problem->options;
    options.strategy = *strategy;
    if (assemble_is_long(&options))
        return long_is_known(strategy, problem);
    if (strategy->stages == 0)
        return direct_is_known(strategy, problem);
    /* Backward in f32: two or four chunks of 64 channels, four or eight of 32, and where four fill
     * a multiprocessor two stages, a tenth faster than three (bench/results/
     * 2026-11-29-h200-backward.csv). */
    const bool is_wide = is_backward && !is_narrow && strategy->lanes >= 32;
    const uint32_t chunks = strategy->tile_chunks, least = is_wide && strategy->lanes == 64 ? 2 : 4;
    if (chunks < least || (is_wide && chunks > 2 * least) ||
        (is_wide && chunks == 4 && strategy->lanes == 64 && strategy->chunk == 8 &&
         strategy->stages > 2))
        return false;
    /* Forward, of cells that take many corrections: the more chunks the better. */
    const bool is_hard =
        !is_backward && !problem->unit->structure.is_affine && !problem->settle->is_trusted;
    if (strategy_is_sequential(strategy) || strategy->vc > 1 || strategy->stages > 3 ||
        strategy->lanes < (is_hard && chunks == 64 ? 4 : 8) ||
        (is_backward && strategy->chunk > (is_narrow ? 16 : 8)))
        return false;
    if (strategy->cluster == 1)
        return strategy->lanes <= 64 && chunks <= 64;
    const bool has_six = is_narrow && strategy->cluster == 6;
    return strategy->lanes <= (has_six ? 16 : 8) && chunks <= (has_six && is_backward ? 32 : 16) &&
           (double)problem->batch * (double)problem->channels <= RECURRENCES_OF_CLUSTERS;
}
