/* The scan alone: h_t = J_t h_{t-1} + r_t for Jacobians and right-hand sides in memory.
 *
 * Requires  place.h, affine.h with the pattern of the given block, scan.h; PRNN_SCAN_JACOBIANS entries of J
 *           (the diagonal, or all row by row) before PRNN_STATES entries of r among the inputs
 * Provides  the kernel PRNN_ENTRY
 * Layout    a thread owns one channel and chunk w of a tile; s_carry [PRNN_STATES][channels]
 * Launch    place.h's grid, PRNN_THREADS threads, clusters of 1, one channel a thread */
#define PRNN_N PRNN_STATES

PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    PRNN_SHARED(prnn_real, s_carry, PRNN_S_ENTRY, PRNN_N *PRNN_BLOCK_CHANNELS);
    const prnn_i64 channels = launch->head.channels;
    const prnn_i32 c = PRNN_TID % PRNN_LANES, w = PRNN_TID / PRNN_LANES;
    struct place at = place_of_block(&launch->head);
    at.channel += c;
    const int is_inside = at.channel < channels;
    prnn_real h[1][PRNN_N], carry[1][PRNN_N];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        carry[0][i] = h[0][i] = is_inside ? place_initial(launch, &at, i, at.channel) : (prnn_real)0;

    PRNN_NO_UNROLL
    for (prnn_i64 tile = 0; tile < at.length; tile += PRNN_TILE_STEPS) {
        const prnn_i64 t0 = tile + w * PRNN_CHUNK;
        prnn_real jac[PRNN_CHUNK][PRNN_MATRIX], r[PRNN_CHUNK][PRNN_N];
        PRNN_UNROLL
        for (prnn_i32 s = 0; s < PRNN_CHUNK; s++) {
            const int is_step = is_inside && t0 + s < at.length;
            int entry = 0;
            PRNN_UNROLL
            for (int ij = 0; ij < PRNN_MATRIX; ij++) {
                if (cell_jac_nonzero(ij / PRNN_N, ij % PRNN_N)) {
                    jac[s][ij] = is_step ? place_load(launch, PRNN_ARG_X + entry, &at, t0 + s, at.channel)
                                         : (prnn_real)(ij / PRNN_N == ij % PRNN_N);
                    entry++;
                } else {
                    jac[s][ij] = 0;
                }
            }
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                r[s][i] = is_step ? place_load(launch, PRNN_ARG_X + PRNN_SCAN_JACOBIANS + i, &at, t0 + s,
                                               at.channel)
                                  : (prnn_real)0;
        }
#if PRNN_TILE_CHUNKS > 1
        struct affine map[1];
        affine_identity(map[0].d);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            map[0].q[i] = 0;
        PRNN_UNROLL
        for (prnn_i32 s = 0; s < PRNN_CHUNK; s++) {
            prnn_real sum[PRNN_N];
            affine_apply_matrix(sum, jac[s], 1, map[0].q, r[s]);
            affine_advance(map[0].d, jac[s]);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                map[0].q[i] = sum[i];
        }
        PRNN_BARRIER(); /* all threads: maps of the tile before are read, its carry is written */
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            if (tile > 0)
                carry[0][i] = PRNN_SLD(s_carry, i * PRNN_BLOCK_CHANNELS + c);
        scan_before(w, 0, 0, c, map, carry, h);
#else
        (void)carry;
        (void)s_carry;
#endif
        PRNN_UNROLL
        for (prnn_i32 s = 0; s < PRNN_CHUNK; s++) {
            prnn_real sum[PRNN_N];
            affine_apply_matrix(sum, jac[s], 1, h[0], r[s]);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++) {
                const struct prnn_arg *arg = &launch->arg[PRNN_ARG_H + i];
                h[0][i] = sum[i];
                if (is_inside && t0 + s < at.length)
                    PRNN_GST((prnn_elem *)arg->base + place_offset(arg, &at, t0 + s) + at.channel,
                             PRNN_TO_ELEM(h[0][i]));
            }
        }
#if PRNN_TILE_CHUNKS > 1
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            if (w == PRNN_TILE_CHUNKS - 1)
                PRNN_SST(s_carry, i * PRNN_BLOCK_CHANNELS + c, h[0][i]);
#endif
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_HT + i];
        if (is_inside && arg->base && w == PRNN_TILE_CHUNKS - 1)
            PRNN_GST((prnn_real *)arg->base + at.sequence * arg->stride_b + at.channel, h[0][i]);
    }
}
