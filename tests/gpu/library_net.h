/* A cell in the C library on a device, with all its tensors: what the tests of the library share.
 */
#ifndef PRNN_LIBRARY_NET_H
#define PRNN_LIBRARY_NET_H

#include <pararnnc/pararnnc.h>

enum { NET_TENSORS = 40 };

struct net_tensor {
    char name[80];
    size_t count, element, offset; /* offset: bytes between the block and the data */
    int group; /* 0 read by forward, 1 read by backward, 2 written by forward, 3 by backward */
    void *block, *data;
    prnn_storage format;
};

struct net {
    prnn_context *context;
    prnn_cell *cell;
    prnn_plan *plan;
    prnn_problem problem;
    prnn_tensor args[PRNN_MAX_ARGS], grads[PRNN_MAX_ARGS];
    struct net_tensor tensor[NET_TENSORS];
    int tensors;
    void *workspace;
    size_t result_bytes;
};

/* NULL, or what went wrong. 'offset': elements by which every sequence tensor is shifted. None of
 * these stops a test, so that any thread may call them. */
const char *net_create(struct net *net, const char *device, const char *path,
                       const prnn_problem *problem, int offset);
void net_free(struct net *net);
/* Random inputs by a seed; all that is written becomes NaN. Waits. */
const char *net_fill(struct net *net, uint64_t seed, void *stream);
const char *net_run(struct net *net, void *stream);
/* All that is written, one tensor after the other, result_bytes of them. Waits. */
const char *net_results(struct net *net, void *results, void *stream);
struct net_tensor *net_find(struct net *net, const char *name, int group);

#endif
