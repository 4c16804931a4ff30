/* What a test sees of the driver in fake_libcuda.c. */
#ifndef FAKE_LIBCUDA_H
#define FAKE_LIBCUDA_H

#include "dynload.h"

struct fake_launch {
    char name[96];
    unsigned grid, threads, shared_bytes, cluster;
    cuda_stream stream;
    unsigned char argument[4096];
};

enum { FAKE_GROUPS = 3, FAKE_SHARED_SM = 233472 };

/* What the test reads and sets. */
struct fake_state {
    int fail_at, fail_code; /* the call of this number fails; 0: none */
    int fails_on;           /* and all behind it */
    int calls;
    int lost;    /* a sticky code that a call has given: every later one gives it again */
    int misused; /* calls with a module or pointer that is not alive, or without a context */
    char last[64], failed[64];                 /* names of calls */
    int contexts, depth, modules, allocations; /* alive */
    int modules_made;
    int launches;
    struct fake_launch launched[4];
    int groups[FAKE_GROUPS]; /* multiprocessors that a cluster may lie in; 0: 'fitting' clusters */
    int capturing, fitting, has_clusters, devices, driver_version;
    int refused_images; /* so many images are refused, as for another device */
    int dynamic_shared, non_portable;
};

#endif
