#include "cuda_backend.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_module.h"
#include "status.h"

/* Fixed in kernels-gen/reduce_partials.h. */
enum { REDUCE_GROUPS = 8, REDUCE_LANES = 32, REDUCE_THREADS = REDUCE_GROUPS * REDUCE_LANES };

struct cuda_plan {
    struct cuda_device *device;
    struct backend_shape shape; /* its arrays are in 'flags' */
    bool *flags;
    struct cuda_compiled modules[CUDA_KERNEL_COUNT];
    uint32_t grids[CUDA_KERNEL_COUNT], reduce_grid;
    size_t zeros_offset; /* of the row of zeros; the row that nobody reads is behind it */
    size_t row_bytes;    /* of either */
    size_t report_offset, workspace_size;
    char words[4096];
};

/* a * b and a + b of sizes that are not negative; false: too large. */
static bool multiply(int64_t *out, int64_t a, int64_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

static bool add(int64_t *out, int64_t a, int64_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b != 0);
}

static prnn_status grid_refuse(const char *what)
{
    return status_set(PRNN_E_LIMIT,
                      "the grid of the %s kernel has more than 2147483647 thread blocks: fewer "
                      "sequences or channels are needed",
                      what);
}

static const char *kernel_word(enum cuda_kernel kernel)
{
    static const char *const words[CUDA_KERNEL_COUNT] = {"forward", "backward", "step", "scan",
                                                         "compare"};
    return words[kernel];
}

/* Thread blocks of a kernel; the rules stand in the skeletons. */
static prnn_status grid_find(struct cuda_plan *plan, enum cuda_kernel kernel,
                             const struct backend_text *text)
{
    const struct backend_shape *shape = &plan->shape;
    int64_t blocks;
    bool fits;
    if (kernel == CUDA_STEP)
        fits = multiply(&blocks, shape->batch, shape->channels) &&
               (blocks = divide_up(blocks, text->threads), true);
    else
        fits = multiply(&blocks, shape->batch, divide_up(shape->channels, text->block_channels)) &&
               multiply(&blocks, blocks, text->cluster > 1 ? text->cluster : 1);
    if (!fits || blocks > INT32_MAX)
        return grid_refuse(kernel_word(kernel));
    plan->grids[kernel] = (uint32_t)blocks;
    return PRNN_OK;
}

static uint32_t shared_gradients(const struct backend_shape *shape)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < shape->counts.inputs; k++)
        count += shape->input_is_shared && shape->input_is_shared[k] && shape->input_has_gradient &&
                 shape->input_has_gradient[k];
    return count;
}

/* Sizes of the workspace and of the grid that sums it: as backward_sums.h, shared_inputs.h and
 * reduce_partials.h. */
static prnn_status workspace_find(struct cuda_plan *plan,
                                  const struct backend_text *const texts[CUDA_KERNEL_COUNT])
{
    const struct backend_shape *shape = &plan->shape;
    int64_t bytes = 0, reports, row = 0;
    if (texts[CUDA_BACKWARD]) {
        const uint32_t cluster = texts[CUDA_BACKWARD]->cluster;
        const int64_t segments = divide_up(shape->channels, texts[CUDA_BACKWARD]->segment_channels);
        int64_t sums = shape->seq_len, shared, partials, blocks;
        if ((!shape->is_packed && !multiply(&sums, shape->batch, shape->seq_len)) ||
            !multiply(&sums, sums, shared_gradients(shape)) || !multiply(&shared, sums, segments) ||
            !multiply(&partials, shape->batch, cluster > 1 ? cluster : 1) ||
            !multiply(&partials, partials, shape->counts.params) ||
            !multiply(&partials, partials, shape->channels) || !add(&bytes, partials, shared) ||
            !multiply(&bytes, bytes, (int64_t)real_bytes(shape->storage)))
            return status_set(PRNN_E_LIMIT, "the workspace of the backward pass is too large");
        if (!multiply(&blocks, shape->counts.params, divide_up(shape->channels, REDUCE_LANES)) ||
            !add(&blocks, blocks, divide_up(sums, REDUCE_GROUPS * REDUCE_LANES)) ||
            blocks > INT32_MAX)
            return grid_refuse("reduction");
        plan->reduce_grid = (uint32_t)blocks;
    }
    const bool has_rows = texts[CUDA_FORWARD] || texts[CUDA_BACKWARD];
    if (!multiply(&reports, plan->grids[CUDA_FORWARD], (int64_t)sizeof(struct prnn_block_report)) ||
        !add(&bytes, bytes, CUDA_WORKSPACE_ALIGNMENT - 1) ||
        (has_rows && (!multiply(&row, shape->channels, (int64_t)storage_bytes(shape->storage)) ||
                      !add(&row, row, CUDA_WORKSPACE_ALIGNMENT - 1))))
        return status_set(PRNN_E_LIMIT, "the workspace is too large");
    bytes -= bytes % CUDA_WORKSPACE_ALIGNMENT;
    row -= row % CUDA_WORKSPACE_ALIGNMENT;
    plan->zeros_offset = (size_t)bytes;
    plan->row_bytes = (size_t)row;
    if (!multiply(&row, row, 2) || !add(&bytes, bytes, row))
        return status_set(PRNN_E_LIMIT, "the workspace is too large");
    plan->report_offset = (size_t)bytes;
    if (!add(&bytes, bytes, reports))
        return status_set(PRNN_E_LIMIT, "the workspace is too large");
    plan->workspace_size = (size_t)bytes;
    return PRNN_OK;
}

/* The arrays of a shape are borrowed by callers' rules that differ; a plan has its own. */
static bool shape_copy(struct cuda_plan *plan, const struct backend_shape *shape)
{
    const size_t inputs = shape->counts.inputs, params = shape->counts.params;
    bool *next = plan->flags = calloc(2 * (inputs + params) + 1, sizeof(bool));
    const struct {
        const bool **out;
        const bool *from;
        size_t count;
    } arrays[] = {
        {&plan->shape.input_is_shared, shape->input_is_shared, inputs},
        {&plan->shape.param_is_shared, shape->param_is_shared, params},
        {&plan->shape.input_has_gradient, shape->input_has_gradient, inputs},
        {&plan->shape.param_has_gradient, shape->param_has_gradient, params},
    };
    if (!next)
        return false;
    plan->shape = *shape;
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        *arrays[i].out = NULL;
        if (arrays[i].from && arrays[i].count > 0)
            *arrays[i].out = memcpy(next, arrays[i].from, arrays[i].count * sizeof(bool));
        next += arrays[i].count;
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static void words_add(struct cuda_plan *plan,
                                                            const char *format, ...)
{
    const size_t used = strlen(plan->words);
    va_list args;
    va_start(args, format);
    vsnprintf(plan->words + used, sizeof plan->words - used, format, args);
    va_end(args);
}

static void describe(struct cuda_plan *plan)
{
    words_add(plan, "device: %s\n", cuda_device_describe(plan->device));
    for (int i = 0; i < CUDA_KERNEL_COUNT; i++) {
        const struct cuda_compiled *module = &plan->modules[i];
        if (!module->main.function)
            continue;
        words_add(plan, "%s kernel: %s\n", kernel_word((enum cuda_kernel)i), module->main.name);
        words_add(plan,
                  "%s grid: %u x %u threads, cluster %u, %u bytes shared, %d registers, "
                  "%d bytes local\n",
                  kernel_word((enum cuda_kernel)i), plan->grids[i], module->main.threads,
                  module->main.cluster, module->main.shared_bytes, module->main.registers,
                  module->main.local_bytes);
        words_add(plan, "%s spills: %u bytes\n", kernel_word((enum cuda_kernel)i),
                  module->spill_bytes);
        if (module->from_cache)
            words_add(plan, "%s compiled: from the cache\n", kernel_word((enum cuda_kernel)i));
        else
            words_add(plan, "%s compiled: in %d ms\n", kernel_word((enum cuda_kernel)i),
                      (int)(1000 * module->seconds + 0.5));
    }
    words_add(plan, "workspace: %zu bytes\n", plan->workspace_size);
}

prnn_status cuda_plan_create(struct cuda_plan **out, struct cuda_device *device,
                             const struct backend_shape *shape,
                             const struct backend_text *const texts[CUDA_KERNEL_COUNT],
                             struct cache *cache)
{
    prnn_status status = PRNN_OK;
    struct cuda_plan *plan = calloc(1, sizeof *plan);
    *out = NULL;
    if (!plan || !shape_copy(plan, shape)) {
        free(plan);
        return status_set(PRNN_E_NOMEM, "plan");
    }
    plan->device = device;
    for (int i = 0; i < CUDA_KERNEL_COUNT; i++)
        if (texts[i] && (status = grid_find(plan, (enum cuda_kernel)i, texts[i])) < 0)
            goto fail;
    if ((status = workspace_find(plan, texts)) < 0)
        goto fail;
    uint32_t arguments[CUDA_KERNEL_COUNT];
    for (int i = 0; i < CUDA_KERNEL_COUNT; i++)
        arguments[i] =
            i == CUDA_BACKWARD ? shape->places.backward_count : shape->places.forward_count;
    if ((status = cuda_modules_load(
             plan->modules, device, texts, arguments, CUDA_KERNEL_COUNT, REDUCE_THREADS,
             (uint32_t)real_bytes(shape->storage) * REDUCE_THREADS, cache)) < 0)
        goto fail;
    describe(plan);
    *out = plan;
    return PRNN_OK;
fail:
    cuda_plan_free(plan);
    return status;
}

void cuda_plan_free(struct cuda_plan *plan)
{
    if (!plan)
        return;
    cuda_modules_unload(plan->modules, CUDA_KERNEL_COUNT, plan->device);
    free(plan->flags);
    free(plan);
}

const char *cuda_plan_describe(const struct cuda_plan *plan)
{
    return plan->words;
}

bool cuda_plan_facts(const struct cuda_plan *plan, enum cuda_kernel kernel,
                     struct cuda_kernel_facts *out)
{
    const struct cuda_compiled *module = &plan->modules[kernel];
    if (!module->main.function)
        return false;
    *out = (struct cuda_kernel_facts){.grid = plan->grids[kernel],
                                      .threads = module->main.threads,
                                      .cluster = module->main.cluster,
                                      .shared_bytes = module->main.shared_bytes,
                                      .registers = module->main.registers,
                                      .local_bytes = module->main.local_bytes,
                                      .spill_bytes = module->spill_bytes,
                                      .from_cache = module->from_cache,
                                      .seconds = module->seconds};
    return true;
}

void cuda_plan_tolerance(struct cuda_plan *plan, double tolerance)
{
    plan->shape.tolerance = tolerance;
}

size_t cuda_plan_workspace_size(const struct cuda_plan *plan)
{
    return plan->workspace_size;
}

struct tensor_group {
    uint32_t first, count;
    bool is_input;
};

/* The sequence tensors of a launch. */
enum { FORWARD_GROUPS = 3, BACKWARD_GROUPS = 6 };
static size_t tensor_groups(struct tensor_group *groups, const struct backend_shape *shape,
                            enum cuda_kernel kernel)
{
    const struct launch_places *at = &shape->places;
    const struct tensor_group all[BACKWARD_GROUPS] = {
        {at->x, shape->counts.inputs, true},    {at->h, shape->counts.states, false},
        {at->y, shape->counts.outputs, false},  {at->gh, shape->counts.states, false},
        {at->gy, shape->counts.outputs, false}, {at->dx, shape->counts.inputs, true},
    };
    memcpy(groups, all, sizeof all);
    return kernel == CUDA_BACKWARD ? BACKWARD_GROUPS : FORWARD_GROUPS;
}

/* Whether steps are less than 2 GiB apart. */
static bool is_near(const struct cuda_plan *plan, enum cuda_kernel kernel,
                    const struct launch *launch)
{
    const int64_t most = INT32_MAX / (int64_t)storage_bytes(plan->shape.storage);
    struct tensor_group groups[BACKWARD_GROUPS];
    const size_t count = tensor_groups(groups, &plan->shape, kernel);
    for (size_t g = 0; g < count; g++)
        for (uint32_t i = 0; i < groups[g].count; i++) {
            const struct prnn_arg *arg = &launch->args[groups[g].first + i];
            if (arg->base && (arg->stride_t > most || arg->stride_t < -most))
                return false;
        }
    return true;
}

/* Whether copies of 16 bytes may be used throughout. The last piece of a row must not reach past
 * its channels: what stands there may be another tensor's, or nobody's. */
static bool is_aligned(const struct cuda_plan *plan, enum cuda_kernel kernel,
                       const struct launch *launch)
{
    const struct backend_shape *shape = &plan->shape;
    const uint64_t bytes = storage_bytes(shape->storage);
    struct tensor_group groups[BACKWARD_GROUPS];
    const size_t count = tensor_groups(groups, shape, kernel);
    if ((uint64_t)shape->channels * bytes % 16 != 0)
        return false;
    for (size_t g = 0; g < count; g++)
        for (uint32_t i = 0; i < groups[g].count; i++) {
            const struct prnn_arg *arg = &launch->args[groups[g].first + i];
            if (!arg->base ||
                (groups[g].is_input && shape->input_is_shared && shape->input_is_shared[i]))
                continue;
            uint64_t odd = (uint64_t)(uintptr_t)arg->base | (uint64_t)arg->stride_t * bytes;
            if (shape->batch > 1 && !shape->is_packed)
                odd |= (uint64_t)arg->stride_b * bytes;
            if (odd % 16 != 0)
                return false;
        }
    return true;
}

static struct prnn_block_report *reports_of(const struct cuda_plan *plan, const void *workspace)
{
    /* Device memory: an address to compute with, nothing to be read here. */
    return (struct prnn_block_report *)((uintptr_t)workspace + plan->report_offset);
}

/* Whether it was not bound: then it is the row, at every step and of every sequence. */
static bool row_bind(struct prnn_arg *arg, void *row)
{
    if (arg->base)
        return false;
    *arg = (struct prnn_arg){row, 0, 0};
    return true;
}

/* Rows of the workspace where the kernel reads or writes a tensor that is not bound. Returns
 * whether the row of zeros is one of them. */
static bool rows_bind(const struct cuda_plan *plan, enum cuda_kernel kernel, struct launch *launch,
                      void *workspace)
{
    const struct backend_shape *shape = &plan->shape;
    const struct launch_places *at = &shape->places;
    char *const zeros = (char *)workspace + plan->zeros_offset;
    char *const unread = zeros + plan->row_bytes;
    bool reads_zeros = false;
    for (uint32_t i = 0; kernel == CUDA_FORWARD && i < shape->counts.outputs; i++)
        (void)row_bind(&launch->args[at->y + i], unread);
    if (kernel != CUDA_BACKWARD)
        return false;
    for (uint32_t i = 0; i < shape->counts.states; i++)
        if (shape->state_gradient >> i & 1)
            reads_zeros |= row_bind(&launch->args[at->gh + i], zeros);
    for (uint32_t i = 0; i < shape->counts.outputs; i++)
        reads_zeros |= row_bind(&launch->args[at->gy + i], zeros);
    /* Those of inputs that are one for all channels are summed from the workspace, if wanted. */
    for (uint32_t i = 0; i < shape->counts.inputs; i++)
        if ((!shape->input_has_gradient || shape->input_has_gradient[i]) &&
            !(shape->input_is_shared && shape->input_is_shared[i]))
            (void)row_bind(&launch->args[at->dx + i], unread);
    return reads_zeros;
}

static prnn_status zeros_write(const struct cuda_plan *plan, void *workspace, cuda_stream stream)
{
    const cuda_pointer zeros = (cuda_pointer)(uintptr_t)workspace + plan->zeros_offset;
    const cuda_result code =
        cuda_device_api(plan->device)->memset_async(zeros, 0, plan->row_bytes, stream);
    return code == CUDA_SUCCESS_CODE ? PRNN_OK
                                     : cuda_device_failed(plan->device, code, "cuMemsetD8Async");
}

prnn_status cuda_plan_launch(const struct cuda_plan *plan, enum cuda_kernel kernel,
                             struct launch *launch, void *workspace, void *stream)
{
    const struct cuda_compiled *module = &plan->modules[kernel];
    const bool needs_workspace =
        (kernel == CUDA_FORWARD || kernel == CUDA_BACKWARD) && plan->workspace_size > 0;
    prnn_status status;

    if (!module->main.function)
        return status_set(PRNN_E_INVALID, "the plan was made without its %s kernel",
                          kernel_word(kernel));
    if (needs_workspace && !workspace)
        return status_set(PRNN_E_INVALID, "the workspace is NULL, %zu bytes are needed",
                          plan->workspace_size);
    if (needs_workspace && (uintptr_t)workspace % CUDA_WORKSPACE_ALIGNMENT != 0)
        return status_set(PRNN_E_INVALID, "the workspace stands at %p, a multiple of %d is needed",
                          workspace, CUDA_WORKSPACE_ALIGNMENT);
    launch->head.workspace = needs_workspace ? workspace : NULL;
    launch->head.report =
        kernel == CUDA_FORWARD && needs_workspace ? reports_of(plan, workspace) : NULL;
    launch->head.tolerance = plan->shape.tolerance;
    const bool reads_zeros = needs_workspace && rows_bind(plan, kernel, launch, workspace);
    launch->head.is_near = kernel != CUDA_STEP && is_near(plan, kernel, launch);
    launch->head.is_aligned = launch->head.is_near && is_aligned(plan, kernel, launch);

    if ((status = cuda_device_enter(plan->device)) < 0)
        return status;
    if (reads_zeros)
        status = zeros_write(plan, workspace, (cuda_stream)stream);
    if (status == PRNN_OK)
        status = cuda_entry_launch(plan->device, &module->main, plan->grids[kernel], launch,
                                   (cuda_stream)stream);
    if (status == PRNN_OK && module->reduce.function)
        status = cuda_entry_launch(plan->device, &module->reduce, plan->reduce_grid, launch,
                                   (cuda_stream)stream);
    cuda_device_leave(plan->device);
    return status;
}

/* Blocks of a cluster count the same tiles, so only its first block is asked for numbers; the
 * mismatches are each block's own. */
static void reports_sum(prnn_certificate *out, const struct prnn_block_report *reports,
                        uint32_t count, uint32_t cluster)
{
    uint64_t corrections = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct prnn_block_report *report = &reports[i];
        /* A mismatch that is not a number comes first, and stays. */
        if (report->step >= 0 && !isnan(out->mismatch) &&
            (out->step < 0 || !(report->mismatch <= out->mismatch))) {
            out->mismatch = report->mismatch;
            out->batch = report->batch;
            out->step = report->step;
            out->channel = report->channel;
        }
        if (report->max_corrections > out->max_corrections)
            out->max_corrections = report->max_corrections;
        if (i % cluster == 0) {
            out->tiles += report->tiles;
            corrections += report->sum_corrections;
        }
        out->nonfinite = out->nonfinite || report->nonfinite;
    }
    if (out->tiles > 0)
        out->mean_corrections = (double)corrections / (double)out->tiles;
}

prnn_status cuda_plan_certificate(const struct cuda_plan *plan, const void *workspace,
                                  prnn_certificate *out, void *stream)
{
    const uint32_t count = plan->grids[CUDA_FORWARD];
    const size_t bytes = count * sizeof(struct prnn_block_report);
    const size_t struct_size = out->struct_size;
    struct prnn_block_report *reports = NULL;
    prnn_status status;

    if (!plan->modules[CUDA_FORWARD].main.function)
        return status_set(PRNN_E_INVALID, "the plan was made without its forward kernel");
    if (count > 0 && !workspace)
        return status_set(PRNN_E_INVALID, "the workspace is NULL");
    if (count > 0 && !(reports = malloc(bytes)))
        return status_set(PRNN_E_NOMEM, "%zu bytes of reports", bytes);
    status = count > 0 ? cuda_memory_download(plan->device, reports, reports_of(plan, workspace),
                                              bytes, stream)
                       : cuda_stream_wait(plan->device, stream);
    if (status == PRNN_OK) {
        const uint32_t cluster = plan->modules[CUDA_FORWARD].main.cluster;
        *out = (prnn_certificate){.struct_size = struct_size,
                                  .tolerance = plan->shape.tolerance,
                                  .batch = -1,
                                  .step = -1,
                                  .channel = -1};
        reports_sum(out, reports, count, cluster > 1 ? cluster : 1);
        if (out->nonfinite)
            status = status_set(PRNN_NONFINITE, "inf or NaN among the states");
    }
    free(reports);
    return status;
}
