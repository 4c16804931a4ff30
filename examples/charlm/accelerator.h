/**
 * What dense_device.c needs of a device besides memory: kernels and matrix products, enqueued in
 * order on the default stream. Two of them: the CUDA driver with cuBLAS, and a stand-in on the CPU,
 * by which the tests run the same code where there is no device.
 */
#ifndef CHARLM_ACCELERATOR_H
#define CHARLM_ACCELERATOR_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel_args.h"

struct memory;

#define X(name) KERNEL_##name,
enum kernel { CHARLM_KERNELS(X) KERNEL_COUNT };
#undef X

/** c = a b (+ c) as BLAS says it: matrices column by column, c is [m, n], k the shared axis. */
struct gemm {
    bool transpose_a, transpose_b, accumulate;
    int m, n, k, lda, ldb, ldc;
};

struct accelerator {
    void *self;
    /** False: 'fault' says what failed, in words. */
    bool (*launch)(struct accelerator *accelerator, bool is_f64, enum kernel kernel,
                   const struct kernel_args *args);
    bool (*multiply)(struct accelerator *accelerator, bool is_f64, const struct gemm *gemm,
                     const struct memory *a, const struct memory *b, struct memory *c);
    void (*close)(struct accelerator *accelerator);
    char fault[512];
};

/**
 * Open the driver, compile the kernels and open cuBLAS for the device "cuda:N" of a context of
 * pararnnc, whose memory they share. cuBLAS is looked for as file or folder in CHARLM_CUBLAS, then
 * by name, then in CUDA_PATH and /usr/local/cuda; NVRTC likewise, with PARARNNC_NVRTC.
 * False: out->fault says what is missing.
 */
bool accelerator_cuda(struct accelerator *out, const char *device);

void accelerator_stand_in(struct accelerator *out);

/** Only the first part of accelerator_cuda(), for a named architecture such as "sm_90": whether the
 * kernels compile. -1: NVRTC is not found. */
int accelerator_cuda_compiles(struct accelerator *out, const char *architecture);

#endif
