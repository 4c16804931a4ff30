/* The backward pass in tiles: lambda before a step = J^T (lambda after + g) + src is affine in lambda, so one
 * reverse scan suffices. Tiles run from the last to the first. Per chunk: recompute the cell from
 * the saved states and compose the maps (skipped where a tile is one chunk), scan the compositions,
 * then run the adjoint and write the gradients of the inputs. Parameter gradients add up in
 * registers, then over the chunks of the block in a fixed order, and go to the workspace; prnn_reduce
 * (reduce_partials.h) sums those. No atomics: the same bits every time.
 *
 * Requires  backward_run.h, backward_sums.h, scan.h; a slice is a chunk
 * Provides  the kernel PRNN_ENTRY
 * Layout    s_carry [PRNN_STATES][channels]
 * Launch    place.h's grid, PRNN_THREADS threads. Chunks, and blocks of a cluster, count backwards in time */
#if PRNN_TILE_CHUNKS > 1
/* First sweep over a chunk, backwards. Where it is plain it is unrolled whole and keeps values for the second
 * sweep: they stay in registers only under constant indices. Elsewhere the second sweep computes them again. */
PRNN_FN void chunk_map(const struct chunk *k, struct affine *map, prnn_real (*saved)[PRNN_VC][PRNN_KEPT])
{
    map_begin(map);
    if (k->is_plain) {
        PRNN_UNROLL
        for (prnn_i32 s = PRNN_CHUNK - 1; s >= 0; s--)
            map_step(k, s, map, saved[s]);
    } else {
        prnn_real unused[PRNN_VC][PRNN_KEPT];
        PRNN_NO_UNROLL
        for (prnn_i32 s = k->count - 1; s >= 0; s--)
            map_step(k, s, map, unused);
    }
}

/* Second sweep, with the values that the first has kept. */
PRNN_FN void chunk_adjoint(const struct chunk *k, prnn_real (*saved)[PRNN_VC][PRNN_KEPT],
                           prnn_real (*lambda)[PRNN_N], struct sums *sums)
{
    struct targets to;
    int is_begun = 0;
    if (!k->is_plain) {
        slice_adjoint(k, lambda, sums, &to, &is_begun);
        return;
    }
    targets_begin(&to, k, k->t0, k->t0 + PRNN_CHUNK - 1);
    PRNN_UNROLL
    for (int s = PRNN_CHUNK - 1; s >= 0; s--)
        adjoint_step(k, s, s, saved[s], lambda, sums, &to, 1);
}
#endif

PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    const prnn_i64 channels = launch->head.channels;
    const struct place origin = place_of_block(&launch->head);
    const prnn_i64 stride = (prnn_i64)PRNN_TILE_STEPS * PRNN_CLUSTER;
    const prnn_i64 tiles = (origin.length + stride - 1) / stride;
    struct chunk k;
    struct sums sums;
    backward_begin(&k, launch, &origin, &sums);
    const prnn_i64 begin = (prnn_i64)(PRNN_CLUSTER - 1 - k.rank) * PRNN_TILE_STEPS;

    /* lambda: what flows into the chunk from behind; carry: into the tile. */
    prnn_real lambda[PRNN_VC][PRNN_N], carry[PRNN_VC][PRNN_N];
    final_gradient(&k, lambda);
    states_copy(carry, lambda);
    if (origin.length == 0 && k.w == 0 && k.rank == 0)
        states_copy(sums.dh0, lambda);
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks: each has begun, so that the others may write to it */
#endif
    struct ring ring;
    ring_begin(&ring, launch, &origin, (tiles - 1) * stride + begin);
    PRNN_NO_UNROLL
    for (int s = 0; s < PRNN_STAGES - 1; s++)
        ring_issue(&ring, launch, &origin, s, (tiles - 1 - s) * stride + begin, -stride);

    const int is_plain =
        launch->head.is_aligned && origin.channel + PRNN_BLOCK_CHANNELS <= channels;
    prnn_i32 stage = 0;
    PRNN_NO_UNROLL
    for (prnn_i64 tile = tiles - 1; tile >= 0; tile--) {
        PRNN_ASYNC_WAIT(PRNN_STAGES - 2);
        PRNN_BARRIER(); /* all threads: the tile has arrived, and the stage before it is read */
        ring_issue(&ring, launch, &origin, (stage + PRNN_STAGES - 1) % PRNN_STAGES,
                   (tile - (PRNN_STAGES - 1)) * stride + begin, -stride);
        const prnn_i32 chunk = PRNN_TILE_CHUNKS - 1 - k.w;
        chunk_begin(&k, tile * stride + begin + chunk * PRNN_CHUNK, PRNN_CHUNK);
        chunk_in_stage(&k, stage, chunk);
        k.is_plain = is_plain && tile * stride + begin + PRNN_TILE_STEPS <= origin.length;
#if PRNN_TILE_CHUNKS > 1
        prnn_real saved[PRNN_CHUNK][PRNN_VC][PRNN_KEPT];
        struct affine map[PRNN_VC];
#if PRNN_CLUSTER == 1
        PRNN_SHARED(prnn_real, s_carry, PRNN_S_CARRY, PRNN_N *PRNN_BLOCK_CHANNELS);
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                if (tile < tiles - 1)
                    carry[v][i] = PRNN_SLD(s_carry, i * PRNN_BLOCK_CHANNELS + k.c + v);
        }
#endif
        chunk_map(&k, map, saved);
        scan_before(k.w, k.rank, (prnn_i32)(tile & 1), k.c, map, carry, lambda);
        chunk_adjoint(&k, saved, lambda, &sums);
#if PRNN_CLUSTER == 1
        if (k.w == PRNN_TILE_CHUNKS - 1) {
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++)
                    PRNN_SST(s_carry, i * PRNN_BLOCK_CHANNELS + k.c + v, lambda[v][i]);
            }
        }
#endif
#else
        (void)carry;
        struct targets to;
        int is_begun = 0;
        slice_adjoint(&k, lambda, &sums, &to, &is_begun);
#endif
        stage = (stage + 1) % PRNN_STAGES;
    }
    PRNN_ASYNC_WAIT(0);
    sums_store(&k, &sums);
}
