/* A tile from guesses, in a cluster: every chunk begins with a guess from the steps before it. Where that turns out not to be
 * the exit of the chunk before, the chunk is run again from there. Few channels of few chunks are concerned, as a rule, so a
 * thread takes one channel of one chunk, and as few warps as possible run. Where it comes upon a state that the chunk had there,
 * the rest of the chunk is as it should be, and so is its exit.
 *
 * Where it does not, the exit has moved with the entry. That move says where the exits behind will go, if it is taken to be
 * linear: a secant, which saves the tangents that Newton's method needs. Of several states it is Broyden's update of nothing,
 * within the pattern.
 *
 * Requires  lane.h, scan.h, witness.h
 * Provides  tile_secant()
 * Layout    as tile.h; s_outcome [PRNN_TILE_CHUNKS][2][channels]: what the run of a chunk has come to;
 *           s_wanted [PRNN_VC][warps]: a bit for each thread, set where its chunk is to be run
 * Launch    all threads, in block-uniform flow */
#define AT_OUTCOME(w, i, c) (((w) * 2 + (i)) * PRNN_BLOCK_CHANNELS + (c))
#define SHARED_OUTCOME PRNN_SHARED(prnn_real, s_outcome, PRNN_S_OUTCOME, PRNN_TILE_CHUNKS * 2 * PRNN_BLOCK_CHANNELS)
#define PRNN_WARPS (PRNN_THREADS / 32)
#define SHARED_WANTED PRNN_SHARED(prnn_u32, s_wanted, PRNN_S_WANTED, PRNN_VC *PRNN_WARPS)

/* After so many passes entries become the exits before them and nothing else, as with tolerance 0: then every pass makes one
 * more chunk of the tile right, in any regime. */
#define PRNN_SECANT_PASSES 8
/* What may be left of a difference where a run comes upon what has been there, of the tolerance. */
#define PRNN_MEETING ((prnn_real)0.125)

/* How far a chunk's entry has moved at last, and its exit with it. */
struct secant {
    prnn_real entry[PRNN_VC][PRNN_N], exit[PRNN_VC][PRNN_N];
};

PRNN_FN void secant_none(struct secant *secant)
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            secant->entry[v][i] = secant->exit[v][i] = 0;
    }
}

PRNN_FN prnn_real finite_or_zero(prnn_real v)
{
    return real_is_finite(v) ? v : (prnn_real)0;
}

/* The least d of the pattern with exit = d entry: of each row d_i = exit_i entry_i^T / (entry_i^T entry_i), with those entries
 * that the row has (L. K. Schubert, Math. Comp. 24 (1970), 27); 0 where nothing has moved. */
PRNN_FN void secant_matrix(prnn_real *d, const prnn_real *entry, const prnn_real *exit)
{
    prnn_real size = 0, unit[PRNN_N];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        size = larger_size(size, entry[i]);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        unit[i] = size > 0 ? PRNN_REAL_DIV(entry[i], size) : (prnn_real)0;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        prnn_real square = 0;
        PRNN_UNROLL
        for (int j = 0; j < PRNN_N; j++)
            if (affine_closed(i, j))
                square = PRNN_FMA(unit[j], unit[j], square);
        const prnn_real gain = PRNN_REAL_DIV(exit[i], size * square);
        PRNN_UNROLL
        for (int j = 0; j < PRNN_N; j++)
            d[i * PRNN_N + j] = affine_closed(i, j) ? finite_or_zero(gain * unit[j]) : (prnn_real)0;
    }
}

/* Where entries e have to move, knowing what the chunks before ended with, 'found', which is 'off' in the channels of these
 * bits: next. With moves u of the exits by secants D, before the first chunk 0,
 *     u_{w+1} = D_w (found_w - e_w + u_w),   next_w = found_w + u_w.
 * So an entry behind one that is right becomes the exit, bit for bit. Returns a bit for each channel that has to be run. */
PRNN_FN int entries_move(const struct chunk *k, prnn_real tolerance, int has_secants, int off, prnn_real (*e)[PRNN_N],
                         prnn_real (*found)[PRNN_N], const struct secant *secant, const prnn_real *scale,
                         prnn_real (*next)[PRNN_N])
{
    struct affine map[PRNN_VC];
    prnn_real tile[PRNN_VC][PRNN_N], u[PRNN_VC][PRNN_N], off_by[PRNN_VC][PRNN_N];
    states_copy(next, found);
    if (!has_secants)
        return off;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real none[PRNN_N];
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            off_by[v][i] = off >> v & 1 ? residual(found[v][i], e[v][i]) : (prnn_real)0;
            tile[v][i] = none[i] = 0;
        }
        secant_matrix(map[v].d, secant->entry[v], secant->exit[v]);
        affine_apply_matrix(map[v].q, map[v].d, 0, off_by[v], none);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            map[v].q[i] = finite_or_zero(map[v].q[i]);
    }
    scan_before(k->w, k->rank, 0, k->c, map, tile, u);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real move = 0;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            const prnn_real ahead = finite_or_zero(u[v][i]), moved = found[v][i] + ahead;
            move = larger_size(move, off_by[v][i] + ahead);
            if (ahead != 0 && real_is_finite(moved))
                next[v][i] = moved;
        }
        if (chunk_is_real(k, v) && !chunk_is_first(k) && move > tolerance * scale[v])
            off |= 1 << v;
    }
    return off;
}

PRNN_FN prnn_i32 bits_count(prnn_u32 bits)
{
    bits -= bits >> 1 & 0x55555555u;
    bits = (bits & 0x33333333u) + (bits >> 2 & 0x33333333u);
    return (prnn_i32)(((bits + (bits >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24);
}

/* Write down which channels of the thread are wanted, a bit for each. Returns how many are in the thread block. */
PRNN_FN prnn_i32 runs_count(int wanted)
{
    SHARED_WANTED;
    prnn_i32 count = 0;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_u32 bits = (prnn_u32)(wanted >> v & 1) << PRNN_TID % 32;
        PRNN_UNROLL
        for (int distance = 1; distance < 32; distance *= 2)
            bits |= PRNN_SHFL_XOR(bits, distance, 32);
        if (PRNN_TID % 32 == 0)
            PRNN_SST(s_wanted, v * PRNN_WARPS + PRNN_TID / 32, bits);
    }
    PRNN_BARRIER(); /* all threads: what is wanted is written down */
    PRNN_NO_UNROLL
    for (int i = 0; i < PRNN_VC * PRNN_WARPS; i++)
        count += bits_count(PRNN_SLD(s_wanted, i));
    return count;
}

/* The n-th of what is wanted: channel v of thread t as v * PRNN_THREADS + t. */
PRNN_FN prnn_i32 run_find(prnn_i32 n)
{
    SHARED_WANTED;
    prnn_i32 at = 0;
    prnn_u32 bits = PRNN_SLD(s_wanted, 0);
    PRNN_NO_UNROLL
    while (n >= bits_count(bits)) {
        n -= bits_count(bits);
        at++;
        bits = PRNN_SLD(s_wanted, at);
    }
    PRNN_NO_UNROLL
    for (; n > 0; n--)
        bits &= bits - 1;
    return at * 32 + bits_count((bits & (0 - bits)) - 1);
}

/* The rows of a lane, of a group of steps. All are asked for at once, before the group before is run. */
#define PRNN_LANE_STEPS \
    (PRNN_UNROLL_STEPS % 4 != 0 ? PRNN_UNROLL_STEPS : PRNN_UNROLL_STEPS % 8 == 0 && PRNN_INPUTS <= 3 ? 8 : 4)
struct lane_rows {
    prnn_elem x[PRNN_LANE_STEPS][PRNN_INPUTS + 1];
#if PRNN_RESETS
    int is_reset[PRNN_LANE_STEPS];
#endif
};

/* Where it reads next. */
struct lane_reader {
    const prnn_elem *x[PRNN_INPUTS + 1];
    prnn_i64 hop[PRNN_INPUTS + 1], t;
};

PRNN_FN void lane_reader_begin(struct lane_reader *reader, const struct lane *lane, const struct prnn_launch *launch,
                               prnn_i64 t)
{
    reader->t = t;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_X + i];
        reader->x[i] = (const prnn_elem *)arg->base + place_offset(arg, &lane->at, t) +
                       (cell_input_is_shared(i) ? 0 : lane->at.channel);
        reader->hop[i] = place_sign(&lane->at) * arg->stride_t;
    }
}

/* Ask for the next steps, and move on. */
PRNN_FN void lane_ask(struct lane_rows *rows, struct lane_reader *reader, const struct lane *lane,
                      const struct prnn_launch *launch, int steps)
{
    PRNN_UNROLL
    for (int s = 0; s < steps; s++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_INPUTS; i++) {
            PRNN_GLD_INPUT(reader->x[i], rows->x[s][i], 0);
            reader->x[i] += reader->hop[i];
        }
#if PRNN_RESETS
        rows->is_reset[s] = place_is_reset(&launch->head, &lane->at, reader->t + s);
#endif
    }
    reader->t += steps;
    (void)lane;
    (void)launch;
}

/* Step s of the rows. */
PRNN_FN void lane_take(struct lane *lane, const struct lane_rows *rows, int s)
{
    prnn_real x[PRNN_INPUTS + 1];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++)
        x[i] = (prnn_real)PRNN_TO_REAL(rows->x[s][i]);
#if PRNN_RESETS
    lane_step(lane, x, rows->is_reset[s]);
#else
    lane_step(lane, x, 0);
#endif
}

/* What is left between the lane and mark m of chunk w; -1 where that is more than 'most' of the size of its states, and the bits
 * are not the same. The mark becomes what the lane has come to. */
PRNN_FN prnn_real lane_meet(const struct lane *lane, prnn_i32 m, prnn_i32 w, prnn_real most)
{
    SHARED_MARK;
    prnn_real was[PRNN_N];
    int is_same = 1;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        was[i] = PRNN_SLD(s_mark, AT_MARK(m, w, i, lane->c));
        is_same &= real_is_same(lane->h[i], was[i]);
        PRNN_SST(s_mark, AT_MARK(m, w, i, lane->c), lane->h[i]);
    }
    const prnn_real gap = states_gap(lane->h, was);
    return is_same || (most > 0 && gap <= most * lane->scale && real_is_finite(lane->scale)) ? gap : (prnn_real)-1;
}

/* Run 'count' steps from t0 on, which may have marks. Entry w becomes the exit, unless the lane comes upon what has
 * been there; s_outcome says what that left of the difference, or -1, and how large the states are. */
PRNN_FN void lane_rerun(struct lane *lane, const struct prnn_launch *launch, prnn_i32 w, prnn_i64 t0, prnn_i32 count,
                        int has_marks, prnn_real most)
{
    SHARED_OUTCOME;
    const prnn_i32 fast = count - count % PRNN_LANE_STEPS;
    prnn_real left = -1;
    prnn_i32 m = 0;
    struct lane_reader reader;
    struct lane_rows rows, ahead;
    lane_reader_begin(&reader, lane, launch, t0);
    if (fast > 0)
        lane_ask(&rows, &reader, lane, launch, PRNN_LANE_STEPS);
    PRNN_NO_UNROLL
    for (prnn_i32 s = 0; s < fast && left < 0; s += PRNN_LANE_STEPS) {
        if (s + PRNN_LANE_STEPS < fast)
            lane_ask(&ahead, &reader, lane, launch, PRNN_LANE_STEPS);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_LANE_STEPS; i++)
            lane_take(lane, &rows, i);
        if (has_marks && m < PRNN_MARKS && s + PRNN_LANE_STEPS == mark_step(m))
            left = lane_meet(lane, m++, w, most);
        rows = ahead;
    }
    PRNN_NO_UNROLL
    for (prnn_i32 s = left < 0 ? fast : count; s < count; s++) {
        lane_ask(&rows, &reader, lane, launch, 1);
        lane_take(lane, &rows, 0);
    }
    PRNN_SST(s_outcome, AT_OUTCOME(w, 0, lane->c), left);
    PRNN_SST(s_outcome, AT_OUTCOME(w, 1, lane->c), lane->scale);
    if (left < 0)
        lane_put(lane, w);
}

/* Run all channels that are wanted, 'count' of the thread block, whose part of the tile begins at step t0. */
PRNN_FN void lanes_rerun(const struct prnn_launch *launch, prnn_i64 t0, prnn_i32 count, int has_marks, prnn_real most)
{
    const struct place block = place_of_block(&launch->head);
    PRNN_NO_UNROLL
    for (prnn_i32 n = PRNN_TID; n < count; n += PRNN_THREADS) {
        const prnn_i32 run = run_find(n), thread = run % PRNN_THREADS, w = thread / PRNN_LANES;
        const prnn_i32 c = thread % PRNN_LANES * PRNN_VC + run / PRNN_THREADS;
        const prnn_i64 t = t0 + w * PRNN_CHUNK, rest = block.length - t;
        struct lane lane;
        lane_begin(&lane, launch, &block, c, w, t);
        lane_rerun(&lane, launch, w, t, rest < PRNN_CHUNK ? (prnn_i32)rest : PRNN_CHUNK, has_marks, most);
    }
}

/* Run all channels that are wanted, 'count' of the thread block, and this thread's those of these bits: from next, where they
 * were e. 'left' is the largest difference within the chunk, 'nonfinite' has a bit for each channel in which a state was inf or
 * NaN: what is not run again may be where. */
PRNN_FN void chunks_rerun(const struct chunk *k, prnn_real tolerance, int wanted, prnn_i32 count,
                          prnn_real (*next)[PRNN_N], prnn_real (*e)[PRNN_N], prnn_real (*h)[PRNN_N], prnn_real *scale,
                          prnn_real *left, int *nonfinite, struct secant *secant)
{
    SHARED_ENTRY;
    SHARED_OUTCOME;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            if (wanted >> v & 1)
                PRNN_SST(s_entry, AT_ENTRY(k->w, i, k->c + v), next[v][i]);
    }
    PRNN_BARRIER(); /* all threads: entries are written */
    lanes_rerun(k->launch, k->t0 - (prnn_i64)k->w * PRNN_CHUNK, count, k->is_plain, PRNN_MEETING * tolerance);
    PRNN_BARRIER(); /* all threads: exits are written */
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        if (!(wanted >> v & 1))
            continue;
        const prnn_real gap = PRNN_SLD(s_outcome, AT_OUTCOME(k->w, 0, k->c + v));
        const int has_met = gap >= 0;
        scale[v] = PRNN_SLD(s_outcome, AT_OUTCOME(k->w, 1, k->c + v));
        left[v] = has_met ? real_larger(left[v], gap) : (prnn_real)0;
        *nonfinite = (has_met ? *nonfinite : *nonfinite & ~(1 << v)) | !real_is_finite(scale[v]) << v;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            const prnn_real exit = PRNN_SLD(s_entry, AT_ENTRY(k->w, i, k->c + v));
            secant->entry[v][i] = residual(next[v][i], e[v][i]);
            secant->exit[v][i] = has_met ? (prnn_real)0 : residual(exit, h[v][i]);
            e[v][i] = next[v][i];
            h[v][i] = has_met ? h[v][i] : exit;
            scale[v] = real_larger(scale[v], real_abs(h[v][i]));
        }
    }
}

/* Solve one tile from the entry e of its first chunk; h: the exits. Returns how many passes it took after the first. */
PRNN_FN prnn_u32 tile_secant(const struct chunk *k, prnn_real tolerance, prnn_real (*e)[PRNN_N],
                             prnn_real (*h)[PRNN_N], struct witness *seen)
{
    const int is_guessed = k->is_plain && k->count > 0 && !chunk_is_first(k);
    prnn_real found[PRNN_VC][PRNN_N], next[PRNN_VC][PRNN_N], scale[PRNN_VC], left[PRNN_VC];
    struct reader reader;
    struct secant secant;
    struct witness pass;
    prnn_u32 passes = 0;
    int nonfinite = 0;
    if (!chunk_is_first(k))
        states_initial(k, e);
    states_copy(h, e);
    if (is_guessed || chunk_fast_steps(k) > 0)
        reader_begin(&reader, k, is_guessed ? -PRNN_WARM_STEPS : 0, PRNN_UNROLL_STEPS, 0);
    if (is_guessed)
        warm_steps(&reader, k, -PRNN_WARM_STEPS, -PRNN_WARM_EXACT, chunk_fast_steps(k), h);
    chunk_final(k, is_guessed ? -PRNN_WARM_EXACT : 0, &reader, e, h, scale);
    secant_none(&secant);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        left[v] = 0;
        nonfinite |= (chunk_is_real(k, v) && !real_is_finite(scale[v])) << v;
    }
    PRNN_NO_UNROLL
    for (;; passes++) {
        all_barrier(); /* entries are taken before exits are handed over */
        entry_hand_over(k, h);
        all_barrier(); /* exits are handed over */
        witness_none(&pass);
        const int off = exits_differ(k, tolerance, e, found, scale, &pass);
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            if (left[v] > 0)
                witness_add(&pass, left[v], scale[v], k->t0, k->c + v);
        pass.nonfinite |= nonfinite != 0;
        if (!all_or(k, off))
            break;
        const int has_secants = tolerance > 0 && passes > 0 && passes < PRNN_SECANT_PASSES;
        const int wanted = entries_move(k, tolerance, has_secants, off, e, found, &secant, scale, next);
        chunks_rerun(k, tolerance, wanted, runs_count(wanted), next, e, h, scale, left, &nonfinite, &secant);
    }
    witness_add_all(seen, &pass);
    return passes;
}
