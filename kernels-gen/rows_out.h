/* Requires  place.h; PRNN_VC
 * Provides  rows of sequence tensors written by a thread for its neighbouring channels, with one pointer that
 *           moves with the steps
 * Launch    any thread */

/* The thread's first channel at step t. */
PRNN_FN prnn_elem *row_out(const struct prnn_launch *launch, int a, const struct place *mine, prnn_i64 t)
{
    const struct prnn_arg *arg = &launch->arg[a];
    return (prnn_elem *)arg->base + place_offset(arg, mine, t) + mine->channel;
}

/* From a step to the next. */
PRNN_FN prnn_i64 row_out_hop(const struct prnn_launch *launch, int a, const struct place *mine)
{
    return place_sign(mine) * launch->arg[a].stride_t;
}

/* Plain: 16-byte aligned rows, and all channels of the thread block inside the tensor. */
PRNN_FN void row_out_store(const struct prnn_launch *launch, const struct place *mine, prnn_elem *g,
                           const prnn_real *v, int is_plain)
{
    if (is_plain) {
#if PRNN_VC == 2
        PRNN_GST2(g, PRNN_TO_ELEM(v[0]), PRNN_TO_ELEM(v[1]));
#else
        PRNN_GST(g, PRNN_TO_ELEM(v[0]));
#endif
        return;
    }
    PRNN_UNROLL
    for (int c = 0; c < PRNN_VC; c++)
        if (mine->channel + c < launch->head.channels)
            PRNN_GST(g + c, PRNN_TO_ELEM(v[c]));
}
