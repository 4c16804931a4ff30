#include "bench_rows.h"

#include "svg_plot.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct bench_row bench_row_empty(void)
{
    return (struct bench_row){.seconds = NAN,
                              .fewest = NAN,
                              .bytes = NAN,
                              .evaluate = NAN,
                              .copy = NAN,
                              .special = NAN,
                              .expected = NAN,
                              .sequential = NAN,
                              .per_step = NAN,
                              .corrections = NAN,
                              .mismatch = NAN};
}

struct bench_row *bench_rows_add(struct bench_rows *rows)
{
    if (rows->count == rows->room) {
        const uint32_t room = rows->room ? 2 * rows->room : 16;
        rows->rows = arena_grow(rows->arena, rows->rows, rows->count, room, sizeof *rows->rows);
        rows->room = room;
    }
    struct bench_row *row = &rows->rows[rows->count++];
    *row = bench_row_empty();
    return row;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

double bench_row_floor(const struct bench_row *row)
{
    return fmax(row->copy, row->special); /* passes over NaN */
}

/* ---- Table ---- */

static void add_cell(struct textbuf *out, double value, int digits, int width)
{
    struct textbuf text;
    textbuf_init(&text, out->arena);
    if (isfinite(value))
        textbuf_add_short(&text, value, digits);
    else
        textbuf_add(&text, "-");
    textbuf_printf(out, "  %*s", width, text.text);
}

static void add_problem(struct textbuf *out, const struct bench_row *row)
{
    textbuf_printf(out, "%-16.16s  %-5s  %4" PRId64 "  %7" PRId64 "  %5" PRId64 "  %-9s", row->cell,
                   row->dtype, row->shape.batch, row->shape.seq_len, row->shape.channels,
                   row->direction);
}

static void host_table(struct textbuf *out, const struct bench_rows *rows)
{
    textbuf_add(out,
                "cell              dtype     B        T      N  direction        ms   ns/elem  "
                "x evaluate  x copy    GB/s\n");
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->rows[i];
        add_problem(out, row);
        add_cell(out, 1e3 * row->seconds, 4, 8);
        add_cell(out, 1e9 * ratio(row->seconds, row->elements), 4, 8);
        add_cell(out, ratio(row->seconds, row->evaluate), 4, 10);
        add_cell(out, ratio(row->seconds, row->copy), 4, 6);
        add_cell(out, 1e-9 * ratio(row->bytes, row->seconds), 4, 6);
        textbuf_add(out, "\n");
    }
    textbuf_add(out, "\nx evaluate: time over that of the step's functions alone, on vectors in "
                     "the first-level cache\n");
}

static void device_table(struct textbuf *out, const struct bench_rows *rows)
{
    textbuf_add(out,
                "cell              dtype     B        T      N  direction        ms    memory   "
                "special  x floor  x in order  x per step  corrections  expected  strategy\n");
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->rows[i];
        add_problem(out, row);
        add_cell(out, 1e3 * row->seconds, 4, 8);
        add_cell(out, 1e3 * row->copy, 4, 8);
        add_cell(out, 1e3 * row->special, 4, 8);
        add_cell(out, ratio(row->seconds, bench_row_floor(row)), 3, 7);
        add_cell(out, ratio(row->seconds, row->sequential), 3, 10);
        add_cell(out, ratio(row->seconds, row->per_step), 3, 10);
        add_cell(out, row->corrections, 3, 11);
        add_cell(out, 1e3 * row->expected, 3, 8);
        textbuf_printf(out, "  %s", row->strategy);
        if (row->verdict && strcmp(row->verdict, "fine") != 0)
            textbuf_printf(out, "  %s", row->verdict);
        textbuf_add(out, "\n");
    }
    textbuf_add(out,
                "\nmemory: ms of moving each tensor once; special: ms of the special-function "
                "results of the runs that were made\nx floor: time over the larger of the two; x "
                "in order, x per step: over the best sequential kernel, over one step a chunk\n");
}

void bench_rows_table(struct textbuf *out, const struct bench_rows *rows)
{
    if (rows->is_device)
        device_table(out, rows);
    else
        host_table(out, rows);
    if (rows->bandwidth <= 0)
        return;
    textbuf_add(out, rows->is_device ? "copy: "
                                     : "x copy: time over that of moving each tensor once, at ");
    textbuf_add_short(out, 1e-9 * rows->bandwidth, 3);
    textbuf_printf(out, " GB/s as measured %s\n", rows->copied_by);
}

/* ---- Data ---- */

/* Numbers of a row in the order of the columns; the same for both formats. */
struct column {
    const char *name;
    double value;
};

enum { COLUMNS = 16 };

static void columns_of(struct column out[COLUMNS], const struct bench_row *row)
{
    const struct column columns[COLUMNS] = {
        {"ms", 1e3 * row->seconds},
        {"ns_per_element", 1e9 * ratio(row->seconds, row->elements)},
        {"ratio_evaluate", ratio(row->seconds, row->evaluate)},
        {"ratio_copy", ratio(row->seconds, row->copy)},
        {"gb_per_s", 1e-9 * ratio(row->bytes, row->seconds)},
        {"ms_fewest", 1e3 * row->fewest},
        {"memory_floor_ms", 1e3 * row->copy},
        {"special_floor_ms", 1e3 * row->special},
        {"ratio_floor", ratio(row->seconds, bench_row_floor(row))},
        {"expected_ms", 1e3 * row->expected},
        {"sequential_ms", 1e3 * row->sequential},
        {"ratio_sequential", ratio(row->seconds, row->sequential)},
        {"per_step_ms", 1e3 * row->per_step},
        {"ratio_per_step", ratio(row->seconds, row->per_step)},
        {"mean_corrections", row->corrections},
        {"mismatch", row->mismatch},
    };
    for (int i = 0; i < COLUMNS; i++)
        out[i] = columns[i];
}

void bench_rows_csv_head(struct textbuf *out)
{
    const struct bench_row empty = bench_row_empty();
    struct column columns[COLUMNS];
    columns_of(columns, &empty);
    textbuf_add(out, "cell,device,dtype,batch,seq_len,channels,direction,strategy");
    for (int i = 0; i < COLUMNS; i++)
        textbuf_printf(out, ",%s", columns[i].name);
    textbuf_add(out, ",math,sequential_strategy,verdict\n");
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

void bench_rows_csv_row(struct textbuf *out, const struct bench_row *row)
{
    struct column columns[COLUMNS];
    columns_of(columns, row);
    textbuf_printf(out, "%s,%s,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%s,%s", row->cell,
                   row->device, row->dtype, row->shape.batch, row->shape.seq_len,
                   row->shape.channels, row->direction, text_or_empty(row->strategy));
    for (int i = 0; i < COLUMNS; i++) {
        textbuf_add(out, ",");
        if (isfinite(columns[i].value))
            textbuf_add_short(out, columns[i].value, 6);
    }
    textbuf_printf(out, ",%s,%s,%s\n", row->math, text_or_empty(row->sequential_strategy),
                   text_or_empty(row->verdict));
}

static void add_text(struct textbuf *out, const char *name, const char *value)
{
    textbuf_printf(out, ", \"%s\": ", name);
    if (value)
        textbuf_add_json_string(out, value);
    else
        textbuf_add(out, "null");
}

void bench_rows_json(struct textbuf *out, const struct bench_rows *rows)
{
    textbuf_add(out, "[");
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->rows[i];
        struct column columns[COLUMNS];
        columns_of(columns, row);
        textbuf_add(out, i ? ",\n {\"cell\": " : "\n {\"cell\": ");
        textbuf_add_json_string(out, row->cell);
        textbuf_printf(out,
                       ", \"device\": \"%s\", \"dtype\": \"%s\", \"batch\": %" PRId64
                       ", \"seq_len\": %" PRId64 ", \"channels\": %" PRId64
                       ", \"direction\": \"%s\"",
                       row->device, row->dtype, row->shape.batch, row->shape.seq_len,
                       row->shape.channels, row->direction);
        add_text(out, "strategy", row->strategy);
        for (int k = 0; k < COLUMNS; k++) {
            textbuf_printf(out, ", \"%s\": ", columns[k].name);
            textbuf_add_json_number(out, columns[k].value);
        }
        add_text(out, "math", row->math);
        add_text(out, "sequential_strategy", row->sequential_strategy);
        add_text(out, "verdict", row->verdict);
        textbuf_add(out, "}");
    }
    textbuf_add(out, rows->count ? "\n]\n" : "]\n");
}

/* ---- Plot ---- */

void bench_rows_svg(struct textbuf *out, const struct bench_rows *rows)
{
    struct svg_bar *bars = arena_array(out->arena, rows->count + 1, sizeof *bars);
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->rows[i];
        const double floor = bench_row_floor(row);
        bars[i] = (struct svg_bar){
            .label = arena_printf(out->arena, "%s %s %s %" PRId64 " x %" PRId64 " x %" PRId64,
                                  row->cell, row->dtype, row->direction, row->shape.batch,
                                  row->shape.seq_len, row->shape.channels),
            .value = ratio(row->seconds, floor),
            .other = ratio(row->sequential, floor),
            .note = row->strategy};
    }
    svg_bars(out, "Time over the larger floor", "chosen strategy",
             rows->is_device ? "best sequential kernel" : NULL, bars, rows->count);
}
