/* What a thread of the forward solve does with its chunk alone: run it from an entry, with the tangent or
 * with what it writes.
 *
 * Requires  cell_step(), cell_step_outputs(), cell_jacobian(), their _fast forms; place.h, affine.h, ring.h,
 *           rows_out.h; PRNN_RECORDED: chunks are short enough to keep every step in registers
 * Provides  struct chunk, chunk_tangent(), chunk_warm_up(), chunk_final(); struct record, chunk_record(),
 *           record_correct(), record_scale(), record_store()
 * Launch    a thread owns chunk w and PRNN_VC channels */
#define PRNN_N PRNN_STATES

/* What a thread knows about its chunk of the current tile. */
struct chunk {
    const struct prnn_launch *launch;
    struct place at;  /* first channel of this thread */
    prnn_i64 t0;      /* first step */
    prnn_i32 count;   /* steps inside the sequence, 0 .. PRNN_CHUNK */
    prnn_i32 base;    /* of its rows in the ring */
    prnn_i32 c;       /* first channel within the block */
    prnn_i32 w, rank; /* chunk of the block; block of the cluster */
    int is_plain;     /* rows_out.h; and all steps of the thread block's part of the tile are there */
    prnn_real p[PRNN_VC][PRNN_PARAMS + 1];
    prnn_real h0[PRNN_VC][PRNN_N];
};

/* Inputs of step s of the chunk. */
PRNN_FN void chunk_inputs(const struct chunk *k, prnn_i32 s, prnn_real (*x)[PRNN_INPUTS + 1])
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        prnn_real v[PRNN_VC];
        if (cell_input_is_shared(i)) {
            const prnn_real one = place_load(k->launch, PRNN_ARG_X + i, &k->at, k->t0 + s, 0);
            PRNN_UNROLL
            for (int c = 0; c < PRNN_VC; c++)
                v[c] = one;
        } else {
            ring_load(v, k->base, s, cell_input_row(i));
        }
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            x[c][i] = v[c];
    }
}

PRNN_FN int chunk_is_reset(const struct chunk *k, prnn_i32 s)
{
#if PRNN_RESETS
    return place_is_reset(&k->launch->head, &k->at, k->t0 + s);
#else
    (void)k;
    (void)s;
    return 0;
#endif
}

/* A reset: the state before the step is the initial one. */
PRNN_FN void state_reset(const struct chunk *k, int is_reset, int v, prnn_real *h)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        h[i] = is_reset ? k->h0[v][i] : h[i];
}

/* One step with its tangent, d <- J d. */
PRNN_FN void tangent_step(const struct chunk *k, prnn_i32 s, prnn_real (*h)[PRNN_N],
                          prnn_real (*d)[PRNN_MATRIX], int is_fast)
{
    prnn_real x[PRNN_VC][PRNN_INPUTS + 1];
    chunk_inputs(k, s, x);
    const int is_reset = chunk_is_reset(k, s);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real jac[PRNN_MATRIX], next[PRNN_N];
        state_reset(k, is_reset, v, h[v]);
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++)
            d[v][ij] = is_reset ? (prnn_real)0 : d[v][ij];
        if (is_fast)
            cell_jacobian_fast(h[v], x[v], k->p[v], next, jac);
        else
            cell_jacobian(h[v], x[v], k->p[v], next, jac);
        affine_advance(d[v], jac);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = next[i];
    }
}

/* Run the chunk from h, with the tangent d = d exit / d entry. */
PRNN_FN void chunk_tangent(const struct chunk *k, prnn_real (*h)[PRNN_N], prnn_real (*d)[PRNN_MATRIX],
                           int is_fast)
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        affine_identity(d[v]);
    if (k->is_plain) {
        PRNN_UNROLL_BY(PRNN_UNROLL_STEPS)
        for (prnn_i32 s = 0; s < PRNN_CHUNK; s++)
            tangent_step(k, s, h, d, is_fast);
    } else {
        PRNN_NO_UNROLL
        for (prnn_i32 s = 0; s < k->count; s++)
            tangent_step(k, s, h, d, is_fast);
    }
}

#if PRNN_ROUGH_FIRST
/* From the initial state, the exit of a whole chunk by its last PRNN_WARM_STEPS steps alone and approximately: what
 * came before them has faded, as far as the cell forgets so soon. */
PRNN_FN void warm_begin(const struct chunk *k, prnn_real (*h)[PRNN_N])
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = k->h0[v][i];
    }
    if (PRNN_CHUNK > PRNN_WARM_STEPS) {
        prnn_real x[PRNN_VC][PRNN_INPUTS + 1];
        chunk_inputs(k, PRNN_CHUNK - PRNN_WARM_STEPS - 1, x);
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            cell_guess(k->h0[v], x[v], k->p[v], h[v]);
    }
}

PRNN_FN void warm_step(const struct chunk *k, prnn_i32 s, prnn_real (*h)[PRNN_N])
{
    prnn_real x[PRNN_VC][PRNN_INPUTS + 1];
    chunk_inputs(k, s, x);
    const int is_reset = chunk_is_reset(k, s);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real next[PRNN_N];
        state_reset(k, is_reset, v, h[v]);
        cell_step_fast(h[v], x[v], k->p[v], next);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = next[i];
    }
}

PRNN_FN void chunk_warm_up(const struct chunk *k, prnn_real (*h)[PRNN_N])
{
    warm_begin(k, h);
    PRNN_UNROLL_BY(PRNN_UNROLL_STEPS)
    for (prnn_i32 s = PRNN_CHUNK - PRNN_WARM_STEPS; s < PRNN_CHUNK; s++)
        warm_step(k, s, h);
}
#endif

/* Where the thread writes: one pointer a tensor, moved on step by step. */
struct targets {
    prnn_elem *state[PRNN_N], *output[PRNN_OUTPUTS + 1];
};

PRNN_FN void targets_begin(struct targets *to, const struct chunk *k)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        if (PRNN_STATE_WRITTEN >> i & 1)
            to->state[i] = row_out(k->launch, PRNN_ARG_H + i, &k->at, k->t0);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++)
        to->output[i] = row_out(k->launch, PRNN_ARG_Y + i, &k->at, k->t0);
}

PRNN_FN void targets_store_states(struct targets *to, const struct chunk *k, prnn_real (*h)[PRNN_N],
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
        row_out_store(k->launch, &k->at, to->state[i], v, is_plain);
        to->state[i] += row_out_hop(k->launch, PRNN_ARG_H + i, &k->at);
    }
}

/* One step that writes states and outputs. 'scale' grows to the largest state met; NaN if one is NaN. */
PRNN_FN void final_step(const struct chunk *k, prnn_i32 s, prnn_real (*h)[PRNN_N], prnn_real *scale,
                        struct targets *to, int is_plain)
{
    prnn_real x[PRNN_VC][PRNN_INPUTS + 1], y[PRNN_VC][PRNN_OUTPUTS + 1];
    chunk_inputs(k, s, x);
    const int is_reset = chunk_is_reset(k, s);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real next[PRNN_N];
        state_reset(k, is_reset, v, h[v]);
#if PRNN_OUTPUTS
        cell_step_outputs(h[v], x[v], k->p[v], next, y[v]);
#else
        cell_step(h[v], x[v], k->p[v], next);
        (void)y;
#endif
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            h[v][i] = next[i];
            scale[v] = real_larger_or_nan(scale[v], real_abs(next[i]));
        }
    }
    targets_store_states(to, k, h, is_plain);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        prnn_real v[PRNN_VC];
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            v[c] = y[c][i];
        row_out_store(k->launch, &k->at, to->output[i], v, is_plain);
        to->output[i] += row_out_hop(k->launch, PRNN_ARG_Y + i, &k->at);
    }
}

/* Run the chunk from h and write states and outputs. */
PRNN_FN void chunk_final(const struct chunk *k, prnn_real (*h)[PRNN_N], prnn_real *scale)
{
    struct targets to;
    targets_begin(&to, k);
    if (k->is_plain) {
        PRNN_UNROLL_BY(PRNN_UNROLL_STEPS)
        for (prnn_i32 s = 0; s < PRNN_CHUNK; s++)
            final_step(k, s, h, scale, &to, 1);
    } else {
        PRNN_NO_UNROLL
        for (prnn_i32 s = 0; s < k->count; s++)
            final_step(k, s, h, scale, &to, 0);
    }
}

#if PRNN_RECORDED
/* States and tangents after every step of a whole chunk, under constant indices and so in registers. The tangents as
 * halves, two in a word, where they would take too many: they are to give a move of at most 1e-3 of the state, of
 * which 2^-11 is four roundings of it in single precision, and mostly a small part of that. */
struct record {
    prnn_real h[PRNN_CHUNK][PRNN_VC][PRNN_N];
#if PRNN_RECORD_HALVES
    prnn_u32 d[PRNN_VC][(PRNN_CHUNK * PRNN_MATRIX + 1) / 2];
#else
    prnn_real d[PRNN_VC][PRNN_CHUNK * PRNN_MATRIX];
#endif
};

/* Keep tangents in order of their place: the first of a pair waits as it is for the second. */
PRNN_FN void record_put(struct record *record, int v, int place, prnn_real d)
{
#if PRNN_RECORD_HALVES
    prnn_u32 *word = &record->d[v][place / 2];
    *word = place % 2 ? prnn_f32_to_halves(PRNN_F32(*word), d) : PRNN_BITS32(d);
#else
    record->d[v][place] = d;
#endif
}

PRNN_FN prnn_real record_get(const struct record *record, int v, int place)
{
#if PRNN_RECORD_HALVES
    const prnn_u32 word = record->d[v][place / 2];
    if (place % 2 == 0 && place + 1 == PRNN_CHUNK * PRNN_MATRIX)
        return PRNN_F32(word);
    return prnn_f16_to_f32((unsigned short)(place % 2 ? word >> 16 : word & 0xffffu));
#else
    return record->d[v][place];
#endif
}

/* chunk_tangent() that remembers. With PRNN_WARM_AHEAD the exit of another chunk, 'ahead', is guessed between the
 * steps of this one: two chains of operations that do not wait for each other. */
PRNN_FN void chunk_record(const struct chunk *k, prnn_real (*h)[PRNN_N], prnn_real (*d)[PRNN_MATRIX],
                          struct record *record, const struct chunk *ahead, prnn_real (*guess)[PRNN_N])
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        affine_identity(d[v]);
#if PRNN_WARM_AHEAD
    warm_begin(ahead, guess);
#else
    (void)ahead;
    (void)guess;
#endif
    PRNN_UNROLL
    for (prnn_i32 s = 0; s < PRNN_CHUNK; s++) {
        tangent_step(k, s, h, d, 0);
#if PRNN_WARM_AHEAD
        if (s >= PRNN_CHUNK - PRNN_WARM_STEPS)
            warm_step(ahead, s, guess);
#endif
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                record->h[s][v][i] = h[v][i];
            PRNN_UNROLL
            for (int ij = 0; ij < PRNN_MATRIX; ij++)
                record_put(record, v, s * PRNN_MATRIX + ij, d[v][ij]);
        }
    }
}

/* Add what 'delta', a change of the entry, does in first order. Returns the largest change, and scale the largest
 * state, NaN where one is not known. */
PRNN_FN prnn_real record_correct(struct record *record, int v, const prnn_real *delta, prnn_real *scale)
{
    prnn_real move = 0;
    *scale = 0;
    PRNN_UNROLL
    for (prnn_i32 s = 0; s < PRNN_CHUNK; s++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            prnn_real step = 0;
            PRNN_UNROLL
            for (int j = 0; j < PRNN_N; j++)
                if (affine_closed(i, j))
                    step = PRNN_FMA(record_get(record, v, s * PRNN_MATRIX + i * PRNN_N + j), delta[j],
                                    step);
            move = real_larger_or_nan(move, real_abs(step));
            record->h[s][v][i] += step;
            *scale = real_larger_or_nan(*scale, real_abs(record->h[s][v][i]));
        }
    }
    return move;
}

/* The largest state as it is. */
PRNN_FN prnn_real record_scale(const struct record *record, int v)
{
    prnn_real scale = 0;
    PRNN_UNROLL
    for (prnn_i32 s = 0; s < PRNN_CHUNK; s++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            scale = real_larger_or_nan(scale, real_abs(record->h[s][v][i]));
    }
    return scale;
}

PRNN_FN void record_store(const struct chunk *k, struct record *record)
{
    struct targets to;
    targets_begin(&to, k);
    if (k->is_plain) {
        PRNN_UNROLL
        for (prnn_i32 s = 0; s < PRNN_CHUNK; s++)
            targets_store_states(&to, k, record->h[s], 1);
    } else {
        PRNN_UNROLL
        for (prnn_i32 s = 0; s < PRNN_CHUNK; s++)
            targets_store_states(&to, k, record->h[s], 0);
    }
}
#endif
