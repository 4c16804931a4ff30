/* The backward pass: lambda before a step = J^T (lambda after + g) + src is affine in lambda, so one
 * reverse scan suffices. Tiles run from the last to the first. Per chunk: recompute the cell from
 * the saved states and compose the maps (skipped where a tile is one chunk), scan the compositions,
 * then run the adjoint and write the gradients of the inputs. Parameter gradients add up in
 * registers, then over the chunks of the block in a fixed order, and go to the workspace; prnn_reduce
 * (reduce_partials.h) sums those. No atomics: the same bits every time.
 *
 * Requires  cell_backmap(), cell_adjoint_saved(), cell_adjoint(); place.h, affine.h, ring.h
 * Provides  the kernel PRNN_ENTRY
 * Layout    rows of the ring: inputs, states before the step, gradients of states, of outputs;
 *           s_offset, s_exit [W][PRNN_STATES][channels], s_tangent [W][PRNN_MATRIX][channels];
 *           workspace: partial [batch * PRNN_CLUSTER][PRNN_PARAMS][channels], then for each shared input
 *           with a gradient [batch][seq_len][channels], all reals
 * Launch    place.h's grid, PRNN_THREADS threads */
#define PRNN_W PRNN_TILE_CHUNKS
#define PRNN_N PRNN_STATES
#define AT_VECTOR(w, i, c) (((w) * PRNN_N + (i)) * PRNN_BLOCK_CHANNELS + (c))
#define AT_MATRIX(w, ij, c) (((w) * PRNN_MATRIX + (ij)) * PRNN_BLOCK_CHANNELS + (c))
#define SHARED_MAPS                                                                                \
    PRNN_SHARED(prnn_real, s_offset, PRNN_S_EXIT, PRNN_W *PRNN_N *PRNN_BLOCK_CHANNELS);            \
    PRNN_SHARED(prnn_real, s_carry, PRNN_S_ENTRY, PRNN_N *PRNN_BLOCK_CHANNELS);                    \
    PRNN_SHARED(prnn_real, s_tangent, PRNN_S_TANGENT, PRNN_W *PRNN_MATRIX *PRNN_BLOCK_CHANNELS)

struct chunk {
    const struct prnn_launch *launch;
    struct place at;
    prnn_i64 t0;
    prnn_i32 count, stage, step, c, w;
    prnn_real p[PRNN_VC][PRNN_PARAMS + 1];
    prnn_real h0[PRNN_VC][PRNN_N];
};

/* All that one step reads. */
struct step_values {
    prnn_real h[PRNN_VC][PRNN_N], x[PRNN_VC][PRNN_INPUTS + 1];
    prnn_real g[PRNN_VC][PRNN_N], gy[PRNN_VC][PRNN_OUTPUTS + 1];
    int is_initial; /* the state before the step is the initial state */
};

PRNN_FN void step_load(const struct chunk *k, prnn_i32 s, struct step_values *at)
{
    const prnn_i64 t = k->t0 + s;
    prnn_real v[PRNN_VC];
    at->is_initial = t == 0;
#if PRNN_RESETS
    at->is_initial |= place_is_reset(&k->launch->head, &k->at, t);
#endif
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        if (cell_input_is_shared(i)) {
            v[0] = place_load(k->launch, PRNN_ARG_X + i, &k->at, t, 0);
            v[PRNN_VC - 1] = v[0];
        } else {
            ring_load(v, k->stage, k->step + s, cell_input_row(i), k->c);
        }
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            at->x[c][i] = v[c];
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        ring_load(v, k->stage, k->step + s, PRNN_ROW_STATES + i, k->c);
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            at->h[c][i] = at->is_initial ? k->h0[c][i] : v[c];
        if (PRNN_STATE_GRADIENT >> i & 1) {
            ring_load(v, k->stage, k->step + s, ring_gradient_row(i), k->c);
            PRNN_UNROLL
            for (int c = 0; c < PRNN_VC; c++)
                at->g[c][i] = v[c];
        } else {
            PRNN_UNROLL
            for (int c = 0; c < PRNN_VC; c++)
                at->g[c][i] = 0;
        }
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        ring_load(v, k->stage, k->step + s, PRNN_ROW_OUTPUTS + i, k->c);
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            at->gy[c][i] = v[c];
    }
}

#if PRNN_W > 1
/* Unrolled whole: values kept from the first sweep stay in registers only under constant indices. */
#define PRNN_SECOND_SWEEP PRNN_UNROLL
#else
#define PRNN_SECOND_SWEEP PRNN_UNROLL_BY(PRNN_UNROLL_STEPS)
#endif

#if PRNN_W > 1
#define PRNN_KEPT (PRNN_SAVED + 1)
/* First sweep over a chunk, backwards: its map lambda_before = d^T lambda_after + q. */
PRNN_FN void chunk_map(const struct chunk *k, prnn_real (*d)[PRNN_MATRIX], prnn_real (*q)[PRNN_N],
                       prnn_real (*saved)[PRNN_VC][PRNN_KEPT])
{
    PRNN_UNROLL
    for (int c = 0; c < PRNN_VC; c++) {
        affine_identity(d[c]);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            q[c][i] = 0;
    }
    PRNN_UNROLL
    for (prnn_i32 s = PRNN_CHUNK - 1; s >= 0; s--) {
        if (s >= k->count)
            continue;
        struct step_values at;
        step_load(k, s, &at);
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++) {
            prnn_real adjac[PRNN_MATRIX], src[PRNN_N], cot[PRNN_N];
            PRNN_UNROLL
            for (int i = 0; i < PRNN_MATRIX; i++)
                adjac[i] = 0;
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++) {
                src[i] = 0;
                cot[i] = q[c][i] + at.g[c][i];
            }
            cell_backmap(at.h[c], at.x[c], k->p[c], at.gy[c], adjac, src, saved[s][c]);
            prnn_real next[PRNN_N];
            affine_apply_jacobian_transposed(next, adjac, cot, src);
            affine_retreat(d[c], adjac);
            /* What reaches the initial state goes to its gradient, not to the step before. */
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                q[c][i] = at.is_initial ? (prnn_real)0 : next[i];
            PRNN_UNROLL
            for (int i = 0; i < PRNN_MATRIX; i++)
                d[c][i] = at.is_initial ? (prnn_real)0 : d[c][i];
        }
    }
}
#endif

#if PRNN_W > 1
/* v <- map of chunk j, applied to v. */
PRNN_FN void chunk_map_apply(prnn_i32 j, prnn_i32 c, prnn_real *v)
{
    SHARED_MAPS;
    prnn_real d[PRNN_MATRIX], q[PRNN_N], sum[PRNN_N];
    (void)s_carry;
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        d[ij] = cell_closed(ij / PRNN_N, ij % PRNN_N) ? PRNN_SLD(s_tangent, AT_MATRIX(j, ij, c))
                                                      : (prnn_real)0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        q[i] = PRNN_SLD(s_offset, AT_VECTOR(j, i, c));
    affine_apply_transposed(sum, d, v, q);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        v[i] = sum[i];
}
#endif

#if PRNN_CLUSTER > 1
/* The map of a whole block, for the others of the cluster. */
#define PRNN_PUBLIC (PRNN_N + PRNN_MATRIX)
#define AT_PUBLIC(parity, rank, f, c)                                                              \
    ((((parity) * PRNN_CLUSTER + (rank)) * PRNN_PUBLIC + (f)) * PRNN_BLOCK_CHANNELS + (c))
#define SHARED_PUBLIC                                                                              \
    PRNN_SHARED(prnn_real, s_public, PRNN_S_PUBLIC,                                                \
                2 * PRNN_CLUSTER * PRNN_PUBLIC * PRNN_BLOCK_CHANNELS)

PRNN_FN void publish_map(prnn_i32 parity, prnn_i32 rank, prnn_i32 c)
{
    SHARED_MAPS;
    SHARED_PUBLIC;
    prnn_real d[PRNN_MATRIX], q[PRNN_N];
    (void)s_carry;
    affine_identity(d);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        q[i] = 0;
    PRNN_NO_UNROLL
    for (prnn_i32 j = PRNN_W - 1; j >= 0; j--) {
        prnn_real dj[PRNN_MATRIX];
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++)
            dj[ij] = cell_closed(ij / PRNN_N, ij % PRNN_N) ? PRNN_SLD(s_tangent, AT_MATRIX(j, ij, c))
                                                           : (prnn_real)0;
        chunk_map_apply(j, c, q);
        affine_compose_after(d, dj);
    }
    PRNN_UNROLL
    for (int to = 0; to < PRNN_CLUSTER; to++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            PRNN_RST(s_public, to, AT_PUBLIC(parity, rank, i, c), q[i]);
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++)
            if (cell_closed(ij / PRNN_N, ij % PRNN_N))
                PRNN_RST(s_public, to, AT_PUBLIC(parity, rank, PRNN_N + ij, c), d[ij]);
    }
}

PRNN_FN void public_map_apply(prnn_i32 parity, prnn_i32 rank, prnn_i32 c, prnn_real *v)
{
    SHARED_PUBLIC;
    prnn_real d[PRNN_MATRIX], q[PRNN_N], sum[PRNN_N];
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        d[ij] = cell_closed(ij / PRNN_N, ij % PRNN_N)
                    ? PRNN_SLD(s_public, AT_PUBLIC(parity, rank, PRNN_N + ij, c))
                    : (prnn_real)0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        q[i] = PRNN_SLD(s_public, AT_PUBLIC(parity, rank, i, c));
    affine_apply_transposed(sum, d, v, q);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        v[i] = sum[i];
}
#endif

PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    const prnn_i32 lane = PRNN_TID % PRNN_LANES;
    const prnn_i64 channels = launch->head.channels;
    const prnn_i64 channel_blocks = (channels + PRNN_BLOCK_CHANNELS - 1) / PRNN_BLOCK_CHANNELS;
    const prnn_i64 block = PRNN_BID / PRNN_CLUSTER;
    const struct place origin = place_of(&launch->head, block / channel_blocks,
                                         block % channel_blocks * PRNN_BLOCK_CHANNELS);
#if PRNN_CLUSTER > 1
    const prnn_i32 rank = PRNN_CLUSTER_RANK;
    prnn_i32 parity = 0;
    prnn_real carry[PRNN_VC][PRNN_N];
#else
    const prnn_i32 rank = 0;
#endif
    SHARED_MAPS;
    struct chunk k;
    k.launch = launch;
    k.at = origin;
    k.w = PRNN_TID / PRNN_LANES;
    k.c = lane * PRNN_VC;
    k.at.channel = origin.channel + k.c;
    k.stage = 0;
    k.step = k.w * PRNN_CHUNK;

    prnn_real lambda[PRNN_VC][PRNN_N], dh0[PRNN_VC][PRNN_N], dp[PRNN_VC][PRNN_PARAMS + 1];
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        const int is_inside = k.at.channel + v < channels;
        PRNN_UNROLL
        for (int j = 0; j < PRNN_PARAMS; j++) {
            k.p[v][j] = is_inside ? place_param(launch, j, k.at.channel + v) : (prnn_real)0;
            dp[v][j] = 0;
        }
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            const struct prnn_arg *last = &launch->arg[PRNN_ARG_GHT + i];
            k.h0[v][i] = is_inside ? place_initial(launch, &k.at, i, k.at.channel + v) : (prnn_real)0;
            lambda[v][i] = 0;
            if (is_inside && last->base)
                lambda[v][i] = PRNN_GLD((const prnn_real *)last->base +
                                        origin.sequence * last->stride_b + k.at.channel + v);
            dh0[v][i] = 0;
            if (origin.length == 0 && k.w == 0 && rank == 0)
                dh0[v][i] = lambda[v][i];
#if PRNN_CLUSTER > 1
            carry[v][i] = lambda[v][i];
#endif
        }
    }

    const prnn_i64 stride = (prnn_i64)PRNN_TILE_STEPS * PRNN_CLUSTER;
    const prnn_i64 tiles = (origin.length + stride - 1) / stride;
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks: each has begun, so that the others may write to it */
#endif
    PRNN_NO_UNROLL
    for (int s = 0; s < PRNN_STAGES - 1; s++)
        ring_issue(launch, &origin, s, (tiles - 1 - s) * stride + rank * PRNN_TILE_STEPS);

    PRNN_NO_UNROLL
    for (prnn_i64 tile = tiles - 1; tile >= 0; tile--) {
        PRNN_ASYNC_WAIT(PRNN_STAGES - 2);
        PRNN_BARRIER(); /* all threads: the tile has arrived, and the stage before it is read */
        ring_issue(launch, &origin, (k.stage + PRNN_STAGES - 1) % PRNN_STAGES,
                   (tile - (PRNN_STAGES - 1)) * stride + rank * PRNN_TILE_STEPS);
        k.t0 = tile * stride + rank * PRNN_TILE_STEPS + k.step;
        const prnn_i64 left = origin.length - k.t0;
        k.count = left < 0 ? 0 : left < PRNN_CHUNK ? (prnn_i32)left : PRNN_CHUNK;
#if PRNN_W > 1
        prnn_real saved[PRNN_CHUNK][PRNN_VC][PRNN_KEPT];
        {
            prnn_real d[PRNN_VC][PRNN_MATRIX], q[PRNN_VC][PRNN_N];
            chunk_map(&k, d, q, saved);
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++) {
                    PRNN_SST(s_offset, AT_VECTOR(k.w, i, k.c + v), q[v][i]);
                    if (PRNN_CLUSTER == 1 && k.w == 0 && tile < tiles - 1)
                        PRNN_SST(s_carry, i * PRNN_BLOCK_CHANNELS + k.c + v, lambda[v][i]);
                }
                PRNN_UNROLL
                for (int ij = 0; ij < PRNN_MATRIX; ij++)
                    if (cell_closed(ij / PRNN_N, ij % PRNN_N))
                        PRNN_SST(s_tangent, AT_MATRIX(k.w, ij, k.c + v), d[v][ij]);
            }
        }
        PRNN_BARRIER(); /* all threads: maps of the chunks, and the carry, are written */
#if PRNN_CLUSTER > 1
        if (k.w == 0) {
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++)
                publish_map(parity, rank, k.c + v);
        }
        PRNN_CLUSTER_BARRIER(); /* all blocks: every block's map has arrived */
#endif
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
#if PRNN_CLUSTER > 1
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                lambda[v][i] = carry[v][i];
            PRNN_NO_UNROLL
            for (prnn_i32 r = PRNN_CLUSTER - 1; r >= 0; r--) {
                if (r == rank) {
                    PRNN_UNROLL
                    for (int i = 0; i < PRNN_N; i++)
                        lambda[v][i] = carry[v][i];
                }
                public_map_apply(parity, r, k.c + v, carry[v]);
            }
#else
            if (tile < tiles - 1) {
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++)
                    lambda[v][i] = PRNN_SLD(s_carry, i * PRNN_BLOCK_CHANNELS + k.c + v);
            }
#endif
            PRNN_NO_UNROLL
            for (prnn_i32 j = PRNN_W - 1; j > k.w; j--)
                chunk_map_apply(j, k.c + v, lambda[v]);
        }
#if PRNN_CLUSTER > 1
        parity ^= 1;
#endif
#endif
        PRNN_SECOND_SWEEP
        for (prnn_i32 s = PRNN_CHUNK - 1; s >= 0; s--) {
            if (s >= k.count)
                continue;
            struct step_values at;
            prnn_real dx[PRNN_VC][PRNN_INPUTS + 1];
            step_load(&k, s, &at);
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                prnn_real cot[PRNN_N], adj_h[PRNN_N], adj_p[PRNN_PARAMS + 1];
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++) {
                    cot[i] = lambda[v][i] + at.g[v][i];
                    adj_h[i] = 0;
                }
                PRNN_UNROLL
                for (int i = 0; i < PRNN_INPUTS; i++)
                    dx[v][i] = 0;
                PRNN_UNROLL
                for (int j = 0; j < PRNN_PARAMS; j++)
                    adj_p[j] = 0;
#if PRNN_W > 1
                cell_adjoint_saved(at.h[v], at.x[v], k.p[v], cot, at.gy[v], saved[s][v], adj_h, dx[v],
                                   adj_p);
#else
                cell_adjoint(at.h[v], at.x[v], k.p[v], cot, at.gy[v], adj_h, dx[v], adj_p);
#endif
                PRNN_UNROLL
                for (int j = 0; j < PRNN_PARAMS; j++)
                    dp[v][j] += adj_p[j];
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++) {
                    dh0[v][i] += at.is_initial ? adj_h[i] : (prnn_real)0;
                    lambda[v][i] = at.is_initial ? (prnn_real)0 : adj_h[i];
                }
            }
            PRNN_UNROLL
            for (int i = 0; i < PRNN_INPUTS; i++) {
                if (!cell_input_has_gradient(i))
                    continue;
                prnn_real v[PRNN_VC];
                PRNN_UNROLL
                for (int c = 0; c < PRNN_VC; c++)
                    v[c] = dx[c][i];
                if (!cell_input_is_shared(i)) {
                    ring_store(launch, PRNN_ARG_DX + i, &k.at, k.t0 + s, v);
                    continue;
                }
                prnn_real *partial = shared_partials(launch, i) +
                                     shared_row(launch, &k.at, k.t0 + s) * channels + k.at.channel;
                PRNN_UNROLL
                for (int c = 0; c < PRNN_VC; c++)
                    if (k.at.channel + c < channels)
                        PRNN_GST(partial + c, v[c]);
            }
        }
        k.stage = (k.stage + 1) % PRNN_STAGES;
    }
    PRNN_ASYNC_WAIT(0);

#if PRNN_CLUSTER > 1
    SHARED_PUBLIC;
    PRNN_CLUSTER_BARRIER(); /* all blocks: the maps of the last tile are read */
#endif
    /* Sums over the chunks of the block, chunk after chunk, one quantity at a time. */
    const prnn_i64 row = (origin.sequence * PRNN_CLUSTER + rank) * PRNN_PARAMS;
    prnn_real *partial = (prnn_real *)launch->head.workspace;
    PRNN_UNROLL
    for (int j = 0; j < PRNN_PARAMS + PRNN_N; j++) {
#if PRNN_W > 1
        PRNN_BARRIER(); /* all threads: the sum before is read */
#endif
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
            prnn_real sum = j < PRNN_PARAMS ? dp[v][j] : dh0[v][j - PRNN_PARAMS];
#if PRNN_W > 1
            PRNN_SST(s_offset, AT_VECTOR(k.w, 0, k.c + v), sum);
        }
        PRNN_BARRIER(); /* all threads: the parts of this sum are written */
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
            prnn_real sum = 0;
            if (k.w != 0)
                continue;
            PRNN_NO_UNROLL
            for (prnn_i32 w = 0; w < PRNN_W; w++)
                sum += PRNN_SLD(s_offset, AT_VECTOR(w, 0, k.c + v));
#endif
            if (k.at.channel + v >= channels)
                continue;
            if (j < PRNN_PARAMS) {
                if (cell_param_has_gradient(j))
                    PRNN_GST(partial + (row + j) * channels + k.at.channel + v, sum);
            } else {
#if PRNN_CLUSTER > 1
                PRNN_RST(s_public, 0, AT_PUBLIC(0, rank, j - PRNN_PARAMS, k.c + v), sum);
#else
                const struct prnn_arg *arg = &launch->arg[PRNN_ARG_DH0 + j - PRNN_PARAMS];
                if (arg->base)
                    PRNN_GST((prnn_real *)arg->base + origin.sequence * arg->stride_b +
                                 k.at.channel + v,
                             sum);
#endif
            }
        }
    }
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks: their parts of dh0 have arrived at the first */
    if (rank == 0 && k.w == 0) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            const struct prnn_arg *arg = &launch->arg[PRNN_ARG_DH0 + i];
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                prnn_real sum = 0;
                if (!arg->base || k.at.channel + v >= channels)
                    continue;
                PRNN_NO_UNROLL
                for (prnn_i32 r = 0; r < PRNN_CLUSTER; r++)
                    sum += PRNN_SLD(s_public, AT_PUBLIC(0, r, i, k.c + v));
                PRNN_GST((prnn_real *)arg->base + origin.sequence * arg->stride_b +
                             k.at.channel + v,
                         sum);
            }
        }
    }
#endif
}
