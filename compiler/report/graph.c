#include "graph.h"

static bool is_node(const struct ast_decl *decl)
{
    switch (decl->kind) {
    case AST_STATE:
    case AST_INPUT:
    case AST_PARAM:
    case AST_DEFINE:
    case AST_UPDATE:
        return true;
    case AST_OUTPUT:
        return !decl->is_reference;
    default:
        return false;
    }
}

/* The node that a name stands for, or node_count: a constant, a parameter of a function. */
static uint32_t find_node(const struct graph *graph, const struct symbol *symbol, bool is_next)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct ast_decl *decl = graph->nodes[i].decl;
        if (decl->symbol == symbol && (decl->kind == AST_UPDATE) == is_next)
            return i;
    }
    return graph->node_count;
}

static void add_reads(struct graph *graph, uint32_t reader, const struct ast_expr *expr)
{
    if (expr->kind == AST_NAME || expr->kind == AST_NEXT) {
        const uint32_t node = find_node(graph, expr->symbol, expr->kind == AST_NEXT);
        if (node < graph->node_count)
            graph->reads[(size_t)reader * graph->node_count + node] = 1;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        add_reads(graph, reader, expr->args[i]);
}

void graph_build(struct graph *graph, const struct ast *ast, struct arena *arena)
{
    uint32_t count = 0;
    for (const struct ast_statement *s = ast->statements; s; s = s->next)
        for (const struct ast_decl *decl = s->decls; decl; decl = decl->next)
            count += is_node(decl);
    graph->nodes = arena_array(arena, count, sizeof *graph->nodes);
    graph->reads = arena_array(arena, count, count);
    graph->node_count = 0;
    for (const struct ast_statement *s = ast->statements; s; s = s->next)
        for (const struct ast_decl *decl = s->decls; decl; decl = decl->next)
            if (is_node(decl))
                graph->nodes[graph->node_count++].decl = decl;
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_decl *decl = graph->nodes[i].decl;
        if (!decl->value || decl->kind == AST_STATE)
            continue;
        add_reads(graph, i, decl->value);
        graph->nodes[i].level = 1;
        for (uint32_t j = 0; j < count; j++)
            if (graph->reads[(size_t)i * count + j] &&
                graph->nodes[j].level >= graph->nodes[i].level)
                graph->nodes[i].level = graph->nodes[j].level + 1;
    }
}

const char *graph_name(const struct graph_node *node, struct arena *arena)
{
    return node->decl->kind == AST_UPDATE ? arena_printf(arena, "%s'", node->decl->name)
                                          : node->decl->name;
}
