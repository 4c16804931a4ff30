/* What is asked of one random cell. Each function stops with a failure of Check's when the cell, or
 * rather the compiler, breaks a promise; figures are added to a report. */
#ifndef PRNN_TRIAL_H
#define PRNN_TRIAL_H

#include "dice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trial_report {
    int64_t kernels, launches; /* texts compiled for the shim, runs of them */
    int64_t products,
        device_texts;             /* CPU objects of the product's own flags; texts through NVRTC */
    int64_t comparisons, kinks;   /* of derivatives; points too near a kink for it */
    int64_t corrections_compared; /* channels and tiles against the reference */
    int64_t refused;              /* strategies that a cell is too large for */
    int64_t nonfinite;            /* runs that met inf or NaN, as the run in order did */
    int64_t variants;
    int64_t nvrtc_missing;
    uint64_t hash;                                       /* of the hashes of all cells, in order */
    double forward_ratio, backward_ratio, product_ratio; /* largest; 30 is the limit */
    double derivative_error, dot_error;                  /* largest, scaled */
};

struct trial {
    const char *text; /* of the cell */
    bool is_hard;     /* no promise about values: only ends, statuses and equal bits */
    uint64_t seed;    /* of sizes, strategies and data */
    int64_t steps;    /* at most; 0: as the trial likes */
    /* Each costs a compiler half a second or more. */
    bool with_forward_product, with_backward_product, with_nvrtc, with_compilers, with_poison;
    struct trial_report *report;
};

/* Derivatives against binary128, adjoint against tangent, structure and ranges against numbers.
 * 'points' random points. */
void trial_derivatives(const struct trial *trial, int points);
/* All executors: oracle, shim in several strategies, CPU. */
void trial_kernels(const struct trial *trial);
/* In strict mode one hash of all states and outputs, equal for all compilers and executors. */
uint64_t trial_hash(const struct trial *trial);

#endif
