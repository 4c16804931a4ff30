#include "nvrtc.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dynload.h"

/* Measured: NVRTC ends in a segmentation fault on deeply nested text with 8 MiB. */
#define NVRTC_STACK_BYTES ((size_t)64 << 20)

enum {
    CODE_SUCCESS = 0,
    CODE_OUT_OF_MEMORY = 1,
    CODE_INVALID_OPTION = 5,
    CODE_COMPILATION = 6,
    CODE_BUILTINS = 7
};

static const char *const nvrtc_options[] = {"-default-device", "--std=c++17", "--fmad=false",
                                            "--ptxas-options=-v"};
#define NVRTC_OPTIONS (sizeof nvrtc_options / sizeof nvrtc_options[0])

/* What the cache keeps of a result: this head, then the image. */
struct stored {
    uint32_t usage_count, reserved;
    struct nvrtc_usage usage[NVRTC_KERNELS_MAX];
};

__attribute__((format(printf, 2, 3))) static void log_write(char **log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (vasprintf(log, format, args) < 0)
        *log = NULL;
    va_end(args);
}

bool nvrtc_info_get(struct nvrtc_info *info)
{
    const struct nvrtc_api *api = dynload_nvrtc();
    int count = 0, archs[256];
    *info = (struct nvrtc_info){0};
    if (!api || api->version(&info->major, &info->minor) != CODE_SUCCESS) {
        info->major = info->minor = 0;
        return false;
    }
    if (api->arch_count(&count) == CODE_SUCCESS && count > 0 &&
        (size_t)count <= sizeof archs / sizeof archs[0] && api->archs(archs) == CODE_SUCCESS)
        for (int i = 0; i < count; i++)
            if (info->arch_count < sizeof info->archs / sizeof info->archs[0])
                info->archs[info->arch_count++] = archs[i];
    return true;
}

enum nvrtc_status nvrtc_arch(char arch[24], int major, int minor, char **log)
{
    const int device = 10 * major + minor;
    struct nvrtc_info info;
    int best = 0, lowest = 0;

    *log = NULL;
    if (!dynload_nvrtc()) {
        log_write(log, "%s", dynload_nvrtc_found()->missing);
        return NVRTC_MISSING;
    }
    if (!nvrtc_info_get(&info) || info.arch_count == 0) {
        log_write(log, "NVRTC '%s' does not tell its %s", dynload_nvrtc_found()->path,
                  info.major == 0 ? "version" : "architectures");
        return NVRTC_TROUBLE;
    }
    for (size_t i = 0; i < info.arch_count; i++) {
        if (info.archs[i] <= device && info.archs[i] > best)
            best = info.archs[i];
        if (lowest == 0 || info.archs[i] < lowest)
            lowest = info.archs[i];
    }
    if (best == 0) {
        log_write(log,
                  "NVRTC %d.%d makes nothing for compute capability %d.%d, its oldest is %d.%d",
                  info.major, info.minor, major, minor, lowest / 10, lowest % 10);
        return NVRTC_UNSUPPORTED;
    }
    snprintf(arch, 24, "%s_%d", best == device ? "sm" : "compute", best);
    return NVRTC_OK;
}

static struct cache_key key_make(const struct nvrtc_request *request)
{
    const struct dynload_found *found = dynload_nvrtc_found();
    struct nvrtc_info info;
    char options[256] = "";
    size_t used = 0;
    (void)nvrtc_info_get(&info);
    for (size_t i = 0; i < NVRTC_OPTIONS; i++)
        used += (size_t)snprintf(options + used, sizeof options - used, "%s ", nvrtc_options[i]);
    /* The version lacks the patch level, so the file itself is looked at as well. Not its path: the
     * same file may be reached in several ways. */
    const int64_t tool[5] = {info.major, info.minor, found->bytes, found->seconds,
                             found->nanoseconds};
    const struct cache_part parts[] = {
        {"kind", "cuda", 4},
        {"text", request->text, request->length},
        {"arch", request->arch, strlen(request->arch)},
        {"options", options, used},
        {"nvrtc", tool, sizeof tool},
    };
    return cache_key_make(parts, sizeof parts / sizeof parts[0]);
}

/* The number before 'what' in a line, as in "Used 32 registers, used 1 barriers". */
static bool number_before(const char *line, size_t length, const char *what, uint32_t *out)
{
    const size_t size = strlen(what);
    for (size_t i = 1; i + size <= length; i++) {
        if (memcmp(line + i, what, size) != 0 || line[i - 1] < '0' || line[i - 1] > '9')
            continue;
        uint32_t value = 0, place = 1;
        for (size_t j = i; j > 0 && line[j - 1] >= '0' && line[j - 1] <= '9'; j--) {
            value += place * (uint32_t)(line[j - 1] - '0');
            place *= 10;
        }
        *out = value;
        return true;
    }
    return false;
}

/* Figures of ptxas, kernel by kernel. Its words are no interface; what is not found stays 0. */
static void usage_parse(struct nvrtc_result *result, const char *log)
{
    static const char begin[] = "Compiling entry function '";
    struct nvrtc_usage *usage = NULL;
    for (const char *line = log; *line;) {
        size_t length = strcspn(line, "\n");
        const char *entry = strstr(line, begin);
        if (entry && entry < line + length && result->usage_count < NVRTC_KERNELS_MAX) {
            const char *name = entry + sizeof begin - 1;
            size_t size = strcspn(name, "'\n");
            usage = &result->usage[result->usage_count++];
            size = size < NVRTC_NAME_MAX ? size : NVRTC_NAME_MAX;
            memcpy(usage->kernel, name, size);
            usage->kernel[size] = 0;
        } else if (usage) {
            (void)number_before(line, length, " registers", &usage->registers);
            (void)number_before(line, length, " barriers", &usage->barriers);
            (void)number_before(line, length, " bytes stack frame", &usage->stack_bytes);
            (void)number_before(line, length, " bytes spill stores", &usage->spill_store_bytes);
            (void)number_before(line, length, " bytes spill loads", &usage->spill_load_bytes);
            (void)number_before(line, length, " bytes smem", &usage->shared_bytes);
        }
        line += length + (line[length] == '\n');
    }
}

static char *log_get(const struct nvrtc_api *api, nvrtc_program program)
{
    size_t size = 0;
    char *log = NULL;
    if (api->log_size(program, &size) == CODE_SUCCESS && (log = malloc(size + 1)) != NULL) {
        log[0] = log[size] = 0;
        if (size > 0 && api->log(program, log) != CODE_SUCCESS)
            log[0] = 0;
    }
    return log;
}

static enum nvrtc_status status_of(nvrtc_code code)
{
    switch (code) {
    case CODE_SUCCESS:
        return NVRTC_OK;
    case CODE_OUT_OF_MEMORY:
        return NVRTC_NOMEM;
    case CODE_COMPILATION:
        return NVRTC_REJECTED;
    case CODE_BUILTINS:
        return NVRTC_MISSING;
    case CODE_INVALID_OPTION: /* of all options only the architecture is not fixed */
        return NVRTC_UNSUPPORTED;
    default:
        return NVRTC_TROUBLE;
    }
}

static nvrtc_code image_get(struct nvrtc_result *result, const struct nvrtc_api *api,
                            nvrtc_program program, bool is_cubin)
{
    size_t size = 0;
    nvrtc_code code = is_cubin ? api->cubin_size(program, &size) : api->ptx_size(program, &size);
    if (code != CODE_SUCCESS)
        return code;
    if (!(result->image = malloc(size > 0 ? size : 1)))
        return CODE_OUT_OF_MEMORY;
    result->size = size;
    return is_cubin ? api->cubin(program, result->image) : api->ptx(program, result->image);
}

/* On a thread with a large stack. */
static void compile_now(struct nvrtc_result *result, const struct nvrtc_request *request)
{
    const struct nvrtc_api *api = dynload_nvrtc();
    const bool is_cubin = strncmp(request->arch, "sm_", 3) == 0;
    const char *options[NVRTC_OPTIONS + 1];
    char arch[40], *log = NULL;
    struct timespec begin, end;
    nvrtc_program program = NULL;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    memcpy(options, nvrtc_options, sizeof nvrtc_options);
    snprintf(arch, sizeof arch, "-arch=%s", request->arch);
    options[NVRTC_OPTIONS] = arch;
    /* A fixed name: messages carry no path, and the same text gives the same cubin. */
    nvrtc_code code = api->create(&program, request->text, "kernel.cu", 0, NULL, NULL);
    if (code == CODE_SUCCESS)
        code = api->compile(program, (int)NVRTC_OPTIONS + 1, options);
    if (program)
        log = log_get(api, program);
    if (code == CODE_SUCCESS)
        code = image_get(result, api, program, is_cubin);
    if (program)
        (void)api->destroy(&program);
    clock_gettime(CLOCK_MONOTONIC, &end);

    result->seconds =
        (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    result->status = status_of(code);
    if (code == CODE_SUCCESS) {
        if (log)
            usage_parse(result, log);
    } else {
        log_write(&result->log, "NVRTC for '%s' (%s): %s\n%s", request->label, request->arch,
                  api->get_error_string(code), log ? log : "");
        free(result->image);
        result->image = NULL;
        result->size = 0;
    }
    free(log);
}

static bool stored_get(struct nvrtc_result *result, const struct cache_key *key,
                       struct cache *cache)
{
    void *data;
    size_t size;
    struct stored head;
    if (!cache_get(cache, key, &data, &size))
        return false;
    if (size < sizeof head ||
        (memcpy(&head, data, sizeof head), head.usage_count) > NVRTC_KERNELS_MAX) {
        free(data);
        return false;
    }
    memmove(data, (char *)data + sizeof head, size - sizeof head);
    result->image = data;
    result->size = size - sizeof head;
    result->usage_count = head.usage_count;
    memcpy(result->usage, head.usage, sizeof result->usage);
    for (uint32_t i = 0; i < NVRTC_KERNELS_MAX; i++)
        result->usage[i].kernel[NVRTC_NAME_MAX] = 0;
    result->from_cache = true;
    return true;
}

static void stored_put(const struct nvrtc_result *result, const struct nvrtc_request *request,
                       const struct cache_key *key, struct cache *cache)
{
    struct stored head = {.usage_count = result->usage_count};
    char label[CACHE_LABEL_MAX + 1];
    char *data = malloc(sizeof head + result->size);
    if (!data)
        return;
    memcpy(head.usage, result->usage, sizeof head.usage);
    memcpy(data, &head, sizeof head);
    memcpy(data + sizeof head, result->image, result->size);
    snprintf(label, sizeof label, "%s %s", request->arch, request->label);
    (void)cache_put(cache, key, label, data, sizeof head + result->size);
    free(data);
}

/* The compilations of one call: threads take the next one until none is left. */
struct batch {
    struct nvrtc_result *results;
    const struct nvrtc_request *requests;
    size_t count;
    struct cache *cache;
    bool is_again;
    atomic_size_t next;
};

static void *batch_work(void *argument)
{
    struct batch *batch = argument;
    for (;;) {
        size_t i = atomic_fetch_add(&batch->next, 1);
        if (i >= batch->count)
            return NULL;
        if (batch->results[i].image)
            continue; /* from the cache */
        compile_now(&batch->results[i], &batch->requests[i]);
        if (batch->results[i].status == NVRTC_OK && batch->results[i].image && batch->cache) {
            const struct cache_key key = key_make(&batch->requests[i]);
            stored_put(&batch->results[i], &batch->requests[i], &key, batch->cache);
        }
    }
}

static bool thread_start(pthread_t *thread, struct batch *batch)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool started = pthread_attr_setstacksize(&attributes, NVRTC_STACK_BYTES) == 0 &&
                   pthread_create(thread, &attributes, batch_work, batch) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

static enum nvrtc_status batch_run(struct batch *batch)
{
    enum { THREADS_MAX = 16 };
    pthread_t threads[THREADS_MAX];
    size_t wanted = 0, started = 0;

    for (size_t i = 0; i < batch->count; i++) {
        batch->results[i] = (struct nvrtc_result){0};
        if (!dynload_nvrtc()) {
            batch->results[i].status = NVRTC_MISSING;
            log_write(&batch->results[i].log, "%s", dynload_nvrtc_found()->missing);
            continue;
        }
        const struct cache_key key = key_make(&batch->requests[i]);
        if (batch->is_again || !stored_get(&batch->results[i], &key, batch->cache))
            wanted++;
    }
    if (wanted > 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        size_t room = processors > 1 ? (size_t)processors : 1;
        room = room < THREADS_MAX ? room : THREADS_MAX;
        room = room < wanted ? room : wanted;
        while (started < room && thread_start(&threads[started], batch))
            started++;
        for (size_t i = 0; i < started; i++)
            pthread_join(threads[i], NULL);
        /* No thread could be made: none with the stack that is needed, so nothing is compiled. */
        for (size_t i = 0; started == 0 && i < batch->count; i++)
            if (!batch->results[i].image) {
                batch->results[i].status = NVRTC_NOMEM;
                log_write(&batch->results[i].log, "no thread with a stack of 64 MiB for NVRTC");
            }
    }
    for (size_t i = 0; i < batch->count; i++)
        if (batch->results[i].status != NVRTC_OK)
            return batch->results[i].status;
    return NVRTC_OK;
}

enum nvrtc_status nvrtc_compile(struct nvrtc_result *results, const struct nvrtc_request *requests,
                                size_t count, struct cache *cache)
{
    return batch_run(
        &(struct batch){.results = results, .requests = requests, .count = count, .cache = cache});
}

enum nvrtc_status nvrtc_compile_again(struct nvrtc_result *result,
                                      const struct nvrtc_request *request, struct cache *cache)
{
    return batch_run(&(struct batch){
        .results = result, .requests = request, .count = 1, .cache = cache, .is_again = true});
}

void nvrtc_result_free(struct nvrtc_result *result)
{
    free(result->image);
    free(result->log);
    *result = (struct nvrtc_result){0};
}
