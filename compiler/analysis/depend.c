#include "depend.h"

/* How the states of an operand come through an operation. */
enum passage {
    LINEAR,   /* both sets pass: sums, state-free factors */
    NONLINEAR /* every state of the operand becomes nonlinear */
};

struct sweep {
    struct depend *out;
    const struct ir *ir;
    const bool *known;
};

static bool is_unknown(const struct sweep *sweep, ir_ref ref)
{
    return ir_kind(ref) == IR_STATE && !(sweep->known && sweep->known[ir_index(ref)]);
}

static bool is_state_free(const struct sweep *sweep, ir_ref ref)
{
    if (ir_kind(ref) == IR_VALUE)
        return pattern_row_is_empty(&sweep->out->any, ir_index(ref));
    return !is_unknown(sweep, ref);
}

static void pass(const struct sweep *sweep, uint32_t to, ir_ref operand, enum passage passage)
{
    struct depend *out = sweep->out;
    if (ir_kind(operand) == IR_VALUE) {
        const uint32_t from = ir_index(operand);
        pattern_join(&out->any, to, &out->any, from);
        pattern_join(&out->nonlinear, to, passage == LINEAR ? &out->nonlinear : &out->any, from);
    } else if (is_unknown(sweep, operand)) {
        pattern_put(&out->any, to, ir_index(operand));
        if (passage == NONLINEAR)
            pattern_put(&out->nonlinear, to, ir_index(operand));
    }
}

/* Of a product: each factor is linear where the other does not know the state. */
static void pass_product(const struct sweep *sweep, uint32_t to, ir_ref a, ir_ref b)
{
    pass(sweep, to, a, is_state_free(sweep, b) ? LINEAR : NONLINEAR);
    pass(sweep, to, b, is_state_free(sweep, a) ? LINEAR : NONLINEAR);
}

static void sweep_one(const struct sweep *sweep, uint32_t i)
{
    const struct ir_insn *insn = &sweep->ir->insns[i];
    const ir_ref operand[3] = {insn->a, insn->b, insn->c};

    switch ((enum ir_op)insn->op) {
    case IR_NEG:
    case IR_ADD:
    case IR_SUB:
    case IR_DETACH: /* the solve needs the true Jacobian */
        for (unsigned k = 0; k < 3; k++)
            pass(sweep, i, operand[k], LINEAR);
        return;
    case IR_MUL:
        pass_product(sweep, i, insn->a, insn->b);
        return;
    case IR_FMA:
        pass_product(sweep, i, insn->a, insn->b);
        pass(sweep, i, insn->c, LINEAR);
        return;
    case IR_DIV:
        pass(sweep, i, insn->a, is_state_free(sweep, insn->b) ? LINEAR : NONLINEAR);
        pass(sweep, i, insn->b, NONLINEAR);
        return;
    case IR_WHERE: {
        const enum passage passage = is_state_free(sweep, insn->a) ? LINEAR : NONLINEAR;
        pass(sweep, i, insn->a, NONLINEAR);
        pass(sweep, i, insn->b, passage);
        pass(sweep, i, insn->c, passage);
        return;
    }
    default:
        for (unsigned k = 0; k < 3; k++)
            pass(sweep, i, operand[k], NONLINEAR);
        return;
    }
}

void depend_find(struct depend *out, const struct ir *ir, const bool *known, struct arena *arena)
{
    const struct sweep sweep = {.out = out, .ir = ir, .known = known};
    out->any = pattern_create(ir->insn_count, ir->states, arena);
    out->nonlinear = pattern_create(ir->insn_count, ir->states, arena);
    for (uint32_t i = 0; i < ir->insn_count; i++)
        sweep_one(&sweep, i);
}

void depend_find_step(struct depend *out, const struct ir *ir, const bool *known,
                      struct arena *arena)
{
    struct depend values;
    depend_find(&values, ir, known, arena);
    out->any = pattern_create(ir->states, ir->states, arena);
    out->nonlinear = pattern_create(ir->states, ir->states, arena);
    for (uint32_t i = 0; i < ir->states; i++) {
        const ir_ref next = ir_find_out(ir, IR_OUT_NEXT, i, 0);
        if (ir_kind(next) == IR_VALUE) {
            pattern_join(&out->any, i, &values.any, ir_index(next));
            pattern_join(&out->nonlinear, i, &values.nonlinear, ir_index(next));
        } else if (ir_kind(next) == IR_STATE && !(known && known[ir_index(next)])) {
            pattern_put(&out->any, i, ir_index(next));
        }
    }
}

bool depend_has(const struct depend *depend, ir_ref value, uint32_t state)
{
    if (ir_kind(value) == IR_VALUE)
        return pattern_has(&depend->any, ir_index(value), state);
    return ir_kind(value) == IR_STATE && ir_index(value) == state;
}
