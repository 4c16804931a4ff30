/* One cell through every executor: the interpreter in double is the oracle; kernel texts run on the
 * shim in several strategies; CPU texts are compiled plainly and, as the product does it, tuned. */
#include "../kernels/kernel_case.h"

#include "cpu_backend.h"
#include "nvrtc.h"
#include "shooting.h"
#include "trial.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What tcc is told, where it is the compiler of shim texts (see random_cells.c). */
static const char *const tcc_flags[] = {"-include", PRNN_SOURCE_DIR "/tests/gen/tcc_builtins.h",
                                        NULL};
static const char *const plain_flags[] = {"-O0", NULL};

static const char *const *fast_flags(void)
{
    const char *compiler = getenv("CC");
    return compiler && strstr(compiler, "tcc") ? tcc_flags : plain_flags;
}

static struct assemble_options options_of(const struct trial *trial, enum assemble_kernel kernel,
                                          enum assemble_mode mode, enum assemble_storage storage,
                                          int strategy, bool has_resets)
{
    struct assemble_options options = {.kernel = kernel,
                                       .mode = mode,
                                       .storage = storage,
                                       .strategy = kernel_strategies[strategy].strategy,
                                       .has_resets = has_resets};
    const uint32_t element = storage == ASSEMBLE_F64 ? 8 : storage == ASSEMBLE_F32 ? 4 : 2;
    while (options.strategy.lanes * options.strategy.vc * element % 16)
        options.strategy.lanes *= 2;
    (void)trial;
    return options;
}

/* False: the cell is too large for the strategy. */
static bool plan_load(const struct trial *trial, struct kernel_plan *plan,
                      const struct assemble_options *options)
{
    struct unit *unit;
    struct pipeline_text text;
    ck_assert_int_eq(
        pipeline_load_text(&unit, "random.cell", trial->text, strlen(trial->text), NULL),
        PIPELINE_OK);
    ck_assert_int_eq(pipeline_assemble(&text, unit, options), PIPELINE_OK);
    const bool is_refused = text.refusal != NULL;
    if (is_refused)
        ck_assert_ptr_nonnull(strstr(text.refusal, "shared memory"));
    pipeline_text_free(&text);
    unit_free(unit);
    if (is_refused) {
        trial->report->refused++;
        return false;
    }
    kernel_plan_load(plan, trial->text, options, fast_flags());
    trial->report->kernels++;
    return true;
}

/* -- sizes ------------------------------------------------------------------------------------- */

static struct kernel_shape shape_of(const struct trial *trial, struct dice *dice,
                                    const struct strategy *strategy)
{
    static const int64_t channels[] = {1, 2, 3, 5, 8, 9, 12, 17, 33};
    const int64_t tile = (int64_t)strategy->tile_chunks * strategy->chunk * strategy->cluster;
    const int64_t steps[] = {1, 2, tile - 1, tile, tile + 1, 2 * tile, 2 * tile + 3, 31, 33, 50};
    struct kernel_shape shape = {
        .batch = 1 + dice_below(dice, 3),
        .steps = steps[dice_below(dice, 10)],
        .channels = channels[dice_below(dice, dice_chance(dice, 20) ? 9 : 7)],
        .has_h0 = !trial->is_hard || dice_chance(dice, 30),
        .has_resets = dice_chance(dice, 30),
        .is_packed = dice_chance(dice, 20),
        .is_reversed = dice_chance(dice, 20),
        .seed = dice_bits(dice) >> 1,
    };
    if (dice_chance(dice, 30))
        shape.has_h0 = false;
    shape.steps = shape.steps > 64 ? 64 : shape.steps;
    if (shape.steps < shape.batch)
        shape.batch = shape.steps; /* packed sequences are one step shorter each */
    if (trial->steps && shape.steps > trial->steps)
        shape.steps = trial->steps;
    if (shape.batch > shape.steps)
        shape.batch = 1;
    shape.is_aligned = shape.channels % 8 == 0 && dice_chance(dice, 60);
    return shape;
}

static enum assemble_storage storage_of(const struct trial *trial, struct dice *dice)
{
    const int kind = dice_below(dice, 100);
    if (trial->is_hard || kind < 70)
        return ASSEMBLE_F32;
    return kind < 80 ? ASSEMBLE_F64 : kind < 90 ? ASSEMBLE_BF16 : ASSEMBLE_F16;
}

/* -- shim -------------------------------------------------------------------------------------- */

static void run(const struct trial *trial, struct kernel_data *data, enum shim_order order)
{
    kernel_data_run(data, order);
    trial->report->launches++;
}

static bool has_nonfinite(struct kernel_data *data)
{
    for (uint32_t i = 0; i < data->counts[GROUP_H]; i++) {
        const struct kernel_tensor *h = kernel_tensor_of(data, GROUP_H, i);
        for (size_t k = 0; k < h->count; k++)
            if (!isfinite(kernel_get(h, k)))
                return true;
    }
    return false;
}

/* What the certificate says against what was written. */
static void check_certificate(const struct trial *trial, struct kernel_data *data)
{
    const struct strategy *s = &data->plan->options.strategy;
    const uint32_t chunks = s->tile_chunks * s->cluster;
    bool is_nonfinite = false;
    for (int b = 0; b < data->grid; b++) {
        const struct prnn_block_report *report = &data->report[b];
        ck_assert_msg(report->mismatch >= 0 && report->mismatch <= data->shape.tolerance,
                      "mismatch %g, tolerance %g", report->mismatch, data->shape.tolerance);
        ck_assert_msg(report->max_corrections <= 2 * (chunks + 1) + 1,
                      "%u corrections of %u chunks", report->max_corrections, chunks);
        ck_assert_uint_le(report->sum_corrections,
                          (uint64_t)report->tiles * report->max_corrections);
        ck_assert_uint_le(report->nonfinite, 1);
        if (report->mismatch > 0)
            ck_assert_msg(report->step >= 0 && report->channel >= 0 && report->batch >= 0 &&
                              report->channel < data->shape.channels &&
                              report->batch < data->shape.batch && report->step % s->chunk == 0,
                          "mismatch %g at step %lld of chunks of %u, channel %lld of %lld, batch "
                          "%lld of %lld",
                          report->mismatch, report->step, s->chunk, report->channel,
                          (long long)data->shape.channels, report->batch,
                          (long long)data->shape.batch);
        is_nonfinite |= report->nonfinite;
    }
    /* A storage narrower than the arithmetic makes infinities of its own. */
    if (data->plan->options.storage == ASSEMBLE_F32 || data->plan->options.storage == ASSEMBLE_F64)
        ck_assert_msg(is_nonfinite == has_nonfinite(data), "certificate: nonfinite %d",
                      is_nonfinite);
    trial->report->nonfinite += is_nonfinite;
}

/* -- the written states against the equations -------------------------------------------------- */

struct programs {
    const struct ir *ir;
    struct ir_program *step;
    struct shooting_cell shooting;
};

static void programs_create(struct arena *arena, void *context)
{
    struct programs *programs = context;
    programs->step =
        ir_program_create(programs->ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_JACOBIAN), arena);
    shooting_cell_create(&programs->shooting, programs->ir, arena);
}

/* One channel of one sequence, in the order of its steps. */
struct series {
    double x[64 * 64], h[64 * 16], p[64], h0[16];
    unsigned char reset[64];
    int64_t steps;
};

static void series_find(struct series *series, struct kernel_data *data, int64_t b, int64_t n)
{
    const struct ir *ir = data->plan->unit->ir;
    uint32_t element;
    series->steps = data->length[b];
    ck_assert_int_le(series->steps, 64);
    for (int64_t t = 0; t < series->steps; t++) {
        const int64_t row = kernel_row(data, b, t);
        series->reset[t] = data->shape.has_resets && data->reset[row];
        for (uint32_t k = 0; k < ir->inputs; k++)
            series->x[t * ir->inputs + k] =
                kernel_get(kernel_tensor_of(data, GROUP_X, k),
                           (size_t)(ir_decl_of(ir, IR_ROLE_INPUT, k, &element)->is_shared
                                        ? row
                                        : row * data->shape.channels + n));
        for (uint32_t i = 0; i < ir->states; i++)
            series->h[t * ir->states + i] = kernel_get(kernel_tensor_of(data, GROUP_H, i),
                                                       (size_t)(row * data->shape.channels + n));
    }
    for (uint32_t k = 0; k < ir->params; k++)
        series->p[k] =
            kernel_get(kernel_tensor_of(data, GROUP_P, k),
                       (size_t)(ir_decl_of(ir, IR_ROLE_PARAM, k, &element)->is_shared ? 0 : n));
    for (uint32_t i = 0; i < ir->states; i++)
        series->h0[i] = data->shape.has_h0
                            ? kernel_get(kernel_tensor_of(data, GROUP_H0, i),
                                         (size_t)(b * data->shape.channels + n))
                            : (double)(float)ir_decl_of(ir, IR_ROLE_STATE, i, &element)->initial;
}

/* |h[t] - f(h[t-1], x[t])| of the written states: the rounding of one step, and behind a seam
 * between chunks what the certificate admits, times the Jacobian. */
static void check_seams(struct kernel_data *data, const struct programs *programs,
                        const struct series *series, double admitted, double *scratch)
{
    const struct ir *ir = programs->ir;
    const struct strategy *s = &data->plan->options.strategy;
    const int64_t tile = (int64_t)s->tile_chunks * s->chunk * s->cluster;
    double next[16], jacobian[256], largest = 1;
    for (int64_t i = 0; i < series->steps * ir->states; i++)
        largest = fmax(largest, fabs(series->h[i]));
    const double rounding = 30 * FLT_EPSILON * (double)(ir->insn_count + 1) * largest;
    for (int64_t t = 0; t < series->steps; t++) {
        const bool is_initial = t == 0 || series->reset[t];
        struct ir_leaves_f64 leaves = {.h = is_initial ? series->h0
                                                       : series->h + (t - 1) * ir->states,
                                       .x = series->x + t * ir->inputs,
                                       .p = series->p};
        leaves.out[IR_OUT_NEXT] = next;
        leaves.out[IR_OUT_JACOBIAN] = jacobian;
        ir_eval_f64(programs->step, &leaves, scratch);
        const bool is_seam = !is_initial && t % s->chunk == 0 && t % tile != 0;
        for (uint32_t i = 0; i < ir->states; i++) {
            double norm = 0;
            for (uint32_t j = 0; j < ir->states; j++)
                norm += fabs(jacobian[i * ir->states + j]);
            const double bound = rounding + (is_seam ? norm * admitted * largest : 0);
            const double residual = fabs(series->h[t * ir->states + i] - next[i]);
            ck_assert_msg(residual <= bound,
                          "step %d state %u: the written state is %g from the step of the one "
                          "before; the certificate admits %g",
                          (int)t, i, residual, bound);
        }
    }
}

/* The size of the state where it is smallest: over the chunks, the largest of each. */
static double smallest_scale(const struct series *series, uint32_t states, uint32_t chunk)
{
    double smallest = INFINITY, largest = 0;
    for (int64_t t = 0; t < series->steps; t++) {
        for (uint32_t i = 0; i < states; i++)
            largest = fmax(largest, fabs(series->h[t * states + i]));
        if ((t + 1) % chunk == 0 || t + 1 == series->steps) {
            smallest = fmin(smallest, largest);
            largest = 0;
        }
    }
    return smallest;
}

/* Corrections of the kernel against the plain solver, which also needs none for its last look. */
static void check_corrections(const struct trial *trial, struct kernel_data *data)
{
    const struct ir *ir = data->plan->unit->ir;
    const struct strategy *s = &data->plan->options.strategy;
    struct programs programs = {.ir = ir};
    struct arena *arena;
    ck_assert_int_eq(pipeline_guard(&arena, programs_create, &programs), PIPELINE_OK);
    double *scratch = calloc(ir_program_scratch(programs.step) + 1, sizeof *scratch);
    struct series *series = calloc(1, sizeof *series);
    const struct shooting_options options = {.tile_chunks = (int64_t)s->tile_chunks * s->cluster,
                                             .chunk = s->chunk,
                                             .tolerance = data->shape.tolerance,
                                             .in_float = true};
    uint32_t reference = 0, found = 0;
    double admitted = 0, scale = INFINITY;
    for (int b = 0; b < data->grid; b++) {
        found = data->report[b].max_corrections > found ? data->report[b].max_corrections : found;
        admitted = fmax(admitted, data->report[b].mismatch);
    }
    for (int64_t b = 0; b < data->shape.batch; b++)
        for (int64_t n = 0; n < data->shape.channels; n++) {
            double *h = calloc(64 * 16, sizeof *h);
            struct shooting_report report;
            series_find(series, data, b, n);
            const struct shooting_problem problem = {.seq_len = series->steps,
                                                     .x = series->x,
                                                     .p = series->p,
                                                     .h0 = series->h0,
                                                     .reset = series->reset,
                                                     .h = h};
            ck_assert(shooting_solve(&programs.shooting, &options, &problem, &report));
            reference = report.max_corrections > reference ? report.max_corrections : reference;
            trial->report->corrections_compared += report.tiles;
            scale = fmin(scale, smallest_scale(series, ir->states, s->chunk));
            check_seams(data, &programs, series, admitted, scratch);
            free(h);
        }
    /* The kernel stops by how far entries move, which takes one correction to see; a rough first
     * one takes another, and so does the guess of a block's first chunk within a cluster, which
     * has another step's inputs. It measures a move by the state itself, where the plain solver
     * takes at least 1: for a small state another squaring of the error, for a tiny one two. */
    const uint32_t more = 1u + (data->plan->options.mode != ASSEMBLE_STRICT) + (s->cluster > 1) +
                          (scale < 0.1) + (scale < 1e-4);
    if (s->tile_chunks * s->cluster > 1)
        ck_assert_msg(found <= reference + more, "%u corrections, the reference takes %u", found,
                      reference);
    if (data->plan->unit->structure.is_affine && data->shape.tolerance >= 1e-5 &&
        data->plan->options.mode == ASSEMBLE_STRICT)
        ck_assert_msg(found <= 1, "an affine cell took %u corrections", found);
    free(series);
    free(scratch);
    arena_destroy(arena);
}

/* -- CPU --------------------------------------------------------------------------------------- */

struct cpu_launch {
    struct launch launch;
    bool input_is_shared[64], param_is_shared[64], input_has_gradient[64], param_has_gradient[64];
    struct backend_shape shape;
};

static void flags_find(const struct ir *ir, enum ir_role role, uint32_t count, bool *is_shared,
                       bool *has_gradient)
{
    uint32_t element;
    for (uint32_t k = 0; k < count; k++) {
        const struct ir_decl *decl = ir_decl_of(ir, role, k, &element);
        is_shared[k] = decl->is_shared;
        has_gradient[k] = !decl->no_gradient;
    }
}

static void cpu_launch_find(struct cpu_launch *cpu, struct kernel_data *data)
{
    const struct ir *ir = data->plan->unit->ir;
    memset(cpu, 0, sizeof *cpu);
    flags_find(ir, IR_ROLE_INPUT, ir->inputs, cpu->input_is_shared, cpu->input_has_gradient);
    flags_find(ir, IR_ROLE_PARAM, ir->params, cpu->param_is_shared, cpu->param_has_gradient);
    kernel_data_launch(data, &cpu->launch.head, cpu->launch.args);
    const uint32_t all = (1u << ir->states) - 1u;
    cpu->shape = (struct backend_shape){
        .batch = data->shape.batch,
        .seq_len = cpu->launch.head.seq_len,
        .channels = data->shape.channels,
        .storage = (prnn_storage)data->plan->options.storage,
        .math = PRNN_STRICT,
        .is_backward = true,
        .has_resets = data->shape.has_resets,
        .is_packed = data->shape.is_packed,
        .is_reversed = data->shape.is_reversed,
        .state_written = all,
        .state_gradient = all,
        .threads = 1,
        .counts = {ir->states, ir->inputs, ir->params, data->counts[GROUP_Y]},
        .input_is_shared = cpu->input_is_shared,
        .param_is_shared = cpu->param_is_shared,
        .input_has_gradient = cpu->input_has_gradient,
        .param_has_gradient = cpu->param_has_gradient,
    };
    launch_places_find(&cpu->shape.places, &cpu->shape.counts);
}

struct interpreted {
    struct interpreter interpreter;
    int32_t expression[64];
    double initial[16];
};

static void interpreter_create(struct arena *arena, void *context)
{
    struct interpreted *made = context;
    const struct ir *ir = made->interpreter.ir;
    uint32_t element;
    for (uint32_t k = 0; k < ir->outputs; k++) {
        uint32_t expression;
        const bool is_state = emit_output_state(ir, k, &expression) >= 0;
        made->expression[k] = is_state ? -1 : (int32_t)expression;
    }
    for (uint32_t i = 0; i < ir->states; i++)
        made->initial[i] = ir_decl_of(ir, IR_ROLE_STATE, i, &element)->initial;
    made->interpreter.step =
        ir_program_create(ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT), arena);
    made->interpreter.adjoint = ir_program_create(
        ir, IR_MASK(IR_OUT_ADJ_STATE) | IR_MASK(IR_OUT_ADJ_INPUT) | IR_MASK(IR_OUT_ADJ_PARAM),
        arena);
    made->interpreter.expression = made->expression;
    made->interpreter.initial = made->initial;
}

/* The backend itself, with 'text' compiled as the product does, or interpreted. */
static void backend_run(struct kernel_data *data, const struct pipeline_text *text)
{
    static struct cpu_launch cpu; /* too large for a stack of Check's */
    struct interpreted made = {.interpreter.ir = data->plan->unit->ir};
    struct cpu_plan *plan;
    struct arena *arena;
    const bool is_backward = data->plan->options.kernel == ASSEMBLE_BACKWARD;
    cpu_launch_find(&cpu, data);
    made.interpreter.initial = made.initial;
    ck_assert_int_eq(pipeline_guard(&arena, interpreter_create, &made), PIPELINE_OK);
    const prnn_status st =
        cpu_plan_create(&plan, &cpu.shape, text ? text->assembled.text : NULL,
                        text ? text->assembled.length : 0, NULL, &made.interpreter);
    ck_assert_int_eq(st, PRNN_OK);
    ck_assert_int_eq(cpu_plan_is_compiled(plan), text != NULL);
    void *workspace = calloc(cpu_plan_workspace(plan) + 64, 1);
    const prnn_status ran = is_backward ? cpu_plan_backward(plan, &cpu.launch, workspace)
                                        : cpu_plan_forward(plan, &cpu.launch, workspace);
    ck_assert_int_ge(ran, 0);
    if (!is_backward && data->plan->options.storage == ASSEMBLE_F32)
        ck_assert_int_eq(ran == PRNN_NONFINITE, has_nonfinite(data));
    free(workspace);
    cpu_plan_free(plan);
    arena_destroy(arena);
}

static void cpu_text_make(const struct trial *trial, const struct kernel_plan *like,
                          struct pipeline_text *text)
{
    struct assemble_options options = like->options;
    options.kernel = ASSEMBLE_CPU;
    options.target = ASSEMBLE_HOST;
    ck_assert_int_eq(pipeline_assemble(text, like->unit, &options), PIPELINE_OK);
    ck_assert_msg(!text->refusal, "%s", text->refusal);
    (void)trial;
}

/* The forward entry of a CPU text compiled without optimisation. */
static void plain_run(struct kernel_data *data, const struct pipeline_text *text)
{
    static struct cpu_launch cpu;
    struct text_library *library =
        text_library_load(text->assembled.text, text->assembled.length, "cpu", fast_flags());
    ck_assert_ptr_nonnull(library);
    shim_kernel *symbol = text_library_kernel(library, "prnn_cpu_entries");
    const struct prnn_cpu_entries *entries;
    memcpy(&entries, &symbol, sizeof entries);
    ck_assert_ptr_nonnull(entries);
    cpu_launch_find(&cpu, data);
    data->report[0].nonfinite = 0;
    cpu.launch.head.report = data->report;
    entries->forward(&cpu.launch.head, 0, data->shape.batch, 0, data->shape.channels);
    text_library_free(library);
}

/* -- device texts ------------------------------------------------------------------------------ */

static void nvrtc_try(const struct trial *trial, const struct kernel_plan *plan)
{
    struct assemble_options options = plan->options;
    struct pipeline_text text;
    struct nvrtc_result result;
    options.target = ASSEMBLE_CUDA;
    ck_assert_int_eq(pipeline_assemble(&text, plan->unit, &options), PIPELINE_OK);
    ck_assert_msg(!text.refusal, "%s", text.refusal);
    const struct nvrtc_request request = {.text = text.assembled.text,
                                          .length = text.assembled.length,
                                          .arch = "sm_90",
                                          .label = text.assembled.entry};
    const enum nvrtc_status st = nvrtc_compile(&result, &request, 1, NULL);
    if (st == NVRTC_MISSING)
        trial->report->nvrtc_missing++;
    else
        ck_assert_msg(st == NVRTC_OK, "NVRTC: %s", result.log ? result.log : "no log");
    trial->report->device_texts += st == NVRTC_OK;
    nvrtc_result_free(&result);
    pipeline_text_free(&text);
}

/* -- trials ------------------------------------------------------------------------------------ */

/* With 16-bit storage the bound is little more than the rounding of what is stored, which says
 * nothing about the arithmetic. */
static void note(double *largest, const struct kernel_data *data)
{
    if (data->plan->options.storage > ASSEMBLE_F64)
        return;
    *largest = fmax(*largest, data->largest_ratio);
}

/* Values within their ratio; for hard cells nothing is promised. */
static void judge(const struct trial *trial, struct kernel_data *data, double *ratio)
{
    if (trial->is_hard)
        return;
    kernel_data_check(data);
    note(ratio, data);
}

static void trial_forward_strict(const struct trial *trial, struct dice *dice)
{
    const enum assemble_storage storage = storage_of(trial, dice);
    const int strategies[2] = {1 + dice_below(dice, KERNEL_STRATEGIES - 1),
                               1 + dice_below(dice, KERNEL_STRATEGIES - 1)};
    struct kernel_shape shape = shape_of(trial, dice, &kernel_strategies[strategies[0]].strategy);
    const struct assemble_options in_order =
        options_of(trial, ASSEMBLE_FORWARD, ASSEMBLE_STRICT, storage, 0, shape.has_resets);
    struct kernel_plan alone;
    struct kernel_data wanted, found;
    if (!plan_load(trial, &alone, &in_order))
        return;
    kernel_data_create(&wanted, &alone, &shape);
    run(trial, &wanted, SHIM_FORWARD);
    judge(trial, &wanted, &trial->report->forward_ratio);
    check_certificate(trial, &wanted);

    struct pipeline_text cpu;
    cpu_text_make(trial, &alone, &cpu);
    kernel_data_create(&found, &alone, &shape);
    plain_run(&found, &cpu);
    kernel_data_check_same(&wanted, &found);
    if (trial->with_forward_product) {
        kernel_data_poison(&found);
        backend_run(&found, &cpu);
        kernel_data_check_same(&wanted, &found);
        trial->report->products++;
    }
    if (!trial->is_hard) {
        kernel_data_poison(&found);
        backend_run(&found, NULL);
        judge(trial, &found, &trial->report->product_ratio);
    }
    kernel_data_free(&found);

    for (int k = 0; k < 2; k++) {
        const struct assemble_options tiled = options_of(trial, ASSEMBLE_FORWARD, ASSEMBLE_STRICT,
                                                         storage, strategies[k], shape.has_resets);
        struct kernel_plan plan;
        if (!plan_load(trial, &plan, &tiled))
            continue;
        kernel_data_create(&found, &plan, &shape);
        run(trial, &found, (enum shim_order)dice_below(dice, 3));
        kernel_data_check_same(&wanted, &found);
        check_certificate(trial, &found);
        kernel_data_free(&found);
        if (!trial->is_hard && storage == ASSEMBLE_F32) {
            struct kernel_shape loose = shape;
            loose.tolerance = dice_chance(dice, 50) ? 1e-5 : 1e-6;
            kernel_data_create(&found, &plan, &loose);
            run(trial, &found, (enum shim_order)dice_below(dice, 3));
            judge(trial, &found, &trial->report->forward_ratio);
            check_certificate(trial, &found);
            check_corrections(trial, &found);
            kernel_data_free(&found);
        }
        if (trial->with_nvrtc && k == 0)
            nvrtc_try(trial, &plan);
        kernel_plan_free(&plan);
    }
    kernel_data_free(&wanted);
    pipeline_text_free(&cpu);
    kernel_plan_free(&alone);
}

static void trial_forward_accurate(const struct trial *trial, struct dice *dice)
{
    const enum assemble_storage storage = storage_of(trial, dice);
    const int strategy = dice_below(dice, KERNEL_STRATEGIES);
    struct kernel_shape shape = shape_of(trial, dice, &kernel_strategies[strategy].strategy);
    const struct assemble_options options =
        options_of(trial, ASSEMBLE_FORWARD, ASSEMBLE_ACCURATE, storage, strategy, shape.has_resets);
    struct kernel_plan plan;
    struct kernel_data data;
    if (!plan_load(trial, &plan, &options))
        return;
    shape.tolerance = dice_chance(dice, 50) ? 0 : 1e-5;
    kernel_data_create(&data, &plan, &shape);
    run(trial, &data, (enum shim_order)dice_below(dice, 3));
    judge(trial, &data, &trial->report->forward_ratio);
    check_certificate(trial, &data);
    if (storage == ASSEMBLE_F32 && shape.tolerance > 0)
        check_corrections(trial, &data);
    kernel_data_free(&data);
    kernel_plan_free(&plan);
}

static void trial_backward(const struct trial *trial, struct dice *dice, enum assemble_mode mode)
{
    const enum assemble_storage storage = storage_of(trial, dice);
    const int strategy = dice_below(dice, KERNEL_STRATEGIES);
    const struct kernel_shape shape = shape_of(trial, dice, &kernel_strategies[strategy].strategy);
    const struct assemble_options options =
        options_of(trial, ASSEMBLE_BACKWARD, mode, storage, strategy, shape.has_resets);
    struct kernel_plan plan;
    struct kernel_data data, again;
    if (!plan_load(trial, &plan, &options))
        return;
    kernel_data_create(&data, &plan, &shape);
    run(trial, &data, SHIM_FORWARD);
    judge(trial, &data, &trial->report->backward_ratio);
    kernel_data_create(&again, &plan, &shape);
    run(trial, &again, dice_chance(dice, 50) ? SHIM_REVERSE : SHIM_RANDOM);
    kernel_data_check_same(&data, &again);
    if (mode == ASSEMBLE_STRICT) {
        struct pipeline_text cpu;
        kernel_data_poison(&again);
        backend_run(&again, NULL);
        judge(trial, &again, &trial->report->product_ratio);
        if (trial->with_backward_product) {
            cpu_text_make(trial, &plan, &cpu);
            kernel_data_poison(&again);
            backend_run(&again, &cpu);
            judge(trial, &again, &trial->report->product_ratio);
            trial->report->products++;
            pipeline_text_free(&cpu);
        }
    }
    if (trial->with_nvrtc)
        nvrtc_try(trial, &plan);
    kernel_data_free(&again);
    kernel_data_free(&data);
    kernel_plan_free(&plan);
}

void trial_kernels(const struct trial *trial)
{
    struct dice dice = {trial->seed};
    trial_forward_strict(trial, &dice);
    if (trial->is_hard)
        return;
    trial_forward_accurate(trial, &dice);
    trial_backward(trial, &dice, ASSEMBLE_STRICT);
    trial_backward(trial, &dice, ASSEMBLE_ACCURATE);
}
