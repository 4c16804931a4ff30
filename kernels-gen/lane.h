/* A part of a chunk of one channel, whoever's it is otherwise, that a thread runs alone: states and outputs written, and the
 * tangent of what it ends with.
 *
 * Requires  cell_step(), cell_step_outputs(), cell_jacobian(); chunk_run.h, affine.h
 * Provides  struct lane, lane_none(), lane_begin(), lane_step()
 * Launch    any thread */
struct lane {
    struct place at;
    prnn_i32 c; /* within the thread block */
    prnn_real p[PRNN_PARAMS + 1], h0[PRNN_N];
    prnn_real h[PRNN_N], d[PRNN_MATRIX], size; /* of the states: the largest, NaN if one is */
    /* Where it writes next, and how far the next step is. */
    prnn_elem *state[PRNN_N], *output[PRNN_OUTPUTS + 1];
    prnn_i64 state_hop[PRNN_N], output_hop[PRNN_OUTPUTS + 1];
};

/* A lane that has run nothing. */
PRNN_FN void lane_none(struct lane *lane)
{
    lane->c = 0;
    lane->size = 0;
    affine_identity(lane->d);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        lane->h[i] = 0;
}

/* Channel c of the thread block, from step t on. Its state is the caller's to set. */
PRNN_FN void lane_begin(struct lane *lane, const struct prnn_launch *launch, const struct place *block, prnn_i32 c, prnn_i64 t)
{
    lane->at = *block;
    lane->c = c;
    lane->at.channel = block->channel + c;
    lane->size = 0;
    affine_identity(lane->d);
    PRNN_UNROLL
    for (int j = 0; j < PRNN_PARAMS; j++)
        lane->p[j] = place_param(launch, j, lane->at.channel);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_H + i];
        lane->h0[i] = place_initial(launch, &lane->at, i, lane->at.channel);
        lane->state[i] = (prnn_elem *)arg->base + place_offset(arg, &lane->at, t) + lane->at.channel;
        lane->state_hop[i] = place_sign(&lane->at) * arg->stride_t;
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_Y + i];
        lane->output[i] = (prnn_elem *)arg->base + place_offset(arg, &lane->at, t) + lane->at.channel;
        lane->output_hop[i] = place_sign(&lane->at) * arg->stride_t;
    }
}

/* One step. */
PRNN_FN void lane_step(struct lane *lane, const prnn_real *x, int is_reset)
{
    prnn_real next[PRNN_N], none[PRNN_N], jac[PRNN_MATRIX], y[PRNN_OUTPUTS + 1];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        lane->h[i] = is_reset ? lane->h0[i] : lane->h[i];
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        lane->d[ij] = is_reset ? (prnn_real)0 : lane->d[ij];
    cell_jacobian(lane->h, x, lane->p, none, jac);
    affine_advance(lane->d, jac);
#if PRNN_OUTPUTS
    cell_step_outputs(lane->h, x, lane->p, next, y);
#else
    cell_step(lane->h, x, lane->p, next);
    (void)y;
#endif
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        lane->h[i] = next[i];
        lane->size = larger_size(lane->size, next[i]);
        if (PRNN_STATE_WRITTEN >> i & 1) {
            PRNN_GST(lane->state[i], PRNN_TO_ELEM(next[i]));
            lane->state[i] += lane->state_hop[i];
        }
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        PRNN_GST(lane->output[i], PRNN_TO_ELEM(y[i]));
        lane->output[i] += lane->output_hop[i];
    }
}
