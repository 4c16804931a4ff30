/* The forward solve, tile by tile: PRNN_CLUSTER * PRNN_TILE_CHUNKS chunks of PRNN_CHUNK steps are solved at once, by Newton's
 * method, without a ring from guesses first; the exit of the last chunk is the exact entry of the next tile.
 *
 * Requires  tile_newton.h or, without a ring, tile_guess.h, and what they require; block_report.h
 * Provides  the kernel PRNN_ENTRY
 * Layout    as tile.h; the entry of the first chunk of the first block is that of the next tile
 * Launch    place.h's grid, PRNN_THREADS = PRNN_LANES * PRNN_TILE_CHUNKS threads */
/* Many parameters are read for each tile, so that they need no registers while lanes run. */
#define PRNN_PARAMS_BY_TILE (PRNN_PARTS && PRNN_PARAMS * PRNN_VC > 40)

PRNN_FN void final_state_store(const struct chunk *k, prnn_real (*h)[PRNN_N])
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        const struct prnn_arg *arg = &k->launch->arg[PRNN_ARG_HT + i];
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            if (arg->base && k->at.channel + v < k->launch->head.channels)
                PRNN_GST((prnn_real *)arg->base + k->at.sequence * arg->stride_b + k->at.channel + v, h[v][i]);
    }
}

PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    const struct place origin = place_of_block(&launch->head);
    const prnn_i64 stride = (prnn_i64)PRNN_TILE_STEPS * PRNN_CLUSTER;
    const prnn_i64 tiles = (origin.length + stride - 1) / stride;
    struct chunk k;
    k.launch = launch;
    k.at = origin;
    k.w = PRNN_TID / PRNN_LANES;
    k.rank = PRNN_CLUSTER > 1 ? PRNN_CLUSTER_RANK : 0;
    k.c = PRNN_TID % PRNN_LANES * PRNN_VC;
    k.at.channel = origin.channel + k.c;

    prnn_real e[PRNN_VC][PRNN_N], h[PRNN_VC][PRNN_N];
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        const int is_inside = k.at.channel + v < launch->head.channels;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            e[v][i] = k.h0[v][i] =
                is_inside ? place_initial(launch, &k.at, i, k.at.channel + v) : (prnn_real)0;
    }
#if !PRNN_PARAMS_BY_TILE
    chunk_parameters(&k);
#endif
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks: each has begun, so that the others may write to it */
#endif
    const prnn_i64 begin = (prnn_i64)k.rank * PRNN_TILE_STEPS;
#if PRNN_STAGES
    struct ring ring;
    ring_begin(&ring, launch, &origin, begin);
    prnn_i32 stage = 1;
    const int is_plain =
        launch->head.is_aligned && origin.channel + PRNN_BLOCK_CHANNELS <= launch->head.channels;
#else
    k.is_plain = launch->head.is_near && (PRNN_VC == 1 || launch->head.is_aligned);
#endif
    prnn_u32 max_corrections = 0;
    prnn_u64 sum_corrections = 0;
#if PRNN_ALL_CHUNKS > 1 && PRNN_STAGES
    prnn_i32 pace = PACE_BEGIN;
    struct outlook outlook;
    outlook.is_known = 0;
#endif
    struct witness seen;
    witness_none(&seen);
    /* With a ring the first rounds only fill it: one place that copies, which is much text. */
    PRNN_NO_UNROLL
    for (prnn_i64 tile = PRNN_STAGES ? 1 - PRNN_STAGES : 0; tile < tiles; tile++) {
        const prnn_i64 first = tile * stride + begin;
#if PRNN_STAGES
        PRNN_ASYNC_WAIT(PRNN_STAGES - 2 - PRNN_WARM_AHEAD);
        PRNN_BARRIER(); /* all threads: the tile, or two, have arrived, and the stage before is read */
        ring_issue(&ring, launch, &origin, (stage + PRNN_STAGES - 1) % PRNN_STAGES,
                   first + (PRNN_STAGES - 1) * stride, stride);
        chunk_in_stage(&k, stage, k.w);
        stage = (stage + 1) % PRNN_STAGES;
        if (tile < 0)
            continue;
#endif
        chunk_begin(&k, first + k.w * PRNN_CHUNK, PRNN_CHUNK);
#if PRNN_PARAMS_BY_TILE
        chunk_parameters(&k);
#endif
#if PRNN_STAGES
        k.is_plain = is_plain && first + PRNN_TILE_STEPS <= origin.length;
#endif
        prnn_u32 corrections = 0;
#if PRNN_ALL_CHUNKS > 1
        if (tile > 0)
            entry_take(&k, e, 1);
#endif
#if PRNN_ALL_CHUNKS == 1
        prnn_real scale[PRNN_VC];
        chunk_final_from(&k, e, h, scale);
        states_copy(e, h);
        witness_finite(&seen, &k, scale);
#elif !PRNN_STAGES
        corrections = tile_guess(&k, (prnn_real)launch->head.tolerance, e, h, &seen);
#else
        outlook.chunk = k;
        outlook.is_whole = (tile + 2) * stride <= origin.length;
#if PRNN_WARM_AHEAD
        if (outlook.is_whole) {
            outlook.chunk.t0 += stride;
            chunk_in_stage(&outlook.chunk, stage, k.w);
        }
#endif
        corrections = tile_solve(&k, (tile + 1) * stride <= origin.length, pace >= 0,
                                 (prnn_real)launch->head.tolerance, &outlook, e, h, &seen);
        pace = pace_next(pace, corrections > 1);
#endif
        max_corrections = corrections > max_corrections ? corrections : max_corrections;
        sum_corrections += corrections;
        if (k.count > 0 && k.t0 + k.count == origin.length)
            final_state_store(&k, h);
    }
    if (tiles == 0 && k.w == 0 && k.rank == 0)
        final_state_store(&k, k.h0);
#if PRNN_STAGES
    PRNN_ASYNC_WAIT(0);
#endif
    report_block(launch, &origin, PRNN_REAL_DIV(seen.gap, seen.scale), seen.step, seen.c, seen.nonfinite,
                 max_corrections, sum_corrections, tiles);
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks: none leaves while another may write to it */
#endif
}
