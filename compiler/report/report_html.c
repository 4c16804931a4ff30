#include "report.h"

#include "graph.h"

/* Pixels of the pictures. */
enum { CELL = 26, MARGIN = 90, COLUMN = 150, ROW = 42, BOX_WIDTH = 96, BOX_HEIGHT = 26 };

static const char head[] = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n";

static const char style[] =
    "<style>\n"
    ":root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #b8c0ca;\n"
    "        --state: #b8432f; --input: #2f6fb8; --param: #6b7480; --value: #2e8555; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --ink: #e4e8ed; --paper: #14171a; --line: #4b545f; --state: #e07a65;\n"
    "          --input: #6aa5e6; --param: #9aa4b0; --value: #62c08d; } }\n"
    "body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;\n"
    "       padding: 0 1rem; color: var(--ink); background: var(--paper); }\n"
    "pre { font: 14px/1.45 ui-monospace, monospace; overflow-x: auto; padding: 1rem;\n"
    "      border: 1px solid var(--line); border-radius: 6px; }\n"
    "figure { margin: 1.5rem 0; overflow-x: auto; }\n"
    "figcaption { font-size: 14px; opacity: 0.8; }\n"
    "svg text { font: 13px ui-monospace, monospace; fill: var(--ink); }\n"
    "svg .edge { stroke: var(--line); fill: none; stroke-width: 1.4; }\n"
    "svg .empty { fill: none; stroke: var(--line); }\n"
    "svg .x { fill: var(--state); } svg .a { fill: var(--input); } svg .f { fill: var(--line); }\n"
    "svg .box { fill: var(--paper); stroke-width: 2; }\n"
    "svg .state { stroke: var(--state); } svg .input { stroke: var(--input); }\n"
    "svg .param { stroke: var(--param); } svg .value { stroke: var(--value); }\n"
    "</style>\n";

static void add_escaped(struct textbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            textbuf_add(out, "&lt;");
        else if (*text == '>')
            textbuf_add(out, "&gt;");
        else if (*text == '&')
            textbuf_add(out, "&amp;");
        else if (*text == '"')
            textbuf_add(out, "&quot;");
        else
            textbuf_add_n(out, text, 1);
    }
}

static void add_pattern(struct textbuf *out, const struct report_subject *s)
{
    const uint32_t n = s->ir->states;
    textbuf_printf(out,
                   "<figure>\n<svg role=\"img\" aria-label=\"pattern of the Jacobian\" "
                   "width=\"%u\" height=\"%u\">\n",
                   MARGIN + n * CELL + 10, 40 + n * CELL);
    for (uint32_t i = 0; i < n; i++) {
        const char *name = ir_scalar_name(s->ir, IR_ROLE_STATE, i, out->arena);
        textbuf_printf(out, "<text x=\"%u\" y=\"%u\" text-anchor=\"end\">", MARGIN - 8,
                       30 + i * CELL + 18);
        add_escaped(out, name);
        textbuf_printf(out, "'</text>\n<text x=\"%u\" y=\"22\" text-anchor=\"middle\">",
                       MARGIN + i * CELL + CELL / 2);
        add_escaped(out, n <= 6 ? name : "");
        textbuf_add(out, "</text>\n");
        for (uint32_t j = 0; j < n; j++) {
            const char *kind = s->structure->nonlinear[i] >> j & 1 ? "x"
                               : s->structure->depends[i] >> j & 1 ? "a"
                               : s->structure->closed[i] >> j & 1  ? "f"
                                                                   : "empty";
            textbuf_printf(out,
                           "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" "
                           "rx=\"3\"/>\n",
                           kind, MARGIN + j * CELL + 2, 30 + i * CELL + 2, CELL - 4, CELL - 4);
        }
    }
    textbuf_add(out, "</svg>\n<figcaption>The Jacobian: rows are states after the step, columns "
                     "before it. Red: nonlinear; blue: affine; grey: filled in by products; empty: "
                     "always zero.</figcaption>\n</figure>\n");
}

static const char *class_of(const struct ast_decl *decl)
{
    switch (decl->kind) {
    case AST_STATE:
    case AST_UPDATE:
        return "state";
    case AST_INPUT:
        return "input";
    case AST_PARAM:
        return "param";
    default:
        return "value";
    }
}

static void add_graph(struct textbuf *out, const struct report_subject *s)
{
    struct graph graph;
    graph_build(&graph, s->ast, out->arena);
    const uint32_t count = graph.node_count;
    uint32_t *row = arena_array(out->arena, count, sizeof *row);
    uint32_t *height = arena_array(out->arena, count + 1, sizeof *height);
    uint32_t levels = 0, rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        row[i] = height[graph.nodes[i].level]++;
        levels = graph.nodes[i].level + 1 > levels ? graph.nodes[i].level + 1 : levels;
        rows = row[i] + 1 > rows ? row[i] + 1 : rows;
    }
    textbuf_printf(out,
                   "<figure>\n<svg role=\"img\" aria-label=\"what is read by what\" width=\"%u\" "
                   "height=\"%u\">\n",
                   levels * COLUMN, rows * ROW + 10);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < count; j++) {
            if (!graph.reads[(size_t)i * count + j])
                continue;
            const uint32_t x0 = graph.nodes[j].level * COLUMN + BOX_WIDTH + 2;
            const uint32_t x1 = graph.nodes[i].level * COLUMN + 2;
            const uint32_t y0 = row[j] * ROW + 5 + BOX_HEIGHT / 2;
            const uint32_t y1 = row[i] * ROW + 5 + BOX_HEIGHT / 2;
            textbuf_printf(out, "<path class=\"edge\" d=\"M%u %u C%u %u %u %u %u %u\"/>\n", x0, y0,
                           x0 + 30, y0, x1 - 30, y1, x1, y1);
        }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t x = graph.nodes[i].level * COLUMN + 2, y = row[i] * ROW + 5;
        textbuf_printf(out,
                       "<rect class=\"box %s\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" "
                       "rx=\"5\"/>\n<text x=\"%u\" y=\"%u\" text-anchor=\"middle\">",
                       class_of(graph.nodes[i].decl), x, y, BOX_WIDTH, BOX_HEIGHT,
                       x + BOX_WIDTH / 2, y + 18);
        add_escaped(out, graph_name(&graph.nodes[i], out->arena));
        textbuf_add(out, "</text>\n");
    }
    textbuf_add(out, "</svg>\n<figcaption>What is read by what, from left to right. Red: states "
                     "before and after the step; blue: inputs; grey: parameters; green: "
                     "definitions.</figcaption>\n</figure>\n");
}

void report_html(struct textbuf *out, const struct report_subject *subject)
{
    textbuf_add(out, head);
    textbuf_printf(out, "<title>cell %s</title>\n", subject->ir->name);
    textbuf_add(out, style);
    textbuf_printf(out, "</head>\n<body>\n<h1>%s</h1>\n", subject->ir->name);
    add_graph(out, subject);
    add_pattern(out, subject);
    struct textbuf text;
    textbuf_init(&text, out->arena);
    report_text(&text, subject);
    textbuf_add(out, "<pre>");
    add_escaped(out, text.text);
    textbuf_add(out, "</pre>\n</body>\n</html>\n");
}
