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

/* out = a * b; 'out' may be neither. A factor is a step's Jacobian, which has that pattern, or closed. */
PRNN_FN void affine_product(prnn_real *out, const prnn_real *a, int a_is_step, const prnn_real *b,
                            int b_is_step)
{
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
                if (!(a_is_step ? cell_jac_nonzero(i, k) : cell_closed(i, k)) ||
                    !(b_is_step ? cell_jac_nonzero(k, j) : cell_closed(k, j)))
                    continue;
                sum = is_first ? a[i * PRNN_STATES + k] * b[k * PRNN_STATES + j]
                               : PRNN_FMA(a[i * PRNN_STATES + k], b[k * PRNN_STATES + j], sum);
                is_first = 0;
            }
            out[i * PRNN_STATES + j] = sum;
        }
    }
}

PRNN_FN void affine_copy(prnn_real *out, const prnn_real *d)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_MATRIX; i++)
        out[i] = d[i];
}

/* d <- j * d, one step on. */
PRNN_FN void affine_advance(prnn_real *d, const prnn_real *jac)
{
    prnn_real old[PRNN_MATRIX];
    affine_copy(old, d);
    affine_product(d, jac, 1, old, 0);
}

/* d <- d * j: the transposed maps composed in reverse time, (J_1^T J_2^T)^T = J_2 J_1. */
PRNN_FN void affine_retreat(prnn_real *d, const prnn_real *jac)
{
    prnn_real old[PRNN_MATRIX];
    affine_copy(old, d);
    affine_product(d, old, 0, jac, 1);
}

/* m <- d * m. */
PRNN_FN void affine_compose(const prnn_real *d, prnn_real *m)
{
    prnn_real old[PRNN_MATRIX];
    affine_copy(old, m);
    affine_product(m, d, 0, old, 0);
}

/* d <- d * m. */
PRNN_FN void affine_compose_after(prnn_real *d, const prnn_real *m)
{
    prnn_real old[PRNN_MATRIX];
    affine_copy(old, d);
    affine_product(d, old, 0, m, 0);
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
