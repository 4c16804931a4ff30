/* How a thread of the forward solve reads the inputs of its steps: from the ring, or without one (PRNN_STAGES is 0)
 * straight from memory, a group of up to PRNN_UNROLL_STEPS steps before they are used: few registers instead of much
 * shared memory, so that a multiprocessor holds more threads, and chunks of any length. The group is that of the unrolled
 * loop the reader is used in.
 *
 * Requires  chunk.h, ring.h
 * Provides  struct step_inputs, step_is_reset(), inputs_load(); struct reader, reader_begin(), reader_take(), reader_free()
 * Launch    as chunk.h */

/* What a step reads. */
struct step_inputs {
    prnn_real x[PRNN_VC][PRNN_INPUTS + 1];
    int is_reset; /* the state before the step is the initial one */
};

/* Threads behind the last channel read the last: nobody looks at what they make of it. */
PRNN_FN prnn_i64 chunk_channel_read(const struct chunk *k)
{
    const prnn_i64 last = k->launch->head.channels - PRNN_VC;
    return k->at.channel < last || last < 0 ? k->at.channel : last;
}

PRNN_FN int step_is_reset(const struct prnn_launch *launch, const struct place *at, prnn_i64 t)
{
#if PRNN_RESETS
    return place_is_reset(&launch->head, at, t);
#else
    (void)launch;
    (void)at;
    (void)t;
    return 0;
#endif
}

/* The inputs of step s of the chunk, which is inside the sequence. */
PRNN_FN void inputs_load(struct step_inputs *in, const struct chunk *k, prnn_i32 s)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        prnn_real v[PRNN_VC];
        if (cell_input_is_shared(i)) {
#if PRNN_STAGES
            const prnn_real one = ring_load_common(k->common, s, cell_input_row(i));
#else
            const prnn_real one = place_load(k->launch, PRNN_ARG_X + i, &k->at, k->t0 + s, 0);
#endif
            PRNN_UNROLL
            for (int c = 0; c < PRNN_VC; c++)
                v[c] = one;
        } else {
#if PRNN_STAGES
            ring_load(v, k->base, s, cell_input_row(i));
#else
            PRNN_UNROLL
            for (int c = 0; c < PRNN_VC; c++)
                v[c] = k->at.channel + c < k->launch->head.channels
                           ? place_load(k->launch, PRNN_ARG_X + i, &k->at, k->t0 + s, k->at.channel + c)
                           : (prnn_real)0;
#endif
        }
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            in->x[c][i] = v[c];
    }
    in->is_reset = step_is_reset(k->launch, &k->at, k->t0 + s);
}

#if PRNN_STAGES
struct reader {
    int nothing; /* it is all in the ring */
};
#else
/* The PRNN_VC neighbouring elements of a thread. A pair of 16 bits stays one word until it is used: to take it apart
 * as soon as it is asked for would wait for it. */
#if PRNN_VC == 2 && (PRNN_STORAGE == 16 || PRNN_STORAGE == 116)
typedef struct { prnn_u32 pair; } prnn_elem_group;

PRNN_FN prnn_elem_group elem_group_load(const prnn_elem *g, int is_last_use)
{
    prnn_elem_group group;
    PRNN_GLD_INPUT((const prnn_u32 *)g, group.pair, is_last_use);
    return group;
}

PRNN_FN void elem_group_fill(prnn_elem_group *group, prnn_elem v)
{
    group->pair = v | (prnn_u32)v << 16;
}

PRNN_FN prnn_elem elem_group_get(const prnn_elem_group *group, int c)
{
    return (prnn_elem)(c ? group->pair >> 16 : group->pair & 0xffffu);
}
#else
typedef struct { prnn_elem v[PRNN_VC]; } prnn_elem_group;

PRNN_FN prnn_elem_group elem_group_load(const prnn_elem *g, int is_last_use)
{
    prnn_elem_group group;
#if PRNN_VC == 2
    PRNN_GLD_INPUT2(g, group.v[0], group.v[1], is_last_use);
#else
    PRNN_GLD_INPUT(g, group.v[0], is_last_use);
#endif
    return group;
}

PRNN_FN void elem_group_fill(prnn_elem_group *group, prnn_elem v)
{
    PRNN_UNROLL
    for (int c = 0; c < PRNN_VC; c++)
        group->v[c] = v;
}

PRNN_FN prnn_elem elem_group_get(const prnn_elem_group *group, int c)
{
    return group->v[c];
}
#endif

struct reader {
    const char *g[PRNN_INPUTS + 1]; /* of the first of the next steps to be asked for */
    prnn_i32 hop[PRNN_INPUTS + 1];  /* bytes from a step to the next */
    prnn_elem_group row[PRNN_UNROLL_STEPS][PRNN_INPUTS + 1];
#if PRNN_RESETS
    const unsigned char *reset;
    unsigned char flag[PRNN_UNROLL_STEPS];
#endif
};

/* Ask for the inputs of one of the next steps, and behind the last of them move on. */
PRNN_FN void reader_ask(struct reader *reader, const struct chunk *k, int group, int slot, int is_last_use)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        const prnn_elem *g = (const prnn_elem *)PRNN_HOPS(reader->g[i], reader->hop[i], slot);
        if (cell_input_is_shared(i)) {
            prnn_elem one;
            PRNN_GLD_INPUT(g, one, 0);
            elem_group_fill(&reader->row[slot][i], one);
        } else {
            reader->row[slot][i] = elem_group_load(g, is_last_use);
        }
        if (slot == group - 1)
            reader->g[i] = PRNN_HOPS(reader->g[i], reader->hop[i], group);
    }
#if PRNN_RESETS
    reader->flag[slot] = PRNN_GLD(reader->reset);
    reader->reset += place_sign(&k->at) * k->launch->head.reset_stride_t;
#else
    (void)k;
#endif
}
#endif

/* Read the fast steps from step s on, which is one of them. */
PRNN_FN void reader_begin(struct reader *reader, const struct chunk *k, prnn_i32 s, int group, int is_last_use)
{
#if PRNN_STAGES
    (void)reader;
    (void)k;
    (void)s;
    (void)group;
    (void)is_last_use;
#else
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        const struct prnn_arg *arg = &k->launch->arg[PRNN_ARG_X + i];
        reader->g[i] = (const char *)((const prnn_elem *)arg->base + place_offset(arg, &k->at, k->t0 + s) +
                                      (cell_input_is_shared(i) ? 0 : chunk_channel_read(k)));
        reader->hop[i] = (prnn_i32)(place_sign(&k->at) * arg->stride_t) * (prnn_i32)sizeof(prnn_elem);
    }
#if PRNN_RESETS
    reader->reset = place_reset(&k->launch->head, &k->at, k->t0 + s);
#endif
    PRNN_UNROLL
    for (int slot = 0; slot < group; slot++)
        reader_ask(reader, k, group, slot, is_last_use);
#endif
}

/* Step s, at place 'slot' of an unrolled loop. */
PRNN_FN void reader_take(const struct reader *reader, const struct chunk *k, prnn_i32 s, int slot,
                         struct step_inputs *in)
{
#if PRNN_STAGES
    (void)reader;
    (void)slot;
    inputs_load(in, k, s);
#else
    (void)k;
    (void)s;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            in->x[c][i] = (prnn_real)PRNN_TO_REAL(elem_group_get(&reader->row[slot][i], c));
    }
#if PRNN_RESETS
    in->is_reset = reader->flag[slot] != 0;
#else
    in->is_reset = 0;
#endif
#endif
}

/* Behind the step at place 'slot' of the group from step s on: the place is free for that of the next group, where one
 * begins before 'end'. */
PRNN_FN void reader_free(struct reader *reader, const struct chunk *k, prnn_i32 s, prnn_i32 end, int group, int slot,
                         int is_last_use)
{
#if PRNN_STAGES
    (void)reader;
    (void)k;
    (void)s;
    (void)end;
    (void)group;
    (void)slot;
    (void)is_last_use;
#else
    if (s + group < end)
        reader_ask(reader, k, group, slot, is_last_use);
#endif
}
