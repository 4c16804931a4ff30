#include "bench_crossover.h"

#include "measure.h"
#include "svg_plot.h"

#include <inttypes.h>
#include <math.h>

static const int64_t widths[] = {64, 256, 1024, 4096, 16384, 65536},
                     lengths[] = {64, 256, 1024, 4096, 16384, 65536, 262144, 1048576};
enum { WIDTHS = sizeof widths / sizeof *widths, LENGTHS = sizeof lengths / sizeof *lengths };

/* As a model has it: channels first, then sequences. */
static struct shape shape_of(int64_t width, int64_t seq_len)
{
    const int64_t channels = width < 1024 ? width : 1024;
    return (struct shape){.batch = width / channels, .seq_len = seq_len, .channels = channels};
}

int bench_crossover(const struct bench_device *bench, const struct crossover_limits *limits,
                    struct bench_rows *rows, void (*after)(void *context), void *context)
{
    const double begin = measure_now();
    /* From small to large, so that what is left out when time is up is what takes longest. */
    for (int sum = 0; sum < WIDTHS + LENGTHS - 1; sum++)
        for (int w = 0; w < WIDTHS; w++) {
            const int t = sum - w;
            if (t < 0 || t >= LENGTHS)
                continue;
            const struct shape shape = shape_of(widths[w], lengths[t]);
            if ((double)widths[w] * (double)lengths[t] > limits->elements ||
                measure_now() - begin > limits->seconds)
                continue;
            const int code = bench_device_shape(bench, &shape, rows);
            if (code)
                return code;
            after(context);
        }
    return EXIT_CODE_OK;
}

/* The ratio of a place, NaN where it was not measured. */
static double ratio_at(const struct bench_rows *rows, int w, int t)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->rows[i];
        if (row->shape.batch * row->shape.channels == widths[w] && row->shape.seq_len == lengths[t])
            return row->seconds / row->sequential;
    }
    return NAN;
}

void bench_crossover_svg(struct textbuf *out, const struct bench_rows *rows)
{
    double x[LENGTHS], y[WIDTHS], ratio[WIDTHS * LENGTHS];
    for (int t = 0; t < LENGTHS; t++)
        x[t] = (double)lengths[t];
    for (int w = 0; w < WIDTHS; w++) {
        y[w] = (double)widths[w];
        for (int t = 0; t < LENGTHS; t++)
            ratio[w * LENGTHS + t] = ratio_at(rows, w, t);
    }
    const struct bench_row *row = rows->count ? &rows->rows[0] : NULL;
    const struct svg_map map = {
        .title = "Time of the chosen strategy over that of the best sequential kernel",
        .note = row ? arena_printf(out->arena, "%s %s %s", row->cell, row->dtype, row->direction)
                    : "nothing was measured",
        .x_name = "steps",
        .y_name = "batch x channels",
        .x = x,
        .y = y,
        .columns = LENGTHS,
        .rows = WIDTHS,
        .ratio = ratio};
    svg_ratio_map(out, &map);
}

void bench_crossover_table(struct textbuf *out, const struct bench_rows *rows)
{
    textbuf_add(
        out, "time of the chosen strategy over that of the best sequential kernel\n\nB*N \\ T  ");
    for (int t = 0; t < LENGTHS; t++)
        textbuf_printf(out, "  %8" PRId64, lengths[t]);
    textbuf_add(out, "\n");
    for (int w = 0; w < WIDTHS; w++) {
        textbuf_printf(out, "%8" PRId64, widths[w]);
        for (int t = 0; t < LENGTHS; t++) {
            struct textbuf digits;
            const double ratio = ratio_at(rows, w, t);
            textbuf_init(&digits, out->arena);
            if (isfinite(ratio))
                textbuf_add_short(&digits, ratio, 3);
            else
                textbuf_add(&digits, "-");
            textbuf_printf(out, "  %8s", digits.text);
        }
        textbuf_add(out, "\n");
    }
}
