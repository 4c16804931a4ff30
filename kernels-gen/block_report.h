/* Requires  place.h; PRNN_S_REPORT
 * Provides  report_block(): what a thread block tells about its forward solve
 * Layout    s_worst [PRNN_THREADS] reals, s_owner [PRNN_THREADS]
 * Launch    all threads of the block, once, in block-uniform flow */
PRNN_FN void report_block(const struct prnn_launch *launch, const struct place *block,
                          prnn_real mismatch, prnn_i64 step, prnn_i32 c, int nonfinite,
                          prnn_u32 max_corrections, prnn_u64 sum_corrections, prnn_i64 tiles)
{
    const int any_nonfinite = PRNN_BARRIER_OR(nonfinite);
    if (!launch->head.report)
        return;
    prnn_i32 owner = 0;
#if PRNN_TILE_CHUNKS * PRNN_CLUSTER > 1
    PRNN_SHARED(prnn_real, s_worst, PRNN_S_REPORT, PRNN_THREADS);
    PRNN_SHARED(prnn_i32, s_owner, PRNN_S_REPORT + PRNN_THREADS * (int)sizeof(prnn_real), PRNN_THREADS);
    PRNN_SST(s_worst, PRNN_TID, mismatch);
    PRNN_SST(s_owner, PRNN_TID, PRNN_TID);
    PRNN_BARRIER(); /* all threads: every witness is written */
    PRNN_NO_UNROLL
    for (prnn_i32 rest = PRNN_THREADS; rest > 1;) {
        const prnn_i32 half = (rest + 1) / 2;
        if (PRNN_TID + half < rest) {
            const prnn_real other = PRNN_SLD(s_worst, PRNN_TID + half);
            if (other > PRNN_SLD(s_worst, PRNN_TID)) {
                PRNN_SST(s_worst, PRNN_TID, other);
                PRNN_SST(s_owner, PRNN_TID, PRNN_SLD(s_owner, PRNN_TID + half));
            }
        }
        PRNN_BARRIER(); /* all threads: the upper half is folded into the lower */
        rest = half;
    }
    owner = PRNN_SLD(s_owner, 0);
#endif
    if (PRNN_TID == owner) {
        struct prnn_block_report *report = launch->head.report + PRNN_BID;
        PRNN_GLD(&report->mismatch) = (double)mismatch;
        PRNN_GLD(&report->step) = step;
        PRNN_GLD(&report->channel) = step < 0 ? -1 : block->channel + c;
        PRNN_GLD(&report->batch) = block->sequence;
        PRNN_GLD(&report->max_corrections) = max_corrections;
        PRNN_GLD(&report->tiles) = (prnn_u32)tiles;
        PRNN_GLD(&report->sum_corrections) = sum_corrections;
        PRNN_GLD(&report->nonfinite) = (prnn_u32)any_nonfinite;
        PRNN_GLD(&report->reserved) = 0;
    }
}
