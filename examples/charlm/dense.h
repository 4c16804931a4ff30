/**
 * The arithmetic of the model outside its recurrence, for float and for double: the training runs
 * in float, the check of the gradients in double, through the same model.c.
 *
 * One table of functions, two makers: dense_host() divides the work by OpenMP and CBLAS;
 * dense_device() (dense_device.h) enqueues kernels and products on a device. Matrices are
 * row-major.
 */
#ifndef CHARLM_DENSE_H
#define CHARLM_DENSE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * What prnn_memory_alloc() gives: memory of the device that the model runs on. The type has no
 * members, so that no part of the program can read it but through the table, or by a copy.
 */
struct memory;

/** c = a b, or c += a b: c [rows, columns], the shared axis 'inner' long. */
struct product {
    int rows, columns, inner;
    bool transpose_a, transpose_b; /* a is [inner, rows]; b is [columns, inner] */
    bool accumulate;
};

/** One update of AdamW; 'square_sum' is of all gradients, one double. */
struct adaptation {
    struct memory *params, *mean, *square;
    const struct memory *grads, *square_sum;
    size_t count;
    float largest_norm, beta1, beta2;
    float pace, root, keep; /* learning rate and 1/sqrt of the corrections; 1 - rate * decay */
    float lo, hi;           /* what the parameters are clipped to */
};

struct dense {
    size_t size; /* of an element */
    void *self;  /* what the functions need besides their arguments */

    void (*multiply)(const struct dense *dense, const struct product *shape, const struct memory *a,
                     const struct memory *b, struct memory *c);
    /** Every row of out [rows, columns] is 'row'. */
    void (*fill_rows)(const struct dense *dense, struct memory *out, const struct memory *row,
                      int rows, int columns);
    void (*fill)(const struct dense *dense, struct memory *out, double value, size_t count);
    void (*copy)(const struct dense *dense, struct memory *out, const struct memory *in,
                 size_t count);
    void (*add)(const struct dense *dense, struct memory *out, const struct memory *a,
                const struct memory *b, size_t count);
    /** out[r] = table[symbols[r]], rows of 'columns'. */
    void (*gather)(const struct dense *dense, struct memory *out, const struct memory *table,
                   const struct memory *symbols, int rows, int columns);
    /** table[symbols[r]] += in[r], the table [table_rows, columns] */
    void (*scatter)(const struct dense *dense, struct memory *table, const struct memory *in,
                    const struct memory *symbols, int rows, int columns, int table_rows);
    void (*sum_rows)(const struct dense *dense, struct memory *out, const struct memory *in,
                     int rows, int columns);
    /**
     * Mean of -log softmax(logits)[target] over the rows, in nats; with 'want_gradient' the logits
     * become its gradient. Waits for the device.
     */
    double (*loss)(const struct dense *dense, struct memory *logits, const struct memory *targets,
                   int rows, int columns, bool want_gradient);
    /** sum (one double) = sum of the squares */
    void (*squares)(const struct dense *dense, struct memory *sum, const struct memory *in,
                    size_t count);
    void (*adapt)(const struct dense *dense, const struct adaptation *step); /* float only */

    /** NULL while all is well, or in words what has failed; every call after it does nothing. */
    const char *(*fault)(const struct dense *dense);
};

extern const struct dense dense_host_f32, dense_host_f64;

void dense_host_start(void); /* call once: one BLAS thread for each of ours */

static inline struct memory *memory_at(const struct dense *dense, const struct memory *memory,
                                       size_t index)
{
    return (struct memory *)((char *)memory + index * dense->size);
}

#endif
