/* Plots as SVG that need nothing else: bars, and a map of ratios. */
#ifndef PRNN_SVG_PLOT_H
#define PRNN_SVG_PLOT_H

#include "textbuf.h"

#include <stdint.h>

struct svg_bar {
    const char *label, *note; /* NULL: none */
    double value, other;      /* not finite: not drawn */
};

/* One row a bar, from 0 on, with a line at 1. 'other' is a mark on the bar; other_name NULL: none.
 */
void svg_bars(struct textbuf *out, const char *title, const char *value_name,
              const char *other_name, const struct svg_bar *bars, uint32_t count);

struct svg_map {
    const char *title, *x_name, *y_name, *note;
    const double *x, *y; /* values of the columns and rows, ascending */
    uint32_t columns, rows;
    const double *ratio; /* [rows][columns]; not finite: not measured */
};

/* Cells coloured by ratio (below 1 one colour, above another), the number in each, and a line
 * between cells on different sides of 1. */
void svg_ratio_map(struct textbuf *out, const struct svg_map *map);

#endif
