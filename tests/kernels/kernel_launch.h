/* The launch of a kernel_data: the same argument and the same grids on the shim and on a device. */
#ifndef PRNN_KERNEL_LAUNCH_H
#define PRNN_KERNEL_LAUNCH_H

#include "kernel_case.h"

struct kernel_launch {
    struct prnn_launch_head head;
    struct prnn_arg arg[KERNEL_TENSORS];
};

/* With addresses of the host. */
void kernel_launch_fill(struct kernel_data *data, struct kernel_launch *launch);

/* The second kernel of a backward text. */
enum { KERNEL_REDUCE_THREADS = 256 };
int kernel_reduce_grid(const struct kernel_data *data);

#endif
