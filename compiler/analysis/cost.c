#include "cost.h"

#include "settle.h"

static void count_operations(struct cost *out, const struct ir *ir, uint32_t mask,
                             struct arena *arena)
{
    uint8_t *live = arena_alloc(arena, ir->insn_count);
    ir_reach(ir, mask, live);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        const struct ir_insn *insn = &ir->insns[i];
        const enum ir_cost class = ir_op_cost((enum ir_op)insn->op);
        if (!live[i] || class == COST_FREE)
            continue;
        out->operations++;
        if (class == COST_SFU || class == COST_CALL)
            out->transcendentals++;
        else if (class == COST_DIV)
            out->divisions++;
        if (insn->op == IR_FMA)
            out->flops += 2;
        else if (insn->type == IR_REAL && (class == COST_ALU || class == COST_DIV))
            out->flops++;
    }
}

/* Scalars of the sequence inputs: one value per channel and step. */
static uint32_t count_inputs(const struct ir *ir, bool with_gradient_only)
{
    uint32_t count = 0;
    for (uint32_t d = 0; d < ir->decl_count; d++) {
        const struct ir_decl *decl = &ir->decls[d];
        if (decl->role == IR_ROLE_INPUT && !decl->is_shared &&
            !(with_gradient_only && decl->no_gradient))
            count += decl->count;
    }
    return count;
}

uint32_t cost_backmap_mask(const struct ir *ir)
{
    return IR_MASK(IR_OUT_ADJACOBIAN) | (ir_expression_count(ir) ? IR_MASK(IR_OUT_SOURCE) : 0u);
}

/* Whether the run that is corrected also gives the states, of chunks no longer than the guess. */
static bool is_recorded(const struct ir *ir, const struct structure *structure)
{
    const uint32_t steps = settle_warm_steps(SETTLE_32, true);
    return ir_expression_count(ir) == 0 &&
           structure_record_words(structure, ir, steps, !structure->is_affine) > 0;
}

/* All states are written, also those that no output names: the backward pass needs them. */
void cost_forward(struct cost *out, const struct ir *ir, const struct structure *structure)
{
    const uint32_t guesses = structure->is_affine ? 0 : 1,
                   finals = is_recorded(ir, structure) ? 0 : 1;
    *out = (struct cost){
        .values_read = count_inputs(ir, false),
        .values_written = ir->states + ir_expression_count(ir),
        .evaluations = guesses + 1 + finals,
    };
    count_operations(out, ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT), ir->arena);
}

void cost_backward(struct cost *out, const struct ir *ir)
{
    *out = (struct cost){
        .values_read = count_inputs(ir, false) + ir->states + ir->outputs,
        .values_written = count_inputs(ir, true),
        .evaluations = 1,
    };
    count_operations(out, ir,
                     cost_backmap_mask(ir) | IR_MASK(IR_OUT_ADJ_STATE) | IR_MASK(IR_OUT_ADJ_INPUT) |
                         IR_MASK(IR_OUT_ADJ_PARAM),
                     ir->arena);
}

uint32_t cost_weight(const struct ir *ir)
{
    uint32_t weight = 4 * ir->inputs;
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        const enum ir_cost class = ir_op_cost((enum ir_op)ir->insns[i].op);
        weight += class == COST_FREE ? 0 : class == COST_SFU || class == COST_CALL ? 16 : 1;
    }
    return weight;
}

uint32_t cost_copies_most(const struct ir *ir)
{
    enum { WEIGHT_MOST = 12000 };
    const uint32_t weight = cost_weight(ir);
    return weight ? WEIGHT_MOST / weight : WEIGHT_MOST;
}

bool cost_is_bare(const struct ir *ir, struct arena *arena)
{
    bool *varies = arena_array(arena, ir->insn_count + 1, sizeof *varies);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        const ir_ref operand[] = {ir->insns[i].a, ir->insns[i].b, ir->insns[i].c};
        const enum ir_cost cost = ir_op_cost((enum ir_op)ir->insns[i].op);
        for (int k = 0; k < 3; k++) {
            const enum ir_kind kind = ir_kind(operand[k]);
            varies[i] |= kind == IR_STATE || kind == IR_INPUT ||
                         (kind == IR_VALUE && varies[ir_index(operand[k])]);
        }
        if (varies[i] && cost != COST_FREE && cost != COST_ALU)
            return false;
    }
    return true;
}
