/* The kernels of the model outside its recurrence and its products. One text: NVRTC compiles it for
 * a device (accelerator_cuda.c), the C compiler for the stand-in that tests it (stand_in_body.h).
 * No thread talks to another, so one thread that takes every turn of a loop does the same.
 *
 * Requires  kernel_args.h, REAL (float or double); in C also KERNEL_NAME(name) and <tgmath.h> */
#ifdef __CUDACC_RTC__
#define KERNEL(name) extern "C" __global__ void name(struct kernel_args k)
#define TURNS(i)                                                                                   \
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < k.count;              \
         i += (long long)gridDim.x * blockDim.x)
#else
#define KERNEL(name) static void KERNEL_NAME(name)(struct kernel_args k)
#define TURNS(i) for (long long i = 0; i < k.count; i++)
#endif

KERNEL(fill)
{
    REAL *out = (REAL *)k.p[0];
    TURNS(i)
    out[i] = (REAL)k.number[0];
}

KERNEL(copy)
{
    REAL *out = (REAL *)k.p[0];
    const REAL *in = (const REAL *)k.p[1];
    TURNS(i)
    out[i] = in[i];
}

KERNEL(add)
{
    REAL *out = (REAL *)k.p[0];
    const REAL *a = (const REAL *)k.p[1], *b = (const REAL *)k.p[2];
    TURNS(i)
    out[i] = a[i] + b[i];
}

KERNEL(fill_rows)
{
    REAL *out = (REAL *)k.p[0];
    const REAL *row = (const REAL *)k.p[1];
    TURNS(i)
    out[i] = row[i % k.columns];
}

KERNEL(gather)
{
    REAL *out = (REAL *)k.p[0];
    const REAL *table = (const REAL *)k.p[1];
    TURNS(i)
    out[i] = table[(long long)k.symbols[i / k.columns] * k.columns + i % k.columns];
}

/* [rows, columns], 1 where a row's symbol is the column: what is scattered becomes a product. */
KERNEL(one_hot)
{
    REAL *out = (REAL *)k.p[0];
    TURNS(i)
    out[i] = (REAL)(k.symbols[i / k.columns] == i % k.columns);
}

/* A turn is a row: its loss, and with a scale (number[0]) above 0 its gradient in place. */
KERNEL(row_losses)
{
    double *losses = (double *)k.p[1];
    const REAL scale = (REAL)k.number[0];
    TURNS(i)
    {
        REAL *row = (REAL *)k.p[0] + i * k.columns;
        REAL largest = row[0], sum = 0;
        for (int j = 1; j < k.columns; j++)
            largest = row[j] > largest ? row[j] : largest;
        const REAL target = row[k.symbols[i]] - largest;
        for (int j = 0; j < k.columns; j++)
            sum += (REAL)exp(row[j] - largest);
        losses[i] = log((double)sum) - (double)target;
        if (scale > 0) {
            for (int j = 0; j < k.columns; j++)
                row[j] = (REAL)exp(row[j] - largest) * (scale / sum);
            row[k.symbols[i]] -= scale;
        }
    }
}

/* out[i] = in[i] + in[i + count] + ... below 'total': in this order on every machine. */
KERNEL(part_sums)
{
    double *out = (double *)k.p[0];
    const double *in = (const double *)k.p[1];
    TURNS(i)
    {
        double sum = 0;
        for (long long j = i; j < k.total; j += k.count)
            sum += in[j];
        out[i] = sum;
    }
}

KERNEL(part_squares)
{
    double *out = (double *)k.p[0];
    const REAL *in = (const REAL *)k.p[1];
    TURNS(i)
    {
        double sum = 0;
        for (long long j = i; j < k.total; j += k.count)
            sum += (double)in[j] * (double)in[j];
        out[i] = sum;
    }
}

/* AdamW: parameters, their gradients, means, mean squares, the sum of all squared gradients;
 * numbers in the order of struct adaptation. */
KERNEL(adapt)
{
    REAL *params = (REAL *)k.p[0], *mean = (REAL *)k.p[2], *square = (REAL *)k.p[3];
    const REAL *grads = (const REAL *)k.p[1];
    const double norm = sqrt(*(const double *)k.p[4]);
    const REAL clip = norm > k.number[0] ? (REAL)(k.number[0] / norm) : (REAL)1;
    const REAL b1 = (REAL)k.number[1], b2 = (REAL)k.number[2], epsilon = (REAL)1e-8;
    const REAL pace = (REAL)k.number[3], root = (REAL)k.number[4], keep = (REAL)k.number[5];
    const REAL lo = (REAL)k.number[6], hi = (REAL)k.number[7];
    TURNS(i)
    {
        const REAL slope = clip * grads[i];
        mean[i] = b1 * mean[i] + (1 - b1) * slope;
        square[i] = b2 * square[i] + (1 - b2) * slope * slope;
        const REAL moved =
            keep * params[i] - pace * mean[i] / ((REAL)sqrt(square[i]) * root + epsilon);
        params[i] = moved < lo ? lo : moved > hi ? hi : moved;
    }
}

#undef KERNEL
#undef TURNS
