/* Requires  ring_arg(), ring_shift(): the tensor of a row and its shift in time; ring_common_arg(): that of an input
 *           which is one for all channels; PRNN_RING_ROWS, PRNN_RING_COMMON, PRNN_RING_PAD, PRNN_S_RING,
 *           PRNN_S_COMMON, PRNN_STAGES, PRNN_TILE_CHUNKS, PRNN_CHUNK, PRNN_SLICE, PRNN_BLOCK_CHANNELS
 * Provides  rows of sequence tensors streamed through shared memory ahead of their use. A stage holds a slice of
 *           each chunk: the whole of it, PRNN_SLICE is PRNN_CHUNK, or a part, and then the steps of a stage are
 *           not neighbours in time
 * Layout    s_ring [PRNN_STAGES][PRNN_TILE_CHUNKS] of [PRNN_SLICE][PRNN_RING_ROWS][PRNN_BLOCK_CHANNELS] and
 *           PRNN_RING_PAD, prnn_elem; with the padding the chunks of a warp lie in different banks.
 *           s_common [PRNN_STAGES][PRNN_TILE_CHUNKS][PRNN_SLICE][PRNN_RING_COMMON]
 * Launch    all threads of the block call ring_begin() and ring_issue(), in block-uniform flow */
#define PRNN_PIECE (16 / (int)sizeof(prnn_elem)) /* elements of an asynchronous copy */
#define PRNN_PIECES (PRNN_BLOCK_CHANNELS / PRNN_PIECE)
/* Steps whose pieces the block copies at once: every thread has one. */
#define PRNN_STEPS_AT_ONCE (PRNN_THREADS / PRNN_PIECES)
/* ... and how far in time the next piece of a thread is. In slices the count of steps at once is a multiple of theirs. */
#define PRNN_RING_HOP                                                                              \
    (PRNN_SLICE == PRNN_CHUNK ? PRNN_STEPS_AT_ONCE : PRNN_STEPS_AT_ONCE / PRNN_SLICE * PRNN_CHUNK)
#define PRNN_RING_STEP (PRNN_RING_ROWS * PRNN_BLOCK_CHANNELS)
#define PRNN_RING_CHUNK (PRNN_SLICE * PRNN_RING_STEP + PRNN_RING_PAD)
#define PRNN_RING_STAGE (PRNN_TILE_CHUNKS * PRNN_RING_CHUNK)
#define PRNN_RING_ELEMS (PRNN_STAGES * PRNN_RING_STAGE)
#define PRNN_RING_STEPS (PRNN_TILE_CHUNKS * PRNN_SLICE) /* of a stage */
#define PRNN_RING_SPAN ((PRNN_TILE_CHUNKS - 1) * PRNN_CHUNK + PRNN_SLICE) /* from the first of them to the last */
#define SHARED_RING PRNN_SHARED(prnn_elem, s_ring, PRNN_S_RING, PRNN_RING_ELEMS)

#define PRNN_COMMON_STAGE (PRNN_RING_STEPS * PRNN_RING_COMMON)
#define SHARED_COMMON PRNN_SHARED(prnn_elem, s_common, PRNN_S_COMMON, PRNN_STAGES *PRNN_COMMON_STAGE)

/* Where this thread reads next, per row: its first piece of the next stage to be issued. */
struct ring {
    const prnn_elem *g[PRNN_RING_ROWS + 1];
};

/* How far the steps of a stage are behind its first in time. */
PRNN_FN prnn_i32 ring_time(prnn_i32 step)
{
    return PRNN_SLICE == PRNN_CHUNK ? step : step / PRNN_SLICE * PRNN_CHUNK + step % PRNN_SLICE;
}

/* The first stage begins at step t0. */
PRNN_FN void ring_begin(struct ring *ring, const struct prnn_launch *launch, const struct place *block,
                        prnn_i64 t0)
{
    PRNN_UNROLL
    for (int row = 0; row < PRNN_RING_ROWS; row++) {
        const struct prnn_arg *arg = &launch->arg[ring_arg(row)];
        ring->g[row] = (const prnn_elem *)arg->base + block->channel +
                       place_offset(arg, block, t0 + ring_shift(row) + ring_time(PRNN_TID / PRNN_PIECES)) +
                       PRNN_TID % PRNN_PIECES * PRNN_PIECE;
    }
}

#if PRNN_RING_ROWS
/* One row of a stage, 16 bytes a thread at a time; a thread keeps its channels and strides over the steps. Steps
 * from 'low' to 'high' in time are copied, the others become zeros. */
PRNN_FN void ring_issue_pieces(const prnn_elem *g, prnn_i64 hop, prnn_i32 stage, int row, int is_whole,
                               prnn_i32 low, prnn_i32 high)
{
    SHARED_RING;
    const prnn_i32 begin = PRNN_TID / PRNN_PIECES;
    const prnn_i32 to = stage * PRNN_RING_STAGE + begin * PRNN_RING_STEP + row * PRNN_BLOCK_CHANNELS +
                        PRNN_TID % PRNN_PIECES * PRNN_PIECE;
    PRNN_UNROLL_BY(8)
    for (prnn_i32 i = 0; i < PRNN_RING_STEPS; i += PRNN_STEPS_AT_ONCE) {
        const prnn_i32 step = begin + i;
        /* The two counts divide each other as a rule: then the quotients add, and i is a constant. */
        const prnn_i32 chunk =
            PRNN_STEPS_AT_ONCE % PRNN_SLICE == 0 || PRNN_SLICE % PRNN_STEPS_AT_ONCE == 0
                ? begin / PRNN_SLICE + i / PRNN_SLICE
                : step / PRNN_SLICE;
        if (PRNN_RING_STEPS % PRNN_STEPS_AT_ONCE == 0 || step < PRNN_RING_STEPS)
            PRNN_ASYNC_COPY16(s_ring, to + i * PRNN_RING_STEP + chunk * PRNN_RING_PAD, g,
                              is_whole || (ring_time(step) >= low && ring_time(step) < high));
        g += hop;
    }
}

/* The same for rows that do not start at 16 bytes: element by element, and at once. */
PRNN_FN void ring_issue_elements(const struct prnn_launch *launch, const struct place *block,
                                 prnn_i32 stage, prnn_i64 t0)
{
    SHARED_RING;
    PRNN_NO_UNROLL
    for (prnn_i32 i = PRNN_TID; i < PRNN_RING_STEPS * PRNN_RING_STEP; i += PRNN_THREADS) {
        const prnn_i32 step = i / PRNN_RING_STEP, row = i / PRNN_BLOCK_CHANNELS % PRNN_RING_ROWS,
                       c = i % PRNN_BLOCK_CHANNELS;
        const struct prnn_arg *arg = &launch->arg[ring_arg(row)];
        const prnn_i64 t = t0 + ring_time(step) + ring_shift(row);
        prnn_elem v = 0;
        if (t >= 0 && t < block->length && block->channel + c < launch->head.channels)
            v = PRNN_GLD((const prnn_elem *)arg->base + place_offset(arg, block, t) +
                         block->channel + c);
        PRNN_SST(s_ring, stage * PRNN_RING_STAGE + step / PRNN_SLICE * PRNN_RING_PAD + i, v);
    }
}
#endif

#if PRNN_RING_COMMON
/* What is one for all channels: an element a step. */
PRNN_FN void ring_issue_common(const struct prnn_launch *launch, const struct place *block, prnn_i32 stage, prnn_i64 t0)
{
    SHARED_COMMON;
    PRNN_NO_UNROLL
    for (prnn_i32 step = PRNN_TID; step < PRNN_RING_STEPS; step += PRNN_THREADS) {
        const prnn_i64 t = t0 + ring_time(step);
        const prnn_i32 to = stage * PRNN_COMMON_STAGE + step * PRNN_RING_COMMON;
        PRNN_UNROLL
        for (int row = 0; row < PRNN_RING_COMMON; row++) {
            const struct prnn_arg *arg = &launch->arg[ring_common_arg(row)];
            PRNN_ASYNC_COPY_ELEM(s_common, to + row, (const prnn_elem *)arg->base + place_offset(arg, block, t),
                                 t >= 0 && t < block->length);
        }
    }
}
#endif

/* Start copying the steps from t0 on into a stage; stages follow each other 'stride' steps apart.
 * Steps outside the sequence and channels past the last become zeros. One commit group, also where there is
 * nothing to copy. */
PRNN_FN void ring_issue(struct ring *ring, const struct prnn_launch *launch, const struct place *block,
                        prnn_i32 stage, prnn_i64 t0, prnn_i64 stride)
{
#if PRNN_RING_ROWS
    if (!launch->head.is_aligned) {
        ring_issue_elements(launch, block, stage, t0);
    } else if (t0 > 0 && t0 + PRNN_RING_SPAN <= block->length &&
               block->channel + PRNN_BLOCK_CHANNELS <= launch->head.channels) {
        PRNN_UNROLL
        for (int row = 0; row < PRNN_RING_ROWS; row++)
            ring_issue_pieces(ring->g[row],
                              place_sign(block) * launch->arg[ring_arg(row)].stride_t * PRNN_RING_HOP,
                              stage, row, 1, 0, 0);
    } else {
        const int is_inside =
            block->channel + PRNN_TID % PRNN_PIECES * PRNN_PIECE < launch->head.channels;
        PRNN_UNROLL
        for (int row = 0; row < PRNN_RING_ROWS; row++) {
            const prnn_i64 first = t0 + ring_shift(row), left = block->length - first;
            ring_issue_pieces(ring->g[row],
                              place_sign(block) * launch->arg[ring_arg(row)].stride_t * PRNN_RING_HOP,
                              stage, row, 0, first < 0 ? (prnn_i32)-first : 0,
                              !is_inside              ? 0
                              : left < PRNN_RING_SPAN ? (prnn_i32)left
                                                      : PRNN_RING_SPAN);
        }
    }
    PRNN_UNROLL
    for (int row = 0; row < PRNN_RING_ROWS; row++)
        ring->g[row] += place_sign(block) * launch->arg[ring_arg(row)].stride_t * stride;
#else
    (void)ring;
    (void)launch;
    (void)block;
    (void)stage;
    (void)t0;
    (void)stride;
#endif
#if PRNN_RING_COMMON
    ring_issue_common(launch, block, stage, t0);
#endif
    PRNN_ASYNC_COMMIT();
}

/* Where the rows of chunk w stand for channel c of the block. */
PRNN_FN prnn_i32 ring_chunk(prnn_i32 stage, prnn_i32 w, prnn_i32 c)
{
    return stage * PRNN_RING_STAGE + w * PRNN_RING_CHUNK + c;
}

/* Where its elements that are one for all channels stand. */
PRNN_FN prnn_i32 ring_common(prnn_i32 stage, prnn_i32 w)
{
    return stage * PRNN_COMMON_STAGE + w * PRNN_SLICE * PRNN_RING_COMMON;
}

/* The PRNN_VC neighbouring channels of a thread from a row of step s of the chunk at 'base'. */
PRNN_FN void ring_load(prnn_real *v, prnn_i32 base, prnn_i32 s, prnn_i32 row)
{
    SHARED_RING;
    const prnn_i32 at = base + s * PRNN_RING_STEP + row * PRNN_BLOCK_CHANNELS;
#if PRNN_VC == 2
    prnn_elem v0, v1;
    PRNN_SLD2(s_ring, at, v0, v1);
    v[0] = (prnn_real)PRNN_TO_REAL(v0);
    v[1] = (prnn_real)PRNN_TO_REAL(v1);
#else
    v[0] = (prnn_real)PRNN_TO_REAL(PRNN_SLD(s_ring, at));
#endif
}

/* Element 'row' of those that are one for all channels, of step s of the chunk at 'common'. */
PRNN_FN prnn_real ring_load_common(prnn_i32 common, prnn_i32 s, prnn_i32 row)
{
    SHARED_COMMON;
    return (prnn_real)PRNN_TO_REAL(PRNN_SLD(s_common, common + s * PRNN_RING_COMMON + row));
}
