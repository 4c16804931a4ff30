#include "text_library.h"

#include <dlfcn.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PRNN_SOURCE_DIR
#error "PRNN_SOURCE_DIR names the root of the sources"
#endif

extern char **environ;

enum { MAX_ARGUMENTS = 32, PATH_BYTES = 256 };

struct text_library {
    void *handle;
    char folder[PATH_BYTES], source[PATH_BYTES], object[PATH_BYTES];
};

static bool text_write(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    bool is_whole = fwrite(text, 1, bytes, file) == bytes;
    return fclose(file) == 0 && is_whole;
}

/* The exit status of the compiler, or -1 where there is none of this name. */
static int text_compile(const struct text_library *library, const char *const *compiler)
{
    /* -O1: half the time of -O2, and the runs are short. No aliasing by type: views of several
     * types lie over one pool. */
    static const char *const fixed[] = {"-std=gnu11",
                                        "-O1",
                                        "-g",
                                        "-fPIC",
                                        "-shared",
                                        "-ffp-contract=off",
                                        "-fno-strict-aliasing",
                                        "-fno-math-errno"};
    /* A program that was carried to another machine is told where its sources are there. */
    const char *sources = getenv("PRNN_SOURCE_DIR");
    const char *argument[MAX_ARGUMENTS + 16];
    char shim[4100], include[4200], builtins[4200];
    const char *const base =
        strrchr(compiler[0], '/') ? strrchr(compiler[0], '/') + 1 : compiler[0];
    size_t n = 0;
    snprintf(shim, sizeof shim, "%.4000s/tests/shim",
             sources && *sources ? sources : PRNN_SOURCE_DIR);
    snprintf(include, sizeof include, "-I%s", shim);
    snprintf(builtins, sizeof builtins, "%s/tcc_builtins.h", shim);
    argument[n++] = compiler[0];
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        argument[n++] = fixed[i];
    argument[n++] = include;
    if (strstr(base, "tcc")) {
        argument[n++] = "-include";
        argument[n++] = builtins;
    }
    for (size_t i = 1; compiler[i] && i < MAX_ARGUMENTS; i++)
        argument[n++] = compiler[i];
    argument[n++] = library->source;
    argument[n++] = "-o";
    argument[n++] = library->object;
    argument[n++] = "-lm";
    argument[n] = NULL;

    pid_t child;
    int status;
    char *argv[MAX_ARGUMENTS + 16];
    memcpy(argv, argument, sizeof argv);
    if (posix_spawnp(&child, argv[0], NULL, NULL, argv, environ) != 0)
        return -1;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static bool text_compile_quickly(const struct text_library *library)
{
    const char *const wished = getenv("CC");
    if (wished && *wished)
        return text_compile(library, (const char *const[]){wished, NULL}) == 0;
    int status = text_compile(library, (const char *const[]){"tcc", NULL});
    if (status < 0)
        status = text_compile(library, (const char *const[]){"cc", NULL});
    return status == 0;
}

struct text_library *text_library_load(const char *text, size_t bytes, const char *name,
                                       const char *const *compiler)
{
    const char *temporary = getenv("TMPDIR");
    struct text_library *library = calloc(1, sizeof *library);
    if (!library)
        return NULL;
    snprintf(library->folder, sizeof library->folder, "%.128s/prnn-text-XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(library->folder)) {
        perror(library->folder);
        free(library);
        return NULL;
    }
    snprintf(library->source, sizeof library->source, "%.150s/%.64s.c", library->folder, name);
    snprintf(library->object, sizeof library->object, "%.150s/%.64s.so", library->folder, name);
    if (!text_write(library->source, text, bytes) ||
        !(compiler ? text_compile(library, compiler) == 0 : text_compile_quickly(library)))
        goto fail;
    library->handle = dlopen(library->object, RTLD_NOW | RTLD_LOCAL);
    if (!library->handle) {
        fprintf(stderr, "%s\n", dlerror());
        goto fail;
    }
    return library;
fail:
    text_library_free(library);
    return NULL;
}

shim_kernel *text_library_kernel(const struct text_library *library, const char *name)
{
    void *symbol = dlsym(library->handle, name);
    shim_kernel *kernel;
    memcpy(&kernel, &symbol, sizeof kernel);
    return kernel;
}

void text_library_free(struct text_library *library)
{
    if (!library)
        return;
    if (library->handle)
        dlclose(library->handle);
    unlink(library->source);
    unlink(library->object);
    rmdir(library->folder);
    free(library);
}
