/* One direction of a trial on a CUDA device under one strategy after another: is the answer that of
 * the sequential kernel, and how long does it take? */
#ifndef PRNN_DEVICE_BENCH_H
#define PRNN_DEVICE_BENCH_H

#include "cuda_backend.h"
#include "trial.h"

struct device_bench;

enum device_verdict {
    DEVICE_FINE,
    DEVICE_WRONG,   /* another answer than the sequential kernel's */
    DEVICE_REFUSED, /* the kernel cannot be made or does not fit */
    DEVICE_SLOW     /* so far from the best that it was timed once only */
};
const char *device_verdict_word(enum device_verdict verdict);

struct device_figure {
    enum device_verdict verdict;
    char words[256];            /* why it is wrong or refused */
    double seconds, fewest;     /* of one launch: median and minimum over the batches */
    uint32_t batches, launches; /* launches of a batch */
    uint32_t max_corrections;   /* at the tolerance of the plan; forward only */
    double mean_corrections, mismatch;
    double
        unequal;  /* elements whose bits are not the sequential kernel's: forward at tolerance 0 */
    double error; /* relative, in the Euclidean norm, at the tolerance of the plan */
    struct cuda_kernel_facts facts;
};

struct device_bench_options {
    bool is_backward;
    struct cache *cache; /* for the kernels; NULL: none */
    double growth;  /* bound of the error over that of one step: trial_growth(); inf: unknown */
    double seconds; /* about how long one strategy is timed */
    int batches;    /* fewest */
};

/**
 * Run the sequential plan of the trial and keep its answer. For 'is_backward' its forward pass too.
 *
 * @return an exit code, its words said
 */
int device_bench_create(struct device_bench **out, struct trial *trial,
                        const struct device_bench_options *options);
void device_bench_free(struct device_bench *bench); /* NULL is fine */

/**
 * Check and time one strategy. Slower than 'give_up_above' seconds a launch: DEVICE_SLOW.
 *
 * @return an exit code: a failure of the device, not of the strategy
 */
int device_bench_measure(struct device_bench *bench, const struct strategy *strategy,
                         double give_up_above, struct device_figure *out);

/* Bytes that the direction reads and writes at least. */
double device_bench_bytes(const struct device_bench *bench);

#endif
