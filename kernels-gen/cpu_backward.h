/* The backward pass on a CPU: from the last step to the first, each step computed again from the
 * stored state before it.
 *
 * Requires  cell_adjoint(); place.h, cpu_forward.h
 * Provides  cpu_backward()
 * Layout    lambda, initial, before [PRNN_STATES][PRNN_CPU_GROUP], sums [PRNN_PARAMS][PRNN_CPU_GROUP]
 *           reals, totals the same in double; 'partial' [PRNN_PARAMS][c1 - c0], then [shared inputs][b1 - b0][seq_len] reals (of
 *           packed sequences [shared inputs][seq_len])
 * Launch    any range of sequences and channels; ranges differ in 'partial' */

/* Steps whose parameter gradients are added up as reals before they are added to a double. The terms
 * may cancel, so that the rounding of a sum of reals over the whole sequence would be the largest
 * error of the gradient. A cell with very many parameters has no room for it, and reals that are as they are given. */
#define CPU_SEGMENT 16
#define CPU_HAS_SEGMENTS (PRNN_PARAMS * PRNN_CPU_GROUP <= 4096)

/* Stored states are converted to reals. */
#ifdef PRNN_REAL_F64
#define CPU_CONVERTS (PRNN_STORAGE != 64)
#else
#define CPU_CONVERTS (PRNN_STORAGE != 32)
#endif

/* Rows of one step. */
struct cpu_adjoint_rows {
    /* Gradient of the state after the step; becomes that of the state before it. */
    prnn_real (*lambda)[PRNN_CPU_GROUP];
    const prnn_elem *x[CPU_ROOM(PRNN_INPUTS)];
    const prnn_given *p[CPU_ROOM(PRNN_PARAMS)];
    const prnn_elem *gh[PRNN_STATES], *gy[CPU_ROOM(PRNN_OUTPUTS)];
    const prnn_real *before[PRNN_STATES];
    prnn_elem *dx[CPU_ROOM(PRNN_INPUTS)];
    prnn_real *shared[CPU_ROOM(PRNN_INPUTS)]; /* gradient of a shared input, per channel */
    prnn_real *dp[CPU_ROOM(PRNN_PARAMS)];     /* added to */
};

/* What one step of one channel reads and makes. */
struct cpu_adjoint_values {
    prnn_real h[PRNN_STATES], x[CPU_ROOM(PRNN_INPUTS)], p[CPU_ROOM(PRNN_PARAMS)];
    prnn_real cot[PRNN_STATES], gy[CPU_ROOM(PRNN_OUTPUTS)];
    prnn_real adj_h[PRNN_STATES], adj_x[CPU_ROOM(PRNN_INPUTS)], adj_p[CPU_ROOM(PRNN_PARAMS)];
};

PRNN_FN void cpu_adjoint_load(const struct cpu_adjoint_rows *row, int c,
                              struct cpu_adjoint_values *v)
{
    CPU_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        v->h[i] = row->before[i][c];
        v->cot[i] = row->lambda[i][c];
        if (PRNN_STATE_GRADIENT >> i & 1)
            v->cot[i] += (prnn_real)PRNN_TO_REAL(row->gh[i][c]);
        v->adj_h[i] = 0;
    }
    CPU_UNROLL
    for (int k = 0; k < PRNN_INPUTS; k++) {
        v->x[k] = (prnn_real)PRNN_TO_REAL(row->x[k][cell_input_is_shared(k) ? 0 : c]);
        v->adj_x[k] = 0;
    }
    CPU_UNROLL
    for (int k = 0; k < PRNN_PARAMS; k++) {
        v->p[k] = row->p[k][cell_param_is_shared(k) ? 0 : c];
        v->adj_p[k] = 0;
    }
    CPU_UNROLL
    for (int k = 0; k < PRNN_OUTPUTS; k++)
        v->gy[k] = (prnn_real)PRNN_TO_REAL(row->gy[k][c]);
}

PRNN_FN void cpu_adjoint_store(const struct cpu_adjoint_rows *row, int c,
                               const struct cpu_adjoint_values *v)
{
    CPU_UNROLL
    for (int i = 0; i < PRNN_STATES; i++)
        row->lambda[i][c] = v->adj_h[i];
    CPU_UNROLL
    for (int k = 0; k < PRNN_INPUTS; k++)
        if (cell_input_has_gradient(k)) {
            if (cell_input_is_shared(k))
                row->shared[k][c] = v->adj_x[k];
            else
                row->dx[k][c] = PRNN_TO_ELEM(v->adj_x[k]);
        }
    CPU_UNROLL
    for (int k = 0; k < PRNN_PARAMS; k++)
        if (cell_param_has_gradient(k))
            row->dp[k][c] += v->adj_p[k];
}

PRNN_FN void cpu_backward_one(const struct cpu_adjoint_rows *row, int c)
{
    struct cpu_adjoint_values v;
    cpu_adjoint_load(row, c, &v);
    cell_adjoint(v.h, v.x, v.p, v.cot, v.gy, v.adj_h, v.adj_x, v.adj_p);
    cpu_adjoint_store(row, c, &v);
}

PRNN_FN void cpu_backward_step(const struct cpu_adjoint_rows *rows, int width)
{
    const struct cpu_adjoint_rows row = *rows; /* a copy that no store can reach */
    CPU_SIMD
    for (int c = 0; c < width; c++)
        cpu_backward_one(&row, c);
}

/* The sum of a row, in an order that depends on its width alone. */
PRNN_FN prnn_real cpu_row_sum(const prnn_real *row, int width)
{
    prnn_real lane[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int c = 0; c < width; c++)
        lane[c & 7] += row[c];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Bring the sums of a segment to those of the sequence. */
PRNN_FN void cpu_flush(int width, prnn_real (*sums)[PRNN_CPU_GROUP],
                       double (*totals)[PRNN_CPU_GROUP])
{
    for (int k = 0; k < PRNN_PARAMS; k++)
        for (int c = 0; c < width; c++) {
            totals[k][c] += (double)sums[k][c];
            sums[k][c] = 0;
        }
}

/* 'partial': of this group's first channel; 'shared': of this sequence's first step, rows of the
 * shared inputs 'shared_stride' apart. */
static void cpu_backward_group(const struct prnn_launch *launch, const struct place *at,
                               prnn_i64 c0, int width, prnn_given *partial, prnn_i64 channels,
                               prnn_given *shared, prnn_i64 shared_stride)
{
    prnn_real lambda[PRNN_STATES][PRNN_CPU_GROUP], initial[PRNN_STATES][PRNN_CPU_GROUP];
    prnn_real dh0[PRNN_STATES][PRNN_CPU_GROUP];
#if CPU_CONVERTS
    prnn_real before[PRNN_STATES][PRNN_CPU_GROUP];
#endif
    prnn_real shared_row[CPU_ROOM(PRNN_INPUTS)][PRNN_CPU_GROUP];
    prnn_real sums[CPU_HAS_SEGMENTS ? CPU_ROOM(PRNN_PARAMS) : 1][PRNN_CPU_GROUP];
    double totals[CPU_HAS_SEGMENTS ? CPU_ROOM(PRNN_PARAMS) : 1][PRNN_CPU_GROUP];
    prnn_elem nowhere[PRNN_CPU_GROUP], zeros[PRNN_CPU_GROUP];
    struct cpu_adjoint_rows row;

    row.lambda = lambda;
    cpu_params(launch, c0, row.p);
    cpu_initial(launch, at, c0, width, initial);
    for (int c = 0; c < width; c++)
        zeros[c] = 0;
    CPU_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_GHT + i];
        const prnn_given *g =
            arg->base ? (const prnn_given *)arg->base + at->sequence * arg->stride_b + c0 : 0;
        for (int c = 0; c < width; c++) {
            lambda[i][c] = g ? g[c] : 0;
            dh0[i][c] = 0;
        }
    }
    CPU_UNROLL
    for (int k = 0; k < PRNN_PARAMS; k++) {
        row.dp[k] = CPU_HAS_SEGMENTS ? sums[k] : (prnn_real *)(partial + k * channels);
        for (int c = 0; CPU_HAS_SEGMENTS && c < width; c++) {
            sums[k][c] = 0;
            totals[k][c] = 0;
        }
    }
    for (prnn_i64 t = at->length; t-- > 0;) {
        int is_initial = t == 0;
#if PRNN_RESETS
        is_initial |= place_is_reset(&launch->head, at, t);
#endif
        cpu_inputs(launch, at, t, c0, row.x);
        CPU_UNROLL
        for (int i = 0; i < PRNN_STATES; i++) {
            const struct prnn_arg *arg = &launch->arg[PRNN_ARG_H + i];
            row.gh[i] = cpu_row(&launch->arg[PRNN_ARG_GH + i], at, t, c0, zeros);
            if (is_initial) {
                row.before[i] = initial[i];
                continue;
            }
            const prnn_elem *h = (const prnn_elem *)arg->base + place_offset(arg, at, t - 1) + c0;
#if CPU_CONVERTS
            CPU_SIMD
            for (int c = 0; c < width; c++)
                before[i][c] = (prnn_real)PRNN_TO_REAL(h[c]);
            row.before[i] = before[i];
#else
            row.before[i] = h;
#endif
        }
        CPU_UNROLL
        for (int k = 0; k < PRNN_OUTPUTS; k++)
            row.gy[k] = cpu_row(&launch->arg[PRNN_ARG_GY + k], at, t, c0, zeros);
        CPU_UNROLL
        for (int k = 0; k < PRNN_INPUTS; k++) {
            row.dx[k] = cpu_row(&launch->arg[PRNN_ARG_DX + k], at, t,
                                cell_input_is_shared(k) ? 0 : c0, nowhere);
            row.shared[k] = shared_row[k];
        }
        cpu_backward_step(&row, width);
        for (int k = 0, index = 0; k < PRNN_INPUTS; k++)
            if (cell_input_is_shared(k)) {
                if (cell_input_has_gradient(k))
                    shared[index * shared_stride + at->first + at->sign * t] +=
                        (prnn_given)cpu_row_sum(shared_row[k], width);
                index++;
            }
        if (CPU_HAS_SEGMENTS && t % CPU_SEGMENT == 0)
            cpu_flush(width, sums, totals);
        if (is_initial) {
            CPU_UNROLL
            for (int i = 0; i < PRNN_STATES; i++)
                for (int c = 0; c < width; c++) {
                    dh0[i][c] += lambda[i][c];
                    lambda[i][c] = 0;
                }
        }
    }
    for (int k = 0; CPU_HAS_SEGMENTS && k < PRNN_PARAMS; k++)
        for (int c = 0; c < width; c++)
            partial[k * channels + c] += (prnn_given)totals[k][c];
    CPU_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_DH0 + i];
        if (!arg->base)
            continue;
        /* Without steps the final state is the initial one. */
        prnn_given *d = (prnn_given *)arg->base + at->sequence * arg->stride_b + c0;
        for (int c = 0; c < width; c++)
            d[c] = (prnn_given)(at->length ? dh0[i][c] : lambda[i][c]);
    }
}

static void cpu_backward(const struct prnn_launch_head *head, prnn_i64 b0, prnn_i64 b1, prnn_i64 c0,
                         prnn_i64 c1, void *partial)
{
    const struct prnn_launch *launch = (const struct prnn_launch *)head;
    const prnn_i64 channels = c1 - c0;
    const prnn_i64 rows = head->cu_seqlens ? 1 : b1 - b0;
    prnn_given *sums = (prnn_given *)partial;
    prnn_given *shared = sums + PRNN_PARAMS * channels;
    for (prnn_i64 b = b0; b < b1; b++)
        for (prnn_i64 c = c0; c < c1; c += PRNN_CPU_GROUP) {
            const struct place at = place_of(head, b, c);
            const prnn_i64 left = c1 - c;
            cpu_backward_group(launch, &at, c, (int)(left < PRNN_CPU_GROUP ? left : PRNN_CPU_GROUP),
                               sums + (c - c0), channels,
                               shared + (head->cu_seqlens ? 0 : b - b0) * head->seq_len,
                               rows * head->seq_len);
        }
}
