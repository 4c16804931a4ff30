/* The backward pass: lambda before a step = J^T (lambda after + g) + src is affine in lambda, so one
 * reverse scan suffices. Tiles run from the last to the first. Per chunk: recompute the cell from
 * the saved states and compose the maps (skipped where a tile is one chunk), scan the compositions,
 * then run the adjoint and write the gradients of the inputs. Parameter gradients add up in
 * registers, then over the chunks of the block in a fixed order, and go to the workspace; prnn_reduce
 * (reduce_partials.h) sums those. No atomics: the same bits every time.
 *
 * Requires  cell_backmap(), cell_adjoint_saved(), cell_adjoint(); affine.h with transposed maps,
 *           chunk.h, ring.h, rows_out.h, scan.h
 * Provides  the kernel PRNN_ENTRY
 * Layout    rows of the ring: inputs, states before the step, gradients of states, of outputs;
 *           s_carry [PRNN_STATES][channels]; s_sum [PRNN_TILE_CHUNKS][channels] where the ring was;
 *           workspace: partial [batch * PRNN_CLUSTER][PRNN_PARAMS][channels], then for each shared input
 *           with a gradient [batch][seq_len][channels], all reals
 * Launch    place.h's grid, PRNN_THREADS threads. Chunks, and blocks of a cluster, count backwards in time */
/* All that one step reads. */
struct step_values {
    prnn_real h[PRNN_VC][PRNN_N], x[PRNN_VC][PRNN_INPUTS + 1];
    prnn_real g[PRNN_VC][PRNN_N], gy[PRNN_VC][PRNN_OUTPUTS + 1];
    int is_initial; /* the state before the step is the initial state */
};

PRNN_FN void step_load(const struct chunk *k, prnn_i32 s, struct step_values *at)
{
    prnn_real v[PRNN_VC];
    at->is_initial = s == 0 && k->t0 == 0;
#if PRNN_RESETS
    at->is_initial |= place_is_reset(&k->launch->head, &k->at, k->t0 + s);
#endif
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        if (cell_input_is_shared(i)) {
            v[0] = place_load(k->launch, PRNN_ARG_X + i, &k->at, k->t0 + s, 0);
            v[PRNN_VC - 1] = v[0];
        } else {
            ring_load(v, k->base, s, cell_input_row(i));
        }
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            at->x[c][i] = v[c];
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        ring_load(v, k->base, s, PRNN_ROW_STATES + i);
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            at->h[c][i] = at->is_initial ? k->h0[c][i] : v[c];
        if (PRNN_STATE_GRADIENT >> i & 1) {
            ring_load(v, k->base, s, ring_gradient_row(i));
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
        ring_load(v, k->base, s, PRNN_ROW_OUTPUTS + i);
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            at->gy[c][i] = v[c];
    }
}

#define PRNN_KEPT (PRNN_SAVED + 1)
#if PRNN_TILE_CHUNKS > 1
/* One step of the chunk's map from lambda behind it to lambda before it. */
PRNN_FN void map_step(const struct chunk *k, prnn_i32 s, struct affine *map, prnn_real (*saved)[PRNN_KEPT])
{
    struct step_values at;
    step_load(k, s, &at);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real adjac[PRNN_MATRIX], jac[PRNN_MATRIX], src[PRNN_N], cot[PRNN_N];
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++)
            adjac[ij] = 0;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            src[i] = 0;
            cot[i] = map[v].q[i] + at.g[v][i];
        }
        cell_backmap(at.h[v], at.x[v], k->p[v], at.gy[v], adjac, src, saved[v]);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            PRNN_UNROLL
            for (int j = 0; j < PRNN_N; j++)
                jac[i * PRNN_N + j] = adjac[j * PRNN_N + i];
        }
        affine_apply_matrix(src, jac, 1, cot, src);
        affine_advance(map[v].d, jac);
        /* What reaches the initial state goes to its gradient, not to the step before. */
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            map[v].q[i] = at.is_initial ? (prnn_real)0 : src[i];
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++)
            map[v].d[ij] = at.is_initial ? (prnn_real)0 : map[v].d[ij];
    }
}

/* First sweep over a chunk, backwards. Where it is plain it is unrolled whole and keeps values for the second
 * sweep: they stay in registers only under constant indices. Elsewhere the second sweep computes them again. */
PRNN_FN void chunk_map(const struct chunk *k, struct affine *map, prnn_real (*saved)[PRNN_VC][PRNN_KEPT])
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        affine_identity(map[v].d);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            map[v].q[i] = 0;
    }
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
#endif

/* What adds up over the steps of a thread. */
struct sums {
    prnn_real dp[PRNN_VC][PRNN_PARAMS + 1], dh0[PRNN_VC][PRNN_N];
};

/* Where the gradients of the inputs go. */
struct targets {
    struct row_out dx[PRNN_INPUTS + 1];
    prnn_real *partial[PRNN_INPUTS + 1]; /* of a shared input: moved back step by step */
};

/* At step t; the last of the chunk is the first that is stored. */
PRNN_FN void targets_begin(struct targets *to, const struct chunk *k, prnn_i64 t, prnn_i64 last)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        if (!cell_input_has_gradient(i))
            continue;
        if (cell_input_is_shared(i))
            to->partial[i] = shared_partials(k->launch, i) +
                             shared_row(k->launch, &k->at, last) * k->launch->head.channels + k->at.channel;
        else
            row_out_begin(&to->dx[i], k->launch, PRNN_ARG_DX + i, &k->at, t);
    }
}

PRNN_FN void targets_move(struct targets *to, const struct chunk *k, int steps, int is_plain)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++)
        if (cell_input_has_gradient(i) && !cell_input_is_shared(i))
            row_out_move(&to->dx[i], k->launch, PRNN_ARG_DX + i, &k->at, steps, is_plain);
}

/* 'steps' steps from where the targets are. */
PRNN_FN void targets_store(struct targets *to, const struct chunk *k, int steps, prnn_real (*dx)[PRNN_INPUTS + 1],
                           int is_plain)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        if (!cell_input_has_gradient(i))
            continue;
        prnn_real v[PRNN_VC];
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            v[c] = dx[c][i];
        if (cell_input_is_shared(i)) {
            PRNN_UNROLL
            for (int c = 0; c < PRNN_VC; c++)
                if (is_plain || k->at.channel + c < k->launch->head.channels)
                    PRNN_GST(to->partial[i] + c, v[c]);
            to->partial[i] -= place_sign(&k->at) * k->launch->head.channels;
        } else {
            row_out_store(&to->dx[i], k->launch, &k->at, steps, v, is_plain);
        }
    }
}

/* One step of the adjoint, 'slot' steps from where the targets are: lambda behind it becomes lambda before it.
 * 'saved' are values of the first sweep, or NULL. */
PRNN_FN void adjoint_step(const struct chunk *k, prnn_i32 s, int slot, prnn_real (*saved)[PRNN_KEPT],
                          prnn_real (*lambda)[PRNN_N], struct sums *sums, struct targets *to, int is_plain)
{
    struct step_values at;
    prnn_real dx[PRNN_VC][PRNN_INPUTS + 1];
    step_load(k, s, &at);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real cot[PRNN_N], adj_h[PRNN_N];
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            cot[i] = lambda[v][i] + at.g[v][i];
            adj_h[i] = 0;
        }
        PRNN_UNROLL
        for (int i = 0; i < PRNN_INPUTS; i++)
            dx[v][i] = 0;
        if (saved)
            cell_adjoint_saved(at.h[v], at.x[v], k->p[v], cot, at.gy[v], saved[v], adj_h, dx[v],
                               sums->dp[v]);
        else
            cell_adjoint(at.h[v], at.x[v], k->p[v], cot, at.gy[v], adj_h, dx[v], sums->dp[v]);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            if (at.is_initial)
                sums->dh0[v][i] += adj_h[i];
            lambda[v][i] = at.is_initial ? (prnn_real)0 : adj_h[i];
        }
    }
    targets_store(to, k, slot, dx, is_plain);
}

/* Second sweep over a chunk. */
PRNN_FN void chunk_adjoint(const struct chunk *k, prnn_real (*saved)[PRNN_VC][PRNN_KEPT],
                           prnn_real (*lambda)[PRNN_N], struct sums *sums)
{
    struct targets to;
    if (k->is_plain) {
#if PRNN_TILE_CHUNKS > 1
        targets_begin(&to, k, k->t0, k->t0 + PRNN_CHUNK - 1);
        PRNN_UNROLL
        for (int s = PRNN_CHUNK - 1; s >= 0; s--)
            adjoint_step(k, s, s, saved[s], lambda, sums, &to, 1);
#else
        (void)saved;
        targets_begin(&to, k, k->t0 + PRNN_CHUNK - PRNN_UNROLL_STEPS, k->t0 + PRNN_CHUNK - 1);
        PRNN_NO_UNROLL
        for (prnn_i32 s = PRNN_CHUNK - PRNN_UNROLL_STEPS; s >= 0; s -= PRNN_UNROLL_STEPS) {
            PRNN_UNROLL
            for (int i = PRNN_UNROLL_STEPS - 1; i >= 0; i--)
                adjoint_step(k, s + i, i, 0, lambda, sums, &to, 1);
            targets_move(&to, k, -PRNN_UNROLL_STEPS, 1);
        }
#endif
    } else {
        targets_begin(&to, k, k->t0 + k->count - 1, k->t0 + k->count - 1);
        PRNN_NO_UNROLL
        for (prnn_i32 s = k->count - 1; s >= 0; s--) {
            adjoint_step(k, s, 0, 0, lambda, sums, &to, 0);
            targets_move(&to, k, -1, 0);
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

PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    const prnn_i64 channels = launch->head.channels;
    const prnn_i64 channel_blocks = (channels + PRNN_BLOCK_CHANNELS - 1) / PRNN_BLOCK_CHANNELS;
    const prnn_i64 block = PRNN_BID / PRNN_CLUSTER;
    const struct place origin = place_of(&launch->head, block / channel_blocks,
                                         block % channel_blocks * PRNN_BLOCK_CHANNELS);
    const prnn_i64 stride = (prnn_i64)PRNN_TILE_STEPS * PRNN_CLUSTER;
    const prnn_i64 tiles = (origin.length + stride - 1) / stride;
    struct chunk k;
    k.launch = launch;
    k.at = origin;
    k.w = PRNN_TID / PRNN_LANES;
    k.rank = PRNN_CLUSTER > 1 ? PRNN_CLUSTER_RANK : 0;
    k.c = PRNN_TID % PRNN_LANES * PRNN_VC;
    k.at.channel = origin.channel + k.c;
    const prnn_i64 begin = (prnn_i64)(PRNN_CLUSTER - 1 - k.rank) * PRNN_TILE_STEPS;

    /* lambda: what flows into the chunk from behind; carry: into the tile. */
    prnn_real lambda[PRNN_VC][PRNN_N], carry[PRNN_VC][PRNN_N];
    struct sums sums;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        const int is_inside = k.at.channel + v < channels;
        PRNN_UNROLL
        for (int j = 0; j < PRNN_PARAMS; j++) {
            k.p[v][j] = is_inside ? place_param(launch, j, k.at.channel + v) : (prnn_real)0;
            sums.dp[v][j] = 0;
        }
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            const struct prnn_arg *last = &launch->arg[PRNN_ARG_GHT + i];
            k.h0[v][i] = is_inside ? place_initial(launch, &k.at, i, k.at.channel + v) : (prnn_real)0;
            lambda[v][i] = 0;
            if (is_inside && last->base)
                lambda[v][i] = PRNN_GLD((const prnn_real *)last->base +
                                        origin.sequence * last->stride_b + k.at.channel + v);
            carry[v][i] = lambda[v][i];
            sums.dh0[v][i] = origin.length == 0 && k.w == 0 && k.rank == 0 ? lambda[v][i] : (prnn_real)0;
        }
    }
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
        k.t0 = tile * stride + begin + chunk * PRNN_CHUNK;
        k.base = ring_chunk(stage, chunk, k.c);
        const prnn_i64 left = origin.length - k.t0;
        k.count = left < 0 ? 0 : left < PRNN_CHUNK ? (prnn_i32)left : PRNN_CHUNK;
        k.is_plain = is_plain && tile * stride + begin + PRNN_TILE_STEPS <= origin.length;
#if PRNN_TILE_CHUNKS > 1
        prnn_real saved[PRNN_CHUNK][PRNN_VC][PRNN_KEPT];
        struct affine map[PRNN_VC];
#if PRNN_CLUSTER == 1
        PRNN_SHARED(prnn_real, s_carry, PRNN_S_ENTRY, PRNN_N *PRNN_BLOCK_CHANNELS);
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
        chunk_adjoint(&k, 0, lambda, &sums);
#endif
        stage = (stage + 1) % PRNN_STAGES;
    }
    PRNN_ASYNC_WAIT(0);
    sums_store(&k, &sums);
}
