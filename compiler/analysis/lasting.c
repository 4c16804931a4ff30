#include "lasting.h"

#include <math.h>

/* What is certain of a value when one state is infinite or NaN. */
enum certain {
    NOTHING,
    NOT_FINITE,
    IS_NAN,
};

struct lasting {
    const struct ir *ir;
    uint8_t *value;  /* enum certain, per instruction */
    double *largest; /* bound_of() each instruction */
    uint32_t state;  /* that is not finite */
    enum certain how;
};

static enum certain certain_of(const struct lasting *l, ir_ref ref)
{
    if (ir_kind(ref) == IR_VALUE)
        return (enum certain)l->value[ir_index(ref)];
    return ir_kind(ref) == IR_STATE && ir_index(ref) == l->state ? l->how : NOTHING;
}

static enum certain surer(enum certain a, enum certain b)
{
    return a > b ? a : b;
}

static enum certain only_nan(enum certain a)
{
    return a == IS_NAN ? IS_NAN : NOTHING;
}

/* By the rules of arithmetic: inf - inf and 0 * inf are NaN, and NaN stays. */
static enum certain result_of(const struct lasting *l, const struct ir_insn *insn)
{
    const enum certain a = certain_of(l, insn->a), b = certain_of(l, insn->b),
                       c = certain_of(l, insn->c);
    switch ((enum ir_op)insn->op) {
    case IR_NEG:
    case IR_ABS:
    case IR_DETACH:
        return a;
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
        return surer(a, b);
    case IR_FMA:
        return surer(surer(a, b), c);
    case IR_DIV:
        return surer(a, only_nan(b));
    case IR_WHERE:
        return b < c ? b : c;
    case IR_POW: /* 1^NaN is 1 */
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_EQ:
    case IR_NE:
    case IR_AND:
    case IR_OR:
    case IR_NOT:
        return NOTHING;
    default: /* other functions: what they make of infinity is not looked at */
        return surer(only_nan(a), only_nan(b));
    }
}

static double largest_of(const struct lasting *l, ir_ref ref)
{
    switch (ir_kind(ref)) {
    case IR_VALUE:
        return l->largest[ir_index(ref)];
    case IR_CONSTANT:
        return fabs(ir_constant_value(l->ir, ref));
    default:
        return INFINITY;
    }
}

/* The magnitude of a result, whatever the leaves are; INFINITY: any. Far below what overflows, so
 * that roundings do not matter. Of a result that is no number it says nothing. */
static double bound_of(const struct lasting *l, const struct ir_insn *insn)
{
    const double a = largest_of(l, insn->a), b = largest_of(l, insn->b);
    double bound = INFINITY;
    switch ((enum ir_op)insn->op) {
    case IR_TANH:
    case IR_SIGMOID:
    case IR_SIN:
    case IR_COS:
    case IR_ERF:
    case IR_SIGN:
        bound = 1;
        break;
    case IR_NEG:
    case IR_ABS:
    case IR_DETACH:
        bound = a;
        break;
    case IR_ADD:
    case IR_SUB:
        bound = a + b;
        break;
    case IR_MUL:
        bound = a * b;
        break;
    case IR_FMA:
        bound = a * b + largest_of(l, insn->c);
        break;
    case IR_MIN:
    case IR_MAX:
        bound = fmax(a, b);
        break;
    case IR_WHERE:
        bound = fmax(b, largest_of(l, insn->c));
        break;
    default:
        break;
    }
    return bound < 1e30 ? bound : INFINITY;
}

static bool lasts(struct lasting *l, uint32_t state, enum certain how)
{
    l->state = state;
    l->how = how;
    for (uint32_t i = 0; i < l->ir->insn_count; i++)
        l->value[i] = (uint8_t)result_of(l, &l->ir->insns[i]);
    for (uint32_t i = 0; i < l->ir->states; i++)
        if (certain_of(l, ir_find_out(l->ir, IR_OUT_NEXT, i, 0)) != NOTHING)
            return true;
    return false;
}

bool lasting_nonfinite(const struct ir *ir, struct arena *arena)
{
    struct lasting l = {.ir = ir,
                        .value = arena_array(arena, ir->insn_count + 1, sizeof *l.value),
                        .largest = arena_array(arena, ir->insn_count + 1, sizeof *l.largest)};
    for (uint32_t i = 0; i < ir->insn_count; i++)
        l.largest[i] = bound_of(&l, &ir->insns[i]);
    for (uint32_t i = 0; i < ir->states; i++) {
        const bool is_bounded = largest_of(&l, ir_find_out(ir, IR_OUT_NEXT, i, 0)) < INFINITY;
        if (!lasts(&l, i, IS_NAN) || (!is_bounded && !lasts(&l, i, NOT_FINITE)))
            return false;
    }
    return true;
}
