/* A tile from guesses: every chunk begins with a guess from the steps before it. Where that turns out not to be the exit of the
 * chunk before, that channel of the chunk is run again by a thread of its own, a lane, and corrected by Newton's method: in parts,
 * a lane each, whose tangents say where the entries behind have to go, those of parts and those of chunks. As a rule
 * few channels of few chunks are concerned, so a chunk has many parts, and all threads have something to do.
 *
 * Requires  lanes_run.h, witness.h
 * Provides  tile_guess()
 * Layout    as lanes_run.h
 * Launch    all threads, in block-uniform flow */

/* What may be left of a difference where a lane meets what has been there, and before a chunk that has just been run, of the
 * tolerance. */
#define PRNN_MEETING ((prnn_real)0.125)
/* Where a pass leaves at least so much of the differences within a chunk, Newton's method is too far from the solution. */
#define PRNN_STUCK ((prnn_real)0.5)
/* After so many passes entries become the exits before them and nothing else, as with tolerance 0: then every pass makes one
 * more chunk of the tile right, in any regime. */
#define PRNN_NEWTON_PASSES 24

/* How many parts of the chunk have steps, where 1 << shift of PRNN_PARTS are one. */
PRNN_FN prnn_i32 parts_of(const struct chunk *k, int shift)
{
    prnn_i32 parts = k->count == PRNN_CHUNK ? PRNN_PARTS >> shift : 1;
    while (parts << shift < PRNN_PARTS && part_step(parts << shift) < k->count)
        parts++;
    return parts;
}

/* What the chunk has come to where it was run. 'left' is the largest difference within, 'loose' has a bit for each channel
 * where that is more than the tolerance, 'nonfinite' where a state was inf or NaN.
 * Returns a bit for each channel where two passes left nearly the same. */
PRNN_FN int rerun_collect(const struct chunk *k, prnn_real tolerance, struct rerun *rerun, prnn_real (*h)[PRNN_N],
                          prnn_real *scale, prnn_real *left, int *loose, int *nonfinite)
{
    SHARED_SIZE;
    SHARED_LEFT;
    const prnn_i32 last = parts_of(k, rerun->shift) - 1;
    int stuck = 0;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        if (!(rerun->channels >> v & 1))
            continue;
        const prnn_i32 slot = rerun->slot[v];
        const prnn_real before = left[v];
        scale[v] = PRNN_SLD(s_size, slot);
        left[v] = PRNN_SLD(s_left, slot);
        *nonfinite = (*nonfinite & ~(1 << v)) | !real_is_finite(scale[v]) << v;
        if (rerun->is_whole && left[v] >= 0) {
            /* It has met what was there: the exit stays, and does not move. */
            rerun->channels &= ~(1 << v);
            continue;
        }
        /* A NaN that is gone at the end of a part says nothing of the differences. */
        if (rerun->is_whole)
            left[v] = 0;
        else
            scale[v] = real_larger(scale[v], PRNN_SLD(s_size, slot + 1));
        const int is_loose = left[v] != 0 && !(left[v] <= tolerance * scale[v] && real_is_finite(scale[v]));
        exit_get(h[v], slot + last);
        stuck |= (is_loose && *loose >> v & 1 && !(left[v] < PRNN_STUCK * before)) << v;
        *loose = (*loose & ~(1 << v)) | is_loose << v;
    }
    return stuck;
}

/* The map of channel v of the chunk: how its exit moves with its entry, which is 'off_by' off, and by what is left within, which is
 * nothing where it is not wrong: else what is left below the tolerance would be handed on, a chunk a pass. */
PRNN_FN void chunk_map(const struct chunk *k, const struct rerun *rerun, int v, int is_wrong, const prnn_real *off_by,
                       struct affine *map)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        map->q[i] = 0;
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        map->d[ij] = 0;
    if (!(rerun->channels >> v & 1))
        return;
    const prnn_i32 last = parts_of(k, rerun->shift) - 1;
    prnn_real within[PRNN_N];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        within[i] = 0;
    if (last > 0 && !rerun->is_whole)
        exit_get(within, rerun->slot[v] + last - 1);
    tangent_get(map->d, rerun->slot[v] + last);
    affine_apply_matrix(within, map->d, 0, off_by, within);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        map->q[i] = is_wrong ? finite_or_zero(within[i]) : (prnn_real)0;
}

/* Move the entries of the parts of channel v behind the first, whose entry moves by 'move'. */
PRNN_FN void parts_move(const struct chunk *k, const struct rerun *rerun, int v, const prnn_real *move)
{
    SHARED_PART;
    const prnn_i32 parts = parts_of(k, rerun->shift);
    PRNN_NO_UNROLL
    for (prnn_i32 j = 1; j < parts; j++) {
        prnn_real d[PRNN_MATRIX], by[PRNN_N], entry[PRNN_N];
        tangent_get(d, rerun->slot[v] + j - 1);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            by[i] = 0;
            entry[i] = PRNN_SLD(s_part, AT_PART(j << rerun->shift, k->w, i, k->c + v));
        }
        affine_apply_matrix(by, d, 0, move, by);
        state_moved(entry, entry, by);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            PRNN_SST(s_part, AT_PART(j << rerun->shift, k->w, i, k->c + v), entry[i]);
    }
}

/* Where the entries have to move, knowing what the chunks before ended with, 'found', which is not e in the channels 'off': next,
 * and the entries of the parts within. With moves u of the exits by tangents D, before the first 0,
 *     u_{j+1} = D_j (found_j - e_j + u_j) + w_j,   next_j = found_j + u_j,
 * where w is what parts_join() found to be left within. So an entry behind one that is right becomes the exit, bit for bit.
 * Returns a bit for each channel that has to be run. */
PRNN_FN int entries_move(const struct chunk *k, prnn_real tolerance, const struct rerun *rerun, int off, int loose,
                         prnn_real (*e)[PRNN_N], prnn_real (*found)[PRNN_N], const prnn_real *scale,
                         prnn_real (*next)[PRNN_N])
{
    struct affine map[PRNN_VC];
    prnn_real tile[PRNN_VC][PRNN_N], u[PRNN_VC][PRNN_N], off_by[PRNN_VC][PRNN_N];
    int wanted = off | loose;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            off_by[v][i] = off >> v & 1 ? residual(found[v][i], e[v][i]) : (prnn_real)0;
            tile[v][i] = 0;
        }
        chunk_map(k, rerun, v, (off | loose) >> v & 1, off_by[v], &map[v]);
    }
    scan_before(k->w, k->rank, 0, k->c, map, tile, u);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real size = 0;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            u[v][i] = finite_or_zero(u[v][i]);
            off_by[v][i] += u[v][i];
            size = larger_size(size, off_by[v][i]);
        }
        const prnn_real most = rerun->channels >> v & 1 ? PRNN_MEETING * tolerance : tolerance;
        if (chunk_is_real(k, v) && !chunk_is_first(k) && size > most * scale[v])
            wanted |= 1 << v;
        state_moved(next[v], found[v], u[v]);
        if (wanted & rerun->channels & 1 << v)
            parts_move(k, rerun, v, off_by[v]);
    }
    return wanted;
}

/* Run again what is wanted, from next where the entry was e. What forgets is right then, so at first whole chunks are run, as
 * few steps of them as it takes; with their tangents the states of those that remember are nearly known, and they are run
 * in parts. Where that does not get nearer to the solution, 'stuck', they are run as a whole once more, from what was
 * found before them. */
PRNN_FN void chunks_rerun(const struct chunk *k, prnn_u32 passes, int has_newton, prnn_real most, int wanted, int stuck,
                          int nonfinite, prnn_real (*found)[PRNN_N], prnn_real (*next)[PRNN_N], prnn_real (*e)[PRNN_N],
                          struct rerun *rerun)
{
    SHARED_PART;
    wanted_put(wanted);
    /* All threads: what is wanted is written down. A chunk that is not finite may be so by its wrong guess alone, anywhere. */
    const int has_trouble = PRNN_BARRIER_OR(passes == 0 ? wanted & nonfinite : stuck);
    const prnn_i32 count = wanted_count();
    /* Parts do not become shorter: nothing would have moved what is between them. */
    int shift = passes > 0 ? rerun->shift : 0;
    rerun->is_whole = passes == 0 || has_trouble || !has_newton;
    const prnn_i32 most_parts = rerun->is_whole ? PRNN_SLOTS : PRNN_THREADS;
    while (PRNN_PARTS >> shift > 1 && (!has_newton || count * (PRNN_PARTS >> shift) > most_parts))
        shift++;
    /* There may be more chunks of one part than lanes. */
    rerun->is_whole |= PRNN_PARTS >> shift == 1;
    rerun->shift = shift;
    rerun->may_meet = passes == 0 && k->is_plain && !has_trouble;
    rerun->channels = wanted;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        if (!(wanted >> v & 1))
            continue;
        rerun->slot[v] = wanted_before(v) * (PRNN_PARTS >> shift);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            e[v][i] = stuck >> v & 1 ? found[v][i] : next[v][i];
            PRNN_SST(s_part, AT_PART(0, k->w, i, k->c + v), e[v][i]);
        }
    }
    PRNN_BARRIER(); /* all threads: entries are written */
    lanes_run(k, count, rerun, most);
    PRNN_BARRIER(); /* all threads: what is wanted has been run */
}

/* Solve one tile from the entry e of its first chunk; h: the exits. Returns how many passes it took after the first. */
PRNN_FN prnn_u32 tile_guess(const struct chunk *k, prnn_real tolerance, prnn_real (*e)[PRNN_N], prnn_real (*h)[PRNN_N],
                            struct witness *seen)
{
    const int is_guessed = k->is_plain && k->count > 0 && !chunk_is_first(k);
    prnn_real found[PRNN_VC][PRNN_N], next[PRNN_VC][PRNN_N], scale[PRNN_VC], left[PRNN_VC];
    struct reader reader;
    struct rerun rerun;
    struct witness pass;
    prnn_u32 passes = 0;
    int nonfinite = 0, loose = 0, stuck = 0;
    if (!chunk_is_first(k))
        states_initial(k, e);
    states_copy(h, e);
    if (is_guessed || chunk_fast_steps(k) > 0)
        reader_begin(&reader, k, is_guessed ? -PRNN_WARM_STEPS : 0, PRNN_UNROLL_STEPS, 0);
    if (is_guessed)
        warm_steps(&reader, k, -PRNN_WARM_STEPS, -PRNN_WARM_EXACT, chunk_fast_steps(k), h);
    chunk_final(k, is_guessed ? -PRNN_WARM_EXACT : 0, &reader, e, h, scale);
    rerun.channels = rerun.shift = 0;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        left[v] = 0;
        nonfinite |= (chunk_is_real(k, v) && !real_is_finite(scale[v])) << v;
    }
    all_barrier(); /* all entries have been taken before exits are handed over */
    PRNN_NO_UNROLL
    for (;; passes++) {
        entry_hand_over(k, h);
        all_barrier(); /* exits are handed over */
        witness_none(&pass);
        const int off = exits_differ(k, tolerance, e, found, scale, &pass);
        const int has_newton = tolerance > 0 && passes < PRNN_NEWTON_PASSES;
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            if (left[v] > 0)
                witness_add(&pass, left[v], scale[v], k->t0, k->c + v);
        pass.nonfinite |= nonfinite != 0;
        if (!all_or(k, off | loose))
            break;
        int wanted = off | loose;
        states_copy(next, found);
        if (has_newton && passes > 0)
            wanted = entries_move(k, tolerance, &rerun, off, loose, e, found, scale, next);
        chunks_rerun(k, passes, has_newton && k->is_plain, PRNN_MEETING * tolerance, wanted, stuck, nonfinite, found, next, e,
                     &rerun);
        stuck = rerun_collect(k, tolerance, &rerun, h, scale, left, &loose, &nonfinite);
    }
    witness_add_all(seen, &pass);
    return passes;
}
