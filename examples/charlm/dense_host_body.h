/* Body of dense_host.c for one element type: REAL, NAME(), GEMM, EXP, TABLE. */

static REAL *NAME(reals)(struct memory *memory)
{
    return (REAL *)(void *)memory;
}

static const REAL *NAME(values)(const struct memory *memory)
{
    return (const REAL *)(const void *)memory;
}

static void NAME(multiply)(const struct dense *dense, const struct product *shape,
                           const struct memory *a, const struct memory *b, struct memory *c)
{
    const int inner = shape->inner, columns = shape->columns;
    const int lda = shape->transpose_a ? shape->rows : inner;
    const int ldb = shape->transpose_b ? inner : columns;
    (void)dense;
#pragma omp parallel
    {
        int begin = part_begin(shape->rows, omp_get_thread_num(), omp_get_num_threads());
        int end = part_begin(shape->rows, omp_get_thread_num() + 1, omp_get_num_threads());
        size_t skip = (size_t)begin * (shape->transpose_a ? 1u : (size_t)inner);
        if (begin < end)
            GEMM(CblasRowMajor, shape->transpose_a ? CblasTrans : CblasNoTrans,
                 shape->transpose_b ? CblasTrans : CblasNoTrans, end - begin, columns, inner, 1,
                 NAME(values)(a) + skip, lda, NAME(values)(b), ldb, shape->accumulate ? 1 : 0,
                 NAME(reals)(c) + (size_t)begin * (size_t)columns, columns);
    }
}

static void NAME(fill_rows)(const struct dense *dense, struct memory *out, const struct memory *row,
                            int rows, int columns)
{
    (void)dense;
#pragma omp parallel for
    for (int i = 0; i < rows; i++)
        memcpy(NAME(reals)(out) + (size_t)i * (size_t)columns, row, (size_t)columns * sizeof(REAL));
}

static void NAME(fill)(const struct dense *dense, struct memory *out, double value, size_t count)
{
    (void)dense;
    for (size_t i = 0; i < count; i++)
        NAME(reals)(out)[i] = (REAL)value;
}

static void NAME(copy)(const struct dense *dense, struct memory *out, const struct memory *in,
                       size_t count)
{
    (void)dense;
    memcpy((void *)out, (const void *)in, count * sizeof(REAL));
}

static void NAME(add)(const struct dense *dense, struct memory *out, const struct memory *a,
                      const struct memory *b, size_t count)
{
    REAL *sum = NAME(reals)(out);
    const REAL *left = NAME(values)(a), *right = NAME(values)(b);
    (void)dense;
#pragma omp parallel for simd
    for (size_t i = 0; i < count; i++)
        sum[i] = left[i] + right[i];
}

static void NAME(gather)(const struct dense *dense, struct memory *out, const struct memory *table,
                         const struct memory *symbols, int rows, int columns)
{
    const size_t width = (size_t)columns;
    const unsigned char *from = (const unsigned char *)symbols;
    (void)dense;
#pragma omp parallel for
    for (int i = 0; i < rows; i++)
        memcpy(NAME(reals)(out) + (size_t)i * width, NAME(values)(table) + from[i] * width,
               width * sizeof(REAL));
}

/* Threads divide the columns: two rows may go to the same place, and the order of the sums must not
 * depend on the threads. */
static void NAME(scatter)(const struct dense *dense, struct memory *table, const struct memory *in,
                          const struct memory *symbols, int rows, int columns, int table_rows)
{
    const size_t width = (size_t)columns;
    const unsigned char *where = (const unsigned char *)symbols;
    (void)dense;
    (void)table_rows;
#pragma omp parallel
    {
        int begin = part_begin(columns, omp_get_thread_num(), omp_get_num_threads());
        int end = part_begin(columns, omp_get_thread_num() + 1, omp_get_num_threads());
        for (int i = 0; i < rows; i++) {
            REAL *to = NAME(reals)(table) + where[i] * width;
            const REAL *from = NAME(values)(in) + (size_t)i * width;
            for (int j = begin; j < end; j++)
                to[j] += from[j];
        }
    }
}

static void NAME(sum_rows)(const struct dense *dense, struct memory *out, const struct memory *in,
                           int rows, int columns)
{
    REAL *sum = NAME(reals)(out);
    (void)dense;
    memset(sum, 0, (size_t)columns * sizeof(REAL));
#pragma omp parallel
    {
        int begin = part_begin(columns, omp_get_thread_num(), omp_get_num_threads());
        int end = part_begin(columns, omp_get_thread_num() + 1, omp_get_num_threads());
        for (int i = 0; i < rows; i++) {
            const REAL *from = NAME(values)(in) + (size_t)i * (size_t)columns;
            for (int j = begin; j < end; j++)
                sum[j] += from[j];
        }
    }
}

/* The sum over the rows is made by one thread, in order: the same bits for any number of threads.
 */
static double NAME(loss)(const struct dense *dense, struct memory *logits,
                         const struct memory *targets, int rows, int columns, bool want_gradient)
{
    double total = 0.0;
    double *losses = malloc((size_t)rows * sizeof *losses);
    const unsigned char *target_of = (const unsigned char *)targets;
    (void)dense;
    if (!losses)
        return NAN;
#pragma omp parallel for
    for (int i = 0; i < rows; i++) {
        REAL *row = NAME(reals)(logits) + (size_t)i * (size_t)columns;
        REAL largest = row[0], sum = 0;
        for (int j = 1; j < columns; j++)
            largest = row[j] > largest ? row[j] : largest;
        const REAL target = row[target_of[i]] - largest;
        REAL scale = want_gradient ? 1 / (REAL)rows : 0;
        if (!want_gradient) {
            for (int j = 0; j < columns; j++)
                sum += EXP(row[j] - largest);
        } else {
            for (int j = 0; j < columns; j++) {
                row[j] = EXP(row[j] - largest);
                sum += row[j];
            }
            for (int j = 0; j < columns; j++)
                row[j] *= scale / sum;
            row[target_of[i]] -= scale;
        }
        losses[i] = log((double)sum) - (double)target;
    }
    for (int i = 0; i < rows; i++)
        total += losses[i];
    free(losses);
    return total / rows;
}

static void NAME(squares)(const struct dense *dense, struct memory *out, const struct memory *in,
                          size_t count)
{
    double sum = 0.0;
    (void)dense;
    for (size_t i = 0; i < count; i++)
        sum += (double)NAME(values)(in)[i] * (double)NAME(values)(in)[i];
    *(double *)(void *)out = sum;
}

static void NAME(adapt)(const struct dense *dense, const struct adaptation *step)
{
    REAL *params = NAME(reals)(step->params);
    REAL *mean = NAME(reals)(step->mean), *square = NAME(reals)(step->square);
    const REAL *grads = NAME(values)(step->grads);
    const double norm = sqrt(*(const double *)(const void *)step->square_sum);
    const REAL clip = norm > step->largest_norm ? (REAL)(step->largest_norm / norm) : 1;
    const REAL b1 = step->beta1, b2 = step->beta2, epsilon = (REAL)1e-8;
    const REAL pace = step->pace, root = step->root, keep = step->keep;
    const REAL lo = step->lo, hi = step->hi;
    (void)dense;
#pragma omp parallel for simd
    for (size_t i = 0; i < step->count; i++) {
        const REAL slope = clip * grads[i];
        mean[i] = b1 * mean[i] + (1 - b1) * slope;
        square[i] = b2 * square[i] + (1 - b2) * slope * slope;
        const REAL moved =
            keep * params[i] - pace * mean[i] / ((REAL)sqrt((double)square[i]) * root + epsilon);
        params[i] = moved < lo ? lo : moved > hi ? hi : moved;
    }
}

const struct dense TABLE = {
    .size = sizeof(REAL),
    .multiply = NAME(multiply),
    .fill_rows = NAME(fill_rows),
    .fill = NAME(fill),
    .copy = NAME(copy),
    .add = NAME(add),
    .gather = NAME(gather),
    .scatter = NAME(scatter),
    .sum_rows = NAME(sum_rows),
    .loss = NAME(loss),
    .squares = NAME(squares),
    .adapt = NAME(adapt),
    .fault = no_fault,
};
