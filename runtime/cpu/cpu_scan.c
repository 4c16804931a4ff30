#include "cpu_scan.h"

#include "cpu_backend.h"
#include "element.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP = 256 };

struct cpu_scan {
    struct backend_shape shape;
    uint32_t block;
    bool is_diagonal;
    int threads;
};

#define real float
#define REAL_STORAGE PRNN_F32
#define NAMED(name) name##_f32
#include "cpu_scan_body.h"
#undef real
#undef REAL_STORAGE
#undef NAMED

#define real double
#define REAL_STORAGE PRNN_F64
#define NAMED(name) name##_f64
#include "cpu_scan_body.h"
#undef real
#undef REAL_STORAGE
#undef NAMED

struct cpu_scan *cpu_scan_create(const struct backend_shape *shape, uint32_t block,
                                 bool is_diagonal)
{
    struct cpu_scan *scan = calloc(1, sizeof *scan);
    if (!scan)
        return NULL;
    scan->shape = *shape;
    scan->block = block;
    scan->is_diagonal = is_diagonal;
    scan->threads = shape->threads > 0 ? (int)shape->threads : omp_get_max_threads();
    return scan;
}

void cpu_scan_free(struct cpu_scan *scan)
{
    free(scan);
}

prnn_status cpu_scan_run(const struct cpu_scan *scan, const struct launch *launch)
{
    const int64_t channels = launch->head.channels;
    const int64_t groups = (channels + GROUP - 1) / GROUP;
    const int threads =
        cpu_threads(scan->threads, launch->head.batch * channels * (launch->head.seq_len + 1));
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t index = 0; index < launch->head.batch * groups; index++) {
        const int64_t b = index / groups, c0 = index % groups * GROUP;
        const int width = (int)(channels - c0 < GROUP ? channels - c0 : GROUP);
        if (scan->shape.storage == PRNN_F64)
            scan_group_f64(scan, launch, b, c0, width);
        else
            scan_group_f32(scan, launch, b, c0, width);
    }
    return PRNN_OK;
}
