/* How long making a plan takes: with an empty cache, and with a full one. */
#ifndef PRNN_BENCH_COMPILE_H
#define PRNN_BENCH_COMPILE_H

#include "trial.h"

struct compile_times {
    const char *cell, *dtype;
    double cold, warm; /* seconds of prnn_plan_create(), everything included */
    struct {
        const char *name; /* NULL: no more */
        double seconds;   /* of NVRTC alone; several are compiled at once */
    } kernels[4];
};

/* Makes the plan of 'options' in a cache directory of its own, which is removed. An exit code. */
int bench_compile(struct compile_times *out, struct invocation *inv, const struct unit *unit,
                  const char *path, const struct trial_options *options);

void bench_compile_table(struct textbuf *out, const struct compile_times *times, uint32_t count);

#endif
