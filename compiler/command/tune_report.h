/* What 'tune' has found, as a table, as JSON, and measurement by measurement as comma-separated
 * values. */
#ifndef PRNN_TUNE_REPORT_H
#define PRNN_TUNE_REPORT_H

#include "device_bench.h"
#include "shape_list.h"

/* One measurement. */
struct tune_row {
    const char *cell, *device, *dtype, *math, *direction, *strategy;
    struct shape shape;
    struct device_figure figure;
    double floor; /* seconds of moving every tensor once; NaN: unknown */
};

/* The best of one cell, types, direction and shape. */
struct tune_result {
    struct tune_row best, sequential;        /* strategy NULL: none was right */
    uint32_t measured, wrong, refused, left; /* left: time was up */
    bool is_stored;
};

void tune_csv_head(struct textbuf *out);
void tune_csv_row(struct textbuf *out, const struct tune_row *row);
/* One line for people while the work goes on. */
void tune_line(struct textbuf *out, const struct tune_result *result);
void tune_table(struct textbuf *out, const struct tune_result *results, uint32_t count);
void tune_json(struct textbuf *out, const struct tune_result *results, uint32_t count);

#endif
