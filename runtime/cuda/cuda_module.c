#include "cuda_module.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file_limit.h"
#include "launch_args.h"
#include "nvrtc.h"
#include "status.h"

enum { MODULES_MAX = 8, SHARED_WITHOUT_ASKING = 48 << 10, PORTABLE_CLUSTER = 8 };

static bool file_write(const char *path, const char *text, size_t length)
{
    if (!file_limit_allows(length))
        return false;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool fine = true;
    while (fine && length > 0) {
        ssize_t done = write(file, text, length);
        fine = done > 0 || (done < 0 && errno == EINTR);
        if (done > 0) {
            text += done;
            length -= (size_t)done;
        }
    }
    close(file);
    return fine;
}

/* A text that NVRTC rejects is our fault: it is kept for the report, readable by the user alone. */
static prnn_status rejected_keep(const struct nvrtc_request *request, const char *log,
                                 struct cache *cache)
{
    char folder[4096], path[4200];
    bool kept = cache_scratch(cache, folder, sizeof folder);
    if (kept) {
        snprintf(path, sizeof path, "%s/kernel.cu", folder);
        kept = file_write(path, request->text, request->length);
        snprintf(path, sizeof path, "%s/kernel.log", folder);
        kept = file_write(path, log, strlen(log)) && kept;
    }
    return status_set(PRNN_E_INTERNAL,
                      "NVRTC rejects a text of this library, please report it with the files in "
                      "'%s': %s",
                      kept ? folder : "(could not be written)", log);
}

static prnn_status nvrtc_failed(const struct nvrtc_request *request,
                                const struct nvrtc_result *result, struct cache *cache)
{
    const char *log = result->log ? result->log : "no words from NVRTC";
    switch (result->status) {
    case NVRTC_REJECTED:
        assert(request);
        return rejected_keep(request, log, cache);
    case NVRTC_UNSUPPORTED:
        return status_set(PRNN_E_UNSUPPORTED, "%s", log);
    case NVRTC_NOMEM:
        return status_set(PRNN_E_NOMEM, "%s", log);
    case NVRTC_OK:
    case NVRTC_MISSING:
    case NVRTC_TROUBLE:
        break;
    }
    return status_set(PRNN_E_BACKEND, "%s", log);
}

/* The whole launch argument is one kernel parameter: 4 KiB of them is what every driver takes,
 * since CUDA 12.1 and compute capability 7.0 it is 32764 bytes. */
static prnn_status argument_check(const struct cuda_device *device, uint32_t count)
{
    const struct cuda_properties *p = cuda_device_properties(device);
    const size_t limit = p->driver_version >= 12010 && p->major >= 7 ? 32764 : 4096;
    const size_t bytes = launch_bytes(count);
    if (bytes <= limit)
        return PRNN_OK;
    return status_set(PRNN_E_LIMIT,
                      "the kernel takes %u tensors, that is %zu bytes of arguments; this driver "
                      "takes %zu",
                      count, bytes, limit);
}

/* A launch of so many thread blocks in clusters. 'attribute' is the room for one. */
static struct cuda_launch_config cluster_config(const struct cuda_entry *entry, uint32_t grid,
                                                struct cuda_launch_attribute *attribute)
{
    *attribute = (struct cuda_launch_attribute){.id = CUDA_LAUNCH_CLUSTER_DIMENSION};
    attribute->value.cluster.x = entry->cluster;
    attribute->value.cluster.y = attribute->value.cluster.z = 1;
    return (struct cuda_launch_config){.grid_x = grid,
                                       .grid_y = 1,
                                       .grid_z = 1,
                                       .block_x = entry->threads,
                                       .block_y = 1,
                                       .block_z = 1,
                                       .shared_bytes = entry->shared_bytes,
                                       .attributes = attribute,
                                       .attribute_count = 1};
}

cuda_result cuda_entry_fitting(struct cuda_device *device, const struct cuda_entry *entry,
                               int *count)
{
    const struct cuda_api *api = cuda_device_api(device);
    *count = 0;
    if (entry->cluster > 1 && api->max_active_clusters) {
        struct cuda_launch_attribute attribute;
        const struct cuda_launch_config config = cluster_config(entry, entry->cluster, &attribute);
        return api->max_active_clusters(count, entry->function, &config);
    }
    return api->max_active_blocks(count, entry->function, (int)entry->threads, entry->shared_bytes);
}

/* Every launch setting is made now, and the driver is asked whether one thread block can run at
 * all: a launch must not be where that is found out. */
static prnn_status entry_prepare(struct cuda_entry *entry, const struct cuda_compiled *module,
                                 struct cuda_device *device, const char *name)
{
    const struct cuda_api *api = cuda_device_api(device);
    const struct cuda_properties *p = cuda_device_properties(device);
    cuda_result code;
    int fitting;

    snprintf(entry->name, sizeof entry->name, "%s", name);
    if (entry->threads > 1024)
        return status_set(PRNN_E_LIMIT, "'%s' has %u threads a thread block, a device takes 1024",
                          name, entry->threads);
    if (entry->cluster > 1 && !p->has_clusters)
        return status_set(PRNN_E_UNSUPPORTED,
                          "'%s' wants clusters of %u thread blocks, which %s cannot form", name,
                          entry->cluster, cuda_device_describe(device));
    if (entry->shared_bytes > (uint32_t)p->shared_optin &&
        entry->shared_bytes > (uint32_t)SHARED_WITHOUT_ASKING)
        return status_set(PRNN_E_LIMIT, "'%s' needs %u bytes of shared memory, the device has %d",
                          name, entry->shared_bytes, p->shared_optin);
    if ((code = api->module_get_function(&entry->function, module->handle, name)) !=
        CUDA_SUCCESS_CODE)
        return cuda_device_failed(device, code, name);
    /* Modules are loaded lazily; a first launch that loads would not be fit for capture. */
    if (api->func_load && (code = api->func_load(entry->function)) != CUDA_SUCCESS_CODE)
        return cuda_device_failed(device, code, name);
    if (entry->shared_bytes > (uint32_t)SHARED_WITHOUT_ASKING &&
        (code = api->func_set_attribute(entry->function, CUDA_FUNC_MAX_DYNAMIC_SHARED,
                                        (int)entry->shared_bytes)) != CUDA_SUCCESS_CODE)
        return cuda_device_failed(device, code, "setting the shared memory of a kernel");
    if (entry->cluster > PORTABLE_CLUSTER &&
        (code = api->func_set_attribute(entry->function, CUDA_FUNC_CLUSTER_NON_PORTABLE, 1)) !=
            CUDA_SUCCESS_CODE)
        return cuda_device_failed(device, code, "allowing a cluster of more than 8 thread blocks");
    (void)api->func_get_attribute(&entry->registers, CUDA_FUNC_REGISTERS, entry->function);
    (void)api->func_get_attribute(&entry->local_bytes, CUDA_FUNC_LOCAL_BYTES, entry->function);

    code = cuda_entry_fitting(device, entry, &fitting);
    if (code != CUDA_SUCCESS_CODE)
        return cuda_device_failed(device, code, "asking whether a kernel fits");
    if (fitting < 1)
        return status_set(PRNN_E_LIMIT,
                          "'%s' does not fit on the device: %u threads, %d registers, %u bytes of "
                          "shared memory, cluster of %u",
                          name, entry->threads, entry->registers, entry->shared_bytes,
                          entry->cluster);
    return PRNN_OK;
}

static bool is_refused_image(cuda_result code)
{
    return code == CUDA_INVALID_IMAGE || code == CUDA_NO_BINARY_FOR_GPU || code == CUDA_INVALID_PTX;
}

static prnn_status module_load(struct cuda_compiled *module, struct cuda_device *device,
                               const struct backend_text *text, struct nvrtc_result *result,
                               const struct nvrtc_request *request, struct cache *cache)
{
    const struct cuda_api *api = cuda_device_api(device);
    prnn_status status;
    cuda_result code = api->module_load_data(&module->handle, result->image);
    if (is_refused_image(code) && result->from_cache) {
        /* Whole and of our making, yet not for this driver: once more, then it is an error. */
        nvrtc_result_free(result);
        if (nvrtc_compile_again(result, request, cache) != NVRTC_OK)
            return nvrtc_failed(request, result, cache);
        code = api->module_load_data(&module->handle, result->image);
    }
    if (code != CUDA_SUCCESS_CODE) {
        char what[256];
        struct nvrtc_info info = {0};
        const int driver = cuda_device_properties(device)->driver_version;
        module->handle = NULL;
        (void)nvrtc_info_get(&info);
        snprintf(what, sizeof what, "loading '%.96s' (%s by NVRTC %d.%d, driver for CUDA %d.%d)",
                 request->label, request->arch, info.major, info.minor, driver / 1000,
                 driver % 1000 / 10);
        return cuda_device_failed(device, code, what);
    }
    module->from_cache = result->from_cache;
    module->seconds = result->seconds;
    for (uint32_t i = 0; i < result->usage_count; i++)
        module->spill_bytes +=
            result->usage[i].spill_store_bytes + result->usage[i].spill_load_bytes;
    if ((status = entry_prepare(&module->main, module, device, text->entry)) < 0)
        return status;
    if (text->reduce_entry)
        status = entry_prepare(&module->reduce, module, device, text->reduce_entry);
    return status;
}

prnn_status cuda_modules_load(struct cuda_compiled *modules, struct cuda_device *device,
                              const struct backend_text *const *texts, const uint32_t *arguments,
                              size_t count, uint32_t reduce_threads, uint32_t reduce_shared,
                              struct cache *cache)
{
    const struct cuda_properties *p = cuda_device_properties(device);
    struct nvrtc_request requests[MODULES_MAX];
    struct nvrtc_result results[MODULES_MAX] = {0};
    size_t places[MODULES_MAX], wanted = 0;
    prnn_status status = PRNN_OK;
    char arch[24], *log = NULL;

    struct nvrtc_result target = {.status = nvrtc_arch(arch, p->major, p->minor, &log)};
    if (target.status != NVRTC_OK) {
        target.log = log;
        status = nvrtc_failed(NULL, &target, cache);
        nvrtc_result_free(&target);
        return status;
    }
    for (size_t i = 0; i < count && i < MODULES_MAX; i++) {
        if (!texts[i])
            continue;
        if ((status = argument_check(device, arguments[i])) < 0)
            return status;
        modules[i].main.threads = texts[i]->threads;
        modules[i].main.shared_bytes = texts[i]->shared_bytes;
        modules[i].main.cluster = texts[i]->cluster > 1 ? texts[i]->cluster : 1;
        modules[i].reduce.threads = reduce_threads;
        modules[i].reduce.shared_bytes = reduce_shared;
        modules[i].reduce.cluster = 1;
        requests[wanted] = (struct nvrtc_request){.text = texts[i]->text,
                                                  .length = texts[i]->length,
                                                  .arch = arch,
                                                  .label = texts[i]->entry};
        places[wanted++] = i;
    }
    (void)nvrtc_compile(results, requests, wanted, cache);
    for (size_t i = 0; i < wanted && status == PRNN_OK; i++)
        if (results[i].status != NVRTC_OK)
            status = nvrtc_failed(&requests[i], &results[i], cache);
    if (status == PRNN_OK && (status = cuda_device_enter(device)) == PRNN_OK) {
        for (size_t i = 0; i < wanted && status == PRNN_OK; i++)
            status = module_load(&modules[places[i]], device, texts[places[i]], &results[i],
                                 &requests[i], cache);
        cuda_device_leave(device);
    }
    for (size_t i = 0; i < wanted; i++)
        nvrtc_result_free(&results[i]);
    return status;
}

void cuda_modules_unload(struct cuda_compiled *modules, size_t count, struct cuda_device *device)
{
    bool some_loaded = false;
    for (size_t i = 0; i < count; i++)
        some_loaded = some_loaded || modules[i].handle;
    /* A lost context has nothing left to unload. */
    if (!some_loaded || !cuda_device_enter_quietly(device))
        return;
    for (size_t i = 0; i < count; i++)
        if (modules[i].handle)
            (void)cuda_device_api(device)->module_unload(modules[i].handle);
    cuda_device_leave(device);
    for (size_t i = 0; i < count; i++)
        modules[i] = (struct cuda_compiled){0};
}

prnn_status cuda_entry_launch(struct cuda_device *device, const struct cuda_entry *entry,
                              uint32_t grid, void *argument, cuda_stream stream)
{
    const struct cuda_api *api = cuda_device_api(device);
    void *params[] = {argument};
    cuda_result code;
    if (grid == 0)
        return PRNN_OK;
    if (entry->cluster > 1) {
        struct cuda_launch_attribute attribute;
        struct cuda_launch_config config = cluster_config(entry, grid, &attribute);
        config.stream = stream;
        code = api->launch_kernel_ex(&config, entry->function, params, NULL);
    } else {
        code = api->launch_kernel(entry->function, grid, 1, 1, entry->threads, 1, 1,
                                  entry->shared_bytes, stream, params, NULL);
    }
    return code == CUDA_SUCCESS_CODE ? PRNN_OK : cuda_device_failed(device, code, entry->name);
}
