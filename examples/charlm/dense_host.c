#include "dense.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void dense_host_start(void)
{
    openblas_set_num_threads(1);
}

/* The part of [0, count) that belongs to this thread of a team. */
static int part_begin(int count, int part, int parts)
{
    return (int)((int64_t)count * part / parts);
}

static const char *no_fault(const struct dense *dense)
{
    (void)dense;
    return NULL;
}

#define REAL float
#define NAME(name) f32_##name
#define GEMM cblas_sgemm
#define EXP expf
#define TABLE dense_host_f32
#include "dense_host_body.h"
#undef REAL
#undef NAME
#undef GEMM
#undef EXP
#undef TABLE

#define REAL double
#define NAME(name) f64_##name
#define GEMM cblas_dgemm
#define EXP exp
#define TABLE dense_host_f64
#include "dense_host_body.h"
