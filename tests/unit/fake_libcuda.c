/* A driver for tests: counts, remembers and, when told to, fails. Memory is the host's, time is
 * made up, and of the kernels only prnn_compare does its work; prnn_forward reports that it took a
 * correction. Compiled by check_cuda_backend.c into a library of the driver's name; for tests of
 * the command line by their CMakeLists.txt, and told what to do by the environment:
 *
 *   FAKE_WRONG_THREADS=N   the last kernel before a comparison, if it had N threads, was wrong
 *   FAKE_FAIL=CALL         this function fails with code 700 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_libcuda.h"

#include "abi.h"

struct fake_state fake = {.fitting = 1, .has_clusters = 1, .devices = 2, .driver_version = 13000};
static double now_ms; /* the device's clock */
static unsigned last_threads;

static struct {
    char name[96];
} functions[64];
static int function_count;

/* Handles and memory that are alive; a device whose context is lost leaves some. */
enum { ALIVE_MAX = 8192 };
static uintptr_t alive[ALIVE_MAX];

static void alive_add(uintptr_t what)
{
    for (int i = 0; i < ALIVE_MAX; i++)
        if (!alive[i]) {
            alive[i] = what;
            return;
        }
    abort(); /* more than the table holds would be taken for misuse later */
}

static int alive_take(uintptr_t what)
{
    for (int i = 0; what && i < ALIVE_MAX; i++)
        if (alive[i] == what) {
            alive[i] = 0;
            return 1;
        }
    fake.misused++;
    return 0;
}

static void context_needed(void)
{
    fake.misused += fake.depth != 1;
}

/* The driver's answer to its next call: as the test wants it, and for ever the same once a context
 * is lost. */
static cuda_result answer(const char *name)
{
    const char *failing = getenv("FAKE_FAIL");
    strcpy(fake.last, name);
    if (failing && strcmp(failing, name) == 0)
        return 700;
    if (++fake.calls == fake.fail_at ||
        (fake.fails_on && fake.fail_at && fake.calls > fake.fail_at)) {
        if (fake.fail_code == 700 || fake.fail_code == 719)
            fake.lost = fake.fail_code;
        strcpy(fake.failed, name);
        return fake.fail_code;
    }
    return fake.lost;
}

#define CALL(name)                                                                                 \
    do {                                                                                           \
        const cuda_result told = answer(name);                                                     \
        if (told)                                                                                  \
            return told;                                                                           \
    } while (0)

cuda_result cuGetErrorName(cuda_result code, const char **out)
{
    *out = code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OF_A_TEST";
    return 0;
}

cuda_result cuGetErrorString(cuda_result code, const char **out)
{
    (void)code;
    *out = "words of the driver";
    return 0;
}

/* NVRTC looks for a driver too, and crashes on one that lacks this. */
cuda_result cuGetExportTable(const void **out, const void *id)
{
    (void)id;
    *out = NULL;
    return 801;
}

cuda_result cuInit(unsigned flags)
{
    (void)flags;
    CALL("cuInit");
    return 0;
}

cuda_result cuDriverGetVersion(int *out)
{
    CALL("cuDriverGetVersion");
    *out = fake.driver_version;
    return 0;
}

cuda_result cuDeviceGetCount(int *out)
{
    CALL("cuDeviceGetCount");
    *out = fake.devices;
    return 0;
}

cuda_result cuDeviceGet(cuda_device_id *out, int ordinal)
{
    CALL("cuDeviceGet");
    *out = ordinal;
    return 0;
}

cuda_result cuDeviceGetName(char *out, int size, cuda_device_id id)
{
    (void)id;
    CALL("cuDeviceGetName");
    strncpy(out, "Fake GPU", (size_t)size);
    return 0;
}

cuda_result cuDeviceGetAttribute(int *out, int attribute, cuda_device_id id)
{
    (void)id;
    CALL("cuDeviceGetAttribute");
    *out = attribute == CUDA_DEVICE_MAJOR              ? 9
           : attribute == CUDA_DEVICE_MINOR            ? 0
           : attribute == CUDA_DEVICE_MULTIPROCESSORS  ? 132
           : attribute == CUDA_DEVICE_SHARED_OPTIN     ? 232448
           : attribute == CUDA_DEVICE_CLUSTER_LAUNCH   ? fake.has_clusters
           : attribute == CUDA_DEVICE_CLOCK_KHZ        ? 1980000
           : attribute == CUDA_DEVICE_MEMORY_CLOCK_KHZ ? 3201000
           : attribute == CUDA_DEVICE_MEMORY_BUS_BITS  ? 6016
           : attribute == CUDA_DEVICE_L2_BYTES         ? 60 << 20
           : attribute == CUDA_DEVICE_SHARED_SM        ? FAKE_SHARED_SM
           : attribute == CUDA_DEVICE_REGISTERS_SM     ? 65536
           : attribute == CUDA_DEVICE_MAX_THREADS_SM   ? 2048
                                                       : 1;
    return 0;
}

cuda_result cuDeviceTotalMem_v2(size_t *out, cuda_device_id id)
{
    (void)id;
    CALL("cuDeviceTotalMem");
    *out = (size_t)1 << 36;
    return 0;
}

cuda_result cuDevicePrimaryCtxRetain(cuda_context *out, cuda_device_id id)
{
    CALL("cuDevicePrimaryCtxRetain");
    *out = (cuda_context)(uintptr_t)(100 + id);
    fake.contexts++;
    return 0;
}

cuda_result cuDevicePrimaryCtxRelease_v2(cuda_device_id id)
{
    (void)id;
    fake.contexts--;
    CALL("cuDevicePrimaryCtxRelease");
    return 0;
}

cuda_result cuCtxPushCurrent_v2(cuda_context context)
{
    CALL("cuCtxPushCurrent");
    if (!context)
        return 201;
    fake.depth++;
    return 0;
}

cuda_result cuCtxPopCurrent_v2(cuda_context *out)
{
    *out = NULL;
    fake.depth--;
    CALL("cuCtxPopCurrent");
    return 0;
}

cuda_result cuStreamIsCapturing(cuda_stream stream, int *out)
{
    (void)stream;
    CALL("cuStreamIsCapturing");
    *out = fake.capturing;
    return 0;
}

cuda_result cuStreamSynchronize(cuda_stream stream)
{
    (void)stream;
    CALL("cuStreamSynchronize");
    return fake.depth == 1 ? 0 : 201;
}

cuda_result cuModuleLoadData(cuda_module *out, const void *image)
{
    CALL("cuModuleLoadData");
    if (fake.depth != 1)
        return 201;
    if (memcmp(image, "\177ELF", 4) != 0 || fake.refused_images > 0) {
        fake.refused_images--;
        return CUDA_NO_BINARY_FOR_GPU;
    }
    fake.modules++;
    fake.modules_made++;
    *out = (cuda_module)(uintptr_t)fake.modules_made;
    alive_add((uintptr_t)*out);
    return 0;
}

cuda_result cuModuleLoadDataEx(cuda_module *out, const void *image, unsigned n, int *o, void **v)
{
    (void)n, (void)o, (void)v;
    return cuModuleLoadData(out, image);
}

cuda_result cuModuleUnload(cuda_module module)
{
    context_needed();
    fake.modules -= alive_take((uintptr_t)module);
    CALL("cuModuleUnload");
    return 0;
}

cuda_result cuModuleGetFunction(cuda_function *out, cuda_module module, const char *name)
{
    CALL("cuModuleGetFunction");
    if (!module)
        return 400;
    strncpy(functions[function_count].name, name, 95);
    *out = (cuda_function)(void *)&functions[function_count];
    function_count = (function_count + 1) % 64;
    return 0;
}

cuda_result cuFuncLoad(cuda_function function)
{
    (void)function;
    CALL("cuFuncLoad");
    return 0;
}

cuda_result cuFuncGetAttribute(int *out, int attribute, cuda_function function)
{
    (void)function;
    CALL("cuFuncGetAttribute");
    *out = attribute == CUDA_FUNC_REGISTERS ? 37 : 0;
    return 0;
}

cuda_result cuFuncSetAttribute(cuda_function function, int attribute, int value)
{
    (void)function;
    CALL("cuFuncSetAttribute");
    *(attribute == CUDA_FUNC_MAX_DYNAMIC_SHARED ? &fake.dynamic_shared : &fake.non_portable) =
        value;
    return 0;
}

/* As kernels-gen/compare_arrays.h, in one row: [threads] reals of shared memory tell how wide they
 * are. That of an element is not in the launch, so all count as the narrowest, and a planted fault
 * as one. */
static void compare_arrays(const struct fake_launch *launch, const struct prnn_launch_head *head,
                           const struct prnn_arg *args)
{
    const char *wrong = getenv("FAKE_WRONG_THREADS");
    double row[6] = {0};
    for (long long i = 0; i < head->seq_len; i++) {
        const uint16_t a = ((const uint16_t *)args[0].base)[i];
        const uint16_t b = ((const uint16_t *)args[1].base)[i];
        row[3] += a != b;
    }
    row[5] = (double)head->seq_len;
    if (wrong && (unsigned)atoi(wrong) == last_threads) {
        row[0] = 1;
        row[3] += 1;
    }
    for (int i = 0; i < 6; i++) {
        if (launch->shared_bytes == 8 * launch->threads)
            ((double *)args[2].base)[i] = row[i];
        else
            ((float *)args[2].base)[i] = (float)row[i];
    }
}

static void run_kernel(const struct fake_launch *launch, const void *argument)
{
    struct prnn_launch_head head;
    memcpy(&head, argument, sizeof head);
    if (!strncmp(launch->name, "prnn_compare", 12)) {
        compare_arrays(launch, &head, (const void *)((const char *)argument + sizeof head));
        return;
    }
    /* So that one strategy is the best: 256 threads, and few thread blocks. */
    now_ms += 0.05 + 1e-4 * abs((int)launch->threads - 256) + 1e-5 * launch->grid;
    last_threads = launch->threads;
    if (strncmp(launch->name, "prnn_forward", 12) != 0)
        return;
    for (unsigned i = 0; head.report && i < launch->grid; i++)
        head.report[i] = (struct prnn_block_report){
            .mismatch = 1e-8, .step = 16, .max_corrections = 2, .tiles = 4, .sum_corrections = 6};
}

static cuda_result remember(cuda_function function, unsigned grid, unsigned threads,
                            unsigned shared_bytes, unsigned cluster, cuda_stream stream,
                            void **params)
{
    if (fake.depth != 1 || grid == 0)
        return 1;
    struct fake_launch *launch = &fake.launched[fake.launches++ % 4];
    memcpy(launch->name, (const void *)function, sizeof launch->name);
    launch->grid = grid;
    launch->threads = threads;
    launch->shared_bytes = shared_bytes;
    launch->cluster = cluster;
    launch->stream = stream;
    memcpy(launch->argument, params[0], sizeof launch->argument);
    if (!strncmp(launch->name, "prnn_", 5))
        run_kernel(launch, params[0]);
    return 0;
}

cuda_result cuLaunchKernel(cuda_function f, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                           unsigned by, unsigned bz, unsigned shared, cuda_stream stream,
                           void **params, void **extra)
{
    CALL("cuLaunchKernel");
    if (gy != 1 || gz != 1 || by != 1 || bz != 1 || extra)
        return 1;
    return remember(f, gx, bx, shared, 1, stream, params);
}

cuda_result cuLaunchKernelEx(const struct cuda_launch_config *config, cuda_function f,
                             void **params, void **extra)
{
    CALL("cuLaunchKernelEx");
    if (config->attribute_count != 1 || extra ||
        config->attributes[0].id != CUDA_LAUNCH_CLUSTER_DIMENSION)
        return 1;
    return remember(f, config->grid_x, config->block_x, config->shared_bytes,
                    config->attributes[0].value.cluster.x, config->stream, params);
}

cuda_result cuOccupancyMaxActiveClusters(int *out, cuda_function f,
                                         const struct cuda_launch_config *config)
{
    (void)f;
    CALL("cuOccupancyMaxActiveClusters");
    const unsigned size = config->attributes[0].value.cluster.x;
    *out = fake.fitting;
    /* Groups of multiprocessors, of which one holds clusters of this size where it is as large. */
    for (int i = 0; fake.groups[0] && i < FAKE_GROUPS; i++)
        *out = (i ? *out : 0) +
               fake.groups[i] * (int)(FAKE_SHARED_SM / (config->shared_bytes + 1024)) / (int)size;
    return 0;
}

cuda_result cuOccupancyMaxActiveBlocksPerMultiprocessor(int *out, cuda_function f, int threads,
                                                        size_t shared)
{
    (void)f, (void)threads, (void)shared;
    CALL("cuOccupancyMaxActiveBlocksPerMultiprocessor");
    *out = fake.fitting;
    return 0;
}

cuda_result cuMemAlloc_v2(cuda_pointer *out, size_t size)
{
    context_needed();
    CALL("cuMemAlloc");
    void *memory = aligned_alloc(256, (size + 255) / 256 * 256);
    if (!memory)
        return CUDA_OUT_OF_MEMORY;
    *out = (cuda_pointer)(uintptr_t)memory;
    fake.allocations++;
    alive_add((uintptr_t)memory);
    return 0;
}

cuda_result cuMemFree_v2(cuda_pointer pointer)
{
    context_needed();
    if (alive_take((uintptr_t)pointer)) {
        free((void *)(uintptr_t)pointer);
        fake.allocations--;
    }
    CALL("cuMemFree");
    return 0;
}

cuda_result cuMemsetD8Async(cuda_pointer to, unsigned char value, size_t size, cuda_stream stream)
{
    (void)stream;
    CALL("cuMemsetD8Async");
    memset((void *)(uintptr_t)to, value, size);
    return 0;
}

cuda_result cuMemcpyHtoDAsync_v2(cuda_pointer to, const void *from, size_t size, cuda_stream stream)
{
    (void)stream;
    context_needed();
    CALL("cuMemcpyHtoDAsync");
    memcpy((void *)(uintptr_t)to, from, size);
    return 0;
}

cuda_result cuMemcpyDtoHAsync_v2(void *to, cuda_pointer from, size_t size, cuda_stream stream)
{
    (void)stream;
    context_needed();
    CALL("cuMemcpyDtoHAsync");
    memcpy(to, (const void *)(uintptr_t)from, size);
    return 0;
}

cuda_result cuMemcpyDtoDAsync_v2(cuda_pointer to, cuda_pointer from, size_t size,
                                 cuda_stream stream)
{
    (void)stream;
    CALL("cuMemcpyDtoDAsync");
    memcpy((void *)(uintptr_t)to, (const void *)(uintptr_t)from, size);
    return 0;
}

/* An event is the time at which it was recorded. */
cuda_result cuEventCreate(cuda_event *out, unsigned flags)
{
    (void)flags;
    CALL("cuEventCreate");
    *out = (cuda_event)calloc(1, sizeof(double));
    alive_add((uintptr_t)*out);
    fake.allocations++;
    return 0;
}

cuda_result cuEventDestroy_v2(cuda_event event)
{
    if (alive_take((uintptr_t)event)) {
        free(event);
        fake.allocations--;
    }
    CALL("cuEventDestroy");
    return 0;
}

cuda_result cuEventRecord(cuda_event event, cuda_stream stream)
{
    (void)stream;
    CALL("cuEventRecord");
    *(double *)(void *)event = now_ms;
    return 0;
}

cuda_result cuEventSynchronize(cuda_event event)
{
    (void)event;
    CALL("cuEventSynchronize");
    return 0;
}

cuda_result cuEventElapsedTime(float *out, cuda_event begin, cuda_event end)
{
    CALL("cuEventElapsedTime");
    *out = (float)(*(double *)(void *)end - *(double *)(void *)begin);
    return 0;
}
