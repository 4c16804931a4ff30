#include "device_bench.h"

#include "compile_ahead.h"
#include "cuda_timer.h"
#include "handles.h"
#include "kernel_text.h"
#include "number.h"
#include "status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMPARE_BLOCKS = 1024,
    COMPARE_THREADS = 256,
    COMPARE_FIELDS = 6, /* of kernels-gen/compare_arrays.h */
    ROTATIONS_MAX = 64,
    BATCHES_MAX = 64
};

/* A tensor that the direction writes, and what the sequential kernel wrote there. */
struct written {
    const char *name;
    void *device, *reference;
    int64_t length;
    prnn_storage storage;
};

struct difference {
    double error, unequal, strange; /* error: relative, Euclidean */
};

struct device_bench {
    struct trial *trial;
    struct device_bench_options options;
    struct written *written;
    uint32_t written_count;
    struct cuda_plan *compare[2]; /* of the storage type, and of the arithmetic type */
    void *rows;                   /* of the compare kernel */
    void *workspace;
    size_t workspace_size;
    struct launch *launches[ROTATIONS_MAX]; /* of the same problem in other memory */
    int rotations;
    void **copies;
    uint32_t copy_count;
    struct cuda_timer *timer;
};

const char *device_verdict_word(enum device_verdict verdict)
{
    static const char *const words[] = {"fine", "wrong", "refused", "slow"};
    return words[verdict];
}

static struct cuda_device *device_of(const struct device_bench *bench)
{
    return bench->trial->ctx->cuda;
}

static enum cuda_kernel kernel_of(const struct device_bench *bench)
{
    return bench->options.is_backward ? CUDA_BACKWARD : CUDA_FORWARD;
}

/* ---- Kernels ---- */

static prnn_status make_plan(struct cuda_plan **out, struct device_bench *bench,
                             enum cuda_kernel kernel, const struct backend_shape *shape,
                             const struct assemble_options *options, char *refusal, size_t room)
{
    struct pipeline_text text;
    const struct unit *unit = kernel == CUDA_COMPARE ? NULL : bench->trial->unit;
    *out = NULL;
    if (pipeline_assemble(&text, unit, options) != PIPELINE_OK)
        return status_set(PRNN_E_NOMEM, "no memory for a kernel text");
    prnn_status status = PRNN_OK;
    if (text.refusal) {
        snprintf(refusal, room, "%s", text.refusal);
    } else {
        const struct backend_text backend =
            kernel_text_of(&text.assembled, options->strategy.cluster);
        const struct backend_text *texts[CUDA_KERNEL_COUNT] = {NULL};
        texts[kernel] = &backend;
        status = cuda_plan_create(out, device_of(bench), shape, texts, bench->options.cache);
    }
    pipeline_text_free(&text);
    return status;
}

static prnn_status make_compare(struct device_bench *bench, int which, prnn_storage storage)
{
    const struct assemble_options options = {.kernel = ASSEMBLE_COMPARE,
                                             .target = ASSEMBLE_CUDA,
                                             .storage = assemble_storage_of(storage),
                                             .strategy = {.lanes = COMPARE_THREADS,
                                                          .vc = 1,
                                                          .tile_chunks = 1,
                                                          .chunk = 1,
                                                          .stages = 2,
                                                          .cluster = 1}};
    /* One "channel" of COMPARE_THREADS for each thread block. */
    struct backend_shape shape = {.batch = 1,
                                  .channels = (int64_t)COMPARE_BLOCKS * COMPARE_THREADS,
                                  .storage = storage,
                                  .counts = {.states = 1, .inputs = 2}};
    char refusal[256] = "";
    launch_places_find(&shape.places, &shape.counts);
    const prnn_status status = make_plan(&bench->compare[which], bench, CUDA_COMPARE, &shape,
                                         &options, refusal, sizeof refusal);
    return refusal[0] ? status_set(PRNN_E_INTERNAL, "%s", refusal) : status;
}

/* ---- Comparing ---- */

static prnn_status compare_one(struct device_bench *bench, const struct written *written,
                               struct difference *out)
{
    const prnn_storage storage = bench->trial->options.problem.storage;
    struct cuda_plan *plan = bench->compare[written->storage == storage ? 0 : 1];
    const bool in_double = storage == PRNN_F64;
    const size_t bytes = (size_t)COMPARE_BLOCKS * COMPARE_FIELDS * (in_double ? 8 : 4);
    struct launch *launch = calloc(1, sizeof *launch);
    void *rows = calloc(1, bytes);
    prnn_status status = PRNN_OK;
    *out = (struct difference){0};
    if (!launch || !rows)
        status = status_set(PRNN_E_NOMEM, "no memory for a comparison");
    /* Rows of zeros tell that a kernel did not run: it looked at no element. */
    if (status == PRNN_OK)
        status = cuda_memory_upload(device_of(bench), bench->rows, rows, bytes, NULL);
    if (status == PRNN_OK) {
        launch->head.batch = 1;
        launch->head.seq_len = written->length;
        launch->head.channels = COMPARE_BLOCKS;
        launch->args[0].base = written->device;
        launch->args[1].base = written->reference;
        launch->args[2].base = bench->rows;
        status = cuda_plan_launch(plan, CUDA_COMPARE, launch, NULL, NULL);
    }
    if (status == PRNN_OK)
        status = cuda_memory_download(device_of(bench), rows, bench->rows, bytes, NULL);
    double sum[COMPARE_FIELDS] = {0};
    for (int i = 0; status == PRNN_OK && i < COMPARE_BLOCKS; i++)
        for (int f = 0; f < COMPARE_FIELDS; f++)
            sum[f] += in_double ? ((double *)rows)[i * COMPARE_FIELDS + f]
                                : (double)((float *)rows)[i * COMPARE_FIELDS + f];
    free(rows);
    free(launch);
    if (status < 0)
        return status;
    if (sum[5] != (double)written->length)
        return status_set(PRNN_E_INTERNAL, "'%s': %lld of %lld elements were compared",
                          written->name, (long long)sum[5], (long long)written->length);
    out->error = sum[1] > 0 ? sqrt(sum[0] / sum[1]) : sqrt(sum[0]);
    out->unequal = sum[3];
    out->strange = sum[4];
    return status;
}

/* The worst of all tensors, and which it is. */
static prnn_status compare_all(struct device_bench *bench, struct difference *out,
                               const char **worst)
{
    *out = (struct difference){0};
    *worst = "";
    for (uint32_t i = 0; i < bench->written_count; i++) {
        struct difference one;
        const prnn_status status = compare_one(bench, &bench->written[i], &one);
        if (status < 0)
            return status;
        if (!(one.error <= out->error) || one.strange > out->strange ||
            (one.unequal > 0 && !(*worst)[0]))
            *worst = bench->written[i].name;
        out->error = one.error <= out->error ? out->error : one.error;
        out->unequal += one.unequal;
        out->strange += one.strange;
    }
    return PRNN_OK;
}

/* Every byte of what is written becomes that of a NaN, so that what a kernel leaves out is seen. */
static prnn_status poison(struct device_bench *bench)
{
    const struct cuda_api *api = cuda_device_api(device_of(bench));
    prnn_status status = cuda_device_enter(device_of(bench));
    if (status < 0)
        return status;
    for (uint32_t i = 0; i < bench->written_count && status == PRNN_OK; i++) {
        const struct written *w = &bench->written[i];
        const size_t size = (size_t)w->length * storage_bytes(w->storage);
        const cuda_result code =
            size ? api->memset_async((cuda_pointer)(uintptr_t)w->device, 0xff, size, NULL) : 0;
        if (code != CUDA_SUCCESS_CODE)
            status = cuda_device_failed(device_of(bench), code, "cuMemsetD8Async");
    }
    cuda_device_leave(device_of(bench));
    return status;
}

static prnn_status copy(struct device_bench *bench, void *to, const void *from, size_t size)
{
    prnn_status status = size ? cuda_device_enter(device_of(bench)) : PRNN_OK;
    if (status < 0 || !size)
        return status;
    const cuda_result code = cuda_device_api(device_of(bench))
                                 ->copy_on_device((cuda_pointer)(uintptr_t)to,
                                                  (cuda_pointer)(uintptr_t)from, size, NULL);
    if (code != CUDA_SUCCESS_CODE)
        status = cuda_device_failed(device_of(bench), code, "cuMemcpyDtoDAsync");
    cuda_device_leave(device_of(bench));
    return status;
}

/* ---- Making ---- */

/* What the direction writes; each gets room for the reference. */
static prnn_status find_written(struct device_bench *bench)
{
    struct trial *trial = bench->trial;
    prnn_status status = PRNN_OK;
    bench->written =
        arena_array(trial->inv->arena, trial->tensor_count + 1, sizeof *bench->written);
    for (uint32_t i = 0; i < trial->tensor_count && status == PRNN_OK; i++) {
        const struct trial_tensor *tensor = &trial->tensors[i];
        const enum ir_role role = tensor->decl->role;
        const bool is_result = role == IR_ROLE_OUTPUT ||
                               (role == IR_ROLE_STATE && strncmp(tensor->binding, "h0:", 3) != 0);
        const bool is_wanted =
            bench->options.is_backward ? tensor->gradient && !tensor->has_incoming : is_result;
        if (!is_wanted || tensor->length == 0)
            continue;
        struct written *w = &bench->written[bench->written_count++];
        *w = (struct written){.name = tensor->binding,
                              .device = bench->options.is_backward ? tensor->device_gradient
                                                                   : tensor->device,
                              .length = tensor->length,
                              .storage = tensor->storage};
        status = prnn_memory_alloc(trial->ctx, &w->reference,
                                   (size_t)w->length * storage_bytes(w->storage));
    }
    return status;
}

/* Run the trial's own plan, which is sequential, and keep what it writes. */
static prnn_status run_reference(struct device_bench *bench)
{
    struct trial *trial = bench->trial;
    prnn_status status = poison(bench);
    if (status == PRNN_OK)
        status = prnn_forward(trial->plan, trial->args, trial->workspace, NULL);
    if (status == PRNN_OK && bench->options.is_backward)
        status = prnn_backward(trial->plan, trial->args, trial->grads, trial->workspace, NULL);
    for (uint32_t i = 0; i < bench->written_count && status == PRNN_OK; i++) {
        const struct written *w = &bench->written[i];
        status =
            copy(bench, w->reference, w->device, (size_t)w->length * storage_bytes(w->storage));
    }
    if (status == PRNN_OK)
        status = prnn_stream_wait(trial->ctx, NULL);
    return status;
}

double device_bench_bytes(const struct device_bench *bench)
{
    double bytes = 0;
    for (uint32_t i = 0; i < bench->trial->tensor_count; i++) {
        const struct trial_tensor *tensor = &bench->trial->tensors[i];
        const double size = (double)tensor->length * (double)storage_bytes(tensor->storage);
        if (!tensor->has_time)
            continue;
        /* The backward pass does not read outputs, only their gradients. */
        if (!bench->options.is_backward || tensor->decl->role != IR_ROLE_OUTPUT)
            bytes += size;
        if (bench->options.is_backward && tensor->gradient)
            bytes += size;
    }
    return bytes;
}

static struct launch *make_launch(struct device_bench *bench, const prnn_tensor *args,
                                  const prnn_tensor *grads, prnn_status *status)
{
    struct launch *launch = calloc(1, sizeof *launch);
    if (!launch)
        *status = status_set(PRNN_E_NOMEM, "no memory for a launch");
    else
        *status = launch_make(bench->trial->plan,
                              bench->options.is_backward ? VIEW_BACKWARD : VIEW_FORWARD, args,
                              grads, launch);
    return launch;
}

/* A copy of one tensor's memory bound in its place. */
static prnn_status rotate_tensor(struct device_bench *bench, prnn_tensor *args, const char *binding,
                                 const void *device, size_t size)
{
    struct trial *trial = bench->trial;
    void **place = &bench->copies[bench->copy_count++];
    prnn_status status = prnn_memory_alloc(trial->ctx, place, size);
    if (status == PRNN_OK)
        status = copy(bench, *place, device, size);
    if (status == PRNN_OK)
        status = prnn_plan_bind(trial->plan, args, binding, *place, PRNN_DENSE, PRNN_DENSE);
    return status;
}

/* The same problem in other memory until all of it together is larger than the second-level cache:
 * launches in a row must not find their inputs there. */
static prnn_status make_launches(struct device_bench *bench)
{
    struct trial *trial = bench->trial;
    const double cache = cuda_device_properties(device_of(bench))->l2_bytes;
    const double bytes = device_bench_bytes(bench);
    prnn_status status = PRNN_OK;
    int wanted = bytes > 0 ? (int)fmin(ceil(3 * cache / bytes), ROTATIONS_MAX) : 1;
    wanted = wanted < 1 ? 1 : wanted;
    bench->copies = arena_array(trial->inv->arena, (size_t)wanted * 2 * trial->tensor_count + 1,
                                sizeof *bench->copies);
    while (bench->rotations < wanted && status == PRNN_OK) {
        prnn_tensor args[PRNN_MAX_ARGS], grads[PRNN_MAX_ARGS];
        memcpy(args, trial->args, sizeof args);
        memcpy(grads, trial->grads, sizeof grads);
        for (uint32_t i = 0; i < trial->tensor_count && bench->rotations > 0 && status == PRNN_OK;
             i++) {
            const struct trial_tensor *tensor = &trial->tensors[i];
            const size_t size = (size_t)tensor->length * storage_bytes(tensor->storage);
            if (!tensor->has_time || !size)
                continue;
            status = rotate_tensor(bench, args, tensor->binding, tensor->device, size);
            if (status == PRNN_OK && tensor->gradient && bench->options.is_backward)
                status =
                    rotate_tensor(bench, grads, tensor->binding, tensor->device_gradient, size);
        }
        if (status == PRNN_OK)
            bench->launches[bench->rotations++] = make_launch(bench, args, grads, &status);
    }
    return status;
}

int device_bench_create(struct device_bench **out, struct trial *trial,
                        const struct device_bench_options *options)
{
    const prnn_storage storage = trial->options.problem.storage;
    struct device_bench *bench = arena_alloc(trial->inv->arena, sizeof *bench);
    *out = bench;
    bench->trial = trial;
    bench->options = *options;
    prnn_status status = make_compare(bench, 0, storage);
    if (status == PRNN_OK && storage_bytes(storage) < 4)
        status = make_compare(bench, 1, PRNN_F32);
    if (status == PRNN_OK)
        status = prnn_memory_alloc(trial->ctx, &bench->rows,
                                   (size_t)COMPARE_BLOCKS * COMPARE_FIELDS * sizeof(double));
    if (status == PRNN_OK)
        status = cuda_timer_create(&bench->timer, device_of(bench), NULL);
    if (status == PRNN_OK)
        status = find_written(bench);
    if (status == PRNN_OK)
        status = run_reference(bench);
    if (status == PRNN_OK)
        status = make_launches(bench);
    return command_status(status, "measuring");
}

void device_bench_free(struct device_bench *bench)
{
    if (!bench)
        return;
    prnn_context *ctx = bench->trial->ctx;
    (void)prnn_stream_wait(ctx, NULL);
    for (uint32_t i = 0; i < bench->written_count; i++)
        prnn_memory_free(ctx, bench->written[i].reference);
    for (uint32_t i = 0; i < bench->copy_count; i++)
        prnn_memory_free(ctx, bench->copies[i]);
    for (int i = 0; i < bench->rotations; i++)
        free(bench->launches[i]);
    prnn_memory_free(ctx, bench->rows);
    prnn_memory_free(ctx, bench->workspace);
    cuda_plan_free(bench->compare[0]);
    cuda_plan_free(bench->compare[1]);
    cuda_timer_free(bench->timer);
}

/* ---- Checking ---- */

/* What rounding may do between two orders of the same sums: 30 roundings of the arithmetic for each
 * operation of a step, grown as the recurrence grows errors, and one rounding of storage. Half of
 * the size of the answer or more says nothing: then only the certificate is looked at. */
static double error_bound(const struct device_bench *bench, double tolerance)
{
    static const double storage_eps[] = {
        [PRNN_F32] = 0, [PRNN_F64] = 0, [PRNN_BF16] = 0x1p-8, [PRNN_F16] = 0x1p-11};
    const prnn_storage storage = bench->trial->options.problem.storage;
    const double eps = storage == PRNN_F64 ? 0x1p-53 : 0x1p-24;
    const struct unit *unit = bench->trial->unit;
    const double operations =
        bench->options.is_backward ? unit->backward.operations : unit->forward.operations;
    const double growth = bench->options.growth;
    const double bound =
        30 * eps * fmax(operations, 1) * growth + tolerance * growth + storage_eps[storage];
    return bound < 0.5 ? bound : INFINITY;
}

static prnn_status run_once(struct device_bench *bench, struct cuda_plan *plan)
{
    prnn_status status = poison(bench);
    if (status == PRNN_OK)
        status =
            cuda_plan_launch(plan, kernel_of(bench), bench->launches[0], bench->workspace, NULL);
    return status;
}

static void judge(struct device_figure *out, const char *format, const char *name, double found,
                  double allowed)
{
    char numbers[2][NUMBER_TEXT_ROOM];
    number_print_short(numbers[0], found, 3);
    number_print_short(numbers[1], allowed, 3);
    out->verdict = DEVICE_WRONG;
    snprintf(out->words, sizeof out->words, format, name, numbers[0], numbers[1]);
}

/* Bits first: with tolerance 0 every strategy promises those of the sequential run. Then as it will
 * be used. */
static prnn_status check(struct device_bench *bench, struct cuda_plan *plan,
                         struct device_figure *out)
{
    const double tolerance = bench->trial->plan->shape.tolerance;
    prnn_certificate cert = PRNN_CERTIFICATE_INIT;
    struct difference d;
    const char *worst;
    prnn_status status;
    if (!bench->options.is_backward) {
        cuda_plan_tolerance(plan, 0);
        status = run_once(bench, plan);
        cuda_plan_tolerance(plan, tolerance);
        if (status < 0 || (status = compare_all(bench, &d, &worst)) < 0)
            return status;
        out->unequal = d.unequal;
        if (d.unequal > 0)
            judge(out, "'%s': %s elements differ in their bits at tolerance %s", worst, d.unequal,
                  0);
    }
    if ((status = run_once(bench, plan)) < 0 || (status = compare_all(bench, &d, &worst)) < 0)
        return status;
    out->error = d.error;
    const double bound = error_bound(bench, bench->options.is_backward ? 0 : tolerance);
    if (d.strange > 0 && isfinite(bench->options.growth))
        judge(out, "'%s': %s elements are infinite or NaN on one side, allowed are %s", worst,
              d.strange, 0);
    else if (!(d.error <= bound) && isfinite(bound))
        judge(out, "'%s': relative error %s, allowed %s", worst, d.error, bound);
    if (bench->options.is_backward)
        return PRNN_OK;
    status = cuda_plan_certificate(plan, bench->workspace, &cert, NULL);
    if (status < 0)
        return status;
    out->max_corrections = cert.max_corrections;
    out->mean_corrections = cert.mean_corrections;
    out->mismatch = cert.mismatch;
    if (!(cert.mismatch <= tolerance) && !cert.nonfinite)
        judge(out, "%smismatch %s above the tolerance %s", "", cert.mismatch, tolerance);
    return PRNN_OK;
}

/* ---- Timing ---- */

static prnn_status time_batch(struct device_bench *bench, struct cuda_plan *plan, uint32_t launches,
                              double *seconds)
{
    prnn_status status = cuda_timer_start(bench->timer);
    for (uint32_t i = 0; i < launches && status == PRNN_OK; i++)
        status = cuda_plan_launch(plan, kernel_of(bench),
                                  bench->launches[i % (uint32_t)bench->rotations], bench->workspace,
                                  NULL);
    double whole = 0;
    if (status == PRNN_OK)
        status = cuda_timer_stop(bench->timer, &whole);
    *seconds = whole / launches;
    return status;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static prnn_status time_kernel(struct device_bench *bench, struct cuda_plan *plan,
                               double give_up_above, struct device_figure *out)
{
    double times[BATCHES_MAX], once = 0;
    /* The clocks rise during the first launches; the second batch says how long a batch is to be.
     */
    prnn_status status = time_batch(bench, plan, 2, &once);
    if (status == PRNN_OK)
        status = time_batch(bench, plan, 3, &once);
    out->seconds = out->fewest = once;
    out->batches = 1;
    out->launches = 3;
    if (status < 0 || once > give_up_above) {
        if (status == PRNN_OK && out->verdict == DEVICE_FINE)
            out->verdict = DEVICE_SLOW;
        return status;
    }
    int batches = bench->options.batches < BATCHES_MAX ? bench->options.batches : BATCHES_MAX;
    const double share = bench->options.seconds / batches;
    out->launches = once > 0 ? (uint32_t)fmin(fmax(share / once, 3), 200) : 3;
    /* Every rotation the same number of times, or batches would differ. */
    if (bench->rotations > 1 && out->launches < (uint32_t)bench->rotations)
        out->launches = (uint32_t)bench->rotations;
    for (int i = 0; i < batches && status == PRNN_OK; i++)
        status = time_batch(bench, plan, out->launches, &times[i]);
    if (status < 0)
        return status;
    qsort(times, (size_t)batches, sizeof *times, compare_doubles);
    out->batches = (uint32_t)batches;
    out->seconds = times[batches / 2];
    out->fewest = times[0];
    return status;
}

static bool is_of_the_strategy(prnn_status status)
{
    return status == PRNN_E_LIMIT || status == PRNN_E_UNSUPPORTED || status == PRNN_E_INTERNAL;
}

static prnn_status reserve_workspace(struct device_bench *bench, size_t size)
{
    if (size <= bench->workspace_size)
        return PRNN_OK;
    prnn_memory_free(bench->trial->ctx, bench->workspace);
    bench->workspace = NULL;
    bench->workspace_size = 0;
    const prnn_status status = prnn_memory_alloc(bench->trial->ctx, &bench->workspace, size);
    if (status == PRNN_OK)
        bench->workspace_size = size;
    return status;
}

int device_bench_measure(struct device_bench *bench, const struct strategy *strategy,
                         double give_up_above, struct device_figure *out)
{
    struct assemble_options options;
    struct cuda_plan *plan;
    *out = (struct device_figure){0};
    shape_options(bench->trial->plan, &options);
    options.kernel = bench->options.is_backward ? ASSEMBLE_BACKWARD : ASSEMBLE_FORWARD;
    options.target = ASSEMBLE_CUDA;
    options.strategy = *strategy;
    prnn_status status = make_plan(&plan, bench, kernel_of(bench), &bench->trial->plan->shape,
                                   &options, out->words, sizeof out->words);
    if (out->words[0] || is_of_the_strategy(status)) {
        if (!out->words[0])
            snprintf(out->words, sizeof out->words, "%s", status_text());
        out->verdict = DEVICE_REFUSED;
        return EXIT_CODE_OK;
    }
    if (status == PRNN_OK) {
        (void)cuda_plan_facts(plan, kernel_of(bench), &out->facts);
        status = reserve_workspace(bench, cuda_plan_workspace_size(plan));
    }
    if (status == PRNN_OK)
        status = check(bench, plan, out);
    if (status == PRNN_OK && out->verdict == DEVICE_FINE)
        status = time_kernel(bench, plan, give_up_above, out);
    /* Its words first: taking down a plan of a lost context has others. */
    const int code = command_status(status, "measuring");
    cuda_plan_free(plan);
    return code;
}
