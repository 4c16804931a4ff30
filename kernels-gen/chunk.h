/* A chunk: the steps of a tile that one thread runs.
 *
 * Requires  ring.h; PRNN_UNROLL_STEPS divides PRNN_CHUNK
 * Provides  struct chunk, chunk_begin(), chunk_parameters(), chunk_in_stage(), chunk_fast_steps(), chunk_is_real(); states_copy(), states_initial(), residual(),
 *           larger_size(), states_gap()
 * Launch    a thread owns a chunk and PRNN_VC channels */
#define PRNN_N PRNN_STATES

/* What a thread knows about its chunk of the current tile. */
struct chunk {
    const struct prnn_launch *launch;
    struct place at;  /* first channel of this thread */
    prnn_i64 t0;      /* first step */
    prnn_i32 count;   /* steps inside the sequence, 0 .. PRNN_CHUNK */
    prnn_i32 base;    /* of its rows in the ring */
    prnn_i32 common;  /* ... of what is one for all channels */
    prnn_i32 c;       /* first channel within the block */
    prnn_i32 w, rank; /* chunk of the block, block of the cluster, in the order of the scan */
    /* With a ring: rows start at 16 bytes, and all channels and steps of the thread block's part of the tile are there.
     * Without: steps are less than 2 GiB apart, and pairs of channels start at a multiple of their size. */
    int is_plain;
    prnn_real p[PRNN_VC][PRNN_PARAMS + 1];
    prnn_real h0[PRNN_VC][PRNN_N];
};

/* Begin with step t0; a whole chunk has 'steps'. */
PRNN_FN void chunk_begin(struct chunk *k, prnn_i64 t0, prnn_i32 steps)
{
    const prnn_i64 left = k->at.length - t0;
    k->t0 = t0;
    k->count = left < 0 ? 0 : left < steps ? (prnn_i32)left : steps;
}

PRNN_FN void chunk_parameters(struct chunk *k)
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        const int is_inside = k->at.channel + v < k->launch->head.channels;
        PRNN_UNROLL
        for (int j = 0; j < PRNN_PARAMS; j++)
            k->p[v][j] = is_inside ? place_param(k->launch, j, k->at.channel + v) : (prnn_real)0;
    }
}

/* The rows of chunk w of the block, of these steps, are in a stage of the ring. */
PRNN_FN void chunk_in_stage(struct chunk *k, prnn_i32 stage, prnn_i32 w)
{
    k->base = ring_chunk(stage, w, k->c);
    k->common = ring_common(stage, w);
}

/* The steps of the chunk, from its first, that are run in groups of PRNN_UNROLL_STEPS; the others one by one. */
PRNN_FN prnn_i32 chunk_fast_steps(const struct chunk *k)
{
    if (!k->is_plain)
        return 0;
    return PRNN_STAGES ? PRNN_CHUNK : k->count / PRNN_UNROLL_STEPS * PRNN_UNROLL_STEPS;
}

/* Threads behind the last channel and chunks behind the last step compute as the others do, but nobody waits for
 * them. */
PRNN_FN int chunk_is_real(const struct chunk *k, int v)
{
    return k->count > 0 && k->at.channel + v < k->launch->head.channels;
}

PRNN_FN void states_copy(prnn_real (*to)[PRNN_N], prnn_real (*from)[PRNN_N])
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            to[v][i] = from[v][i];
    }
}

PRNN_FN void states_initial(const struct chunk *k, prnn_real (*h)[PRNN_N])
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = k->h0[v][i];
    }
}

/* The difference of two states that should be one; exact where they are equal. */
PRNN_FN prnn_real residual(prnn_real found, prnn_real wanted)
{
    return real_is_same(found, wanted) ? (prnn_real)0 : found - wanted;
}

/* The larger of two sizes; a NaN counts as the largest. */
PRNN_FN prnn_real larger_size(prnn_real size, prnn_real v)
{
    return real_larger_or_nan(size, real_abs(v));
}

/* The largest difference of two states of a channel. */
PRNN_FN prnn_real states_gap(const prnn_real *a, const prnn_real *b)
{
    prnn_real gap = 0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        gap = larger_size(gap, residual(a[i], b[i]));
    return gap;
}
