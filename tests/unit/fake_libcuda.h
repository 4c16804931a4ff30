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

/* What the test reads and sets. */
struct fake_state {
    int fail_at, fail_code; /* the call of this number fails; 0: none */
    int calls;
    char last[64];
    int contexts, depth, modules, allocations; /* alive */
    int launches;
    struct fake_launch launched[4];
    int capturing, fitting, has_clusters, devices, driver_version;
    int refused_images; /* so many images are refused, as for another device */
    int dynamic_shared, non_portable;
};

#endif
