/* Chunks in order, one channel a thread, through a ring that all threads fill: they take as long as in a kernel that runs in
 * order.
 *
 * Requires  lane.h, ring.h
 * Provides  run_in_order()
 * Layout    as tile.h and ring.h; a stage of the ring holds PRNN_RING_STEPS steps that are neighbours in time
 * Launch    all threads, in block-uniform flow; PRNN_TILE_CHUNKS >= PRNN_VC */
#define PRNN_ORDER_UNROLL 4

/* The inputs of a row of a stage. */
PRNN_FN void lane_load(prnn_real *x, const struct lane *lane, prnn_i32 stage, prnn_i32 row)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++)
        x[i] = cell_input_is_shared(i) ? ring_load_common(ring_common(stage, 0), row, cell_input_row(i))
                                       : ring_load_one(ring_chunk(stage, 0, lane->c), row, cell_input_row(i));
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
    const struct place block = place_of_block(&launch->head);
    const int is_runner = PRNN_TID < PRNN_BLOCK_CHANNELS;
    struct lane lane;
    struct ring ring;
    prnn_i32 w = from, s = 0, ahead_w = from, ahead_s = 0, stage = 1; /* what is run, what is copied next */
    ring_begin(&ring, launch, &block, t0 + from * PRNN_CHUNK);
    if (is_runner)
        lane_begin(&lane, launch, &block, PRNN_TID, from, t0 + from * PRNN_CHUNK);
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
