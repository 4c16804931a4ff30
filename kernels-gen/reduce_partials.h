/* Sums of the partial gradients that the backward pass leaves in the workspace, always in the same order.
 *
 * Requires  the layout of the workspace in backward_sums.h and shared_inputs.h
 * Provides  the kernel PRNN_REDUCE_ENTRY
 * Layout    s_part [PRNN_REDUCE_GROUPS][32]
 * Launch    PRNN_REDUCE_GROUPS * 32 threads; thread blocks: PRNN_PARAMS * ceil(channels / 32), then as many as have a
 *           thread for each of sequence_rows() rows and shared input with a gradient */
#define PRNN_REDUCE_GROUPS 8

PRNN_KERNEL(PRNN_REDUCE_ENTRY, PRNN_REDUCE_GROUPS * 32)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    PRNN_SHARED(prnn_real, s_part, 0, PRNN_REDUCE_GROUPS * 32);
    const prnn_i64 channels = launch->head.channels;
    const prnn_i32 lane = PRNN_TID % 32, group = PRNN_TID / 32;
    const prnn_i64 pieces = (channels + 31) / 32;
    const prnn_real *partial = (const prnn_real *)launch->head.workspace;
    const prnn_i64 rows = launch->head.batch * PRNN_CLUSTER;
    prnn_i64 block = PRNN_BID;

    if (block < PRNN_PARAMS * pieces) {
        const prnn_i32 j = (prnn_i32)(block / pieces);
        const int is_shared = cell_param_is_shared(j);
        const prnn_i64 begin = is_shared ? lane : block % pieces * 32 + lane;
        const prnn_i64 end = is_shared ? channels : begin + 1 < channels ? begin + 1 : channels;
        const int is_mine = cell_param_has_gradient(j) && !(is_shared && block % pieces);
        prnn_real sum = 0;
        if (is_mine) {
            PRNN_NO_UNROLL
            for (prnn_i64 c = begin; c < end; c += 32) {
                PRNN_UNROLL_BY(4)
                for (prnn_i64 r = group; r < rows; r += PRNN_REDUCE_GROUPS)
                    sum += PRNN_GLD(partial + (r * PRNN_PARAMS + j) * channels + c);
            }
        }
        PRNN_SST(s_part, group * 32 + lane, sum);
        PRNN_BARRIER(); /* all threads: the sums of the groups are written */
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_DP + j];
        if (is_mine && arg->base && group == 0 && (is_shared ? lane == 0 : begin < channels)) {
            prnn_real total = 0;
            PRNN_NO_UNROLL
            for (prnn_i32 g = 0; g < PRNN_REDUCE_GROUPS; g++) {
                PRNN_NO_UNROLL
                for (prnn_i32 l = lane; l < (is_shared ? 32 : lane + 1); l++)
                    total += PRNN_SLD(s_part, g * 32 + l);
            }
            PRNN_GST((prnn_real *)arg->base + (is_shared ? 0 : begin), total);
        }
        return;
    }
#if PRNN_SHARED_GRADIENTS
    block -= PRNN_PARAMS * pieces;
    const prnn_i64 all = sequence_rows(&launch->head) * PRNN_SHARED_GRADIENTS;
    const prnn_i64 at = block * (PRNN_REDUCE_GROUPS * 32) + PRNN_TID;
    const prnn_i64 segments = (channels + PRNN_SEGMENT_CHANNELS - 1) / PRNN_SEGMENT_CHANNELS;
    const prnn_i64 row = at / PRNN_SHARED_GRADIENTS;
    prnn_i32 input = 0, count = 0;
    PRNN_UNROLL
    for (int k = 0; k < PRNN_INPUTS; k++) {
        if (!cell_input_is_shared(k) || !cell_input_has_gradient(k))
            continue;
        if (count == at % PRNN_SHARED_GRADIENTS)
            input = k;
        count++;
    }
    const struct prnn_arg *arg = &launch->arg[PRNN_ARG_DX + input];
    if (at < all && arg->base) {
        const prnn_real *from = shared_partials(&launch->head) + at;
        prnn_real sum = 0;
        PRNN_UNROLL_BY(4)
        for (prnn_i64 s = 0; s < segments; s++)
            sum += PRNN_GLD(from + s * all);
        const prnn_i64 b = launch->head.cu_seqlens ? 0 : row / launch->head.seq_len;
        const prnn_i64 t = row - b * launch->head.seq_len;
        PRNN_GST((prnn_elem *)arg->base + b * arg->stride_b + t * arg->stride_t, PRNN_TO_ELEM(sum));
    }
#endif
}
