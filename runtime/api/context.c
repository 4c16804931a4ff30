#include "handles.h"

#include "cache.h"
#include "cuda_device.h"
#include "hostcc.h"
#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_ALIGNMENT = 256 };

char *text_make(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

/* "cuda:12" -> 12, else -1. */
static int ordinal_of(const char *device)
{
    if (strncmp(device, "cuda:", 5) || !device[5] || strlen(device) > 8)
        return -1;
    int ordinal = 0;
    for (const char *digit = device + 5; *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return -1;
        ordinal = ordinal * 10 + (*digit - '0');
    }
    return ordinal;
}

static prnn_status open_cuda(prnn_context *ctx, int ordinal)
{
    const prnn_status st = cuda_device_open(&ctx->cuda, ordinal);
    if (st < 0)
        return st;
    snprintf(ctx->device, sizeof ctx->device, "cuda:%d", ordinal);
    ctx->description = text_make("%s", cuda_device_describe(ctx->cuda));
    return st;
}

static void open_cpu(prnn_context *ctx)
{
    const struct hostcc_compiler *cc = hostcc_compiler();
    snprintf(ctx->device, sizeof ctx->device, "cpu");
    if (cc && cc->path)
        ctx->description = text_make("CPU, %s, %s", cc->isa, cc->version);
    else
        ctx->description = text_make("CPU, interpreted: %s", cc ? cc->missing : "no memory");
}

prnn_status prnn_context_create(prnn_context **out, const char *device)
{
    prnn_status st;
    if (!out)
        return status_set(PRNN_E_INVALID, "'out' is NULL, needed is the place of a handle");
    *out = NULL;
    if (!device)
        return status_set(PRNN_E_INVALID,
                          "'device' is NULL, needed is \"cpu\", \"cuda:0\" or \"auto\"");
    prnn_context *ctx = calloc(1, sizeof *ctx);
    if (!ctx)
        return status_set(PRNN_E_NOMEM, "no memory for a context");
    if (!strcmp(device, "cpu")) {
        open_cpu(ctx);
        st = PRNN_OK;
    } else if (!strcmp(device, "auto")) {
        st = open_cuda(ctx, 0);
        if (st < 0 && st != PRNN_E_NOMEM) {
            char *why = text_make("%s", status_text());
            open_cpu(ctx);
            st = status_set(PRNN_FALLBACK, "the CPU is used: %s", why ? why : "no device");
            free(why);
        }
    } else if (ordinal_of(device) >= 0)
        st = open_cuda(ctx, ordinal_of(device));
    else
        st = status_set(PRNN_E_INVALID,
                        "device is '%.32s', needed is \"cpu\", \"cuda:0\" or \"auto\"", device);
    if (st >= 0 && !ctx->description)
        st = status_set(PRNN_E_NOMEM, "no memory for a context");
    if (st < 0) {
        prnn_context_free(ctx);
        return st;
    }
    ctx->cache = cache_open(NULL);
    *out = ctx;
    return st;
}

void prnn_context_free(prnn_context *ctx)
{
    if (!ctx)
        return;
    cuda_device_close(ctx->cuda);
    cache_close(ctx->cache);
    free(ctx->description);
    free(ctx);
}

const char *prnn_context_device(const prnn_context *ctx)
{
    return ctx ? ctx->device : "";
}

const char *prnn_context_describe(const prnn_context *ctx)
{
    return ctx ? ctx->description : "";
}

static prnn_status check_context(const prnn_context *ctx)
{
    return ctx ? PRNN_OK : status_set(PRNN_E_INVALID, "'ctx' is NULL, needed is a context");
}

prnn_status prnn_memory_alloc(prnn_context *ctx, void **out, size_t size)
{
    if (!out)
        return status_set(PRNN_E_INVALID, "'out' is NULL, needed is the place of a pointer");
    *out = NULL;
    if (check_context(ctx) < 0)
        return PRNN_E_INVALID;
    if (size == 0)
        return PRNN_OK;
    if (ctx->cuda)
        return cuda_memory_alloc(ctx->cuda, out, size);
    const size_t room = (size + MEMORY_ALIGNMENT - 1) / MEMORY_ALIGNMENT * MEMORY_ALIGNMENT;
    *out = room < size ? NULL : aligned_alloc(MEMORY_ALIGNMENT, room);
    return *out ? PRNN_OK : status_set(PRNN_E_NOMEM, "no memory for %zu bytes", size);
}

void prnn_memory_free(prnn_context *ctx, void *memory)
{
    if (ctx && ctx->cuda)
        cuda_memory_free(ctx->cuda, memory);
    else
        free(memory);
}

static prnn_status check_copy(const prnn_context *ctx, const void *to, const void *from,
                              size_t size, const void *stream)
{
    if (check_context(ctx) < 0)
        return PRNN_E_INVALID;
    if (size && (!to || !from))
        return status_set(PRNN_E_INVALID, "a copy of %zu bytes from or to NULL", size);
    if (!ctx->cuda && stream)
        return status_set(PRNN_E_INVALID, "'stream' is not NULL, a CPU context has no streams");
    return PRNN_OK;
}

prnn_status prnn_memory_upload(prnn_context *ctx, void *memory, const void *host, size_t size,
                               void *stream)
{
    const prnn_status st = check_copy(ctx, memory, host, size, stream);
    if (st < 0 || size == 0)
        return st;
    if (ctx->cuda)
        return cuda_memory_upload(ctx->cuda, memory, host, size, stream);
    memcpy(memory, host, size);
    return PRNN_OK;
}

prnn_status prnn_memory_download(prnn_context *ctx, void *host, const void *memory, size_t size,
                                 void *stream)
{
    const prnn_status st = check_copy(ctx, host, memory, size, stream);
    if (st < 0 || size == 0)
        return st;
    if (ctx->cuda)
        return cuda_memory_download(ctx->cuda, host, memory, size, stream);
    memcpy(host, memory, size);
    return PRNN_OK;
}

prnn_status prnn_stream_wait(prnn_context *ctx, void *stream)
{
    if (check_context(ctx) < 0)
        return PRNN_E_INVALID;
    return ctx->cuda ? cuda_stream_wait(ctx->cuda, stream) : PRNN_OK;
}
