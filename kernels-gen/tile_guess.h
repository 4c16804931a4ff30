/* A tile without a correction: every chunk begins with a guess from the steps before it. Where that will not do, or turns
 * out not to be the exit of the chunk before, the tile is run in order from there on: one channel a thread, through a ring that
 * all threads fill, so that it takes as long as a kernel that runs in order, and needs no tangents.
 *
 * Requires  chunk_guess.h, ring.h, witness.h
 * Provides  tile_guess()
 * Layout    as tile.h and ring.h; a stage of the ring holds PRNN_RING_STEPS steps that are neighbours in time
 * Launch    all threads, in block-uniform flow; PRNN_TILE_CHUNKS >= PRNN_VC */
#define PRNN_ORDER_UNROLL 4

/* A channel of the thread block, which one thread runs in order. */
struct lane {
    struct place at;
    prnn_i32 c; /* within the thread block */
    int is_inside;
    prnn_real p[PRNN_PARAMS + 1], h0[PRNN_N];
    prnn_real h[PRNN_N], scale;
    /* Where it writes next, and how far the next step is. */
    prnn_elem *state[PRNN_N], *output[PRNN_OUTPUTS + 1];
    prnn_i64 state_hop[PRNN_N], output_hop[PRNN_OUTPUTS + 1];
};

/* Begin at step t0, with entry 'from'. */
PRNN_FN void lane_begin(struct lane *lane, const struct prnn_launch *launch, const struct place *block, prnn_i64 t0,
                        prnn_i32 from)
{
    SHARED_ENTRY;
    lane->at = *block;
    lane->c = PRNN_TID;
    lane->at.channel = block->channel + lane->c;
    lane->is_inside = lane->at.channel < launch->head.channels;
    lane->scale = 0;
    PRNN_UNROLL
    for (int j = 0; j < PRNN_PARAMS; j++)
        lane->p[j] = lane->is_inside ? place_param(launch, j, lane->at.channel) : (prnn_real)0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_H + i];
        lane->h[i] = PRNN_SLD(s_entry, AT_ENTRY(from, i, lane->c));
        lane->h0[i] = lane->is_inside ? place_initial(launch, &lane->at, i, lane->at.channel) : (prnn_real)0;
        lane->state[i] = (prnn_elem *)arg->base + place_offset(arg, &lane->at, t0) + lane->at.channel;
        lane->state_hop[i] = place_sign(&lane->at) * arg->stride_t;
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_Y + i];
        lane->output[i] = (prnn_elem *)arg->base + place_offset(arg, &lane->at, t0) + lane->at.channel;
        lane->output_hop[i] = place_sign(&lane->at) * arg->stride_t;
    }
}

PRNN_FN void lane_put(const struct lane *lane, prnn_i32 w)
{
    SHARED_ENTRY;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        PRNN_SST(s_entry, AT_ENTRY(w, i, lane->c), lane->h[i]);
}

/* The inputs of a row of a stage. */
PRNN_FN void lane_load(prnn_real *x, const struct lane *lane, prnn_i32 stage, prnn_i32 row)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++)
        x[i] = cell_input_is_shared(i) ? ring_load_common(ring_common(stage, 0), row, cell_input_row(i))
                                       : ring_load_one(ring_chunk(stage, 0, lane->c), row, cell_input_row(i));
}

PRNN_FN void lane_step(struct lane *lane, const prnn_real *x, int is_reset)
{
    prnn_real next[PRNN_N], y[PRNN_OUTPUTS + 1];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        lane->h[i] = is_reset ? lane->h0[i] : lane->h[i];
#if PRNN_OUTPUTS
    cell_step_outputs(lane->h, x, lane->p, next, y);
#else
    cell_step(lane->h, x, lane->p, next);
    (void)y;
#endif
    scale_add(&lane->scale, next);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        lane->h[i] = next[i];
        if (PRNN_STATE_WRITTEN >> i & 1) {
            if (lane->is_inside)
                PRNN_GST(lane->state[i], PRNN_TO_ELEM(next[i]));
            lane->state[i] += lane->state_hop[i];
        }
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        if (lane->is_inside)
            PRNN_GST(lane->output[i], PRNN_TO_ELEM(y[i]));
        lane->output[i] += lane->output_hop[i];
    }
}

/* Run the steps from t0 on that are in a stage. */
PRNN_FN void lane_run_stage(struct lane *lane, const struct prnn_launch *launch, prnn_i32 stage, prnn_i64 t0,
                            prnn_i32 steps)
{
    const prnn_i32 fast = steps - steps % PRNN_ORDER_UNROLL;
    prnn_real x[PRNN_INPUTS + 1];
    PRNN_NO_UNROLL
    for (prnn_i32 s = 0; s < fast; s += PRNN_ORDER_UNROLL) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_ORDER_UNROLL; i++) {
            lane_load(x, lane, stage, s + i);
            lane_step(lane, x, step_is_reset(launch, &lane->at, t0 + s + i));
        }
    }
    PRNN_NO_UNROLL
    for (prnn_i32 s = fast; s < steps; s++) {
        lane_load(x, lane, stage, s);
        lane_step(lane, x, step_is_reset(launch, &lane->at, t0 + s));
    }
}

/* Run chunks 'from' to 'to' of the tile that begins at step t0, from entry 'from' on; the exit of each is handed over. Returns
 * whether a state was inf or NaN. */
PRNN_FN int run_in_order(const struct prnn_launch *launch, prnn_i64 t0, prnn_i32 from, prnn_i32 to)
{
    SHARED_ENTRY;
    const struct place block = place_of_block(&launch->head);
    const int is_runner = PRNN_TID < PRNN_BLOCK_CHANNELS;
    struct lane lane;
    struct ring ring;
    prnn_i32 w = from, s = 0, ahead_w = from, ahead_s = 0, stage = 1; /* what is run, what is copied next */
    ring_begin(&ring, launch, &block, t0 + from * PRNN_CHUNK);
    if (is_runner)
        lane_begin(&lane, launch, &block, t0 + from * PRNN_CHUNK, from);
    PRNN_NO_UNROLL
    for (prnn_i32 round = 1 - PRNN_RING_STAGES; w < to; round++) {
        PRNN_ASYNC_WAIT(PRNN_RING_STAGES - 2);
        PRNN_BARRIER(); /* all threads: the stage has arrived, and the one before is read */
        const prnn_i32 rest = PRNN_CHUNK - ahead_s, hop = rest < PRNN_RING_STEPS ? rest : PRNN_RING_STEPS;
        ring_issue(&ring, launch, &block, (stage + PRNN_RING_STAGES - 1) % PRNN_RING_STAGES,
                   ahead_w < to ? t0 + ahead_w * PRNN_CHUNK + ahead_s : block.length, hop);
        ahead_w += hop == rest;
        ahead_s = hop == rest ? 0 : ahead_s + hop;
        if (round >= 0) {
            const prnn_i64 t = t0 + w * PRNN_CHUNK + s, left = block.length - t;
            const prnn_i32 most = PRNN_CHUNK - s < PRNN_RING_STEPS ? PRNN_CHUNK - s : PRNN_RING_STEPS;
            if (is_runner)
                lane_run_stage(&lane, launch, stage, t, left < most ? (prnn_i32)left : most);
            s += most;
            if (s == PRNN_CHUNK) {
                w++;
                s = 0;
                if (is_runner)
                    lane_put(&lane, w % PRNN_TILE_CHUNKS);
            }
        }
        stage = (stage + 1) % PRNN_RING_STAGES;
    }
    PRNN_ASYNC_WAIT(0);
    return is_runner && lane.is_inside && !real_is_finite(lane.scale);
}

/* Run the tile in order, from the first chunk whose entry 'differs' on, until none does. 'has_run': the chunks hold an answer,
 * with entries e, exits h, the size of the states 'scale'; 'pass' is what is seen of what holds in the end. */
PRNN_FN void tile_in_order(const struct chunk *k, prnn_real tolerance, int has_run, int differs,
                           prnn_real (*e)[PRNN_N], prnn_real (*h)[PRNN_N], prnn_real *scale, struct witness *pass)
{
    const prnn_i64 t0 = k->t0 - (prnn_i64)k->w * PRNN_CHUNK;
    prnn_real found[PRNN_VC][PRNN_N];
    int nonfinite = 0;
    prnn_i32 from = 0;
    /* Else it is the entry of the next tile already. */
    if (k->w == 0 && !has_run)
        entry_put(k, 0, e);
    PRNN_NO_UNROLL
    while (!PRNN_BARRIER_OR(k->w == from && differs))
        from++;
    PRNN_NO_UNROLL
    for (;;) {
        const prnn_i32 to = has_run ? from + 1 : PRNN_TILE_CHUNKS;
        nonfinite |= run_in_order(k->launch, t0, from, to);
        PRNN_BARRIER(); /* all threads: exits are handed over */
        if (k->w >= from && k->w < to) {
            entry_get(k, (k->w + 1) % PRNN_TILE_CHUNKS, h);
            witness_none(pass);
            differs = 0;
        }
        if (k->w == to && to < PRNN_TILE_CHUNKS) {
            witness_none(pass);
            differs = exits_differ(k, tolerance, e, found, scale, pass);
        }
        if (!PRNN_BARRIER_OR(differs))
            break;
        from = to;
    }
    pass->nonfinite |= nonfinite;
}

/* Solve one tile from the entry e of its first chunk; h: the exits. Returns how many chunks had to wait for the one before, as
 * far as it is told: none, or all others. */
PRNN_FN prnn_u32 tile_guess(const struct chunk *k, prnn_real tolerance, prnn_real (*e)[PRNN_N], prnn_real (*h)[PRNN_N],
                            struct witness *seen)
{
    prnn_real found[PRNN_VC][PRNN_N], scale[PRNN_VC];
    struct witness pass;
    int differs = k->count > 0, has_run = 0;
    witness_none(&pass);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        scale[v] = 0;
    if (tolerance > 0 && k->is_plain) {
        const int is_guessed = k->count > 0 && !chunk_is_first(k);
        int is_enough = 1;
        struct reader reader;
        if (is_guessed || chunk_fast_steps(k) > 0)
            reader_begin(&reader, k, is_guessed ? -PRNN_WARM_STEPS : 0, PRNN_UNROLL_STEPS, 0);
        if (is_guessed) {
            states_initial(k, h);
            is_enough = chunk_guess(k, tolerance, &reader, h);
        } else {
            states_copy(h, e);
        }
        has_run = !PRNN_BARRIER_OR(!is_enough);
        if (has_run) {
            chunk_final(k, is_guessed ? -PRNN_WARM_EXACT : 0, &reader, e, h, scale);
            entry_hand_over(k, h);
            PRNN_BARRIER(); /* all threads: exits are handed over */
            differs = exits_differ(k, tolerance, e, found, scale, &pass);
            if (!PRNN_BARRIER_OR(differs)) {
                witness_add_all(seen, &pass);
                return 0;
            }
        }
    }
    tile_in_order(k, tolerance, has_run, differs, e, h, scale, &pass);
    witness_add_all(seen, &pass);
    return PRNN_TILE_CHUNKS - 1;
}
