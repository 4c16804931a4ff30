/* What a thread of the forward solve does with its chunk alone: run it from an entry and write; guess a state from the
 * steps before it.
 *
 * Requires  cell_step(), cell_step_outputs(), cell_step_fast(); chunk_inputs.h, rows_out.h
 * Provides  state_reset(); warm_step() and warm_steps() with PRNN_WARM_STEPS, chunk_warm_up() with PRNN_ROUGH_FIRST;
 *           with PRNN_PARTS part_step(), SHARED_PART; struct targets, final_step(), chunk_final(), chunk_final_from()
 * Launch    a thread owns chunk w and PRNN_VC channels */
PRNN_FN void state_reset(const struct chunk *k, int is_reset, int v, prnn_real *h)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        h[i] = is_reset ? k->h0[v][i] : h[i];
}

#if PRNN_WARM_STEPS
/* A state is guessed from the PRNN_WARM_STEPS steps before it alone, beginning with the initial state: what came before
 * them has faded, as far as the cell forgets so soon. They approximate. */
PRNN_FN void warm_step(const struct chunk *k, const struct step_inputs *in, prnn_real (*h)[PRNN_N])
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real next[PRNN_N];
        state_reset(k, in->is_reset, v, h[v]);
        cell_step_fast(h[v], in->x[v], k->p[v], next);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = next[i];
    }
}

/* The steps 'from' to 'to'. The reader goes on to 'end'. */
PRNN_FN void warm_steps(struct reader *reader, const struct chunk *k, prnn_i32 from, prnn_i32 to, prnn_i32 end,
                        prnn_real (*h)[PRNN_N])
{
    PRNN_NO_UNROLL
    for (prnn_i32 s = from; s < to; s += PRNN_UNROLL_STEPS) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_UNROLL_STEPS; i++) {
            struct step_inputs in;
            reader_take(reader, k, s + i, i, &in);
            warm_step(k, &in, h);
            reader_free(reader, k, s, end, PRNN_UNROLL_STEPS, i, 0);
        }
    }
}
#endif

#if PRNN_ROUGH_FIRST
/* The state that the first of them, step s, begins with; the step before s is there where chunks are longer than what
 * is run. */
PRNN_FN void warm_begin(const struct chunk *k, prnn_i32 s, prnn_real (*h)[PRNN_N])
{
    states_initial(k, h);
    if (PRNN_CHUNK > PRNN_WARM_STEPS) {
        struct step_inputs in;
        inputs_load(&in, k, s - 1);
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            cell_guess(k->h0[v], in.x[v], k->p[v], h[v]);
    }
}

/* The exit of a whole chunk, guessed from its last steps. */
PRNN_FN void chunk_warm_up(const struct chunk *k, prnn_real (*h)[PRNN_N])
{
    const prnn_i32 begin = PRNN_CHUNK - PRNN_WARM_STEPS;
    struct reader reader;
    reader_begin(&reader, k, begin, PRNN_UNROLL_STEPS, 0);
    warm_begin(k, begin, h);
    warm_steps(&reader, k, begin, PRNN_CHUNK, PRNN_CHUNK, h);
}
#endif

/* Where the thread writes. */
struct targets {
    struct row_out state[PRNN_N], output[PRNN_OUTPUTS + 1];
};

/* From step s of the chunk on. */
PRNN_FN void targets_begin(struct targets *to, const struct chunk *k, prnn_i32 s)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        if (PRNN_STATE_WRITTEN >> i & 1)
            row_out_begin(&to->state[i], k->launch, PRNN_ARG_H + i, &k->at, k->t0 + s);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++)
        row_out_begin(&to->output[i], k->launch, PRNN_ARG_Y + i, &k->at, k->t0 + s);
}

PRNN_FN void targets_move(struct targets *to, const struct chunk *k, int steps, int is_plain)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        if (PRNN_STATE_WRITTEN >> i & 1)
            row_out_move(&to->state[i], k->launch, PRNN_ARG_H + i, &k->at, steps, is_plain);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++)
        row_out_move(&to->output[i], k->launch, PRNN_ARG_Y + i, &k->at, steps, is_plain);
}

/* The states 'steps' steps from where the targets are. */
PRNN_FN void targets_store_states(const struct targets *to, const struct chunk *k, int steps, prnn_real (*h)[PRNN_N],
                                  int is_plain)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        if (!(PRNN_STATE_WRITTEN >> i & 1))
            continue;
        prnn_real v[PRNN_VC];
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            v[c] = h[c][i];
        row_out_store(&to->state[i], k->launch, &k->at, steps, v, is_plain);
    }
}

/* What the certificate wants to know of the states of a step. Where they are compared with a mismatch 'scale' grows to
 * the largest, NaN if one is; else it stays 0, and becomes NaN if one is not finite. */
PRNN_FN void scale_add(prnn_real *scale, const prnn_real *h)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        *scale = PRNN_TILE_CHUNKS * PRNN_CLUSTER > 1 ? real_larger_or_nan(*scale, real_abs(h[i]))
                                                     : PRNN_FMA(h[i], (prnn_real)0, *scale);
}

/* Whether it is enough to look at the last step of a chunk. */
#define PRNN_LAST_TELLS (PRNN_TILE_CHUNKS * PRNN_CLUSTER == 1 && PRNN_NONFINITE_LASTS && !PRNN_RESETS)

/* One step that writes states and outputs, 'slot' steps from where the targets are. */
PRNN_FN void final_step(const struct chunk *k, int slot, const struct step_inputs *in, prnn_real (*h)[PRNN_N],
                        prnn_real *scale, const struct targets *to, int is_plain, int is_written)
{
    prnn_real y[PRNN_VC][PRNN_OUTPUTS + 1];
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real next[PRNN_N];
        state_reset(k, in->is_reset, v, h[v]);
#if PRNN_OUTPUTS
        cell_step_outputs(h[v], in->x[v], k->p[v], next, y[v]);
#else
        cell_step(h[v], in->x[v], k->p[v], next);
        (void)y;
#endif
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = next[i];
        if (!PRNN_LAST_TELLS)
            scale_add(&scale[v], next);
    }
    if (!is_written)
        return;
    targets_store_states(to, k, slot, h, is_plain);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        prnn_real v[PRNN_VC];
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            v[c] = y[c][i];
        row_out_store(&to->output[i], k->launch, &k->at, slot, v, is_plain);
    }
}

#if PRNN_PARTS
/* Without a ring the state before each of the PRNN_PARTS parts of a chunk is kept, so that each can be run again alone.
 * Layout: s_part [PRNN_PARTS][PRNN_TILE_CHUNKS][PRNN_STATES][channels]. */
#define AT_PART(j, w, i, c) ((((j) * PRNN_TILE_CHUNKS + (w)) * PRNN_N + (i)) * PRNN_BLOCK_CHANNELS + (c))
#define SHARED_PART                                                                                \
    PRNN_SHARED(prnn_real, s_part, PRNN_S_PART, PRNN_PARTS *PRNN_TILE_CHUNKS *PRNN_N *PRNN_BLOCK_CHANNELS)

/* The first step of part j; of PRNN_PARTS the end of a chunk. */
PRNN_FN prnn_i32 part_step(prnn_i32 j)
{
    return PRNN_CHUNK / PRNN_UNROLL_STEPS * j / PRNN_PARTS * PRNN_UNROLL_STEPS;
}

PRNN_FN void part_put(const struct chunk *k, prnn_i32 j, prnn_real (*h)[PRNN_N])
{
    SHARED_PART;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            PRNN_SST(s_part, AT_PART(j, k->w, i, k->c + v), h[v][i]);
    }
}
#endif

/* Run the chunk and write states and outputs. h: the state before step 'from', at last the exit. Without a ring 'from' may be
 * before the chunk; then nothing is written there, and e becomes the entry that those steps lead to. The reader is where they
 * begin, if there are steps in groups. */
PRNN_FN void chunk_final(const struct chunk *k, prnn_i32 from, struct reader *reader, prnn_real (*e)[PRNN_N],
                         prnn_real (*h)[PRNN_N], prnn_real *scale)
{
    const prnn_i32 fast = chunk_fast_steps(k);
    /* Without a ring threads behind the last channel run the plain code, too. */
    const int is_inside = PRNN_STAGES || k->at.channel < k->launch->head.channels;
    struct targets to;
    struct step_inputs in;
#if PRNN_PARTS
    prnn_i32 part = 1, next_part = part_step(1);
#endif
    targets_begin(&to, k, from);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        scale[v] = 0;
    PRNN_NO_UNROLL
    for (prnn_i32 s = from; s < fast; s += PRNN_UNROLL_STEPS) {
        const int is_written = is_inside && (!PRNN_WARM_EXACT || s >= 0);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_UNROLL_STEPS; i++) {
            reader_take(reader, k, s + i, i, &in);
            final_step(k, i, &in, h, scale, &to, 1, is_written);
            reader_free(reader, k, s, fast, PRNN_UNROLL_STEPS, i, 1);
        }
        targets_move(&to, k, PRNN_UNROLL_STEPS, 1);
        if (PRNN_WARM_EXACT && s + PRNN_UNROLL_STEPS == 0) {
            states_copy(e, h);
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++)
                scale[v] = 0;
        }
#if PRNN_PARTS
        if (part < PRNN_PARTS && s + PRNN_UNROLL_STEPS == next_part) {
            part_put(k, part, h);
            next_part = part_step(++part);
        }
#endif
    }
    PRNN_NO_UNROLL
    for (prnn_i32 s = fast; s < k->count; s++) {
        inputs_load(&in, k, s);
        final_step(k, 0, &in, h, scale, &to, 0, 1);
        targets_move(&to, k, 1, 0);
    }
    if (PRNN_LAST_TELLS && k->count > 0) {
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            scale_add(&scale[v], h[v]);
    }
}

/* The same from its entry e. */
PRNN_FN void chunk_final_from(const struct chunk *k, prnn_real (*e)[PRNN_N], prnn_real (*h)[PRNN_N], prnn_real *scale)
{
    struct reader reader;
    if (chunk_fast_steps(k) > 0)
        reader_begin(&reader, k, 0, PRNN_UNROLL_STEPS, !PRNN_WARM_EXACT);
    states_copy(h, e);
    chunk_final(k, 0, &reader, e, h, scale);
}
