/* Requires  place.h; PRNN_VC
 * Provides  rows of sequence tensors written by a thread for its neighbouring channels
 * Launch    any thread */

/* Where the thread writes a tensor at some step; the steps around it are so many hops away. */
struct row_out {
    char *g;
    prnn_i32 hop; /* bytes from a step to the next, where they are less than 2 GiB apart */
};

/* The thread's first channel at step t. */
PRNN_FN void row_out_begin(struct row_out *to, const struct prnn_launch *launch, int a, const struct place *mine,
                           prnn_i64 t)
{
    const struct prnn_arg *arg = &launch->arg[a];
    to->g = (char *)((prnn_elem *)arg->base + place_offset(arg, mine, t) + mine->channel);
    to->hop = (prnn_i32)(place_sign(mine) * arg->stride_t) * (prnn_i32)sizeof(prnn_elem);
}

/* Move by some steps. Plain: as of a chunk. */
PRNN_FN void row_out_move(struct row_out *to, const struct prnn_launch *launch, int a, const struct place *mine,
                          int steps, int is_plain)
{
    if (is_plain)
        to->g = PRNN_HOPS(to->g, to->hop, steps);
    else
        to->g += place_sign(mine) * launch->arg[a].stride_t * (prnn_i64)sizeof(prnn_elem) * steps;
}

/* Write 'steps' steps away; 0 unless plain. */
PRNN_FN void row_out_store(const struct row_out *to, const struct prnn_launch *launch, const struct place *mine,
                           int steps, const prnn_real *v, int is_plain)
{
    if (is_plain) {
        prnn_elem *g = (prnn_elem *)PRNN_HOPS(to->g, to->hop, steps);
#if PRNN_VC == 2
        PRNN_GST2(g, PRNN_TO_ELEM(v[0]), PRNN_TO_ELEM(v[1]));
#else
        PRNN_GST(g, PRNN_TO_ELEM(v[0]));
#endif
        return;
    }
    prnn_elem *g = (prnn_elem *)to->g;
    PRNN_UNROLL
    for (int c = 0; c < PRNN_VC; c++)
        if (mine->channel + c < launch->head.channels)
            PRNN_GST(g + c, PRNN_TO_ELEM(v[c]));
}
