/* Requires  ring_arg(), ring_shift(): the tensor of a row and its shift in time; PRNN_RING_ROWS,
 *           PRNN_S_RING, PRNN_STAGES, PRNN_TILE_STEPS, PRNN_BLOCK_CHANNELS
 * Provides  rows of sequence tensors streamed through shared memory, some tiles ahead of their use
 * Layout    s_ring [PRNN_STAGES][PRNN_TILE_STEPS][PRNN_RING_ROWS][PRNN_BLOCK_CHANNELS] of prnn_elem
 * Launch    all threads of the block call ring_issue(), in block-uniform flow */
#define PRNN_PIECE (16 / (int)sizeof(prnn_elem)) /* elements of an asynchronous copy */
#define PRNN_PIECES (PRNN_BLOCK_CHANNELS / PRNN_PIECE)
#define PRNN_RING_ELEMS (PRNN_STAGES * PRNN_TILE_STEPS * PRNN_RING_ROWS * PRNN_BLOCK_CHANNELS)

PRNN_FN prnn_i32 ring_index(prnn_i32 stage, prnn_i32 step, prnn_i32 row, prnn_i32 c)
{
    return ((stage * PRNN_TILE_STEPS + step) * PRNN_RING_ROWS + row) * PRNN_BLOCK_CHANNELS + c;
}

/* Start copying steps t0 .. t0 + PRNN_TILE_STEPS - 1 into a stage. Steps outside the sequence and
 * channels past the last become zeros. One commit group, also where there is nothing to copy. */
PRNN_FN void ring_issue(const struct prnn_launch *launch, const struct place *block, prnn_i32 stage,
                        prnn_i64 t0)
{
    PRNN_SHARED(prnn_elem, s_ring, PRNN_S_RING, PRNN_RING_ELEMS);
    if (t0 < block->length && t0 > -(prnn_i64)PRNN_TILE_STEPS) {
        if (launch->head.is_aligned) {
            PRNN_UNROLL
            for (int row = 0; row < PRNN_RING_ROWS; row++) {
                const struct prnn_arg *arg = &launch->arg[ring_arg(row)];
                PRNN_UNROLL_BY(4)
                for (prnn_i32 i = PRNN_TID; i < PRNN_TILE_STEPS * PRNN_PIECES; i += PRNN_THREADS) {
                    const prnn_i32 step = i / PRNN_PIECES, c = i % PRNN_PIECES * PRNN_PIECE;
                    const prnn_i64 t = t0 + step + ring_shift(row);
                    const int valid = t >= 0 && t < block->length &&
                                      block->channel + c < launch->head.channels;
                    const prnn_elem *g = (const prnn_elem *)arg->base +
                                         (valid ? place_offset(arg, block, t) + block->channel + c : 0);
                    PRNN_ASYNC_COPY16(s_ring, ring_index(stage, step, row, c), g, valid);
                }
            }
        } else {
            PRNN_UNROLL
            for (int row = 0; row < PRNN_RING_ROWS; row++) {
                const struct prnn_arg *arg = &launch->arg[ring_arg(row)];
                PRNN_NO_UNROLL
                for (prnn_i32 i = PRNN_TID; i < PRNN_TILE_STEPS * PRNN_BLOCK_CHANNELS;
                     i += PRNN_THREADS) {
                    const prnn_i32 step = i / PRNN_BLOCK_CHANNELS, c = i % PRNN_BLOCK_CHANNELS;
                    const prnn_i64 t = t0 + step + ring_shift(row);
                    const int valid = t >= 0 && t < block->length &&
                                      block->channel + c < launch->head.channels;
                    prnn_elem v = 0;
                    if (valid)
                        v = PRNN_GLD((const prnn_elem *)arg->base + place_offset(arg, block, t) +
                                     block->channel + c);
                    PRNN_SST(s_ring, ring_index(stage, step, row, c), v);
                }
            }
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
