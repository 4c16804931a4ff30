/* Requires  ring_arg(), ring_shift(): the tensor of a row and its shift in time; PRNN_RING_ROWS,
 *           PRNN_S_RING, PRNN_STAGES, PRNN_TILE_STEPS, PRNN_BLOCK_CHANNELS
 * Provides  rows of sequence tensors streamed through shared memory, some tiles ahead of their use
 * Layout    s_ring [PRNN_STAGES][PRNN_TILE_STEPS][PRNN_RING_ROWS][PRNN_BLOCK_CHANNELS] of prnn_elem
 * Launch    all threads of the block call ring_issue(), in block-uniform flow */
#define PRNN_PIECE (16 / (int)sizeof(prnn_elem)) /* elements of an asynchronous copy */
#define PRNN_PIECES (PRNN_BLOCK_CHANNELS / PRNN_PIECE)
/* Steps whose pieces the block copies at once: every thread has one. */
#define PRNN_STEPS_AT_ONCE (PRNN_THREADS / PRNN_PIECES)
#define PRNN_RING_ELEMS (PRNN_STAGES * PRNN_TILE_STEPS * PRNN_RING_ROWS * PRNN_BLOCK_CHANNELS)

PRNN_FN prnn_i32 ring_index(prnn_i32 stage, prnn_i32 step, prnn_i32 row, prnn_i32 c)
{
    return ((stage * PRNN_TILE_STEPS + step) * PRNN_RING_ROWS + row) * PRNN_BLOCK_CHANNELS + c;
}

/* Copy one row of a tile, 16 bytes a thread at a time. A thread keeps its channels and strides over
 * the steps, so that a copy costs one addition of the pointer. */
PRNN_FN void ring_issue_pieces(const struct prnn_launch *launch, const struct place *block,
                               prnn_i32 stage, prnn_i64 t0, int row)
{
    PRNN_SHARED(prnn_elem, s_ring, PRNN_S_RING, PRNN_RING_ELEMS);
    const struct prnn_arg *arg = &launch->arg[ring_arg(row)];
    const prnn_i32 c = PRNN_TID % PRNN_PIECES * PRNN_PIECE;
    const prnn_i32 begin = PRNN_TID / PRNN_PIECES;
    const int is_inside = block->channel + c < launch->head.channels;
    const prnn_i64 first = t0 + ring_shift(row), left = block->length - first;
    const prnn_i32 low = first < 0 ? (prnn_i32)-first : 0;
    const prnn_i32 high = !is_inside || left < 0 ? 0
                          : left < PRNN_TILE_STEPS ? (prnn_i32)left
                                                   : PRNN_TILE_STEPS;
    const prnn_elem *g = (const prnn_elem *)arg->base + place_offset(arg, block, first + begin) +
                         block->channel + c;
    const prnn_i64 stride = block->sign * arg->stride_t * PRNN_STEPS_AT_ONCE;
    const prnn_u32 span = high > low ? (prnn_u32)(high - low) : 0u;
    PRNN_UNROLL_BY(8)
    for (prnn_i32 i = 0; i < PRNN_TILE_STEPS; i += PRNN_STEPS_AT_ONCE) {
        const prnn_i32 step = begin + i;
        if (PRNN_TILE_STEPS % PRNN_STEPS_AT_ONCE == 0 || step < PRNN_TILE_STEPS)
            PRNN_ASYNC_COPY16(s_ring, ring_index(stage, step, row, c), g,
                              (prnn_u32)(step - low) < span);
        g += stride;
    }
}

/* The same for rows that do not start at 16 bytes: element by element, and at once. */
PRNN_FN void ring_issue_elements(const struct prnn_launch *launch, const struct place *block,
                                 prnn_i32 stage, prnn_i64 t0, int row)
{
    PRNN_SHARED(prnn_elem, s_ring, PRNN_S_RING, PRNN_RING_ELEMS);
    const struct prnn_arg *arg = &launch->arg[ring_arg(row)];
    PRNN_NO_UNROLL
    for (prnn_i32 i = PRNN_TID; i < PRNN_TILE_STEPS * PRNN_BLOCK_CHANNELS; i += PRNN_THREADS) {
        const prnn_i32 step = i / PRNN_BLOCK_CHANNELS, c = i % PRNN_BLOCK_CHANNELS;
        const prnn_i64 t = t0 + step + ring_shift(row);
        prnn_elem v = 0;
        if (t >= 0 && t < block->length && block->channel + c < launch->head.channels)
            v = PRNN_GLD((const prnn_elem *)arg->base + place_offset(arg, block, t) +
                         block->channel + c);
        PRNN_SST(s_ring, ring_index(stage, step, row, c), v);
    }
}

/* Start copying steps t0 .. t0 + PRNN_TILE_STEPS - 1 into a stage. Steps outside the sequence and
 * channels past the last become zeros. One commit group, also where there is nothing to copy. */
PRNN_FN void ring_issue(const struct prnn_launch *launch, const struct place *block, prnn_i32 stage,
                        prnn_i64 t0)
{
    if (t0 < block->length && t0 > -(prnn_i64)PRNN_TILE_STEPS) {
        if (launch->head.is_aligned) {
            PRNN_UNROLL
            for (int row = 0; row < PRNN_RING_ROWS; row++)
                ring_issue_pieces(launch, block, stage, t0, row);
        } else {
            PRNN_UNROLL
            for (int row = 0; row < PRNN_RING_ROWS; row++)
                ring_issue_elements(launch, block, stage, t0, row);
        }
    }
    PRNN_ASYNC_COMMIT();
}

/* The PRNN_VC neighbouring channels of a thread from one row. */
PRNN_FN void ring_load(prnn_real *v, prnn_i32 stage, prnn_i32 step, prnn_i32 row, prnn_i32 c)
{
    PRNN_SHARED(prnn_elem, s_ring, PRNN_S_RING, PRNN_RING_ELEMS);
#if PRNN_VC == 2
    prnn_elem v0, v1;
    PRNN_SLD2(s_ring, ring_index(stage, step, row, c), v0, v1);
    v[0] = (prnn_real)PRNN_TO_REAL(v0);
    v[1] = (prnn_real)PRNN_TO_REAL(v1);
#else
    v[0] = (prnn_real)PRNN_TO_REAL(PRNN_SLD(s_ring, ring_index(stage, step, row, c)));
#endif
}

/* Write the PRNN_VC channels of a thread to step t of a sequence tensor. */
PRNN_FN void ring_store(const struct prnn_launch *launch, int a, const struct place *mine, prnn_i64 t,
                        const prnn_real *v)
{
    const struct prnn_arg *arg = &launch->arg[a];
    prnn_elem *g = (prnn_elem *)arg->base + place_offset(arg, mine, t) + mine->channel;
#if PRNN_VC == 2
    if (launch->head.is_aligned) {
        if (mine->channel < launch->head.channels)
            PRNN_GST2(g, PRNN_TO_ELEM(v[0]), PRNN_TO_ELEM(v[1]));
        return;
    }
    if (mine->channel + 1 < launch->head.channels)
        PRNN_GST(g + 1, PRNN_TO_ELEM(v[1]));
#endif
    if (mine->channel < launch->head.channels)
        PRNN_GST(g, PRNN_TO_ELEM(v[0]));
}
