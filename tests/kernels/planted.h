/* Small kernels with one fault planted at a time, and the launch argument that chooses it. */
#ifndef PRNN_PLANTED_H
#define PRNN_PLANTED_H

enum plant {
    PLANT_NOTHING,
    /* relay: values go round a block through shared memory */
    PLANT_NO_BARRIER_AFTER_WRITE,
    PLANT_NO_BARRIER_BEFORE_NEXT_WRITE,
    PLANT_NO_REDUNDANT_BARRIER,
    PLANT_BARRIERS_AT_TWO_PLACES,
    PLANT_RETURN_BEFORE_BARRIER,
    PLANT_SHARED_PAST_END,
    PLANT_SHARED_BEFORE_BEGIN,
    PLANT_SHARED_INTO_NEXT_VIEW,
    PLANT_SHARED_STORE_PAST_END,
    PLANT_VIEW_OUTSIDE_POOL,
    PLANT_VIEW_UNALIGNED,
    PLANT_UNINITIALISED,
    PLANT_LAST_READER_WRITES,
    PLANT_TWO_WRITERS,
    PLANT_GLOBAL_READ_PAST_END,
    PLANT_GLOBAL_READ_BEFORE_BEGIN,
    PLANT_GLOBAL_WRITE_PAST_END,
    PLANT_GLOBAL_WRITE_TO_INPUT,
    PLANT_GLOBAL_UNALIGNED_PAIR,
    PLANT_GLOBAL_TWO_WRITERS,
    PLANT_GLOBAL_READ_OF_OTHER_BLOCK,
    PLANT_SHUFFLE_WRONG_DISTANCE,
    PLANT_SHUFFLE_IN_BRANCH,
    PLANT_SHUFFLES_AT_TWO_PLACES,
    PLANT_RAW_DEREFERENCE,
    PLANT_ENDLESS_BARRIERS,
    PLANT_DEEP_STACK,
    /* stream: rows arrive by asynchronous copies */
    PLANT_NO_WAIT,
    PLANT_WAIT_FOR_TOO_FEW,
    PLANT_NO_COMMIT,
    PLANT_NO_BARRIER_AFTER_WAIT,
    PLANT_NO_BARRIER_BEFORE_REFILL,
    PLANT_COPY_TO_UNALIGNED,
    PLANT_COPY_FROM_UNALIGNED,
    PLANT_COPY_FROM_PAST_END,
    PLANT_COPY_TO_PAST_END,
    PLANT_COPY_TWICE,
    /* exchange: the blocks of a cluster send each other sums */
    PLANT_NO_FIRST_CLUSTER_BARRIER,
    PLANT_NO_CLUSTER_BARRIER_AFTER_SEND,
    PLANT_BLOCK_BARRIER_AFTER_SEND,
    PLANT_NO_CLUSTER_BARRIER_BEFORE_NEXT_SEND,
    PLANT_SEND_BEFORE_END,
    PLANT_SEND_TO_NO_BLOCK,
    PLANT_BARRIERS_OF_TWO_KINDS,
    /* segments: sums over parts of a warp, which go on for so many rounds of their own */
    PLANT_SEGMENT_TOO_FAR,
    PLANT_SEGMENT_LACKS_A_LANE,
    PLANT_SEGMENT_OF_TWO_WIDTHS,
    PLANT_COUNT
};

enum {
    RELAY_THREADS = 64,
    RELAY_ROUNDS = 3,
    RELAY_SHARED = 3 * RELAY_THREADS * 4,
    STREAM_ROWS = 7,
    STREAM_STAGES = 2,
    STREAM_SHARED = STREAM_STAGES * RELAY_THREADS * 4,
    EXCHANGE_BLOCKS = 4,
    EXCHANGE_ROUNDS = 3,
    EXCHANGE_SHARED = 256,
    SEGMENT = 8
};

struct prnn_launch {
    enum plant plant;
    const float *in; /* [grid, RELAY_THREADS], of stream [STREAM_ROWS, RELAY_THREADS] */
    float *out;      /* [grid, RELAY_THREADS] */
    int *turn;       /* counts threads as they come */
    double *doubles;
    unsigned short *halves;
};

void relay(const struct prnn_launch *launch);
void stream(const struct prnn_launch *launch);
void exchange(const struct prnn_launch *launch);
void place(const struct prnn_launch *launch);
void types(const struct prnn_launch *launch);
void segments(const struct prnn_launch *launch);

#endif
