/* The contract between kernel text and runtime: compiled into every text and included by the
 * runtime, so that layouts cannot differ. NVRTC has no headers, hence the own names of fixed width;
 * the runtime asserts sizes and offsets. */
#ifndef PRNN_ABI_H
#define PRNN_ABI_H

#define PRNN_ABI_VERSION 2

typedef signed int prnn_i32;
typedef unsigned int prnn_u32;
typedef signed long long prnn_i64;
typedef unsigned long long prnn_u64;

/* One scalar of a declaration as a tensor. Element (b, t, channel) of a sequence tensor stands at
 * base[b*stride_b + t*stride_t + channel], in elements of the storage type; neighbouring channels are neighbours in
 * memory. A shared input has one value a step: base[b*stride_b + t*stride_t]. States at one time
 * (h0, hT and their gradients) use stride_b only and the arithmetic type, as do parameters, which
 * use neither stride: base[channel], or base[0] if shared. base NULL: absent. */
struct prnn_arg {
    void *base;
    prnn_i64 stride_b, stride_t;
};

/* What one thread block reports about its part of the forward solve. */
struct prnn_block_report {
    double mismatch;             /* largest |exit - next entry| / scale of the state */
    prnn_i64 step, channel;      /* where it was; -1: nowhere */
    prnn_i64 batch;
    prnn_u32 max_corrections;    /* of one tile */
    prnn_u32 tiles;
    prnn_u64 sum_corrections;    /* over the tiles of the block */
    prnn_u32 nonfinite;          /* 1: inf or NaN among the states */
    prnn_u32 reserved;
};

/* The one argument of a kernel: this head, then PRNN_ARGS scalars in the order of PRNN_ARG_*. */
struct prnn_launch_head {
    prnn_i64 batch, seq_len, channels;
    const prnn_i64 *cu_seqlens;  /* [batch + 1] starts in one packed sequence, or NULL */
    const unsigned char *reset;  /* reset[b*reset_stride_b + t*reset_stride_t], or NULL */
    prnn_i64 reset_stride_b, reset_stride_t;
    void *workspace;             /* partial sums of gradients: see backward.h */
    struct prnn_block_report *report; /* one a thread block, or NULL */
    double tolerance;            /* of the mismatch, relative; 0: bits of the sequential run */
    prnn_i32 is_reversed;        /* packed sequences only: else strides are negative already */
    prnn_i32 is_near;            /* steps of every sequence tensor are less than 2 GiB apart */
    prnn_i32 is_aligned;         /* ... and every row of one starts at 16 bytes */
    prnn_i32 reserved;
};

/* Order of the scalars behind the head. X, H, Y and their gradients GX, GH, GY are sequence tensors;
 * H is the state after each step, Y the outputs that are not simply a state. D is "gradient of",
 * G "incoming gradient of". */
#define PRNN_ARG_X 0
#define PRNN_ARG_H (PRNN_ARG_X + PRNN_INPUTS)
#define PRNN_ARG_Y (PRNN_ARG_H + PRNN_STATES)
#define PRNN_ARG_P (PRNN_ARG_Y + PRNN_OUTPUTS)
#define PRNN_ARG_H0 (PRNN_ARG_P + PRNN_PARAMS)
#define PRNN_ARG_HT (PRNN_ARG_H0 + PRNN_STATES)
#define PRNN_FORWARD_ARGS (PRNN_ARG_HT + PRNN_STATES)
#define PRNN_ARG_GH PRNN_FORWARD_ARGS
#define PRNN_ARG_GY (PRNN_ARG_GH + PRNN_STATES)
#define PRNN_ARG_GHT (PRNN_ARG_GY + PRNN_OUTPUTS)
#define PRNN_ARG_DX (PRNN_ARG_GHT + PRNN_STATES)
#define PRNN_ARG_DP (PRNN_ARG_DX + PRNN_INPUTS)
#define PRNN_ARG_DH0 (PRNN_ARG_DP + PRNN_PARAMS)
#define PRNN_BACKWARD_ARGS (PRNN_ARG_DH0 + PRNN_STATES)

/* The same counts for the runtime, which learns them from the cell. */
struct prnn_counts {
    prnn_u32 states, inputs, params, outputs;
};

/* The table that a compiled CPU object exports as 'prnn_cpu_entries'. Each entry takes the head (its
 * scalars follow it in memory) and a range of work: sequences [b0, b1) and channels [c0, c1), so
 * that the caller may spread them over threads. Entries never allocate. */
struct prnn_cpu_entries {
    prnn_u32 abi_version;
    prnn_u32 real_bytes, element_bytes;
    struct prnn_counts counts;
    void (*forward)(const struct prnn_launch_head *head, prnn_i64 b0, prnn_i64 b1, prnn_i64 c0,
                    prnn_i64 c1);
    /* 'partial': sums of parameter gradients over this call's work, [params][c1 - c0] reals, then
     * shared inputs' gradients, [shared inputs][b1 - b0][seq_len] reals (of packed sequences
     * [shared inputs][seq_len]): added to, so zero it first. */
    void (*backward)(const struct prnn_launch_head *head, prnn_i64 b0, prnn_i64 b1, prnn_i64 c0,
                     prnn_i64 c1, void *partial);
    /* Without memory traffic: 'count' evaluations of the step's transcendental functions on vectors
     * of channels; what the benchmark compares with. Returns a value that depends on all. */
    double (*evaluate_only)(prnn_i64 count);
};

#endif
