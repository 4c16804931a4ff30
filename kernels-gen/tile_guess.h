/* A tile without a correction: every chunk begins with a guess from the steps before it. Where that will not do, or turns
 * out not to be the exit of the chunk before, the tile is run in order from there on: one channel a thread, through a ring that
 * all threads fill, so that it takes as long as a kernel that runs in order, and needs no tangents.
 *
 * Requires  chunk_guess.h, chunks_in_order.h, witness.h
 * Provides  tile_guess()
 * Layout    as tile.h
 * Launch    all threads, in block-uniform flow */

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
            /* Its states stay, as far as it is known. */
            const int was_nonfinite = pass->nonfinite;
            witness_none(pass);
            differs = exits_differ(k, tolerance, e, found, scale, pass);
            pass->nonfinite |= was_nonfinite;
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
