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

enum { MAX_FLAGS = 32, PATH_BYTES = 256 };

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

static bool text_compile(const struct text_library *library, const char *const *flags)
{
    const char *compiler = getenv("CC");
    const char *argument[MAX_FLAGS + 16];
    /* A program that was carried to another machine is told where its sources are there. */
    const char *sources = getenv("PRNN_SOURCE_DIR");
    char include[4200];
    size_t n = 0;
    snprintf(include, sizeof include, "-I%.4000s/tests/shim",
             sources && *sources ? sources : PRNN_SOURCE_DIR);
    argument[n++] = compiler && *compiler ? compiler : "cc";
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
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        argument[n++] = fixed[i];
    argument[n++] = include;
    for (size_t i = 0; flags && flags[i] && i < MAX_FLAGS; i++)
        argument[n++] = flags[i];
    argument[n++] = library->source;
    argument[n++] = "-o";
    argument[n++] = library->object;
    argument[n++] = "-lm";
    argument[n] = NULL;

    pid_t child;
    int status;
    char *argv[MAX_FLAGS + 16];
    memcpy(argv, argument, sizeof argv);
    return posix_spawnp(&child, argv[0], NULL, NULL, argv, environ) == 0 &&
           waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

struct text_library *text_library_load(const char *text, size_t bytes, const char *name,
                                       const char *const *flags)
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
    if (!text_write(library->source, text, bytes) || !text_compile(library, flags))
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
