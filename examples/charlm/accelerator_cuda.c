#include "accelerator.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is called of the driver, of NVRTC and of cuBLAS, in the terms of their manuals. No header of
 * CUDA is needed, and nothing is linked. */
typedef void *cu_context, *cu_module, *cu_function, *cublas_handle, *nvrtc_program;

struct driver {
    int (*init)(unsigned flags);
    int (*device_get)(int *device, int ordinal);
    int (*attribute)(int *value, int attribute, int device);
    int (*context_retain)(cu_context *context, int device);
    int (*context_release)(int device);
    int (*context_set)(cu_context context);
    int (*module_load)(cu_module *module, const void *image);
    int (*module_unload)(cu_module module);
    int (*module_function)(cu_function *function, cu_module module, const char *name);
    int (*launch)(cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                  unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                  void *stream, void **params, void **extra);
    int (*error_name)(int code, const char **name);
};

struct nvrtc {
    int (*create)(nvrtc_program *program, const char *text, const char *name, int headers,
                  const char *const *header_texts, const char *const *header_names);
    int (*compile)(nvrtc_program program, int count, const char *const *options);
    int (*log_size)(nvrtc_program program, size_t *size);
    int (*log)(nvrtc_program program, char *log);
    int (*image_size)(nvrtc_program program, size_t *size);
    int (*image)(nvrtc_program program, char *image);
    int (*destroy)(nvrtc_program *program);
};

struct cublas {
    int (*create)(cublas_handle *handle);
    int (*destroy)(cublas_handle handle);
    int (*sgemm)(cublas_handle handle, int ta, int tb, int m, int n, int k, const float *alpha,
                 const float *a, int lda, const float *b, int ldb, const float *beta, float *c,
                 int ldc);
    int (*dgemm)(cublas_handle handle, int ta, int tb, int m, int n, int k, const double *alpha,
                 const double *a, int lda, const double *b, int ldb, const double *beta, double *c,
                 int ldc);
};

struct cuda {
    struct driver driver;
    struct nvrtc nvrtc;
    struct cublas cublas;
    int device;
    cu_context context;
    cublas_handle handle;
    cu_module module[2]; /* float, double */
    cu_function function[2][KERNEL_COUNT];
};

enum { MAJOR = 75, MINOR = 76 }; /* of the compute capability */

#define X(name) #name,
static const char *const kernel_names[] = {CHARLM_KERNELS(X)};
#undef X

/* kernel_args.h and device_kernels.h; made by CMake. */
extern const char device_text[];

/* ------------------------------------------------------------------------------------- libraries
 */

struct symbol {
    void *out;
    const char *name;
};

static bool symbols_find(struct accelerator *out, void *library, const struct symbol *symbols,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(library, symbols[i].name);
        if (!found) {
            snprintf(out->fault, sizeof out->fault, "%s", dlerror());
            return false;
        }
        memcpy(symbols[i].out, &found, sizeof found);
    }
    return true;
}

/* A library may need others that lie beside it and are not found otherwise. */
static void *open_in(const char *folder, const char *name, int flags)
{
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length > 0 && (size_t)length < sizeof path ? dlopen(path, RTLD_NOW | flags) : NULL;
}

static void *open_beside(const char *folder, const char *name, const char *const *beside)
{
    for (; *beside; beside++)
        open_in(folder, *beside, RTLD_GLOBAL);
    return open_in(folder, name, RTLD_LOCAL);
}

/* 'variable' names a file or a folder. */
static void *library_open(struct accelerator *out, const char *variable, const char *const *names,
                          const char *const *beside)
{
    const char *named = getenv(variable), *cuda = getenv("CUDA_PATH");
    char folder[4096];
    void *library = NULL;
    int length;
    if (named && *named) {
        library = dlopen(named, RTLD_NOW | RTLD_LOCAL);
        for (int i = 0; !library && names[i]; i++)
            library = open_beside(named, names[i], beside);
        if (!library)
            snprintf(out->fault, sizeof out->fault, "no %s in %s=%s", names[0], variable, named);
        return library;
    }
    for (int i = 0; !library && names[i]; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    const char *const roots[] = {cuda ? cuda : "", "/usr/local/cuda"};
    const char *const parts[] = {"lib64", "lib", "targets/x86_64-linux/lib"};
    for (size_t r = 0; !library && r < 2; r++)
        for (size_t p = 0; !library && *roots[r] && p < 3; p++)
            for (int i = 0; !library && names[i]; i++) {
                length = snprintf(folder, sizeof folder, "%s/%s", roots[r], parts[p]);
                if (length > 0 && (size_t)length < sizeof folder)
                    library = open_beside(folder, names[i], beside);
            }
    if (!library)
        snprintf(out->fault, sizeof out->fault,
                 "%s or %s is not found: by name, in CUDA_PATH, in /usr/local/cuda; set %s to its "
                 "folder",
                 names[0], names[1], variable);
    return library;
}

static bool driver_open(struct accelerator *out, struct driver *d)
{
    const struct symbol symbols[] = {
        {&d->init, "cuInit"},
        {&d->device_get, "cuDeviceGet"},
        {&d->attribute, "cuDeviceGetAttribute"},
        {&d->context_retain, "cuDevicePrimaryCtxRetain"},
        {&d->context_release, "cuDevicePrimaryCtxRelease_v2"},
        {&d->context_set, "cuCtxSetCurrent"},
        {&d->module_load, "cuModuleLoadData"},
        {&d->module_unload, "cuModuleUnload"},
        {&d->module_function, "cuModuleGetFunction"},
        {&d->launch, "cuLaunchKernel"},
        {&d->error_name, "cuGetErrorName"},
    };
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        snprintf(out->fault, sizeof out->fault, "no driver: %s", dlerror());
    return library && symbols_find(out, library, symbols, sizeof symbols / sizeof *symbols);
}

static bool nvrtc_open(struct accelerator *out, struct nvrtc *n)
{
    const struct symbol symbols[] = {
        {&n->create, "nvrtcCreateProgram"},       {&n->compile, "nvrtcCompileProgram"},
        {&n->log_size, "nvrtcGetProgramLogSize"}, {&n->log, "nvrtcGetProgramLog"},
        {&n->image_size, "nvrtcGetCUBINSize"},    {&n->image, "nvrtcGetCUBIN"},
        {&n->destroy, "nvrtcDestroyProgram"},
    };
    static const char *const names[] = {"libnvrtc.so.13", "libnvrtc.so.12", NULL};
    static const char *const beside[] = {"libnvrtc-builtins.so", NULL};
    void *library = library_open(out, "PARARNNC_NVRTC", names, beside);
    return library && symbols_find(out, library, symbols, sizeof symbols / sizeof *symbols);
}

static bool cublas_open(struct accelerator *out, struct cublas *c)
{
    const struct symbol symbols[] = {
        {&c->create, "cublasCreate_v2"},
        {&c->destroy, "cublasDestroy_v2"},
        {&c->sgemm, "cublasSgemm_v2"},
        {&c->dgemm, "cublasDgemm_v2"},
    };
    static const char *const names[] = {"libcublas.so.13", "libcublas.so.12", NULL};
    static const char *const beside[] = {"libcublasLt.so.13", "libcublasLt.so.12", NULL};
    void *library = library_open(out, "CHARLM_CUBLAS", names, beside);
    return library && symbols_find(out, library, symbols, sizeof symbols / sizeof *symbols);
}

/* ------------------------------------------------------------------------------------- compiling
 */

/* The image of the kernels for one type, to be freed; NULL: 'fault' says why. */
static char *image_make(struct accelerator *out, const struct nvrtc *nvrtc, bool is_f64,
                        const char *architecture)
{
    nvrtc_program program;
    size_t size = 0, used;
    char *image = NULL, option[64];
    const char *const options[] = {option, is_f64 ? "-DREAL=double" : "-DREAL=float",
                                   "-default-device"};
    snprintf(option, sizeof option, "--gpu-architecture=%s", architecture);
    if (nvrtc->create(&program, device_text, "device_kernels.h", 0, NULL, NULL)) {
        snprintf(out->fault, sizeof out->fault, "nvrtcCreateProgram failed");
        return NULL;
    }
    const int code = nvrtc->compile(program, 3, options);
    if (!code && !nvrtc->image_size(program, &size) && (image = malloc(size + 1)))
        nvrtc->image(program, image);
    if (code && !nvrtc->log_size(program, &size) && (image = malloc(size + 1))) {
        nvrtc->log(program, image);
        used = (size_t)snprintf(out->fault, sizeof out->fault, "NVRTC, for %s: ", architecture);
        snprintf(out->fault + used, sizeof out->fault - used, "%s", image);
        free(image);
        image = NULL;
    }
    nvrtc->destroy(&program);
    return image;
}

int accelerator_cuda_compiles(struct accelerator *out, const char *architecture)
{
    struct nvrtc nvrtc;
    *out = (struct accelerator){.self = NULL};
    if (!nvrtc_open(out, &nvrtc))
        return -1;
    for (int f64 = 0; f64 < 2; f64++) {
        char *image = image_make(out, &nvrtc, f64, architecture);
        if (!image)
            return 0;
        free(image);
    }
    return 1;
}

/* ---------------------------------------------------------------------------------------- running
 */

static bool is_fine(struct accelerator *out, const struct driver *driver, int code,
                    const char *what)
{
    const char *name = NULL;
    if (!code)
        return true;
    if (driver->error_name(code, &name) || !name)
        name = "unknown error";
    snprintf(out->fault, sizeof out->fault, "%s: %s", what, name);
    return false;
}

/* A grid of at most some thousand thread blocks; kernels take more turns then. */
static bool launch(struct accelerator *accelerator, bool is_f64, enum kernel kernel,
                   const struct kernel_args *args)
{
    enum { THREADS = 128, MOST_BLOCKS = 4096 };
    struct cuda *cuda = accelerator->self;
    const long long wanted = (args->count + THREADS - 1) / THREADS;
    const unsigned blocks = (unsigned)(wanted < MOST_BLOCKS ? wanted : MOST_BLOCKS);
    struct kernel_args copy = *args;
    void *params[] = {&copy};
    return is_fine(accelerator, &cuda->driver,
                   cuda->driver.launch(cuda->function[is_f64][kernel], blocks, 1, 1, THREADS, 1, 1,
                                       0, NULL, params, NULL),
                   kernel_names[kernel]);
}

static bool multiply(struct accelerator *accelerator, bool is_f64, const struct gemm *gemm,
                     const struct memory *a, const struct memory *b, struct memory *c)
{
    struct cuda *cuda = accelerator->self;
    const int ta = gemm->transpose_a, tb = gemm->transpose_b; /* CUBLAS_OP_N, CUBLAS_OP_T */
    const double one = 1, beta = gemm->accumulate;
    const float one_f32 = 1, beta_f32 = (float)beta;
    const int code = is_f64
                         ? cuda->cublas.dgemm(cuda->handle, ta, tb, gemm->m, gemm->n, gemm->k, &one,
                                              (const void *)a, gemm->lda, (const void *)b,
                                              gemm->ldb, &beta, (void *)c, gemm->ldc)
                         : cuda->cublas.sgemm(cuda->handle, ta, tb, gemm->m, gemm->n, gemm->k,
                                              &one_f32, (const void *)a, gemm->lda, (const void *)b,
                                              gemm->ldb, &beta_f32, (void *)c, gemm->ldc);
    if (code)
        snprintf(accelerator->fault, sizeof accelerator->fault, "cuBLAS: status %d", code);
    return !code;
}

static void close_all(struct accelerator *accelerator)
{
    struct cuda *cuda = accelerator->self;
    if (!cuda)
        return;
    if (cuda->handle)
        cuda->cublas.destroy(cuda->handle);
    for (int f64 = 0; f64 < 2; f64++)
        if (cuda->module[f64])
            cuda->driver.module_unload(cuda->module[f64]);
    if (cuda->context) {
        cuda->driver.context_set(NULL);
        cuda->driver.context_release(cuda->device);
    }
    free(cuda);
    accelerator->self = NULL;
}

static bool module_make(struct accelerator *out, struct cuda *cuda, bool is_f64,
                        const char *architecture)
{
    const struct driver *driver = &cuda->driver;
    char *image = image_make(out, &cuda->nvrtc, is_f64, architecture);
    bool is_good = image && is_fine(out, driver, driver->module_load(&cuda->module[is_f64], image),
                                    "cuModuleLoadData");
    for (int k = 0; is_good && k < KERNEL_COUNT; k++)
        is_good = is_fine(out, driver,
                          driver->module_function(&cuda->function[is_f64][k], cuda->module[is_f64],
                                                  kernel_names[k]),
                          kernel_names[k]);
    free(image);
    return is_good;
}

bool accelerator_cuda(struct accelerator *out, const char *device)
{
    int ordinal = 0, major = 0, minor = 0;
    char architecture[32];
    struct cuda *cuda = calloc(1, sizeof *cuda);
    *out = (struct accelerator){
        .self = cuda, .launch = launch, .multiply = multiply, .close = close_all};
    if (!cuda || sscanf(device, "cuda:%d", &ordinal) != 1) {
        snprintf(out->fault, sizeof out->fault, "'%s' is no CUDA device", device);
        goto fail;
    }
    struct driver *driver = &cuda->driver;
    if (!driver_open(out, driver) || !nvrtc_open(out, &cuda->nvrtc) ||
        !cublas_open(out, &cuda->cublas))
        goto fail;
    if (!is_fine(out, driver, driver->init(0), "cuInit") ||
        !is_fine(out, driver, driver->device_get(&cuda->device, ordinal), "cuDeviceGet") ||
        !is_fine(out, driver, driver->attribute(&major, MAJOR, cuda->device),
                 "cuDeviceGetAttribute") ||
        !is_fine(out, driver, driver->attribute(&minor, MINOR, cuda->device),
                 "cuDeviceGetAttribute") ||
        !is_fine(out, driver, driver->context_retain(&cuda->context, cuda->device),
                 "cuDevicePrimaryCtxRetain") ||
        !is_fine(out, driver, driver->context_set(cuda->context), "cuCtxSetCurrent"))
        goto fail;
    snprintf(architecture, sizeof architecture, "sm_%d%d", major, minor);
    if (!module_make(out, cuda, false, architecture) || !module_make(out, cuda, true, architecture))
        goto fail;
    const int code = cuda->cublas.create(&cuda->handle);
    if (code) {
        snprintf(out->fault, sizeof out->fault, "cublasCreate: status %d", code);
        goto fail;
    }
    return true;
fail:
    close_all(out);
    return false;
}
