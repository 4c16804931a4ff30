/* What the builder simplifies. Every rule holds bit for bit in IEEE arithmetic for every operand,
 * NaN payloads apart; what does not stays: x + 0 (is +0 for -0), 0*x (NaN for inf), x - x, x/x. */
#include "ir_build.h"

#include "ir.h"
#include "ir_real.h"

#include <assert.h>
#include <math.h>

#define real double
#define REAL(f) f
#define OP1(ID, name, da, cost, text, eval)                                                        \
    case IR_##ID:                                                                                  \
        return (double)(eval);
#define OP2(ID, name, da, db, cost, text, eval)                                                    \
    case IR_##ID:                                                                                  \
        return (double)(eval);
#define OP3(ID, name, da, db, dc, cost, text, eval)                                                \
    case IR_##ID:                                                                                  \
        return (double)(eval);

double ir_fold_eval(enum ir_op op, double a, double b, double c)
{
    (void)c;
    switch (op) {
#include "ops.def"
    case IR_OP_COUNT:
        break;
    }
    return (double)NAN;
}

#undef OP1
#undef OP2
#undef OP3
#undef real
#undef REAL

static bool is_op(const struct ir *ir, ir_ref ref, enum ir_op op)
{
    return ir_kind(ref) == IR_VALUE && ir->insns[ir_index(ref)].op == op;
}

/* The operand of a negation, or IR_REF_NONE. */
static ir_ref negated(const struct ir *ir, ir_ref ref)
{
    return is_op(ir, ref, IR_NEG) ? ir->insns[ir_index(ref)].a : IR_REF_NONE;
}

/* 1/c if dividing by c is the same as multiplying by it, in double and in float: c is a power of
 * two far from both ends of the exponents. Else 0. */
static double exact_reciprocal(const struct ir *ir, ir_ref ref)
{
    if (ir_kind(ref) != IR_CONSTANT)
        return 0;
    const double value = ir_constant_value(ir, ref);
    int exponent;
    const double fraction = frexp(fabs(value), &exponent);
    return fraction == 0.5 && exponent > -100 && exponent < 100 ? 1 / value : 0;
}

static ir_ref fold_constants(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
    const ir_ref operand[3] = {a, b, c};
    double value[3] = {0, 0, 0};
    const unsigned arity = ir_op_arity(op);
    assert(arity <= 3);
    for (unsigned i = 0; i < arity; i++) {
        if (ir_kind(operand[i]) != IR_CONSTANT)
            return IR_REF_NONE;
        value[i] = ir_constant_value(ir, operand[i]);
    }
    return ir_constant(ir, ir_fold_eval(op, value[0], value[1], value[2]));
}

static ir_ref make(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b)
{
    return ir_make(ir, op, a, b, IR_REF_NONE);
}

static ir_ref fold_add(struct ir *ir, ir_ref a, ir_ref b)
{
    if (ir_is_constant(ir, b, -0.0)) /* x + -0 is x, also for both zeros */
        return a;
    if (ir_is_constant(ir, a, -0.0))
        return b;
    if (negated(ir, b)) /* a subtraction is defined as adding the negated operand */
        return make(ir, IR_SUB, a, negated(ir, b));
    if (negated(ir, a))
        return make(ir, IR_SUB, b, negated(ir, a));
    return IR_REF_NONE;
}

static ir_ref fold_sub(struct ir *ir, ir_ref a, ir_ref b)
{
    if (ir_is_constant(ir, b, 0.0)) /* x - 0 is x + -0 */
        return a;
    if (ir_is_constant(ir, a, -0.0)) /* -0 - x; but 0 - x is +0 where -x is -0 */
        return make(ir, IR_NEG, b, IR_REF_NONE);
    if (negated(ir, b))
        return make(ir, IR_ADD, a, negated(ir, b));
    return IR_REF_NONE;
}

static ir_ref fold_mul(struct ir *ir, ir_ref a, ir_ref b)
{
    if (ir_is_constant(ir, b, 1.0)) /* exact */
        return a;
    if (ir_is_constant(ir, a, 1.0))
        return b;
    if (ir_is_constant(ir, b, -1.0)) /* exact, and flips the sign of zero too */
        return make(ir, IR_NEG, a, IR_REF_NONE);
    if (ir_is_constant(ir, a, -1.0))
        return make(ir, IR_NEG, b, IR_REF_NONE);
    if (negated(ir, a) && negated(ir, b)) /* the sign of a product is the product of the signs */
        return make(ir, IR_MUL, negated(ir, a), negated(ir, b));
    return IR_REF_NONE;
}

static ir_ref fold_div(struct ir *ir, ir_ref a, ir_ref b)
{
    if (ir_is_constant(ir, b, 1.0)) /* exact */
        return a;
    if (exact_reciprocal(ir, b) != 0) /* the same real number is rounded */
        return make(ir, IR_MUL, a, ir_constant(ir, exact_reciprocal(ir, b)));
    if (negated(ir, a) && negated(ir, b)) /* as for products */
        return make(ir, IR_DIV, negated(ir, a), negated(ir, b));
    return IR_REF_NONE;
}

static ir_ref fold_fma(struct ir *ir, ir_ref a, ir_ref b, ir_ref c)
{
    if (ir_is_constant(ir, c, -0.0)) /* one rounding of the product remains */
        return make(ir, IR_MUL, a, b);
    if (ir_is_constant(ir, a, 1.0)) /* the product is exact */
        return make(ir, IR_ADD, b, c);
    if (ir_is_constant(ir, b, 1.0))
        return make(ir, IR_ADD, a, c);
    if (negated(ir, a) && negated(ir, b)) /* as for products */
        return ir_make(ir, IR_FMA, negated(ir, a), negated(ir, b), c);
    return IR_REF_NONE;
}

static ir_ref fold_where(struct ir *ir, ir_ref condition, ir_ref a, ir_ref b)
{
    if (ir_kind(condition) == IR_CONSTANT) /* the other branch is never read */
        return ir_constant_value(ir, condition) != 0 ? a : b;
    if (a == b) /* both branches agree, and so do their derivatives */
        return a;
    if (is_op(ir, condition, IR_NOT))
        return ir_make(ir, IR_WHERE, ir->insns[ir_index(condition)].a, b, a);
    return IR_REF_NONE;
}

/* 'dominant' is the constant that decides: 0 for and, 1 for or. */
static ir_ref fold_logic(struct ir *ir, ir_ref a, ir_ref b, double dominant)
{
    if (a == b)
        return a;
    if (ir_kind(a) == IR_CONSTANT)
        return ir_constant_value(ir, a) == dominant ? a : b;
    if (ir_kind(b) == IR_CONSTANT)
        return ir_constant_value(ir, b) == dominant ? b : a;
    return IR_REF_NONE;
}

ir_ref ir_fold(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
    const ir_ref constant = fold_constants(ir, op, a, b, c);
    if (constant)
        return constant;
    switch (op) {
    case IR_NEG: /* two flips of the sign bit */
        return negated(ir, a);
    case IR_ADD:
        return fold_add(ir, a, b);
    case IR_SUB:
        return fold_sub(ir, a, b);
    case IR_MUL:
        return fold_mul(ir, a, b);
    case IR_DIV:
        return fold_div(ir, a, b);
    case IR_FMA:
        return fold_fma(ir, a, b, c);
    case IR_ABS: /* the sign bit is cleared anyway; sign'(x) is 0 in both */
        if (negated(ir, a))
            return make(ir, IR_ABS, negated(ir, a), IR_REF_NONE);
        return is_op(ir, a, IR_ABS) ? a : IR_REF_NONE;
    case IR_MIN: /* a tie gives the first operand, and all of the derivative */
    case IR_MAX:
        return a == b ? a : IR_REF_NONE;
    case IR_POW:
        if (ir_is_constant(ir, b, 1.0)) /* exact */
            return a;
        return ir_kind(b) == IR_CONSTANT && ir_constant_value(ir, b) == 0
                   ? ir_constant(ir, 1) /* of every base, NaN included (C11 F.10.4.4) */
                   : IR_REF_NONE;
    case IR_AND:
        return fold_logic(ir, a, b, 0);
    case IR_OR:
        return fold_logic(ir, a, b, 1);
    case IR_NOT: /* but not (a < b) stays: it holds for NaN */
        return is_op(ir, a, IR_NOT) ? ir->insns[ir_index(a)].a : IR_REF_NONE;
    case IR_WHERE:
        return fold_where(ir, a, b, c);
    case IR_DETACH:
        return is_op(ir, a, IR_DETACH) ? a : IR_REF_NONE;
    default:
        return IR_REF_NONE;
    }
}
