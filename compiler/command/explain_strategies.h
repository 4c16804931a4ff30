/* Which strategies a cell would get, and how long they should take: the part of 'explain' that is
 * about a device. */
#ifndef PRNN_EXPLAIN_STRATEGIES_H
#define PRNN_EXPLAIN_STRATEGIES_H

#include "command.h"
#include "shape_list.h"

struct explain_request {
    struct shape_list shapes;
    prnn_storage storage;
    prnn_math math;
    const char *device; /* "cuda:0"; NULL: an H100, which need not be there */
};

/* A table, behind what is in 'out'. An exit code. */
int explain_strategies(struct textbuf *out, struct invocation *inv, const struct unit *unit,
                       const struct explain_request *request);

#endif
