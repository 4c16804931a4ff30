/* One step for decoding: states from h0, new states to hT, outputs to the sequence tensors' first step.
 *
 * Requires  cell_step(), cell_step_outputs(); place.h
 * Provides  the kernel PRNN_ENTRY
 * Launch    a thread for each sequence and channel, PRNN_THREADS a block */
PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    const prnn_i64 channels = launch->head.channels;
    const prnn_i64 i = (prnn_i64)PRNN_BID * PRNN_THREADS + PRNN_TID;
    if (i < launch->head.batch * channels) {
        const struct place at = place_of(&launch->head, i / channels, i % channels);
        prnn_real h[PRNN_STATES], x[PRNN_INPUTS + 1], p[PRNN_PARAMS + 1], next[PRNN_STATES];
        PRNN_UNROLL
        for (int s = 0; s < PRNN_STATES; s++)
            h[s] = place_initial(launch, &at, s, at.channel);
        PRNN_UNROLL
        for (int k = 0; k < PRNN_INPUTS; k++)
            x[k] = place_load(launch, PRNN_ARG_X + k, &at, 0, cell_input_is_shared(k) ? 0 : at.channel);
        PRNN_UNROLL
        for (int k = 0; k < PRNN_PARAMS; k++)
            p[k] = place_param(launch, k, at.channel);
#if PRNN_OUTPUTS
        prnn_real y[PRNN_OUTPUTS];
        cell_step_outputs(h, x, p, next, y);
        PRNN_UNROLL
        for (int k = 0; k < PRNN_OUTPUTS; k++) {
            const struct prnn_arg *arg = &launch->arg[PRNN_ARG_Y + k];
            if (arg->base)
                PRNN_GST((prnn_elem *)arg->base + place_offset(arg, &at, 0) + at.channel, PRNN_TO_ELEM(y[k]));
        }
#else
        cell_step(h, x, p, next);
#endif
        PRNN_UNROLL
        for (int s = 0; s < PRNN_STATES; s++) {
            const struct prnn_arg *arg = &launch->arg[PRNN_ARG_HT + s];
            const struct prnn_arg *row = &launch->arg[PRNN_ARG_H + s];
            if (arg->base)
                PRNN_GST((prnn_real *)arg->base + at.sequence * arg->stride_b + at.channel, next[s]);
            if (row->base)
                PRNN_GST((prnn_elem *)row->base + place_offset(row, &at, 0) + at.channel, PRNN_TO_ELEM(next[s]));
        }
    }
}
