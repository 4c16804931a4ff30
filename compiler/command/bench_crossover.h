/* Where solving in parallel begins to win: the chosen strategy against running in order over a grid
 * of widths (batch times channels) and lengths. */
#ifndef PRNN_BENCH_CROSSOVER_H
#define PRNN_BENCH_CROSSOVER_H

#include "bench_device.h"

struct crossover_limits {
    double elements; /* of a shape; larger ones are left out */
    double seconds;  /* for all; what is left then is left out */
};

/* Measure one direction. Rows go to 'rows' as they are made, the map to 'svg'. An exit code. */
int bench_crossover(const struct bench_device *bench, const struct crossover_limits *limits,
                    struct bench_rows *rows, void (*after)(void *context), void *context);

/* The rows of bench_crossover() as a map. */
void bench_crossover_svg(struct textbuf *out, const struct bench_rows *rows);
/* ... as a table of ratios. */
void bench_crossover_table(struct textbuf *out, const struct bench_rows *rows);

#endif
