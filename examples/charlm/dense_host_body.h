/* Body of dense.c for one element type: REAL, NAME(), GEMM, EXP, TABLE. */

static void NAME(multiply)(const struct product *shape, const void *a, const void *b, void *c)
{
    const int inner = shape->inner, columns = shape->columns;
    const int lda = shape->transpose_a ? shape->rows : inner;
    const int ldb = shape->transpose_b ? inner : columns;
#pragma omp parallel
    {
        int begin = part_begin(shape->rows, omp_get_thread_num(), omp_get_num_threads());
        int end = part_begin(shape->rows, omp_get_thread_num() + 1, omp_get_num_threads());
        size_t skip = (size_t)begin * (shape->transpose_a ? 1u : (size_t)inner);
        if (begin < end)
            GEMM(CblasRowMajor, shape->transpose_a ? CblasTrans : CblasNoTrans,
                 shape->transpose_b ? CblasTrans : CblasNoTrans, end - begin, columns, inner, 1,
                 (const REAL *)a + skip, lda, b, ldb, shape->accumulate ? 1 : 0,
                 (REAL *)c + (size_t)begin * (size_t)columns, columns);
    }
}

static void NAME(fill_rows)(void *out, const void *row, int rows, int columns)
{
    const size_t bytes = (size_t)columns * sizeof(REAL);
#pragma omp parallel for
    for (int i = 0; i < rows; i++) {
        REAL *to = (REAL *)out + (size_t)i * (size_t)columns;
        if (row)
            memcpy(to, row, bytes);
        else
            memset(to, 0, bytes);
    }
}

static void NAME(fill)(void *out, double value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((REAL *)out)[i] = (REAL)value;
}

static void NAME(fill_normal)(void *out, double deviation, size_t count, struct random *random)
{
    for (size_t i = 0; i < count; i++)
        ((REAL *)out)[i] = (REAL)(deviation * random_normal(random));
}

static void NAME(add)(void *out, const void *a, const void *b, size_t count)
{
    REAL *sum = out;
    const REAL *left = a, *right = b;
#pragma omp parallel for simd
    for (size_t i = 0; i < count; i++)
        sum[i] = left[i] + right[i];
}

static void NAME(gather)(void *out, const void *table, const unsigned char *symbols, int rows,
                         int columns)
{
    const size_t width = (size_t)columns;
#pragma omp parallel for
    for (int i = 0; i < rows; i++)
        memcpy((REAL *)out + (size_t)i * width, (const REAL *)table + symbols[i] * width,
               width * sizeof(REAL));
}

/* Threads divide the columns: two rows may go to the same place, and the order of the sums must not
 * depend on the threads. */
static void NAME(scatter)(void *table, const void *in, const unsigned char *symbols, int rows,
                          int columns)
{
    const size_t width = (size_t)columns;
#pragma omp parallel
    {
        int begin = part_begin(columns, omp_get_thread_num(), omp_get_num_threads());
        int end = part_begin(columns, omp_get_thread_num() + 1, omp_get_num_threads());
        for (int i = 0; i < rows; i++) {
            REAL *to = (REAL *)table + symbols[i] * width;
            const REAL *from = (const REAL *)in + (size_t)i * width;
            for (int j = begin; j < end; j++)
                to[j] += from[j];
        }
    }
}

static void NAME(sum_rows)(void *out, const void *in, int rows, int columns)
{
    REAL *sum = out;
    memset(sum, 0, (size_t)columns * sizeof(REAL));
#pragma omp parallel
    {
        int begin = part_begin(columns, omp_get_thread_num(), omp_get_num_threads());
        int end = part_begin(columns, omp_get_thread_num() + 1, omp_get_num_threads());
        for (int i = 0; i < rows; i++) {
            const REAL *from = (const REAL *)in + (size_t)i * (size_t)columns;
            for (int j = begin; j < end; j++)
                sum[j] += from[j];
        }
    }
}

/* The sum over the rows is made by one thread, in order: the same bits for any number of threads.
 */
static double NAME(loss)(void *logits, const unsigned char *targets, int rows, int columns,
                         bool want_gradient)
{
    double total = 0.0;
    double *losses = malloc((size_t)rows * sizeof *losses);
    if (!losses)
        return NAN;
#pragma omp parallel for
    for (int i = 0; i < rows; i++) {
        REAL *row = (REAL *)logits + (size_t)i * (size_t)columns;
        REAL largest = row[0], sum = 0;
        for (int j = 1; j < columns; j++)
            largest = row[j] > largest ? row[j] : largest;
        const REAL target = row[targets[i]] - largest;
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
            row[targets[i]] -= scale;
        }
        losses[i] = log((double)sum) - (double)target;
    }
    for (int i = 0; i < rows; i++)
        total += losses[i];
    free(losses);
    return total / rows;
}

static double NAME(get)(const void *array, size_t index)
{
    return (double)((const REAL *)array)[index];
}

static void NAME(set)(void *array, size_t index, double value)
{
    ((REAL *)array)[index] = (REAL)value;
}

const struct dense TABLE = {
    .size = sizeof(REAL),
    .multiply = NAME(multiply),
    .fill_rows = NAME(fill_rows),
    .fill = NAME(fill),
    .fill_normal = NAME(fill_normal),
    .add = NAME(add),
    .gather = NAME(gather),
    .scatter = NAME(scatter),
    .sum_rows = NAME(sum_rows),
    .loss = NAME(loss),
    .get = NAME(get),
    .set = NAME(set),
};
