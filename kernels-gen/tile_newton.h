/* Multiple shooting: the chunks of a tile are solved at once, by Newton's method on the states at their entries; the exit
 * of the last chunk is the exact entry of the next tile.
 *
 * Requires  cell_guess(), chunk_tangent.h, chunk_record.h and what they require, tile.h, witness.h, scan.h
 * Provides  where a tile has several chunks struct outlook, tile_solve()
 * Launch    all threads, in block-uniform flow
 * Layout    as tile.h; the entry of the first chunk of the first block is that of the next tile */

/* Newton's error is about the square of its last move, measured against the size of the state; a move below this
 * needs no further correction. What is left is measured: see settle_recorded() and tile_final(). Where a chunk
 * hardly contracts, what is left stays: there the second figure holds. */
#ifdef PRNN_REAL_F64
#define PRNN_STOP_MOVE ((prnn_real)1e-6)
#define PRNN_STOP_MARGINAL ((prnn_real)1e-8)
#elif PRNN_STORAGE == 16
#define PRNN_STOP_MOVE ((prnn_real)1.5e-2)
#define PRNN_STOP_MARGINAL ((prnn_real)1e-3)
#elif PRNN_STORAGE == 116
#define PRNN_STOP_MOVE ((prnn_real)1e-2)
#define PRNN_STOP_MARGINAL ((prnn_real)3e-4)
#else
#define PRNN_STOP_MOVE (PRNN_RECORDED ? (prnn_real)1e-3 : (prnn_real)3e-3)
#define PRNN_STOP_MARGINAL ((prnn_real)1e-4)
#endif

#if PRNN_ALL_CHUNKS > 1
/* First guesses of the entries, one step from the initial state. A thread makes that of the chunk behind, from its
 * own last step; behind a block the initial state itself serves, which both sides know. */
PRNN_FN void entry_guess(const struct chunk *k, prnn_real (*e)[PRNN_N], prnn_real (*next)[PRNN_N])
{
    states_initial(k, next);
    if (k->w < PRNN_TILE_CHUNKS - 1 && k->count == PRNN_CHUNK) {
        struct step_inputs in;
        inputs_load(&in, k, PRNN_CHUNK - 1);
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            cell_guess(k->h0[v], in.x[v], k->p[v], next[v]);
    }
    entry_hand_over_in_block(k, next);
    PRNN_BARRIER(); /* all threads: guesses are written */
    if (k->w > 0) {
        entry_take(k, e, 0);
    } else if (k->rank > 0) {
        states_initial(k, e);
    }
}

/* One Newton step on the entries: from exits x, tangents d and the entries 'next' of the chunks behind,
 *     out_w = D_w delta_w,   delta_{w+1} = (x_w - e_{w+1}) + out_w,   e'_{w+1} = x_w + out_w,   delta_0 = 0.
 * So an entry behind an exact one becomes that chunk's exit, bit for bit, whatever D is: k corrections make
 * k entries exact, in any regime. 'next' becomes the new entry of the chunk behind, delta the change of this one's.
 * 'parity' as of scan_before(). Returns 1 where a delta that matters is not known, because something overflowed or
 * is NaN; it is 0 then. */
PRNN_FN int newton_step(const struct chunk *k, prnn_i32 parity, prnn_real (*x)[PRNN_N],
                        prnn_real (*d)[PRNN_MATRIX], prnn_real (*next)[PRNN_N], prnn_real (*delta)[PRNN_N])
{
    struct affine map[PRNN_VC];
    prnn_real tile[PRNN_VC][PRNN_N];
    int is_unknown = 0;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++)
            map[v].d[ij] = real_is_finite(d[v][ij]) ? d[v][ij] : (prnn_real)0;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            map[v].q[i] = residual(x[v][i], next[v][i]);
            tile[v][i] = 0;
        }
    }
    scan_before(k->w, k->rank, parity, k->c, map, tile, delta);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        int is_finite = 1;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            is_finite &= real_is_finite(delta[v][i]);
        prnn_real out[PRNN_N];
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            delta[v][i] = is_finite ? delta[v][i] : (prnn_real)0;
            out[i] = 0;
        }
        is_unknown |= !is_finite && chunk_is_real(k, v);
        affine_apply_matrix(out, map[v].d, 0, delta[v], out);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            /* A guess far off may overflow: fall back on the exit, which is where the sequential recurrence would
             * go on from. */
            const prnn_real moved = x[v][i] + out[i];
            next[v][i] = out[i] != 0 && real_is_finite(moved) ? moved : x[v][i];
        }
    }
    return is_unknown;
}

/* The gain of a chunk with tangent d. */
PRNN_FN prnn_real tangent_gain(const prnn_real *d)
{
    prnn_real gain = 0;
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        if (affine_closed(ij / PRNN_N, ij % PRNN_N))
            gain = larger_size(gain, d[ij]);
    return gain;
}

/* The largest move that needs no further correction, against the size of the state. */
PRNN_FN prnn_real stop_move(prnn_real gain)
{
    return gain < (prnn_real)0.5 ? PRNN_STOP_MOVE : PRNN_STOP_MARGINAL;
}

/* Whether an entry moved by more than needs no further correction. 'size' of the states of the chunk, as far as known. A
 * long chunk forgets the square of a move as it does the move: what is left of both is below the tolerance where the
 * gain is small, and the final run sees whether. */
PRNN_FN int entry_moved(const struct chunk *k, prnn_real tolerance, const prnn_real *size, prnn_real (*e)[PRNN_N],
                        prnn_real (*x)[PRNN_N], prnn_real (*d)[PRNN_MATRIX], prnn_real (*delta)[PRNN_N])
{
    int moved = 0;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real move = 0, scale = real_is_finite(size[v]) ? size[v] : (prnn_real)0;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            move = larger_size(move, delta[v][i]);
            scale = real_larger(real_larger(scale, real_abs(e[v][i] + delta[v][i])),
                                real_larger(real_abs(e[v][i]), real_abs(x[v][i])));
        }
        const prnn_real gain = tangent_gain(d[v]);
        const int is_last = (move <= stop_move(gain) * scale) |
                            (4 * gain * move * move <= tolerance * scale * scale);
        moved |= chunk_is_real(k, v) && !is_last;
    }
    return moved;
}

#if PRNN_RECORDED
/* After a recorded run of a whole tile: move all states of the chunk by the correction in first order, instead of
 * running it again. What the second order leaves is measured at the chunk's first step, where it is largest
 * unless tangents grow; against that the moves of all states are bounded. It is less than what moved, entry and
 * states, which counts where the rounding of the step is larger: in a state that is small beside what it is made
 * of. Returns whether it is too much. */
PRNN_FN int settle_recorded(const struct chunk *k, prnn_real tolerance, prnn_real (*e)[PRNN_N],
                            prnn_real (*d)[PRNN_MATRIX], prnn_real (*delta)[PRNN_N],
                            struct record *record, struct witness *pass)
{
    struct step_inputs in;
    int moved = 0;
    inputs_load(&in, k, 0);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real scale = 0, entry[PRNN_N], next[PRNN_N], gap = 0;
        int is_still = 1;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            is_still &= delta[v][i] == 0;
        if (!chunk_is_real(k, v))
            continue;
        /* An exact entry: its states are what a run in order gives, and a tangent may have overflowed. */
        if (is_still) {
            pass->nonfinite |= !real_is_finite(record_scale(record, v));
            continue;
        }
        const prnn_real move = record_correct(record, v, delta[v], &scale);
        pass->nonfinite |= !real_is_finite(scale);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            entry[i] = in.is_reset ? k->h0[v][i] : e[v][i] + delta[v][i];
        cell_step(entry, in.x[v], k->p[v], next);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            gap = larger_size(gap, residual(next[i], record->h[0][v][i]));
        /* Where the cell is flat an entry may move far and the states not at all. */
        prnn_real all = move;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            all = larger_size(all, delta[v][i]);
        const prnn_real left = all < gap ? all : gap;
        moved |= (!PRNN_AFFINE && !(move <= stop_move(tangent_gain(d[v])) * scale)) ||
                 !(left <= tolerance * scale && real_is_finite(gap) && real_is_finite(scale));
        witness_add(pass, left, scale, k->t0, k->c + v);
    }
    return moved;
}
#endif

/* The final run of the tile from entries e; h: the exits, 'found' what the chunk before ended with, 'scale' the size of the
 * chunk's states. Returns whether what was found differs from the entry by more than the tolerance. */
PRNN_FN int tile_final(const struct chunk *k, prnn_real tolerance, prnn_real (*e)[PRNN_N], prnn_real (*h)[PRNN_N],
                       prnn_real (*found)[PRNN_N], prnn_real *scale, struct witness *pass)
{
    chunk_final_from(k, e, h, scale);
    all_barrier(); /* entries are taken before exits are handed over */
    entry_hand_over(k, h);
    all_barrier(); /* exits are handed over */
    return exits_differ(k, tolerance, e, found, scale, pass);
}

PRNN_FN void states_move(prnn_real (*h)[PRNN_N], prnn_real (*delta)[PRNN_N])
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] += delta[v][i];
    }
}

/* What is guessed of the next tile while one is solved. */
struct outlook {
    struct chunk chunk; /* of this thread; of the present tile where the next is not whole */
    int is_whole;       /* the next tile is */
    int is_known;       /* 'exit' is the guess for the tile to be solved */
    prnn_real exit[PRNN_VC][PRNN_N];
};

#if PRNN_ROUGH_FIRST
/* Entries from the last steps before them, instead of a guess and a rough correction: most cells forget within a
 * chunk, and then one correction is left. */
PRNN_FN void entry_warm_up(const struct chunk *k, struct outlook *outlook, prnn_real (*e)[PRNN_N],
                           prnn_real (*next)[PRNN_N])
{
    /* Behind the last chunk of all the entry of this tile still stands. */
    const int has_next = k->w < PRNN_TILE_CHUNKS - 1 || k->rank < PRNN_CLUSTER - 1;
    if (PRNN_WARM_AHEAD && outlook->is_known) {
        states_copy(next, outlook->exit);
    } else {
        states_initial(k, next);
        if (has_next && k->count == PRNN_CHUNK)
            chunk_warm_up(k, next);
    }
    if (has_next)
        entry_hand_over(k, next);
    all_barrier(); /* entries are handed over */
    entry_take(k, e, 0);
}

/* A guess and its first correction, which may approximate; the last may not, or the entries keep the error of the
 * approximation. What crosses to the next block of a cluster need not have the bits of an exit yet, which saves a
 * barrier of the cluster: the block behind adds delta, up to a rounding the same. Returns 1 where that is unknown:
 * then the next correction is not the last. */
PRNN_FN int entry_rough(const struct chunk *k, prnn_real (*e)[PRNN_N], prnn_real (*next)[PRNN_N])
{
    prnn_real h[PRNN_VC][PRNN_N], delta[PRNN_VC][PRNN_N], d[PRNN_VC][PRNN_MATRIX];
    entry_guess(k, e, next);
    states_copy(h, e);
    chunk_tangent(k, h, d, 1);
    const int is_unknown = newton_step(k, 1, h, d, next, delta);
    entry_hand_over_in_block(k, next);
    PRNN_BARRIER(); /* all threads: entries are handed over */
    if (k->w > 0)
        entry_take(k, e, 0);
    else if (k->rank > 0)
        states_move(e, delta);
    return is_unknown;
}
#endif

/* Solve one tile from the entry e of its first chunk; h: the exits. Returns the number of corrections. */
PRNN_FN prnn_u32 tile_solve(const struct chunk *k, int is_whole, int is_warm, prnn_real tolerance,
                            struct outlook *outlook, prnn_real (*e)[PRNN_N],
                            prnn_real (*h)[PRNN_N], struct witness *seen)
{
    prnn_real next[PRNN_VC][PRNN_N], found[PRNN_VC][PRNN_N], delta[PRNN_VC][PRNN_N], d[PRNN_VC][PRNN_MATRIX];
    prnn_u32 corrections = 0;
    int is_unknown = 0;
    prnn_real size[PRNN_VC];
    struct witness pass;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        size[v] = 0;
    /* An affine cell needs one correction, whatever the guess. */
#if PRNN_ROUGH_FIRST
    if (is_warm) {
        entry_warm_up(k, outlook, e, next);
    } else if (PRNN_AFFINE) {
        entry_guess(k, e, next);
    } else {
        is_unknown = entry_rough(k, e, next);
        corrections = 1;
    }
#else
    entry_guess(k, e, next);
#endif
    outlook->is_known = 0;
#if PRNN_RECORDED
    if (is_whole && tolerance > 0) {
        struct record record;
        PRNN_NO_UNROLL
        for (;;) {
            states_copy(h, e);
            chunk_record(k, h, d, &record, &outlook->chunk, outlook->exit);
            int moved = newton_step(k, 0, h, d, next, delta) | is_unknown;
            is_unknown = 0;
            witness_none(&pass);
            moved |= settle_recorded(k, tolerance, e, d, delta, &record, &pass);
            entry_hand_over(k, next);
            corrections++;
            if (!all_or(k, moved) || corrections > PRNN_ALL_CHUNKS)
                break;
            entry_take(k, e, 0);
        }
        outlook->is_known = outlook->is_whole;
        record_store(k, &record);
        states_copy(h, record.h[PRNN_CHUNK - 1]);
        witness_add_all(seen, &pass);
        return corrections;
    }
#endif
    (void)is_whole;
    int is_settled = 0;
    PRNN_NO_UNROLL
    for (;;) {
        PRNN_NO_UNROLL
        while (!is_settled) {
            states_copy(h, e);
            chunk_tangent(k, h, d, 0);
            is_unknown |= newton_step(k, 0, h, d, next, delta);
            const int moved = is_unknown || entry_moved(k, tolerance, size, e, h, d, delta);
            is_unknown = 0;
            entry_hand_over(k, next);
            corrections++;
            is_settled = !all_or(k, moved) || PRNN_AFFINE || corrections > PRNN_ALL_CHUNKS;
            entry_take(k, e, 0);
        }
        witness_none(&pass);
        const int differs = tile_final(k, tolerance, e, h, found, size, &pass);
        if (!all_or(k, differs))
            break;
        /* Every entry takes the exit before it. With tolerance 0, or when Newton has had its corrections, that is the
         * correction: a sweep, and after at most as many as there are chunks the bits are those of the sequential run.
         * Else Newton goes on from it. */
        is_settled = !(tolerance > 0) || corrections > PRNN_ALL_CHUNKS;
        states_copy(e, found);
        states_copy(next, h);
        corrections += is_settled;
    }
    witness_add_all(seen, &pass);
    return corrections;
}
#endif
