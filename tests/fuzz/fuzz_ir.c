/* The reader of IR text: what it takes prints and reads back as the same, and what the verifier
 * passes can be cleaned up, scheduled and evaluated. */
#include "fuzz_target.h"

#include "clean.h"
#include "ir_eval.h"
#include "ir_text.h"
#include "pipeline.h"

#include <string.h>

struct input {
    const uint8_t *data;
    size_t size;
};

static void check_round_trip(const struct ir *ir, struct arena *arena)
{
    struct textbuf once, twice;
    uint32_t line;
    const char *message;
    textbuf_init(&once, arena);
    ir_print(&once, ir);
    const struct ir *again = ir_read(arena, once.text, &line, &message);
    FUZZ_PROMISE(again, "printed IR reads back");
    textbuf_init(&twice, arena);
    ir_print(&twice, again);
    FUZZ_PROMISE(!strcmp(once.text, twice.text), "IR that was read prints as before");
}

static void evaluate(const struct ir *ir, struct arena *arena)
{
    const uint32_t mask = (1u << IR_OUT_KIND_COUNT) - 1;
    const size_t widest = (size_t)ir->states + ir->inputs + ir->params + ir->outputs + 1;
    const size_t square = (size_t)ir->states * ir->states + 1;
    double *values = arena_array(arena, widest, sizeof *values);
    for (size_t i = 0; i < widest; i++)
        values[i] = 0.25 * (double)(i % 7) - 0.5;
    struct ir_leaves_f64 leaves = {.h = values, .x = values, .p = values, .cotangent = values};
    for (int kind = 0; kind < IR_OUT_KIND_COUNT; kind++)
        leaves.out[kind] = arena_array(arena, widest + square, sizeof(double));
    const struct ir_program *program = ir_program_create(ir, mask, arena);
    double *scratch = arena_array(arena, ir_program_scratch(program) + 1, sizeof *scratch);
    ir_eval_f64(program, &leaves, scratch);
}

static void check(struct arena *arena, void *context)
{
    const struct input *input = context;
    uint32_t line;
    const char *message;
    struct ir *ir = ir_read(arena, arena_strndup(arena, (const char *)input->data, input->size),
                            &line, &message);
    FUZZ_PROMISE(ir ? !message : message && line > 0, "a refusal has a line and words");
    if (!ir)
        return;
    check_round_trip(ir, arena);
    if (ir_verify(ir, false, arena) || ir->states > 64)
        return;
    evaluate(ir, arena);
    ir_remove_dead(ir);
    FUZZ_PROMISE(!ir_verify(ir, true, arena), "nothing dead is left");
    ir_schedule(ir);
    FUZZ_PROMISE(!ir_verify(ir, true, arena), "scheduled IR is well formed");
    ir_contract(ir, 0);
    FUZZ_PROMISE(!ir_verify(ir, false, arena), "contracted IR is well formed");
    evaluate(ir, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    (void)pipeline_guard(NULL, check, &input);
    return 0;
}
