#include "trial.h"

#include "backend.h"
#include "element.h"
#include "emit.h"
#include "ir_eval.h"
#include "shooting.h"

#include <math.h>
#include <string.h>

/* Element steps that the judge and the shooting solver interpret: some seconds. */
enum { JUDGED_ELEMENTS = 4 << 20, SHOT_ELEMENTS = 1 << 18 };

/* ---- Random numbers: splitmix64, Box and Muller ---- */

static uint64_t next_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double next_uniform(uint64_t *state)
{
    return ((double)(next_bits(state) >> 11) + 0.5) * 0x1p-53;
}

static double next_normal(uint64_t *state)
{
    const double radius = sqrt(-2 * log(next_uniform(state)));
    return radius * cos(6.283185307179586 * next_uniform(state));
}

static double clip(double value, double lo, double hi)
{
    return value < lo ? lo : value > hi ? hi : value;
}

/* ---- Tensors ---- */

static prnn_storage real_storage(const struct trial *trial)
{
    return trial->options.problem.storage == PRNN_F64 ? PRNN_F64 : PRNN_F32;
}

/* Element (b, t, e, channel); what a tensor has not, its index is not read. */
static int64_t place(const struct trial *trial, const struct trial_tensor *tensor, int64_t b,
                     int64_t t, uint32_t e, int64_t channel)
{
    int64_t row = tensor->has_batch ? b : 0;
    if (tensor->has_time)
        row = row * trial->options.problem.seq_len + t;
    return (row * tensor->decl->count + e) * tensor->width + (tensor->width == 1 ? 0 : channel);
}

static struct trial_tensor *add_tensor(struct trial *trial, const struct ir_decl *decl,
                                       const char *prefix, bool has_batch, bool has_time)
{
    const prnn_problem *problem = &trial->options.problem;
    struct trial_tensor *tensor = &trial->tensors[trial->tensor_count++];
    tensor->decl = decl;
    tensor->binding = arena_printf(trial->inv->arena, "%s%s", prefix, decl->name);
    tensor->has_batch = has_batch;
    tensor->has_time = has_time;
    tensor->storage = has_time ? problem->storage : real_storage(trial);
    tensor->width = decl->is_shared ? 1 : problem->channels;
    tensor->length = tensor->width * decl->count * (has_batch ? problem->batch : 1) *
                     (has_time ? problem->seq_len : 1);
    tensor->host =
        arena_array(trial->inv->arena, (size_t)tensor->length + 1, storage_bytes(tensor->storage));
    return tensor;
}

/* Where only times matter, the first values are repeated. Their number is a prime: a divisor of the
 * steps of a chunk times the channels would give all entries of a channel the same steps before
 * them, and a guess that is right for one would be right for all. */
static void fill(const struct trial *trial, const struct trial_tensor *tensor, void *memory,
                 uint64_t *random, const double mean_deviation_range[4])
{
    enum { DRAWN = (1 << 20) - 3 };
    const double *d = mean_deviation_range;
    const bool is_repeated = trial->options.is_timed_only && tensor->length > DRAWN;
    const int64_t drawn = is_repeated ? DRAWN : tensor->length;
    const size_t bytes = storage_bytes(tensor->storage);
    for (int64_t i = 0; i < drawn; i++)
        element_store(tensor->storage, memory, i,
                      clip(d[0] + d[1] * next_normal(random), d[2], d[3]));
    for (int64_t i = drawn; i < tensor->length; i += drawn) {
        const int64_t left = tensor->length - i;
        memcpy((char *)memory + (size_t)i * bytes, memory,
               (size_t)(left < drawn ? left : drawn) * bytes);
    }
}

static void fill_normal(const struct trial *trial, const struct trial_tensor *tensor,
                        uint64_t *random, double mean, double deviation, double lo, double hi)
{
    fill(trial, tensor, tensor->host, random, (const double[]){mean, deviation, lo, hi});
}

static void add_gradient(struct trial *trial, struct trial_tensor *tensor, uint64_t *random,
                         bool is_incoming)
{
    tensor->has_incoming = is_incoming;
    tensor->gradient =
        arena_array(trial->inv->arena, (size_t)tensor->length + 1, storage_bytes(tensor->storage));
    if (is_incoming)
        fill(trial, tensor, tensor->gradient, random, (const double[]){0, 1, -INFINITY, INFINITY});
}

static int fill_param(struct trial *trial, struct trial_tensor *tensor, uint64_t *random)
{
    const struct ir_decl *decl = tensor->decl;
    if (decl->init == IR_INIT_DEFAULT) {
        fill_normal(trial, tensor, random, 0, 0.5, decl->has_range ? decl->lo : -INFINITY,
                    decl->has_range ? decl->hi : INFINITY);
        return EXIT_CODE_OK;
    }
    return command_status(prnn_params_init(trial->cell, decl->name, trial->options.seed,
                                           trial->options.problem.channels, tensor->storage,
                                           tensor->host, PRNN_DENSE),
                          decl->name);
}

/* The output is the trajectory of a state and has no memory of its own. */
static bool is_state_output(const struct ir *ir, const struct ir_decl *decl)
{
    return ir_output_state(ir, decl->first) >= 0;
}

static int make_tensors(struct trial *trial)
{
    const struct ir *ir = trial->unit->ir;
    const struct range *ranges = trial->unit->ranges.state;
    uint64_t random = trial->options.seed * 0x2545f4914f6cdd1du + 1;
    const bool has_backward = trial->options.problem.backward;
    trial->tensors =
        arena_array(trial->inv->arena, (size_t)ir->decl_count * 3 + 1, sizeof *trial->tensors);
    for (uint32_t i = 0; i < ir->decl_count; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        const double lo = decl->has_range ? decl->lo : -INFINITY;
        const double hi = decl->has_range ? decl->hi : INFINITY;
        struct trial_tensor *tensor;
        int code;
        switch (decl->role) {
        case IR_ROLE_STATE:
            tensor = add_tensor(trial, decl, "", true, true);
            if (has_backward)
                add_gradient(trial, tensor, &random, true);
            tensor = add_tensor(trial, decl, "h0:", true, false);
            /* Within the values that the state can take, or a logarithm of a state would get -1. */
            fill_normal(trial, tensor, &random, decl->initial, 0.5, ranges[decl->first].lo,
                        ranges[decl->first].hi);
            if (has_backward)
                add_gradient(trial, tensor, &random, false);
            tensor = add_tensor(trial, decl, "hT:", true, false);
            if (has_backward)
                add_gradient(trial, tensor, &random, true);
            break;
        case IR_ROLE_INPUT:
            tensor = add_tensor(trial, decl, "", true, true);
            fill_normal(trial, tensor, &random, 0, 1, lo, hi);
            if (has_backward && !decl->no_gradient)
                add_gradient(trial, tensor, &random, false);
            break;
        case IR_ROLE_PARAM:
            tensor = add_tensor(trial, decl, "", false, false);
            if ((code = fill_param(trial, tensor, &random)) != 0)
                return code;
            if (has_backward && !decl->no_gradient)
                add_gradient(trial, tensor, &random, false);
            break;
        case IR_ROLE_OUTPUT:
            if (is_state_output(ir, decl))
                break;
            tensor = add_tensor(trial, decl, "", true, true);
            if (has_backward)
                add_gradient(trial, tensor, &random, true);
            break;
        }
    }
    return EXIT_CODE_OK;
}

static int bind(struct trial *trial, prnn_tensor *args, const struct trial_tensor *tensor,
                void *memory)
{
    return command_status(
        prnn_plan_bind(trial->plan, args, tensor->binding, memory, PRNN_DENSE, PRNN_DENSE),
        tensor->binding);
}

/* Memory of the device with a copy of the host's; on the CPU the same memory. */
static int upload(struct trial *trial, void **device, void *host, const struct trial_tensor *tensor)
{
    const size_t size = (size_t)tensor->length * storage_bytes(tensor->storage);
    if (trial->is_host) {
        *device = host;
        return EXIT_CODE_OK;
    }
    prnn_status status = prnn_memory_alloc(trial->ctx, device, size);
    if (status >= 0 && size > 0)
        status = prnn_memory_upload(trial->ctx, *device, host, size, NULL);
    return command_status(status, tensor->binding);
}

static int workspace_make(struct trial *trial)
{
    return command_status(
        prnn_memory_alloc(trial->ctx, &trial->workspace, prnn_plan_workspace_size(trial->plan)),
        "workspace");
}

static int bind_all(struct trial *trial)
{
    for (uint32_t i = 0; i < trial->tensor_count; i++) {
        struct trial_tensor *tensor = &trial->tensors[i];
        int code = upload(trial, &tensor->device, tensor->host, tensor);
        if (!code)
            code = bind(trial, trial->args, tensor, tensor->device);
        if (!code && tensor->gradient) {
            code = upload(trial, &tensor->device_gradient, tensor->gradient, tensor);
            if (!code)
                code = bind(trial, trial->grads, tensor, tensor->device_gradient);
        }
        if (code)
            return code;
    }
    return workspace_make(trial);
}

/* Another plan, and a workspace for it. */
static int tune(struct trial *trial, const char *path)
{
    prnn_plan *tuned;
    const int code =
        command_status(prnn_plan_tune(&tuned, trial->plan, trial->args, trial->grads, NULL), path);
    if (code)
        return code;
    prnn_plan_free(trial->plan);
    trial->plan = tuned;
    prnn_memory_free(trial->ctx, trial->workspace);
    trial->workspace = NULL;
    return workspace_make(trial);
}

prnn_status trial_load_cell(prnn_cell **out, struct invocation *inv, prnn_context *ctx,
                            const struct unit *unit, const char *path)
{
    prnn_cell_options cell_options = PRNN_CELL_OPTIONS_INIT;
    const char **defines = arena_array(inv->arena, unit->define_count, sizeof *defines);
    for (uint32_t i = 0; i < unit->define_count; i++) {
        struct textbuf define;
        textbuf_init(&define, inv->arena);
        textbuf_printf(&define, "%s=", unit->defines[i].name);
        textbuf_add_number(&define, unit->defines[i].value);
        defines[i] = define.text;
    }
    cell_options.defines = defines;
    cell_options.define_count = unit->define_count;
    return prnn_cell_load(out, ctx, path, &cell_options);
}

int trial_create(struct trial *trial, struct invocation *inv, const struct unit *unit,
                 const char *path, const struct trial_options *options)
{
    *trial = (struct trial){.inv = inv, .unit = unit, .options = *options};
    trial->options.problem.write = PRNN_WRITE_STATES;
    int code = command_status(prnn_context_create(&trial->ctx, options->device), options->device);
    if (code)
        return code;
    trial->is_host = !strcmp(prnn_context_device(trial->ctx), "cpu");
    code = command_status(trial_load_cell(&trial->cell, inv, trial->ctx, unit, path), path);
    if (code)
        return code;
    const prnn_status status = prnn_plan_create(&trial->plan, trial->cell, &trial->options.problem);
    trial->is_fallback = status == PRNN_FALLBACK;
    if ((code = command_status(status, path)) != 0)
        return code;
    if ((code = make_tensors(trial)) != 0 || (code = bind_all(trial)) != 0)
        return code;
    return options->is_tuned ? tune(trial, path) : EXIT_CODE_OK;
}

void trial_free(struct trial *trial)
{
    for (uint32_t i = 0; i < trial->tensor_count && !trial->is_host; i++) {
        prnn_memory_free(trial->ctx, trial->tensors[i].device);
        prnn_memory_free(trial->ctx, trial->tensors[i].device_gradient);
    }
    if (trial->ctx)
        prnn_memory_free(trial->ctx, trial->workspace);
    prnn_plan_free(trial->plan);
    prnn_cell_free(trial->cell);
    prnn_context_free(trial->ctx);
}

int trial_forward(struct trial *trial, int times)
{
    for (int i = 0; i < times; i++) {
        const prnn_status status = prnn_forward(trial->plan, trial->args, trial->workspace, NULL);
        if (status < 0)
            return command_status(status, "forward");
    }
    return command_status(prnn_stream_wait(trial->ctx, NULL), "forward");
}

int trial_backward(struct trial *trial, int times)
{
    for (int i = 0; i < times; i++) {
        const prnn_status status =
            prnn_backward(trial->plan, trial->args, trial->grads, trial->workspace, NULL);
        if (status < 0)
            return command_status(status, "backward");
    }
    return command_status(prnn_stream_wait(trial->ctx, NULL), "backward");
}

int trial_fetch(struct trial *trial)
{
    for (uint32_t i = 0; i < trial->tensor_count && !trial->is_host; i++) {
        struct trial_tensor *tensor = &trial->tensors[i];
        const size_t size = (size_t)tensor->length * storage_bytes(tensor->storage);
        prnn_status status = PRNN_OK;
        if (size > 0)
            status = prnn_memory_download(trial->ctx, tensor->host, tensor->device, size, NULL);
        if (status >= 0 && size > 0 && tensor->gradient && !tensor->has_incoming)
            status = prnn_memory_download(trial->ctx, tensor->gradient, tensor->device_gradient,
                                          size, NULL);
        if (status < 0)
            return command_status(status, tensor->binding);
    }
    return EXIT_CODE_OK;
}

/* ---- The judge ---- */

double trial_relative(const struct trial_error *error)
{
    if (error->count == 0)
        return NAN;
    return error->size > 0 ? sqrt(error->difference / error->size) : sqrt(error->difference);
}

struct judge {
    struct trial *trial;
    struct trial_verdict *verdict;
    struct ir_program *step, *adjoint;
    double *scratch;
    double *h;                     /* [seq_len + 1, states] of one channel */
    double *x, *p, *y, *cotangent; /* leaves of one step */
    double *adj_h, *adj_x, *adj_p; /* ... and what the adjoint gives */
    double **sum; /* of each tensor whose gradient is a sum: that gradient; else NULL */
};

static void compare(struct trial_error *error, double found, double wanted)
{
    error->difference += (found - wanted) * (found - wanted);
    error->size += wanted * wanted;
    error->count++;
}

void trial_gather(const struct trial *trial, enum ir_role role, bool has_time, const char *prefix,
                  bool is_gradient, int64_t b, int64_t t, int64_t channel, double *out)
{
    for (uint32_t i = 0; i < trial->tensor_count; i++) {
        const struct trial_tensor *tensor = &trial->tensors[i];
        if (tensor->decl->role != role || tensor->has_time != has_time ||
            strncmp(tensor->binding, prefix, strlen(prefix)) != 0)
            continue;
        for (uint32_t e = 0; e < tensor->decl->count; e++)
            out[tensor->decl->first + e] =
                element_load(tensor->storage, is_gradient ? tensor->gradient : tensor->host,
                             place(trial, tensor, b, t, e, channel));
    }
}

static void judge_forward(struct judge *judge, int64_t b, int64_t channel)
{
    struct trial *trial = judge->trial;
    const struct ir *ir = trial->unit->ir;
    trial_gather(trial, IR_ROLE_STATE, false, "h0:", false, b, 0, channel, judge->h);
    for (int64_t t = 0; t < trial->options.problem.seq_len; t++) {
        double *h = judge->h + (size_t)t * ir->states;
        trial_gather(trial, IR_ROLE_INPUT, true, "", false, b, t, channel, judge->x);
        const struct ir_leaves_f64 leaves = {
            .h = h,
            .x = judge->x,
            .p = judge->p,
            .out = {[IR_OUT_NEXT] = h + ir->states, [IR_OUT_OUTPUT] = judge->y}};
        ir_eval_f64(judge->step, &leaves, judge->scratch);
        for (uint32_t i = 0; i < trial->tensor_count; i++) {
            const struct trial_tensor *tensor = &trial->tensors[i];
            const enum ir_role role = tensor->decl->role;
            if (!tensor->has_time || (role != IR_ROLE_STATE && role != IR_ROLE_OUTPUT))
                continue;
            const double *wanted = role == IR_ROLE_STATE ? h + ir->states : judge->y;
            for (uint32_t e = 0; e < tensor->decl->count; e++)
                compare(&judge->verdict->forward,
                        element_load(tensor->storage, tensor->host,
                                     place(trial, tensor, b, t, e, channel)),
                        wanted[tensor->decl->first + e]);
        }
    }
}

static void judge_backward(struct judge *judge, int64_t b, int64_t channel)
{
    struct trial *trial = judge->trial;
    const struct ir *ir = trial->unit->ir;
    trial_gather(trial, IR_ROLE_STATE, false, "hT:", true, b, 0, channel, judge->adj_h);
    for (int64_t t = trial->options.problem.seq_len; t-- > 0;) {
        trial_gather(trial, IR_ROLE_INPUT, true, "", false, b, t, channel, judge->x);
        memset(judge->cotangent, 0, (ir->states + ir->outputs) * sizeof(double));
        trial_gather(trial, IR_ROLE_STATE, true, "", true, b, t, channel, judge->cotangent);
        trial_gather(trial, IR_ROLE_OUTPUT, true, "", true, b, t, channel,
                     judge->cotangent + ir->states);
        for (uint32_t i = 0; i < ir->states; i++)
            judge->cotangent[i] += judge->adj_h[i];
        const struct ir_leaves_f64 leaves = {.h = judge->h + (size_t)t * ir->states,
                                             .x = judge->x,
                                             .p = judge->p,
                                             .cotangent = judge->cotangent,
                                             .out = {[IR_OUT_ADJ_STATE] = judge->adj_h,
                                                     [IR_OUT_ADJ_INPUT] = judge->adj_x,
                                                     [IR_OUT_ADJ_PARAM] = judge->adj_p}};
        ir_eval_f64(judge->adjoint, &leaves, judge->scratch);
        for (uint32_t i = 0; i < trial->tensor_count; i++) {
            const struct trial_tensor *tensor = &trial->tensors[i];
            if (!tensor->gradient || tensor->has_incoming)
                continue;
            for (uint32_t e = 0; e < tensor->decl->count; e++) {
                const int64_t at = place(trial, tensor, b, t, e, channel);
                if (tensor->decl->role == IR_ROLE_PARAM)
                    judge->sum[i][at] += judge->adj_p[tensor->decl->first + e];
                else if (tensor->decl->role == IR_ROLE_INPUT && tensor->decl->is_shared)
                    judge->sum[i][at] += judge->adj_x[tensor->decl->first + e];
                else if (tensor->decl->role == IR_ROLE_INPUT)
                    compare(&judge->verdict->backward[i],
                            element_load(tensor->storage, tensor->gradient, at),
                            judge->adj_x[tensor->decl->first + e]);
            }
        }
    }
    for (uint32_t i = 0; i < trial->tensor_count; i++) {
        const struct trial_tensor *tensor = &trial->tensors[i];
        if (tensor->decl->role != IR_ROLE_STATE || tensor->has_incoming || !tensor->gradient)
            continue;
        for (uint32_t e = 0; e < tensor->decl->count; e++)
            compare(&judge->verdict->backward[i],
                    element_load(tensor->storage, tensor->gradient,
                                 place(trial, tensor, b, 0, e, channel)),
                    judge->adj_h[tensor->decl->first + e]);
    }
}

/* Sums are complete: compare them. */
static void judge_sums(struct judge *judge)
{
    const struct trial *trial = judge->trial;
    const int64_t channels = judge->verdict->channels;
    for (uint32_t i = 0; i < trial->tensor_count; i++) {
        const struct trial_tensor *tensor = &trial->tensors[i];
        if (!judge->sum[i] ||
            (tensor->decl->is_shared && channels < trial->options.problem.channels))
            continue;
        for (int64_t k = 0; k < tensor->length; k++)
            if (tensor->decl->is_shared || k % tensor->width < channels)
                compare(&judge->verdict->backward[i],
                        element_load(tensor->storage, tensor->gradient, k), judge->sum[i][k]);
    }
}

/* As many channels as have 'elements' element steps together, at least 1 where there is one. */
static int64_t channels_within(const prnn_problem *problem, int64_t elements)
{
    const int64_t steps = problem->batch * problem->seq_len;
    const int64_t most = steps > 0 ? elements / steps : problem->channels;
    return most > problem->channels ? problem->channels
           : most < 1               ? (problem->channels > 0 ? 1 : 0)
                                    : most;
}

static double *reals(const struct judge *judge, size_t count)
{
    return arena_array(judge->trial->inv->arena, count + 1, sizeof(double));
}

/* The next number of the storage type: 'value' plus less than one of its places, rounded. */
static double neighbour(prnn_storage storage, double value, int direction)
{
    static const int bits[] = {[PRNN_F32] = 24, [PRNN_F64] = 53, [PRNN_BF16] = 8, [PRNN_F16] = 11};
    int exponent;
    frexp(value, &exponent);
    return value + direction * ldexp(1, exponent - bits[storage]);
}

void trial_move(struct trial *trial)
{
    uint64_t random = trial->options.seed + 1;
    for (uint32_t i = 0; i < trial->tensor_count; i++) {
        const struct trial_tensor *tensor = &trial->tensors[i];
        const enum ir_role role = tensor->decl->role;
        const struct range range = role == IR_ROLE_STATE
                                       ? trial->unit->ranges.state[tensor->decl->first]
                                       : (struct range){-INFINITY, INFINITY, false};
        const double lo = tensor->decl->has_range ? tensor->decl->lo : range.lo;
        const double hi = tensor->decl->has_range ? tensor->decl->hi : range.hi;
        if (role == IR_ROLE_OUTPUT ||
            (role == IR_ROLE_STATE && strncmp(tensor->binding, "h0:", 3) != 0))
            continue;
        for (int64_t k = 0; k < tensor->length; k++) {
            const double value = element_load(tensor->storage, tensor->host, k);
            const int direction = (int)(next_bits(&random) % 3) - 1;
            if (value != 0)
                element_store(tensor->storage, tensor->host, k,
                              clip(neighbour(tensor->storage, value, direction), lo, hi));
        }
    }
}

void trial_judge(struct trial *trial, struct trial_verdict *out)
{
    const struct ir *ir = trial->unit->ir;
    const prnn_problem *problem = &trial->options.problem;
    struct arena *arena = trial->inv->arena;
    *out = (struct trial_verdict){0};
    out->backward = arena_array(arena, trial->tensor_count + 1, sizeof *out->backward);
    out->channels = channels_within(problem, JUDGED_ELEMENTS);

    struct judge judge = {.trial = trial, .verdict = out};
    judge.step = ir_program_create(ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT), arena);
    judge.adjoint = ir_program_create(
        ir, IR_MASK(IR_OUT_ADJ_STATE) | IR_MASK(IR_OUT_ADJ_INPUT) | IR_MASK(IR_OUT_ADJ_PARAM),
        arena);
    judge.scratch =
        reals(&judge, ir_program_scratch(judge.step) + ir_program_scratch(judge.adjoint));
    judge.h = reals(&judge, ((size_t)problem->seq_len + 1) * ir->states);
    judge.x = reals(&judge, ir->inputs);
    judge.p = reals(&judge, ir->params);
    judge.y = reals(&judge, ir->outputs);
    judge.cotangent = reals(&judge, ir->states + ir->outputs);
    judge.adj_h = reals(&judge, ir->states);
    judge.adj_x = reals(&judge, ir->inputs);
    judge.adj_p = reals(&judge, ir->params);
    judge.sum = arena_array(arena, trial->tensor_count + 1, sizeof *judge.sum);
    for (uint32_t i = 0; i < trial->tensor_count; i++) {
        const struct trial_tensor *tensor = &trial->tensors[i];
        const bool is_sum = tensor->decl->role == IR_ROLE_PARAM ||
                            (tensor->decl->role == IR_ROLE_INPUT && tensor->decl->is_shared);
        if (is_sum && tensor->gradient)
            judge.sum[i] = reals(&judge, (size_t)tensor->length);
    }
    for (int64_t channel = 0; channel < out->channels; channel++) {
        output_progress("comparing with the interpreter: channel %lld of %lld",
                        (long long)channel + 1, (long long)out->channels);
        trial_gather(trial, IR_ROLE_PARAM, false, "", false, 0, 0, channel, judge.p);
        for (int64_t b = 0; b < problem->batch; b++) {
            judge_forward(&judge, b, channel);
            if (problem->backward)
                judge_backward(&judge, b, channel);
        }
    }
    judge_sums(&judge);
    output_progress("%s", "");
}

/* ---- Shooting ---- */

int trial_shoot(struct trial *trial, double tolerance, struct trial_verdict *out)
{
    const struct ir *ir = trial->unit->ir;
    const prnn_problem *problem = &trial->options.problem;
    struct trial_shooting *result = &out->shooting;
    const struct shooting_options options = {
        .tile_chunks = 8,
        .chunk = 16,
        .tolerance = tolerance,
        .in_float = problem->storage != PRNN_F64,
    };
    *result = (struct trial_shooting){.tile_chunks = options.tile_chunks,
                                      .chunk = options.chunk,
                                      .channels = channels_within(problem, SHOT_ELEMENTS),
                                      .tolerance = options.tolerance};
    struct judge judge = {.trial = trial, .verdict = out};
    const size_t steps = (size_t)problem->seq_len;
    struct shooting_cell cell;
    shooting_cell_create(&cell, ir, trial->inv->arena);
    judge.x = reals(&judge, steps * ir->inputs);
    judge.p = reals(&judge, ir->params);
    judge.h = reals(&judge, ir->states);
    double *h = reals(&judge, steps * ir->states), *wanted = reals(&judge, ir->states);
    uint64_t corrections = 0;
    int64_t tiles = 0;
    for (int64_t channel = 0; channel < result->channels; channel++) {
        output_progress("shooting: channel %lld of %lld", (long long)channel + 1,
                        (long long)result->channels);
        trial_gather(trial, IR_ROLE_PARAM, false, "", false, 0, 0, channel, judge.p);
        for (int64_t b = 0; b < problem->batch; b++) {
            for (int64_t t = 0; t < problem->seq_len; t++)
                trial_gather(trial, IR_ROLE_INPUT, true, "", false, b, t, channel,
                             judge.x + (size_t)t * ir->inputs);
            trial_gather(trial, IR_ROLE_STATE, false, "h0:", false, b, 0, channel, judge.h);
            const struct shooting_problem sequence = {
                .seq_len = problem->seq_len, .x = judge.x, .p = judge.p, .h0 = judge.h, .h = h};
            struct shooting_report report;
            if (!shooting_solve(&cell, &options, &sequence, &report)) {
                output_complain("shooting: memory has ended");
                return EXIT_CODE_LIMIT;
            }
            corrections += report.sum_corrections;
            tiles += report.tiles;
            if (report.max_corrections > result->max_corrections)
                result->max_corrections = report.max_corrections;
            if (!(report.mismatch <= result->mismatch))
                result->mismatch = report.mismatch;
            /* The plan's states have been judged; agreeing with them is agreeing with the judge. */
            for (int64_t t = 0; t < problem->seq_len; t++) {
                trial_gather(trial, IR_ROLE_STATE, true, "", false, b, t, channel, wanted);
                for (uint32_t i = 0; i < ir->states; i++)
                    compare(&result->error, h[(size_t)t * ir->states + i], wanted[i]);
            }
        }
    }
    result->mean_corrections = tiles > 0 ? (double)corrections / (double)tiles : 0;
    output_progress("%s", "");
    return EXIT_CODE_OK;
}
