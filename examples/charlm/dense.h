/**
 * The arithmetic of the model outside its recurrence, for float and for double: the training runs
 * in float, the check of the gradients in double, through the same model.c.
 *
 * Matrices are row-major. The work is divided by OpenMP; each thread calls a CBLAS that uses one.
 */
#ifndef CHARLM_DENSE_H
#define CHARLM_DENSE_H

#include <stdbool.h>
#include <stddef.h>

#include "random.h"

/** c = a b, or c += a b: c [rows, columns], the shared axis 'inner' long. */
struct product {
    int rows, columns, inner;
    bool transpose_a, transpose_b; /* a is [inner, rows]; b is [columns, inner] */
    bool accumulate;
};

struct dense {
    size_t size; /* of an element */
    void (*multiply)(const struct product *shape, const void *a, const void *b, void *c);
    /** Every row of out [rows, columns] is 'row', or zero where it is NULL. */
    void (*fill_rows)(void *out, const void *row, int rows, int columns);
    void (*fill)(void *out, double value, size_t count);
    void (*fill_normal)(void *out, double deviation, size_t count, struct random *random);
    void (*add)(void *out, const void *a, const void *b, size_t count);
    /** out[r] = table[symbols[r]], rows of 'columns'. */
    void (*gather)(void *out, const void *table, const unsigned char *symbols, int rows,
                   int columns);
    /** table[symbols[r]] += in[r] */
    void (*scatter)(void *table, const void *in, const unsigned char *symbols, int rows,
                    int columns);
    void (*sum_rows)(void *out, const void *in, int rows, int columns);
    /**
     * Mean of -log softmax(logits)[target] over the rows, in nats; with 'want_gradient' the logits
     * become its gradient.
     */
    double (*loss)(void *logits, const unsigned char *targets, int rows, int columns,
                   bool want_gradient);
    double (*get)(const void *array, size_t index);
    void (*set)(void *array, size_t index, double value);
};

extern const struct dense dense_f32, dense_f64;

void dense_start(void); /* call once: one BLAS thread for each of ours */

#endif
