/* Strongly connected components of a directed graph given as a Boolean matrix. */
#ifndef PRNN_COMPONENTS_H
#define PRNN_COMPONENTS_H

#include "pattern.h"

struct components {
    uint32_t count;
    uint32_t *of;    /* component of each node */
    uint32_t *first; /* [count + 1]: component c is node[first[c] .. first[c+1]-1], ascending */
    uint32_t *node;
};

/* Row i of 'reads' is the set of nodes that i reads. Components come in the order in which they can
 * be computed: what is read stands before its reader. */
void components_find(struct components *out, const struct pattern *reads, struct arena *arena);

/* The shortest cycle through 'from', following readers (next node reads the one before it); a node
 * that reads itself counts only if 'is_self_enough'. path[0] == from, the last entry is 'from'
 * again. Returns the number of entries, 0 if there is no cycle; writes at most 'room' of them. */
uint32_t components_cycle(const struct pattern *reads, uint32_t from, bool is_self_enough,
                          uint32_t *path, uint32_t room, struct arena *arena);

#endif
