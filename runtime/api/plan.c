#include "handles.h"

#include "cpu_scan.h"
#include "cuda_backend.h"
#include "status.h"

#include <stdlib.h>
#include <string.h>

/* Elements of any tensor of a plan: offsets in bytes stay far below 2^63. */
#define ELEMENTS_MAX ((int64_t)1 << 56)

/* A few roundings of the arithmetic type, relative to the state. */
#define TOLERANCE_F32 (8 * 1.1920929e-07)
#define TOLERANCE_F64 (8 * 2.220446049250313e-16)
/* A quarter of what rounding a state to its storage does to it. */
#define TOLERANCE_BF16 (0x1p-9 / 4)
#define TOLERANCE_F16 (0x1p-12 / 4)

enum assemble_storage assemble_storage_of(prnn_storage storage)
{
    switch (storage) {
    case PRNN_F32:
        return ASSEMBLE_F32;
    case PRNN_F64:
        return ASSEMBLE_F64;
    case PRNN_BF16:
        return ASSEMBLE_BF16;
    case PRNN_F16:
        break;
    }
    return ASSEMBLE_F16;
}

enum assemble_mode assemble_mode_of(prnn_math math)
{
    return math == PRNN_STRICT ? ASSEMBLE_STRICT
           : math == PRNN_FAST ? ASSEMBLE_FAST
                               : ASSEMBLE_ACCURATE;
}

void shape_options(const prnn_plan *plan, struct assemble_options *out)
{
    const struct backend_shape *shape = &plan->shape;
    *out = (struct assemble_options){
        .storage = assemble_storage_of(shape->storage),
        .mode = assemble_mode_of(shape->math),
        .state_written = shape->state_written,
        .state_gradient = shape->state_gradient,
        .has_resets = shape->has_resets,
        .is_packed = shape->is_packed,
    };
}

/* Lengths that are not negative and whose product fits. */
static prnn_status check_lengths(int64_t batch, int64_t seq_len, int64_t channels, int64_t scalars)
{
    int64_t product;
    if (batch < 0 || seq_len < 0 || channels < 0)
        return status_set(PRNN_E_INVALID,
                          "batch %lld, seq_len %lld, channels %lld: needed are lengths of at "
                          "least 0",
                          (long long)batch, (long long)seq_len, (long long)channels);
    const int64_t longest = batch > seq_len ? batch : seq_len;
    if (longest > ELEMENTS_MAX || channels > ELEMENTS_MAX ||
        __builtin_mul_overflow(batch + 1, seq_len + 1, &product) ||
        __builtin_mul_overflow(product, channels + 1, &product) ||
        __builtin_mul_overflow(product, scalars + 1, &product) || product > ELEMENTS_MAX)
        return status_set(PRNN_E_LIMIT,
                          "batch %lld, seq_len %lld, channels %lld: a tensor has more than 2^56 "
                          "elements",
                          (long long)batch, (long long)seq_len, (long long)channels);
    return PRNN_OK;
}

static prnn_status check_problem(const prnn_cell *cell, const prnn_problem *problem)
{
    if (!cell)
        return status_set(PRNN_E_INVALID, "'cell' is NULL, needed is a cell");
    if (!problem || problem->struct_size != sizeof *problem)
        return status_set(PRNN_E_INVALID, "'problem' has struct_size %zu, needed is %zu",
                          problem ? problem->struct_size : (size_t)0, sizeof *problem);
    if ((int)problem->storage < PRNN_F32 || problem->storage > PRNN_F16)
        return status_set(PRNN_E_INVALID, "storage is %d, needed is one of prnn_storage",
                          (int)problem->storage);
    if ((int)problem->math < PRNN_ACCURATE || problem->math > PRNN_STRICT)
        return status_set(PRNN_E_INVALID, "math is %d, needed is one of prnn_math",
                          (int)problem->math);
    if ((int)problem->write < PRNN_WRITE_AUTO || problem->write > PRNN_WRITE_LAST)
        return status_set(PRNN_E_INVALID, "write is %d, needed is one of prnn_write",
                          (int)problem->write);
    if (problem->write == PRNN_WRITE_LAST && problem->backward)
        return status_set(PRNN_E_INVALID,
                          "'backward' needs the states, PRNN_WRITE_LAST does not write them");
    if (problem->threads < 0)
        return status_set(PRNN_E_INVALID, "threads is %d, needed is 0 or more", problem->threads);
    if (problem->tolerance != problem->tolerance)
        return status_set(PRNN_E_INVALID, "tolerance is NaN, needed is a number");
    const struct prnn_counts *n = &cell->counts;
    return check_lengths(problem->batch, problem->seq_len, problem->channels,
                         (int64_t)n->states + n->inputs + n->params + n->outputs);
}

static double tolerance_of(double wanted, prnn_storage storage)
{
    if (wanted >= 0)
        return wanted;
    switch (storage) {
    case PRNN_F64:
        return TOLERANCE_F64;
    case PRNN_BF16:
        return TOLERANCE_BF16;
    case PRNN_F16:
        return TOLERANCE_F16;
    case PRNN_F32:
        break;
    }
    return TOLERANCE_F32;
}

static void find_shape(prnn_plan *plan, const prnn_problem *problem)
{
    const prnn_cell *cell = plan->cell;
    const uint32_t all = (1u << cell->counts.states) - 1;
    struct backend_shape *shape = &plan->shape;
    *shape = (struct backend_shape){
        .batch = problem->batch,
        .seq_len = problem->seq_len,
        .channels = problem->channels,
        .storage = problem->storage,
        .math = problem->math,
        .is_backward = problem->backward,
        .has_resets = problem->resets,
        .is_packed = problem->packed,
        .is_reversed = problem->reverse,
        .threads = problem->threads,
        .tolerance = tolerance_of(problem->tolerance, problem->storage),
        .counts = cell->counts,
        .input_is_shared = cell->input_is_shared,
        .param_is_shared = cell->param_is_shared,
        .input_has_gradient = cell->input_has_gradient,
        .param_has_gradient = cell->param_has_gradient,
    };
    launch_places_find(&shape->places, &cell->counts);
    plan->write = problem->write == PRNN_WRITE_AUTO ? PRNN_WRITE_OUTPUTS : problem->write;
    if (plan->write == PRNN_WRITE_STATES)
        shape->state_written = shape->state_gradient = all;
    else if (plan->write == PRNN_WRITE_OUTPUTS) {
        shape->state_written = problem->backward ? all : cell->output_states;
        shape->state_gradient = cell->output_states;
    }
}

/* The interpreter's programs live in an arena of the plan. */
static void make_programs(struct arena *arena, void *context)
{
    prnn_plan *plan = context;
    const struct ir *ir = plan->cell->unit->ir;
    const uint32_t step = IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT);
    const uint32_t adjoint =
        IR_MASK(IR_OUT_ADJ_STATE) | IR_MASK(IR_OUT_ADJ_INPUT) | IR_MASK(IR_OUT_ADJ_PARAM);
    plan->interpreter = (struct interpreter){
        .ir = ir,
        .step = ir_program_create(ir, step, arena),
        .adjoint = plan->shape.is_backward ? ir_program_create(ir, adjoint, arena) : NULL,
        .expression = plan->cell->output_expression,
        .initial = plan->cell->initial,
    };
}

prnn_status refusal_status(const struct pipeline_text *text, const struct unit *unit)
{
    const char *name = unit ? unit->ir->name : "";
    switch (text->assembled.fault) {
    case ASSEMBLE_CELL:
        return status_set(PRNN_E_LIMIT, "cell '%s' is too large for a kernel: %s", name,
                          text->refusal);
    case ASSEMBLE_STRATEGY:
        return status_set(PRNN_E_LIMIT, "the strategy cannot be used: %s", text->refusal);
    default:
        return status_set(PRNN_E_INTERNAL, "no kernel of cell '%s': %s; please report it", name,
                          text->refusal);
    }
}

prnn_status plan_create_cpu(prnn_plan *plan)
{
    struct assemble_options options;
    struct pipeline_text text = {0};
    prnn_status st;
    shape_options(plan, &options);
    options.kernel = ASSEMBLE_CPU;
    options.target = ASSEMBLE_HOST;
    if (pipeline_guard(&plan->programs, make_programs, plan) != PIPELINE_OK ||
        pipeline_assemble(&text, plan->cell->unit, &options) != PIPELINE_OK)
        return status_set(PRNN_E_NOMEM, "no memory for the kernels of cell '%s'",
                          plan->cell->unit->ir->name);
    if (text.refusal)
        st = refusal_status(&text, plan->cell->unit);
    else
        st = cpu_plan_create(&plan->cpu, &plan->shape, text.assembled.text, text.assembled.length,
                             plan->ctx->cache, &plan->interpreter);
    pipeline_text_free(&text);
    if (st < 0)
        return st;
    plan->workspace = cpu_plan_workspace(plan->cpu);
    plan->description =
        text_make("device: cpu\nstrategy: sequential\nkernels: %s\nthreads: %d\nworkspace: %zu\n",
                  cpu_plan_origin(plan->cpu), cpu_plan_threads(plan->cpu), plan->workspace);
    return st;
}

prnn_status plan_made(prnn_plan **out, prnn_plan *plan, prnn_status st)
{
    if (st >= 0 && !plan->description)
        st = status_set(PRNN_E_NOMEM, "no memory for a plan");
    if (st < 0)
        prnn_plan_free(plan);
    else
        *out = plan;
    return st;
}

/* PARARNNC_TUNED=ignore, or the strategy "model", passes over what was measured and stored. */
static prnn_status create_on_device(prnn_plan *plan, const char *strategy)
{
    const char *ignored = secure_getenv("PARARNNC_TUNED");
    struct wish wish;
    if (!strategy || !strcmp(strategy, "model"))
        return plan_create_cuda(plan, NULL, !strategy && !(ignored && !strcmp(ignored, "ignore")));
    const prnn_status st = wish_read(&wish, strategy);
    return st < 0 ? st : plan_create_cuda(plan, &wish, false);
}

prnn_status plan_copy_shape(prnn_plan **out, const prnn_plan *like)
{
    prnn_plan *plan = *out = malloc(sizeof *plan);
    if (!plan)
        return status_set(PRNN_E_NOMEM, "no memory for a plan");
    *plan = *like;
    plan->description = NULL;
    plan->cpu = NULL;
    plan->programs = NULL;
    plan->cuda = NULL;
    plan->workspace = 0;
    cell_retain(plan->cell);
    return PRNN_OK;
}

prnn_status prnn_plan_create(prnn_plan **out, const prnn_cell *cell, const prnn_problem *problem)
{
    prnn_status st;
    if (!out)
        return status_set(PRNN_E_INVALID, "'out' is NULL, needed is the place of a handle");
    *out = NULL;
    if ((st = check_problem(cell, problem)) < 0)
        return st;
    prnn_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return status_set(PRNN_E_NOMEM, "no memory for a plan");
    plan->ctx = cell->ctx;
    memcpy(&plan->cell, &cell, sizeof cell); /* only its count of owners changes */
    cell_retain(plan->cell);
    find_shape(plan, problem);
    if (plan->shape.places.backward_count > LAUNCH_ARGS_MAX)
        st = status_set(PRNN_E_LIMIT, "cell '%s' has %u scalars in a launch, the limit is %d",
                        cell->unit->ir->name, plan->shape.places.backward_count, LAUNCH_ARGS_MAX);
    if (st >= 0)
        st = slots_find(plan);
    if (st >= 0)
        st = plan->ctx->cuda ? create_on_device(plan, problem->strategy) : plan_create_cpu(plan);
    return plan_made(out, plan, st);
}

void prnn_plan_free(prnn_plan *plan)
{
    if (!plan)
        return;
    cuda_plan_free(plan->cuda);
    cpu_plan_free(plan->cpu);
    cpu_scan_free(plan->scan);
    arena_destroy(plan->programs);
    prnn_cell_free(plan->cell);
    free(plan->description);
    free(plan);
}

/* A plan of prnn_scan() has no cell: its shape and names are made by hand. */
static void find_scan_shape(prnn_plan *plan, const prnn_scan_problem *problem)
{
    static const bool not_shared[SCAN_BLOCK_MAX * (SCAN_BLOCK_MAX + 1)];
    const uint32_t n = problem->block, jacobians = problem->is_diagonal ? n : n * n;
    struct backend_shape *shape = &plan->shape;
    *shape = (struct backend_shape){
        .batch = problem->batch,
        .seq_len = problem->seq_len,
        .channels = problem->channels,
        .storage = problem->storage,
        .is_reversed = problem->reverse,
        .threads = problem->threads,
        .state_written = (1u << n) - 1,
        .counts = {.states = n, .inputs = jacobians + n},
        .input_is_shared = not_shared,
        .param_is_shared = not_shared,
        .input_has_gradient = not_shared,
        .param_has_gradient = not_shared,
    };
    launch_places_find(&shape->places, &shape->counts);
    plan->write = PRNN_WRITE_STATES;
    plan->scan_block = n;
    plan->scan_transposes = problem->transpose && !problem->is_diagonal;
    plan->slots[0] = (struct slot){.kind = SLOT_INPUT, .name = "J", .count = jacobians};
    plan->slots[1] = (struct slot){.kind = SLOT_INPUT, .name = "r", .first = jacobians, .count = n};
    plan->slots[2] = (struct slot){.kind = SLOT_STATE, .name = "h", .count = n};
    plan->slots[3] = (struct slot){.kind = SLOT_H0, .name = "h", .count = n};
    plan->slots[4] = (struct slot){.kind = SLOT_HT, .name = "h", .count = n};
    plan->slot_count = 5;
}

prnn_status prnn_scan_plan_create(prnn_plan **out, prnn_context *ctx,
                                  const prnn_scan_problem *problem)
{
    prnn_status st;
    if (!out)
        return status_set(PRNN_E_INVALID, "'out' is NULL, needed is the place of a handle");
    *out = NULL;
    if (!ctx)
        return status_set(PRNN_E_INVALID, "'ctx' is NULL, needed is a context");
    if (!problem || problem->struct_size != sizeof *problem)
        return status_set(PRNN_E_INVALID, "'problem' has struct_size %zu, needed is %zu",
                          problem ? problem->struct_size : (size_t)0, sizeof *problem);
    if (problem->block < 1 || problem->block > SCAN_BLOCK_MAX)
        return status_set(PRNN_E_INVALID, "block is %u, needed is 1 to %d", problem->block,
                          SCAN_BLOCK_MAX);
    if ((int)problem->storage < PRNN_F32 || problem->storage > PRNN_F16)
        return status_set(PRNN_E_INVALID, "storage is %d, needed is one of prnn_storage",
                          (int)problem->storage);
    if (problem->threads < 0)
        return status_set(PRNN_E_INVALID, "threads is %d, needed is 0 or more", problem->threads);
    if ((st = check_lengths(problem->batch, problem->seq_len, problem->channels,
                            SCAN_BLOCK_MAX * SCAN_BLOCK_MAX)) < 0)
        return st;
    prnn_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return status_set(PRNN_E_NOMEM, "no memory for a plan");
    plan->ctx = ctx;
    find_scan_shape(plan, problem);
    if (ctx->cuda)
        st = plan_create_scan_cuda(plan, problem);
    else {
        plan->scan = cpu_scan_create(&plan->shape, problem->block, problem->is_diagonal);
        plan->description = text_make("device: cpu\nstrategy: sequential\n");
        if (!plan->scan)
            st = status_set(PRNN_E_NOMEM, "no memory for a plan");
    }
    return plan_made(out, plan, st);
}
