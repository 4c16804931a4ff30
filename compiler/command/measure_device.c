#include "measure_device.h"

#include "measure.h"

#include <stdint.h>

enum { COPIES = 16 };

struct copy {
    struct cuda_device *device;
    void *from, *to;
    size_t size;
};

/* Several copies in a row, so that starting one does not count. */
static int copy_all(void *context)
{
    const struct copy *copy = context;
    const struct cuda_api *api = cuda_device_api(copy->device);
    if (cuda_device_enter(copy->device) < 0)
        return 1;
    int failure = 0;
    for (int i = 0; i < COPIES && !failure; i++)
        failure = api->copy_on_device((cuda_pointer)(uintptr_t)copy->to,
                                      (cuda_pointer)(uintptr_t)copy->from, copy->size,
                                      NULL) != CUDA_SUCCESS_CODE;
    cuda_device_leave(copy->device);
    return failure || cuda_stream_wait(copy->device, NULL) < 0;
}

double measure_device_bandwidth(struct cuda_device *device)
{
    struct copy copy = {.device = device, .size = (size_t)512 << 20};
    double seconds = 0;
    int failure = 1;
    if (cuda_memory_alloc(device, &copy.from, copy.size) >= 0 &&
        cuda_memory_alloc(device, &copy.to, copy.size) >= 0)
        seconds = measure_median(copy_all, &copy, 5, 0.2, &failure);
    cuda_memory_free(device, copy.from);
    cuda_memory_free(device, copy.to);
    return failure || seconds <= 0 ? 0 : 2.0 * (double)copy.size * COPIES / seconds;
}
