#include "plot.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 720, HEIGHT = 400, LEFT = 60, RIGHT = 20, TOP = 40, BOTTOM = 45, POINTS = 300 };

static const double highest = 7.0; /* a little above log2(98) */

static double x_of(size_t step, size_t count)
{
    return LEFT + (double)(WIDTH - LEFT - RIGHT) * (double)step / (double)(count > 1 ? count : 1);
}

static double y_of(double bits)
{
    double share = fmin(fmax(bits / highest, 0.0), 1.0);
    return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share);
}

static void axes_write(FILE *file, size_t count)
{
    for (int bits = 0; bits <= (int)highest; bits++)
        fprintf(file,
                "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%d</text>\n",
                LEFT, WIDTH - RIGHT, y_of(bits), y_of(bits), LEFT - 8, y_of(bits) + 4, bits);
    for (int i = 0; i <= 4; i++)
        fprintf(file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%zu</text>\n",
                x_of(count * (size_t)i / 4, count), HEIGHT - BOTTOM + 18, count * (size_t)i / 4);
    fprintf(file,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>\n"
            "<text x=\"16\" y=\"%d\" transform=\"rotate(-90 16 %d)\" text-anchor=\"middle\">"
            "bits per character</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, HEIGHT / 2, HEIGHT / 2);
}

static void curve_write(FILE *file, const float *losses, size_t count)
{
    const size_t points = count < POINTS ? count : POINTS;
    fprintf(file, "<polyline fill=\"none\" stroke=\"#06c\" stroke-width=\"1.5\" points=\"");
    for (size_t i = 0; i < points; i++) {
        const size_t begin = count * i / points, end = count * (i + 1) / points;
        double sum = 0.0;
        for (size_t step = begin; step < end; step++)
            sum += (double)losses[step];
        fprintf(file, "%.1f,%.1f ", x_of((begin + end) / 2, count),
                y_of(sum / (double)(end - begin)));
    }
    fprintf(file, "\"/>\n");
}

bool plot_write(const char *path, const float *losses, size_t count, const char *title,
                const struct plot_line *lines, size_t line_count)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"%d\" y=\"20\" font-size=\"14\">",
            WIDTH, HEIGHT, LEFT);
    for (const char *c = title; *c; c++) {
        if (*c == '<')
            fputs("&lt;", file);
        else if (*c == '&')
            fputs("&amp;", file);
        else
            fputc(*c, file);
    }
    fprintf(file, "</text>\n");
    axes_write(file, count);
    curve_write(file, losses, count);
    for (size_t i = 0; i < line_count; i++) {
        const double y = y_of(lines[i].value);
        fprintf(file,
                "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
                "stroke-dasharray=\"5 3\"/>\n<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">"
                "%s %.3f</text>\n",
                LEFT, WIDTH - RIGHT, y, y, i ? "#080" : "#c30", WIDTH - RIGHT, i ? y + 14 : y - 5,
                lines[i].label, lines[i].value);
    }
    fprintf(file, "</svg>\n");
    bool done = !ferror(file);
    return !fclose(file) && done;
}
