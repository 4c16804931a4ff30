/* The backward pass in long chunks, whose rows pass through the ring slice by slice. Lambda behind a chunk is guessed
 * from the PRNN_WARM_STEPS steps behind it, as far as the cell forgets so soon: one run, and no maps. Then every guess is
 * compared with lambda before the chunk behind it. Where one differs by more than the tolerance, or there is none to
 * be had, the maps of the chunks are composed and scanned as in backward.h, and the run is made (again) from what they
 * say. No atomics: the same bits every time.
 *
 * Requires  backward_run.h, backward_sums.h, scan.h, tile.h
 * Provides  the kernel PRNN_ENTRY
 * Layout    as tile.h, of lambda before the chunks; s_carry [PRNN_STATES][channels]: lambda before the tile
 * Launch    place.h's grid, PRNN_THREADS threads. Chunks, and blocks of a cluster, count backwards in time */
#define PRNN_SLICES (PRNN_CHUNK / PRNN_SLICE)
#define PRNN_WARM_SLICES (PRNN_WARM_STEPS / PRNN_SLICE)

/* Slice i of the chunk, from its first step on; from PRNN_SLICES on they are the steps behind the chunk. */
PRNN_FN struct chunk slice_of(const struct chunk *k, prnn_i32 i, prnn_i32 stage)
{
    struct chunk slice = *k;
    chunk_begin(&slice, k->t0 + i * PRNN_SLICE, PRNN_SLICE);
    slice.is_plain = k->is_plain && slice.count == PRNN_SLICE;
    chunk_in_stage(&slice, stage, PRNN_TILE_CHUNKS - 1 - k->w);
    return slice;
}

/* Lambda alone, one step on; 'size' grows to its largest. */
PRNN_FN void lambda_step(const struct chunk *k, prnn_i32 s, prnn_real (*lambda)[PRNN_N], prnn_real *size)
{
    struct step_values at;
    step_load(k, s, &at);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real adj_h[PRNN_N], unused_x[PRNN_INPUTS + 1], unused_p[PRNN_PARAMS + 1];
        PRNN_UNROLL
        for (int j = 0; j < PRNN_PARAMS; j++)
            unused_p[j] = 0;
        channel_adjoint(k, &at, v, 0, lambda[v], adj_h, unused_x, unused_p);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            size[v] = real_larger(size[v], real_abs(lambda[v][i]));
    }
}

PRNN_FN void slice_lambda(const struct chunk *k, prnn_real (*lambda)[PRNN_N], prnn_real *size)
{
    if (k->is_plain) {
        PRNN_NO_UNROLL
        for (prnn_i32 s = PRNN_SLICE - PRNN_UNROLL_STEPS; s >= 0; s -= PRNN_UNROLL_STEPS) {
            PRNN_UNROLL
            for (int i = PRNN_UNROLL_STEPS - 1; i >= 0; i--)
                lambda_step(k, s + i, lambda, size);
        }
    } else {
        PRNN_NO_UNROLL
        for (prnn_i32 s = k->count - 1; s >= 0; s--)
            lambda_step(k, s, lambda, size);
    }
}

PRNN_FN void slice_map(const struct chunk *k, struct affine *map)
{
    prnn_real unused[PRNN_VC][PRNN_KEPT];
    PRNN_NO_UNROLL
    for (prnn_i32 s = k->count - 1; s >= 0; s--)
        map_step(k, s, map, unused);
}

/* What a pass over the tile is for. */
enum pass {
    PASS_GUESS, /* lambda guessed behind each chunk, and the adjoint from there */
    PASS_MAP,   /* the maps of the chunks */
    PASS_FINAL  /* the adjoint from what the scan of the maps says */
};

/* One pass over a tile. 'lambda': what flows into the chunk from behind; of a guess it is found here, from what flows
 * into the tile, 'carry', or from the steps behind; on return what flows out. 't0': first step of the block's part. */
PRNN_FN void tile_pass(const struct chunk *k, const struct place *origin, prnn_i64 t0, enum pass pass,
                       prnn_real (*carry)[PRNN_N], prnn_real (*lambda)[PRNN_N], prnn_real (*guess)[PRNN_N],
                       prnn_real *size, struct affine *map, struct sums *sums)
{
    const prnn_i32 slices = PRNN_SLICES + (pass == PASS_GUESS ? PRNN_WARM_SLICES : 0);
    struct ring ring;
    ring_begin(&ring, k->launch, origin, t0 + (prnn_i64)(slices - 1) * PRNN_SLICE);
    if (pass == PASS_GUESS) {
        if (k->t0 + PRNN_CHUNK + PRNN_WARM_STEPS >= k->at.length) {
            final_gradient(k, lambda);
        } else {
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++)
                    lambda[v][i] = 0;
            }
        }
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            size[v] = 0;
    }
    map_begin(map);
    struct targets to;
    int is_begun = 0;
    prnn_i32 stage = 0; /* where the next copy goes, which is a lap of the ring ahead of the slice to be run */
    PRNN_NO_UNROLL
    for (prnn_i32 i = slices + PRNN_STAGES - 2; i >= 0; i--) {
        PRNN_ASYNC_WAIT(PRNN_STAGES - 2);
        PRNN_BARRIER(); /* all threads: the slice has arrived, and the one before it is read */
        if (i >= PRNN_STAGES - 1)
            ring_issue(&ring, k->launch, origin, stage, t0 + (prnn_i64)(i - PRNN_STAGES + 1) * PRNN_SLICE,
                       -PRNN_SLICE);
        else
            PRNN_ASYNC_COMMIT();
        stage = (stage + 1) % PRNN_STAGES;
        if (i >= slices)
            continue;
        const struct chunk slice = slice_of(k, i, stage);
        if (pass == PASS_MAP) {
            slice_map(&slice, map);
            continue;
        }
        if (i >= PRNN_SLICES) {
            slice_lambda(&slice, lambda, size);
            continue;
        }
        if (pass == PASS_GUESS && i == PRNN_SLICES - 1) {
            if (chunk_is_first(k))
                states_copy(lambda, carry);
            states_copy(guess, lambda);
        }
        slice_adjoint(&slice, lambda, sums, &to, &is_begun);
    }
}

#define SHARED_CARRY PRNN_SHARED(prnn_real, s_carry, PRNN_S_CARRY, PRNN_N *PRNN_BLOCK_CHANNELS)
#define AT_CARRY(i, c) ((i) * PRNN_BLOCK_CHANNELS + (c))

/* What flows out of the tile, for all blocks. */
PRNN_FN void carry_hand_over(const struct chunk *k, prnn_real (*lambda)[PRNN_N])
{
    SHARED_CARRY;
    if (k->w != PRNN_TILE_CHUNKS - 1 || k->rank != PRNN_CLUSTER - 1)
        return;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
#if PRNN_CLUSTER > 1
            PRNN_UNROLL
            for (int to = 0; to < PRNN_CLUSTER; to++)
                PRNN_RST(s_carry, to, AT_CARRY(i, k->c + v), lambda[v][i]);
#else
            PRNN_SST(s_carry, AT_CARRY(i, k->c + v), lambda[v][i]);
#endif
        }
    }
}

PRNN_FN void carry_take(const struct chunk *k, prnn_real (*carry)[PRNN_N])
{
    SHARED_CARRY;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            carry[v][i] = PRNN_SLD(s_carry, AT_CARRY(i, k->c + v));
    }
}

PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    const prnn_i64 channels = launch->head.channels;
    const struct place origin = place_of_block(&launch->head);
    const prnn_i64 stride = (prnn_i64)PRNN_TILE_STEPS * PRNN_CLUSTER;
    const prnn_i64 tiles = (origin.length + stride - 1) / stride;
    struct chunk k;
    struct sums sums;
    backward_begin(&k, launch, &origin, &sums);
    k.is_plain = launch->head.is_aligned && origin.channel + PRNN_BLOCK_CHANNELS <= channels;
    const prnn_i64 begin = (prnn_i64)(PRNN_CLUSTER - 1 - k.rank) * PRNN_TILE_STEPS;

    prnn_real lambda[PRNN_VC][PRNN_N], carry[PRNN_VC][PRNN_N], guess[PRNN_VC][PRNN_N], size[PRNN_VC];
    final_gradient(&k, carry);
    if (origin.length == 0 && chunk_is_first(&k))
        states_copy(sums.dh0, carry);
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks: each has begun, so that the others may write to it */
#endif
    const prnn_real tolerance = (prnn_real)launch->head.tolerance;
    prnn_i32 pace = PACE_BEGIN;
    PRNN_NO_UNROLL
    for (prnn_i64 tile = tiles - 1; tile >= 0; tile--) {
        const prnn_i64 t0 = tile * stride + begin;
        chunk_begin(&k, t0 + (PRNN_TILE_CHUNKS - 1 - k.w) * PRNN_CHUNK, PRNN_CHUNK);
        const int begins_with_guess = PRNN_WARM_STEPS > 0 && pace >= 0 && tolerance > 0;
        enum pass pass = begins_with_guess ? PASS_GUESS : PASS_MAP;
        const struct sums sums_before = sums;
        PRNN_NO_UNROLL
        for (;;) {
            struct affine map[PRNN_VC];
            tile_pass(&k, &origin, t0, pass, carry, lambda, guess, size, map, &sums);
            if (pass == PASS_MAP) {
                scan_before(k.w, k.rank, 0, k.c, map, carry, lambda);
                pass = PASS_FINAL;
                continue;
            }
            entry_hand_over(&k, lambda);
            carry_hand_over(&k, lambda);
            all_barrier(); /* lambda before each chunk, and before the tile, is handed over */
            prnn_real before[PRNN_VC][PRNN_N], behind_next[PRNN_VC][PRNN_N];
            entry_take(&k, before, 0);
            carry_take(&k, behind_next);
            int differs = 0;
            if (pass == PASS_GUESS && !chunk_is_first(&k)) {
                prnn_real gap;
                PRNN_UNROLL
                for (int v = 0; v < PRNN_VC; v++)
                    differs |= entry_differs(guess[v], before[v], tolerance, &gap, &size[v]) && chunk_is_real(&k, v);
            }
            if (!all_or(&k, differs)) {
                states_copy(carry, behind_next);
                break;
            }
            sums = sums_before;
            pass = PASS_MAP;
        }
        if (PRNN_WARM_STEPS > 0)
            pace = pace_next(pace, begins_with_guess && pass != PASS_GUESS);
    }
    PRNN_ASYNC_WAIT(0);
    sums_store(&k, &sums);
}
