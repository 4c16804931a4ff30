#include "report.h"

#include "graph.h"

void report_dot(struct textbuf *out, const struct report_subject *subject)
{
    struct graph graph;
    graph_build(&graph, subject->ast, out->arena);
    textbuf_printf(out, "digraph \"%s\" {\n    rankdir = LR;\n    node [fontname = \"sans\"];\n",
                   subject->ir->name);
    for (uint32_t i = 0; i < graph.node_count; i++) {
        static const char *const shapes[AST_STATEMENT_COUNT] = {
            [AST_STATE] = "doublecircle", [AST_INPUT] = "cds",           [AST_PARAM] = "note",
            [AST_DEFINE] = "ellipse",     [AST_UPDATE] = "doublecircle", [AST_OUTPUT] = "cds",
        };
        textbuf_printf(out, "    n%u [label = \"%s\", shape = %s];\n", i,
                       graph_name(&graph.nodes[i], out->arena), shapes[graph.nodes[i].decl->kind]);
    }
    for (uint32_t i = 0; i < graph.node_count; i++)
        for (uint32_t j = 0; j < graph.node_count; j++)
            if (graph.reads[(size_t)i * graph.node_count + j])
                textbuf_printf(out, "    n%u -> n%u;\n", j, i);
    /* The state after a step is the state before the next. */
    for (uint32_t i = 0; i < graph.node_count; i++)
        for (uint32_t j = 0; j < graph.node_count; j++)
            if (graph.nodes[i].decl->kind == AST_UPDATE && graph.nodes[j].decl->kind == AST_STATE &&
                graph.nodes[i].decl->symbol == graph.nodes[j].decl->symbol)
                textbuf_printf(out, "    n%u -> n%u [style = dashed, constraint = false];\n", i, j);
    textbuf_add(out, "}\n");
}
