/* pararnnc doctor: what is found where, and what is wrong. */
#include "command.h"

#include "cache.h"
#include "dynload.h"
#include "host_isa.h"
#include "hostcc.h"
#include "nvrtc.h"

#include <string.h>
#include <unistd.h>

enum { OPTION_JSON = 1 };

static const struct option options[] = {
    {OPTION_JSON, 0, "json", NULL, NULL, false, "print one JSON object"},
    {0, 0, NULL, NULL, NULL, false, NULL},
};

enum { FINDINGS = 32 };

/* One line: what was looked for, and what was found or is missing. */
struct finding {
    const char *name, *text;
    bool is_fault; /* something is wrong that the user can put right */
};

struct findings {
    struct arena *arena;
    struct finding list[FINDINGS];
    uint32_t count;
};

static void add(struct findings *f, const char *name, bool is_fault, const char *text)
{
    if (f->count < FINDINGS)
        f->list[f->count++] = (struct finding){name, text, is_fault};
}

static void look_at_cpu(struct findings *f)
{
    struct host_isa isa;
    host_isa_get(&isa);
    add(f, "processor", false,
        arena_printf(f->arena, "%s, %ld threads", isa.name, sysconf(_SC_NPROCESSORS_ONLN)));
    const struct hostcc_compiler *compiler = hostcc_compiler();
    if (compiler && compiler->path)
        add(f, "compiler", false,
            arena_printf(f->arena, "%s (%s)", compiler->path, compiler->version));
    else
        add(f, "compiler", true,
            arena_printf(f->arena, "none, the interpreter is used: %s",
                         compiler ? compiler->missing : "memory has ended"));
}

static void look_at_cache(struct findings *f)
{
    struct cache *cache = cache_open(NULL);
    const char *path = cache ? cache_path(cache) : NULL;
    const char *reason = cache ? cache_reason(cache) : "memory has ended";
    if (reason)
        add(f, "cache", true, arena_printf(f->arena, "off: %s", reason));
    else {
        const struct cache_stats stats = cache_stats(cache);
        add(f, "cache", false,
            arena_printf(f->arena, "%s, %llu entries, %llu bytes", path ? path : "",
                         (unsigned long long)stats.entries, (unsigned long long)stats.bytes));
    }
    cache_close(cache);
}

static void add_failure(struct findings *f, const char *name, const char *call, cuda_result fault)
{
    const char *words = NULL;
    dynload_cuda()->get_error_name(fault, &words);
    add(f, name, true, arena_printf(f->arena, "%s: %s", call, words ? words : "an unknown error"));
}

/* Whether there is a device; without a driver, CUDA is not expected and nothing is wrong. */
static bool look_at_driver(struct findings *f)
{
    const struct cuda_api *cuda = dynload_cuda();
    const struct dynload_found *found = dynload_cuda_found();
    if (!cuda) {
        add(f, "driver", false, arena_strdup(f->arena, found->missing));
        return false;
    }
    int version = 0, count = 0;
    const cuda_result fault = cuda->init(0);
    const char *name = NULL;
    cuda->driver_get_version(&version);
    if (fault != CUDA_SUCCESS_CODE) {
        cuda->get_error_name(fault, &name);
        add(f, "driver", fault != CUDA_NO_DEVICE,
            arena_printf(f->arena, "%s, CUDA %d.%d: cuInit: %s", found->path, version / 1000,
                         version % 1000 / 10, name ? name : "an unknown error"));
        return false;
    }
    add(f, "driver", false,
        arena_printf(f->arena, "%s, CUDA %d.%d", found->path, version / 1000, version % 1000 / 10));
    const cuda_result uncounted = cuda->device_get_count(&count);
    if (uncounted != CUDA_SUCCESS_CODE) {
        add_failure(f, "device", "cuDeviceGetCount", uncounted);
        return false;
    }
    if (count == 0) {
        add(f, "device", true, "none is visible; is CUDA_VISIBLE_DEVICES set?");
        return false;
    }
    for (int i = 0; i < count && i < 16; i++) {
        cuda_device_id device;
        char words[128] = "";
        int major = 0, minor = 0, processors = 0;
        const char *name_of_device = arena_printf(f->arena, "cuda:%d", i);
        const cuda_result refused = cuda->device_get(&device, i);
        if (refused != CUDA_SUCCESS_CODE) {
            add_failure(f, name_of_device, "cuDeviceGet", refused);
            continue;
        }
        cuda->device_get_name(words, sizeof words, device);
        cuda->device_get_attribute(&major, CUDA_DEVICE_MAJOR, device);
        cuda->device_get_attribute(&minor, CUDA_DEVICE_MINOR, device);
        cuda->device_get_attribute(&processors, CUDA_DEVICE_MULTIPROCESSORS, device);
        add(f, name_of_device, false,
            arena_printf(f->arena, "%s, sm_%d%d, %d multiprocessors", words, major, minor,
                         processors));
    }
    return true;
}

static void look_at_nvrtc(struct findings *f, bool is_needed)
{
    const struct dynload_found *found = dynload_nvrtc_found();
    struct nvrtc_info info;
    if (!found->is_there)
        add(f, "nvrtc", is_needed, arena_strdup(f->arena, found->missing));
    else if (!nvrtc_info_get(&info))
        add(f, "nvrtc", is_needed, arena_printf(f->arena, "%s does not work", found->path));
    else
        add(f, "nvrtc", false,
            arena_printf(f->arena, "%s, version %d.%d, up to sm_%d", found->path, info.major,
                         info.minor, info.arch_count ? info.archs[info.arch_count - 1] : 0));
}

static void print_json(struct textbuf *out, const struct findings *f, const struct finding *fault)
{
    textbuf_add(out, "{\n  \"version\": ");
    textbuf_add_json_string(out, prnn_version());
    textbuf_add(out, ",\n  \"findings\": [\n");
    for (uint32_t i = 0; i < f->count; i++) {
        textbuf_printf(out, "    {\"name\": \"%s\", \"fault\": %s, \"text\": ", f->list[i].name,
                       f->list[i].is_fault ? "true" : "false");
        textbuf_add_json_string(out, f->list[i].text);
        textbuf_add(out, i + 1 < f->count ? "},\n" : "}\n");
    }
    textbuf_add(out, "  ],\n  \"fault\": ");
    if (fault)
        textbuf_add_json_string(out, fault->name);
    else
        textbuf_add(out, "null");
    textbuf_add(out, "\n}\n");
}

static int run(struct invocation *inv)
{
    struct findings f = {.arena = inv->arena};
    look_at_cpu(&f);
    look_at_cache(&f);
    look_at_nvrtc(&f, look_at_driver(&f));
    const struct finding *fault = NULL;
    for (uint32_t i = 0; i < f.count && !fault; i++)
        if (f.list[i].is_fault)
            fault = &f.list[i];
    if (arguments_has(&inv->arguments, OPTION_JSON))
        print_json(&inv->out, &f, fault);
    else {
        textbuf_printf(&inv->out, "%-11s%s\n", "pararnnc", prnn_version());
        for (uint32_t i = 0; i < f.count; i++)
            textbuf_printf(&inv->out, "%-11s%s\n", f.list[i].name, f.list[i].text);
        if (fault)
            textbuf_printf(&inv->out, "\nwrong: %s: %s\n", fault->name, fault->text);
        else
            textbuf_add(&inv->out, "\nnothing is wrong\n");
    }
    return fault ? EXIT_CODE_ENVIRONMENT : EXIT_CODE_OK;
}

const struct command command_doctor = {
    .name = "doctor",
    .operands = "",
    .fewest = 0,
    .most = 0,
    .summary = "say what is found on this machine, and what is wrong",
    .text =
        "Look for the C compiler, the cache, the CUDA driver, devices and NVRTC, and print where "
        "each was found or where it was looked for. If something is wrong the first such thing "
        "is named at the end, and the exit code is 5. A machine without an NVIDIA driver is "
        "fine: the CPU is used.",
    .options = options,
    .run = run,
};
