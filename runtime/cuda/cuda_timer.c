#include "cuda_timer.h"

#include <stdlib.h>

#include "status.h"

struct cuda_timer {
    struct cuda_device *device;
    cuda_stream stream;
    cuda_event begin, end;
};

prnn_status cuda_timer_create(struct cuda_timer **out, struct cuda_device *device, void *stream)
{
    const struct cuda_api *api = cuda_device_api(device);
    struct cuda_timer *timer = calloc(1, sizeof *timer);
    prnn_status status;
    *out = NULL;
    if (!timer)
        return status_set(PRNN_E_NOMEM, "timer");
    timer->device = device;
    timer->stream = (cuda_stream)stream;
    if ((status = cuda_device_enter(device)) < 0) {
        free(timer);
        return status;
    }
    cuda_result code = api->event_create(&timer->begin, 0);
    if (code == CUDA_SUCCESS_CODE)
        code = api->event_create(&timer->end, 0);
    if (code != CUDA_SUCCESS_CODE)
        status = cuda_device_failed(device, code, "cuEventCreate");
    cuda_device_leave(device);
    if (status < 0)
        cuda_timer_free(timer);
    else
        *out = timer;
    return status;
}

void cuda_timer_free(struct cuda_timer *timer)
{
    if (!timer)
        return;
    if ((timer->begin || timer->end) && cuda_device_enter_quietly(timer->device)) {
        const struct cuda_api *api = cuda_device_api(timer->device);
        if (timer->begin)
            (void)api->event_destroy(timer->begin);
        if (timer->end)
            (void)api->event_destroy(timer->end);
        cuda_device_leave(timer->device);
    }
    free(timer);
}

prnn_status cuda_timer_start(struct cuda_timer *timer)
{
    prnn_status status = cuda_device_enter(timer->device);
    if (status < 0)
        return status;
    const cuda_result code =
        cuda_device_api(timer->device)->event_record(timer->begin, timer->stream);
    if (code != CUDA_SUCCESS_CODE)
        status = cuda_device_failed(timer->device, code, "cuEventRecord");
    cuda_device_leave(timer->device);
    return status;
}

prnn_status cuda_timer_stop(struct cuda_timer *timer, double *seconds)
{
    const struct cuda_api *api = cuda_device_api(timer->device);
    prnn_status status = cuda_device_enter(timer->device);
    float milliseconds = 0;
    *seconds = 0;
    if (status < 0)
        return status;
    cuda_result code = api->event_record(timer->end, timer->stream);
    if (code == CUDA_SUCCESS_CODE)
        code = api->event_synchronize(timer->end);
    if (code == CUDA_SUCCESS_CODE)
        code = api->event_elapsed_time(&milliseconds, timer->begin, timer->end);
    if (code != CUDA_SUCCESS_CODE)
        status = cuda_device_failed(timer->device, code, "timing");
    cuda_device_leave(timer->device);
    *seconds = 1e-3 * (double)milliseconds;
    return status;
}
