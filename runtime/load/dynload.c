#include "dynload.h"

#include <assert.h>
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static_assert(sizeof(struct cuda_launch_attribute) == 72, "as CUlaunchAttribute");
static_assert(offsetof(struct cuda_launch_attribute, value) == 8, "as CUlaunchAttribute");
static_assert(sizeof(struct cuda_launch_config) == 56, "as CUlaunchConfig");

static struct {
    pthread_once_t once;
    struct cuda_api api;
    struct dynload_found found;
} cuda = {.once = PTHREAD_ONCE_INIT};

static struct {
    pthread_once_t once;
    struct nvrtc_api api;
    struct dynload_found found;
} nvrtc = {.once = PTHREAD_ONCE_INIT};

__attribute__((format(printf, 2, 3))) static void missing_add(struct dynload_found *found,
                                                              const char *format, ...)
{
    size_t used = strlen(found->missing);
    va_list args;
    va_start(args, format);
    vsnprintf(found->missing + used, sizeof found->missing - used, format, args);
    va_end(args);
}

static void *open_noted(struct dynload_found *found, const char *name)
{
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *words = dlerror();
        missing_add(found, "; %s", words ? words : name);
    }
    return handle;
}

/* Where the loader has found it, and which file that is today. */
static void found_describe(struct dynload_found *found, void *handle)
{
    struct link_map *map = NULL;
    char resolved[PATH_MAX];
    struct stat info;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || !map || !map->l_name)
        return;
    const char *path = realpath(map->l_name, resolved) ? resolved : map->l_name;
    snprintf(found->path, sizeof found->path, "%s", path);
    if (stat(path, &info) == 0) {
        found->bytes = info.st_size;
        found->seconds = info.st_mtim.tv_sec;
        found->nanoseconds = info.st_mtim.tv_nsec;
    }
}

/* A pointer to a function that dlsym() gives as a pointer to an object. */
static bool symbol_get(void *field, void *handle, const char *name)
{
    void *address = dlsym(handle, name);
    memcpy(field, &address, sizeof address);
    return address != NULL;
}

static void cuda_load(void)
{
    enum { OPTIONAL, NEEDED };
    missing_add(&cuda.found, "the CUDA driver (libcuda.so.1) is not there");
    void *handle = open_noted(&cuda.found, "libcuda.so.1");
    if (!handle)
        return;
    found_describe(&cuda.found, handle);
    const char *lacks = NULL;
#define CUDA_API(field, symbol, need, arguments)                                                   \
    if (!symbol_get(&cuda.api.field, handle, symbol) && (need) == NEEDED)                          \
        lacks = symbol;
#include "cuda_api.def"
#undef CUDA_API
    /* Never closed, not even when it is of no use: drivers do not like to be unloaded. */
    cuda.found.is_there = lacks == NULL;
    cuda.found.missing[0] = 0;
    if (lacks)
        missing_add(&cuda.found, "the CUDA driver '%s' has no '%s': too old", cuda.found.path,
                    lacks);
}

static void *nvrtc_open(struct dynload_found *found)
{
    static const char *const names[] = {"libnvrtc.so.13", "libnvrtc.so.12", NULL};
    const char *const places[] = {secure_getenv("CUDA_PATH"), "/usr/local/cuda", NULL};
    const char *wanted = secure_getenv("PARARNNC_NVRTC");
    char path[PATH_MAX];
    void *handle;

    if (wanted && strcmp(wanted, "none") == 0) {
        missing_add(found, ": PARARNNC_NVRTC is 'none'");
        return NULL;
    }
    if (wanted && wanted[0]) /* said by the user: nothing else will do */
        return open_noted(found, wanted);
    for (size_t i = 0; names[i]; i++)
        if ((handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD)) != NULL)
            return handle;
    for (size_t i = 0; names[i]; i++)
        if ((handle = open_noted(found, names[i])) != NULL)
            return handle;
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; places[p] && places[p][0] == '/' && names[i]; i++) {
            int size = snprintf(path, sizeof path, "%s/lib64/%s", places[p], names[i]);
            if (size > 0 && (size_t)size < sizeof path &&
                (handle = open_noted(found, path)) != NULL)
                return handle;
        }
    return NULL;
}

/* NVRTC opens its builtins by their bare name when it compiles. From the same folder, or another
 * toolkit's might be found first, or none. */
static void builtins_preload(const struct dynload_found *found)
{
    int major = 0, minor = 0;
    char path[sizeof found->path + 64];
    const char *slash = strrchr(found->path, '/');
    if (!slash || nvrtc.api.version(&major, &minor) != 0)
        return;
    snprintf(path, sizeof path, "%.*s/libnvrtc-builtins.so.%d.%d", (int)(slash - found->path),
             found->path, major, minor);
    /* Not there: NVRTC may still find it, and says what is missing if not. */
    (void)dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static void nvrtc_load(void)
{
    missing_add(&nvrtc.found, "NVRTC (libnvrtc.so.13 or .12) is not there");
    void *handle = nvrtc_open(&nvrtc.found);
    if (!handle)
        return;
    found_describe(&nvrtc.found, handle);
    const char *lacks = NULL;
#define NVRTC_API(field, symbol, result, arguments)                                                \
    if (!symbol_get(&nvrtc.api.field, handle, symbol))                                             \
        lacks = symbol;
#include "nvrtc_api.def"
#undef NVRTC_API
    nvrtc.found.is_there = lacks == NULL;
    nvrtc.found.missing[0] = 0;
    if (lacks)
        missing_add(&nvrtc.found, "NVRTC '%s' has no '%s': version 12 or later is needed",
                    nvrtc.found.path, lacks);
    else
        builtins_preload(&nvrtc.found);
}

const struct cuda_api *dynload_cuda(void)
{
    pthread_once(&cuda.once, cuda_load);
    return cuda.found.is_there ? &cuda.api : NULL;
}

const struct dynload_found *dynload_cuda_found(void)
{
    (void)dynload_cuda();
    return &cuda.found;
}

const struct nvrtc_api *dynload_nvrtc(void)
{
    pthread_once(&nvrtc.once, nvrtc_load);
    return nvrtc.found.is_there ? &nvrtc.api : NULL;
}

const struct dynload_found *dynload_nvrtc_found(void)
{
    (void)dynload_nvrtc();
    return &nvrtc.found;
}
