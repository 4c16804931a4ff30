/* Rules for running in order, from measurements: a prediction is not good enough to tell strategies
 * apart that differ by some per cent. */
#include "strategy_grid.h"

#include <math.h>

/* What the rules look at. */
struct question {
    const struct model_problem *problem;
    bool is_wide;    /* elements of 32 bits and more */
    bool has_shared; /* inputs that are one for all channels */
    uint32_t rows;   /* inputs of a channel */
    uint32_t values; /* that a step reads and writes */
    double warps;    /* of a multiprocessor, with one channel a thread */
};

/* A tile of a thread block: channels across, steps, and how often it is in the ring. */
static struct strategy tile(uint32_t lanes, uint32_t vc, uint32_t chunk, uint32_t stages)
{
    return (struct strategy){
        .lanes = lanes, .vc = vc, .tile_chunks = 1, .chunk = chunk, .stages = stages, .cluster = 1};
}

/* The time of the chain of a step over that of its rows, as predicted. */
static double chain_over_rows(const struct question *q, const struct strategy *s)
{
    struct prediction prediction;
    model_predict(&prediction, q->problem, s);
    return prediction.memory > 0 ? prediction.latency / prediction.memory : 0;
}

/* ---- An H200: 24 cells in f32 and bf16, of 8192 to 65536 recurrences, T = 1024 and 2048
 * (bench/results/2026-11-29-h200-order.csv, -backward.csv); the GRU and the LSTM also of other
 * lengths (2026-11-28-h200-in-order.csv, 2026-11-29-h200-in-order.csv, -direct.csv). Where few
 * warps are there, steps count: long tiles. Where many are, rows do: what a thread block asks for
 * at once is to be some KiB, also of two channels a thread. Between them the chain of a step
 * decides. ---- */

static struct strategy h200_forward_wide(const struct question *q)
{
    const struct strategy few = tile(32, 1, 32, 4), some = tile(64, 1, 16, 3),
                          many = tile(64, 2, 8, 3), full = tile(64, 2, 16, 2);
    /* Rows of a single input are short, whatever their stages: more thread blocks. */
    const bool is_thin = q->rows < 2 || q->has_shared;
    if (q->warps < 3)
        return few;
    if (q->warps < 6) {
        if (q->problem->seq_len < 512)
            return some;
        if (chain_over_rows(q, &some) >= 1)
            return few;
        return q->values <= 3 ? tile(32, 1, 16, 4) : some;
    }
    if (q->warps < 12 && q->rows > 8)
        return tile(64, 1, 8, 4);
    if (q->rows > 4)
        return tile(64, 2, 4, 4);
    if (q->warps >= 12)
        return q->rows < 2 ? full : many;
    if (is_thin || q->rows > 3)
        return is_thin ? some : many;
    const double chain = chain_over_rows(q, &many);
    if (q->rows == 3)
        return chain > 0.78 ? full : many;
    return chain > 1 ? tile(32, 1, 32, 3) : chain > 0.78 ? some : tile(64, 2, 8, 4);
}

static struct strategy h200_forward_narrow(const struct question *q)
{
    const struct strategy few = tile(32, 1, 32, 4), full = tile(64, 2, 16, 2);
    const uint32_t stages = q->values <= 3 ? 3 : 2;
    if (q->warps < 3)
        return few;
    if (q->warps < 6)
        return q->problem->seq_len < 128   ? tile(64, 1, 16, 3)
               : q->problem->seq_len < 512 ? few
                                           : tile(64, 1, 32, 3);
    if (q->rows > 4)
        return full;
    if (q->warps < 12)
        /* Long tiles of many values fill late: 1 to 3 %, where their chain does not hide it. */
        return q->values >= 8 && chain_over_rows(q, &full) < 0.7 ? full : tile(64, 2, 32, stages);
    if (q->has_shared || chain_over_rows(q, &full) > 0.46)
        return tile(64, 2, 32, 2);
    return tile(64, 2, 16, stages);
}

static struct strategy h200_backward_wide(const struct question *q)
{
    const struct strategy some = tile(64, 1, 16, 3);
    if (q->warps < 3)
        /* Where memory takes longer than the steps, a small ring, which fills sooner, was 3 %
         * faster; long tiles were up to 19 % faster where it was not so clear. */
        return chain_over_rows(q, &some) < 0.87 ? some : tile(64, 1, 32, 4);
    if (q->warps < 6)
        return q->rows <= 2 ? some : tile(64, 1, 8, 3);
    if (q->warps < 12 && q->rows < 2)
        return tile(64, 1, 8, 3);
    return q->warps < 12 && q->rows == 2 ? tile(64, 2, 4, 4) : tile(64, 2, 8, 2);
}

static struct strategy h200_backward_narrow(const struct question *q)
{
    const struct strategy some = tile(64, 1, 16, 3), many = tile(64, 2, 8, 3);
    if (q->warps < 3)
        return tile(64, 1, 32, 4);
    if (q->warps < 6) {
        const bool is_slow =
            q->values <= 4 || q->has_shared || (q->values <= 8 && chain_over_rows(q, &some) > 1.1);
        return is_slow ? tile(32, 1, 32, 4) : some;
    }
    if (q->warps < 12) {
        const bool is_slow =
            q->values <= 6 || q->has_shared || (q->values <= 8 && chain_over_rows(q, &some) > 0.55);
        return is_slow ? some : q->rows > 3 ? tile(64, 2, 4, 4) : many;
    }
    if (q->values > 6)
        return tile(64, 2, 8, 2);
    return q->values <= 4 || chain_over_rows(q, &some) > 0.3 ? many : tile(64, 2, 4, 4);
}

/* ---- An H100: the GRU and the LSTM (2026-11-25-h100-in-order.csv, -tune-3.csv), fewer inputs as
 * on an H200 (2026-11-28-h200-few-rows.csv). Slower memory wants less under way. ---- */

static struct strategy h100_forward(const struct question *q)
{
    if (q->warps < 3)
        return tile(32, 1, 32, 4);
    if (q->warps < 6)
        return q->is_wide && q->problem->seq_len < 128 ? tile(64, 1, 8, 4) : tile(64, 1, 16, 3);
    if (!q->is_wide)
        return tile(64, 2, 8, 4);
    return q->rows < 2 || q->has_shared ? tile(64, 1, 16, 3) : tile(64, 2, 4, 4);
}

static struct strategy h100_backward(const struct question *q)
{
    if (q->warps < 3)
        return tile(q->is_wide ? 64 : 32, 1, 32, 4);
    return q->warps < 6 ? tile(64, 1, 8, q->is_wide ? 3 : 4) : tile(64, 2, 4, 4);
}

static struct strategy measured(const struct model_problem *problem, double warps)
{
    const struct unit *unit = problem->unit;
    const bool is_backward = problem->options.kernel == ASSEMBLE_BACKWARD;
    const struct cost *cost = is_backward ? &unit->backward : &unit->forward;
    struct question q = {.problem = problem,
                         .is_wide = assemble_element_bytes(problem->options.storage) >= 4,
                         .values = cost->values_read + cost->values_written,
                         .warps = warps};
    for (uint32_t i = 0; i < unit->ir->decl_count; i++)
        if (unit->ir->decls[i].role == IR_ROLE_INPUT) {
            q.has_shared |= unit->ir->decls[i].is_shared;
            q.rows += unit->ir->decls[i].is_shared ? 0 : unit->ir->decls[i].count;
        }
    if (cuda_nominal_bandwidth(problem->device) <= 4e12)
        return is_backward ? h100_backward(&q) : h100_forward(&q);
    if (is_backward)
        return q.is_wide ? h200_backward_wide(&q) : h200_backward_narrow(&q);
    return q.is_wide ? h200_forward_wide(&q) : h200_forward_narrow(&q);
}

/* ---- What a multiprocessor holds ---- */

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

/* Thread blocks of a multiprocessor that do not all fit side by side take as many rounds as the
 * last needs: another stage where that makes rounds of the same size. */
static void even_rounds(struct assemble_options *options, const struct unit *unit, double blocks,
                        uint32_t most)
{
    enum { STAGES_MOST = 4 };
    struct assemble_options wider = *options;
    for (; wider.strategy.stages <= STAGES_MOST; wider.strategy.stages++) {
        const double room = floor((double)most / assemble_shared_bytes(unit->ir, &wider));
        if (room < 1)
            return;
        if (room >= blocks || fmod(blocks, room) == 0) {
            options->strategy = wider.strategy;
            return;
        }
    }
}

void strategy_in_order(struct strategy *out, const struct model_problem *problem)
{
    const double width = (double)problem->batch * (double)problem->channels;
    const double warps = width / 32 / fmax(problem->device->multiprocessors, 1);
    const uint32_t most = strategy_shared_most(problem->device);
    struct assemble_options options = problem->options;
    struct strategy s = measured(problem, warps);
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
        options.strategy.chunk = 16;
    if (s.vc > 1)
        even_rounds(&options, problem->unit, blocks, most);
    s = options.strategy;
    for (; assemble_shared_bytes(problem->unit->ir, &options) > most; options.strategy = s) {
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
