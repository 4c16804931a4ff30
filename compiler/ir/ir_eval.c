#include "ir_eval.h"

#include "ir_build.h"
#include "ir_program.h"

#include <math.h>

#define real double
#define REAL(name) name
#define REAL_LEAVES ir_leaves_f64
#define REAL_EVAL ir_eval_f64
#include "ir_eval_body.h"

#define real float
#define REAL(name) name##f
#define REAL_LEAVES ir_leaves_f32
#define REAL_EVAL ir_eval_f32
#include "ir_eval_body.h"

/* One slot for each leaf that is read, found by kind and index. */
struct slots {
    uint32_t *of[IR_COTANGENT + 1]; /* slot + 1; 0: not met yet */
    struct ir_program *program;
};

static void slots_add_leaf(struct slots *slots, const struct ir *ir, ir_ref ref)
{
    const enum ir_kind kind = ir_kind(ref);
    if (kind == IR_NONE || kind == IR_VALUE || slots->of[kind][ir_index(ref)])
        return;
    struct ir_program *program = slots->program;
    program->leaves[program->leaf_count] = (struct ir_program_leaf){
        .kind = kind,
        .index = ir_index(ref),
        .constant = kind == IR_CONSTANT ? ir_constant_value(ir, ref) : 0,
    };
    slots->of[kind][ir_index(ref)] = ++program->leaf_count;
}

static uint32_t slots_of(const struct slots *slots, ir_ref ref)
{
    return ref ? slots->of[ir_kind(ref)][ir_index(ref)] - 1 : 0;
}

/* How many places the dense array of a kind has if absent ones are zero; 0: there are no absent
 * ones, or they are not written. */
static uint32_t dense_count(const struct ir *ir, enum ir_out_kind kind)
{
    switch (kind) {
    case IR_OUT_JACOBIAN:
    case IR_OUT_ADJACOBIAN:
        return ir->states * ir->states;
    case IR_OUT_SOURCE:
    case IR_OUT_ADJ_STATE:
        return ir->states;
    case IR_OUT_ADJ_INPUT:
        return ir->inputs;
    case IR_OUT_ADJ_PARAM:
        return ir->params;
    default:
        return 0;
    }
}

static uint32_t dense_index(const struct ir *ir, const struct ir_out *out)
{
    const bool is_matrix = out->kind == IR_OUT_JACOBIAN || out->kind == IR_OUT_ADJACOBIAN;
    return is_matrix ? out->i * ir->states + out->j : out->i;
}

static void add_outs(struct ir_program *program, const struct ir *ir, uint32_t mask,
                     const struct slots *slots, struct arena *arena)
{
    size_t room = ir->out_count;
    for (int kind = 0; kind < IR_OUT_KIND_COUNT; kind++)
        room += dense_count(ir, (enum ir_out_kind)kind);
    program->outs = arena_array(arena, room, sizeof *program->outs);

    uint32_t next = 0;
    for (int kind = 0; kind < IR_OUT_KIND_COUNT; kind++) {
        const bool is_wanted = mask & IR_MASK(kind);
        const uint32_t dense = is_wanted ? dense_count(ir, (enum ir_out_kind)kind) : 0;
        uint32_t written = 0;
        for (; next < ir->out_count && ir->outs[next].kind == kind; next++) {
            if (!is_wanted)
                continue;
            const uint32_t index = dense_index(ir, &ir->outs[next]);
            /* The outs are sorted, so what lies between two of them is absent. */
            for (; written < index && written < dense; written++)
                program->outs[program->out_count++] =
                    (struct ir_program_out){(uint32_t)kind, written, IR_PROGRAM_ZERO};
            program->outs[program->out_count++] = (struct ir_program_out){
                (uint32_t)kind, index, slots_of(slots, ir->outs[next].value)};
            written = index + 1;
        }
        for (; written < dense; written++)
            program->outs[program->out_count++] =
                (struct ir_program_out){(uint32_t)kind, written, IR_PROGRAM_ZERO};
    }
}

struct ir_program *ir_program_create(const struct ir *ir, uint32_t mask, struct arena *arena)
{
    struct ir_program *program = arena_alloc(arena, sizeof *program);
    uint8_t *live = arena_array(arena, ir->insn_count, sizeof *live);
    const uint32_t live_count = ir_reach(ir, mask, live);

    struct slots slots = {.program = program};
    size_t leaf_max = 0;
    for (int kind = IR_VALUE; kind <= IR_COTANGENT; kind++) {
        const uint32_t room = ir_kind_count(ir, (enum ir_kind)kind);
        slots.of[kind] = arena_array(arena, room, sizeof *slots.of[kind]);
        if (kind != IR_VALUE)
            leaf_max += room;
    }
    program->leaves = arena_array(arena, leaf_max, sizeof *program->leaves);
    program->insns = arena_array(arena, live_count, sizeof *program->insns);

    for (uint32_t i = 0; i < ir->insn_count; i++) {
        for (unsigned k = 0; live[i] && k < 3; k++)
            slots_add_leaf(&slots, ir, ir_operand(&ir->insns[i], k));
    }
    for (uint32_t i = 0; i < ir->out_count; i++) {
        if (mask & IR_MASK(ir->outs[i].kind))
            slots_add_leaf(&slots, ir, ir->outs[i].value);
    }

    for (uint32_t i = 0; i < ir->insn_count; i++) {
        if (!live[i])
            continue;
        const struct ir_insn *insn = &ir->insns[i];
        program->insns[program->insn_count] = (struct ir_program_insn){
            .op = insn->op,
            .a = slots_of(&slots, insn->a),
            .b = slots_of(&slots, insn->b),
            .c = slots_of(&slots, insn->c),
        };
        slots.of[IR_VALUE][i] = program->leaf_count + ++program->insn_count;
    }
    add_outs(program, ir, mask, &slots, arena);
    return program;
}

size_t ir_program_scratch(const struct ir_program *program)
{
    return (size_t)program->leaf_count + program->insn_count;
}
