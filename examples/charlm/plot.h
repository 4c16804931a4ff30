/** The loss curve as an SVG. */
#ifndef CHARLM_PLOT_H
#define CHARLM_PLOT_H

#include <stdbool.h>
#include <stddef.h>

struct plot_line {
    double value;
    const char *label;
};

/** 'losses' are bits per character of every step; 'lines' are drawn across. False: see errno. */
bool plot_write(const char *path, const float *losses, size_t count, const char *title,
                const struct plot_line *lines, size_t line_count);

#endif
