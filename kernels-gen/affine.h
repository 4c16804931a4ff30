/* Requires  PRNN_STATES, cell_closed(), cell_jac_nonzero(); PRNN_TRANSPOSED 1 where maps are of the adjoint
 * Provides  struct affine, the map out = d * in + q of the states of one channel, and products of such
 *           maps and of Jacobians, in registers
 * Layout    matrices dense, row-major; only entries of the closed pattern are kept or read
 * Launch    any thread; loops unroll over constants, so a product costs its pattern and no more */
#define PRNN_MATRIX (PRNN_STATES * PRNN_STATES)

struct affine {
    prnn_real d[PRNN_MATRIX], q[PRNN_STATES];
};

PRNN_CONST_FN int affine_closed(int i, int j)
{
    return PRNN_TRANSPOSED ? cell_closed(j, i) : cell_closed(i, j);
}

/* The pattern of one step, a Jacobian or its transpose. */
PRNN_CONST_FN int affine_step_nonzero(int i, int j)
{
    return PRNN_TRANSPOSED ? cell_jac_nonzero(j, i) : cell_jac_nonzero(i, j);
}

PRNN_FN void affine_identity(prnn_real *d)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++)
            d[i * PRNN_STATES + j] = i == j ? (prnn_real)1 : (prnn_real)0;
    }
}

/* Whether a product a * b has the term a[i][k] b[k][j] in entry (i, j). */
PRNN_CONST_FN int affine_has_term(int i, int k, int j, int a_is_step)
{
    return (a_is_step ? affine_step_nonzero(i, k) : affine_closed(i, k)) && affine_closed(k, j);
}

/* The first of them; PRNN_STATES: there is none. */
PRNN_CONST_FN int affine_first_term(int i, int j, int a_is_step)
{
    int k = 0;
    while (k < PRNN_STATES && !affine_has_term(i, k, j, a_is_step))
        k++;
    return k;
}

/* b <- a * b, where a has the pattern of a step or the closed one. */
PRNN_FN void affine_product(const prnn_real *a, int a_is_step, prnn_real *b)
{
    prnn_real old[PRNN_MATRIX];
    PRNN_UNROLL
    for (int ij = 0; ij < PRNN_MATRIX; ij++)
        old[ij] = b[ij];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++) {
            if (!affine_closed(i, j))
                continue;
            const int first = affine_first_term(i, j, a_is_step);
            prnn_real sum = first < PRNN_STATES
                                ? a[i * PRNN_STATES + first] * old[first * PRNN_STATES + j]
                                : (prnn_real)0;
            PRNN_UNROLL
            for (int k = 0; k < PRNN_STATES; k++)
                if (k > first && affine_has_term(i, k, j, a_is_step))
                    sum = PRNN_FMA(a[i * PRNN_STATES + k], old[k * PRNN_STATES + j], sum);
            b[i * PRNN_STATES + j] = sum;
        }
    }
}

/* out = b + a * v, where a has the pattern of a step or the closed one. 'out' may be b, not v. */
PRNN_FN void affine_apply_matrix(prnn_real *out, const prnn_real *a, int a_is_step, const prnn_real *v,
                                 const prnn_real *b)
{
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        prnn_real sum = b[i];
        PRNN_UNROLL
        for (int j = 0; j < PRNN_STATES; j++)
            if (a_is_step ? affine_step_nonzero(i, j) : affine_closed(i, j))
                sum = PRNN_FMA(a[i * PRNN_STATES + j], v[j], sum);
        out[i] = sum;
    }
}

/* d <- jac * d, one step on. */
PRNN_FN void affine_advance(prnn_real *d, const prnn_real *jac)
{
    affine_product(jac, 1, d);
}

/* v <- m(v). */
PRNN_FN void affine_apply(const struct affine *m, prnn_real *v)
{
    prnn_real old[PRNN_STATES];
    PRNN_UNROLL
    for (int i = 0; i < PRNN_STATES; i++)
        old[i] = v[i];
    affine_apply_matrix(v, m->d, 0, old, m->q);
}

/* first <- second after first. */
PRNN_FN void affine_follow(struct affine *first, const struct affine *second)
{
    affine_apply(second, first->q);
    affine_product(second->d, 0, first->d);
}
