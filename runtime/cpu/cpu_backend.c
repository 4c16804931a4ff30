#include "cpu_backend.h"

#include "cpu_parallel.h"
#include "element.h"
#include "hostcc.h"
#include "status.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sequences whose parameter gradients are summed in one run before they are summed with others:
 * fixed by the shape alone, so that the answer does not depend on the number of threads. */
enum { SLOTS = 8 };
enum { GROUP_MAX = 1024, GROUP_MIN = 64, ITEMS_WANTED = 16 };
enum { REPORT_ROOM = 64, LINE = 64 };
enum { WORK_FOR_THREADS = 16384 };

struct cpu_plan {
    struct backend_shape shape;
    struct hostcc_object *object;
    const struct prnn_cpu_entries *entries; /* NULL: interpreted */
    const struct interpreter *interpreter;
    int threads;
    int64_t group, groups, slots;
    uint32_t shared_inputs;
    size_t scratch_at, scratch_each, partial_at, workspace; /* bytes */
    size_t partial_each;                                    /* reals of an item */
    char origin[64];
};

/* Work is cut into items of some sequences and channels. */
struct item {
    int64_t b0, b1, c0, c1;
};

int cpu_threads(int wanted, int64_t work)
{
    return work < WORK_FOR_THREADS ? 1 : wanted;
}

static size_t round_up(size_t size)
{
    return (size + LINE - 1) / LINE * LINE;
}

/* a * b + *sum into *sum; false when it does not fit. */
static bool add_product(size_t *sum, int64_t a, int64_t b)
{
    size_t product;
    return !__builtin_mul_overflow((size_t)a, (size_t)b, &product) &&
           !__builtin_add_overflow(*sum, product, sum);
}

/* Item 'index' of the backward pass. */
static struct item slot_of(const struct cpu_plan *plan, int64_t batch, int64_t index)
{
    const int64_t slot = index / plan->groups, group = index % plan->groups;
    struct item item = {batch * slot / plan->slots, batch * (slot + 1) / plan->slots,
                        group * plan->group, (group + 1) * plan->group};
    if (item.c1 > plan->shape.channels)
        item.c1 = plan->shape.channels;
    return item;
}

static bool lay_out(struct cpu_plan *plan)
{
    const struct backend_shape *shape = &plan->shape;
    const size_t real = real_bytes(shape->storage);
    plan->slots = shape->batch < SLOTS ? shape->batch : SLOTS;
    for (uint32_t k = 0; k < shape->counts.inputs; k++)
        plan->shared_inputs += shape->input_is_shared[k];
    /* Sums over channels depend on the groups, so these may not depend on the threads then. */
    const int64_t items = plan->shared_inputs ? ITEMS_WANTED : plan->threads;
    plan->group = GROUP_MAX;
    while (plan->group > GROUP_MIN &&
           plan->slots * ((shape->channels + plan->group - 1) / plan->group) < items)
        plan->group /= 2;
    plan->groups = (shape->channels + plan->group - 1) / plan->group;

    plan->scratch_at = REPORT_ROOM;
    plan->scratch_each =
        plan->entries ? 0 : round_up(interpreter_scratch(plan->interpreter, shape->storage));
    plan->partial_at = plan->scratch_at + plan->scratch_each * (size_t)plan->threads;
    if (!shape->is_backward || !plan->slots)
        plan->workspace = plan->partial_at;
    else {
        /* Parameters of a group, then shared inputs of a slot's sequences. */
        const int64_t rows = shape->is_packed ? 1 : (shape->batch + plan->slots - 1) / plan->slots;
        int64_t shared_rows;
        size_t bytes;
        plan->partial_each = 0;
        if (!add_product(&plan->partial_each, shape->counts.params, plan->group) ||
            __builtin_mul_overflow(rows, (int64_t)plan->shared_inputs, &shared_rows) ||
            !add_product(&plan->partial_each, shared_rows, shape->seq_len) ||
            __builtin_mul_overflow(plan->partial_each, (size_t)(plan->slots * plan->groups) * real,
                                   &bytes) ||
            __builtin_add_overflow(bytes, plan->partial_at, &plan->workspace))
            return false;
    }
    return true;
}

static bool entries_fit(const struct prnn_cpu_entries *entries, const struct backend_shape *shape)
{
    return entries && entries->abi_version == PRNN_ABI_VERSION &&
           entries->real_bytes == real_bytes(shape->storage) &&
           entries->element_bytes == storage_bytes(shape->storage) &&
           !memcmp(&entries->counts, &shape->counts, sizeof shape->counts);
}

/* Compile; PRNN_FALLBACK with words where that fails. */
static prnn_status load_object(struct cpu_plan *plan, const char *text, size_t length,
                               struct cache *cache)
{
    struct hostcc_info info = {0};
    char *log = NULL;
    prnn_status st = PRNN_OK;
    const enum hostcc_status loaded = hostcc_load(&plan->object, text, length, cache, &info, &log);
    switch (loaded) {
    case HOSTCC_OK:
        plan->entries = hostcc_symbol(plan->object, "prnn_cpu_entries");
        if (entries_fit(plan->entries, &plan->shape)) {
            if (info.from_cache)
                snprintf(plan->origin, sizeof plan->origin, "from the cache");
            else
                snprintf(plan->origin, sizeof plan->origin, "compiled in %d ms",
                         (int)(info.seconds * 1000));
            break;
        }
        plan->entries = NULL;
        st = status_set(PRNN_FALLBACK, "the compiled object has another table of entries than "
                                       "this library; the interpreter is used");
        break;
    case HOSTCC_NOMEM:
        st = status_set(PRNN_E_NOMEM, "no memory to compile the CPU kernels");
        break;
    case HOSTCC_MISSING:
    case HOSTCC_REJECTED:
    case HOSTCC_TROUBLE:
        st = status_set(PRNN_FALLBACK, "the interpreter is used: %s",
                        log ? log : "the C compiler failed");
        break;
    }
    free(log);
    return st;
}

prnn_status cpu_plan_create(struct cpu_plan **out, const struct backend_shape *shape,
                            const char *text, size_t length, struct cache *cache,
                            const struct interpreter *interpreter)
{
    prnn_status st = PRNN_OK;
    struct cpu_plan *plan = calloc(1, sizeof *plan);
    *out = NULL;
    if (!plan)
        return status_set(PRNN_E_NOMEM, "no memory for a plan");
    plan->shape = *shape;
    plan->interpreter = interpreter;
    plan->threads = shape->threads > 0 ? (int)shape->threads : cpu_parallel_default();
    snprintf(plan->origin, sizeof plan->origin, "interpreted");
    if (text && (st = load_object(plan, text, length, cache)) < 0)
        goto fail;
    if (!lay_out(plan)) {
        st = status_set(PRNN_E_LIMIT,
                        "the workspace of batch %lld, seq_len %lld, channels %lld "
                        "does not fit the address space",
                        (long long)shape->batch, (long long)shape->seq_len,
                        (long long)shape->channels);
        goto fail;
    }
    cpu_parallel_prepare(plan->threads);
    *out = plan;
    return st;
fail:
    cpu_plan_free(plan);
    return st;
}

void cpu_plan_free(struct cpu_plan *plan)
{
    if (!plan)
        return;
    hostcc_unload(plan->object);
    free(plan);
}

size_t cpu_plan_workspace(const struct cpu_plan *plan)
{
    return plan->workspace;
}

bool cpu_plan_is_compiled(const struct cpu_plan *plan)
{
    return plan->entries;
}

const char *cpu_plan_origin(const struct cpu_plan *plan)
{
    return plan->origin;
}

int cpu_plan_threads(const struct cpu_plan *plan)
{
    return plan->threads;
}

bool cpu_plan_evaluate(const struct cpu_plan *plan, int64_t count)
{
    static volatile double sink;
    if (!plan->entries)
        return false;
    sink = plan->entries->evaluate_only(count);
    (void)sink;
    return true;
}

/* What the items of one pass share. */
struct pass {
    const struct cpu_plan *plan;
    struct launch *launch;
    unsigned char *workspace, *partial;
    int64_t groups;
};

static void *scratch_of(const struct pass *pass, int worker)
{
    return pass->workspace + pass->plan->scratch_at + pass->plan->scratch_each * (size_t)worker;
}

/* One sequence and one group of channels. */
static void forward_item(void *context, int64_t index, int worker)
{
    const struct pass *pass = context;
    const struct cpu_plan *plan = pass->plan;
    const struct prnn_launch_head *head = &pass->launch->head;
    const int64_t b = index / pass->groups, c0 = index % pass->groups * plan->group;
    const int64_t c1 = c0 + plan->group < head->channels ? c0 + plan->group : head->channels;
    if (plan->entries)
        plan->entries->forward(head, b, b + 1, c0, c1);
    else
        interpreter_forward(plan->interpreter, &plan->shape, head, b, b + 1, c0, c1,
                            scratch_of(pass, worker));
}

prnn_status cpu_plan_forward(const struct cpu_plan *plan, struct launch *launch, void *workspace)
{
    const int64_t batch = launch->head.batch, channels = launch->head.channels;
    struct prnn_block_report *report = workspace;
    unsigned char *const bytes = workspace;

    *report = (struct prnn_block_report){.step = -1, .channel = -1, .batch = -1};
    launch->head.report = report;
    launch->head.workspace = NULL;
    if (!batch || !channels)
        return PRNN_OK;
    const int64_t groups = (channels + plan->group - 1) / plan->group;
    const int threads = cpu_threads(plan->threads, batch * channels * (launch->head.seq_len + 1));
    cpu_parallel(threads, batch * groups, forward_item,
                 &(struct pass){plan, launch, bytes, NULL, groups});
    if (report->nonfinite)
        return status_set(PRNN_NONFINITE, "a state is inf or NaN, as in the sequential recurrence");
    return PRNN_OK;
}

/* Sums of the items' partial sums, in the order of the items. */

static double real_at(prnn_storage storage, const void *partial, size_t index)
{
    return storage == PRNN_F64 ? ((const double *)partial)[index]
                               : (double)((const float *)partial)[index];
}

static void sum_params(const struct cpu_plan *plan, const struct launch *launch,
                       const void *partial)
{
    const struct backend_shape *shape = &plan->shape;
    const prnn_storage real = shape->storage == PRNN_F64 ? PRNN_F64 : PRNN_F32;
    for (uint32_t k = 0; k < shape->counts.params; k++) {
        void *base = launch->args[shape->places.dp + k].base;
        double shared = 0;
        if (!base || !shape->param_has_gradient[k])
            continue;
        for (int64_t c = 0; c < shape->channels; c++) {
            const int64_t group = c / plan->group;
            double sum = 0;
            for (int64_t slot = 0; slot < plan->slots; slot++) {
                const int64_t index = slot * plan->groups + group;
                const struct item item = slot_of(plan, shape->batch, index);
                sum += real_at(shape->storage, partial,
                               (size_t)index * plan->partial_each +
                                   (size_t)(k * (item.c1 - item.c0) + c - item.c0));
            }
            if (shape->param_is_shared[k])
                shared += sum;
            else
                element_store(real, base, c, sum);
        }
        if (shape->param_is_shared[k])
            element_store(real, base, 0, shared);
    }
}

/* One sequence (of packed ones: all that slot 'slot' has) of a shared input's gradient. */
static void sum_shared_row(const struct cpu_plan *plan, const struct prnn_arg *arg,
                           const void *partial, uint32_t shared, int64_t slot, int64_t b,
                           int64_t begin, int64_t end)
{
    const struct backend_shape *shape = &plan->shape;
    for (int64_t t = begin; t < end; t++) {
        double sum = 0;
        for (int64_t group = 0; group < plan->groups; group++) {
            const int64_t index = slot * plan->groups + group;
            const struct item item = slot_of(plan, shape->batch, index);
            const int64_t rows = shape->is_packed ? 1 : item.b1 - item.b0;
            const int64_t row = shape->is_packed ? 0 : b - item.b0;
            sum += real_at(shape->storage, partial,
                           (size_t)index * plan->partial_each +
                               (size_t)(shape->counts.params * (item.c1 - item.c0) +
                                        (shared * rows + row) * shape->seq_len + t));
        }
        element_store(shape->storage, arg->base,
                      (shape->is_packed ? 0 : b * arg->stride_b) + t * arg->stride_t, sum);
    }
}

static void sum_shared_inputs(const struct cpu_plan *plan, const struct launch *launch,
                              const void *partial)
{
    const struct backend_shape *shape = &plan->shape;
    uint32_t shared = 0;
    for (uint32_t k = 0; k < shape->counts.inputs; k++) {
        const struct prnn_arg *arg = &launch->args[shape->places.dx + k];
        if (!shape->input_is_shared[k])
            continue;
        for (int64_t slot = 0; arg->base && shape->input_has_gradient[k] && slot < plan->slots;
             slot++) {
            const struct item item = slot_of(plan, shape->batch, slot * plan->groups);
            for (int64_t b = item.b0; b < item.b1; b++)
                sum_shared_row(plan, arg, partial, shared, slot, b,
                               shape->is_packed ? launch->head.cu_seqlens[b] : 0,
                               shape->is_packed ? launch->head.cu_seqlens[b + 1] : shape->seq_len);
        }
        shared++;
    }
}

/* Without sequences or channels the gradients of parameters are sums of nothing. */
static void zero_params(const struct cpu_plan *plan, const struct launch *launch)
{
    const struct backend_shape *shape = &plan->shape;
    for (uint32_t k = 0; k < shape->counts.params; k++) {
        void *base = launch->args[shape->places.dp + k].base;
        const int64_t count = shape->param_is_shared[k] ? 1 : shape->channels;
        if (base && shape->param_has_gradient[k])
            memset(base, 0, (size_t)count * real_bytes(shape->storage));
    }
}

/* The sequences of one slot and one group of channels, with partial sums of their own. */
static void backward_item(void *context, int64_t index, int worker)
{
    const struct pass *pass = context;
    const struct cpu_plan *plan = pass->plan;
    const struct prnn_launch_head *head = &pass->launch->head;
    const size_t real = real_bytes(plan->shape.storage);
    const struct item item = slot_of(plan, plan->shape.batch, index);
    unsigned char *const own = pass->partial + (size_t)index * plan->partial_each * real;
    memset(own, 0, plan->partial_each * real);
    if (plan->entries)
        plan->entries->backward(head, item.b0, item.b1, item.c0, item.c1, own);
    else
        interpreter_backward(plan->interpreter, &plan->shape, head, item.b0, item.b1, item.c0,
                             item.c1, own, scratch_of(pass, worker));
}

prnn_status cpu_plan_backward(const struct cpu_plan *plan, struct launch *launch, void *workspace)
{
    const struct backend_shape *shape = &plan->shape;
    unsigned char *const bytes = workspace;
    unsigned char *const partial = bytes + plan->partial_at;

    assert(shape->is_backward);
    launch->head.report = NULL;
    launch->head.workspace = NULL;
    if (!shape->batch || !shape->channels) {
        zero_params(plan, launch);
        return PRNN_OK;
    }
    const int threads =
        cpu_threads(plan->threads, shape->batch * shape->channels * (shape->seq_len + 1));
    cpu_parallel(threads, plan->slots * plan->groups, backward_item,
                 &(struct pass){plan, launch, bytes, partial, plan->groups});
    sum_params(plan, launch, partial);
    sum_shared_inputs(plan, launch, partial);
    return PRNN_OK;
}

void cpu_plan_certificate(const struct cpu_plan *plan, const void *workspace, prnn_certificate *out)
{
    const struct prnn_block_report *report = workspace;
    out->mismatch = 0;
    out->tolerance = plan->shape.tolerance;
    out->batch = out->step = out->channel = -1;
    out->max_corrections = 0;
    out->mean_corrections = 0;
    out->tiles = 0;
    out->nonfinite = report->nonfinite != 0;
}
