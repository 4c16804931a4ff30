/* What a thread of the backward pass does with the steps of its chunk alone: their map, and their adjoint with the
 * gradients of inputs and parameters.
 *
 * Requires  cell_backmap(), cell_adjoint_saved(), cell_adjoint(); affine.h with transposed maps, chunk.h, ring.h,
 *           rows_out.h, shared_inputs.h
 * Provides  map_begin(), map_step(), where a tile has several chunks; struct sums, struct targets, channel_adjoint(),
 *           adjoint_step(), slice_adjoint()
 * Layout    rows of the ring: inputs, states before the step, gradients of states, of outputs
 * Launch    as chunk.h */
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
            v[0] = ring_load_common(k->common, s, cell_input_row(i));
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
/* The map of no steps. */
PRNN_FN void map_begin(struct affine *map)
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        affine_identity(map[v].d);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            map[v].q[i] = 0;
    }
}

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
#endif

/* What adds up over the steps of a thread. */
struct sums {
    prnn_real dp[PRNN_VC][PRNN_PARAMS + 1], dh0[PRNN_VC][PRNN_N];
};

/* Where the gradients of the inputs go. */
struct targets {
    struct row_out dx[PRNN_INPUTS + 1];
#if PRNN_SHARED_GRADIENTS
    struct shared_target shared; /* moved back step by step */
#endif
};

PRNN_CONST_FN int input_has_row_out(int i)
{
    return cell_input_has_gradient(i) && !cell_input_is_shared(i);
}

/* At step t; the last of the chunk is the first that is stored. */
PRNN_FN void targets_begin(struct targets *to, const struct chunk *k, prnn_i64 t, prnn_i64 last)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++)
        if (input_has_row_out(i))
            row_out_begin(&to->dx[i], k->launch, PRNN_ARG_DX + i, &k->at, t);
#if PRNN_SHARED_GRADIENTS
    shared_target_begin(&to->shared, k, last);
#else
    (void)last;
#endif
}

PRNN_FN void targets_move(struct targets *to, const struct chunk *k, int steps, int is_plain)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++)
        if (input_has_row_out(i))
            row_out_move(&to->dx[i], k->launch, PRNN_ARG_DX + i, &k->at, steps, is_plain);
}

/* 'steps' steps from where the targets are. */
PRNN_FN void targets_store(struct targets *to, const struct chunk *k, int steps, prnn_real (*dx)[PRNN_INPUTS + 1],
                           int is_plain)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        if (!input_has_row_out(i))
            continue;
        prnn_real v[PRNN_VC];
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            v[c] = dx[c][i];
        row_out_store(&to->dx[i], k->launch, &k->at, steps, v, is_plain);
    }
#if PRNN_SHARED_GRADIENTS
    shared_target_store(&to->shared, k, dx, is_plain);
#endif
}

/* The adjoint of a step of channel v: lambda behind it becomes lambda before it. adj_h: that, or what reaches the
 * initial state; dx: gradients of the inputs; dp grows by those of the parameters. 'saved' are values of the first
 * sweep, or NULL. */
PRNN_FN void channel_adjoint(const struct chunk *k, const struct step_values *at, int v, const prnn_real *saved,
                             prnn_real *lambda, prnn_real *adj_h, prnn_real *dx, prnn_real *dp)
{
    prnn_real cot[PRNN_N];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        cot[i] = lambda[i] + at->g[v][i];
        adj_h[i] = 0;
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++)
        dx[i] = 0;
    if (saved)
        cell_adjoint_saved(at->h[v], at->x[v], k->p[v], cot, at->gy[v], saved, adj_h, dx, dp);
    else
        cell_adjoint(at->h[v], at->x[v], k->p[v], cot, at->gy[v], adj_h, dx, dp);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        lambda[i] = at->is_initial ? (prnn_real)0 : adj_h[i];
}

/* One step of the adjoint, 'slot' steps from where the targets are. */
PRNN_FN void adjoint_step(const struct chunk *k, prnn_i32 s, int slot, prnn_real (*saved)[PRNN_KEPT],
                          prnn_real (*lambda)[PRNN_N], struct sums *sums, struct targets *to, int is_plain)
{
    struct step_values at;
    prnn_real dx[PRNN_VC][PRNN_INPUTS + 1];
    step_load(k, s, &at);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real adj_h[PRNN_N];
        channel_adjoint(k, &at, v, saved ? saved[v] : 0, lambda[v], adj_h, dx[v], sums->dp[v]);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            if (at.is_initial)
                sums->dh0[v][i] += adj_h[i];
    }
    targets_store(to, k, slot, dx, is_plain);
}

/* The adjoint of the steps of a slice, from the last to the first. Behind a plain slice the targets are where the slice
 * before it continues: 'is_begun'. */
PRNN_FN void slice_adjoint(const struct chunk *k, prnn_real (*lambda)[PRNN_N], struct sums *sums, struct targets *to,
                           int *is_begun)
{
    if (k->is_plain) {
        if (!*is_begun)
            targets_begin(to, k, k->t0 + PRNN_SLICE - PRNN_UNROLL_STEPS, k->t0 + PRNN_SLICE - 1);
        PRNN_NO_UNROLL
        for (prnn_i32 s = PRNN_SLICE - PRNN_UNROLL_STEPS; s >= 0; s -= PRNN_UNROLL_STEPS) {
            PRNN_UNROLL
            for (int i = PRNN_UNROLL_STEPS - 1; i >= 0; i--)
                adjoint_step(k, s + i, i, 0, lambda, sums, to, 1);
            targets_move(to, k, -PRNN_UNROLL_STEPS, 1);
        }
    } else {
        targets_begin(to, k, k->t0 + k->count - 1, k->t0 + k->count - 1);
        PRNN_NO_UNROLL
        for (prnn_i32 s = k->count - 1; s >= 0; s--) {
            adjoint_step(k, s, 0, 0, lambda, sums, to, 0);
            targets_move(to, k, -1, 0);
        }
    }
    *is_begun = k->is_plain;
}
