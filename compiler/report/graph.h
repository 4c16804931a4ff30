/* What is read by what in a cell, name by name: nodes of a picture. */
#ifndef PRNN_GRAPH_H
#define PRNN_GRAPH_H

#include "ast.h"

struct graph_node {
    const struct ast_decl *decl; /* a state, input, param, definition, update or output */
    uint32_t level;              /* 0: reads nothing; else one more than the highest it reads */
};

struct graph {
    struct graph_node *nodes; /* in order of declaration, so that reads go backwards */
    uint32_t node_count;
    uint8_t *reads; /* [node_count, node_count]: row reads column */
};

void graph_build(struct graph *graph, const struct ast *ast, struct arena *arena);
/* "h" or "h'". */
const char *graph_name(const struct graph_node *node, struct arena *arena);

#endif
