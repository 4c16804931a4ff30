/* A tile from guesses: every chunk begins with a guess from the steps before it. Where that turns out not to be the exit of the
 * chunk before, that channel of the chunk is run again by a thread of its own, a lane, and corrected by Newton's method: in parts,
 * a lane each, whose tangents say where the entries behind have to go, those of parts and those of chunks. As a rule
 * few channels of few chunks are concerned, so a chunk has many parts, and all threads have something to do.
 *
 * Requires  lane_rows.h, scan.h, witness.h
 * Provides  tile_guess()
 * Layout    as tile.h; s_part as in chunk_run.h; s_wanted [PRNN_VC][warps]: a bit for each thread, set where its chunk is to be
 *           run. What is run leaves in a slot for each part s_exit [PRNN_STATES][slots], s_tangent [PRNN_STATES^2][slots],
 *           and in that of the first part of each lane s_size and s_left [slots]
 * Launch    all threads, in block-uniform flow */
#define PRNN_WARPS (PRNN_THREADS / 32)
#define SHARED_WANTED PRNN_SHARED(prnn_u32, s_wanted, PRNN_S_WANTED, PRNN_VC *PRNN_WARPS)
#define PRNN_SLOTS (PRNN_VC * PRNN_THREADS)
#define SHARED_EXIT PRNN_SHARED(prnn_real, s_exit, PRNN_S_EXIT, PRNN_N *PRNN_SLOTS)
#define SHARED_TANGENT PRNN_SHARED(prnn_real, s_tangent, PRNN_S_TANGENT, PRNN_MATRIX *PRNN_SLOTS)
#define SHARED_SIZE PRNN_SHARED(prnn_real, s_size, PRNN_S_SIZE, PRNN_SLOTS)
#define SHARED_LEFT PRNN_SHARED(prnn_real, s_left, PRNN_S_LEFT, PRNN_SLOTS)
#define AT_SLOT(i, slot) ((i) * PRNN_SLOTS + (slot))

/* What may be left of a difference where a lane meets what has been there, and before a chunk that has just been run, of the
 * tolerance. */
#define PRNN_MEETING ((prnn_real)0.125)
/* Where a pass leaves more than so much of the differences within a chunk, Newton's method is too far from the solution. */
#define PRNN_STUCK ((prnn_real)0.5)
/* After so many passes entries become the exits before them and nothing else, as with tolerance 0: then every pass makes one
 * more chunk of the tile right, in any regime. */
#define PRNN_NEWTON_PASSES 24

/* How chunks were run again at last, and which of a thread's channels. */
struct rerun {
    int shift;              /* 1 << shift of the PRNN_PARTS are one */
    int is_whole, may_meet; /* a lane runs all of a chunk; it ends where it meets what was there */
    int channels;           /* a bit for each that has been run to the end */
    prnn_i32 slot[PRNN_VC]; /* of the first part */
};

PRNN_FN prnn_real finite_or_zero(prnn_real v)
{
    return real_is_finite(v) ? v : (prnn_real)0;
}

/* Write down which channels of the thread are wanted, a bit for each. */
PRNN_FN void wanted_put(int wanted)
{
    SHARED_WANTED;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_u32 bits = (prnn_u32)(wanted >> v & 1) << PRNN_TID % 32;
        PRNN_UNROLL
        for (int distance = 1; distance < 32; distance *= 2)
            bits |= PRNN_SHFL_XOR(bits, distance, 32);
        if (PRNN_TID % 32 == 0)
            PRNN_SST(s_wanted, v * PRNN_WARPS + PRNN_TID / 32, bits);
    }
}

/* How many are wanted in the thread block. */
PRNN_FN prnn_i32 wanted_count(void)
{
    SHARED_WANTED;
    prnn_i32 count = 0;
    PRNN_UNROLL_BY(8)
    for (int i = 0; i < PRNN_VC * PRNN_WARPS; i++)
        count += PRNN_BITS_COUNT(PRNN_SLD(s_wanted, i));
    return count;
}

/* How many are wanted before channel v of this thread. */
PRNN_FN prnn_i32 wanted_before(int v)
{
    SHARED_WANTED;
    const prnn_i32 at = v * PRNN_WARPS + PRNN_TID / 32;
    prnn_i32 count = PRNN_BITS_COUNT(PRNN_SLD(s_wanted, at) & (((prnn_u32)1 << PRNN_TID % 32) - 1));
    PRNN_UNROLL_BY(8)
    for (int i = 0; i < PRNN_VC * PRNN_WARPS; i++)
        count += i < at ? PRNN_BITS_COUNT(PRNN_SLD(s_wanted, i)) : 0;
    return count;
}

/* The n-th of what is wanted: channel v of thread t as v * PRNN_THREADS + t. */
PRNN_FN prnn_i32 wanted_find(prnn_i32 n)
{
    SHARED_WANTED;
    prnn_i32 at = -1;
    prnn_u32 there = 0;
    PRNN_UNROLL_BY(8)
    for (int i = 0; i < PRNN_VC * PRNN_WARPS; i++) {
        const prnn_u32 bits = PRNN_SLD(s_wanted, i);
        const prnn_i32 count = PRNN_BITS_COUNT(bits);
        const int is_here = at < 0 && n < count;
        n -= at < 0 && !is_here ? count : 0;
        there = is_here ? bits : there;
        at = is_here ? i : at;
    }
    PRNN_NO_UNROLL
    for (; n > 0; n--)
        there &= there - 1;
    return at * 32 + PRNN_BITS_COUNT((there & (0 - there)) - 1);
}

/* Leave what a part has come to, and begin with the next. */
PRNN_FN void lane_leave(struct lane *lane, prnn_i32 slot)
{
    SHARED_EXIT;
    SHARED_TANGENT;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        PRNN_SST(s_exit, AT_SLOT(i, slot), lane->h[i]);
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        if (affine_closed(ij / PRNN_N, ij % PRNN_N))
            PRNN_SST(s_tangent, AT_SLOT(ij, slot), lane->d[ij]);
    affine_identity(lane->d);
}

/* What is left between the lane and the state that was before a part of chunk w; -1 where that is more than 'most' of the size
 * of its states, and the bits are not the same. */
PRNN_FN prnn_real lane_meet(const struct lane *lane, prnn_i32 w, prnn_i32 part, prnn_real most)
{
    SHARED_PART;
    prnn_real was[PRNN_N];
    int is_same = 1;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        was[i] = PRNN_SLD(s_part, AT_PART(part, w, i, lane->c));
        is_same &= real_is_same(lane->h[i], was[i]);
    }
    const prnn_real gap = states_gap(lane->h, was);
    return is_same || (most > 0 && gap <= most * lane->size && real_is_finite(lane->size)) ? gap : (prnn_real)-1;
}

/* Run a lane of chunk w, which begins at step t0, from where a part begins to step 'to'. What the parts of 1 << shift
 * come to goes to 'slot' and those behind it. It ends where it meets what was there, if it may: then what is left
 * of the difference is returned, else -1. */
PRNN_FN prnn_real lane_run(struct lane *lane, const struct prnn_launch *launch, prnn_i32 w, prnn_i64 t0, prnn_i32 part,
                           prnn_i32 to, int shift, prnn_i32 slot, int may_meet, prnn_real most)
{
    SHARED_PART;
    const prnn_i32 from = part_step(part);
    prnn_real left = -1;
    struct lane_reader reader;
    struct lane_row row, ahead;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        lane->h[i] = PRNN_SLD(s_part, AT_PART(part, w, i, lane->c));
    lane_reader_begin(&reader, lane, launch, t0 + from, to - from);
    lane_reader_next(&reader, lane, launch, &ahead);
    PRNN_NO_UNROLL
    for (prnn_i32 s = from;;) {
        const prnn_i32 next_part = part_step(part + 1), end = next_part < to ? next_part : to;
        PRNN_NO_UNROLL
        for (; s < end; s++) {
            prnn_real x[PRNN_INPUTS + 1];
            row = ahead;
            lane_reader_next(&reader, lane, launch, &ahead);
            lane_row_get(&row, lane, x);
            lane_step(lane, x, row.is_reset);
        }
        part++;
        if (s == to)
            break;
        if (may_meet)
            left = lane_meet(lane, w, part, most);
        if (left >= 0)
            break;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            PRNN_SST(s_part, AT_PART(part, w, i, lane->c), lane->h[i]);
        if ((part & ((1 << shift) - 1)) == 0)
            lane_leave(lane, slot++);
    }
    PRNN_ASYNC_WAIT(0);
    if (left < 0)
        lane_leave(lane, slot);
    return left;
}

/* Run all that is wanted, 'count' of the thread block. */
PRNN_FN void lanes_run(const struct chunk *k, prnn_i32 count, const struct rerun *rerun, prnn_real most)
{
    SHARED_SIZE;
    SHARED_LEFT;
    const prnn_i64 t0 = k->t0 - (prnn_i64)k->w * PRNN_CHUNK;
    struct place block = k->at;
    block.channel -= k->c;
    /* Of a chunk's slots, and of the lanes that run it. */
    const int log2_parts = PRNN_LOG2_PARTS - rerun->shift, log2_lanes = rerun->is_whole ? 0 : log2_parts;
    const prnn_i32 first = PRNN_TID & ((1 << log2_lanes) - 1), part = first << rerun->shift;
    PRNN_NO_UNROLL
    for (prnn_i32 n = PRNN_TID >> log2_lanes; n < count; n += PRNN_THREADS >> log2_lanes) {
        const prnn_i32 run = wanted_find(n), thread = run % PRNN_THREADS, w = thread / PRNN_LANES;
        const prnn_i64 t = t0 + w * PRNN_CHUNK, rest = block.length - t;
        const prnn_i32 from = part_step(part), end = part_step(part + (PRNN_PARTS >> log2_lanes)),
                       to = rest < end ? (prnn_i32)rest : end, slot = (n << log2_parts) + first;
        if (from < to) {
            struct lane lane;
            lane_begin(&lane, k->launch, &block, thread % PRNN_LANES * PRNN_VC + run / PRNN_THREADS, t + from);
            const prnn_real left = lane_run(&lane, k->launch, w, t, part, to, rerun->shift, slot, rerun->may_meet, most);
            PRNN_SST(s_size, slot, lane.size);
            PRNN_SST(s_left, slot, left);
        }
    }
}

/* How many parts of the chunk have steps, where 1 << shift of PRNN_PARTS are one. */
PRNN_FN prnn_i32 parts_of(const struct chunk *k, int shift)
{
    prnn_i32 parts = k->count == PRNN_CHUNK ? PRNN_PARTS >> shift : 1;
    while (parts << shift < PRNN_PARTS && part_step(parts << shift) < k->count)
        parts++;
    return parts;
}

/* What part j of channel v ended with, and what the part behind it began with. */
PRNN_FN void part_exit(const struct rerun *rerun, int v, prnn_i32 j, prnn_real *exit)
{
    SHARED_EXIT;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        exit[i] = PRNN_SLD(s_exit, AT_SLOT(i, rerun->slot[v] + j));
}

PRNN_FN void part_entry(const struct chunk *k, const struct rerun *rerun, int v, prnn_i32 j, prnn_real *entry)
{
    SHARED_PART;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        entry[i] = PRNN_SLD(s_part, AT_PART(j << rerun->shift, k->w, i, k->c + v));
}

/* How what part j ends with moves with what it began with. */
PRNN_FN void part_tangent(struct affine *m, const struct rerun *rerun, int v, prnn_i32 j)
{
    SHARED_TANGENT;
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        m->d[ij] = affine_closed(ij / PRNN_N, ij % PRNN_N)
                       ? finite_or_zero(PRNN_SLD(s_tangent, AT_SLOT(ij, rerun->slot[v] + j)))
                       : (prnn_real)0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        m->q[i] = 0;
}

/* What the chunk has come to where it was run. 'left' is the largest difference within, 'loose' has a bit for each channel
 * where that is more than the tolerance, 'nonfinite' where a state was inf or NaN.
 * Returns a bit for each channel where two passes left nearly the same. */
PRNN_FN int rerun_collect(const struct chunk *k, prnn_real tolerance, struct rerun *rerun, prnn_real (*h)[PRNN_N],
                          prnn_real *scale, prnn_real *left, int *loose, int *nonfinite)
{
    SHARED_SIZE;
    SHARED_LEFT;
    const prnn_i32 parts = parts_of(k, rerun->shift), lanes = rerun->is_whole ? 1 : parts;
    int stuck = 0;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        if (!(rerun->channels >> v & 1))
            continue;
        const prnn_i32 slot = rerun->slot[v];
        const prnn_real met = PRNN_SLD(s_left, slot);
        const prnn_real before = left[v];
        int is_loose = 0;
        scale[v] = 0;
        left[v] = 0;
        if (rerun->may_meet && met >= 0) {
            /* The exit stays, and does not move. */
            rerun->channels &= ~(1 << v);
            left[v] = met;
        }
        PRNN_NO_UNROLL
        for (prnn_i32 j = 0; j < lanes; j++)
            scale[v] = larger_size(scale[v], PRNN_SLD(s_size, slot + j));
        *nonfinite = (*nonfinite & ~(1 << v)) | !real_is_finite(scale[v]) << v;
        if (!(rerun->channels >> v & 1))
            continue;
        PRNN_NO_UNROLL
        for (prnn_i32 j = 1; j < parts; j++) {
            prnn_real exit[PRNN_N], entry[PRNN_N], gap;
            part_exit(rerun, v, j - 1, exit);
            part_entry(k, rerun, v, j, entry);
            is_loose |= entry_differs(entry, exit, tolerance, &gap, &scale[v]);
            left[v] = larger_size(left[v], gap);
        }
        part_exit(rerun, v, parts - 1, h[v]);
        stuck |= (is_loose && *loose >> v & 1 && !(left[v] < PRNN_STUCK * before)) << v;
        *loose = (*loose & ~(1 << v)) | is_loose << v;
    }
    return stuck;
}

/* The map of channel v of the chunk: how its exit moves with its entry, and by what is left to be done within, which is nothing
 * where it is not wrong: else what is left below the tolerance would be handed on, a chunk a pass. */
PRNN_FN void chunk_map(const struct chunk *k, const struct rerun *rerun, int v, int is_wrong, const prnn_real *off_by,
                       struct affine *map)
{
    const prnn_i32 parts = rerun->channels >> v & 1 ? parts_of(k, rerun->shift) : 0;
    affine_identity(map->d);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        map->q[i] = off_by[i];
    PRNN_NO_UNROLL
    for (prnn_i32 j = 0; j < parts; j++) {
        struct affine part;
        part_tangent(&part, rerun, v, j);
        affine_follow(map, &part);
        if (j + 1 < parts) {
            prnn_real exit[PRNN_N], entry[PRNN_N];
            part_exit(rerun, v, j, exit);
            part_entry(k, rerun, v, j + 1, entry);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                map->q[i] += residual(exit[i], entry[i]);
        }
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        map->q[i] = parts && is_wrong ? finite_or_zero(map->q[i]) : (prnn_real)0;
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        map->d[ij] = parts ? finite_or_zero(map->d[ij]) : (prnn_real)0;
}

/* found + move, bit for bit what was found where nothing moves. */
PRNN_FN void state_moved(prnn_real *to, const prnn_real *found, const prnn_real *move)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        const prnn_real moved = found[i] + move[i];
        to[i] = move[i] != 0 && real_is_finite(moved) ? moved : found[i];
    }
}

/* Move the entries of the parts of channel v behind the first, whose entry moves by 'move'. */
PRNN_FN void parts_move(const struct chunk *k, const struct rerun *rerun, int v, prnn_real *move)
{
    SHARED_PART;
    const prnn_i32 parts = parts_of(k, rerun->shift);
    PRNN_NO_UNROLL
    for (prnn_i32 j = 1; j < parts; j++) {
        prnn_real exit[PRNN_N], entry[PRNN_N], next[PRNN_N];
        struct affine part;
        part_tangent(&part, rerun, v, j - 1);
        affine_apply(&part, move);
        part_exit(rerun, v, j - 1, exit);
        part_entry(k, rerun, v, j, entry);
        state_moved(next, exit, move);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            move[i] = residual(next[i], entry[i]);
            PRNN_SST(s_part, AT_PART(j << rerun->shift, k->w, i, k->c + v), next[i]);
        }
    }
}

/* Where the entries have to move, knowing what the chunks before ended with, 'found', which is not e in the channels 'off': next,
 * and the entries of the parts within. With moves u of the exits by tangents D, before the first 0,
 *     u_{j+1} = D_j (found_j - e_j + u_j),   next_j = found_j + u_j,
 * over the parts of a chunk, and over the chunks. So an entry behind one that is right becomes the exit, bit for bit. Returns a bit for
 * each channel that has to be run. */
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
