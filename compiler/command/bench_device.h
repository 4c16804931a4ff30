/* 'bench' on a CUDA device: the chosen strategy beside the best kernel that runs in order, the
 * method with one step a chunk, and what no kernel could beat. */
#ifndef PRNN_BENCH_DEVICE_H
#define PRNN_BENCH_DEVICE_H

#include "bench_rows.h"
#include "trial.h"

struct bench_device {
    struct invocation *inv;
    const struct unit *unit;
    const char *path, *math;
    struct trial_options options; /* device, element type, mode, strategy; without a shape */
    bool is_direction_wanted[2];  /* forward, backward */
    bool has_per_step;            /* measure it too */
    double seconds;               /* of a strategy's timing; 0: some milliseconds a batch */
    double bandwidth;             /* bytes a second of a copy; 0: unknown */
};

/* Measure one shape: a row for each direction. Memory of the shape is given back before it returns.
 * An exit code. */
int bench_device_shape(const struct bench_device *bench, const struct shape *shape,
                       struct bench_rows *rows);

#endif
