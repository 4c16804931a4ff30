/* What a thread of the forward solve does with its chunk alone: run it from an entry, with the tangent or
 * with what it writes; guess its exit from its last steps.
 *
 * Requires  cell_step(), cell_step_outputs(), cell_jacobian(), their _fast forms; chunk_inputs.h, affine.h, rows_out.h
 * Provides  chunk_tangent(), chunk_warm_up(), chunk_final()
 * Launch    a thread owns chunk w and PRNN_VC channels */
PRNN_FN void state_reset(const struct chunk *k, int is_reset, int v, prnn_real *h)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        h[i] = is_reset ? k->h0[v][i] : h[i];
}

/* One step with its tangent, d <- J d. */
PRNN_FN void tangent_step(const struct chunk *k, const struct step_inputs *in, prnn_real (*h)[PRNN_N],
                          prnn_real (*d)[PRNN_MATRIX], int is_fast)
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real jac[PRNN_MATRIX], next[PRNN_N];
        state_reset(k, in->is_reset, v, h[v]);
        PRNN_UNROLL
        for (int ij = 0; ij < PRNN_MATRIX; ij++)
            d[v][ij] = in->is_reset ? (prnn_real)0 : d[v][ij];
        if (is_fast)
            cell_jacobian_fast(h[v], in->x[v], k->p[v], next, jac);
        else
            cell_jacobian(h[v], in->x[v], k->p[v], next, jac);
        affine_advance(d[v], jac);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = next[i];
    }
}

/* Run the chunk from h, with the tangent d = d exit / d entry. */
PRNN_FN void chunk_tangent(const struct chunk *k, prnn_real (*h)[PRNN_N], prnn_real (*d)[PRNN_MATRIX],
                           int is_fast)
{
    const prnn_i32 fast = chunk_fast_steps(k);
    struct step_inputs in;
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        affine_identity(d[v]);
    if (fast > 0) {
        struct reader reader;
        reader_begin(&reader, k, 0, 0);
        PRNN_NO_UNROLL
        for (prnn_i32 s = 0; s < fast; s += PRNN_UNROLL_STEPS) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_UNROLL_STEPS; i++) {
                reader_take(&reader, k, s + i, i, &in);
                tangent_step(k, &in, h, d, is_fast);
                reader_free(&reader, k, s + i, fast, i, 0);
            }
        }
    }
    PRNN_NO_UNROLL
    for (prnn_i32 s = fast; s < k->count; s++) {
        inputs_load(&in, k, s);
        tangent_step(k, &in, h, d, is_fast);
    }
}

#if PRNN_ROUGH_FIRST
/* Whether the exit of the chunk can be guessed from its last steps. */
PRNN_FN int chunk_can_warm_up(const struct chunk *k)
{
    return k->count == PRNN_CHUNK && (PRNN_STAGES || k->is_plain);
}

/* From the initial state, the exit of a whole chunk by its last PRNN_WARM_STEPS steps alone: what came before them has
 * faded, as far as the cell forgets so soon. All but the last PRNN_WARM_EXACT of them approximate. */
PRNN_FN void warm_begin(const struct chunk *k, prnn_real (*h)[PRNN_N])
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = k->h0[v][i];
    }
    if (PRNN_CHUNK > PRNN_WARM_STEPS) {
        struct step_inputs in;
        inputs_load(&in, k, PRNN_CHUNK - PRNN_WARM_STEPS - 1);
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            cell_guess(k->h0[v], in.x[v], k->p[v], h[v]);
    }
}

PRNN_FN void warm_step(const struct chunk *k, const struct step_inputs *in, prnn_real (*h)[PRNN_N], int is_fast)
{
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real next[PRNN_N];
        state_reset(k, in->is_reset, v, h[v]);
        if (is_fast)
            cell_step_fast(h[v], in->x[v], k->p[v], next);
        else
            cell_step(h[v], in->x[v], k->p[v], next);
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = next[i];
    }
}

/* The steps 'from' to 'to'. */
PRNN_FN void warm_steps(struct reader *reader, const struct chunk *k, prnn_i32 from, prnn_i32 to,
                        prnn_real (*h)[PRNN_N], int is_fast)
{
    PRNN_NO_UNROLL
    for (prnn_i32 s = from; s < to; s += PRNN_UNROLL_STEPS) {
        PRNN_UNROLL
        for (int i = 0; i < PRNN_UNROLL_STEPS; i++) {
            struct step_inputs in;
            reader_take(reader, k, s + i, i, &in);
            warm_step(k, &in, h, is_fast);
            reader_free(reader, k, s + i, PRNN_CHUNK, i, 0);
        }
    }
}

PRNN_FN void chunk_warm_up(const struct chunk *k, prnn_real (*h)[PRNN_N])
{
    struct reader reader;
    reader_begin(&reader, k, PRNN_CHUNK - PRNN_WARM_STEPS, 0);
    warm_begin(k, h);
    warm_steps(&reader, k, PRNN_CHUNK - PRNN_WARM_STEPS, PRNN_CHUNK - PRNN_WARM_EXACT, h, 1);
    warm_steps(&reader, k, PRNN_CHUNK - PRNN_WARM_EXACT, PRNN_CHUNK, h, 0);
}
#endif

/* Where the thread writes. */
struct targets {
    struct row_out state[PRNN_N], output[PRNN_OUTPUTS + 1];
};

PRNN_FN void targets_begin(struct targets *to, const struct chunk *k)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        if (PRNN_STATE_WRITTEN >> i & 1)
            row_out_begin(&to->state[i], k->launch, PRNN_ARG_H + i, &k->at, k->t0);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++)
        row_out_begin(&to->output[i], k->launch, PRNN_ARG_Y + i, &k->at, k->t0);
}

PRNN_FN void targets_move(struct targets *to, const struct chunk *k, int steps, int is_plain)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        if (PRNN_STATE_WRITTEN >> i & 1)
            row_out_move(&to->state[i], k->launch, PRNN_ARG_H + i, &k->at, steps, is_plain);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++)
        row_out_move(&to->output[i], k->launch, PRNN_ARG_Y + i, &k->at, steps, is_plain);
}

/* The states 'steps' steps from where the targets are. */
PRNN_FN void targets_store_states(const struct targets *to, const struct chunk *k, int steps, prnn_real (*h)[PRNN_N],
                                  int is_plain)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++) {
        if (!(PRNN_STATE_WRITTEN >> i & 1))
            continue;
        prnn_real v[PRNN_VC];
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            v[c] = h[c][i];
        row_out_store(&to->state[i], k->launch, &k->at, steps, v, is_plain);
    }
}

/* What the certificate wants to know of the states of a step. Where they are compared with a mismatch 'scale' grows to
 * the largest, NaN if one is; else it stays 0, and becomes NaN if one is not finite. */
PRNN_FN void scale_add(prnn_real *scale, const prnn_real *h)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_N; i++)
        *scale = PRNN_TILE_CHUNKS * PRNN_CLUSTER > 1 ? real_larger_or_nan(*scale, real_abs(h[i]))
                                                     : PRNN_FMA(h[i], (prnn_real)0, *scale);
}

/* Whether it is enough to look at the last step of a chunk. */
#define PRNN_LAST_TELLS (PRNN_TILE_CHUNKS * PRNN_CLUSTER == 1 && PRNN_NONFINITE_LASTS && !PRNN_RESETS)

/* One step that writes states and outputs, 'slot' steps from where the targets are. */
PRNN_FN void final_step(const struct chunk *k, int slot, const struct step_inputs *in, prnn_real (*h)[PRNN_N],
                        prnn_real *scale, const struct targets *to, int is_plain)
{
    prnn_real y[PRNN_VC][PRNN_OUTPUTS + 1];
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++) {
        prnn_real next[PRNN_N];
        state_reset(k, in->is_reset, v, h[v]);
#if PRNN_OUTPUTS
        cell_step_outputs(h[v], in->x[v], k->p[v], next, y[v]);
#else
        cell_step(h[v], in->x[v], k->p[v], next);
        (void)y;
#endif
        PRNN_UNROLL
        for (int i = 0; i < PRNN_N; i++)
            h[v][i] = next[i];
        if (!PRNN_LAST_TELLS)
            scale_add(&scale[v], next);
    }
    targets_store_states(to, k, slot, h, is_plain);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_OUTPUTS; i++) {
        prnn_real v[PRNN_VC];
        PRNN_UNROLL
        for (int c = 0; c < PRNN_VC; c++)
            v[c] = y[c][i];
        row_out_store(&to->output[i], k->launch, &k->at, slot, v, is_plain);
    }
}

/* Run the chunk from h and write states and outputs. */
PRNN_FN void chunk_final(const struct chunk *k, prnn_real (*h)[PRNN_N], prnn_real *scale)
{
    const prnn_i32 fast = chunk_fast_steps(k);
    struct targets to;
    struct step_inputs in;
    targets_begin(&to, k);
    PRNN_UNROLL
    for (int v = 0; v < PRNN_VC; v++)
        scale[v] = 0;
    if (fast > 0) {
        struct reader reader;
        reader_begin(&reader, k, 0, 1);
        PRNN_NO_UNROLL
        for (prnn_i32 s = 0; s < fast; s += PRNN_UNROLL_STEPS) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_UNROLL_STEPS; i++) {
                reader_take(&reader, k, s + i, i, &in);
                final_step(k, i, &in, h, scale, &to, 1);
                reader_free(&reader, k, s + i, fast, i, 1);
            }
            targets_move(&to, k, PRNN_UNROLL_STEPS, 1);
        }
    }
    PRNN_NO_UNROLL
    for (prnn_i32 s = fast; s < k->count; s++) {
        inputs_load(&in, k, s);
        final_step(k, 0, &in, h, scale, &to, 0);
        targets_move(&to, k, 1, 0);
    }
    if (PRNN_LAST_TELLS && k->count > 0) {
        PRNN_UNROLL
        for (int v = 0; v < PRNN_VC; v++)
            scale_add(&scale[v], h[v]);
    }
}
