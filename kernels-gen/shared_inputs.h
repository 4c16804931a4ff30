/* Gradients of inputs that are one for all channels: contributions of channels, summed over a segment, which is the
 * threads of a warp that are at the same step. prnn_reduce adds the sums of all segments.
 *
 * Requires  chunk.h; PRNN_LANES is a power of two
 * Provides  PRNN_SEGMENT_CHANNELS, shared_partials(), struct shared_target, shared_target_begin(),
 *           shared_target_store()
 * Layout    workspace, behind the partial gradients of parameters: [segments of a row][rows][PRNN_SHARED_GRADIENTS]
 *           reals, rows as of sequence_rows()
 * Launch    whole segments */
#define PRNN_SEGMENT (PRNN_LANES < 32 ? PRNN_LANES : 32)
#define PRNN_SEGMENT_CHANNELS (PRNN_SEGMENT * PRNN_VC)

PRNN_FN prnn_real *shared_partials(const struct prnn_launch_head *head)
{
    return (prnn_real *)head->workspace + head->batch * PRNN_CLUSTER * PRNN_PARAMS * head->channels;
}

#if PRNN_SHARED_GRADIENTS
/* Where the sums of a segment go. */
struct shared_target {
    prnn_real *g;    /* of the present step */
    prnn_i64 hop;    /* from a step to the one before it */
    int is_inside;   /* the segment has a channel */
};

PRNN_FN void shared_target_begin(struct shared_target *to, const struct chunk *k, prnn_i64 t)
{
    const struct prnn_launch_head *head = &k->launch->head;
    const prnn_i64 segment = k->at.channel / PRNN_SEGMENT_CHANNELS;
    const prnn_i64 row = k->at.row * head->seq_len + place_row(&k->at, t);
    to->g = shared_partials(head) + (segment * sequence_rows(head) + row) * PRNN_SHARED_GRADIENTS;
    to->hop = -place_sign(&k->at) * PRNN_SHARED_GRADIENTS;
    to->is_inside = segment * PRNN_SEGMENT_CHANNELS < head->channels;
}

/* Sums over the segment of PRNN_SHARED_SLOTS values of each thread, always in the same order. Threads exchange halves of
 * what they hold, until each has its own sums; where there are more threads than sums, neighbours have the same. Returns
 * the number of the sum in v[0], which is followed by the next ones. */
PRNN_FN int segment_sums(prnn_real *v)
{
    int first = 0;
    PRNN_UNROLL
    for (int stage = 1; stage < PRNN_SEGMENT; stage *= 2) {
        const int distance = PRNN_SEGMENT / 2 / stage;
        const int half = PRNN_SHARED_SLOTS / 2 / stage;
        const int is_high = (PRNN_TID & distance) != 0;
        if (half == 0)
            v[0] += PRNN_SHFL_XOR(v[0], distance, PRNN_SEGMENT);
        PRNN_UNROLL
        for (int j = 0; j < PRNN_SHARED_SLOTS / 2; j++) {
            if (j < half) {
                const prnn_real other = PRNN_SHFL_XOR(is_high ? v[j] : v[j + half], distance, PRNN_SEGMENT);
                v[j] = (is_high ? v[j + half] : v[j]) + other;
            }
        }
        first += is_high ? half : 0;
    }
    return first;
}

/* What the channels of a step contribute, and on to the step before. */
PRNN_FN void shared_target_store(struct shared_target *to, const struct chunk *k, prnn_real (*dx)[PRNN_INPUTS + 1],
                                 int is_plain)
{
    /* Sums of a thread, and neighbours with the same. */
    enum {
        HELD = PRNN_SHARED_SLOTS > PRNN_SEGMENT ? PRNN_SHARED_SLOTS / PRNN_SEGMENT : 1,
        SAME = PRNN_SHARED_SLOTS < PRNN_SEGMENT ? PRNN_SEGMENT / PRNN_SHARED_SLOTS : 1
    };
    prnn_real v[PRNN_SHARED_SLOTS];
    int count = 0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        if (!cell_input_is_shared(i) || !cell_input_has_gradient(i))
            continue;
        v[count] = 0;
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            v[count] += is_plain || k->at.channel + c < k->launch->head.channels ? dx[c][i] : (prnn_real)0;
        count++;
    }
    PRNN_UNROLL
    for (int i = PRNN_SHARED_GRADIENTS; i < PRNN_SHARED_SLOTS; i++)
        v[i] = 0;
    const int first = segment_sums(v);
    PRNN_UNROLL
    for (int j = 0; j < HELD; j++)
        if (to->is_inside && PRNN_TID % SAME == 0 && first + j < PRNN_SHARED_GRADIENTS)
            PRNN_GST(to->g + first + j, v[j]);
    to->g += to->hop;
}
#endif
