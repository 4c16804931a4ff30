#include "strategy_model.h"

#include <math.h>

/* What no manual says, fitted to 143 measurements of one GPU (bench/README.md), 17 % rms; the
 * backward pass in order to some 150 of an H200 and 25 cells, in short chunks to 900 of them, 13 %
 * rms; those of kernels without a ring, and of cluster_barrier, adjusted by hand to some 400 of an
 * H200. Clocks unless said. */
struct constants {
    double clock_share;     /* of the highest clock that is kept under load */
    double bandwidth_share; /* of bus width times clock that a copy reaches */
    double memory_seconds;  /* from asking for a row to having it */
    double launch_seconds;
    double step;        /* of a step besides its chain: loads, addresses */
    double tangent;     /* ... of one that carries the tangent */
    double in_order;    /* ... of one that runs in order */
    double order_issue; /* in order: clocks of an instruction, where they are more than the chain */
    double order_depth; /* ... share of what a step computes before its chain */
    double adjoint;     /* of a step of the backward pass in long chunks */
    double adjoint_issue; /* backward, in order: clocks of an instruction */
    double adjoint_value; /* ... of a value read or written */
    double adjoint_tile;  /* ... and of a tile */
    double chunk_issue;   /* backward, in chunks whose maps are composed: the same */
    double chunk_value;
    double chunk_tile;
    double chunk_cluster; /* ... and barrier of a cluster */
    double chunk_scan;    /* ... instructions of the scan for each chunk before a thread's own */
    double ring_rows;     /* with a ring, in chunks: of the time of all rows, each time they are
                             halved from 256 bytes, at first */
    double overlap; /* instructions of a warp that cannot hide behind its own chain, clocks each */
    double scan;    /* for each chunk before a thread's own */
    double barrier; /* and for what stands beside it in a correction */
    double cluster; /* barrier of a cluster */
    double cluster_each; /* ... for each of its thread blocks */
    double narrow;       /* share that a tile takes longer each time its lanes are halved from 32 */
    double pair;         /* ... with two channels a thread */
    double short_rows;   /* ... of warps whose rows are shorter than 128 bytes; from an H200 */
    double tile;         /* of a tile: waiting for the ring, issuing the next copies */
    double step_issue;   /* instructions of a step besides the cell's */
    double store_issue;  /* ... for each value written */
    double copy_issue;   /* ... for each 16 bytes asked for */
    double scan_issue;   /* ... for each chunk before */
    double blend;        /* exponent: how sharply the largest bound hides the others */
    double direct_step;  /* without a ring: of a step besides its chain */
    double load_issue;   /* ... instructions for each value read */
    double direct_store; /* ... and written */
    double direct_again; /* ... share of the rows before an entry that no cache has any more */
    double direct_tile;  /* ... factor of what a tile takes */
    double direct_narrow; /* ... and each time its lanes are halved from 32 */
    double direct_tight;  /* ... and of the registers that it has for each it lacks */
    double direct_spill;  /* ... and for those behind the first 0.8 of them, which it spills */
    double direct_short;  /* ... of the rows' time, each time they are halved from 128 bytes, at
                             first */
    double cluster_barrier;
    double lane;         /* what a step of a chunk that is run again takes more than in order */
    double pass;         /* ... and what such a pass takes besides its steps */
    double cluster_pass; /* ... in a cluster */
    double long_tile;    /* in long chunks: factor of what a tile takes */
    double long_slice;   /* ... of a slice, besides its steps */
    double
        long_guess; /* ... share of its instructions that a step takes which finds lambda alone */
    double kept;    /* share of its instructions that an adjoint with kept values has left */
};

static const struct constants fitted = {
    .clock_share = 0.99,
    .bandwidth_share = 0.84,
    .memory_seconds = 1.1e-06,
    .launch_seconds = 8e-06,
    .step = 20,
    .tangent = 1,
    .in_order = 22,
    .order_issue = 1.5,
    .order_depth = 0.3,
    .adjoint = 30,
    .adjoint_issue = 1.8,
    .adjoint_value = 5,
    .adjoint_tile = 300,
    .chunk_issue = 1.2,
    .chunk_value = 3.6,
    .chunk_tile = 70,
    .chunk_cluster = 1600,
    .chunk_scan = 13,
    .ring_rows = 0.0225,
    .overlap = 0.026,
    .scan = 11,
    .barrier = 93,
    .cluster = 6.6e+03,
    .cluster_each = 32,
    .narrow = 0.33,
    .pair = 1.3e-05,
    .short_rows = 0.08,
    .tile = 33,
    .step_issue = 1.6,
    .store_issue = 19,
    .copy_issue = 28,
    .scan_issue = 50,
    .blend = 3.2,
    .direct_step = 20,
    .load_issue = 2.2,
    .direct_store = 3,
    .direct_again = 0.7,
    .direct_tile = 1.2,
    .direct_narrow = 0.1,
    .direct_tight = 0.4,
    .direct_spill = 2,
    .direct_short = 0.1,
    .cluster_barrier = 1000,
    .lane = 70,
    .pass = 20000,
    .cluster_pass = 8000,
    .long_tile = 1.3,
    .long_slice = 400,
    .long_guess = 0.75,
    .kept = 0.57,
};

enum { SCHEDULERS = 4, SPECIAL_UNITS = 16, SHARED_RESERVED = 1024, BLOCKS_MOST = 16 };

/* Bounds of which the largest hides most of the others. */
static double blend(double a, double b, double exponent)
{
    const double most = fmax(a, b), least = fmin(a, b);
    return most > 0 ? most * pow(1 + pow(least / most, exponent), 1 / exponent) : 0;
}

/* ---- What one thread does with its chunk ---- */

struct share {
    double latency; /* clocks */
    double issue;   /* instructions of a warp */
    double special; /* results of a thread */
};

static void add(struct share *sum, const struct share *one, double times)
{
    sum->latency += times * one->latency;
    sum->issue += times * one->issue;
    sum->special += times * one->special;
}

struct context {
    const struct model_problem *problem;
    const struct strategy *strategy;
    const struct constants *k;
    double reads, writes;  /* values of sequence tensors of a step and channel */
    double states, matrix; /* entries of the closed pattern */
    struct assemble_tile tile;
    double alone; /* factor of arithmetic in double */
    bool is_long; /* backward, in long chunks */
};

/* One step of a function, for a thread's channels. 'more' instructions stand beside the cell's own.
 */
static struct share step_of(const struct context *c, enum work_function function,
                            enum work_math math, double more, double latency, double part)
{
    const struct work *work = &c->problem->work->of[function][math];
    const double vc = c->strategy->vc;
    struct share share;
    share.issue = c->alone * vc * (part * work->issue + more) + c->reads + c->k->step_issue;
    share.special = vc * part * work->special;
    /* Two channels are two chains side by side; the instructions of both share the warp's slot. */
    share.latency = fmax(c->alone * work->chain + latency, c->k->overlap * share.issue);
    return share;
}

static enum work_math math_of(const struct assemble_options *options)
{
    return options->storage == ASSEMBLE_F64 || options->mode == ASSEMBLE_STRICT ? WORK_SOFTWARE
           : options->mode == ASSEMBLE_FAST                                     ? WORK_APPROXIMATE
                                                                                : WORK_ACCURATE;
}

/* scan.h: shuffles over the chunks of a warp, then the warps of the block, then the blocks of the
 * cluster. */
static double scan_of(const struct context *c, double *issue)
{
    const struct constants *k = c->k;
    const double lanes = c->strategy->lanes, chunks = c->strategy->tile_chunks,
                 cluster = c->strategy->cluster;
    const double group = lanes < 32 ? 32 / lanes : 1;
    const double levels = log2(group), groups = chunks / group;
    const double vc = c->strategy->vc, weight = 0.5 * (c->states + c->matrix);
    const double others = cluster > 1 ? cluster : 0;
    const bool is_backward = c->problem->options.kernel == ASSEMBLE_BACKWARD;
    const double barrier = is_backward ? k->chunk_cluster : k->cluster;
    *issue = vc * weight * (is_backward ? k->chunk_scan : k->scan_issue) *
             (levels + 0.5 * (groups + others));
    return weight * k->scan * (levels + groups + others) + k->barrier +
           (cluster > 1 ? barrier + k->cluster_each * cluster : 0);
}

/* The probability of what happens to an entry with probability 'part', for one of so many. */
static double one_of(double part, double entries)
{
    return 1 - pow(1 - part, fmax(entries, 0));
}

/* Entries of a tile that have to be found. */
static double entries_of(const struct strategy *s)
{
    return (double)s->lanes * s->vc * ((double)s->tile_chunks * s->cluster - 1);
}

/* Of a step that runs in order, with so many channels a thread: a warp has nothing but its own step
 * to go on with. */
static double order_latency(const struct context *c, enum work_math math, double channels)
{
    const struct constants *k = c->k;
    const struct work *work = &c->problem->work->of[WORK_OUTPUTS][math];
    const double beside =
        k->order_issue * channels * work->issue + k->order_depth * (work->depth - work->chain);
    return k->step + k->in_order + c->alone * blend(work->chain, beside, k->blend);
}

static void forward_tile(struct share *tile, const struct context *c, double *all_corrections)
{
    const struct assemble_options *o = &c->problem->options;
    const struct constants *k = c->k;
    const enum work_math math = math_of(o);
    const double chunk = c->strategy->chunk, chunks = c->strategy->tile_chunks,
                 cluster = c->strategy->cluster;
    const double stores = k->store_issue * c->writes;
    struct settle_count count = settle_at(c->problem->settle, chunk, chunks * cluster);
    /* Without approximations the first correction is one like the others. */
    if (c->tile.warm_steps == 0 && count.corrections > 0 && !c->problem->unit->structure.is_affine)
        count = (struct settle_count){.corrections = count.corrections + 1, .finals = count.finals};
    const double rough = (double)count.rough;
    double corrections = (double)count.corrections;
    const double tangent = c->matrix * c->states;
    struct share one = step_of(c, WORK_STEP, WORK_APPROXIMATE, 0, k->step, 1);
    /* Between the steps of the run before, whose chain hides that of the guess. */
    if (c->tile.is_warm_ahead)
        one.latency = k->overlap * one.issue;
    /* A correction more, where a guess of some channel is further off than usual. */
    const double far = (double)c->problem->settle->far[c->tile.recorded > 0];
    if (c->tile.warm_steps > 0 && rough == 0)
        corrections += one_of(far, entries_of(c->strategy));
    if (corrections > 0)
        add(tile, &one, (1 - rough) * c->tile.warm_steps);
    one = step_of(c, WORK_JACOBIAN, WORK_APPROXIMATE, tangent, k->step + k->tangent, 1);
    add(tile, &one, rough * chunk);
    one = step_of(c, WORK_JACOBIAN, math, tangent, k->step + k->tangent, 1);
    add(tile, &one, corrections * chunk);
    *all_corrections = rough + corrections;
    if (c->tile.recorded > 0) {
        /* Moved in first order instead, and one step to see how far off that is. */
        const double moves = c->strategy->vc * (stores + c->states + c->matrix);
        one = step_of(c, WORK_STEP, math, 0, k->step, 1);
        add(tile, &one, 1);
        tile->issue += chunk * moves;
        tile->latency += k->overlap * chunk * moves;
    } else {
        one = step_of(c, WORK_OUTPUTS, math, stores, k->step, 1);
        if (chunks * cluster == 1)
            one.latency = order_latency(c, math, c->strategy->vc);
        add(tile, &one, (double)count.finals * chunk);
        tile->latency += (double)count.finals * k->barrier;
    }
    if (chunks * cluster > 1) {
        double issue;
        const double latency = scan_of(c, &issue);
        tile->latency += *all_corrections * latency;
        tile->issue += *all_corrections * issue;
    }
}

/* The share of entries whose guess is wrong. */
static double missed(const struct context *c)
{
    return (double)settle_missed(c->problem->settle, c->tile.warm_steps);
}

/* The share of tiles in which a guess fails. */
static double failing_tiles(const struct context *c)
{
    return one_of(missed(c), entries_of(c->strategy));
}

/* ... of the thread block that has most of them, for which the others wait in the end: one tile, if
 * any fails at all. */
static double failing_most(const struct context *c)
{
    const struct model_problem *p = c->problem;
    const struct strategy *s = c->strategy;
    const double steps = (double)s->tile_chunks * s->chunk * s->cluster;
    const double recurrences = (double)p->batch * (double)p->channels;
    const double any = one_of(missed(c), recurrences * (double)p->seq_len / s->chunk);
    return fmax(failing_tiles(c), any / ceil((double)p->seq_len / steps));
}

/* What failing tiles take more: everywhere, and where there are most of them nothing hides it. */
static void add_failing(struct share *sum, const struct context *c, const struct share *one,
                        double times)
{
    struct share part = *one;
    part.latency = 0;
    add(sum, &part, failing_tiles(c) * times);
    sum->latency += failing_most(c) * times * one->latency;
}

/* Of passes that run chunks again, by kernels-gen/tile_guess.h: the first runs whole chunks, the
 * others a part. Measured: one pass of cells that forget, 3 to 6 where some channels do not. Where
 * many do not, whole chunks in all of them, twice where threads have two channels: 10 to 14, and in
 * clusters as many as there are chunks (lru, rglru, unicornn). */
enum { PASSES_OF_SOME = 4, PASSES_LEAST_OF_MOST = 12, PARTS = 8 };
static const double share_of_most = 0.25;

/* Steps from which no entry of all is guessed wrong; behind those that were tried it goes on as
 * between the last of them. */
static double enough_steps(const struct context *c)
{
    enum { TRIED = SETTLE_GUESSES * SETTLE_GUESS_EVERY, BETWEEN = 40 };
    const struct model_problem *p = c->problem;
    const double rare =
        0.5 * c->strategy->chunk / ((double)p->batch * (double)p->channels * (double)p->seq_len);
    for (uint32_t steps = c->tile.warm_steps; steps <= TRIED; steps += SETTLE_GUESS_EVERY)
        if ((double)settle_missed(p->settle, steps) <= rare)
            return steps;
    const double last = (double)settle_missed(p->settle, TRIED),
                 before = (double)settle_missed(p->settle, TRIED - BETWEEN);
    return last < before ? TRIED + BETWEEN * log(last / rare) / log(before / last) : INFINITY;
}

/* Steps of the run of a chunk whose guess was wrong until it meets what was there: as many as its
 * guess fell short of what is enough, whole parts. */
static double rerun_steps(const struct context *c)
{
    const double chunk = c->strategy->chunk, part = chunk / PARTS;
    return fmin(fmax(ceil((enough_steps(c) - c->tile.warm_steps) / part), 1) * part, chunk);
}

/* What passes take where guesses are wrong. Returns how many there are in such a tile. */
static double add_passes(struct share *tile, const struct context *c)
{
    const struct constants *k = c->k;
    const double chunk = c->strategy->chunk,
                 chunks = (double)c->strategy->tile_chunks * c->strategy->cluster;
    const double first = rerun_steps(c);
    const bool is_most =
        (double)settle_missed(c->problem->settle, SETTLE_GUESSES * SETTLE_GUESS_EVERY) >=
        share_of_most;
    const double passes = is_most         ? fmax(PASSES_LEAST_OF_MOST, chunks)
                          : first < chunk ? 1
                                          : PASSES_OF_SOME;
    const double steps =
        is_most ? passes * c->strategy->vc * chunk : first + (passes - 1) * chunk / PARTS;
    /* Rows of lanes lie apart: each value is a transaction of its own, one a clock. */
    const double lanes = missed(c) * entries_of(c->strategy) / c->strategy->cluster;
    const double transactions = is_most ? 0 : lanes * (c->reads + c->writes);
    struct share one = {
        .latency =
            fmax(order_latency(c, math_of(&c->problem->options), 1) + k->lane, transactions)};
    add_failing(tile, c, &one, steps);
    one = (struct share){.latency = k->pass + (c->strategy->cluster > 1 ? k->cluster_pass : 0)};
    add_failing(tile, c, &one, passes);
    return passes;
}

/* Without a ring: the steps before an entry, then the final run; and what it takes where they do
 * not say all of it. */
static void direct_tile(struct share *tile, const struct context *c, double *all_corrections)
{
    const struct assemble_options *o = &c->problem->options;
    const struct constants *k = c->k;
    const enum work_math math = math_of(o);
    const double chunk = c->strategy->chunk,
                 chunks = (double)c->strategy->tile_chunks * c->strategy->cluster;
    const double loads = k->load_issue * c->reads, stores = k->direct_store * c->writes;
    double corrections = 0;
    struct share one = step_of(c, WORK_STEP, WORK_APPROXIMATE, loads, k->direct_step, 1);
    if (chunks > 1)
        add(tile, &one, c->tile.warm_steps - c->tile.warm_exact);
    one = step_of(c, WORK_STEP, math, loads, k->direct_step, 1);
    if (chunks > 1)
        add(tile, &one, c->tile.warm_exact);
    if (chunks > 1)
        corrections = failing_tiles(c) * add_passes(tile, c);
    one = step_of(c, WORK_OUTPUTS, math, loads + stores, k->direct_step, 1);
    add(tile, &one, chunk);
    if (chunks > 1)
        tile->latency += 3 * (c->strategy->cluster > 1 ? k->cluster_barrier : k->barrier);
    *all_corrections = corrections;
}

static void backward_tile(struct share *tile, const struct context *c)
{
    const struct assemble_options *o = &c->problem->options;
    const struct constants *k = c->k;
    const enum work_math math = math_of(o);
    const double chunk = c->strategy->chunk;
    const double stores = k->store_issue * c->writes;
    const double values = c->strategy->vc * (c->reads + c->writes);
    const struct work *map = &c->problem->work->of[WORK_BACKMAP][math],
                      *adjoint = &c->problem->work->of[WORK_ADJOINT][math];
    struct share one;
    if (strategy_is_sequential(c->strategy)) {
        one = step_of(c, WORK_ADJOINT, math, stores, k->step, 1);
        one.latency =
            fmax(one.latency, c->alone * c->strategy->vc * k->adjoint_issue * adjoint->issue +
                                  k->adjoint_value * values);
        add(tile, &one, chunk);
        tile->latency += k->adjoint_tile;
        return;
    }
    double issue;
    const double products = c->matrix * (c->states + 1);
    one = step_of(c, WORK_BACKMAP, math, products, k->step, 1);
    one.latency =
        fmax(one.latency, c->alone * c->strategy->vc * k->chunk_issue * (map->issue + products) +
                              k->chunk_value * values);
    add(tile, &one, chunk);
    tile->latency += scan_of(c, &issue) + k->chunk_tile;
    tile->issue += issue;
    one = step_of(c, WORK_ADJOINT, math, stores, k->step, k->kept);
    one.latency = fmax(one.latency, c->alone * c->strategy->vc * k->chunk_issue * adjoint->issue +
                                        k->chunk_value * values);
    one.special = 0;
    add(tile, &one, chunk);
}

/* The backward pass in long chunks: lambda from the steps behind, then the adjoint in order; where
 * the steps behind do not say enough, the maps of the chunks and the adjoint again. */
static void long_tile(struct share *tile, const struct context *c)
{
    const struct assemble_options *o = &c->problem->options;
    const struct constants *k = c->k;
    const enum work_math math = math_of(o);
    const double chunk = c->strategy->chunk, steps = chunk + c->tile.warm_steps;
    struct share one = step_of(c, WORK_ADJOINT, math, k->direct_store * c->writes, k->step, 1);
    one.latency = fmax(one.latency, c->alone * (c->problem->work->of[WORK_STEP][math].chain +
                                                c->problem->work->of[WORK_ADJOINT][math].chain) +
                                        k->adjoint);
    add(tile, &one, chunk + k->long_guess * c->tile.warm_steps);
    const struct share maps =
        step_of(c, WORK_BACKMAP, math, c->matrix * (c->states + 1), k->step, 1);
    struct share scan = {0};
    scan.latency = scan_of(c, &scan.issue);
    add_failing(tile, c, &one, chunk);
    add_failing(tile, c, &maps, chunk);
    add_failing(tile, c, &scan, 1);
    tile->latency += k->long_slice * steps / ASSEMBLE_SLICE;
    tile->latency += 3 * (c->strategy->cluster > 1 ? k->cluster_barrier : k->barrier);
}

/* ---- The device ---- */

/* Registers of a thread, which bound the blocks side by side. */
static double registers_of(const struct context *c)
{
    const struct strategy *s = c->strategy;
    if (c->problem->options.kernel == ASSEMBLE_FORWARD || c->is_long || strategy_is_sequential(s))
        return c->tile.registers;
    const double kept = (c->states + 2) * s->chunk * s->vc;
    return fmin((48 + 16 * s->vc * c->states + kept) * c->alone, 240);
}

double model_direct_tightness(const struct model_problem *problem, const struct strategy *strategy)
{
    enum { OTHERS = 50, OF_STATE = 14, OF_INPUT = 16, REGISTERS_MOST = 255, REGISTERS_SM = 65536 };
    const struct ir *ir = problem->unit->ir;
    const double threads = (double)strategy->lanes * strategy->tile_chunks;
    const double wants =
        OTHERS + (double)strategy->vc * (OF_STATE * ir->states + OF_INPUT * ir->inputs);
    return wants / fmin(REGISTERS_MOST, REGISTERS_SM / threads);
}

/* Factor of the time of a kernel without a ring whose threads want more registers than they have.
 */
static double tightness_factor(const struct context *c)
{
    const double lack = fmax(model_direct_tightness(c->problem, c->strategy) - 1, 0);
    return 1 + c->k->direct_tight * lack + c->k->direct_spill * fmax(lack - 0.8, 0);
}

/* Thread blocks that a multiprocessor holds at once. */
static double resident(const struct cuda_properties *device, double threads, double shared,
                       double registers_wanted)
{
    const double shared_all = device->shared_sm > 0 ? device->shared_sm : device->shared_optin;
    const double registers = device->registers_sm > 0 ? device->registers_sm : 65536;
    const double most = device->threads_sm > 0 ? device->threads_sm : 2048;
    const double blocks = fmin(fmin(floor(shared_all / (shared + SHARED_RESERVED)),
                                    floor(registers / (registers_wanted * threads))),
                               fmin(floor(most / threads), BLOCKS_MOST));
    return fmax(blocks, 1);
}

static void count_values(struct context *c)
{
    const struct unit *unit = c->problem->unit;
    const bool is_backward = c->problem->options.kernel == ASSEMBLE_BACKWARD;
    const struct cost *cost = is_backward ? &unit->backward : &unit->forward;
    c->reads = cost->values_read;
    c->writes = cost->values_written;
    c->states = unit->ir->states;
    c->matrix = 0;
    for (uint32_t i = 0; i < unit->ir->states; i++)
        for (uint32_t j = 0; j < unit->ir->states; j++)
            c->matrix += unit->structure.closed[i] >> j & 1;
    c->alone = c->problem->options.storage == ASSEMBLE_F64 ? 2 : 1;
}

/* Clocks of a tile where so many blocks run side by side. */
static double round_clocks(const struct share *tile, double blocks, double threads,
                           const struct constants *k)
{
    const double issue = blocks * threads / 32 * tile->issue / SCHEDULERS;
    const double special = blocks * threads * tile->special / SPECIAL_UNITS;
    return blend(tile->latency, blend(issue, special, 2 * k->blend), k->blend);
}

/* A cluster lies in one group of multiprocessors, and groups differ. An H100 of 132 of them took as
 * long for 16 clusters of 6 thread blocks that fill a multiprocessor as for one, twice as long for
 * 16 of 7 and for 32 of 4, but not for 32 of 7 that fill half of one: six groups of 18 and two of
 * 12 explain all that was measured. An H200 has others, which its driver tells
 * (docs/measurements.md).
 */
static double rounds_of_clusters(const struct cuda_clusters *clusters, double blocks,
                                 double cluster, double room, double processors)
{
    const double in_large = floor(18 * room / cluster), in_small = floor(12 * room / cluster);
    double at_once = floor((6 * in_large + 2 * in_small) * processors / 132);
    if (clusters && cluster <= CUDA_CLUSTER_MOST) {
        const double known = fmin(room, CUDA_CLUSTER_ROOM_MOST);
        at_once = floor(clusters->at_once[(int)cluster][(int)known] * room / known);
    }
    return at_once < 1 ? 1 : ceil(blocks / cluster / at_once);
}

static void predict(struct prediction *out, const struct model_problem *problem,
                    const struct strategy *s, const struct constants *k)
{
    const struct cuda_properties *device = problem->device;
    struct assemble_options options = problem->options;
    options.strategy = *s;
    struct context c = {.problem = problem, .strategy = s, .k = k};
    struct share tile = {0};
    *out = (struct prediction){0};
    count_values(&c);
    c.tile = assemble_tile(problem->unit->ir, &problem->unit->structure, &options);
    c.is_long = assemble_is_long(&options);
    if (c.is_long)
        long_tile(&tile, &c);
    else if (options.kernel == ASSEMBLE_BACKWARD)
        backward_tile(&tile, &c);
    else if (s->stages == 0)
        direct_tile(&tile, &c, &out->corrections);
    else
        forward_tile(&tile, &c, &out->corrections);

    const double clock = 1e3 * (device->clock_khz > 0 ? device->clock_khz : 1.5e6) * k->clock_share;
    const double nominal = cuda_nominal_bandwidth(device);
    const double bandwidth = nominal > 0 ? nominal * k->bandwidth_share : 1e12;
    const double bytes = assemble_element_bytes(options.storage);
    const double width = (double)s->lanes * s->vc, threads = (double)s->lanes * s->tile_chunks;
    const double steps = (double)s->tile_chunks * s->chunk;
    const double blocks =
        (double)problem->batch * ceil((double)problem->channels / width) * s->cluster;
    const double tiles = ceil((double)problem->seq_len / (steps * s->cluster));
    const double shared = assemble_shared_bytes(problem->unit->ir, &options);
    const double room = resident(device, threads, shared, registers_of(&c));
    const double processors = device->multiprocessors > 0 ? device->multiprocessors : 1;
    if (blocks <= 0 || tiles <= 0)
        return;

    if (s->stages > 0) {
        /* The ring: pieces of 16 bytes, spread over the threads of the block. */
        const double warm = c.is_long ? (double)c.tile.warm_steps * s->tile_chunks : 0;
        const double pieces = (steps + warm) * c.reads * width * bytes / 16;
        tile.issue += k->copy_issue * pieces / threads;
        tile.latency += k->tile;
    }
    const bool is_short = s->lanes >= 32 && width * bytes < 128;
    double slower = 1 + k->narrow * fmax(5 - log2(s->lanes), 0) + (s->vc > 1 ? k->pair : 0) +
                    (is_short ? k->short_rows : 0);
    if (c.is_long)
        slower *= k->long_tile;
    if (s->stages == 0)
        slower = k->direct_tile * (1 + k->direct_narrow * fmax(5 - log2(s->lanes), 0)) *
                 tightness_factor(&c);
    tile.latency *= slower;
    tile.issue *= slower;

    /* The busiest multiprocessor: so many blocks, 'room' of them at once, all of the same length.
     */
    const double queue = ceil(blocks / processors);
    const double full = floor(queue / room), rest = queue - full * room;
    double clocks = full * round_clocks(&tile, room, threads, k) +
                    (rest > 0 ? round_clocks(&tile, rest, threads, k) : 0);
    double rounds = ceil(queue / room);
    if (s->cluster > 1) {
        const double wanted =
            rounds_of_clusters(problem->clusters, blocks, s->cluster, room, processors);
        clocks = fmax(clocks, wanted * round_clocks(&tile, fmin(queue, room), threads, k));
        rounds = fmax(rounds, wanted);
    }
    out->issue = queue * threads / 32 * tile.issue / SCHEDULERS * tiles / clock;
    out->special = queue * threads * tile.special / SPECIAL_UNITS * tiles / clock;
    out->latency = rounds * tile.latency * tiles / clock;
    const double compute = clocks * tiles / clock;

    /* What is under way at once bounds how fast rows arrive. */
    const double elements =
        (double)problem->batch * (double)problem->seq_len * (double)problem->channels;
    out->memory = elements * bytes * (c.reads + c.writes) / bandwidth;
    const double stages = s->stages - (c.tile.is_warm_ahead ? 2 : 1);
    double again = 0;             /* share of the rows that are read twice */
    double rows = 1, traffic = 1; /* factors of the time that reading rows takes, and all */
    double ahead = stages * (c.is_long ? s->tile_chunks * ASSEMBLE_SLICE : steps) * width;
    if (s->stages == 0 || c.is_long) {
        again = (double)c.tile.warm_steps / s->chunk;
        if (s->stages == 0)
            ahead = (double)c.tile.ahead * threads * s->vc;
        /* The shorter a row of a thread block, the more of them a page of memory is opened for. */
        const double short_of = fmax(log2(128 / (width * bytes)), 0);
        rows = 1 + k->direct_short * short_of * (short_of + 1);
        traffic = rows * (1 + k->direct_again * again * c.reads / (c.reads + c.writes));
    } else if (!strategy_is_sequential(s)) {
        const double short_of = fmax(log2(256 / (width * bytes)), 0);
        traffic = 1 + k->ring_rows * short_of * (short_of + 1);
    }
    /* The last tile may be for the most part behind the sequence. */
    const double used = (double)problem->seq_len / (tiles * steps * s->cluster);
    const double at_once = used * fmin(blocks, room * processors) * ahead * c.reads * bytes;
    const double arriving =
        elements * bytes * c.reads * (1 + again) / (at_once / k->memory_seconds);
    out->fill = k->launch_seconds + k->memory_seconds;
    /* Running in order has no phases that could stand in each other's way. */
    const double exponent = (strategy_is_sequential(s) ? 2.5 : 1) * k->blend;
    out->seconds =
        blend(blend(compute, traffic * out->memory, exponent), arriving, 2 * k->blend) + out->fill;
}

void model_predict(struct prediction *out, const struct model_problem *problem,
                   const struct strategy *strategy)
{
    predict(out, problem, strategy, &fitted);
}
