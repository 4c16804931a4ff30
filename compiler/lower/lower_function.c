#include "lower_internal.h"

#include "constant.h"

#include <math.h>

static ir_ref number(struct lowering *lw, double value)
{
    return ir_constant(lw->ir, value);
}

/* Squares and products: x^5 = (x^2)^2 * x. */
static ir_ref multiply_power(struct lowering *lw, ir_ref base, uint64_t exponent)
{
    ir_ref result = IR_REF_NONE;
    for (ir_ref square = base;; square = lower_op2(lw, IR_MUL, square, square)) {
        if (exponent & 1)
            result = result ? lower_op2(lw, IR_MUL, result, square) : square;
        exponent >>= 1;
        if (exponent == 0)
            return result;
    }
}

ir_ref lower_power(struct lowering *lw, ir_ref base, ir_ref exponent)
{
    if (ir_kind(exponent) != IR_CONSTANT)
        return lower_op2(lw, IR_POW, base, exponent);
    const double value = ir_constant_value(lw->ir, exponent);
    if (!constant_is_integer(value))
        return lower_op2(lw, IR_POW, base, exponent);
    if (value == 0)
        return number(lw, 1);
    const ir_ref power = multiply_power(lw, base, (uint64_t)fabs(value));
    return value > 0 ? power : lower_op2(lw, IR_DIV, number(lw, 1), power);
}

/* x/2 * (1 + erf(x/sqrt(2))). */
static ir_ref lower_gelu(struct lowering *lw, ir_ref x)
{
    const ir_ref scaled = lower_op2(lw, IR_MUL, x, number(lw, 0.70710678118654752));
    const ir_ref doubled = lower_op2(lw, IR_ADD, number(lw, 1), lower_op1(lw, IR_ERF, scaled));
    return lower_op2(lw, IR_MUL, lower_op2(lw, IR_MUL, number(lw, 0.5), x), doubled);
}

/* Of the built-in functions that are one operation; IR_OP_COUNT for the others. */
static enum ir_op function_op(enum ast_function function)
{
    switch (function) {
    case AST_FN_SIGMOID:
        return IR_SIGMOID;
    case AST_FN_TANH:
        return IR_TANH;
    case AST_FN_EXP:
        return IR_EXP;
    case AST_FN_LOG:
        return IR_LOG;
    case AST_FN_LOG1P:
        return IR_LOG1P;
    case AST_FN_EXPM1:
        return IR_EXPM1;
    case AST_FN_SQRT:
        return IR_SQRT;
    case AST_FN_RSQRT:
        return IR_RSQRT;
    case AST_FN_SIN:
        return IR_SIN;
    case AST_FN_COS:
        return IR_COS;
    case AST_FN_ABS:
        return IR_ABS;
    case AST_FN_SIGN:
        return IR_SIGN;
    case AST_FN_SOFTPLUS:
        return IR_SOFTPLUS;
    case AST_FN_ERF:
        return IR_ERF;
    case AST_FN_MIN:
        return IR_MIN;
    case AST_FN_MAX:
        return IR_MAX;
    case AST_FN_DETACH:
        return IR_DETACH;
    case AST_FN_WHERE:
        return IR_WHERE;
    default:
        return IR_OP_COUNT;
    }
}

ir_ref lower_elementwise(struct lowering *lw, enum ast_function function, const ir_ref *arg)
{
    switch (function) {
    case AST_FN_RELU: /* 0 stands first: on a tie it takes the derivative, so relu'(0) is 0 */
        return lower_op2(lw, IR_MAX, number(lw, 0), arg[0]);
    case AST_FN_SILU:
        return lower_op2(lw, IR_MUL, arg[0], lower_op1(lw, IR_SIGMOID, arg[0]));
    case AST_FN_GELU:
        return lower_gelu(lw, arg[0]);
    case AST_FN_CLAMP: /* x stands first: the derivative passes at both ends */
        return lower_op2(lw, IR_MIN, lower_op2(lw, IR_MAX, arg[0], arg[1]), arg[2]);
    case AST_FN_POW:
        return lower_power(lw, arg[0], arg[1]);
    case AST_FN_LOGSUMEXP:
        return lower_logsumexp(lw, arg, 2);
    default: {
        const enum ir_op op = function_op(function);
        const unsigned arity = ir_op_arity(op);
        return lower_op(lw, op, arg[0], arity > 1 ? arg[1] : IR_REF_NONE,
                        arity > 2 ? arg[2] : IR_REF_NONE);
    }
    }
}

ir_ref lower_sum(struct lowering *lw, const ir_ref *value, uint32_t count)
{
    ir_ref sum = value[0];
    for (uint32_t i = 1; i < count; i++)
        sum = lower_op2(lw, IR_ADD, sum, value[i]);
    return sum;
}

/* exp(value - maximum), which cannot overflow. The result does not depend on what is subtracted, so
 * the maximum is detached: its derivative would only cancel. Returns the maximum. */
static ir_ref shifted_exponentials(struct lowering *lw, const ir_ref *value, uint32_t count,
                                   ir_ref *out)
{
    ir_ref maximum = value[0];
    for (uint32_t i = 1; i < count; i++)
        maximum = lower_op2(lw, IR_MAX, maximum, value[i]);
    maximum = lower_op1(lw, IR_DETACH, maximum);
    for (uint32_t i = 0; i < count; i++)
        out[i] = lower_op1(lw, IR_EXP, lower_op2(lw, IR_SUB, value[i], maximum));
    return maximum;
}

ir_ref lower_logsumexp(struct lowering *lw, const ir_ref *value, uint32_t count)
{
    ir_ref *exponential = arena_array(lw->arena, count, sizeof *exponential);
    const ir_ref maximum = shifted_exponentials(lw, value, count, exponential);
    return lower_op2(lw, IR_ADD, maximum, lower_op1(lw, IR_LOG, lower_sum(lw, exponential, count)));
}

void lower_softmax(struct lowering *lw, const ir_ref *value, uint32_t count, ir_ref *out)
{
    ir_ref *exponential = arena_array(lw->arena, count, sizeof *exponential);
    shifted_exponentials(lw, value, count, exponential);
    const ir_ref sum = lower_sum(lw, exponential, count);
    for (uint32_t i = 0; i < count; i++)
        out[i] = lower_op2(lw, IR_DIV, exponential[i], sum);
}
