/* The forward solve on a CPU: in order over time, vectorised over a group of neighbouring channels
 * whose states stay in the first-level cache.
 *
 * Requires  cell_step_outputs(), cell_initial(); place.h
 * Provides  cpu_forward(), PRNN_CPU_GROUP, PRNN_CPU_PAIRS, CPU_UNROLL, CPU_ROOM
 * Layout    s_h [PRNN_STATES][PRNN_CPU_GROUP] reals
 * Launch    any range of sequences and channels; ranges are independent of each other */

/* Loops over the scalars of a cell vanish: vectors of scalars then live in registers. */
#define CPU_UNROLL _Pragma("GCC unroll 4096")
#define CPU_SIMD _Pragma("omp simd")
/* Arrays may not be empty. */
#define CPU_ROOM(n) ((n) > 0 ? (n) : 1)
/* Channels of a group: as many as keep the vectors of states and parameters near. Wide groups use
 * each page of the tensors up while it is known to the processor. */
#define PRNN_CPU_VECTORS (PRNN_PARAMS + 4 * PRNN_STATES)
#define PRNN_CPU_GROUP                                                                             \
    (PRNN_CPU_VECTORS <= 8 ? 1024 : PRNN_CPU_VECTORS <= 16 ? 512 : PRNN_CPU_VECTORS <= 32 ? 256 : 64)
/* Small cells run two channels at once; large ones would only run out of registers. */
#define CPU_PAIR 16 /* distance of the two: as near as the widest vector allows */
#define PRNN_CPU_PAIRS (PRNN_STATES + PRNN_INPUTS + PRNN_PARAMS <= 16)

/* Parameters, and states and gradients at one time, as the caller has them: reals may be wider. */
#if PRNN_STORAGE == 64
typedef double prnn_given;
#else
typedef float prnn_given;
#endif

/* The initial states of a group, as reals. */
PRNN_FN void cpu_initial(const struct prnn_launch *launch, const struct place *at, prnn_i64 c0,
                         int width, prnn_real (*s_h)[PRNN_CPU_GROUP])
{
    CPU_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_H0 + i];
        const prnn_given *given =
            arg->base ? (const prnn_given *)arg->base + at->sequence * arg->stride_b + c0 : 0;
        for (int c = 0; c < width; c++)
            s_h[i][c] = given ? given[c] : cell_initial(i);
    }
}

/* Where the parameters of a group begin. */
PRNN_FN void cpu_params(const struct prnn_launch *launch, prnn_i64 c0, const prnn_given **p_row)
{
    CPU_UNROLL
    for (int k = 0; k < PRNN_PARAMS; k++)
        p_row[k] = (const prnn_given *)launch->arg[PRNN_ARG_P + k].base +
                   (cell_param_is_shared(k) ? 0 : c0);
}

/* Where the inputs of a step begin. */
PRNN_FN void cpu_inputs(const struct prnn_launch *launch, const struct place *at, prnn_i64 t,
                        prnn_i64 c0, const prnn_elem **x_row)
{
    CPU_UNROLL
    for (int k = 0; k < PRNN_INPUTS; k++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_X + k];
        x_row[k] = (const prnn_elem *)arg->base + place_offset(arg, at, t) +
                   (cell_input_is_shared(k) ? 0 : c0);
    }
}

/* A row to be written, or a place where it does no harm. */
PRNN_FN prnn_elem *cpu_row(const struct prnn_arg *arg, const struct place *at, prnn_i64 t,
                           prnn_i64 c0, prnn_elem *nowhere)
{
    return arg->base ? (prnn_elem *)arg->base + place_offset(arg, at, t) + c0 : nowhere;
}

/* Rows of one step. */
struct cpu_step_rows {
    prnn_real (*s_h)[PRNN_CPU_GROUP];
    const prnn_elem *x[CPU_ROOM(PRNN_INPUTS)];
    const prnn_given *p[CPU_ROOM(PRNN_PARAMS)];
    prnn_elem *h[PRNN_STATES], *y[CPU_ROOM(PRNN_OUTPUTS)];
};

/* What one step of one channel reads and makes. Functions of their own take it, not the body of the
 * loop: arrays that stand in the body of a simd loop itself become memory, not registers (gcc 12). */
struct cpu_step_values {
    prnn_real h[PRNN_STATES], x[CPU_ROOM(PRNN_INPUTS)], p[CPU_ROOM(PRNN_PARAMS)];
    prnn_real next[PRNN_STATES], y[CPU_ROOM(PRNN_OUTPUTS)];
};

PRNN_FN void cpu_step_load(const struct cpu_step_rows *row, int c, struct cpu_step_values *v)
{
    CPU_UNROLL
    for (int i = 0; i < PRNN_STATES; i++)
        v->h[i] = row->s_h[i][c];
    CPU_UNROLL
    for (int k = 0; k < PRNN_INPUTS; k++)
        v->x[k] = (prnn_real)PRNN_TO_REAL(row->x[k][cell_input_is_shared(k) ? 0 : c]);
    CPU_UNROLL
    for (int k = 0; k < PRNN_PARAMS; k++)
        v->p[k] = row->p[k][cell_param_is_shared(k) ? 0 : c];
}

/* Returns 0, or NaN if a state is inf or NaN. */
PRNN_FN prnn_real cpu_step_store(const struct cpu_step_rows *row, int c,
                                 const struct cpu_step_values *v)
{
    prnn_real poison = 0;
    CPU_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        row->s_h[i][c] = v->next[i];
        poison += v->next[i] * (prnn_real)0;
        if (PRNN_STATE_WRITTEN >> i & 1)
            row->h[i][c] = PRNN_TO_ELEM(v->next[i]);
    }
    CPU_UNROLL
    for (int k = 0; k < PRNN_OUTPUTS; k++)
        row->y[k][c] = PRNN_TO_ELEM(v->y[k]);
    return poison;
}

PRNN_FN prnn_real cpu_forward_one(const struct cpu_step_rows *row, int c)
{
    struct cpu_step_values v;
    cpu_step_load(row, c, &v);
    cell_step_outputs(v.h, v.x, v.p, v.next, v.y);
    return cpu_step_store(row, c, &v);
}

/* Two channels at once, everything read before anything is written: the two chains of operations
 * do not wait for each other. */
PRNN_FN prnn_real cpu_forward_two(const struct cpu_step_rows *row, int c, int d)
{
    struct cpu_step_values v, w;
    cpu_step_load(row, c, &v);
    cpu_step_load(row, d, &w);
    cell_step_outputs(v.h, v.x, v.p, v.next, v.y);
    cell_step_outputs(w.h, w.x, w.p, w.next, w.y);
    const prnn_real poison = cpu_step_store(row, c, &v);
    return poison + cpu_step_store(row, d, &w);
}

PRNN_FN prnn_real cpu_forward_step(const struct cpu_step_rows *rows, int width)
{
    const struct cpu_step_rows row = *rows; /* a copy that no store can reach */
    prnn_real poison = 0, lane[CPU_PAIR] = {0};
    int done = 0;
    for (; PRNN_CPU_PAIRS && done + 2 * CPU_PAIR <= width; done += 2 * CPU_PAIR) {
        CPU_SIMD
        for (int c = 0; c < CPU_PAIR; c++)
            lane[c] += cpu_forward_two(&row, done + c, done + c + CPU_PAIR);
    }
    _Pragma("omp simd reduction(+ : poison)")
    for (int c = done; c < width; c++)
        poison += cpu_forward_one(&row, c);
    for (int c = 0; c < CPU_PAIR; c++)
        poison += lane[c];
    return poison;
}

/* One sequence, one group. */
static void cpu_forward_group(const struct prnn_launch *launch, const struct place *at, prnn_i64 c0,
                              int width)
{
    prnn_real s_h[PRNN_STATES][PRNN_CPU_GROUP];
    prnn_elem nowhere[PRNN_CPU_GROUP];
    struct cpu_step_rows row;
    prnn_real poison = 0;

    row.s_h = s_h;
    cpu_params(launch, c0, row.p);
    cpu_initial(launch, at, c0, width, s_h);
    for (prnn_i64 t = 0; t < at->length; t++) {
#if PRNN_RESETS
        if (t > 0 && place_is_reset(&launch->head, at, t))
            cpu_initial(launch, at, c0, width, s_h);
#endif
        cpu_inputs(launch, at, t, c0, row.x);
        CPU_UNROLL
        for (int i = 0; i < PRNN_STATES; i++)
            row.h[i] = cpu_row(&launch->arg[PRNN_ARG_H + i], at, t, c0, nowhere);
        CPU_UNROLL
        for (int k = 0; k < PRNN_OUTPUTS; k++)
            row.y[k] = cpu_row(&launch->arg[PRNN_ARG_Y + k], at, t, c0, nowhere);
        poison += cpu_forward_step(&row, width);
    }
    CPU_UNROLL
    for (int i = 0; i < PRNN_STATES; i++) {
        const struct prnn_arg *arg = &launch->arg[PRNN_ARG_HT + i];
        if (!arg->base)
            continue;
        prnn_given *last = (prnn_given *)arg->base + at->sequence * arg->stride_b + c0;
        for (int c = 0; c < width; c++)
            last[c] = (prnn_given)s_h[i][c];
    }
    if (!(poison == 0) && launch->head.report)
        __atomic_store_n(&launch->head.report->nonfinite, 1u, __ATOMIC_RELAXED);
}

static void cpu_forward(const struct prnn_launch_head *head, prnn_i64 b0, prnn_i64 b1, prnn_i64 c0,
                        prnn_i64 c1)
{
    const struct prnn_launch *launch = (const struct prnn_launch *)head;
    for (prnn_i64 b = b0; b < b1; b++)
        for (prnn_i64 c = c0; c < c1; c += PRNN_CPU_GROUP) {
            const struct place at = place_of(head, b, c);
            const prnn_i64 left = c1 - c;
            cpu_forward_group(launch, &at, c, (int)(left < PRNN_CPU_GROUP ? left : PRNN_CPU_GROUP));
        }
}
