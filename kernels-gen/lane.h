/* A channel that a thread runs alone, whoever's it is otherwise: few chains of steps, side by side in as few warps as there are
 * such channels, take each the time of one.
 *
 * Requires  cell_step(), cell_step_outputs(); chunk_run.h, tile.h
 * Provides  struct lane, lane_begin(), lane_put(), lane_step()
 * Launch    any thread */
struct lane {
    struct place at;
    prnn_i32 c; /* within the thread block */
    int is_inside;
    prnn_real p[PRNN_PARAMS + 1], h0[PRNN_N];
    prnn_real h[PRNN_N], scale;
    /* Where it writes next, and how far the next step is. */
    prnn_elem *state[PRNN_N], *output[PRNN_OUTPUTS + 1];
    prnn_i64 state_hop[PRNN_N], output_hop[PRNN_OUTPUTS + 1];
};

/* Channel c of the thread block, from entry w on, which stands before step t0. */
PRNN_FN void lane_begin(struct lane *lane, const struct prnn_launch *launch, const struct place *block, prnn_i32 c,
                        prnn_i32 w, prnn_i64 t0)
{
    SHARED_ENTRY;
    lane->at = *block;
    lane->c = c;
    lane->at.channel = block->channel + lane->c;
    lane->is_inside = lane->at.channel < launch->head.channels;
    lane->scale = 0;
    PRNN_UNROLL
    for (int j = 0; j < PRNN_PARAMS; j++)
        lane->p[j] = lane->is_inside ? place_param(launch, j, lane->at.channel) : (prnn_real)0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_H + i];
        lane->h[i] = PRNN_SLD(s_entry, AT_ENTRY(w, i, lane->c));
        lane->h0[i] = lane->is_inside ? place_initial(launch, &lane->at, i, lane->at.channel) : (prnn_real)0;
        lane->state[i] = (prnn_elem *)arg->base + place_offset(arg, &lane->at, t0) + lane->at.channel;
        lane->state_hop[i] = place_sign(&lane->at) * arg->stride_t;
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_Y + i];
        lane->output[i] = (prnn_elem *)arg->base + place_offset(arg, &lane->at, t0) + lane->at.channel;
        lane->output_hop[i] = place_sign(&lane->at) * arg->stride_t;
    }
}

/* What it has come to becomes entry w. */
PRNN_FN void lane_put(const struct lane *lane, prnn_i32 w)
{
    SHARED_ENTRY;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        PRNN_SST(s_entry, AT_ENTRY(w, i, lane->c), lane->h[i]);
}

/* One step, written. */
PRNN_FN void lane_step(struct lane *lane, const prnn_real *x, int is_reset)
{
    prnn_real next[PRNN_N], y[PRNN_OUTPUTS + 1];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        lane->h[i] = is_reset ? lane->h0[i] : lane->h[i];
#if PRNN_OUTPUTS
    cell_step_outputs(lane->h, x, lane->p, next, y);
#else
    cell_step(lane->h, x, lane->p, next);
    (void)y;
#endif
    scale_add(&lane->scale, next);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        lane->h[i] = next[i];
        if (PRNN_STATE_WRITTEN >> i & 1) {
            if (lane->is_inside)
                PRNN_GST(lane->state[i], PRNN_TO_ELEM(next[i]));
            lane->state[i] += lane->state_hop[i];
        }
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        if (lane->is_inside)
            PRNN_GST(lane->output[i], PRNN_TO_ELEM(y[i]));
        lane->output[i] += lane->output_hop[i];
    }
}
