/* The run of a chunk that remembers its steps, to move them by a correction instead of running the chunk again.
 *
 * Requires  chunk_run.h and what it requires; PRNN_RECORDED: chunks are short enough to keep every step in registers
 * Provides  struct record, chunk_record(), record_correct(), record_scale(), record_store()
 * Launch    as chunk_run.h */
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
    warm_begin(ahead, PRNN_CHUNK - PRNN_WARM_STEPS, guess);
#else
    (void)ahead;
    (void)guess;
#endif
    PRNN_UNROLL
    for (prnn_i32 s = 0; s < PRNN_CHUNK; s++) {
        struct step_inputs in;
        inputs_load(&in, k, s);
        tangent_step(k, &in, h, d, 0);
#if PRNN_WARM_AHEAD
        if (s >= PRNN_CHUNK - PRNN_WARM_STEPS) {
            inputs_load(&in, ahead, s);
            warm_step(ahead, &in, guess);
        }
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
    targets_begin(&to, k, 0);
    if (k->is_plain) {
        PRNN_UNROLL
        for (int s = 0; s < PRNN_CHUNK; s++)
            targets_store_states(&to, k, s, record->h[s], 1);
    } else {
        PRNN_UNROLL
        for (int s = 0; s < PRNN_CHUNK; s++) {
            targets_store_states(&to, k, 0, record->h[s], 0);
            targets_move(&to, k, 1, 0);
        }
    }
}
#endif
