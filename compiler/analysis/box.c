#include "box.h"

#include "ir_build.h"

static struct interval value_of(const struct freedom *freedom, const struct box *box, ir_ref ref)
{
    if (ir_kind(ref) == IR_CONSTANT)
        return point(ir_constant_value(freedom->ir, ref));
    if (ir_kind(ref) == IR_NONE || ir_kind(ref) == IR_COTANGENT)
        return point(0);
    const int32_t variable = freedom->variable[ir_kind(ref)][ir_index(ref)];
    return variable > 0 ? box->side[variable - 1] : freedom->value[ir_index(ref)];
}

void box_evaluate(struct freedom *freedom, const struct box *box)
{
    for (uint32_t k = 0; k < freedom->insn_count; k++) {
        const uint32_t i = freedom->insn[k];
        const struct ir_insn *insn = &freedom->ir->insns[i];
        const struct interval a = value_of(freedom, box, insn->a);
        const struct interval b = value_of(freedom, box, insn->b);
        const struct interval c = value_of(freedom, box, insn->c);
        struct interval *out = &freedom->value[i];
        if (freedom->how[i] == LOGISTIC_A)
            *out = logistic(a);
        else if (freedom->how[i] == LOGISTIC_B)
            *out = logistic(b);
        else if (freedom->how[i] == SQUARE)
            *out = square(a);
        else if (freedom->how[i] == LESS_SQUARE)
            *out = add(c, negate(square(b)));
        else if (insn->op == IR_ADD)
            *out = add(a, b);
        else if (insn->op == IR_SUB)
            *out = add(a, negate(b));
        else if (insn->op == IR_MUL)
            *out = multiply(a, b);
        else if (insn->op == IR_FMA)
            *out = add(multiply(a, b), c);
        else
            *out = apply((enum ir_op)insn->op, a, b, c);
        if (isnan(out->lo) || isnan(out->hi))
            *out = enclosure_everything;
    }
}

double box_row_sum(const struct freedom *freedom, const struct box *box, uint32_t row)
{
    struct interval sum = point(0);
    for (uint32_t j = 0; j < freedom->ir->states; j++) {
        const ir_ref entry = ir_find_out(freedom->ir, IR_OUT_JACOBIAN, row, j);
        if (entry != IR_REF_NONE)
            sum = add(sum, point(magnitude(value_of(freedom, box, entry))));
    }
    return isnan(sum.hi) ? INFINITY : sum.hi;
}

/* Derivatives of an operation by its operands, over the box; 'jump': there may be none. */
static void partials_of(const struct freedom *freedom, const struct box *box, uint32_t i,
                        struct interval partial[3], bool *jump)
{
    const struct ir_insn *insn = &freedom->ir->insns[i];
    const struct interval a = value_of(freedom, box, insn->a), b = value_of(freedom, box, insn->b);
    const struct interval y = freedom->value[i], one = point(1), zero = point(0);
    partial[0] = partial[1] = partial[2] = zero;
    switch ((enum ir_op)insn->op) {
    case IR_NEG:
        partial[0] = point(-1);
        return;
    case IR_ADD:
        partial[0] = partial[1] = one;
        return;
    case IR_SUB:
        partial[0] = one;
        partial[1] = point(-1);
        return;
    case IR_MUL:
        partial[0] = b;
        partial[1] = a;
        return;
    case IR_FMA:
        partial[0] = b;
        partial[1] = a;
        partial[2] = one;
        return;
    case IR_DIV:
        partial[0] = apply(IR_DIV, one, b, zero);
        partial[1] = negate(apply(IR_DIV, y, b, zero));
        return;
    case IR_SIGMOID:
        partial[0] = logistic(y);
        return;
    case IR_TANH:
        partial[0] = one_minus(square(y));
        return;
    case IR_EXP:
        partial[0] = y;
        return;
    case IR_EXPM1:
        partial[0] = add(y, one);
        return;
    case IR_LOG:
        partial[0] = apply(IR_DIV, one, a, zero);
        return;
    case IR_LOG1P:
        partial[0] = apply(IR_DIV, one, add(one, a), zero);
        return;
    case IR_SOFTPLUS:
        partial[0] = apply(IR_SIGMOID, a, zero, zero);
        return;
    case IR_SQRT:
        partial[0] = apply(IR_DIV, point(0.5), y, zero);
        return;
    case IR_SIN:
        partial[0] = apply(IR_COS, a, zero, zero);
        return;
    case IR_COS:
        partial[0] = negate(apply(IR_SIN, a, zero, zero));
        return;
    case IR_ABS:
        partial[0] = a.lo >= 0 ? one : a.hi <= 0 ? point(-1) : (struct interval){-1, 1};
        return;
    case IR_MIN:
    case IR_MAX: {
        const bool is_a = insn->op == IR_MIN ? a.hi <= b.lo : a.lo >= b.hi;
        const bool is_b = insn->op == IR_MIN ? b.hi <= a.lo : b.lo >= a.hi;
        partial[0] = is_b ? zero : is_a ? one : (struct interval){0, 1};
        partial[1] = is_a ? zero : is_b ? one : (struct interval){0, 1};
        return;
    }
    case IR_DETACH:
        partial[0] = one;
        return;
    case IR_WHERE:
        if (a.lo > 0)
            partial[1] = one;
        else if (a.hi < 1)
            partial[2] = one;
        else
            *jump = true;
        return;
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_EQ:
    case IR_NE:
    case IR_AND:
    case IR_OR:
    case IR_NOT:
        return; /* constant where it is decided; who chooses by it looks */
    default:
        *jump = true; /* sign, powers, and what has no rule here */
        return;
    }
}

static void add_slope(struct freedom *freedom, ir_ref ref, struct interval slope)
{
    if (!freedom_is_leaf(ref) && ir_kind(ref) != IR_VALUE)
        return;
    const int32_t variable = freedom->variable[ir_kind(ref)][ir_index(ref)];
    struct interval *to =
        variable > 0 ? &freedom->gradient[variable - 1] : &freedom->slope[ir_index(ref)];
    *to = add(*to, slope);
    if (isnan(to->lo) || isnan(to->hi))
        *to = enclosure_everything;
}

void box_differentiate(struct freedom *freedom, const struct box *box, uint32_t row)
{
    freedom->has_jump = false;
    for (uint32_t k = 0; k < freedom->insn_count; k++)
        freedom->slope[freedom->insn[k]] = point(0);
    for (uint32_t k = 0; k < freedom->count; k++)
        freedom->gradient[k] = point(0);
    for (uint32_t j = 0; j < freedom->ir->states; j++) {
        const ir_ref entry = ir_find_out(freedom->ir, IR_OUT_JACOBIAN, row, j);
        const struct interval v = value_of(freedom, box, entry);
        add_slope(freedom, entry,
                  v.lo >= 0   ? point(1)
                  : v.hi <= 0 ? point(-1)
                              : (struct interval){-1, 1});
    }
    for (uint32_t k = freedom->insn_count; k-- > 0;) {
        const uint32_t i = freedom->insn[k];
        const struct interval slope = freedom->slope[i];
        struct interval partial[3];
        if (slope.lo == 0 && slope.hi == 0)
            continue;
        if (freedom->how[i] == LOGISTIC_A || freedom->how[i] == LOGISTIC_B) {
            const ir_ref z =
                freedom->how[i] == LOGISTIC_A ? freedom->ir->insns[i].a : freedom->ir->insns[i].b;
            const struct interval v = value_of(freedom, box, z);
            add_slope(freedom, z, multiply(slope, add(point(1), multiply(point(-2), v))));
            continue;
        }
        if (freedom->how[i] == SQUARE) {
            const ir_ref z = freedom->ir->insns[i].a;
            add_slope(freedom, z, multiply(slope, multiply(point(2), value_of(freedom, box, z))));
            continue;
        }
        if (freedom->how[i] == LESS_SQUARE) {
            const ir_ref z = freedom->ir->insns[i].b;
            add_slope(freedom, z, multiply(slope, multiply(point(-2), value_of(freedom, box, z))));
            add_slope(freedom, freedom->ir->insns[i].c, slope);
            continue;
        }
        partials_of(freedom, box, i, partial, &freedom->has_jump);
        for (unsigned n = 0; n < 3; n++)
            if (partial[n].lo != 0 || partial[n].hi != 0)
                add_slope(freedom, ir_operand(&freedom->ir->insns[i], n),
                          multiply(slope, partial[n]));
    }
}
