#include "dense_device.h"

#include <math.h>
#include <stdlib.h>

/* Long sums are made in parts, the parts in parts: the same order, whatever the device. */
enum { PARTS = 8192, PARTS_OF_PARTS = 64 };

struct device {
    struct accelerator *accelerator;
    prnn_context *ctx;
    bool is_f64, has_failed;
    /* [rows], [rows, columns]: sums over rows and scattered rows become products */
    struct memory *ones, *hot;
    struct memory *losses, *parts, *parts_of_parts; /* double */
};

static struct device *device_of(const struct dense *dense)
{
    return dense->self;
}

static void launch(const struct dense *dense, enum kernel kernel, const struct kernel_args *args)
{
    struct device *device = device_of(dense);
    if (device->has_failed || !args->count)
        return;
    device->has_failed =
        !device->accelerator->launch(device->accelerator, device->is_f64, kernel, args);
}

/* Row by row is column by column with the operands changed over: c' = b' a'. */
static void multiply(const struct dense *dense, const struct product *shape, const struct memory *a,
                     const struct memory *b, struct memory *c)
{
    struct device *device = device_of(dense);
    const struct gemm gemm = {
        .transpose_a = shape->transpose_b,
        .transpose_b = shape->transpose_a,
        .accumulate = shape->accumulate,
        .m = shape->columns,
        .n = shape->rows,
        .k = shape->inner,
        .lda = shape->transpose_b ? shape->inner : shape->columns,
        .ldb = shape->transpose_a ? shape->rows : shape->inner,
        .ldc = shape->columns,
    };
    if (!device->has_failed)
        device->has_failed =
            !device->accelerator->multiply(device->accelerator, device->is_f64, &gemm, b, a, c);
}

static void fill_rows(const struct dense *dense, struct memory *out, const struct memory *row,
                      int rows, int columns)
{
    launch(dense, KERNEL_fill_rows,
           &(struct kernel_args){
               .count = (long long)rows * columns, .columns = columns, .p = {out, (void *)row}});
}

static void fill(const struct dense *dense, struct memory *out, double value, size_t count)
{
    launch(dense, KERNEL_fill,
           &(struct kernel_args){.count = (long long)count, .p = {out}, .number = {value}});
}

static void copy(const struct dense *dense, struct memory *out, const struct memory *in,
                 size_t count)
{
    launch(dense, KERNEL_copy,
           &(struct kernel_args){.count = (long long)count, .p = {out, (void *)in}});
}

static void add(const struct dense *dense, struct memory *out, const struct memory *a,
                const struct memory *b, size_t count)
{
    launch(dense, KERNEL_add,
           &(struct kernel_args){.count = (long long)count, .p = {out, (void *)a, (void *)b}});
}

static void gather(const struct dense *dense, struct memory *out, const struct memory *table,
                   const struct memory *symbols, int rows, int columns)
{
    launch(dense, KERNEL_gather,
           &(struct kernel_args){.count = (long long)rows * columns,
                                 .columns = columns,
                                 .p = {out, (void *)table},
                                 .symbols = (const void *)symbols});
}

static void scatter(const struct dense *dense, struct memory *table, const struct memory *in,
                    const struct memory *symbols, int rows, int columns, int table_rows)
{
    struct device *device = device_of(dense);
    launch(dense, KERNEL_one_hot,
           &(struct kernel_args){.count = (long long)rows * table_rows,
                                 .columns = table_rows,
                                 .p = {device->hot},
                                 .symbols = (const void *)symbols});
    multiply(dense,
             &(struct product){.rows = table_rows,
                               .columns = columns,
                               .inner = rows,
                               .transpose_a = true,
                               .accumulate = true},
             device->hot, in, table);
}

static void sum_rows(const struct dense *dense, struct memory *out, const struct memory *in,
                     int rows, int columns)
{
    multiply(dense, &(struct product){.rows = 1, .columns = columns, .inner = rows},
             device_of(dense)->ones, in, out);
}

/* 'kernel' makes the first parts of 'total' numbers; one double comes out. */
static void sum(const struct dense *dense, enum kernel kernel, struct memory *out,
                const struct memory *in, long long total)
{
    struct device *device = device_of(dense);
    launch(dense, kernel,
           &(struct kernel_args){.count = PARTS, .total = total, .p = {device->parts, (void *)in}});
    launch(dense, KERNEL_part_sums,
           &(struct kernel_args){.count = PARTS_OF_PARTS,
                                 .total = PARTS,
                                 .p = {device->parts_of_parts, device->parts}});
    launch(dense, KERNEL_part_sums,
           &(struct kernel_args){
               .count = 1, .total = PARTS_OF_PARTS, .p = {out, device->parts_of_parts}});
}

static double loss(const struct dense *dense, struct memory *logits, const struct memory *targets,
                   int rows, int columns, bool want_gradient)
{
    struct device *device = device_of(dense);
    double total = NAN;
    launch(dense, KERNEL_row_losses,
           &(struct kernel_args){.count = rows,
                                 .columns = columns,
                                 .p = {logits, device->losses},
                                 .symbols = (const void *)targets,
                                 .number = {want_gradient ? 1.0 / rows : 0}});
    sum(dense, KERNEL_part_sums, device->losses, device->losses, rows);
    if (device->has_failed ||
        prnn_memory_download(device->ctx, &total, device->losses, sizeof total, NULL) < 0)
        return NAN;
    return total / rows;
}

static void squares(const struct dense *dense, struct memory *out, const struct memory *in,
                    size_t count)
{
    sum(dense, KERNEL_part_squares, out, in, (long long)count);
}

static void adapt(const struct dense *dense, const struct adaptation *step)
{
    launch(
        dense, KERNEL_adapt,
        &(struct kernel_args){.count = (long long)step->count,
                              .p = {step->params, (void *)step->grads, step->mean, step->square,
                                    (void *)step->square_sum},
                              .number = {step->largest_norm, step->beta1, step->beta2, step->pace,
                                         step->root, step->keep, step->lo, step->hi}});
}

static const char *fault(const struct dense *dense)
{
    const struct device *device = device_of(dense);
    return device->has_failed ? device->accelerator->fault : NULL;
}

prnn_status dense_device_create(struct dense *out, struct accelerator *accelerator,
                                prnn_context *ctx, bool is_f64, int rows, int columns)
{
    prnn_status st;
    const size_t size = is_f64 ? sizeof(double) : sizeof(float);
    struct device *device = calloc(1, sizeof *device);
    *out = (struct dense){
        .size = size,
        .self = device,
        .multiply = multiply,
        .fill_rows = fill_rows,
        .fill = fill,
        .copy = copy,
        .add = add,
        .gather = gather,
        .scatter = scatter,
        .sum_rows = sum_rows,
        .loss = loss,
        .squares = squares,
        .adapt = adapt,
        .fault = fault,
    };
    if (!device)
        return PRNN_E_NOMEM;
    device->accelerator = accelerator;
    device->ctx = ctx;
    device->is_f64 = is_f64;
    const struct {
        struct memory **out;
        size_t size;
    } wanted[] = {
        {&device->ones, (size_t)rows * size},
        {&device->hot, (size_t)rows * (size_t)columns * size},
        {&device->losses, (size_t)rows * sizeof(double)},
        {&device->parts, PARTS * sizeof(double)},
        {&device->parts_of_parts, PARTS_OF_PARTS * sizeof(double)},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if ((st = prnn_memory_alloc(ctx, (void **)wanted[i].out, wanted[i].size)) < 0)
            return st;
    fill(out, device->ones, 1, (size_t)rows);
    return PRNN_OK;
}

void dense_device_free(struct dense *dense)
{
    struct device *device = dense->self;
    if (!device)
        return;
    struct memory *all[] = {device->ones, device->hot, device->losses, device->parts,
                            device->parts_of_parts};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        prnn_memory_free(device->ctx, all[i]);
    free(device);
    dense->self = NULL;
}
