#include "device_case.h"

#include "kernel_launch.h"
#include "kernel_text.h"
#include "nvrtc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCKS_MAX = KERNEL_TENSORS + 4 };

static struct {
    struct device_settings settings;
    struct cuda_device *device;
    struct cache *cache;
    char folder[256], words[256], arch[24];
    double compile_seconds, run_seconds;
} it;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void succeed(prnn_status status, const char *what)
{
    ck_assert_msg(status == PRNN_OK, "%s: %s", what, prnn_last_error());
}

bool device_is_there(bool forks, char *reason, size_t room)
{
    int ends[2], status = 1, devices = 0;
    struct cuda_properties properties;
    if (!forks) {
        (void)cuda_device_probe(&properties, &devices, 0);
        snprintf(reason, room, "%s", prnn_last_error());
        return devices > 0;
    }
    reason[0] = 0;
    if (pipe(ends) != 0)
        ck_abort_msg("no pipe");
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        struct cuda_properties probe;
        int count = 0;
        (void)cuda_device_probe(&probe, &count, 0);
        (void)!write(ends[1], prnn_last_error(), count == 0 ? strlen(prnn_last_error()) : 0);
        _exit(count == 0);
    }
    close(ends[1]);
    const ssize_t got = read(ends[0], reason, room - 1);
    reason[got > 0 ? got : 0] = 0;
    close(ends[0]);
    /* A driver that kills the process is no missing device. */
    return child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
           WEXITSTATUS(status) == 0;
}

/* Not within a test of Check yet: its own words, and the end. */
static void demand(bool is_fine, const char *what, const char *words)
{
    if (is_fine)
        return;
    printf("FAILED: %s: %s\n", what, words);
    exit(1);
}

void device_open(const struct device_settings *settings)
{
    struct nvrtc_info info = {0};
    char *log = NULL;
    it.settings = *settings;
    snprintf(it.words, sizeof it.words, "shim\t0\t0");
    if (settings->is_shim)
        return;
    demand(cuda_device_open(&it.device, 0) == PRNN_OK, "opening the device", prnn_last_error());
    const struct cuda_properties *p = cuda_device_properties(it.device);
    demand(nvrtc_info_get(&info), "NVRTC", dynload_nvrtc_found()->missing);
    demand(nvrtc_arch(it.arch, p->major, p->minor, &log) == NVRTC_OK, "NVRTC", log ? log : "");
    snprintf(it.words, sizeof it.words, "%s\t%d.%d\t%d.%d", p->name, p->driver_version / 1000,
             p->driver_version % 1000 / 10, info.major, info.minor);
    /* A cache of its own: texts are compiled together into it and taken from it one by one. */
    snprintf(it.folder, sizeof it.folder, "%.128s/prnn-gpu-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    demand(mkdtemp(it.folder) != NULL, "a folder for the cache", it.folder);
    it.cache = cache_open(&(struct cache_options){.path = it.folder});
    demand(it.cache && !cache_reason(it.cache), "the cache",
           it.cache ? cache_reason(it.cache) : "no memory");
}

void device_close(void)
{
    if (it.cache) {
        cache_clean(it.cache);
        cache_close(it.cache);
        rmdir(it.folder);
    }
    cuda_device_close(it.device);
    it.cache = NULL;
    it.device = NULL;
}

struct cuda_device *device_handle(void)
{
    return it.device;
}

const char *device_words(void)
{
    return it.words;
}

enum assemble_target device_target(void)
{
    return it.settings.is_shim ? ASSEMBLE_SHIM : ASSEMBLE_CUDA;
}

double device_compile_seconds(void)
{
    return it.compile_seconds;
}

double device_run_seconds(void)
{
    return it.run_seconds;
}

static void compile_all(const struct kernel_plan *plans, size_t count)
{
    struct nvrtc_request *requests = calloc(count + 1, sizeof *requests);
    struct nvrtc_result *results = calloc(count + 1, sizeof *results);
    const double start = now();
    ck_assert(requests && results);
    for (size_t i = 0; i < count; i++)
        requests[i] = (struct nvrtc_request){.text = plans[i].text.assembled.text,
                                             .length = plans[i].text.assembled.length,
                                             .arch = it.arch,
                                             .label = plans[i].text.assembled.entry};
    (void)nvrtc_compile(results, requests, count, it.cache);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(results[i].status == NVRTC_OK, "%s: %s", requests[i].label,
                      results[i].log ? results[i].log : "no words from NVRTC");
        nvrtc_result_free(&results[i]);
    }
    it.compile_seconds += now() - start;
    free(requests);
    free(results);
}

/* Scalars of the launch argument that the text declares. */
static uint32_t argument_count(const struct kernel_plan *plan)
{
    const struct ir *ir = plan->unit ? plan->unit->ir : NULL;
    const uint32_t states = ir ? ir->states : plan->options.scan_block;
    const uint32_t outputs = ir ? ir_expression_count(ir) : 0;
    if (!ir)
        return (plan->options.scan_is_diagonal ? states : states * states) + 4 * states;
    return ir->inputs + 3 * states + outputs + ir->params +
           (plan->options.kernel == ASSEMBLE_BACKWARD
                ? 3 * states + outputs + ir->inputs + ir->params
                : 0);
}

static void text_load_shim(struct kernel_plan *plan)
{
    const struct assembled *made = &plan->text.assembled;
    plan->library = text_library_load(made->text, made->length, "text", NULL);
    ck_assert_ptr_nonnull(plan->library);
    plan->kernel = text_library_kernel(plan->library, made->entry);
    if (plan->options.kernel == ASSEMBLE_BACKWARD)
        plan->reduce = text_library_kernel(plan->library, made->reduce_entry);
}

void device_texts_load(struct device_text *out, struct kernel_plan *plans, size_t count)
{
    memset(out, 0, count * sizeof *out);
    if (!it.settings.is_shim)
        compile_all(plans, count);
    for (size_t i = 0; i < count; i++) {
        const struct backend_text text =
            kernel_text_of(&plans[i].text.assembled, plans[i].options.strategy.cluster);
        const struct backend_text *texts[] = {&text};
        const uint32_t arguments = argument_count(&plans[i]);
        const uint32_t reduce_shared =
            KERNEL_REDUCE_THREADS * (plans[i].options.storage == ASSEMBLE_F64 ? 8 : 4);
        out[i].plan = &plans[i];
        if (it.settings.is_shim)
            text_load_shim(&plans[i]);
        else
            succeed(cuda_modules_load(&out[i].module, it.device, texts, &arguments, 1,
                                      KERNEL_REDUCE_THREADS, reduce_shared, it.cache),
                    text.entry);
    }
}

void device_texts_unload(struct device_text *texts, size_t count)
{
    for (size_t i = 0; i < count && !it.settings.is_shim; i++)
        cuda_modules_unload(&texts[i].module, 1, it.device);
}

/* -- memory ------------------------------------------------------------------------------------ */

/* Memory of the host and its copy on the device. */
struct block {
    char *host;
    size_t bytes;
    void *device;
    bool is_written;
};

struct blocks {
    struct block block[BLOCKS_MAX];
    size_t count;
};

/* With holes, what a kernel has to write stays as the allocation left it, but for 'front' bytes,
 * which no kernel touches and the copy back reads. */
static void block_add(struct blocks *all, void *host, size_t front, size_t bytes, bool is_written)
{
    struct block *block = &all->block[all->count++];
    *block = (struct block){.host = host, .bytes = bytes, .is_written = is_written};
    if (bytes == 0)
        return;
    succeed(cuda_memory_alloc(it.device, &block->device, bytes), "memory for a tensor");
    const size_t upload = is_written && it.settings.leaves_holes ? front : bytes;
    if (upload > 0)
        succeed(cuda_memory_upload(it.device, block->device, host, upload, NULL), "upload");
}

static void blocks_create(struct blocks *all, struct kernel_data *d)
{
    all->count = 0;
    for (uint32_t k = 0; k < d->start[GROUP_COUNT]; k++) {
        const struct kernel_tensor *t = &d->tensor[k];
        const size_t front = (size_t)((char *)t->data - (char *)t->block);
        if (t->is_present)
            block_add(all, t->block, front, front + t->count * t->element, t->is_written);
    }
    block_add(all, d->reset, 0, (size_t)d->rows, false);
    block_add(all, d->cu_seqlens, 0, sizeof d->cu_seqlens, false);
    block_add(all, d->workspace, 0, d->workspace_bytes, true);
    block_add(all, d->report, 0, (size_t)d->grid * sizeof *d->report,
              d->plan->options.kernel == ASSEMBLE_FORWARD); /* no other kernel reports */
}

/* The device's address for one of the host. */
static void *place_of(const struct blocks *all, const void *host)
{
    for (size_t i = 0; i < all->count && host; i++) {
        const struct block *block = &all->block[i];
        if ((const char *)host >= block->host && (const char *)host < block->host + block->bytes)
            return (char *)block->device + ((const char *)host - block->host);
    }
    /* Nothing, or a tensor without elements, which no kernel touches. */
    return NULL;
}

static void argument_move(struct kernel_launch *launch, const struct blocks *all)
{
    struct prnn_launch_head *head = &launch->head;
    for (uint32_t k = 0; k < KERNEL_TENSORS; k++)
        launch->arg[k].base = place_of(all, launch->arg[k].base);
    head->cu_seqlens = place_of(all, head->cu_seqlens);
    head->reset = place_of(all, head->reset);
    head->workspace = place_of(all, head->workspace);
    head->report = place_of(all, head->report);
}

void device_run(struct device_text *text, struct kernel_data *d)
{
    const double start = now();
    struct kernel_launch launch;
    struct blocks all;
    if (it.settings.is_shim) {
        kernel_data_run(d, SHIM_FORWARD);
        it.run_seconds += now() - start;
        return;
    }
    kernel_launch_fill(d, &launch);
    blocks_create(&all, d);
    argument_move(&launch, &all);
    succeed(cuda_device_enter(it.device), "the context");
    succeed(cuda_entry_launch(it.device, &text->module.main, (uint32_t)d->grid, &launch, NULL),
            "launch");
    if (text->module.reduce.function)
        succeed(cuda_entry_launch(it.device, &text->module.reduce, (uint32_t)kernel_reduce_grid(d),
                                  &launch, NULL),
                "launch of the reduction");
    cuda_device_leave(it.device);
    succeed(cuda_stream_wait(it.device, NULL), text->module.main.name);
    for (size_t i = 0; i < all.count; i++) {
        const struct block *block = &all.block[i];
        if (block->is_written && block->bytes > 0 &&
            (block->host != d->workspace || !it.settings.leaves_holes))
            succeed(cuda_memory_download(it.device, block->host, block->device, block->bytes, NULL),
                    "download");
        cuda_memory_free(it.device, block->device);
    }
    it.run_seconds += now() - start;
}
