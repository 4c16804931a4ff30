/* Where the backward pass of a thread begins and ends: what it is given, and its sums, which go to the workspace.
 *
 * Requires  backward_run.h, scan.h
 * Provides  backward_begin(), final_gradient(), sums_store()
 * Layout    s_sum [PRNN_TILE_CHUNKS][channels] where the ring was; workspace: partial [batch * PRNN_CLUSTER][PRNN_PARAMS]
 *           [channels], reals
 * Launch    all threads, in block-uniform flow where there are barriers */
/* What does not change over the tiles of a thread: parameters, initial state; and no sums yet. */
PRNN_FN void backward_begin(struct chunk *k, const struct prnn_launch *launch, const struct place *origin,
                            struct sums *sums)
{
    k->launch = launch;
    k->at = *origin;
    k->w = PRNN_TID / PRNN_LANES;
    k->rank = PRNN_CLUSTER > 1 ? PRNN_CLUSTER_RANK : 0;
    k->c = PRNN_TID % PRNN_LANES * PRNN_VC;
    k->at.channel = origin->channel + k->c;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        const int is_inside = k->at.channel + v < launch->head.channels;
        PRNN_UNROLL
        for (int j = 0; j < PRNN_PARAMS; j++) {
            k->p[v][j] = is_inside ? place_param(launch, j, k->at.channel + v) : (prnn_real)0;
            sums->dp[v][j] = 0;
        }
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            k->h0[v][i] = is_inside ? place_initial(launch, &k->at, i, k->at.channel + v) : (prnn_real)0;
            sums->dh0[v][i] = 0;
        }
    }
}

/* The gradient of the final state: lambda behind the last step. */
PRNN_FN void final_gradient(const struct chunk *k, prnn_real (*lambda)[PRNN_N])
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            const struct prnn_arg *last = &k->launch->arg[PRNN_ARG_GHT + i];
            lambda[v][i] = 0;
            if (last->base && k->at.channel + v < k->launch->head.channels)
                lambda[v][i] = PRNN_GLD((const prnn_real *)last->base + k->at.sequence * last->stride_b +
                                        k->at.channel + v);
        }
    }
}

/* The sum over the chunks of the block, in their order, of each channel; valid in the threads of chunk 0. All
 * threads, in block-uniform flow. */
PRNN_FN void chunks_sum(const struct chunk *k, prnn_real *part)
{
#if PRNN_TILE_CHUNKS > 1
    PRNN_SHARED(prnn_real, s_sum, PRNN_S_RING, PRNN_TILE_CHUNKS *PRNN_BLOCK_CHANNELS);
    PRNN_BARRIER(); /* all threads: the ring, or the sum before, is read */
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        PRNN_SST(s_sum, k->w * PRNN_BLOCK_CHANNELS + k->c + v, part[v]);
    PRNN_BARRIER(); /* all threads: the parts of this sum are written */
    if (k->w != 0)
        return;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        part[v] = 0;
        PRNN_NO_UNROLL
        for (prnn_i32 w = 0; w < PRNN_TILE_CHUNKS; w++)
            part[v] += PRNN_SLD(s_sum, w * PRNN_BLOCK_CHANNELS + k->c + v);
    }
#else
    (void)k;
    (void)part;
#endif
}

PRNN_FN void initial_gradient_store(const struct chunk *k, int i, int v, prnn_real sum)
{
    const struct prnn_arg *arg = &k->launch->arg[PRNN_ARG_DH0 + i];
    if (arg->base && k->at.channel + v < k->launch->head.channels)
        PRNN_GST((prnn_real *)arg->base + k->at.sequence * arg->stride_b + k->at.channel + v, sum);
}

/* Gradients of parameters to the workspace, those of the initial state to their place. */
PRNN_FN void sums_store(const struct chunk *k, const struct sums *sums)
{
    const prnn_i64 channels = k->launch->head.channels;
    const prnn_i64 row = (k->at.sequence * PRNN_CLUSTER + k->rank) * PRNN_PARAMS;
    prnn_real part[PRNN_VC];
#if PRNN_CLUSTER > 1
    SHARED_PUBLIC;
    PRNN_CLUSTER_BARRIER(); /* all blocks: the maps of the last tile are read */
#endif
    PRNN_UNROLL
    for (int j = 0; j < PRNN_PARAMS; j++) {
        if (!cell_param_has_gradient(j))
            continue;
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            part[v] = sums->dp[v][j];
        chunks_sum(k, part);
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            if (k->w == 0 && k->at.channel + v < channels)
                PRNN_GST((prnn_real *)k->launch->head.workspace + (row + j) * channels + k->at.channel + v,
                         part[v]);
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            part[v] = sums->dh0[v][i];
        chunks_sum(k, part);
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
            if (k->w != 0)
                continue;
#if PRNN_CLUSTER > 1
            PRNN_RST(s_public, 0, AT_PUBLIC(0, k->rank, i, k->c + v), part[v]);
#else
            initial_gradient_store(k, i, v, part[v]);
#endif
        }
    }
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks: their parts of dh0 have arrived at the first */
    if (k->rank == 0 && k->w == 0) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                prnn_real sum = 0;
                PRNN_NO_UNROLL
                for (prnn_i32 r = 0; r < PRNN_CLUSTER; r++)
                    sum += PRNN_SLD(s_public, AT_PUBLIC(0, r, i, k->c + v));
                initial_gradient_store(k, i, v, sum);
            }
        }
    }
#endif
}
