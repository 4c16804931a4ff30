/* Requires  PRNN_ARGS, PRNN_STORAGE, the conversions of storage.h
 * Provides  struct prnn_launch, prnn_elem and its conversions, struct place: where the sequence and the channels of a
 *           thread stand in memory; place_of_block()
 * Launch    grid of batch * ceil(channels / PRNN_BLOCK_CHANNELS) * PRNN_CLUSTER thread blocks */
struct prnn_launch {
    struct prnn_launch_head head;
    struct prnn_arg arg[PRNN_ARGS];
};

#if PRNN_STORAGE == 64
typedef double prnn_elem;
#define PRNN_TO_REAL(v) (v)
#define PRNN_TO_ELEM(v) (v)
#elif PRNN_STORAGE == 32
typedef float prnn_elem;
#define PRNN_TO_REAL(v) (v)
#define PRNN_TO_ELEM(v) (v)
#elif PRNN_STORAGE == 16
typedef unsigned short prnn_elem;
#define PRNN_TO_REAL(v) prnn_bf16_to_f32(v)
#define PRNN_TO_ELEM(v) prnn_f32_to_bf16(v)
#else
typedef unsigned short prnn_elem;
#define PRNN_TO_REAL(v) prnn_f16_to_f32(v)
#define PRNN_TO_ELEM(v) prnn_f32_to_f16(v)
#endif

/* A sequence and the first channel of a thread block or thread. Step t of the recurrence stands at
 * row first + sign*t of the tensors: packed sequences start anywhere, and may run backwards. */
struct place {
    prnn_i64 sequence; /* of the batch: for h0, hT and workspace */
    prnn_i64 row;      /* times stride_b: 0 for packed sequences, which are told apart by 'first' */
    prnn_i64 first;
    prnn_i64 sign;
    prnn_i64 length;   /* steps */
    prnn_i64 channel;
};

PRNN_FN struct place place_of(const struct prnn_launch_head *head, prnn_i64 sequence, prnn_i64 channel)
{
    struct place at;
    at.sequence = sequence;
    at.row = sequence;
    at.first = 0;
    at.sign = 1;
    at.length = head->seq_len;
    at.channel = channel;
    if (PRNN_PACKED && head->cu_seqlens) {
        const prnn_i64 begin = PRNN_GLD(head->cu_seqlens + sequence);
        const prnn_i64 end = PRNN_GLD(head->cu_seqlens + sequence + 1);
        at.row = 0;
        at.length = end - begin;
        at.first = head->is_reversed ? end - 1 : begin;
        at.sign = head->is_reversed ? -1 : 1;
    }
    return at;
}

#ifdef PRNN_BLOCK_CHANNELS
/* Of this thread block; the blocks of a cluster share one. */
PRNN_FN struct place place_of_block(const struct prnn_launch_head *head)
{
    const prnn_i64 channel_blocks = (head->channels + PRNN_BLOCK_CHANNELS - 1) / PRNN_BLOCK_CHANNELS;
    const prnn_i64 block = PRNN_BID / PRNN_CLUSTER;
    return place_of(head, block / channel_blocks, block % channel_blocks * PRNN_BLOCK_CHANNELS);
}
#endif

/* Direction of time in the tensors; known to the compiler unless sequences may be packed. */
PRNN_FN prnn_i64 place_sign(const struct place *at)
{
    return PRNN_PACKED ? at->sign : 1;
}

/* Row of step t. */
PRNN_FN prnn_i64 place_row(const struct place *at, prnn_i64 t)
{
    return PRNN_PACKED ? at->first + at->sign * t : t;
}

/* Element offset of step t, without the channel. */
PRNN_FN prnn_i64 place_offset(const struct prnn_arg *arg, const struct place *at, prnn_i64 t)
{
    return at->row * arg->stride_b + place_row(at, t) * arg->stride_t;
}

/* The reset flag of step t. */
PRNN_FN const unsigned char *place_reset(const struct prnn_launch_head *head, const struct place *at, prnn_i64 t)
{
    return head->reset + at->row * head->reset_stride_b + place_row(at, t) * head->reset_stride_t;
}

PRNN_FN int place_is_reset(const struct prnn_launch_head *head, const struct place *at, prnn_i64 t)
{
    return PRNN_GLD(place_reset(head, at, t)) != 0;
}

/* The initial state i: the caller's or the cell's own. */
PRNN_FN prnn_real place_initial(const struct prnn_launch *launch, const struct place *at, int i,
                                prnn_i64 channel)
{
    const struct prnn_arg *arg = &launch->arg[PRNN_ARG_H0 + i];
    if (!arg->base)
        return cell_initial(i);
    return PRNN_GLD((const prnn_real *)arg->base + at->sequence * arg->stride_b + channel);
}

PRNN_FN prnn_real place_param(const struct prnn_launch *launch, int k, prnn_i64 channel)
{
    const prnn_real *base = (const prnn_real *)launch->arg[PRNN_ARG_P + k].base;
    return PRNN_GLD(base + (cell_param_is_shared(k) ? 0 : channel));
}

/* Of an input, which nobody writes meanwhile. */
PRNN_FN prnn_real place_load(const struct prnn_launch *launch, int a, const struct place *at,
                             prnn_i64 t, prnn_i64 channel)
{
    const struct prnn_arg *arg = &launch->arg[a];
    prnn_elem v;
    PRNN_GLD_INPUT((const prnn_elem *)arg->base + place_offset(arg, at, t) + channel, v, 0);
    return (prnn_real)PRNN_TO_REAL(v);
}

#ifdef PRNN_REAL_F64
#define PRNN_REAL_DIV(a, b) PRNN_DIV64(a, b)
#define PRNN_REAL_ABS(v) PRNN_ABS64(v)
#define PRNN_REAL_LARGER(a, b) PRNN_LARGER64(a, b)
#define PRNN_REAL_LARGER_OR_NAN(a, b) PRNN_LARGER_OR_NAN64(a, b)
#else
#define PRNN_REAL_DIV(a, b) PRNN_DIV32(a, b)
#define PRNN_REAL_ABS(v) PRNN_ABS32(v)
#define PRNN_REAL_LARGER(a, b) PRNN_LARGER32(a, b)
#define PRNN_REAL_LARGER_OR_NAN(a, b) PRNN_LARGER_OR_NAN32(a, b)
#endif

PRNN_FN prnn_real real_abs(prnn_real v)
{
    return PRNN_REAL_ABS(v);
}

/* The larger; a NaN is passed over. */
PRNN_FN prnn_real real_larger(prnn_real a, prnn_real b)
{
    return PRNN_REAL_LARGER(a, b);
}

/* The larger, or NaN if one is. */
PRNN_FN prnn_real real_larger_or_nan(prnn_real a, prnn_real b)
{
    return PRNN_REAL_LARGER_OR_NAN(a, b);
}

/* Neither inf nor NaN. */
PRNN_FN int real_is_finite(prnn_real v)
{
    return v - v == 0;
}

/* Same value or both NaN: what "nothing changed" means. Zeros of either sign count as different. */
PRNN_FN int real_is_same(prnn_real a, prnn_real b)
{
#ifdef PRNN_REAL_F64
    return PRNN_BITS64(a) == PRNN_BITS64(b) || (a != a && b != b);
#else
    return PRNN_BITS32(a) == PRNN_BITS32(b) || (a != a && b != b);
#endif
}

/* Rows of sequence tensors, of all sequences. */
PRNN_FN prnn_i64 sequence_rows(const struct prnn_launch_head *head)
{
    return head->cu_seqlens ? head->seq_len : head->batch * head->seq_len;
}
