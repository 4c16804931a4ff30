/* An NVRTC for tests: its cubins are a few bytes that fake_libcuda.c takes. Calls come from several
 * threads at once. */
#include "fake_libnvrtc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern struct fake_nvrtc fake_nvrtc;
struct fake_nvrtc fake_nvrtc = {.major = 13, .log = ""};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char image[] = "\177ELF, or so it says";
static const int architectures[] = {75, 80, 90, 100};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

#define NVRTC_API(field, symbol, result, arguments) static result fake_##field arguments;
#include "nvrtc_api.def"
#undef NVRTC_API

static nvrtc_code answer(const char *function)
{
    pthread_mutex_lock(&lock);
    const bool fails = ++fake_nvrtc.calls == fake_nvrtc.fail_at;
    if (fails)
        fake_nvrtc.failed = function;
    pthread_mutex_unlock(&lock);
    return fails ? fake_nvrtc.fail_code : 0;
}

/* With a program that must be alive. */
static nvrtc_code answer_for(const char *function, nvrtc_program program)
{
    pthread_mutex_lock(&lock);
    fake_nvrtc.misused += !program || fake_nvrtc.programs < 1;
    pthread_mutex_unlock(&lock);
    return answer(function);
}

static const char *fake_get_error_string(nvrtc_code code)
{
    return code == 6   ? "NVRTC_ERROR_COMPILATION"
           : code == 7 ? "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE"
                       : "NVRTC_ERROR_OF_A_TEST";
}

static nvrtc_code fake_version(int *major, int *minor)
{
    *major = fake_nvrtc.major;
    *minor = fake_nvrtc.minor;
    return answer(__func__);
}

static nvrtc_code fake_arch_count(int *out)
{
    *out = ARCHITECTURES;
    return answer(__func__);
}

static nvrtc_code fake_archs(int *out)
{
    memcpy(out, architectures, sizeof architectures);
    return answer(__func__);
}

static nvrtc_code fake_create(nvrtc_program *out, const char *text, const char *name, int count,
                              const char *const *headers, const char *const *names)
{
    (void)text, (void)name, (void)count, (void)headers, (void)names;
    const nvrtc_code code = answer(__func__);
    if (code)
        return code;
    pthread_mutex_lock(&lock);
    *out = (nvrtc_program)(uintptr_t)(1000 + ++fake_nvrtc.programs);
    pthread_mutex_unlock(&lock);
    return 0;
}

static nvrtc_code fake_destroy(nvrtc_program *program)
{
    const nvrtc_code code = answer_for(__func__, *program);
    pthread_mutex_lock(&lock);
    fake_nvrtc.programs--;
    pthread_mutex_unlock(&lock);
    *program = NULL;
    return code;
}

static nvrtc_code fake_compile(nvrtc_program program, int count, const char *const *options)
{
    (void)count, (void)options;
    const nvrtc_code code = answer_for(__func__, program);
    return code ? code : fake_nvrtc.compile_code;
}

static nvrtc_code fake_log_size(nvrtc_program program, size_t *out)
{
    *out = strlen(fake_nvrtc.log) + 1;
    return answer_for(__func__, program);
}

static nvrtc_code fake_log(nvrtc_program program, char *out)
{
    strcpy(out, fake_nvrtc.log);
    return answer_for(__func__, program);
}

static nvrtc_code fake_cubin_size(nvrtc_program program, size_t *out)
{
    *out = sizeof image;
    return answer_for(__func__, program);
}

static nvrtc_code fake_cubin(nvrtc_program program, char *out)
{
    memcpy(out, image, sizeof image);
    return answer_for(__func__, program);
}

static nvrtc_code fake_ptx_size(nvrtc_program program, size_t *out)
{
    return fake_cubin_size(program, out);
}

static nvrtc_code fake_ptx(nvrtc_program program, char *out)
{
    return fake_cubin(program, out);
}

/* The exported names, one row each. */
#define EXPORT(symbol, field) __typeof__(field) symbol __attribute__((alias(#field)));
EXPORT(nvrtcGetErrorString, fake_get_error_string)
EXPORT(nvrtcVersion, fake_version)
EXPORT(nvrtcGetNumSupportedArchs, fake_arch_count)
EXPORT(nvrtcGetSupportedArchs, fake_archs)
EXPORT(nvrtcCreateProgram, fake_create)
EXPORT(nvrtcDestroyProgram, fake_destroy)
EXPORT(nvrtcCompileProgram, fake_compile)
EXPORT(nvrtcGetProgramLogSize, fake_log_size)
EXPORT(nvrtcGetProgramLog, fake_log)
EXPORT(nvrtcGetCUBINSize, fake_cubin_size)
EXPORT(nvrtcGetCUBIN, fake_cubin)
EXPORT(nvrtcGetPTXSize, fake_ptx_size)
EXPORT(nvrtcGetPTX, fake_ptx)
