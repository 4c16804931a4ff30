/* Chunks that are run again, channel by channel, whoever's they are: by lanes, one for the whole of a chunk, or one for each of
 * its parts, which are then joined by a scan.
 *
 * Requires  lane_rows.h, scan.h
 * Provides  struct rerun; wanted_put(), wanted_count(), wanted_before(); lanes_run(); of what it leaves exit_get(), tangent_get(),
 *           SHARED_SIZE, SHARED_LEFT; finite_or_zero(), state_moved()
 * Layout    as tile.h; s_part as in chunk_run.h; s_wanted [PRNN_VC][warps]: a bit for each thread, set where its chunk is to be
 *           run. What is run leaves in a slot for each part s_tangent [PRNN_STATES^2][slots] and, of whole chunks,
 *           s_exit [PRNN_STATES][slots]; in that of the first part s_size and s_left [slots]. Of the others see parts_join()
 * Launch    all threads, in block-uniform flow */
#define PRNN_WARPS (PRNN_THREADS / 32)
#define SHARED_WANTED PRNN_SHARED(prnn_u32, s_wanted, PRNN_S_WANTED, PRNN_VC *PRNN_WARPS)
#define PRNN_SLOTS (PRNN_VC * PRNN_THREADS)
#define SHARED_EXIT PRNN_SHARED(prnn_real, s_exit, PRNN_S_EXIT, PRNN_N *PRNN_SLOTS)
#define SHARED_TANGENT PRNN_SHARED(prnn_real, s_tangent, PRNN_S_TANGENT, PRNN_MATRIX *PRNN_SLOTS)
#define SHARED_SIZE PRNN_SHARED(prnn_real, s_size, PRNN_S_SIZE, PRNN_SLOTS)
#define SHARED_LEFT PRNN_SHARED(prnn_real, s_left, PRNN_S_LEFT, PRNN_SLOTS)
#define AT_SLOT(i, slot) ((i) * PRNN_SLOTS + (slot))

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

/* found + move, bit for bit what was found where nothing moves. */
PRNN_FN void state_moved(prnn_real *to, const prnn_real *found, const prnn_real *move)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        const prnn_real moved = found[i] + move[i];
        to[i] = move[i] != 0 && real_is_finite(moved) ? moved : found[i];
    }
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

/* How what a part has come to moves with what the chunk began with. */
PRNN_FN void tangent_put(prnn_i32 slot, const prnn_real *d)
{
    SHARED_TANGENT;
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        if (affine_closed(ij / PRNN_N, ij % PRNN_N))
            PRNN_SST(s_tangent, AT_SLOT(ij, slot), d[ij]);
}

PRNN_FN void tangent_get(prnn_real *d, prnn_i32 slot)
{
    SHARED_TANGENT;
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        d[ij] = affine_closed(ij / PRNN_N, ij % PRNN_N) ? finite_or_zero(PRNN_SLD(s_tangent, AT_SLOT(ij, slot)))
                                                        : (prnn_real)0;
}

/* A state of a slot. */
PRNN_FN void exit_put(prnn_i32 slot, const prnn_real *exit)
{
    SHARED_EXIT;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        PRNN_SST(s_exit, AT_SLOT(i, slot), exit[i]);
}

PRNN_FN void exit_get(prnn_real *exit, prnn_i32 slot)
{
    SHARED_EXIT;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        exit[i] = PRNN_SLD(s_exit, AT_SLOT(i, slot));
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

/* Run a lane of chunk w, which begins at step t0, from where a part begins to step 'to'. A lane that runs a whole chunk leaves what
 * the parts of 1 << shift come to in 'slot' and those behind it, and ends where it meets what was there, if it may: then what is
 * left of the difference is returned, else -1. */
PRNN_FN prnn_real lane_run(struct lane *lane, const struct prnn_launch *launch, prnn_i32 w, prnn_i64 t0, prnn_i32 part,
                           prnn_i32 to, const struct rerun *rerun, prnn_i32 slot, prnn_real most)
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
        if (rerun->is_whole && (s == to || (part & ((1 << rerun->shift) - 1)) == 0)) {
            exit_put(slot, lane->h);
            tangent_put(slot++, lane->d);
        }
        if (s == to)
            break;
        if (rerun->may_meet)
            left = lane_meet(lane, w, part, most);
        if (left >= 0)
            break;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            PRNN_SST(s_part, AT_PART(part, w, i, lane->c), lane->h[i]);
    }
    PRNN_ASYNC_WAIT(0);
    return left;
}

/* A chunk whose parts were run by lanes that are neighbours, the first of them first: how each exit moves with the entry of the chunk,
 * and by what is left between the parts before. With tangents D_j, exits x_j and entries e_j of the parts
 *     P_j = D_j P_{j-1},   w_j = D_j (w_{j-1} + x_{j-1} - e_j),   P_{-1} = 1,   w_0 = 0.
 * So the entry of part j becomes x_{j-1} + w_{j-1}, the exit, bit for bit, where nothing is left before it. The last part leaves
 * its exit, and its w in the slot before; the first the size of the states and the largest difference, and in the slot behind
 * the size of the exits, a NaN aside. */
PRNN_FN void parts_join(const struct lane *lane, const struct rerun *rerun, prnn_i32 w, prnn_i32 j, int log2_lanes,
                        int is_there, int is_last)
{
    SHARED_PART;
    SHARED_SIZE;
    SHARED_LEFT;
    const prnn_i32 part = j << rerun->shift, slot = PRNN_TID;
    const int has_before = is_there && j > 0;
    struct affine upto;
    prnn_real exit_before[PRNN_N], w_before[PRNN_N], next[PRNN_N], size = lane->size, left = 0, exits = 0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        exit_before[i] = PRNN_SHFL_UP(lane->h[i], 1);
        next[i] = has_before ? residual(exit_before[i], PRNN_SLD(s_part, AT_PART(part, w, i, lane->c))) : (prnn_real)0;
        left = larger_size(left, next[i]);
        exits = real_larger(exits, real_abs(lane->h[i]));
        upto.q[i] = 0;
    }
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        upto.d[ij] = finite_or_zero(lane->d[ij]);
    affine_apply_matrix(upto.q, upto.d, 0, next, upto.q);
    PRNN_NO_UNROLL
    for (int distance = 1; distance < 1 << log2_lanes; distance *= 2) {
        struct affine before;
        map_of_lane_before(&before, &upto, distance);
        size = larger_size(size, PRNN_SHFL_XOR(size, distance, 32));
        left = larger_size(left, PRNN_SHFL_XOR(left, distance, 32));
        exits = real_larger(exits, PRNN_SHFL_XOR(exits, distance, 32));
        if (j >= distance) {
            affine_follow(&before, &upto);
            upto = before;
        }
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        w_before[i] = PRNN_SHFL_UP(upto.q[i], 1);
    if (!is_there)
        return;
    tangent_put(slot, upto.d);
    if (is_last)
        exit_put(slot, lane->h);
    if (is_last && j > 0)
        exit_put(slot - 1, upto.q);
    state_moved(next, exit_before, w_before);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        if (j > 0)
            PRNN_SST(s_part, AT_PART(part, w, i, lane->c), next[i]);
    if (j == 0) {
        PRNN_SST(s_size, slot, size);
        PRNN_SST(s_left, slot, left);
        PRNN_SST(s_size, slot + 1, exits);
    }
}

/* Run all that is wanted, 'count' of the thread block. Of 'most' see lane_meet(). */
PRNN_FN void lanes_run(const struct chunk *k, prnn_i32 count, const struct rerun *rerun, prnn_real most)
{
    SHARED_SIZE;
    SHARED_LEFT;
    const prnn_i64 t0 = k->t0 - (prnn_i64)k->w * PRNN_CHUNK;
    struct place block = k->at;
    block.channel -= k->c;
    /* Of a chunk's slots, and of the lanes that run it. */
    const int log2_parts = PRNN_LOG2_PARTS - rerun->shift, log2_lanes = rerun->is_whole ? 0 : log2_parts;
    const prnn_i32 j = PRNN_TID & ((1 << log2_lanes) - 1), part = j << rerun->shift;
    struct lane lane;
    prnn_i32 w = 0;
    int is_there = 0, is_last = 0;
    lane_none(&lane);
    PRNN_NO_UNROLL
    for (prnn_i32 n = PRNN_TID >> log2_lanes; n < count; n += PRNN_THREADS >> log2_lanes) {
        const prnn_i32 run = wanted_find(n), thread = run % PRNN_THREADS;
        w = thread / PRNN_LANES;
        const prnn_i64 t = t0 + w * PRNN_CHUNK, rest = block.length - t;
        const prnn_i32 from = part_step(part), end = part_step(part + (PRNN_PARTS >> log2_lanes)), slot = n << log2_parts;
        is_there = from < rest;
        is_last = end >= PRNN_CHUNK || end >= rest;
        if (is_there) {
            lane_begin(&lane, k->launch, &block, thread % PRNN_LANES * PRNN_VC + run / PRNN_THREADS, t + from);
            const prnn_real left = lane_run(&lane, k->launch, w, t, part, rest < end ? (prnn_i32)rest : end, rerun, slot, most);
            if (rerun->is_whole) {
                PRNN_SST(s_size, slot, lane.size);
                PRNN_SST(s_left, slot, left);
            }
        }
    }
    if (!rerun->is_whole)
        parts_join(&lane, rerun, w, j, log2_lanes, is_there, is_last);
}
