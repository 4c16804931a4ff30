#include "constant.h"

#include <math.h>

/* NaN in either operand is the result, as in the IR. */
static double least(double a, double b)
{
    return a <= b || isnan(a) ? a : b;
}

static double greatest(double a, double b)
{
    return a >= b || isnan(a) ? a : b;
}

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

bool constant_is_integer(double exponent)
{
    const double exact_integers = 9007199254740992.0; /* 2^53 */
    return fabs(exponent) < exact_integers && exponent == floor(exponent);
}

/* Integer powers by squares and products, as lower_power() makes them: what is folded here and what
 * is folded there has one value. */
static double power(double base, double exponent)
{
    if (!constant_is_integer(exponent))
        return pow(base, exponent);
    double result = 1;
    uint64_t left = (uint64_t)fabs(exponent);
    for (double square = base; left > 0; square *= square, left >>= 1)
        result = left & 1 ? result * square : result;
    return exponent < 0 ? 1 / result : result;
}

static bool call(enum ast_function function, const double *x, double *value)
{
    switch (function) {
    case AST_FN_SIGMOID:
        *value = sigmoid(x[0]);
        return true;
    case AST_FN_TANH:
        *value = tanh(x[0]);
        return true;
    case AST_FN_EXP:
        *value = exp(x[0]);
        return true;
    case AST_FN_LOG:
        *value = log(x[0]);
        return true;
    case AST_FN_LOG1P:
        *value = log1p(x[0]);
        return true;
    case AST_FN_EXPM1:
        *value = expm1(x[0]);
        return true;
    case AST_FN_SQRT:
        *value = sqrt(x[0]);
        return true;
    case AST_FN_RSQRT:
        *value = 1 / sqrt(x[0]);
        return true;
    case AST_FN_SIN:
        *value = sin(x[0]);
        return true;
    case AST_FN_COS:
        *value = cos(x[0]);
        return true;
    case AST_FN_ABS:
        *value = fabs(x[0]);
        return true;
    case AST_FN_SIGN:
        *value = x[0] > 0 ? 1 : x[0] < 0 ? -1 : x[0];
        return true;
    case AST_FN_RELU:
        *value = greatest(x[0], 0);
        return true;
    case AST_FN_SOFTPLUS:
        *value = greatest(x[0], 0) + log1p(exp(-fabs(x[0])));
        return true;
    case AST_FN_SILU:
        *value = x[0] * sigmoid(x[0]);
        return true;
    case AST_FN_GELU:
        *value = x[0] * 0.5 * (1 + erf(x[0] * 0.70710678118654752));
        return true;
    case AST_FN_ERF:
        *value = erf(x[0]);
        return true;
    case AST_FN_MIN:
        *value = least(x[0], x[1]);
        return true;
    case AST_FN_MAX:
        *value = greatest(x[0], x[1]);
        return true;
    case AST_FN_CLAMP:
        *value = least(greatest(x[0], x[1]), x[2]);
        return true;
    case AST_FN_POW:
        *value = power(x[0], x[1]);
        return true;
    case AST_FN_DETACH:
        *value = x[0];
        return true;
    default:
        return false;
    }
}

bool constant_evaluate(const struct ast_expr *expr, double *value)
{
    double x[3] = {0, 0, 0};
    if (expr->arg_count > 3)
        return false;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        x[i] = expr->args[i]->value;
    switch (expr->kind) {
    case AST_NUMBER:
        *value = expr->number;
        return true;
    case AST_NEG:
        *value = -x[0];
        return true;
    case AST_ADD:
        *value = x[0] + x[1];
        return true;
    case AST_SUB:
        *value = x[0] - x[1];
        return true;
    case AST_MUL:
        *value = x[0] * x[1];
        return true;
    case AST_DIV:
        *value = x[0] / x[1];
        return true;
    case AST_POW:
        *value = power(x[0], x[1]);
        return true;
    case AST_CALL:
        return call(expr->function, x, value);
    default:
        return false;
    }
}
