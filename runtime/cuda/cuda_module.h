/* Kernel texts that have become functions on a device. */
#ifndef PRNN_CUDA_MODULE_H
#define PRNN_CUDA_MODULE_H

#include "backend.h"
#include "cache.h"
#include "cuda_device.h"

/* A kernel and how it is launched. */
struct cuda_entry {
    cuda_function function; /* NULL: there is none */
    char name[96];
    uint32_t threads, shared_bytes, cluster;
    int registers, local_bytes;
};

struct cuda_compiled {
    cuda_module handle; /* NULL: not loaded */
    struct cuda_entry main, reduce;
    uint32_t spill_bytes;
    bool from_cache;
    double seconds; /* of NVRTC */
};

/**
 * Compile and load texts, all at once.
 *
 * @param[out] modules   'count' zeroed ones; on failure cuda_modules_unload() still has to be
 * called
 * @param      texts     NULL: that module stays empty
 * @param      arguments scalars of the launch argument of each
 * @param      reduce_threads, reduce_shared  how the second kernel of a text is launched
 */
prnn_status cuda_modules_load(struct cuda_compiled *modules, struct cuda_device *device,
                              const struct backend_text *const *texts, const uint32_t *arguments,
                              size_t count, uint32_t reduce_threads, uint32_t reduce_shared,
                              struct cache *cache);
void cuda_modules_unload(struct cuda_compiled *modules, size_t count, struct cuda_device *device);

/* How many of its clusters, or without them thread blocks of a multiprocessor, the device holds at
 * once; between cuda_device_enter() and cuda_device_leave(). Returns the driver's code. */
cuda_result cuda_entry_fitting(struct cuda_device *device, const struct cuda_entry *entry,
                               int *count);

/* Enqueue one kernel, between cuda_device_enter() and cuda_device_leave(). 'argument' is the whole
 * launch argument, copied during the call; a grid of 0 is nothing to do. */
prnn_status cuda_entry_launch(struct cuda_device *device, const struct cuda_entry *entry,
                              uint32_t grid, void *argument, cuda_stream stream);

#endif
