/* One CUDA device: its primary context, what it can do, its memory, and the driver's words. */
#ifndef PRNN_CUDA_DEVICE_H
#define PRNN_CUDA_DEVICE_H

#include <pararnnc/pararnnc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dynload.h"

/* What the choice of a strategy and the report look at. */
struct cuda_properties {
    char name[128];
    int ordinal, major, minor;
    int driver_version; /* 13000: CUDA 13.0 */
    int multiprocessors, clock_khz;
    int memory_clock_khz, memory_bus_bits; /* 0 where the driver does not tell */
    int l2_bytes;
    int shared_optin; /* dynamic shared memory that one thread block may ask for */
    int shared_sm, registers_sm, threads_sm;
    bool has_clusters;
    uint64_t memory_bytes;
};

/* Bytes a second by clock and bus, two transfers a clock; 0 where the driver does not tell. */
static inline double cuda_nominal_bandwidth(const struct cuda_properties *device)
{
    return 2e3 * device->memory_clock_khz * device->memory_bus_bits / 8;
}

struct cuda_device;

/**
 * Open a device by number and retain its primary context, which PyTorch and the CUDA runtime use
 * too.
 *
 * @return PRNN_OK; PRNN_E_BACKEND (no driver, no such device; says which); PRNN_E_NOMEM
 */
prnn_status cuda_device_open(struct cuda_device **out, int ordinal);
void cuda_device_close(struct cuda_device *device); /* NULL is fine */

/* Look at a device without making a context on it. 'count' gets the number of devices, 0 on
 * failure; statuses as cuda_device_open(). */
prnn_status cuda_device_probe(struct cuda_properties *out, int *count, int ordinal);

const struct cuda_properties *cuda_device_properties(const struct cuda_device *device);
/* "NVIDIA H200, sm_90, 132 multiprocessors"; owned by the device. */
const char *cuda_device_describe(const struct cuda_device *device);

/* What cuda_clusters_ask() has found, NULL: it was not called. Of two threads that ask at once both
 * get what the first has handed over, with its memory. */
struct cuda_clusters;
const struct cuda_clusters *cuda_device_clusters(const struct cuda_device *device);
const struct cuda_clusters *cuda_device_keep_clusters(struct cuda_device *device,
                                                      struct cuda_clusters *clusters);

/* Memory, as prnn_memory_*() of the public header promises. 'stream' is a CUstream or NULL. */
prnn_status cuda_memory_alloc(struct cuda_device *device, void **out, size_t size);
void cuda_memory_free(struct cuda_device *device, void *memory); /* NULL is fine */
prnn_status cuda_memory_upload(struct cuda_device *device, void *memory, const void *host,
                               size_t size, void *stream);
prnn_status cuda_memory_download(struct cuda_device *device, void *host, const void *memory,
                                 size_t size, void *stream);
prnn_status cuda_stream_wait(struct cuda_device *device, void *stream);

/* ---- for the plans of this folder ---- */

const struct cuda_api *cuda_device_api(const struct cuda_device *device);

/**
 * Make the primary context current; every true return needs one cuda_device_leave(). What the
 * caller had current comes back.
 *
 * @return PRNN_OK; PRNN_E_STICKY (the context is lost); PRNN_E_BACKEND (forked process, or the
 * driver refuses)
 */
prnn_status cuda_device_enter(struct cuda_device *device);
void cuda_device_leave(struct cuda_device *device);
/* To take something down: as cuda_device_enter(), but false where that failed or the context is
 * lost, and without words, since those of an earlier failure are still to be read. */
bool cuda_device_enter_quietly(struct cuda_device *device);

/* The status for a code of the driver, with its name and text and 'what' was tried remembered as
 * words. A code after which the context is of no use is kept and told by every later call. */
prnn_status cuda_device_failed(struct cuda_device *device, cuda_result code, const char *what);

#endif
