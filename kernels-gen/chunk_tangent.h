/* The run of a chunk with its tangent, for Newton's method.
 *
 * Requires  cell_jacobian(), cell_jacobian_fast(); chunk_run.h, affine.h
 * Provides  tangent_step(), chunk_tangent()
 * Launch    as chunk_run.h */
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
        reader_begin(&reader, k, 0, PRNN_UNROLL_STEPS, 0);
        PRNN_NO_UNROLL
        for (prnn_i32 s = 0; s < fast; s += PRNN_UNROLL_STEPS) {
            PRNN_UNROLL
            for (int i = 0; i < PRNN_UNROLL_STEPS; i++) {
                reader_take(&reader, k, s + i, i, &in);
                tangent_step(k, &in, h, d, is_fast);
                reader_free(&reader, k, s, fast, PRNN_UNROLL_STEPS, i, 0);
            }
        }
    }
    PRNN_NO_UNROLL
    for (prnn_i32 s = fast; s < k->count; s++) {
        inputs_load(&in, k, s);
        tangent_step(k, &in, h, d, is_fast);
    }
}
