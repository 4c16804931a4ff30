/* prnn_scan() on the CPU: h_t = J_t h_{t-1} + r_t in order over time, vectorised over channels. */
#ifndef PRNN_CPU_SCAN_H
#define PRNN_CPU_SCAN_H

#include "backend.h"

enum { SCAN_BLOCK_MAX = 4 };

struct cpu_scan;

/* 'shape' is copied. Its inputs are the Jacobians (block, or block*block, row by row), then r. NULL
 * when memory has ended. */
struct cpu_scan *cpu_scan_create(const struct backend_shape *shape, uint32_t block,
                                 bool is_diagonal);
void cpu_scan_free(struct cpu_scan *scan); /* NULL is fine */

prnn_status cpu_scan_run(const struct cpu_scan *scan, const struct launch *launch);

#endif
