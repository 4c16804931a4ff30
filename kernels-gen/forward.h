/* The forward solve: multiple shooting. A tile of PRNN_CLUSTER * PRNN_TILE_CHUNKS chunks of PRNN_CHUNK
 * steps is solved at once, by Newton's method on the states at the entries of the chunks; the exit
 * of its last chunk is the exact entry of the next tile.
 *
 * Requires  cell_step(), cell_step_outputs(), cell_jacobian(), their _fast forms, cell_guess();
 *           place.h, affine.h, ring.h
 * Provides  the kernel PRNN_ENTRY
 * Layout    a thread owns chunk w and PRNN_VC channels; s_exit, s_entry [W][PRNN_STATES][channels],
 *           s_tangent [W][PRNN_MATRIX][channels]; s_public [2][PRNN_CLUSTER][PRNN_PUBLIC][channels]
 * Launch    place.h's grid, PRNN_THREADS = PRNN_LANES * PRNN_TILE_CHUNKS threads */
#define PRNN_W PRNN_TILE_CHUNKS
#define PRNN_ALL_CHUNKS (PRNN_W * PRNN_CLUSTER)
#define PRNN_N PRNN_STATES

/* A move or mismatch is measured against the size of the state. Newton's error is about the square of its
 * last move, so a move below this needs no further correction; the mismatch of the final run tells. */
#ifdef PRNN_REAL_F64
#define PRNN_STOP_MOVE ((prnn_real)1e-6)
#else
#define PRNN_STOP_MOVE ((prnn_real)3e-3)
#endif

/* What a thread knows about its chunk of the current tile. */
struct chunk {
    const struct prnn_launch *launch;
    struct place at;      /* first channel of this thread */
    prnn_i64 t0;          /* first step */
    prnn_i32 count;       /* steps inside the sequence, 0 .. PRNN_CHUNK */
    prnn_i32 stage, step; /* of the ring */
    prnn_i32 c;           /* first channel within the block */
    prnn_i32 w;
    prnn_real p[PRNN_VC][PRNN_PARAMS + 1];
    prnn_real h0[PRNN_VC][PRNN_N];
};

#define AT_VECTOR(w, i, c) (((w) * PRNN_N + (i)) * PRNN_BLOCK_CHANNELS + (c))
#define AT_MATRIX(w, ij, c) (((w) * PRNN_MATRIX + (ij)) * PRNN_BLOCK_CHANNELS + (c))
#define SHARED_VECTORS                                                                             \
    PRNN_SHARED(prnn_real, s_exit, PRNN_S_EXIT, PRNN_W *PRNN_N *PRNN_BLOCK_CHANNELS);              \
    PRNN_SHARED(prnn_real, s_entry, PRNN_S_ENTRY, PRNN_W *PRNN_N *PRNN_BLOCK_CHANNELS)
#define SHARED_TANGENT                                                                             \
    PRNN_SHARED(prnn_real, s_tangent, PRNN_S_TANGENT, PRNN_W *PRNN_MATRIX *PRNN_BLOCK_CHANNELS)

/* Inputs of step s of the chunk (s may be -1: the step before it, where that is in the tile). */
PRNN_FN void chunk_inputs(const struct chunk *k, prnn_i32 s, prnn_real (*x)[PRNN_INPUTS + 1])
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_INPUTS; i++) {
        prnn_real v[PRNN_VC];
        if (cell_input_is_shared(i)) {
            const prnn_real one = place_load(k->launch, PRNN_ARG_X + i, &k->at, k->t0 + s, 0);
            PRNN_UNROLL
            for (int c = 0; c < PRNN_VC; c++)
                v[c] = one;
        } else {
            ring_load(v, k->stage, k->step + s, cell_input_row(i), k->c);
        }
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            x[c][i] = v[c];
    }
}

PRNN_FN int chunk_is_reset(const struct chunk *k, prnn_i32 s)
{
#if PRNN_RESETS
    return place_is_reset(&k->launch->head, &k->at, k->t0 + s);
#else
    (void)k;
    (void)s;
    return 0;
#endif
}

/* One step with its tangent, d <- J d. */
PRNN_FN void tangent_step(const struct chunk *k, prnn_i32 s, prnn_real (*h)[PRNN_N],
                          prnn_real (*d)[PRNN_MATRIX], int is_fast)
{
    prnn_real x[PRNN_VC][PRNN_INPUTS + 1];
    chunk_inputs(k, s, x);
    const int is_reset = chunk_is_reset(k, s);
    PRNN_UNROLL
    for (int c = 0; c < PRNN_VC; c++) {
        prnn_real jac[PRNN_MATRIX], next[PRNN_N];
        if (is_reset) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                h[c][i] = k->h0[c][i];
            PRNN_UNROLL
            for (int i = 0; i < PRNN_MATRIX; i++)
                d[c][i] = 0;
        }
        if (is_fast)
            cell_jacobian_fast(h[c], x[c], k->p[c], next, jac);
        else
            cell_jacobian(h[c], x[c], k->p[c], next, jac);
        affine_advance(d[c], jac);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[c][i] = next[i];
    }
}

/* Run the chunk from h, carrying the tangent d = d exit / d entry. */
PRNN_FN void chunk_tangent(const struct chunk *k, prnn_real (*h)[PRNN_N], prnn_real (*d)[PRNN_MATRIX],
                           int is_fast)
{
    PRNN_UNROLL
    for (int c = 0; c < PRNN_VC; c++)
        affine_identity(d[c]);
    prnn_i32 s = 0;
    PRNN_NO_UNROLL
    for (; s + PRNN_UNROLL_STEPS <= k->count; s += PRNN_UNROLL_STEPS) {
        PRNN_UNROLL
        for (prnn_i32 u = 0; u < PRNN_UNROLL_STEPS; u++)
            tangent_step(k, s + u, h, d, is_fast);
    }
    PRNN_NO_UNROLL
    for (; s < k->count; s++)
        tangent_step(k, s, h, d, is_fast);
}

/* Where the final run writes: one pointer a tensor, moved on step by step. */
struct targets {
    prnn_elem *state[PRNN_N], *output[PRNN_OUTPUTS + 1];
    int pairs; /* both channels at once */
    int inside[PRNN_VC];
};

PRNN_FN void target_store(prnn_elem *g, const struct targets *to, const prnn_real *v)
{
#if PRNN_VC == 2
    if (to->pairs) {
        if (to->inside[0])
            PRNN_GST2(g, PRNN_TO_ELEM(v[0]), PRNN_TO_ELEM(v[1]));
        return;
    }
    if (to->inside[1])
        PRNN_GST(g + 1, PRNN_TO_ELEM(v[1]));
#endif
    if (to->inside[0])
        PRNN_GST(g, PRNN_TO_ELEM(v[0]));
}

/* One step that writes states and outputs. 'scale' grows to the largest state met. */
PRNN_FN void final_step(const struct chunk *k, prnn_i32 s, prnn_real (*h)[PRNN_N], prnn_real *scale,
                        struct targets *to)
{
    prnn_real x[PRNN_VC][PRNN_INPUTS + 1], y[PRNN_VC][PRNN_OUTPUTS + 1];
    chunk_inputs(k, s, x);
    const int is_reset = chunk_is_reset(k, s);
    PRNN_UNROLL
    for (int c = 0; c < PRNN_VC; c++) {
        prnn_real next[PRNN_N];
        if (is_reset) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                h[c][i] = k->h0[c][i];
        }
#if PRNN_OUTPUTS
        cell_step_outputs(h[c], x[c], k->p[c], next, y[c]);
#else
        cell_step(h[c], x[c], k->p[c], next);
        (void)y;
#endif
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            h[c][i] = next[i];
#if PRNN_ALL_CHUNKS > 1
            scale[c] = real_larger(scale[c], real_abs(next[i]));
#else
            (void)scale;
#endif
        }
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        if (PRNN_STATE_WRITTEN >> i & 1) {
            prnn_real v[PRNN_VC];
            PRNN_UNROLL
            for (int c = 0; c < PRNN_VC; c++)
                v[c] = h[c][i];
            target_store(to->state[i], to, v);
            to->state[i] += k->at.sign * k->launch->arg[PRNN_ARG_H + i].stride_t;
        }
    }
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        prnn_real v[PRNN_VC];
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            v[c] = y[c][i];
        target_store(to->output[i], to, v);
        to->output[i] += k->at.sign * k->launch->arg[PRNN_ARG_Y + i].stride_t;
    }
}

PRNN_FN prnn_elem *target_of(const struct chunk *k, int a)
{
    const struct prnn_arg *arg = &k->launch->arg[a];
    return (prnn_elem *)arg->base + place_offset(arg, &k->at, k->t0) + k->at.channel;
}

/* Run the chunk from h and write states and outputs. */
PRNN_FN void chunk_final(const struct chunk *k, prnn_real (*h)[PRNN_N], prnn_real *scale)
{
    struct targets to;
    to.pairs = k->launch->head.is_aligned;
    PRNN_UNROLL
    for (int c = 0; c < PRNN_VC; c++)
        to.inside[c] = k->at.channel + c < k->launch->head.channels;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        if (PRNN_STATE_WRITTEN >> i & 1)
            to.state[i] = target_of(k, PRNN_ARG_H + i);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++)
        to.output[i] = target_of(k, PRNN_ARG_Y + i);
    prnn_i32 s = 0;
    PRNN_NO_UNROLL
    for (; s + PRNN_UNROLL_STEPS <= k->count; s += PRNN_UNROLL_STEPS) {
        PRNN_UNROLL
        for (prnn_i32 u = 0; u < PRNN_UNROLL_STEPS; u++)
            final_step(k, s + u, h, scale, &to);
    }
    PRNN_NO_UNROLL
    for (; s < k->count; s++)
        final_step(k, s, h, scale, &to);
}

PRNN_FN void vectors_store(prnn_real *unused, prnn_i32 w, prnn_i32 c, prnn_real (*h)[PRNN_N], int is_exit)
{
    SHARED_VECTORS;
    (void)unused;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++) {
            if (is_exit)
                PRNN_SST(s_exit, AT_VECTOR(w, i, c + v), h[v][i]);
            else
                PRNN_SST(s_entry, AT_VECTOR(w, i, c + v), h[v][i]);
        }
    }
}

/* The residual between the exit of a chunk and the entry of the next; exact where they are equal. */
PRNN_FN prnn_real residual(prnn_real exit, prnn_real entry)
{
    return real_is_same(exit, entry) ? (prnn_real)0 : exit - entry;
}

#if PRNN_CLUSTER > 1
/* What a block tells the others: exit of its last chunk, entry of its first, and the correction at its exit as
 * an affine map of the correction at its entry, out = v + m * in. */
#define PRNN_PUBLIC (3 * PRNN_N + PRNN_MATRIX)
#define PUBLIC_EXIT(i) (i)
#define PUBLIC_ENTRY(i) (PRNN_N + (i))
#define PUBLIC_V(i) (2 * PRNN_N + (i))
#define PUBLIC_M(ij) (3 * PRNN_N + (ij))
#define AT_PUBLIC(parity, rank, f, c)                                                              \
    ((((parity) * PRNN_CLUSTER + (rank)) * PRNN_PUBLIC + (f)) * PRNN_BLOCK_CHANNELS + (c))
#define SHARED_PUBLIC                                                                              \
    PRNN_SHARED(prnn_real, s_public, PRNN_S_PUBLIC,                                                \
                2 * PRNN_CLUSTER * PRNN_PUBLIC * PRNN_BLOCK_CHANNELS);                             \
    PRNN_SHARED(prnn_i32, s_flag, PRNN_S_FLAG, 2 * PRNN_CLUSTER)

PRNN_FN void publish(prnn_i32 parity, prnn_i32 rank, prnn_i32 field, prnn_i32 c, prnn_real v)
{
    SHARED_PUBLIC;
    PRNN_UNROLL
    for (int to = 0; to < PRNN_CLUSTER; to++)
        PRNN_RST(s_public, to, AT_PUBLIC(parity, rank, field, c), v);
}

/* True in all blocks if it is in one. Two parities, so that a fast block cannot overwrite what a slow one reads. */
PRNN_FN int cluster_or(prnn_i32 *parity, prnn_i32 rank, int p)
{
    SHARED_PUBLIC;
    const int mine = PRNN_BARRIER_OR(p);
    if (PRNN_TID < PRNN_CLUSTER)
        PRNN_RST(s_flag, PRNN_TID, *parity * PRNN_CLUSTER + rank, mine);
    PRNN_CLUSTER_BARRIER(); /* all blocks: every flag has arrived */
    int any = 0;
    PRNN_UNROLL
    for (int r = 0; r < PRNN_CLUSTER; r++)
        any |= PRNN_SLD(s_flag, *parity * PRNN_CLUSTER + r);
    *parity ^= 1;
    return any;
}
#define ALL_OR(p) cluster_or(&flag_parity, rank, p)
#else
#define ALL_OR(p) PRNN_BARRIER_OR(p)
#endif

/* One correction: from exits x and tangents d (in registers and, after this, in shared memory) the
 * new entries. Newton on e[w+1] = F_w(e[w]) with delta[0] = 0:
 *     out_w = D_w delta_w,   delta_{w+1} = (x_w - e_{w+1}) + out_w,   e'_{w+1} = x_w + out_w,
 * so an entry behind an exact one becomes that chunk's exit, bit for bit, whatever D is. That is why
 * k corrections make k entries exact, in any regime. Returns whether an entry moved by more than 'stop'. */
PRNN_FN int correct(const struct chunk *k, prnn_i32 rank, prnn_i32 parity, prnn_real (*e)[PRNN_N],
                    prnn_real (*x)[PRNN_N], prnn_real (*d)[PRNN_MATRIX])
{
    SHARED_VECTORS;
    SHARED_TANGENT;
    const prnn_i32 w = k->w;
    vectors_store(0, w, k->c, x, 1);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++) {
            if (!cell_closed(ij / PRNN_N, ij % PRNN_N))
                continue;
            /* A tangent that overflowed must not turn 0 * inf into NaN behind exact entries. */
            d[v][ij] = real_is_finite(d[v][ij]) ? d[v][ij] : (prnn_real)0;
            PRNN_SST(s_tangent, AT_MATRIX(w, ij, k->c + v), d[v][ij]);
        }
    }
    PRNN_BARRIER(); /* all threads: exits, entries and tangents of the tile are written */

    prnn_real delta[PRNN_VC][PRNN_N], out[PRNN_VC][PRNN_N], before[PRNN_VC][PRNN_N];
#if PRNN_CLUSTER > 1
    SHARED_PUBLIC;
    prnn_real m[PRNN_VC][PRNN_MATRIX];
#endif
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            delta[v][i] = out[v][i] = before[v][i] = 0;
#if PRNN_CLUSTER > 1
        affine_identity(m[v]);
#endif
        PRNN_NO_UNROLL
        for (prnn_i32 j = 0; j < w; j++) {
            prnn_real dj[PRNN_MATRIX], zero[PRNN_N];
            PRNN_UNROLL
            for (int ij = 0; ij < PRNN_MATRIX; ij++)
                dj[ij] = cell_closed(ij / PRNN_N, ij % PRNN_N)
                             ? PRNN_SLD(s_tangent, AT_MATRIX(j, ij, k->c + v))
                             : (prnn_real)0;
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                zero[i] = 0;
            affine_apply(out[v], dj, delta[v], zero);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++) {
                before[v][i] = PRNN_SLD(s_exit, AT_VECTOR(j, i, k->c + v));
                delta[v][i] =
                    residual(before[v][i], PRNN_SLD(s_entry, AT_VECTOR(j + 1, i, k->c + v))) +
                    out[v][i];
            }
#if PRNN_CLUSTER > 1
            affine_compose(dj, m[v]);
#endif
        }
    }
#if PRNN_CLUSTER > 1
    /* Now delta = delta_w for no correction at the block's entry, and m its derivative by that. */
    if (w == PRNN_W - 1) {
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
            prnn_real last[PRNN_N], zero[PRNN_N], md[PRNN_MATRIX];
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                zero[i] = 0;
            PRNN_UNROLL
            for (int ij = 0; ij < PRNN_MATRIX; ij++)
                md[ij] = m[v][ij];
            affine_apply(last, d[v], delta[v], zero);
            affine_compose(d[v], md);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++) {
                publish(parity, rank, PUBLIC_EXIT(i), k->c + v, x[v][i]);
                publish(parity, rank, PUBLIC_V(i), k->c + v, last[i]);
                publish(parity, rank, PUBLIC_ENTRY(i), k->c + v, PRNN_SLD(s_entry, AT_VECTOR(0, i, k->c + v)));
            }
            PRNN_UNROLL
            for (int ij = 0; ij < PRNN_MATRIX; ij++)
                if (cell_closed(ij / PRNN_N, ij % PRNN_N))
                    publish(parity, rank, PUBLIC_M(ij), k->c + v, md[ij]);
        }
    }
    PRNN_CLUSTER_BARRIER(); /* all blocks: every block's map has arrived */
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real in[PRNN_N], block_out[PRNN_N], last_exit[PRNN_N];
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            in[i] = block_out[i] = last_exit[i] = 0;
        PRNN_NO_UNROLL
        for (prnn_i32 r = 0; r < rank; r++) {
            prnn_real map[PRNN_MATRIX], offset[PRNN_N];
            PRNN_UNROLL
            for (int ij = 0; ij < PRNN_MATRIX; ij++)
                map[ij] = cell_closed(ij / PRNN_N, ij % PRNN_N)
                              ? PRNN_SLD(s_public, AT_PUBLIC(parity, r, PUBLIC_M(ij), k->c + v))
                              : (prnn_real)0;
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                offset[i] = PRNN_SLD(s_public, AT_PUBLIC(parity, r, PUBLIC_V(i), k->c + v));
            affine_apply(block_out, map, in, offset);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++) {
                last_exit[i] = PRNN_SLD(s_public, AT_PUBLIC(parity, r, PUBLIC_EXIT(i), k->c + v));
                in[i] = residual(last_exit[i],
                                 PRNN_SLD(s_public, AT_PUBLIC(parity, r + 1, PUBLIC_ENTRY(i), k->c + v))) +
                        block_out[i];
            }
        }
        if (w == 0) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++) {
                before[v][i] = last_exit[i];
                out[v][i] = block_out[i];
            }
        } else {
            /* out_{w-1} is linear in the correction at the block's entry, with derivative m. */
            prnn_real sum[PRNN_N];
            affine_apply(sum, m[v], in, out[v]);
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                out[v][i] = sum[i];
        }
    }
#endif
    int moved = 0;
    if (w > 0 || rank > 0) {
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
            prnn_real entry[PRNN_N], move = 0, scale = 0;
            int is_same = 1;
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++) {
                entry[i] = out[v][i] == 0 ? before[v][i] : before[v][i] + out[v][i];
                /* A guess far off may overflow: fall back on the exit before, which is where the
                 * sequential recurrence would go on from. */
                entry[i] = real_is_finite(entry[i]) ? entry[i] : before[v][i];
                is_same &= real_is_same(entry[i], e[v][i]);
                const prnn_real step = real_abs(entry[i] - e[v][i]);
                move = step <= move ? move : step; /* keeps a NaN */
                scale = real_larger(real_larger(scale, real_abs(entry[i])),
                                    real_larger(real_abs(e[v][i]), real_abs(x[v][i])));
            }
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                e[v][i] = entry[i];
            /* Nobody waits for a chunk behind the end or a channel behind the last. */
            const int is_real =
                k->count > 0 && k->at.channel + v < k->launch->head.channels;
            moved |= is_real && !is_same && !(move <= PRNN_STOP_MOVE * scale);
        }
    }
    return moved;
}

/* What a thread has seen for the certificate. */
struct witness {
    prnn_real mismatch;
    prnn_i64 step;
    prnn_i32 c;
    int nonfinite;
};

/* Compare an exit with the entry behind it: true if they differ by more than the tolerance allows. */
PRNN_FN int compare(struct witness *seen, const struct chunk *k, int v, const prnn_real *before,
                    const prnn_real *e, prnn_real scale, prnn_real tolerance)
{
    prnn_real gap = 0;
    int is_same = 1;
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        const prnn_real difference = real_abs(residual(before[i], e[i]));
        gap = difference <= gap ? gap : difference;
        is_same &= real_is_same(before[i], e[i]);
        scale = real_larger(scale, real_larger(real_abs(before[i]), real_abs(e[i])));
    }
    if (is_same)
        return 0;
    const prnn_real relative = PRNN_REAL_DIV(gap, scale);
    if (tolerance > 0 && relative <= tolerance) {
        if (relative > seen->mismatch) {
            seen->mismatch = relative;
            seen->step = k->t0;
            seen->c = k->c + v;
        }
        return 0;
    }
    return 1;
}

PRNN_KERNEL(PRNN_ENTRY, PRNN_THREADS)
{
    const struct prnn_launch *launch = PRNN_LAUNCH;
    SHARED_VECTORS;
    const prnn_real tolerance = (prnn_real)launch->head.tolerance;
    const prnn_i32 lane = PRNN_TID % PRNN_LANES;
#if PRNN_CLUSTER > 1
    const prnn_i32 rank = PRNN_CLUSTER_RANK;
    prnn_i32 parity = 0, flag_parity = 0;
    SHARED_PUBLIC;
#else
    const prnn_i32 rank = 0, parity = 0;
#endif
    const prnn_i64 block = PRNN_BID / PRNN_CLUSTER;
    const prnn_i64 channel_blocks =
        (launch->head.channels + PRNN_BLOCK_CHANNELS - 1) / PRNN_BLOCK_CHANNELS;
    const struct place origin = place_of(&launch->head, block / channel_blocks,
                                         block % channel_blocks * PRNN_BLOCK_CHANNELS);
    struct chunk k;
    k.launch = launch;
    k.at = origin;
    k.w = PRNN_TID / PRNN_LANES;
    k.c = lane * PRNN_VC;
    k.at.channel = origin.channel + k.c;
    k.stage = 0;
    k.step = k.w * PRNN_CHUNK;

    prnn_real carry[PRNN_VC][PRNN_N];
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        const int is_inside = k.at.channel + v < launch->head.channels;
        PRNN_UNROLL
        for (int j = 0; j < PRNN_PARAMS; j++)
            k.p[v][j] = is_inside ? place_param(launch, j, k.at.channel + v) : (prnn_real)0;
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            carry[v][i] = k.h0[v][i] =
                is_inside ? place_initial(launch, &k.at, i, k.at.channel + v) : (prnn_real)0;
    }

    const prnn_i64 stride = (prnn_i64)PRNN_TILE_STEPS * PRNN_CLUSTER;
    const prnn_i64 tiles = (origin.length + stride - 1) / stride;
    struct witness seen = {0, -1, 0, 0};
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks: each has begun, so that the others may write to it */
#endif
    prnn_u32 max_corrections = 0;
    prnn_u64 sum_corrections = 0;

    PRNN_NO_UNROLL
    for (int s = 0; s < PRNN_STAGES - 1; s++)
        ring_issue(launch, &origin, s, s * stride + rank * PRNN_TILE_STEPS);

    PRNN_NO_UNROLL
    for (prnn_i64 tile = 0; tile < tiles; tile++) {
        PRNN_ASYNC_WAIT(PRNN_STAGES - 2);
        PRNN_BARRIER(); /* all threads: the tile has arrived, and the stage before it is read */
        const prnn_i64 first = tile * stride + rank * PRNN_TILE_STEPS;
        ring_issue(launch, &origin, (k.stage + PRNN_STAGES - 1) % PRNN_STAGES,
                   first + (PRNN_STAGES - 1) * stride);
        k.t0 = first + k.step;
        const prnn_i64 left = origin.length - k.t0;
        k.count = left < 0 ? 0 : left < PRNN_CHUNK ? (prnn_i32)left : PRNN_CHUNK;

        prnn_real e[PRNN_VC][PRNN_N], h[PRNN_VC][PRNN_N], scale[PRNN_VC];
        prnn_u32 corrections = 0;
#if PRNN_ALL_CHUNKS > 1
        if (k.w == 0 && rank == 0) {
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++)
                    e[v][i] = carry[v][i];
            }
        } else {
            /* The step before the chunk stands in the tile, but for the block's first chunk: that
             * one takes its own first step. */
            prnn_real x[PRNN_VC][PRNN_INPUTS + 1];
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++)
                    e[v][i] = k.h0[v][i];
            }
            if (k.count > 0) {
                chunk_inputs(&k, k.w > 0 ? -1 : 0, x);
                PRNN_UNROLL
                for (int v = 0; v < PRNN_VC; v++)
                    cell_guess(k.h0[v], x[v], k.p[v], e[v]);
            }
        }
        vectors_store(0, k.w, k.c, e, 0);
        int is_settled = 0;
        struct witness pass;
        PRNN_NO_UNROLL
        for (;;) {
            PRNN_NO_UNROLL
            while (!is_settled) {
                prnn_real d[PRNN_VC][PRNN_MATRIX];
                PRNN_UNROLL
                for (int v = 0; v < PRNN_VC; v++) {
                    PRNN_UNROLL
                    for (int i = 0; i < PRNN_N; i++)
                        h[v][i] = e[v][i];
                }
                /* The first correction may approximate; the last may not, or the entries keep the
                 * error of the approximation. */
                const int is_rough = corrections == 0 && PRNN_ROUGH_FIRST;
                if (is_rough)
                    chunk_tangent(&k, h, d, 1);
                else
                    chunk_tangent(&k, h, d, 0);
                const int moved = correct(&k, rank, parity, e, h, d);
#if PRNN_CLUSTER > 1
                parity ^= 1;
#endif
                corrections++;
                /* Orders the reads of the scan before the entries are written, too. */
                const int any = ALL_OR(moved);
                vectors_store(0, k.w, k.c, e, 0);
                is_settled = !is_rough && (!any || PRNN_AFFINE || corrections > PRNN_ALL_CHUNKS);
            }
#else
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++)
                e[v][i] = carry[v][i];
        }
        {
#endif
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                scale[v] = 0;
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++)
                    h[v][i] = e[v][i];
            }
            chunk_final(&k, h, scale);
#if PRNN_ALL_CHUNKS > 1
            vectors_store(0, k.w, k.c, h, 1);
#if PRNN_CLUSTER > 1
            if (k.w == PRNN_W - 1) {
                PRNN_UNROLL
                for (int v = 0; v < PRNN_VC; v++) {
                    PRNN_UNROLL
                    for (int i = 0; i < PRNN_N; i++)
                        publish(parity, rank, PUBLIC_EXIT(i), k.c + v, h[v][i]);
                }
            }
            PRNN_CLUSTER_BARRIER(); /* all blocks: exits of the final run have arrived */
#else
            PRNN_BARRIER(); /* all threads: exits of the final run are written */
#endif
            /* Above the tolerance Newton goes on; with tolerance 0, or when it has had its corrections,
             * a sweep: every entry takes the exit before it, which ends in the bits of the
             * sequential run after at most as many sweeps as chunks. */
            const int sweeps = !(tolerance > 0) || corrections > PRNN_ALL_CHUNKS;
            int differs = 0;
            pass.mismatch = 0;
            pass.step = -1;
            pass.c = 0;
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                prnn_real before[PRNN_N];
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++) {
                    before[i] = e[v][i];
                    if (k.w > 0)
                        before[i] = PRNN_SLD(s_exit, AT_VECTOR(k.w - 1, i, k.c + v));
#if PRNN_CLUSTER > 1
                    else if (rank > 0)
                        before[i] = PRNN_SLD(s_public, AT_PUBLIC(parity, rank - 1, PUBLIC_EXIT(i), k.c + v));
                    carry[v][i] = PRNN_SLD(s_public, AT_PUBLIC(parity, PRNN_CLUSTER - 1, PUBLIC_EXIT(i), k.c + v));
#else
                    carry[v][i] = PRNN_SLD(s_exit, AT_VECTOR(PRNN_W - 1, i, k.c + v));
#endif
                }
                const int is_real = k.count > 0 && k.at.channel + v < launch->head.channels;
                if (is_real && compare(&pass, &k, v, before, e[v], scale[v], tolerance)) {
                    differs = 1;
                    PRNN_UNROLL
                    for (int i = 0; i < PRNN_N; i++)
                        e[v][i] = sweeps ? before[i] : e[v][i];
                }
            }
#if PRNN_CLUSTER > 1
            parity ^= 1;
#endif
            if (!ALL_OR(differs))
                break;
            corrections += sweeps;
            is_settled = sweeps;
        }
        if (pass.mismatch > seen.mismatch) {
            seen.mismatch = pass.mismatch;
            seen.step = pass.step;
            seen.c = pass.c;
        }
#else
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++)
                    carry[v][i] = h[v][i];
            }
        }
#endif
        if (k.count > 0) {
            PRNN_UNROLL
            for (int v = 0; v < PRNN_VC; v++) {
                const int is_inside = k.at.channel + v < launch->head.channels;
                PRNN_UNROLL
                for (int i = 0; i < PRNN_N; i++) {
                    seen.nonfinite |= is_inside && !real_is_finite(h[v][i]);
                    prnn_real *last = (prnn_real *)launch->arg[PRNN_ARG_HT + i].base;
                    if (is_inside && last && k.t0 + k.count == origin.length)
                        PRNN_GST(last + origin.sequence * launch->arg[PRNN_ARG_HT + i].stride_b +
                                     k.at.channel + v,
                                 h[v][i]);
                }
            }
        }
        max_corrections = corrections > max_corrections ? corrections : max_corrections;
        sum_corrections += corrections;
        k.stage = (k.stage + 1) % PRNN_STAGES;
    }
    if (tiles == 0 && k.w == 0 && rank == 0) {
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_N; i++) {
                prnn_real *last = (prnn_real *)launch->arg[PRNN_ARG_HT + i].base;
                if (k.at.channel + v < launch->head.channels && last)
                    PRNN_GST(last + origin.sequence * launch->arg[PRNN_ARG_HT + i].stride_b +
                                 k.at.channel + v,
                             k.h0[v][i]);
            }
        }
    }
    PRNN_ASYNC_WAIT(0);
    report_block(launch, &origin, seen.mismatch, seen.step, seen.c, seen.nonfinite, max_corrections,
                 sum_corrections, tiles);
#if PRNN_CLUSTER > 1
    PRNN_CLUSTER_BARRIER(); /* all blocks: none leaves while another may write to it */
#endif
}
