#include "svg_plot.h"

#include <math.h>
#include <stdbool.h>

enum {
    WIDTH = 900,
    MARGIN = 16,
    TITLE = 40,
    LABELS = 330,
    NOTES = 190,
    ROW = 22,
    CELL_X = 74,
    CELL_Y = 34
};

/* Text between tags; names of cells are identifiers, words of strategies are our own. */
static void add_text(struct textbuf *out, double x, double y, const char *anchor, const char *text)
{
    textbuf_add(out, "<text x=\"");
    textbuf_add_short(out, x, 5);
    textbuf_add(out, "\" y=\"");
    textbuf_add_short(out, y, 5);
    textbuf_printf(out, "\" text-anchor=\"%s\">", anchor);
    for (; *text; text++)
        switch (*text) {
        case '<':
            textbuf_add(out, "&lt;");
            break;
        case '>':
            textbuf_add(out, "&gt;");
            break;
        case '&':
            textbuf_add(out, "&amp;");
            break;
        default:
            textbuf_add_n(out, text, 1);
        }
    textbuf_add(out, "</text>\n");
}

static void add_number(struct textbuf *out, double x, double y, const char *anchor, double value,
                       int digits)
{
    struct textbuf text;
    textbuf_init(&text, out->arena);
    textbuf_add_short(&text, value, digits);
    add_text(out, x, y, anchor, text.text);
}

static void add_rectangle(struct textbuf *out, double x, double y, double width, double height,
                          const char *fill)
{
    const double numbers[] = {x, y, width, height};
    static const char *const names[] = {"x", "y", "width", "height"};
    textbuf_add(out, "<rect");
    for (int i = 0; i < 4; i++) {
        textbuf_printf(out, " %s=\"", names[i]);
        textbuf_add_short(out, numbers[i], 5);
        textbuf_add(out, "\"");
    }
    textbuf_printf(out, " fill=\"%s\"/>\n", fill);
}

static void add_line(struct textbuf *out, double x1, double y1, double x2, double y2,
                     const char *stroke, double width)
{
    const double numbers[] = {x1, y1, x2, y2, width};
    static const char *const names[] = {"x1", "y1", "x2", "y2", "stroke-width"};
    textbuf_add(out, "<line");
    for (int i = 0; i < 5; i++) {
        textbuf_printf(out, " %s=\"", names[i]);
        textbuf_add_short(out, numbers[i], 5);
        textbuf_add(out, "\"");
    }
    textbuf_printf(out, " stroke=\"%s\"/>\n", stroke);
}

static void begin(struct textbuf *out, double width, double height, const char *title)
{
    textbuf_add(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"");
    textbuf_add_short(out, width, 6);
    textbuf_add(out, "\" height=\"");
    textbuf_add_short(out, height, 6);
    textbuf_add(out, "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n");
    add_rectangle(out, 0, 0, width, height, "#ffffff");
    textbuf_add(out, "<g font-size=\"15\">");
    add_text(out, MARGIN, 24, "start", title);
    textbuf_add(out, "</g>\n");
}

void svg_bars(struct textbuf *out, const char *title, const char *value_name,
              const char *other_name, const struct svg_bar *bars, uint32_t count)
{
    double most = 1;
    for (uint32_t i = 0; i < count; i++) {
        most = isfinite(bars[i].value) ? fmax(most, bars[i].value) : most;
        /* A mark far off would leave nothing of the bars. */
        if (other_name && isfinite(bars[i].other))
            most = fmax(most, fmin(bars[i].other, 12));
    }
    const double left = MARGIN + LABELS, room = WIDTH - left - NOTES - MARGIN;
    const double scale = room / (most * 1.05), top = TITLE + ROW;
    begin(out, WIDTH, top + (double)count * ROW + 2 * ROW, title);
    add_rectangle(out, left, TITLE - 4, 12, 10, "#4477aa");
    add_text(out, left + 18, TITLE + 6, "start", value_name);
    if (other_name) {
        add_line(out, left + 170, TITLE - 6, left + 170, TITLE + 8, "#cc3311", 3);
        add_text(out, left + 178, TITLE + 6, "start", other_name);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct svg_bar *bar = &bars[i];
        const double y = top + (double)i * ROW, base = y + ROW - 7;
        add_text(out, left - 8, base, "end", bar->label);
        if (isfinite(bar->value)) {
            const double end = left + bar->value * scale, mark = left + bar->other * scale;
            const bool is_hit = other_name && mark > end - 4 && mark < end + 40;
            add_rectangle(out, left, y + 3, bar->value * scale, ROW - 6, "#4477aa");
            add_number(out, (is_hit ? mark : end) + 6, base, "start", bar->value, 3);
        }
        if (other_name && isfinite(bar->other) && bar->other <= most)
            add_line(out, left + bar->other * scale, y + 1, left + bar->other * scale, y + ROW - 1,
                     "#cc3311", 3);
        if (bar->note)
            add_text(out, WIDTH - MARGIN, base, "end", bar->note);
    }
    const double bottom = top + (double)count * ROW;
    add_line(out, left, top, left, bottom, "#222", 1);
    add_line(out, left + scale, top, left + scale, bottom, "#222", 1);
    add_text(out, left + scale, bottom + 15, "middle", "1");
    add_text(out, left, bottom + 15, "middle", "0");
    textbuf_add(out, "</svg>\n");
}

/* Blue below 1, orange above, white at 1; full colour at a factor of 8. */
static const char *colour_of(struct textbuf *room, double ratio)
{
    static const int faster[3] = {0x44, 0x77, 0xaa}, slower[3] = {0xee, 0x77, 0x33};
    const double depth = fmin(fabs(log2(ratio)) / 3, 1);
    const int *full = ratio < 1 ? faster : slower;
    textbuf_add(room, "#");
    for (int i = 0; i < 3; i++)
        textbuf_printf(room, "%02x", (unsigned)(255 + (full[i] - 255) * depth + 0.5));
    return room->text;
}

/* 1024 as 1k, 1048576 as 1M: lengths are powers of two. */
static void add_length(struct textbuf *out, double x, double y, const char *anchor, double value)
{
    struct textbuf text;
    const double k = value / 1024, m = k / 1024;
    textbuf_init(&text, out->arena);
    textbuf_add_short(&text, m >= 1 ? m : k >= 1 ? k : value, 5);
    textbuf_add(&text, m >= 1 ? "M" : k >= 1 ? "k" : "");
    add_text(out, x, y, anchor, text.text);
}

static bool is_faster(const struct svg_map *map, uint32_t row, uint32_t column, bool *is_known)
{
    const double ratio = map->ratio[row * map->columns + column];
    *is_known = isfinite(ratio);
    return ratio < 1;
}

void svg_ratio_map(struct textbuf *out, const struct svg_map *map)
{
    const double left = MARGIN + 90, top = TITLE + 24;
    const double width = left + (double)map->columns * CELL_X + MARGIN;
    const double bottom = top + (double)map->rows * CELL_Y;
    begin(out, fmax(width, 480), bottom + 70, map->title);
    add_text(out, MARGIN, TITLE + 8, "start", map->note);
    for (uint32_t r = 0; r < map->rows; r++) {
        /* The largest on top. */
        const double y = bottom - (double)(r + 1) * CELL_Y;
        add_length(out, left - 8, y + CELL_Y / 2.0 + 4, "end", map->y[r]);
        for (uint32_t c = 0; c < map->columns; c++) {
            const double ratio = map->ratio[r * map->columns + c], x = left + (double)c * CELL_X;
            struct textbuf colour;
            textbuf_init(&colour, out->arena);
            add_rectangle(out, x, y, CELL_X - 1, CELL_Y - 1,
                          isfinite(ratio) ? colour_of(&colour, ratio) : "#eeeeee");
            if (isfinite(ratio))
                add_number(out, x + CELL_X / 2.0, y + CELL_Y / 2.0 + 4, "middle", ratio, 3);
        }
    }
    for (uint32_t r = 0; r < map->rows; r++)
        for (uint32_t c = 0; c < map->columns; c++) {
            const double x = left + (double)c * CELL_X, y = bottom - (double)(r + 1) * CELL_Y;
            bool is_known, is_other_known;
            const bool here = is_faster(map, r, c, &is_known);
            if (c + 1 < map->columns && is_faster(map, r, c + 1, &is_other_known) != here &&
                is_known && is_other_known)
                add_line(out, x + CELL_X - 0.5, y, x + CELL_X - 0.5, y + CELL_Y, "#111", 3);
            if (r + 1 < map->rows && is_faster(map, r + 1, c, &is_other_known) != here &&
                is_known && is_other_known)
                add_line(out, x, y - 0.5, x + CELL_X, y - 0.5, "#111", 3);
        }
    for (uint32_t c = 0; c < map->columns; c++)
        add_length(out, left + ((double)c + 0.5) * CELL_X, bottom + 16, "middle", map->x[c]);
    add_text(out, left + (double)map->columns * CELL_X / 2, bottom + 38, "middle", map->x_name);
    add_text(out, MARGIN, bottom + 38, "start", map->y_name);
    add_text(out, MARGIN, bottom + 58, "start",
             "below 1 the chosen strategy is faster; the line is where the two cross");
    textbuf_add(out, "</svg>\n");
}
