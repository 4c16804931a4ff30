/* How many clusters of thread blocks a device holds at once. A cluster lies in one group of
 * multiprocessors, and groups differ from one device to the next, of the same name too. */
#ifndef PRNN_CUDA_CLUSTERS_H
#define PRNN_CUDA_CLUSTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "cache.h"
#include "cuda_device.h"

enum { CUDA_CLUSTER_MOST = 8, CUDA_CLUSTER_ROOM_MOST = 4 };

struct cuda_clusters {
    bool is_known;
    /* Of so many thread blocks [size], of which so many, 1 to CUDA_CLUSTER_ROOM_MOST, fit on a
     * multiprocessor side by side [room]. Sizes below 2 are 0. */
    uint16_t at_once[CUDA_CLUSTER_MOST + 1][CUDA_CLUSTER_ROOM_MOST + 1];
};

/**
 * Ask the driver, for which an empty kernel is compiled (or found in the cache, NULL: none) and
 * loaded: some ten milliseconds. The device keeps the answer.
 *
 * @return owned by the device; NULL: it forms no clusters, or the driver does not tell, which is
 * asked no more. Callable from any thread.
 */
const struct cuda_clusters *cuda_clusters_ask(struct cuda_device *device, struct cache *cache);

#endif
