#include "cuda_device.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "status.h"

struct cuda_device {
    const struct cuda_api *api;
    struct cuda_properties properties;
    char words[256];
    cuda_device_id id;
    cuda_context context;
    pid_t process; /* a forked child cannot use the driver: it would hang or crash */
    /* The code that has made the context useless, else 0. Only ever set, by any thread. */
    _Atomic int lost;
    _Atomic(struct cuda_clusters *) clusters; /* NULL: not asked for yet */
};

/* Codes after which every call of the context fails: the process has to be ended to use the device
 * again, says the driver's manual. */
static bool is_sticky(cuda_result code)
{
    switch (code) {
    case 4:   /* deinitialised: the process is ending */
    case 214: /* uncorrectable memory error */
    case 220: /* uncorrectable link error */
    case 226: /* contained memory error */
    case 700: /* illegal address */
    case 702: /* the watchdog */
    case 709: /* the context was destroyed under us */
    case 710: /* assertion on the device */
    case 714:
    case 715: /* illegal instruction */
    case 716: /* misaligned address */
    case 717:
    case 718:
    case 719: /* launch failure of another kind */
    case 721: /* tensor memory leak */
    case 810: /* the MPS client was terminated */
        return true;
    default:
        return false;
    }
}

static void words_of(const struct cuda_api *api, cuda_result code, const char **name,
                     const char **text)
{
    *name = *text = NULL;
    if (api->get_error_name(code, name) != CUDA_SUCCESS_CODE || !*name)
        *name = "unknown error";
    if (api->get_error_string(code, text) != CUDA_SUCCESS_CODE || !*text)
        *text = "no description";
}

static prnn_status sticky_say(struct cuda_device *device, cuda_result code)
{
    const char *name, *text;
    words_of(device->api, code, &name, &text);
    return status_set(PRNN_E_STICKY,
                      "the context of cuda:%d is lost since an earlier %s (%s); "
                      "the process must be restarted",
                      device->properties.ordinal, name, text);
}

prnn_status cuda_device_failed(struct cuda_device *device, cuda_result code, const char *what)
{
    const char *name, *text;
    int none = 0;
    words_of(device->api, code, &name, &text);
    if (is_sticky(code)) {
        atomic_compare_exchange_strong(&device->lost, &none, code);
        return status_set(PRNN_E_STICKY, "%s on cuda:%d: %s (%s)", what, device->properties.ordinal,
                          name, text);
    }
    return status_set(code == CUDA_OUT_OF_MEMORY ? PRNN_E_NOMEM : PRNN_E_BACKEND,
                      "%s on cuda:%d: %s (%s)", what, device->properties.ordinal, name, text);
}

prnn_status cuda_device_enter(struct cuda_device *device)
{
    int lost = atomic_load_explicit(&device->lost, memory_order_relaxed);
    if (device->process != getpid())
        return status_set(PRNN_E_BACKEND,
                          "cuda:%d was opened before this process was forked, and CUDA does not "
                          "survive a fork",
                          device->properties.ordinal);
    if (lost)
        return sticky_say(device, lost);
    cuda_result code = device->api->ctx_push(device->context);
    if (code != CUDA_SUCCESS_CODE)
        return cuda_device_failed(device, code, "cuCtxPushCurrent");
    return PRNN_OK;
}

bool cuda_device_enter_quietly(struct cuda_device *device)
{
    return device->process == getpid() &&
           !atomic_load_explicit(&device->lost, memory_order_relaxed) &&
           device->api->ctx_push(device->context) == CUDA_SUCCESS_CODE;
}

void cuda_device_leave(struct cuda_device *device)
{
    cuda_context ours;
    (void)device->api->ctx_pop(&ours);
}

static prnn_status properties_get(struct cuda_device *device)
{
    struct cuda_properties *p = &device->properties;
    const struct cuda_api *api = device->api;
    int clusters = 0;
    size_t bytes = 0;
    /* Without the first ones nothing can be compiled or chosen; the rest an older driver may lack.
     */
    enum { NEEDED = 4 };
    const struct {
        int *out, attribute;
    } wanted[] = {
        {&p->major, CUDA_DEVICE_MAJOR},
        {&p->minor, CUDA_DEVICE_MINOR},
        {&p->multiprocessors, CUDA_DEVICE_MULTIPROCESSORS},
        {&p->shared_optin, CUDA_DEVICE_SHARED_OPTIN},
        {&p->clock_khz, CUDA_DEVICE_CLOCK_KHZ},
        {&p->memory_clock_khz, CUDA_DEVICE_MEMORY_CLOCK_KHZ},
        {&p->memory_bus_bits, CUDA_DEVICE_MEMORY_BUS_BITS},
        {&p->l2_bytes, CUDA_DEVICE_L2_BYTES},
        {&p->shared_sm, CUDA_DEVICE_SHARED_SM},
        {&p->registers_sm, CUDA_DEVICE_REGISTERS_SM},
        {&p->threads_sm, CUDA_DEVICE_MAX_THREADS_SM},
        {&clusters, CUDA_DEVICE_CLUSTER_LAUNCH},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        cuda_result code =
            api->device_get_attribute(wanted[i].out, wanted[i].attribute, device->id);
        if (code != CUDA_SUCCESS_CODE && (i < NEEDED || is_sticky(code)))
            return cuda_device_failed(device, code, "cuDeviceGetAttribute");
        if (code != CUDA_SUCCESS_CODE)
            *wanted[i].out = 0;
    }
    p->has_clusters = clusters != 0 && api->launch_kernel_ex != NULL;
    if (api->device_get_name(p->name, (int)sizeof p->name, device->id) != CUDA_SUCCESS_CODE)
        snprintf(p->name, sizeof p->name, "unnamed device");
    p->name[sizeof p->name - 1] = 0;
    if (api->device_total_mem(&bytes, device->id) == CUDA_SUCCESS_CODE)
        p->memory_bytes = bytes;
    (void)api->driver_get_version(&p->driver_version);
    snprintf(device->words, sizeof device->words, "%s, sm_%d%d, %d multiprocessors", p->name,
             p->major, p->minor, p->multiprocessors);
    return PRNN_OK;
}

/* All of a device but its context; *count is set as soon as it is known. */
static prnn_status device_find(struct cuda_device *device, int *count, int ordinal)
{
    const struct cuda_api *api = dynload_cuda();
    cuda_result code;
    *count = 0;
    if (!api)
        return status_set(PRNN_E_BACKEND, "%s", dynload_cuda_found()->missing);
    device->api = api;
    device->properties.ordinal = ordinal;
    device->process = getpid();
    if ((code = api->init(0)) != CUDA_SUCCESS_CODE)
        return cuda_device_failed(device, code, "cuInit");
    if ((code = api->device_get_count(count)) != CUDA_SUCCESS_CODE) {
        *count = 0;
        return cuda_device_failed(device, code, "cuDeviceGetCount");
    }
    if (ordinal < 0 || ordinal >= *count)
        return status_set(PRNN_E_BACKEND, "no device cuda:%d, the driver shows %d", ordinal,
                          *count);
    if ((code = api->device_get(&device->id, ordinal)) != CUDA_SUCCESS_CODE)
        return cuda_device_failed(device, code, "cuDeviceGet");
    return properties_get(device);
}

prnn_status cuda_device_probe(struct cuda_properties *out, int *count, int ordinal)
{
    struct cuda_device device = {0};
    prnn_status status = device_find(&device, count, ordinal);
    *out = device.properties;
    return status;
}

prnn_status cuda_device_open(struct cuda_device **out, int ordinal)
{
    int count;
    *out = NULL;
    struct cuda_device *device = calloc(1, sizeof *device);
    if (!device)
        return status_set(PRNN_E_NOMEM, "device cuda:%d", ordinal);
    prnn_status status = device_find(device, &count, ordinal);
    if (status == PRNN_OK) {
        cuda_result code = device->api->primary_ctx_retain(&device->context, device->id);
        if (code != CUDA_SUCCESS_CODE)
            status = cuda_device_failed(device, code, "cuDevicePrimaryCtxRetain");
    }
    if (status < 0) {
        free(device);
        return status;
    }
    *out = device;
    return status;
}

void cuda_device_close(struct cuda_device *device)
{
    if (!device)
        return;
    if (device->process == getpid())
        (void)device->api->primary_ctx_release(device->id);
    free(atomic_load(&device->clusters));
    free(device);
}

const struct cuda_clusters *cuda_device_clusters(const struct cuda_device *device)
{
    return atomic_load(&device->clusters);
}

const struct cuda_clusters *cuda_device_keep_clusters(struct cuda_device *device,
                                                      struct cuda_clusters *clusters)
{
    struct cuda_clusters *kept = NULL;
    if (atomic_compare_exchange_strong(&device->clusters, &kept, clusters))
        return clusters;
    free(clusters);
    return kept;
}

const struct cuda_properties *cuda_device_properties(const struct cuda_device *device)
{
    return &device->properties;
}

const char *cuda_device_describe(const struct cuda_device *device)
{
    return device->words;
}

const struct cuda_api *cuda_device_api(const struct cuda_device *device)
{
    return device->api;
}

static cuda_pointer pointer_of(const void *memory)
{
    return (cuda_pointer)(uintptr_t)memory;
}

prnn_status cuda_memory_alloc(struct cuda_device *device, void **out, size_t size)
{
    cuda_pointer pointer = 0;
    prnn_status status;
    *out = NULL;
    if (size == 0)
        return PRNN_OK;
    if ((status = cuda_device_enter(device)) < 0)
        return status;
    cuda_result code = device->api->mem_alloc(&pointer, size);
    cuda_device_leave(device);
    if (code == CUDA_OUT_OF_MEMORY)
        return status_set(PRNN_E_NOMEM, "cuda:%d has no %zu bytes left", device->properties.ordinal,
                          size);
    if (code != CUDA_SUCCESS_CODE)
        return cuda_device_failed(device, code, "cuMemAlloc");
    *out = (void *)(uintptr_t)pointer;
    return PRNN_OK;
}

void cuda_memory_free(struct cuda_device *device, void *memory)
{
    if (!memory || !cuda_device_enter_quietly(device))
        return;
    cuda_result code = device->api->mem_free(pointer_of(memory));
    if (is_sticky(code))
        (void)cuda_device_failed(device, code, "cuMemFree");
    cuda_device_leave(device);
}

/* Waiting in a stream that is being captured would spoil the capture. */
static prnn_status wait_entered(struct cuda_device *device, cuda_stream stream, const char *what)
{
    cuda_result code = device->api->stream_synchronize(stream);
    return code == CUDA_SUCCESS_CODE ? PRNN_OK : cuda_device_failed(device, code, what);
}

static prnn_status capture_refuse(struct cuda_device *device, cuda_stream stream)
{
    int capturing = 0;
    if (stream && device->api->stream_is_capturing &&
        device->api->stream_is_capturing(stream, &capturing) == CUDA_SUCCESS_CODE && capturing)
        return status_set(PRNN_E_INVALID,
                          "the stream is being captured, and this call waits for it");
    return PRNN_OK;
}

prnn_status cuda_memory_upload(struct cuda_device *device, void *memory, const void *host,
                               size_t size, void *stream)
{
    prnn_status status;
    if (size == 0)
        return PRNN_OK;
    if ((status = cuda_device_enter(device)) < 0)
        return status;
    if ((status = capture_refuse(device, stream)) == PRNN_OK) {
        cuda_result code =
            device->api->copy_to_device(pointer_of(memory), host, size, (cuda_stream)stream);
        status = code == CUDA_SUCCESS_CODE ? wait_entered(device, stream, "copy to the device")
                                           : cuda_device_failed(device, code, "cuMemcpyHtoDAsync");
    }
    cuda_device_leave(device);
    return status;
}

prnn_status cuda_memory_download(struct cuda_device *device, void *host, const void *memory,
                                 size_t size, void *stream)
{
    prnn_status status;
    if (size == 0)
        return PRNN_OK;
    if ((status = cuda_device_enter(device)) < 0)
        return status;
    if ((status = capture_refuse(device, stream)) == PRNN_OK) {
        cuda_result code =
            device->api->copy_from_device(host, pointer_of(memory), size, (cuda_stream)stream);
        status = code == CUDA_SUCCESS_CODE ? wait_entered(device, stream, "copy from the device")
                                           : cuda_device_failed(device, code, "cuMemcpyDtoHAsync");
    }
    cuda_device_leave(device);
    return status;
}

prnn_status cuda_stream_wait(struct cuda_device *device, void *stream)
{
    prnn_status status = cuda_device_enter(device);
    if (status < 0)
        return status;
    if ((status = capture_refuse(device, stream)) == PRNN_OK)
        status = wait_entered(device, stream, "waiting for the stream");
    cuda_device_leave(device);
    return status;
}
