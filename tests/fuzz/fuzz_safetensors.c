/* Reading the parameters of examples/charlm: no file writes outside the parameters, and what is
 * loaded is what the file holds. The model is two groups without anything behind them. */
#include "fuzz_target.h"

#include "safetensors.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PARAMS = 10 };

struct model {
    float params[PARAMS];
};

const struct model_group *model_groups(const struct model *model, size_t *count)
{
    static const struct model_group groups[] = {
        {.name = "a", .offset = 0, .rows = 2, .columns = 3},
        {.name = "layer.0.b", .offset = 6, .rows = 4, .columns = 1},
    };
    (void)model;
    *count = sizeof groups / sizeof *groups;
    return groups;
}

struct memory *model_params(const struct model *model)
{
    return (struct memory *)(void *)((struct model *)(uintptr_t)model)->params;
}

prnn_status model_download(const struct model *model, void *host, const struct memory *from,
                           size_t count)
{
    (void)model;
    memcpy(host, (const void *)from, count * sizeof(float));
    return PRNN_OK;
}

prnn_status model_upload(const struct model *model, struct memory *to, const void *host,
                         size_t count)
{
    (void)model;
    memcpy((void *)to, host, count * sizeof(float));
    return PRNN_OK;
}

size_t model_param_count(const struct model *model)
{
    (void)model;
    return PARAMS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int file = -1;
    static char path[32];
    if (file < 0) {
        file = memfd_create("fuzz", 0);
        FUZZ_PROMISE(file >= 0, "there is a file in memory");
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    FUZZ_PROMISE(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size,
                 "the file is written");
    /* Of its own block, so that a write behind the end is seen. */
    struct model *model = calloc(1, sizeof *model);
    if (!model)
        return 0;
    if (safetensors_load(path, model))
        FUZZ_PROMISE(memmem(data, size, model->params, 6 * sizeof(float)) &&
                         memmem(data, size, model->params + 6, 4 * sizeof(float)),
                     "parameters are bytes of the file");
    free(model);
    return 0;
}
