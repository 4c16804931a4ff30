/* The scan alone: h_t = J_t h_{t-1} + r_t for Jacobians and right-hand sides in memory.
 *
 * Requires  place.h, affine.h with the pattern of the given block; PRNN_SCAN_JACOBIANS entries of J
 *           (the diagonal, or all row by row) before PRNN_STATES entries of r among the inputs
 * Provides  the kernel PRNN_ENTRY
 * Layout    a thread owns one channel and chunk w of a tile; s_offset [W][PRNN_STATES][channels],
 *           s_carry [PRNN_STATES][channels], s_tangent [W][PRNN_MATRIX][channels]
 * Launch    place.h's grid, PRNN_THREADS threads */
#define PRNN_W PRNN_TILE_CHUNKS
#define PRNN_N PRNN_STATES
#define AT_VECTOR(w, i, c) (((w) * PRNN_N + (i)) * PRNN_BLOCK_CHANNELS + (c))
#define AT_MATRIX(w, ij, c) (((w) * PRNN_MATRIX + (ij)) * PRNN_BLOCK_CHANNELS + (c))

PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    PRNN_SHARED(prnn_real, s_offset, PRNN_S_EXIT, PRNN_W *PRNN_N *PRNN_BLOCK_CHANNELS);
    PRNN_SHARED(prnn_real, s_carry, PRNN_S_ENTRY, PRNN_N *PRNN_BLOCK_CHANNELS);
    PRNN_SHARED(prnn_real, s_tangent, PRNN_S_TANGENT, PRNN_W *PRNN_MATRIX *PRNN_BLOCK_CHANNELS);
    const prnn_i64 channels = launch->head.channels;
    const prnn_i64 channel_blocks = (channels + PRNN_BLOCK_CHANNELS - 1) / PRNN_BLOCK_CHANNELS;
    const prnn_i32 c = PRNN_TID % PRNN_LANES, w = PRNN_TID / PRNN_LANES;
    const struct place at = place_of(&launch->head, PRNN_BID / channel_blocks,
                                     PRNN_BID % channel_blocks * PRNN_BLOCK_CHANNELS + c);
    const int is_inside = at.channel < channels;
    prnn_real h[PRNN_N];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        h[i] = is_inside ? place_initial(launch, &at, i, at.channel) : (prnn_real)0;

    PRNN_NO_UNROLL
    for (prnn_i64 tile = 0; tile < at.length; tile += PRNN_TILE_STEPS) {
        const prnn_i64 t0 = tile + w * PRNN_CHUNK;
        prnn_real jac[PRNN_CHUNK][PRNN_MATRIX], r[PRNN_CHUNK][PRNN_N];
        prnn_real d[PRNN_MATRIX], q[PRNN_N];
        affine_identity(d);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            q[i] = 0;
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
#if PRNN_W > 1
        PRNN_UNROLL
        for (prnn_i32 s = 0; s < PRNN_CHUNK; s++) {
            prnn_real sum[PRNN_N];
            affine_apply(sum, jac[s], q, r[s]);
            affine_advance(d, jac[s]);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                q[i] = sum[i];
        }
        PRNN_BARRIER(); /* all threads: the maps of the tile before are read */
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            PRNN_SST(s_offset, AT_VECTOR(w, i, c), q[i]);
            if (w == PRNN_W - 1)
                PRNN_SST(s_carry, i * PRNN_BLOCK_CHANNELS + c, h[i]);
        }
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++)
            if (cell_closed(ij / PRNN_N, ij % PRNN_N))
                PRNN_SST(s_tangent, AT_MATRIX(w, ij, c), d[ij]);
        PRNN_BARRIER(); /* all threads: the maps and the carry are written */
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[i] = PRNN_SLD(s_carry, i * PRNN_BLOCK_CHANNELS + c);
        PRNN_NO_UNROLL
        for (prnn_i32 j = 0; j < w; j++) {
            prnn_real dj[PRNN_MATRIX], qj[PRNN_N], sum[PRNN_N];
            PRNN_UNROLL
            for (int ij = 0; ij < PRNN_MATRIX; ij++)
                dj[ij] = cell_closed(ij / PRNN_N, ij % PRNN_N) ? PRNN_SLD(s_tangent, AT_MATRIX(j, ij, c))
                                                               : (prnn_real)0;
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                qj[i] = PRNN_SLD(s_offset, AT_VECTOR(j, i, c));
            affine_apply(sum, dj, h, qj);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                h[i] = sum[i];
        }
#else
        (void)d;
        (void)q;
        (void)s_offset;
        (void)s_carry;
        (void)s_tangent;
#endif
        PRNN_UNROLL
        for (prnn_i32 s = 0; s < PRNN_CHUNK; s++) {
            prnn_real sum[PRNN_N];
            affine_apply(sum, jac[s], h, r[s]);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++) {
                const struct prnn_arg *arg = &launch->arg[PRNN_ARG_H + i];
                h[i] = sum[i];
                if (is_inside && t0 + s < at.length)
                    PRNN_GST((prnn_elem *)arg->base + place_offset(arg, &at, t0 + s) + at.channel,
                             PRNN_TO_ELEM(h[i]));
            }
        }
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_HT + i];
        if (is_inside && arg->base && w == PRNN_W - 1)
            PRNN_GST((prnn_real *)arg->base + at.sequence * arg->stride_b + at.channel, h[i]);
    }
}
