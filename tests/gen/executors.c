#include "executors.h"

#include "cpu_backend.h"
#include "../kernels/kernel_launch.h"
#include "nvrtc.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whatever a kernel reads without having written it is a large number then. */
static const char *const poisoning[] = {"gcc", "-O0", "-ftrivial-auto-var-init=pattern", NULL};

struct assemble_options executor_options(enum assemble_kernel kernel, enum assemble_mode mode,
                                         enum assemble_storage storage, int strategy,
                                         const struct kernel_shape *shape)
{
    struct assemble_options options = {.kernel = kernel,
                                       .mode = mode,
                                       .storage = storage,
                                       .strategy = kernel_strategies[strategy].strategy,
                                       .has_resets = shape->has_resets,
                                       /* A text for packed sequences takes others, too. */
                                       .is_packed = shape->is_packed || shape->seed % 4 == 0};
    kernel_strategy_fit(&options);
    return options;
}

bool executor_load(const struct trial *trial, struct kernel_plan *plan,
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
    kernel_plan_load(plan, trial->text, options, trial->with_poison ? poisoning : NULL);
    trial->report->kernels++;
    return true;
}

/* -- sizes ------------------------------------------------------------------------------------- */

struct kernel_shape executor_shape(const struct trial *trial, struct dice *dice,
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

enum assemble_storage executor_storage(const struct trial *trial, struct dice *dice)
{
    const int kind = dice_below(dice, 100);
    if (trial->is_hard || kind < 70)
        return ASSEMBLE_F32;
    return kind < 80 ? ASSEMBLE_F64 : kind < 90 ? ASSEMBLE_BF16 : ASSEMBLE_F16;
}

/* -- shim -------------------------------------------------------------------------------------- */

void executor_run(const struct trial *trial, struct kernel_data *data, enum shim_order order)
{
    kernel_data_run(data, order);
    trial->report->launches++;
}

bool executor_has_nonfinite(struct kernel_data *data)
{
    for (uint32_t i = 0; i < data->counts[GROUP_H]; i++) {
        const struct kernel_tensor *h = kernel_tensor_of(data, GROUP_H, i);
        for (size_t k = 0; k < h->count; k++)
            if (!isfinite(kernel_get(h, k)))
                return true;
    }
    return false;
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
    struct kernel_launch launch;
    kernel_launch_fill(data, &launch);
    cpu->launch.head = launch.head;
    memcpy(cpu->launch.args, launch.arg, sizeof launch.arg);
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

void executor_backend(struct kernel_data *data, const struct pipeline_text *text)
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
        ck_assert_int_eq(ran == PRNN_NONFINITE, executor_has_nonfinite(data));
    free(workspace);
    cpu_plan_free(plan);
    arena_destroy(arena);
}

void executor_cpu_text(const struct kernel_plan *like, struct pipeline_text *text)
{
    struct assemble_options options = like->options;
    options.kernel = ASSEMBLE_CPU;
    options.target = ASSEMBLE_HOST;
    ck_assert_int_eq(pipeline_assemble(text, like->unit, &options), PIPELINE_OK);
    ck_assert_msg(!text->refusal, "%s", text->refusal);
}

void executor_plain(struct kernel_data *data, const struct pipeline_text *text,
                    const char *const *compiler)
{
    static struct cpu_launch cpu;
    struct text_library *library =
        text_library_load(text->assembled.text, text->assembled.length, "cpu", compiler);
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

void executor_nvrtc(const struct trial *trial, const struct kernel_plan *plan)
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
