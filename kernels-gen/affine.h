/* Requires  PRNN_STATES, cell_closed(), cell_jac_nonzero()
 * Provides  products of Jacobians and vectors of one channel, in registers
 * Layout    matrices dense, row-major; only entries of the closed pattern are kept or read
 * Launch    any thread; loops unroll over constants, so a product costs its pattern and no more */
#define PRNN_MATRIX (PRNN_STATES * PRNN_STATES)

PRNN_FN void affine_identity(prnn_real *d)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++)
            d[i * PRNN_STATES + j] = i == j ? (prnn_real)1 : (prnn_real)0;
    }
}

/* d <- j * d, where j has the pattern of the Jacobian. */
PRNN_FN void affine_advance(prnn_real *d, const prnn_real *jac)
{
    prnn_real old[PRNN_MATRIX];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_MATRIX; i++)
        old[i] = d[i];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++) {
            if (!cell_closed(i, j))
                continue;
            prnn_real sum = 0;
            int is_first = 1;
            PRNN_UNROLL
            for (int k = 0; k < PRNN_STATES; k++) {
                if (!cell_jac_nonzero(i, k) || !cell_closed(k, j))
                    continue;
                sum = is_first ? jac[i * PRNN_STATES + k] * old[k * PRNN_STATES + j]
                               : PRNN_FMA(jac[i * PRNN_STATES + k], old[k * PRNN_STATES + j], sum);
                is_first = 0;
            }
            d[i * PRNN_STATES + j] = sum;
        }
    }
}

/* m <- d * m, both closed. */
PRNN_FN void affine_compose(const prnn_real *d, prnn_real *m)
{
    prnn_real old[PRNN_MATRIX];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_MATRIX; i++)
        old[i] = m[i];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++) {
            if (!cell_closed(i, j))
                continue;
            prnn_real sum = 0;
            int is_first = 1;
            PRNN_UNROLL
            for (int k = 0; k < PRNN_STATES; k++) {
                if (!cell_closed(i, k) || !cell_closed(k, j))
                    continue;
                sum = is_first ? d[i * PRNN_STATES + k] * old[k * PRNN_STATES + j]
                               : PRNN_FMA(d[i * PRNN_STATES + k], old[k * PRNN_STATES + j], sum);
                is_first = 0;
            }
            m[i * PRNN_STATES + j] = sum;
        }
    }
}

/* out = b + d * v. 'out' may be neither b nor v. */
PRNN_FN void affine_apply(prnn_real *out, const prnn_real *d, const prnn_real *v, const prnn_real *b)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        prnn_real sum = b[i];
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++)
            if (cell_closed(i, j))
                sum = PRNN_FMA(d[i * PRNN_STATES + j], v[j], sum);
        out[i] = sum;
    }
}

/* The same with d transposed: what the backward pass composes. */
PRNN_FN void affine_apply_transposed(prnn_real *out, const prnn_real *d, const prnn_real *v,
                                     const prnn_real *b)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        prnn_real sum = b[i];
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++)
            if (cell_closed(j, i))
                sum = PRNN_FMA(d[j * PRNN_STATES + i], v[j], sum);
        out[i] = sum;
    }
}

/* d <- d * j: the transposed maps composed in reverse time, (J_1^T J_2^T)^T = J_2 J_1. */
PRNN_FN void affine_retreat(prnn_real *d, const prnn_real *jac)
{
    prnn_real old[PRNN_MATRIX];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_MATRIX; i++)
        old[i] = d[i];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++) {
            if (!cell_closed(i, j))
                continue;
            prnn_real sum = 0;
            int is_first = 1;
            PRNN_UNROLL
            for (int k = 0; k < PRNN_STATES; k++) {
                if (!cell_closed(i, k) || !cell_jac_nonzero(k, j))
                    continue;
                sum = is_first ? old[i * PRNN_STATES + k] * jac[k * PRNN_STATES + j]
                               : PRNN_FMA(old[i * PRNN_STATES + k], jac[k * PRNN_STATES + j], sum);
                is_first = 0;
            }
            d[i * PRNN_STATES + j] = sum;
        }
    }
}

/* out = b + j^T v, where j has the pattern of the Jacobian. */
PRNN_FN void affine_apply_jacobian_transposed(prnn_real *out, const prnn_real *jac,
                                              const prnn_real *v, const prnn_real *b)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        prnn_real sum = b[i];
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++)
            if (cell_jac_nonzero(j, i))
                sum = PRNN_FMA(jac[j * PRNN_STATES + i], v[j], sum);
        out[i] = sum;
    }
}

/* d <- d * m, both closed. */
PRNN_FN void affine_compose_after(prnn_real *d, const prnn_real *m)
{
    prnn_real old[PRNN_MATRIX];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_MATRIX; i++)
        old[i] = m[i];
    affine_compose(d, old);
    PRNN_UNROLL
    for (int i = 0; i < PRNN_MATRIX; i++)
        d[i] = old[i];
}
