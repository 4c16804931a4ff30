#include "tune_report.h"

#include <inttypes.h>
#include <math.h>

static void add_number(struct textbuf *out, double value)
{
    textbuf_add(out, ",");
    if (isfinite(value))
        textbuf_add_short(out, value, 6);
}

void tune_csv_head(struct textbuf *out)
{
    textbuf_add(out, "cell,device,dtype,math,batch,seq_len,channels,direction,strategy,verdict,ms,"
                     "ms_fewest,batches,launches,floor_ms,max_corrections,mean_corrections,"
                     "mismatch,unequal,error,registers,local_bytes,spill_bytes,shared_bytes,"
                     "threads,grid,cluster,words\n");
}

/* Words of a compiler may hold anything: quoted, one line. */
static void add_words(struct textbuf *out, const char *words)
{
    textbuf_add(out, ",\"");
    for (; *words; words++)
        textbuf_printf(out, "%s",
                       *words == '"'                 ? "\"\""
                       : (unsigned char)*words < ' ' ? " "
                                                     : (char[]){*words, '\0'});
    textbuf_add(out, "\"\n");
}

void tune_csv_row(struct textbuf *out, const struct tune_row *row)
{
    const struct device_figure *f = &row->figure;
    const bool is_timed = f->seconds > 0;
    textbuf_printf(out, "%s,%s,%s,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%s,%s,%s", row->cell,
                   row->device, row->dtype, row->math, row->shape.batch, row->shape.seq_len,
                   row->shape.channels, row->direction, row->strategy,
                   device_verdict_word(f->verdict));
    add_number(out, is_timed ? 1e3 * f->seconds : NAN);
    add_number(out, is_timed ? 1e3 * f->fewest : NAN);
    textbuf_printf(out, ",%u,%u", f->batches, f->launches);
    add_number(out, 1e3 * row->floor);
    textbuf_printf(out, ",%u", f->max_corrections);
    add_number(out, f->mean_corrections);
    add_number(out, f->mismatch);
    add_number(out, f->unequal);
    add_number(out, f->error);
    textbuf_printf(out, ",%d,%d,%u,%u,%u,%u,%u", f->facts.registers, f->facts.local_bytes,
                   f->facts.spill_bytes, f->facts.shared_bytes, f->facts.threads, f->facts.grid,
                   f->facts.cluster);
    add_words(out, f->words);
}

static void add_ratio(struct textbuf *out, double a, double b)
{
    if (a > 0 && b > 0)
        textbuf_add_short(out, a / b, 3);
    else
        textbuf_add(out, "-");
}

static const struct tune_row *row_of(const struct tune_result *result)
{
    return result->best.strategy ? &result->best : &result->sequential;
}

void tune_line(struct textbuf *out, const struct tune_result *result)
{
    const struct tune_row *row = row_of(result);
    textbuf_printf(out, "%s %s %s %" PRId64 "x%" PRId64 "x%" PRId64 ": ", row->cell, row->dtype,
                   row->direction, row->shape.batch, row->shape.seq_len, row->shape.channels);
    if (result->best.strategy) {
        textbuf_printf(out, "%s, ", row->strategy);
        textbuf_add_short(out, 1e3 * row->figure.seconds, 4);
        textbuf_add(out, " ms, ");
        add_ratio(out, row->figure.seconds, row->floor);
        textbuf_add(out, " x floor, ");
        add_ratio(out, row->figure.seconds, result->sequential.figure.seconds);
        textbuf_printf(out, " x %s",
                       result->sequential.strategy ? result->sequential.strategy : "sequential");
    } else {
        textbuf_add(out, "no strategy was right");
    }
    textbuf_printf(out, "; %u measured, %u wrong, %u refused, %u left\n", result->measured,
                   result->wrong, result->refused, result->left);
}

static void add_cell(struct textbuf *out, double value, int digits, int width)
{
    struct textbuf text;
    textbuf_init(&text, out->arena);
    if (isfinite(value) && value > 0)
        textbuf_add_short(&text, value, digits);
    else
        textbuf_add(&text, "-");
    textbuf_printf(out, "  %*s", width, text.text);
}

void tune_table(struct textbuf *out, const struct tune_result *results, uint32_t count)
{
    textbuf_add(out, "cell              dtype     B        T      N  direction        ms  x floor  "
                     "x sequential  corrections  strategy\n");
    for (uint32_t i = 0; i < count; i++) {
        const struct tune_result *r = &results[i];
        const struct tune_row *row = row_of(r);
        textbuf_printf(out, "%-16.16s  %-5s  %4" PRId64 "  %7" PRId64 "  %5" PRId64 "  %-9s",
                       row->cell, row->dtype, row->shape.batch, row->shape.seq_len,
                       row->shape.channels, row->direction);
        add_cell(out, 1e3 * r->best.figure.seconds, 4, 8);
        add_cell(out, r->best.figure.seconds / row->floor, 3, 7);
        add_cell(out, r->best.figure.seconds / r->sequential.figure.seconds, 3, 12);
        add_cell(out, r->best.figure.mean_corrections, 3, 11);
        textbuf_printf(out, "  %s%s\n", r->best.strategy ? r->best.strategy : "none was right",
                       r->best.strategy && !r->is_stored ? " (not stored)" : "");
    }
}

static void add_member(struct textbuf *out, const char *name, double value)
{
    textbuf_printf(out, ", \"%s\": ", name);
    textbuf_add_json_number(out, value);
}

static void add_text(struct textbuf *out, const char *name, const char *value)
{
    textbuf_printf(out, ", \"%s\": ", name);
    if (value)
        textbuf_add_json_string(out, value);
    else
        textbuf_add(out, "null");
}

void tune_json(struct textbuf *out, const struct tune_result *results, uint32_t count)
{
    textbuf_add(out, "[");
    for (uint32_t i = 0; i < count; i++) {
        const struct tune_result *r = &results[i];
        const struct tune_row *row = row_of(r);
        const double best = r->best.strategy ? r->best.figure.seconds : NAN;
        const double sequential = r->sequential.strategy ? r->sequential.figure.seconds : NAN;
        textbuf_add(out, i ? ",\n {\"cell\": " : "\n {\"cell\": ");
        textbuf_add_json_string(out, row->cell);
        add_text(out, "device", row->device);
        textbuf_printf(out,
                       ", \"dtype\": \"%s\", \"math\": \"%s\", \"batch\": %" PRId64
                       ", \"seq_len\": %" PRId64 ", \"channels\": %" PRId64
                       ", \"direction\": \"%s\"",
                       row->dtype, row->math, row->shape.batch, row->shape.seq_len,
                       row->shape.channels, row->direction);
        add_text(out, "strategy", r->best.strategy);
        add_member(out, "ms", 1e3 * best);
        add_member(out, "floor_ms", 1e3 * row->floor);
        add_text(out, "sequential_strategy", r->sequential.strategy);
        add_member(out, "sequential_ms", 1e3 * sequential);
        add_member(out, "mean_corrections", r->best.figure.mean_corrections);
        add_member(out, "mismatch", r->best.figure.mismatch);
        textbuf_printf(out,
                       ", \"measured\": %u, \"wrong\": %u, \"refused\": %u, \"left\": %u, "
                       "\"stored\": %s}",
                       r->measured, r->wrong, r->refused, r->left, r->is_stored ? "true" : "false");
    }
    textbuf_add(out, count ? "\n]\n" : "]\n");
}
