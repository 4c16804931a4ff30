#include "cuda_clusters.h"

#include <stdlib.h>

#include "cuda_module.h"

static const char empty_text[] = "extern \"C\" __global__ void prnn_empty() {}\n";

enum { THREADS = 32, RESERVED = 1024, UNIT = 128 }; /* bytes of shared memory of a thread block */

/* Dynamic shared memory of a thread block of which 'room' fit on a multiprocessor, and no more. */
static uint32_t shared_bytes_of(const struct cuda_properties *device, int room)
{
    const int bytes = device->shared_sm / room - RESERVED;
    return (uint32_t)(bytes < device->shared_optin ? bytes : device->shared_optin) / UNIT * UNIT;
}

static bool ask_all(struct cuda_clusters *out, struct cuda_device *device,
                    const struct cuda_entry *empty)
{
    const struct cuda_properties *properties = cuda_device_properties(device);
    for (unsigned size = 2; size <= CUDA_CLUSTER_MOST; size++)
        for (int room = 1; room <= CUDA_CLUSTER_ROOM_MOST; room++) {
            struct cuda_entry entry = *empty;
            int count = 0;
            entry.cluster = size;
            entry.shared_bytes = shared_bytes_of(properties, room);
            if (cuda_entry_fitting(device, &entry, &count) != CUDA_SUCCESS_CODE || count < 0 ||
                count > UINT16_MAX)
                return false;
            out->at_once[size][room] = (uint16_t)count;
        }
    return true;
}

static bool find(struct cuda_clusters *out, struct cuda_device *device, struct cache *cache)
{
    const struct cuda_properties *properties = cuda_device_properties(device);
    const struct backend_text text = {.text = empty_text,
                                      .length = sizeof empty_text - 1,
                                      .entry = "prnn_empty",
                                      .threads = THREADS,
                                      .shared_bytes = shared_bytes_of(properties, 1),
                                      .cluster = 1};
    const struct backend_text *texts[] = {&text};
    const uint32_t no_arguments = 0;
    struct cuda_compiled module = {0};
    bool is_known = false;
    if (properties->has_clusters && properties->shared_sm > 0 &&
        cuda_device_api(device)->max_active_clusters &&
        cuda_modules_load(&module, device, texts, &no_arguments, 1, 0, 0, cache) == PRNN_OK &&
        cuda_device_enter(device) == PRNN_OK) {
        is_known = ask_all(out, device, &module.main);
        cuda_device_leave(device);
    }
    cuda_modules_unload(&module, 1, device);
    return is_known;
}

const struct cuda_clusters *cuda_clusters_ask(struct cuda_device *device, struct cache *cache)
{
    const struct cuda_clusters *kept = cuda_device_clusters(device);
    if (!kept) {
        struct cuda_clusters *made = calloc(1, sizeof *made);
        if (!made)
            return NULL;
        made->is_known = find(made, device, cache);
        kept = cuda_device_keep_clusters(device, made);
    }
    return kept->is_known ? kept : NULL;
}
