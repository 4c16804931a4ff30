#include "abi.h"
#include "planted.h"
#include "prelude_shim.h"

#define PLANTED(name) (PRNN_LAUNCH->plant == PLANT_##name)

PRNN_FN int deep(int n)
{
    volatile char held[65536];
    held[n] = (char)n;
    return n > 0 ? deep(n - 1) + held[n] : 0;
}

/* out = 3 rounds of v[i] = v[i + 1] + 1 round the block, then the sum of the warp. */
PRNN_KERNEL(relay, RELAY_THREADS)
{
    PRNN_SHARED(float, s_value, 0, RELAY_THREADS);
    PRNN_SHARED(float, s_other, RELAY_THREADS * 4, RELAY_THREADS);
    PRNN_SHARED(int, s_flag, RELAY_THREADS * 8, RELAY_THREADS);
    const prnn_i32 tid = PRNN_TID;
    const prnn_i32 at = PRNN_BID * RELAY_THREADS + tid;
    float v = PRNN_GLD(PRNN_LAUNCH->in + at);

    if (PLANTED(VIEW_OUTSIDE_POOL)) {
        PRNN_SHARED(float, s_outside, RELAY_THREADS * 8, RELAY_THREADS + 1);
        PRNN_SST(s_outside, 0, 0.0f);
    }
    if (PLANTED(VIEW_UNALIGNED)) {
        PRNN_SHARED(float, s_unaligned, 2, 1);
    }
    if (PLANTED(DEEP_STACK) && deep(8))
        return;
    PRNN_SST(s_flag, tid, tid);
    for (int round = 0; round < RELAY_ROUNDS; round++) {
        PRNN_SST(s_value, tid, v);
        if (!PLANTED(NO_BARRIER_AFTER_WRITE))
            PRNN_BARRIER();
        v = PRNN_SLD(s_value, (tid + 1) % RELAY_THREADS) + 1.0f;
        if (PLANTED(RETURN_BEFORE_BARRIER) && round == 1 && tid == 5)
            return;
        if (!PLANTED(NO_BARRIER_BEFORE_NEXT_WRITE))
            PRNN_BARRIER();
        if (!PLANTED(NO_REDUNDANT_BARRIER) && !PLANTED(NO_BARRIER_BEFORE_NEXT_WRITE))
            PRNN_BARRIER();
    }
    if (PLANTED(BARRIERS_AT_TWO_PLACES)) {
        if (tid < 32)
            PRNN_BARRIER();
        else
            PRNN_BARRIER();
    }
    while (PLANTED(ENDLESS_BARRIERS))
        PRNN_BARRIER();
    if (PLANTED(SHARED_PAST_END))
        v = PRNN_SLD(s_value, tid + 1);
    if (PLANTED(SHARED_BEFORE_BEGIN))
        v = PRNN_SLD(s_flag, tid - 1);
    if (PLANTED(SHARED_INTO_NEXT_VIEW))
        v = PRNN_SLD(s_value + RELAY_THREADS, tid);
    if (PLANTED(SHARED_STORE_PAST_END))
        PRNN_SST(s_flag, tid + 1, 0);
    if (PLANTED(UNINITIALISED) && tid == 7)
        v = PRNN_SLD(s_other, 7);
    if (PLANTED(LAST_READER_WRITES)) {
        v = PRNN_SLD(s_value, 0) + PRNN_SLD(s_value, 1);
        if (tid == RELAY_THREADS - 1)
            PRNN_SST(s_value, 0, v);
        if (tid == 0)
            PRNN_SST(s_value, 1, v);
    }
    if (PLANTED(TWO_WRITERS))
        PRNN_SST(s_other, tid / 2, v);
    if (PLANTED(RAW_DEREFERENCE))
        v = s_value[tid];

    float sum = v;
    if (PLANTED(SHUFFLE_IN_BRANCH)) {
        if (tid != 3)
            sum += PRNN_SHFL_DOWN(sum, 1);
        PRNN_BARRIER();
    } else if (PLANTED(SHUFFLES_AT_TWO_PLACES)) {
        if (tid % 2)
            sum = PRNN_SHFL_UP(v, 1);
        else
            sum = PRNN_SHFL_UP(v, 1);
    }
    for (int d = 16; d > 0; d /= 2)
        sum += PRNN_SHFL_DOWN(sum, PLANTED(SHUFFLE_WRONG_DISTANCE) && d == 4 ? 5 : d);
    sum = PRNN_SHFL(sum, 0);

    if (PLANTED(GLOBAL_READ_PAST_END))
        sum += PRNN_GLD(PRNN_LAUNCH->in + at + 1);
    if (PLANTED(GLOBAL_READ_BEFORE_BEGIN))
        sum += PRNN_GLD(PRNN_LAUNCH->in + at - 1);
    if (PLANTED(GLOBAL_WRITE_TO_INPUT))
        PRNN_GST((float *)(prnn_u64)PRNN_LAUNCH->in + at, sum);
    if (PLANTED(GLOBAL_UNALIGNED_PAIR) && tid == 1)
        PRNN_GST2(PRNN_LAUNCH->out + at, sum, sum);
    if (PLANTED(GLOBAL_TWO_WRITERS))
        PRNN_GST(PRNN_LAUNCH->out + at / 2, sum);
    else if (PLANTED(GLOBAL_WRITE_PAST_END))
        PRNN_GST(PRNN_LAUNCH->out + at + 1, sum);
    else
        PRNN_GST(PRNN_LAUNCH->out + at, sum);
    if (PLANTED(GLOBAL_READ_OF_OTHER_BLOCK) && PRNN_BID == 1 && tid == 0)
        sum += PRNN_GLD(PRNN_LAUNCH->out);
}

/* Quarter 'quarter' of row 'row' into its stage; past the last row zeros arrive. */
PRNN_FN void row_copy(float *s_ring, const float *in, int row, int quarter)
{
    PRNN_ASYNC_COPY16(s_ring, (row % STREAM_STAGES) * RELAY_THREADS + 4 * quarter,
                      in + row * RELAY_THREADS + 4 * quarter, row < STREAM_ROWS);
}

/* out[i] = sum over rows of in[row][63 - i], the rows two stages ahead. */
PRNN_KERNEL(stream, RELAY_THREADS)
{
    PRNN_SHARED(float, s_ring, 0, STREAM_STAGES *RELAY_THREADS);
    const prnn_i32 tid = PRNN_TID;
    const float *const in = PRNN_LAUNCH->in;
    float sum = 0.0f;
    for (int row = 0; row < STREAM_STAGES; row++) {
        if (tid < RELAY_THREADS / 4)
            row_copy(s_ring, in, row, tid);
        PRNN_ASYNC_COMMIT();
    }
    if (PLANTED(COPY_TO_UNALIGNED) && tid == 0)
        PRNN_ASYNC_COPY16(s_ring, 2, in, 1);
    if (PLANTED(COPY_FROM_UNALIGNED) && tid == 0)
        PRNN_ASYNC_COPY16(s_ring, 4, in + 1, 1);
    if (PLANTED(COPY_FROM_PAST_END) && tid == 0)
        PRNN_ASYNC_COPY16(s_ring, 4, in + STREAM_ROWS * RELAY_THREADS, 1);
    if (PLANTED(COPY_TO_PAST_END) && tid == 0)
        PRNN_ASYNC_COPY16(s_ring, STREAM_STAGES * RELAY_THREADS, in, 1);
    if (PLANTED(COPY_TWICE) && tid == 0)
        PRNN_ASYNC_COPY16(s_ring, 0, in, 1);
    for (int row = 0; row < STREAM_ROWS; row++) {
        if (PLANTED(WAIT_FOR_TOO_FEW))
            PRNN_ASYNC_WAIT(STREAM_STAGES);
        else if (!PLANTED(NO_WAIT))
            PRNN_ASYNC_WAIT(STREAM_STAGES - 1);
        if (!PLANTED(NO_BARRIER_AFTER_WAIT))
            PRNN_BARRIER();
        sum += PRNN_SLD(s_ring, (row % STREAM_STAGES) * RELAY_THREADS + RELAY_THREADS - 1 - tid);
        if (!PLANTED(NO_BARRIER_BEFORE_REFILL))
            PRNN_BARRIER();
        if (tid < RELAY_THREADS / 4)
            row_copy(s_ring, in, row + STREAM_STAGES, tid);
        if (!PLANTED(NO_COMMIT))
            PRNN_ASYNC_COMMIT();
    }
    PRNN_GST(PRNN_LAUNCH->out + tid, sum);
}

/* out = 3 rounds of v = sum over the blocks of v of thread 0, in the order of the blocks, + rank.
 */
PRNN_KERNEL(exchange, RELAY_THREADS)
{
    PRNN_SHARED(float, s_sent, 0, EXCHANGE_BLOCKS);
    const prnn_i32 tid = PRNN_TID, rank = PRNN_CLUSTER_RANK;
    float v = PRNN_GLD(PRNN_LAUNCH->in + PRNN_BID * RELAY_THREADS);
    if (!PLANTED(NO_FIRST_CLUSTER_BARRIER))
        PRNN_CLUSTER_BARRIER();
    for (int round = 0; round < EXCHANGE_ROUNDS; round++) {
        if (tid < EXCHANGE_BLOCKS)
            PRNN_RST(s_sent, tid, rank, v);
        if (PLANTED(SEND_TO_NO_BLOCK) && tid == EXCHANGE_BLOCKS)
            PRNN_RST(s_sent, tid, rank, v);
        if (PLANTED(BLOCK_BARRIER_AFTER_SEND))
            PRNN_BARRIER();
        else if (!PLANTED(NO_CLUSTER_BARRIER_AFTER_SEND))
            PRNN_CLUSTER_BARRIER();
        v = (float)rank;
        for (int b = 0; b < EXCHANGE_BLOCKS; b++)
            v += PRNN_SLD(s_sent, b);
        if (PLANTED(NO_CLUSTER_BARRIER_BEFORE_NEXT_SEND))
            PRNN_BARRIER();
        else
            PRNN_CLUSTER_BARRIER();
    }
    if (PLANTED(SEND_BEFORE_END) && tid == 0)
        PRNN_RST(s_sent, (rank + 1) % EXCHANGE_BLOCKS, rank, v);
    if (PLANTED(BARRIERS_OF_TWO_KINDS)) {
        if (rank == 0 && tid < 32)
            PRNN_BARRIER();
        else
            PRNN_CLUSTER_BARRIER();
    }
    PRNN_GST(PRNN_LAUNCH->out + PRNN_BID * RELAY_THREADS + tid, v);
}

/* Where each thread thinks it is, and when it came: block-wide facts by a barrier. */
PRNN_KERNEL(place, RELAY_THREADS)
{
    const prnn_i32 tid = PRNN_TID;
    PRNN_LAUNCH->turn[PRNN_BID * RELAY_THREADS + tid] = PRNN_LAUNCH->turn[-1]++;
    const int any = PRNN_BARRIER_OR(PRNN_BID == 1 && tid == 40);
    const int none = PRNN_BARRIER_OR(0);
    PRNN_GST(PRNN_LAUNCH->out + PRNN_BID * RELAY_THREADS + tid,
             (float)(PRNN_BID * 1000 + PRNN_CLUSTER_RANK * 100 + (any != 0) * 10 + (none != 0)));
}

/* Every element type through shared and global memory, each thread beside its neighbour. */
PRNN_KERNEL(types, RELAY_THREADS)
{
    PRNN_SHARED(double, s_double, 0, RELAY_THREADS);
    PRNN_SHARED(unsigned short, s_half, RELAY_THREADS * 8, RELAY_THREADS);
    PRNN_SHARED(unsigned char, s_byte, RELAY_THREADS * 10, RELAY_THREADS);
    PRNN_SHARED(float, s_pair, RELAY_THREADS * 12, 2 * RELAY_THREADS);
    const prnn_i32 tid = PRNN_TID, next = (tid + 1) % RELAY_THREADS;
    PRNN_SST(s_double, tid, tid + 0.5);
    PRNN_SST(s_half, tid, tid + 65000);
    PRNN_SST(s_byte, tid, tid);
    PRNN_SST(s_pair, 2 * tid, tid);
    PRNN_SST(s_pair, 2 * tid + 1, -tid);
    PRNN_BARRIER();
    float a, b;
    PRNN_SLD2(s_pair, 2 * next, a, b);
    unsigned short h0, h1;
    PRNN_SLD2(s_half, 2 * (tid / 2), h0, h1);
    PRNN_GST(PRNN_LAUNCH->doubles + tid, PRNN_SLD(s_double, next));
    PRNN_GST(PRNN_LAUNCH->out + tid, a - b + PRNN_SLD(s_byte, next) / 256.0f);
    if (tid % 2 == 0)
        PRNN_GST2(PRNN_LAUNCH->halves + tid, h1, h0);
    const prnn_u32 bits = PRNN_SHFL_UP(PRNN_BITS32((float)tid), 2u);
    const double d = PRNN_SHFL((double)tid, 31);
    PRNN_GST(PRNN_LAUNCH->doubles + RELAY_THREADS + tid, PRNN_F32(bits) + 1000.0 * d);
}

/* Segment k of a warp adds up its values in 1 + k rounds, whatever the others do. */
PRNN_KERNEL(segments, RELAY_THREADS)
{
    const prnn_i32 tid = PRNN_TID, at = PRNN_BID * RELAY_THREADS + tid;
    const int rounds = 1 + tid % 32 / SEGMENT;
    float v = PRNN_GLD(PRNN_LAUNCH->in + at);
    for (int round = 0; round < rounds; round++) {
        if (PLANTED(SEGMENT_LACKS_A_LANE) && round == 1 && tid == 13)
            break;
        for (int d = SEGMENT / 2; d > 0; d /= 2)
            v += PRNN_SHFL_XOR(v, PLANTED(SEGMENT_TOO_FAR) && d == 4 ? SEGMENT : d,
                               PLANTED(SEGMENT_OF_TWO_WIDTHS) && tid == 13 ? 4 : SEGMENT);
    }
    PRNN_GST(PRNN_LAUNCH->out + at, v);
}
