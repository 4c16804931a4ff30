#include "cpu_scan.h"

#include "cpu_backend.h"
#include "cpu_parallel.h"
#include "element.h"

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
    scan->threads = shape->threads > 0 ? (int)shape->threads : cpu_parallel_default();
    cpu_parallel_prepare(scan->threads);
    return scan;
}

void cpu_scan_free(struct cpu_scan *scan)
{
    free(scan);
}

struct pass {
    const struct cpu_scan *scan;
    const struct launch *launch;
    int64_t groups;
};

/* One sequence and one group of channels. */
static void scan_item(void *context, int64_t index, int worker)
{
    const struct pass *pass = context;
    const struct cpu_scan *scan = pass->scan;
    const int64_t b = index / pass->groups, c0 = index % pass->groups * GROUP;
    const int64_t left = pass->launch->head.channels - c0;
    const int width = (int)(left < GROUP ? left : GROUP);
    (void)worker;
    if (scan->shape.storage == PRNN_F64)
        scan_group_f64(scan, pass->launch, b, c0, width);
    else
        scan_group_f32(scan, pass->launch, b, c0, width);
}

prnn_status cpu_scan_run(const struct cpu_scan *scan, const struct launch *launch)
{
    const struct prnn_launch_head *head = &launch->head;
    const int64_t groups = (head->channels + GROUP - 1) / GROUP;
    const int threads =
        cpu_threads(scan->threads, head->batch * head->channels * (head->seq_len + 1));
    cpu_parallel(threads, head->batch * groups, scan_item, &(struct pass){scan, launch, groups});
    return PRNN_OK;
}
