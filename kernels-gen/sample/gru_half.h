/* A hand-written emitted half, so that every skeleton compiles alone: the gated unit
 *   z = sigmoid(p0*h + x0); r = sigmoid(p1*h + x1); c = tanh(p2*(r*h) + x2); h' = (1-z)*h + z*c
 * with its state as the only output. PRNN_STATES 1, PRNN_INPUTS 3, PRNN_PARAMS 3, PRNN_OUTPUTS 0. */
#define PRNN_SAVED 3
#define PRNN_AFFINE 0

PRNN_CONST_FN prnn_real cell_initial(int i)
{
    return (prnn_real)(0 * i);
}

PRNN_CONST_FN int cell_jac_nonzero(int i, int j)
{
    return (int)((i == 0 ? 0x1u : 0u) >> j & 1u);
}

PRNN_CONST_FN int cell_closed(int i, int j)
{
    return (int)((i == 0 ? 0x1u : 0u) >> j & 1u);
}

PRNN_CONST_FN int cell_input_is_shared(int k)
{
    return 0 * k;
}

PRNN_CONST_FN int cell_param_is_shared(int k)
{
    return 0 * k;
}

PRNN_CONST_FN int cell_input_has_gradient(int k)
{
    return 1 + 0 * k;
}

PRNN_CONST_FN int cell_param_has_gradient(int k)
{
    return 1 + 0 * k;
}

#define SAMPLE_STEP(SIGMOID, TANH)                                                                 \
    const prnn_real v0 = PRNN_FMA(p[0], h[0], x[0]);                                               \
    const prnn_real v1 = SIGMOID(v0);                                                              \
    const prnn_real v2 = PRNN_FMA(p[1], h[0], x[1]);                                               \
    const prnn_real v3 = SIGMOID(v2);                                                              \
    const prnn_real v4 = v3 * h[0];                                                                \
    const prnn_real v5 = PRNN_FMA(p[2], v4, x[2]);                                                 \
    const prnn_real v6 = TANH(v5)
#define SAMPLE_NEXT                                                                                \
    const prnn_real v7 = (prnn_real)1 - v1;                                                        \
    const prnn_real v8 = v1 * v6;                                                                  \
    next[0] = PRNN_FMA(v7, h[0], v8)
/* sigmoid' of z and r, tanh' of c, and d next / d h. */
#define SAMPLE_JACOBIAN                                                                            \
    const prnn_real v10 = v1 * ((prnn_real)1 - v1);                                                \
    const prnn_real v11 = v3 * ((prnn_real)1 - v3);                                                \
    const prnn_real v12 = (prnn_real)1 - v6 * v6;                                                  \
    const prnn_real v13 = v6 - h[0];                                                               \
    const prnn_real v14 = v1 * v12;                                                                \
    const prnn_real v15 = v14 * p[2];                                                              \
    const prnn_real v16 = v15 * h[0];                                                              \
    const prnn_real v17 = v16 * v11;                                                               \
    const prnn_real v18 = v13 * v10;                                                               \
    const prnn_real v19 = v15 * v3;                                                                \
    const prnn_real v20 = ((prnn_real)1 - v1) + v19;                                               \
    const prnn_real v21 = PRNN_FMA(v18, p[0], v20);                                                \
    const prnn_real v22 = PRNN_FMA(v17, p[1], v21)

PRNN_FN void cell_step(const prnn_real *h, const prnn_real *x, const prnn_real *p, prnn_real *next)
{
    SAMPLE_STEP(prnn_sigmoid, prnn_tanh);
    SAMPLE_NEXT;
}

PRNN_FN void cell_step_fast(const prnn_real *h, const prnn_real *x, const prnn_real *p,
                            prnn_real *next)
{
    SAMPLE_STEP(prnn_sigmoid_fast, prnn_tanh_fast);
    SAMPLE_NEXT;
}

PRNN_FN void cell_step_outputs(const prnn_real *h, const prnn_real *x, const prnn_real *p,
                               prnn_real *next, prnn_real *y)
{
    (void)y;
    SAMPLE_STEP(prnn_sigmoid, prnn_tanh);
    SAMPLE_NEXT;
}

PRNN_FN void cell_jacobian(const prnn_real *h, const prnn_real *x, const prnn_real *p,
                           prnn_real *next, prnn_real *jac)
{
    SAMPLE_STEP(prnn_sigmoid, prnn_tanh);
    SAMPLE_NEXT;
    SAMPLE_JACOBIAN;
    jac[0] = v22;
}

PRNN_FN void cell_jacobian_fast(const prnn_real *h, const prnn_real *x, const prnn_real *p,
                                prnn_real *next, prnn_real *jac)
{
    SAMPLE_STEP(prnn_sigmoid_fast, prnn_tanh_fast);
    SAMPLE_NEXT;
    SAMPLE_JACOBIAN;
    jac[0] = v22;
}

PRNN_FN void cell_guess(const prnn_real *h, const prnn_real *x, const prnn_real *p, prnn_real *e)
{
    cell_step_fast(h, x, p, e);
}

PRNN_FN void cell_backmap(const prnn_real *h, const prnn_real *x, const prnn_real *p,
                          const prnn_real *gy, prnn_real *adjac, prnn_real *src, prnn_real *saved)
{
    (void)gy;
    SAMPLE_STEP(prnn_sigmoid, prnn_tanh);
    SAMPLE_JACOBIAN;
    saved[0] = v1;
    saved[1] = v3;
    saved[2] = v6;
    adjac[0] = v22;
    src[0] = (prnn_real)0;
}

PRNN_FN void cell_adjoint_saved(const prnn_real *h, const prnn_real *x, const prnn_real *p,
                                const prnn_real *cot, const prnn_real *gy, const prnn_real *saved,
                                prnn_real *adj_h, prnn_real *adj_x, prnn_real *adj_p)
{
    (void)x;
    (void)gy;
    const prnn_real v1 = saved[0];
    const prnn_real v3 = saved[1];
    const prnn_real v6 = saved[2];
    const prnn_real v4 = v3 * h[0];
    SAMPLE_JACOBIAN;
    const prnn_real v30 = cot[0] * v18;
    const prnn_real v31 = cot[0] * v17;
    const prnn_real v32 = cot[0] * v14;
    adj_h[0] = cot[0] * v22;
    adj_x[0] = v30;
    adj_x[1] = v31;
    adj_x[2] = v32;
    adj_p[0] = v30 * h[0];
    adj_p[1] = v31 * h[0];
    adj_p[2] = v32 * v4;
}

PRNN_FN void cell_adjoint(const prnn_real *h, const prnn_real *x, const prnn_real *p,
                          const prnn_real *cot, const prnn_real *gy, prnn_real *adj_h,
                          prnn_real *adj_x, prnn_real *adj_p)
{
    SAMPLE_STEP(prnn_sigmoid, prnn_tanh);
    const prnn_real saved[3] = {v1, v3, v6};
    cell_adjoint_saved(h, x, p, cot, gy, saved, adj_h, adj_x, adj_p);
}
