#include "settle.h"

#include "ir_eval.h"

#include <math.h>
#include <string.h>

/* Long tiles are tried in fewer channels; a hopeless one is given up. */
enum {
    CHANNELS = 8,
    CHANNELS_OF_LONG = 4,
    LONG = 1024,
    WARM_UP = 64,
    STEPS_MAX = 4096,
    CORRECTIONS_MAX = 16
};

static const int chunk_steps[SETTLE_CHUNKS] = {4, 8, 16, 32, 64},
                 tile_chunks[SETTLE_TILES] = {4, 16, 64, 256};

/* As kernels-gen/forward.h: what a correction may move and still be the last. */
static const struct limits {
    float stop_recorded, stop_run_again, stop_marginal;
} limits_of[SETTLE_ROUNDINGS] = {
    [SETTLE_32] = {1e-3f, 3e-3f, 1e-4f},
    [SETTLE_16] = {1.5e-2f, 1.5e-2f, 1e-3f},
};
static const float marginal_gain = 0.5f;

/* ---- Random leaves: splitmix64, Box and Muller, the same on every run ---- */

static double next_uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

static double next_normal(uint64_t *state)
{
    const double radius = sqrt(-2 * log(next_uniform(state)));
    return radius * cos(6.283185307179586 * next_uniform(state));
}

/* Inputs N(0, 1), parameters as declared, else N(0, 0.5); within their ranges. */
static float draw(const struct ir_decl *decl, uint64_t *random)
{
    double v;
    if (decl->role == IR_ROLE_INPUT)
        v = next_normal(random);
    else if (decl->init == IR_INIT_NORMAL)
        v = decl->init_a + decl->init_b * next_normal(random);
    else if (decl->init == IR_INIT_UNIFORM)
        v = decl->init_a + (decl->init_b - decl->init_a) * next_uniform(random);
    else if (decl->init == IR_INIT_DEFAULT)
        v = 0.5 * next_normal(random);
    else
        v = decl->init == IR_INIT_ZEROS ? 0 : decl->init == IR_INIT_ONES ? 1 : decl->init_a;
    if (decl->has_range)
        v = v < decl->lo ? decl->lo : v > decl->hi ? decl->hi : v;
    return (float)v;
}

static void draw_role(float *out, const struct ir *ir, enum ir_role role, uint32_t count,
                      uint64_t *random)
{
    for (uint32_t k = 0; k < count; k++) {
        uint32_t element;
        out[k] = draw(ir_decl_of(ir, role, k, &element), random);
    }
}

/* ---- One tile ---- */

struct channel {
    /* Drawn once, read by all parts. */
    float *x, *p; /* [steps][inputs], [params] */
    float *h0;    /* the cell's initial state */
    float *carry; /* the state before the tile */
    /* A part's own. */
    float *entry, *exits, *tangent, *scale; /* of each chunk */
    float *first, *first_jac;               /* state after the first step, and its Jacobian */
    float *peak;                            /* largest row sum of a tangent on the way */
};

struct solver {
    const struct ir *ir;
    struct ir_program *step, *jacobian, *guess;
    float *scratch, *jac, *product, *next;
    float *drawn; /* [params], of a part that tries guesses */
    struct {
        double *x, *p, *next, *scratch;
    } exact; /* ... in double */
    struct channel channel[CHANNELS];
    const struct limits *limits;
    enum settle_rounding rounding;
    float tolerance; /* of an entry's difference from the exit before it */
    float margin;    /* share of a limit of moves that is to be kept */
    bool is_affine, is_recorded;
    int chunk, chunks, channels;
};

static void run_step(const struct solver *s, const struct ir_program *program, float *h,
                     const float *x, const float *p)
{
    const struct ir_leaves_f32 leaves = {
        .h = h, .x = x, .p = p, .out = {[IR_OUT_NEXT] = s->next, [IR_OUT_JACOBIAN] = s->jac}};
    ir_eval_f32(program, &leaves, s->scratch);
    memcpy(h, s->next, s->ir->states * sizeof *h);
}

static const float *inputs_at(const struct solver *s, const struct channel *c, int t)
{
    return c->x + (size_t)(WARM_UP + t) * s->ir->inputs;
}

static float larger(float a, float b)
{
    return b > a ? b : a;
}

static void run_tangent(const struct solver *s, struct channel *c, int w)
{
    const uint32_t n = s->ir->states;
    const int begin = w * s->chunk;
    float *h = c->exits + (size_t)w * n, *d = c->tangent + (size_t)w * n * n;
    memcpy(h, c->entry + (size_t)w * n, n * sizeof *h);
    for (uint32_t ij = 0; ij < n * n; ij++)
        d[ij] = ij % (n + 1) == 0;
    c->peak[w] = 1;
    c->scale[w] = 0;
    for (int t = begin; t < begin + s->chunk; t++) {
        run_step(s, s->jacobian, h, inputs_at(s, c, t), c->p);
        for (uint32_t i = 0; i < n; i++) {
            float row = 0;
            for (uint32_t j = 0; j < n; j++) {
                float sum = 0;
                for (uint32_t k = 0; k < n; k++)
                    sum += s->jac[i * n + k] * d[k * n + j];
                s->product[i * n + j] = sum;
                row += fabsf(sum);
            }
            c->peak[w] = larger(c->peak[w], row);
            c->scale[w] = larger(c->scale[w], fabsf(h[i]));
        }
        memcpy(d, s->product, n * n * sizeof *d);
        if (t > begin)
            continue;
        memcpy(c->first + (size_t)w * n, h, n * sizeof *h);
        memcpy(c->first_jac + (size_t)w * n * n, s->jac, n * n * sizeof *d);
    }
}

static float tangent_gain(const struct solver *s, const float *d)
{
    float gain = 0;
    for (uint32_t ij = 0; ij < s->ir->states * s->ir->states; ij++)
        gain = larger(gain, fabsf(d[ij]));
    return gain;
}

/* The largest move that needs no further correction. */
static float stop_move(const struct solver *s, float gain)
{
    return s->margin * (gain >= marginal_gain ? s->limits->stop_marginal
                        : s->is_recorded      ? s->limits->stop_recorded
                                              : s->limits->stop_run_again);
}

/* What the second order leaves at the first step of a chunk that is moved in first order. */
static float first_step_gap(const struct solver *s, const struct channel *c, int w,
                            const float *entry, const float *delta)
{
    const uint32_t n = s->ir->states;
    const float *first = c->first + (size_t)w * n, *jac = c->first_jac + (size_t)w * n * n;
    float h[32], gap = 0;
    memcpy(h, entry, n * sizeof *h);
    run_step(s, s->step, h, inputs_at(s, c, w * s->chunk), c->p);
    for (uint32_t i = 0; i < n; i++) {
        float moved = first[i];
        for (uint32_t j = 0; j < n; j++)
            moved += jac[i * n + j] * delta[j];
        gap = fabsf(h[i] - moved) <= gap ? gap : fabsf(h[i] - moved);
    }
    return gap;
}

/* New entries by Newton's method; whether one moved by more than a last correction may. */
static bool correct(const struct solver *s, struct channel *c)
{
    const uint32_t n = s->ir->states;
    float delta[32] = {0}, out[32];
    bool has_moved = false;
    for (int w = 0; w + 1 < s->chunks; w++) {
        const float *d = c->tangent + (size_t)w * n * n, *exit = c->exits + (size_t)w * n;
        const float *exit_behind = exit + n, *d_behind = d + n * n;
        float *e = c->entry + (size_t)(w + 1) * n, move = 0, scale = 0;
        for (uint32_t i = 0; i < n; i++) {
            out[i] = 0;
            for (uint32_t j = 0; j < n; j++)
                out[i] += (isfinite(d[i * n + j]) ? d[i * n + j] : 0) * delta[j];
        }
        for (uint32_t i = 0; i < n; i++) {
            float entry = exit[i] + out[i];
            entry = isfinite(entry) ? entry : exit[i];
            delta[i] = exit[i] - e[i] + out[i];
            move = fabsf(entry - e[i]) <= move ? move : fabsf(entry - e[i]);
            scale = larger(larger(scale, fabsf(entry)), larger(fabsf(e[i]), fabsf(exit_behind[i])));
            e[i] = entry;
        }
        const float gain = tangent_gain(s, d_behind), stop = stop_move(s, gain);
        if (!s->is_recorded || move == 0) {
            has_moved = has_moved || !(move <= stop * scale ||
                                       4 * gain * move * move <= s->tolerance * scale * scale);
            continue;
        }
        scale = larger(scale, c->scale[w + 1]);
        has_moved = has_moved || (!s->is_affine && !(c->peak[w + 1] * move <= stop * scale)) ||
                    !(first_step_gap(s, c, w + 1, e, delta) <= s->tolerance * scale);
    }
    return has_moved;
}

/* The final run; whether an exit is not the next entry. 'sweeps': take the exit then. */
static bool run_final(const struct solver *s, struct channel *c, bool sweeps)
{
    const uint32_t n = s->ir->states;
    bool differs = false;
    for (int w = 0; w < s->chunks; w++) {
        float *h = c->exits + (size_t)w * n;
        memcpy(h, c->entry + (size_t)w * n, n * sizeof *h);
        c->scale[w] = 0;
        for (int t = w * s->chunk; t < (w + 1) * s->chunk; t++) {
            run_step(s, s->step, h, inputs_at(s, c, t), c->p);
            for (uint32_t i = 0; i < n; i++)
                c->scale[w] = larger(c->scale[w], fabsf(h[i]));
        }
    }
    for (int w = 0; w + 1 < s->chunks; w++) {
        const float *exit = c->exits + (size_t)w * n;
        float *e = c->entry + (size_t)(w + 1) * n, gap = 0, scale = c->scale[w + 1];
        for (uint32_t i = 0; i < n; i++) {
            gap = fabsf(exit[i] - e[i]) <= gap ? gap : fabsf(exit[i] - e[i]);
            scale = larger(scale, larger(fabsf(exit[i]), fabsf(e[i])));
        }
        if (gap == 0 || gap <= s->tolerance * scale)
            continue;
        differs = true;
        if (sweeps)
            memcpy(e, exit, n * sizeof *e);
    }
    return differs;
}

/* The state after step t, guessed from the initial state. */
static void guess_state(const struct solver *s, const struct channel *c, int t, float *h)
{
    const float *x = inputs_at(s, c, t);
    memcpy(h, c->h0, s->ir->states * sizeof *h);
    run_step(s, s->step, h, x, c->p);
    if (!s->guess)
        return;
    memcpy(s->next, h, s->ir->states * sizeof *h);
    const struct ir_leaves_f32 leaves = {
        .h = c->h0, .x = x, .p = c->p, .out = {[IR_OUT_GUESS] = s->next}};
    ir_eval_f32(s->guess, &leaves, s->scratch);
    for (uint32_t i = 0; i < s->ir->states; i++)
        if (ir_find_out(s->ir, IR_OUT_GUESS, i, 0) != IR_REF_NONE)
            h[i] = s->next[i];
}

/* Entries from so many steps before them: one, or those of a rough guess. */
static void guess_entries(const struct solver *s, struct channel *c, int steps)
{
    const uint32_t n = s->ir->states;
    memcpy(c->entry, c->carry, n * sizeof *c->entry);
    for (int w = 1; w < s->chunks; w++) {
        const int end = w * s->chunk, first = end - (steps < s->chunk ? steps : s->chunk);
        float *e = c->entry + (size_t)w * n;
        if (steps == 1) {
            guess_state(s, c, end - 1, e);
            continue;
        }
        if (first % s->chunk)
            guess_state(s, c, first - 1, e);
        else
            memcpy(e, c->h0, n * sizeof *e);
        for (int t = first; t < end; t++)
            run_step(s, s->step, e, inputs_at(s, c, t), c->p);
    }
}

static int warm_steps(const struct solver *s)
{
    return (int)settle_warm_steps(s->rounding, s->is_recorded);
}

/* All channels go on until the last one has settled, as the threads of a block do. Corrections are
 * at least 'least'. */
static struct settle_count solve_tile(struct solver *s, int guess_steps, int least)
{
    struct settle_count count = {0};
    bool is_settled = false, differs = true;
    for (int c = 0; c < s->channels; c++)
        guess_entries(s, &s->channel[c], guess_steps);
    while (differs) {
        while (!is_settled) {
            bool has_moved = false;
            for (int c = 0; c < s->channels; c++) {
                for (int w = 0; w < s->chunks; w++)
                    run_tangent(s, &s->channel[c], w);
                has_moved |= correct(s, &s->channel[c]);
            }
            if (++count.corrections > CORRECTIONS_MAX)
                return (struct settle_count){
                    .corrections =
                        (float)(s->chunks > CORRECTIONS_MAX ? s->chunks : CORRECTIONS_MAX),
                    .finals = 1};
            is_settled = count.corrections > (float)s->chunks ||
                         (count.corrections >= (float)least && !has_moved) ||
                         (s->is_affine && !s->is_recorded);
        }
        if (s->is_recorded)
            return count;
        const bool sweeps = count.corrections > (float)s->chunks;
        differs = false;
        for (int c = 0; c < s->channels; c++)
            differs |= run_final(s, &s->channel[c], sweeps);
        count.finals++;
        is_settled = sweeps;
        /* A sweep makes one more chunk exact, so this ends. */
        if (count.finals > (float)(2 * s->chunks))
            break;
    }
    return count;
}

/* Whether a rough guess leaves one correction, in a longer tile than is asked for and with a
 * margin: real tiles have some hundred chunks of other channels. */
static bool forgets(struct solver *s)
{
    s->chunks = LONG / s->chunk;
    s->channels = CHANNELS;
    s->margin = 0.25f;
    const struct settle_count count = solve_tile(s, warm_steps(s), 1);
    s->margin = 1;
    return count.corrections <= 1;
}

static double *doubles(struct arena *arena, size_t count)
{
    return arena_array(arena, count + 1, sizeof(double));
}

static float *floats(struct arena *arena, size_t count)
{
    return arena_array(arena, count + 1, sizeof(float));
}

/* ---- How many steps before an entry say all of it ---- */

/* What is left of another state after (i + 1) * SETTLE_GUESS_EVERY steps, against the tolerance:
 * binary logarithms, of all places that were tried. Whether a cell remembers depends on its
 * parameters more than on its inputs: one place for each of many channels. */
enum { BINS_OF_ONE = 4, BINS_HALF = 64, BINS = 2 * BINS_HALF };
struct forgetting {
    uint16_t left[SETTLE_GUESSES][BINS]; /* places, by how much is left there */
};
enum {
    TRIED = 1024, /* channels of a part */
    TRIED_ALL = SETTLE_GUESS_PARTS * TRIED,
    BEFORE = 32, /* steps before the place */
    PIECE = BEFORE + SETTLE_GUESSES * SETTLE_GUESS_EVERY
};

static int bin_of(double left)
{
    if (left == 0)
        return 0;
    const double bin = floor(BINS_OF_ONE * log2(left)) + BINS_HALF;
    return !(bin < BINS) ? BINS - 1 : bin < 0 ? 0 : (int)bin;
}

/* In double: in float both states end in the same rounding, or next to each other. */
static void run_step_f64(const struct solver *s, double *h, const float *x)
{
    for (uint32_t k = 0; k < s->ir->inputs; k++)
        s->exact.x[k] = (double)x[k];
    const struct ir_leaves_f64 leaves = {
        .h = h, .x = s->exact.x, .p = s->exact.p, .out = {[IR_OUT_NEXT] = s->exact.next}};
    ir_eval_f64(s->step, &leaves, s->exact.scratch);
    memcpy(h, s->exact.next, s->ir->states * sizeof *h);
}

/* Run the cell's own state and one that begins anew side by side, until nothing is left of their
 * difference. */
static void forget(const struct solver *s, const struct channel *c, struct forgetting *out)
{
    const uint32_t n = s->ir->states;
    const double nothing = exp2(-(double)BINS_HALF / BINS_OF_ONE);
    double h[32], e[32];
    double scale[2] = {0}; /* of the states of the last steps, and of those before */
    double left = INFINITY;
    for (uint32_t i = 0; i < n; i++)
        h[i] = e[i] = (double)c->h0[i];
    for (int t = -BEFORE; t < 0; t++)
        run_step_f64(s, h, inputs_at(s, c, t));
    for (int k = 1; k <= SETTLE_GUESSES * SETTLE_GUESS_EVERY && left > nothing; k++) {
        const float *x = inputs_at(s, c, k - 1);
        run_step_f64(s, h, x);
        run_step_f64(s, e, x);
        for (uint32_t i = 0; i < n; i++)
            scale[0] = fmax(scale[0], fabs(h[i]));
        if (k % SETTLE_GUESS_EVERY)
            continue;
        const int length = k / SETTLE_GUESS_EVERY - 1;
        double gap = 0;
        for (uint32_t i = 0; i < n; i++)
            gap = fabs(e[i] - h[i]) <= gap ? gap : fabs(e[i] - h[i]);
        left = gap == 0 ? 0 : gap / ((double)s->tolerance * fmax(scale[0], scale[1]));
        out->left[length][bin_of(left)]++;
        left = isfinite(left) ? left : INFINITY;
        if (k % (4 * SETTLE_GUESS_EVERY) == 0) {
            scale[1] = scale[0];
            scale[0] = 0;
        }
    }
}

/* In channels of a part: parameters of their own, and a place of the random inputs. */
static void forget_all(const struct solver *s, struct forgetting *out, int part)
{
    uint64_t random = 2 + (uint64_t)part;
    for (int k = 0; k < TRIED; k++) {
        struct channel c = s->channel[k % CHANNELS];
        c.x += (size_t)(k / CHANNELS) * ((STEPS_MAX - PIECE) / (TRIED / CHANNELS)) * s->ir->inputs;
        draw_role(s->drawn, s->ir, IR_ROLE_PARAM, s->ir->params, &random);
        for (uint32_t j = 0; j < s->ir->params; j++)
            s->exact.p[j] = (double)s->drawn[j];
        forget(s, &c, out);
    }
}

/* More than this, as a binary logarithm, is left in so many places. */
static double left_in(const uint16_t places[BINS], int wanted)
{
    int bin = BINS - 1;
    for (int sum = places[bin]; sum < wanted && bin > 0; bin--)
        sum += places[bin - 1];
    return (double)(bin + 1 - BINS_HALF) / BINS_OF_ONE;
}

/* The share of places in which so much or more is left. */
static float share_above(const uint16_t places[BINS], double left)
{
    int count = 0;
    for (int bin = bin_of(left); bin < BINS; bin++)
        count += places[bin];
    return (float)count / TRIED_ALL;
}

/* Whether guesses from so many steps fail next to nowhere: in no place that was tried, and what is
 * left in one of 1000, with 1.5 times as much again as lies between one of 100 and one of 1000, is
 * not more than allowed. That is less than one place of some 100,000. Tails of normal numbers would
 * be shorter, those of products are longer. */
static bool is_enough(const struct forgetting *all, int length)
{
    const uint16_t *places = all->left[length];
    const double rare = left_in(places, TRIED_ALL / 1000), usual = left_in(places, TRIED_ALL / 100);
    return share_above(places, 1) == 0 && rare + 1.5 * (rare - usual) <= 0;
}

/* The share of entries that are further off, guessed with a ring, than a last correction may move
 * them. */
static float far_share(const struct solver *s, const struct forgetting *all, bool is_recorded)
{
    const int length = (int)settle_warm_steps(s->rounding, is_recorded) / SETTLE_GUESS_EVERY - 1;
    const float stop = is_recorded ? s->limits->stop_recorded : s->limits->stop_run_again;
    return share_above(all->left[length], (double)(stop / s->tolerance));
}

/* As many steps as are enough, and one length more where these are not the usual: of cells that
 * take longer some channels take much longer, and a tile that fails costs more than the steps.
 * Where channels differ too much, all that are tried; and what is usual where these fail too often.
 */
static uint32_t guess_of(const struct settle *settle, const struct forgetting *all,
                         enum settle_rounding rounding)
{
    const uint32_t most = SETTLE_GUESSES * SETTLE_GUESS_EVERY;
    const uint32_t usual = settle_trusted_steps(rounding, 0).all;
    for (uint32_t steps = usual; steps < most; steps += SETTLE_GUESS_EVERY)
        if (is_enough(all, (int)(steps / SETTLE_GUESS_EVERY) - 1))
            return steps == usual ? steps : steps + SETTLE_GUESS_EVERY;
    return settle_missed(settle, most) < SETTLE_FEW ? most : usual;
}

/* What a solver writes to whatever it runs. */
static void make_room(struct solver *s, struct arena *arena)
{
    const size_t n = s->ir->states;
    size_t scratch = ir_program_scratch(s->step) + ir_program_scratch(s->jacobian);
    if (s->guess)
        scratch += ir_program_scratch(s->guess);
    s->scratch = floats(arena, scratch);
    s->jac = floats(arena, n * n);
    s->product = floats(arena, n * n);
    s->next = floats(arena, n);
}

/* What it writes to where it tries guesses. */
static void make_exact(struct solver *s, struct arena *arena)
{
    s->drawn = floats(arena, s->ir->params);
    s->exact.x = doubles(arena, s->ir->inputs);
    s->exact.p = doubles(arena, s->ir->params);
    s->exact.next = doubles(arena, s->ir->states);
    s->exact.scratch = doubles(arena, ir_program_scratch(s->step));
}

/* What it writes to where it solves tiles. */
static void make_tile(struct solver *s, struct arena *arena)
{
    const size_t n = s->ir->states, chunks = 256;
    for (int k = 0; k < CHANNELS; k++) {
        struct channel *c = &s->channel[k];
        c->entry = floats(arena, chunks * n);
        c->exits = floats(arena, chunks * n);
        c->tangent = floats(arena, chunks * n * n);
        c->scale = floats(arena, chunks);
        c->first = floats(arena, chunks * n);
        c->first_jac = floats(arena, chunks * n * n);
        c->peak = floats(arena, chunks);
    }
}

static void draw_channels(struct solver *s, struct arena *arena)
{
    const struct ir *ir = s->ir;
    const size_t n = ir->states, steps = WARM_UP + STEPS_MAX;
    uint64_t random = 1;
    for (int k = 0; k < CHANNELS; k++) {
        struct channel *c = &s->channel[k];
        *c = (struct channel){.x = floats(arena, steps * ir->inputs),
                              .p = floats(arena, ir->params),
                              .h0 = floats(arena, n),
                              .carry = floats(arena, n)};
        draw_role(c->p, ir, IR_ROLE_PARAM, ir->params, &random);
        for (size_t t = 0; t < steps; t++)
            draw_role(c->x + t * ir->inputs, ir, IR_ROLE_INPUT, ir->inputs, &random);
        for (uint32_t i = 0; i < ir->states; i++) {
            uint32_t element;
            c->h0[i] = (float)ir_decl_of(ir, IR_ROLE_STATE, i, &element)->initial;
        }
        memcpy(c->carry, c->h0, n * sizeof(float));
        for (int t = -WARM_UP; t < 0; t++)
            run_step(s, s->step, c->carry, inputs_at(s, c, t), c->p);
    }
}

/* Chunks of one length, in tiles of more and more. */
static void settle_row(struct solver *s, const struct structure *structure, bool has_outputs, int a,
                       struct settle_count *out)
{
    s->chunk = chunk_steps[a];
    s->is_recorded = !has_outputs && structure_record_words(structure, s->ir, (uint32_t)s->chunk,
                                                            !s->is_affine) > 0;
    const bool is_warm = !s->is_affine && forgets(s), is_rough = !s->is_affine && !is_warm;
    for (int b = 0; b < SETTLE_TILES; b++) {
        s->chunks = tile_chunks[b];
        if (s->chunk * s->chunks <= STEPS_MAX) {
            s->channels = s->chunk * s->chunks > LONG ? CHANNELS_OF_LONG : CHANNELS;
            out[b] = solve_tile(s, is_warm ? warm_steps(s) : 1, is_rough ? 2 : 1);
            out[b].rough = is_rough;
            out[b].corrections -= is_rough;
        } else {
            /* Too long to try: it grows on as before. */
            const float last = out[b - 1].corrections, before = out[b - 2].corrections;
            out[b] = out[b - 1];
            out[b].corrections =
                fminf(last > before ? last * last / before : last, (float)s->chunks);
        }
    }
}

/* A row of the table for each length of chunks, and parts that try guesses. */
struct settle_trial {
    const struct structure *structure;
    bool has_outputs;
    struct solver parts[SETTLE_PARTS];
    struct forgetting *forgetting; /* [SETTLE_GUESS_PARTS] */
};

struct settle_trial *settle_begin(const struct ir *ir, const struct structure *structure,
                                  enum settle_rounding rounding, struct arena *arena)
{
    struct settle_trial *trial = arena_array(arena, 1, sizeof *trial);
    struct solver s = {.ir = ir,
                       .limits = &limits_of[rounding],
                       .rounding = rounding,
                       .tolerance = settle_tolerance(rounding),
                       .is_affine = structure->is_affine,
                       .margin = 1};
    s.step = ir_program_create(ir, IR_MASK(IR_OUT_NEXT), arena);
    s.jacobian = ir_program_create(ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_JACOBIAN), arena);
    for (uint32_t i = 0; i < ir->states && !s.guess; i++)
        if (ir_find_out(ir, IR_OUT_GUESS, i, 0) != IR_REF_NONE)
            s.guess = ir_program_create(ir, IR_MASK(IR_OUT_GUESS), arena);
    make_room(&s, arena);
    draw_channels(&s, arena);
    trial->structure = structure;
    trial->has_outputs = ir_expression_count(ir) > 0;
    for (int part = 0; part < SETTLE_PARTS; part++) {
        trial->parts[part] = s;
        make_room(&trial->parts[part], arena);
        if (part < SETTLE_CHUNKS)
            make_tile(&trial->parts[part], arena);
        else
            make_exact(&trial->parts[part], arena);
    }
    trial->forgetting = arena_array(arena, SETTLE_GUESS_PARTS, sizeof *trial->forgetting);
    memset(trial->forgetting, 0, SETTLE_GUESS_PARTS * sizeof *trial->forgetting);
    return trial;
}

void settle_run(struct settle *out, struct settle_trial *trial, int part)
{
    struct solver *s = &trial->parts[part];
    if (part < SETTLE_CHUNKS)
        settle_row(s, trial->structure, trial->has_outputs, part, out->of[part]);
    else
        forget_all(s, &trial->forgetting[part - SETTLE_CHUNKS], part);
}

void settle_end(struct settle *out, const struct settle_trial *trial)
{
    struct forgetting all = trial->forgetting[0];
    for (int part = 1; part < SETTLE_GUESS_PARTS; part++) {
        const struct forgetting *one = &trial->forgetting[part];
        for (int i = 0; i < SETTLE_GUESSES; i++)
            for (int b = 0; b < BINS; b++)
                all.left[i][b] = (uint16_t)(all.left[i][b] + one->left[i][b]);
    }
    for (int i = 0; i < SETTLE_GUESSES; i++)
        out->missed[i] = share_above(all.left[i], 1);
    for (int r = 0; r < 2; r++)
        out->far[r] = far_share(&trial->parts[0], &all, r);
    out->guess = guess_of(out, &all, trial->parts[0].rounding);
}

static double between(double lo, double hi, double part)
{
    return lo + (hi - lo) * part;
}

static struct settle_count mixed(struct settle_count lo, struct settle_count hi, double part)
{
    return (struct settle_count){
        .rough = (float)between((double)lo.rough, (double)hi.rough, part),
        .corrections = (float)between((double)lo.corrections, (double)hi.corrections, part),
        .finals = (float)between((double)lo.finals, (double)hi.finals, part)};
}

struct settle_count settle_at(const struct settle *settle, double chunk, double chunks)
{
    /* Behind the last column it goes on as between the last two. */
    const double row = fmin(fmax(log2(chunk) - 2, 0), SETTLE_CHUNKS - 1);
    const double column = fmin(fmax((log2(chunks) - 2) / 2, 0), SETTLE_TILES);
    const int a = (int)fmin(floor(row), SETTLE_CHUNKS - 2);
    const int b = (int)fmin(floor(column), SETTLE_TILES - 2);
    if (chunks <= 1)
        return (struct settle_count){.finals = 1};
    const struct settle_count(*of)[SETTLE_TILES] = settle->of;
    return mixed(mixed(of[a][b], of[a + 1][b], row - a),
                 mixed(of[a][b + 1], of[a + 1][b + 1], row - a), column - b);
}
