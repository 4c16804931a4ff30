/* Sums of the partial gradients that backward.h leaves in the workspace, always in the same order.
 *
 * Requires  place.h; the layout of the workspace in backward.h
 * Provides  the kernel PRNN_REDUCE_ENTRY
 * Layout    s_part [PRNN_REDUCE_GROUPS][32]
 * Launch    PRNN_REDUCE_GROUPS * 32 threads; thread blocks: PRNN_PARAMS * ceil(channels / 32), then for
 *           each shared input with a gradient ceil(rows / PRNN_REDUCE_GROUPS), where rows is
 *           batch * seq_len, or seq_len if packed */
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
    block -= PRNN_PARAMS * pieces;
    const prnn_i64 all = sequence_rows(&launch->head);
    const prnn_i64 row_blocks = (all + PRNN_REDUCE_GROUPS - 1) / PRNN_REDUCE_GROUPS;
    const prnn_i64 row = block % row_blocks * PRNN_REDUCE_GROUPS + group;
    prnn_i32 input = 0;
    prnn_i64 skip = block / row_blocks;
    PRNN_UNROLL
    for (int k = PRNN_INPUTS - 1; k >= 0; k--) {
        prnn_i64 before = 0;
        PRNN_UNROLL
        for (int l = 0; l < PRNN_INPUTS; l++)
            before += l < k && cell_input_is_shared(l) && cell_input_has_gradient(l);
        if (before == skip && cell_input_is_shared(k) && cell_input_has_gradient(k))
            input = k;
    }
    const prnn_real *from = partial + channels * (rows * PRNN_PARAMS + skip * all);
    prnn_real sum = 0;
    if (row < all) {
        PRNN_NO_UNROLL
        for (prnn_i64 c = lane; c < channels; c += 32)
            sum += PRNN_GLD(from + row * channels + c);
    }
    PRNN_SST(s_part, group * 32 + lane, sum);
    PRNN_BARRIER(); /* all threads: the sums of the lanes are written */
    const struct prnn_arg *arg = &launch->arg[PRNN_ARG_DX + input];
    if (lane == 0 && row < all && arg->base) {
        prnn_real total = 0;
        PRNN_NO_UNROLL
        for (prnn_i32 l = 0; l < 32; l++)
            total += PRNN_SLD(s_part, group * 32 + l);
        const prnn_i64 b = launch->head.cu_seqlens ? 0 : row / launch->head.seq_len;
        const prnn_i64 t = row - b * launch->head.seq_len;
        PRNN_GST((prnn_elem *)arg->base + b * arg->stride_b + t * arg->stride_t, PRNN_TO_ELEM(total));
    }
}
