#include "strategy_grid.h"

#include "cost.h"

#include <math.h>

enum { WARPS_LEAST = 3, THREADS_FEWEST = 64, THREADS_MOST = 1024, WIDTH_OF_CLUSTERS = 16384 };

uint32_t strategy_shared_most(const struct cuda_properties *device)
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

/* The steps of a guess, where the cell takes longer to forget than most do; else 0. */
static uint32_t longer_guess(const struct model_problem *problem)
{
    const uint32_t wanted = problem->settle->guess;
    const uint32_t usual = settle_trusted_steps(assemble_rounding(problem->options.storage), 0).all;
    return wanted > usual ? wanted : 0;
}

/* Without a ring chunks may have any length; pairs of channels need aligned rows. */
static void offer_direct(const struct grid *grid)
{
    const struct model_problem *p = grid->problem;
    const uint32_t guess = longer_guess(p);
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
                                                           .cluster = clusters[at],
                                                           .guess = guess});
}

/* The backward pass in long chunks, of a cell that forgets; in double nothing is guessed. Lengths
 * of chunks for clusters that leave little of a group of multiprocessors unused; of 7 were slower
 * than of 6 where both were measured. */
static void offer_long(const struct grid *grid)
{
    const struct model_problem *p = grid->problem;
    const uint32_t guess = longer_guess(p);
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
                                                               .cluster = clusters[at],
                                                               .guess = guess});
}

void strategy_grid(const struct model_problem *problem,
                   void (*visit)(void *context, const struct strategy *strategy), void *context)
{
    const struct grid grid = {.problem = problem,
                              .visit = visit,
                              .context = context,
                              .element_bytes = assemble_element_bytes(problem->options.storage),
                              .shared_most = strategy_shared_most(problem->device)};
    offer_sequential(&grid);
    if (problem->unit->ir->states <= STRATEGY_STATES_MAX)
        offer_parallel(&grid);
    if (problem->unit->ir->states <= STRATEGY_STATES_MAX &&
        problem->options.kernel == ASSEMBLE_FORWARD)
        offer_direct(&grid);
    if (problem->unit->ir->states <= STRATEGY_STATES_MAX &&
        problem->options.kernel == ASSEMBLE_BACKWARD && problem->options.storage != ASSEMBLE_F64 &&
        settle_is_trusted(problem->settle))
        offer_long(&grid);
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

/* Without a ring. Cells that want 1.5 times the registers of a thread of 16 warps spill them: 8
 * warps were up to 1.6 times as fast (elman_heads, gru_heads, slstm, titans_lite, paralstm,
 * indylstm in bf16 on an H200). Others of 16 bits have 16 chunks, in one thread block where
 * sequences are long. Else 8 chunks are enough in f32 where every thread block is alone, or of 64
 * channels. In clusters pairs of channels were up to a fifth faster than single ones, and short
 * rows slower than is predicted. Affine cells that do not forget took 2.4 to 5 times the
 * prediction. In one thread block gru_heads, with 52 parameters, takes as long as in order (f32),
 * or longer. */
static bool direct_is_known(const struct strategy *s, const struct model_problem *problem)
{
    enum { STEPS_OF_16 = 2048, PARAMS_MOST = 32 };
    static const double tight_most = 1.5;
    const struct strategy of_16_warps = {.lanes = 32, .vc = s->vc, .tile_chunks = 16};
    const double tight = model_direct_tightness(problem, &of_16_warps);
    const bool is_narrow = assemble_element_bytes(problem->options.storage) < 4;
    const bool is_alone = s->cluster == 1;
    const bool wants_16 =
        is_narrow && tight < tight_most && (!is_alone || problem->seq_len >= STEPS_OF_16);
    const bool wants_many = wants_16 || (s->cluster > 1 && s->lanes * s->vc < 64);
    if (is_alone && problem->unit->ir->params > PARAMS_MOST)
        return false;
    if (problem->unit->structure.is_affine && !settle_is_trusted(problem->settle))
        return false;
    if (s->cluster > 1 && s->lanes == 32 && s->vc == 1)
        return false;
    if (tight >= tight_most && s->lanes * s->tile_chunks > 256)
        return false;
    /* Of cells that want 1.3 times the registers of 16 warps 8 warps were up to 1.8 times as fast.
     */
    const bool wants_few = s->lanes == 16 && s->vc == 1 && tight >= 1.3;
    if (s->cluster > 2 && s->lanes < 32 && s->tile_chunks < 32 && !wants_few)
        return false;
    /* A guess is not from more steps than the chunk before has. */
    if (s->chunk < s->guess)
        return false;
    return s->tile_chunks >= (wants_many ? 16 : 8) && s->tile_chunks <= 32 &&
           s->lanes * s->tile_chunks <= 512 && row_bytes(s, problem) >= 32;
}

/* Backward, of fewer than 64 channels, where the device is full: more than 256 threads were up to
 * 15 % slower than 256 of them, and three stages that take more than 100 KiB than two. */
static bool is_too_much(const struct assemble_options *options, const struct model_problem *problem)
{
    enum { THREADS = 256, BYTES = 100 << 10 };
    const struct strategy *s = &options->strategy;
    return s->lanes * s->tile_chunks > THREADS ||
           (s->stages > 2 && assemble_shared_bytes(problem->unit->ir, options) > BYTES);
}

bool strategy_is_known(const struct strategy *strategy, const struct model_problem *problem)
{
    enum {
        RECURRENCES_OF_CLUSTERS = 512,
        RECURRENCES_OF_TWO_BLOCKS = 1024,
        STEPS_OF_TWO_BLOCKS = 8192,
        RECURRENCES_FILL = 1024
    };
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
        !is_backward && !problem->unit->structure.is_affine && !settle_is_trusted(problem->settle);
    /* Three stages of tiles of 512 steps and 64 channels took up to a quarter longer than two. */
    const bool is_huge = chunks * strategy->chunk >= 512 && strategy->lanes == 64;
    if (strategy_is_sequential(strategy) || strategy->vc > 1 ||
        strategy->stages > (is_huge ? 2 : 3) ||
        strategy->lanes < (is_hard && chunks == 64 ? 4 : 8) ||
        (is_backward && strategy->chunk > (is_narrow ? 16 : 8)))
        return false;
    if (is_backward && strategy->lanes < 64 && strategy->cluster == 1 &&
        problem->batch * problem->channels >= RECURRENCES_FILL && is_too_much(&options, problem))
        return false;
    if (strategy->cluster == 1)
        return strategy->lanes <= 64 && chunks <= 64;
    /* Affine cells that do not forget, in 16 bits: clusters of two, of 16 channels, took 0.64
     * (rglru) and 0.82 (lru) of the time of single thread blocks of 8, 1024 recurrences of 16384
     * steps. */
    if (strategy->cluster == 2 && strategy->lanes == 16 && !is_backward && is_narrow &&
        problem->unit->structure.is_affine)
        return chunks >= 16 && chunks <= 32 && strategy->chunk >= 32 &&
               problem->seq_len >= STEPS_OF_TWO_BLOCKS &&
               problem->batch * problem->channels <= RECURRENCES_OF_TWO_BLOCKS;
    const bool has_six = (is_narrow || is_backward) && strategy->cluster == 6;
    /* Backward, of 16 channels, fewer chunks than 32 were slower, but for cells of several states,
     * for which 32 of 4 steps were slower than 16 of 8; in f32 with two stages they were up to a
     * fifth faster than clusters of 7 with 8 channels. */
    const uint32_t fewest = problem->unit->ir->states > 1 ? 16 : 32;
    if (is_backward && strategy->lanes == 16 &&
        (chunks < fewest || strategy->chunk < 8 || strategy->stages > (is_narrow ? 3 : 2)))
        return false;
    return strategy->lanes <= (has_six ? 16 : 8) && chunks <= (has_six && is_backward ? 32 : 16) &&
           (double)problem->batch * (double)problem->channels <= RECURRENCES_OF_CLUSTERS;
}

bool strategy_guesses(const struct strategy *strategy, const struct model_problem *problem)
{
    struct assemble_options options = problem->options;
    options.strategy = *strategy;
    return strategy->stages == 0 || assemble_is_long(&options);
}
