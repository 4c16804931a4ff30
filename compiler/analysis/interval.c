#include "interval.h"

#include <math.h>

/* Bounds are widened by one step only where the operation rounded, so that bounds like 0 and 1 of
 * gates stay what they are; what was lost in a sum, product, quotient or root is computed exactly
 * by fma. Functions of the C library are taken to be within four steps. */
enum { LIBRARY_STEPS = 4 };

static const double PI = 3.14159265358979323846;

struct range range_point(double value)
{
    if (isnan(value))
        return (struct range){-INFINITY, INFINITY, true};
    return (struct range){value, value, isinf(value) != 0};
}

struct range range_everything(void)
{
    return (struct range){-INFINITY, INFINITY, false};
}

struct range range_union(struct range a, struct range b)
{
    return (struct range){fmin(a.lo, b.lo), fmax(a.hi, b.hi), a.may_be_nan || b.may_be_nan};
}

bool range_is_within(struct range range, double lo, double hi)
{
    return !range.may_be_nan && range.lo >= lo && range.hi <= hi;
}

double range_magnitude(struct range range)
{
    return range.may_be_nan ? INFINITY : fmax(fabs(range.lo), fabs(range.hi));
}

static struct range anything(void)
{
    return (struct range){-INFINITY, INFINITY, true};
}

/* A bound that is no number says nothing. */
static struct range bounds(double lo, double hi, bool may_be_nan)
{
    if (isnan(lo) || isnan(hi))
        return anything();
    return (struct range){lo, hi, may_be_nan};
}

static double below(double x, int steps)
{
    for (int k = 0; k < steps; k++)
        x = nextafter(x, -INFINITY);
    return x;
}

static double above(double x, int steps)
{
    for (int k = 0; k < steps; k++)
        x = nextafter(x, INFINITY);
    return x;
}

/* 'lost' is zero where the operation was exact. A finite overflow keeps the largest number below.
 */
static double round_down(double x, double lost)
{
    return lost == 0 ? x : below(x, 1);
}

static double round_up(double x, double lost)
{
    return lost == 0 ? x : above(x, 1);
}

/* Error of the rounded sum (Knuth, TAOCP 4.2.2); an infinite operand makes the sum exact. */
static double sum_lost(double a, double b)
{
    const double s = a + b;
    if (isinf(a) || isinf(b))
        return 0;
    if (isinf(s))
        return 1;
    const double from_b = s - a;
    return (a - (s - from_b)) + (b - from_b);
}

static struct range add(struct range a, struct range b)
{
    return bounds(round_down(a.lo + b.lo, sum_lost(a.lo, b.lo)),
                  round_up(a.hi + b.hi, sum_lost(a.hi, b.hi)), a.may_be_nan || b.may_be_nan);
}

static struct range negate(struct range a)
{
    return (struct range){-a.hi, -a.lo, a.may_be_nan};
}

static double product(double a, double b)
{
    return a == 0 || b == 0 ? 0 : a * b; /* an infinite bound stands for finite values */
}

/* Tiny products are taken as rounded: there the error itself may underflow. */
static double product_lost(double a, double b)
{
    const double p = a * b;
    if (a == 0 || b == 0 || isinf(a) || isinf(b))
        return 0;
    if (isinf(p) || fabs(p) < 1e-290)
        return 1;
    return fma(a, b, -p);
}

static struct range multiply(struct range a, struct range b)
{
    const double left[4] = {a.lo, a.lo, a.hi, a.hi};
    const double right[4] = {b.lo, b.hi, b.lo, b.hi};
    struct range out = {INFINITY, -INFINITY, a.may_be_nan || b.may_be_nan};
    for (int k = 0; k < 4; k++) {
        const double p = product(left[k], right[k]);
        const double lost = product_lost(left[k], right[k]);
        out.lo = fmin(out.lo, round_down(p, lost));
        out.hi = fmax(out.hi, round_up(p, lost));
    }
    return bounds(out.lo, out.hi, out.may_be_nan);
}

static double quotient_lost(double a, double b)
{
    const double q = a / b;
    if (a == 0 || isinf(a) || isinf(b))
        return 0;
    if (isinf(q) || fabs(q) < 1e-290 || fabs(a) < 1e-290)
        return 1;
    return fma(q, b, -a);
}

static struct range divide(struct range a, struct range b)
{
    if (b.lo <= 0 && b.hi >= 0)
        return anything();
    const double left[4] = {a.lo, a.lo, a.hi, a.hi};
    const double right[4] = {b.lo, b.hi, b.lo, b.hi};
    struct range out = {INFINITY, -INFINITY, a.may_be_nan || b.may_be_nan};
    for (int k = 0; k < 4; k++) {
        double q = left[k] / right[k];
        if (isinf(left[k]) && isinf(right[k]))
            q = 0; /* the other corners have the infinite and the zero end */
        const double lost = quotient_lost(left[k], right[k]);
        out.lo = fmin(out.lo, round_down(q, lost));
        out.hi = fmax(out.hi, round_up(q, lost));
    }
    /* inf/inf stands for any quotient of its sign. */
    for (int k = 0; k < 4; k++)
        if (isinf(left[k]) && isinf(right[k])) {
            if ((left[k] > 0) == (right[k] > 0))
                out.hi = INFINITY;
            else
                out.lo = -INFINITY;
        }
    return bounds(out.lo, out.hi, out.may_be_nan);
}

static struct range absolute(struct range a)
{
    if (a.lo >= 0)
        return a;
    if (a.hi <= 0)
        return negate(a);
    return (struct range){0, fmax(-a.lo, a.hi), a.may_be_nan};
}

struct range range_square(struct range a)
{
    const struct range size = absolute(a);
    return multiply(size, size);
}

/* A parabola with its top, 1/4, at 1/2. */
struct range range_logistic(struct range a)
{
    const struct range one = range_point(1);
    const struct range lo = {a.lo, a.lo, a.may_be_nan}, hi = {a.hi, a.hi, a.may_be_nan};
    struct range out =
        range_union(multiply(lo, add(one, negate(lo))), multiply(hi, add(one, negate(hi))));
    if (a.lo <= 0.5 && a.hi >= 0.5)
        out.hi = 0.25;
    return out;
}

/* A function of the library that rises, with values in [lo, hi]. */
static struct range rising(double f(double), struct range a, double lo, double hi)
{
    return bounds(fmax(below(f(a.lo), LIBRARY_STEPS), lo), fmin(above(f(a.hi), LIBRARY_STEPS), hi),
                  a.may_be_nan);
}

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double softplus(double x)
{
    return isinf(x) ? fmax(x, 0) : fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* 'edge' is where the domain ends and 'at_edge' the limit there. */
static struct range rising_from(double f(double), struct range a, double edge, double at_edge)
{
    if (a.hi < edge)
        return anything();
    const bool may_leave = a.lo < edge || (a.lo == edge && isinf(at_edge));
    struct range out = bounds(at_edge, above(f(a.hi), LIBRARY_STEPS), a.may_be_nan || may_leave);
    if (a.lo > edge)
        out.lo = fmax(below(f(a.lo), LIBRARY_STEPS), at_edge);
    return out;
}

static double root_lost(double a)
{
    const double s = sqrt(a);
    if (isinf(a) || a == 0)
        return 0;
    return a < 1e-290 ? 1 : fma(s, s, -a);
}

static struct range root(struct range a)
{
    if (a.hi < 0)
        return anything();
    const double lo = fmax(a.lo, 0);
    return bounds(round_down(sqrt(lo), root_lost(lo)), round_up(sqrt(a.hi), root_lost(a.hi)),
                  a.may_be_nan || a.lo < 0);
}

/* Whether a maximum of sin, at pi/2 + 2 pi k, may lie in [lo, hi]; near misses count as hits. */
static bool may_hold_peak(double lo, double hi, double peak)
{
    const double slack = 1e-9;
    const double first = peak + 2 * PI * ceil((lo - slack - peak) / (2 * PI));
    return first <= hi + slack;
}

static struct range wave(double f(double), struct range a, double peak)
{
    struct range out = {-1, 1, a.may_be_nan};
    if (!(a.hi - a.lo < 2 * PI) || !(fmax(fabs(a.lo), fabs(a.hi)) < 1e5))
        return out;
    const double low = below(fmin(f(a.lo), f(a.hi)), LIBRARY_STEPS);
    const double high = above(fmax(f(a.lo), f(a.hi)), LIBRARY_STEPS);
    if (!may_hold_peak(a.lo, a.hi, peak))
        out.hi = fmin(high, 1);
    if (!may_hold_peak(a.lo, a.hi, peak + PI))
        out.lo = fmax(low, -1);
    return out;
}

/* For a >= 0 the power is monotonic in either operand, so its extremes are at corners. Otherwise
 * only whole exponents give numbers. */
static struct range power(struct range a, struct range b)
{
    const bool is_whole = b.lo == b.hi && b.lo == floor(b.lo) && fabs(b.lo) < 1e9;
    const bool may_be_nan = a.may_be_nan || b.may_be_nan;
    if (a.lo < 0) {
        if (!is_whole || (b.lo < 0 && a.hi >= 0))
            return anything();
        if (fmod(b.lo, 2) == 0)
            return power(absolute(a), b);
        const double p = pow(a.lo, b.lo), q = pow(a.hi, b.lo);
        return bounds(below(fmin(p, q), LIBRARY_STEPS), above(fmax(p, q), LIBRARY_STEPS),
                      may_be_nan);
    }
    const double p[4] = {pow(a.lo, b.lo), pow(a.lo, b.hi), pow(a.hi, b.lo), pow(a.hi, b.hi)};
    double lo = fmin(fmin(p[0], p[1]), fmin(p[2], p[3]));
    double hi = fmax(fmax(p[0], p[1]), fmax(p[2], p[3]));
    if (a.lo == 0 && b.lo <= 0 && b.hi >= 0) { /* 0^0 is 1, between exponents with 0 and inf */
        lo = fmin(lo, 1);
        hi = fmax(hi, 1);
    }
    return bounds(fmax(below(lo, LIBRARY_STEPS), 0), above(hi, LIBRARY_STEPS),
                  may_be_nan || (a.lo == 0 && b.lo < 0));
}

static struct range sign(struct range a)
{
    const double lo = a.lo > 0 ? 1 : a.lo == 0 ? 0 : -1;
    const double hi = a.hi < 0 ? -1 : a.hi == 0 ? 0 : 1;
    return (struct range){lo, hi, a.may_be_nan};
}

static struct range decided(bool is_always, bool is_never)
{
    return (struct range){is_always, !is_never, false};
}

static struct range compare(enum ir_op op, struct range a, struct range b)
{
    const bool may_be_nan = a.may_be_nan || b.may_be_nan;
    const bool are_equal = a.lo == a.hi && b.lo == b.hi && a.lo == b.lo && !isinf(a.lo);
    const bool are_apart = a.hi < b.lo || b.hi < a.lo;
    switch (op) {
    case IR_LT:
        return decided(!may_be_nan && a.hi < b.lo, a.lo >= b.hi);
    case IR_LE:
        return decided(!may_be_nan && a.hi <= b.lo, a.lo > b.hi);
    case IR_GT:
        return decided(!may_be_nan && a.lo > b.hi, a.hi <= b.lo);
    case IR_GE:
        return decided(!may_be_nan && a.lo >= b.hi, a.hi < b.lo);
    case IR_EQ:
        return decided(!may_be_nan && are_equal, are_apart);
    default:
        return decided(are_apart, !may_be_nan && are_equal);
    }
}

struct range range_apply(enum ir_op op, struct range a, struct range b, struct range c)
{
    switch (op) {
    case IR_NEG:
        return negate(a);
    case IR_ADD:
        return add(a, b);
    case IR_SUB:
        return add(a, negate(b));
    case IR_MUL:
        return multiply(a, b);
    case IR_DIV:
        return divide(a, b);
    case IR_FMA:
        return add(multiply(a, b), c);
    case IR_SIGMOID:
        return rising(sigmoid, a, 0, 1);
    case IR_TANH:
        return rising(tanh, a, -1, 1);
    case IR_EXP:
        return rising(exp, a, 0, INFINITY);
    case IR_LOG:
        return rising_from(log, a, 0, -INFINITY);
    case IR_LOG1P:
        return rising_from(log1p, a, -1, -INFINITY);
    case IR_EXPM1:
        return rising(expm1, a, -1, INFINITY);
    case IR_SOFTPLUS:
        return rising(softplus, a, 0, INFINITY);
    case IR_SQRT:
        return root(a);
    case IR_RSQRT:
        return divide(range_point(1), root(a));
    case IR_SIN:
        return wave(sin, a, PI / 2);
    case IR_COS:
        return wave(cos, a, 0);
    case IR_ERF:
        return rising(erf, a, -1, 1);
    case IR_ABS:
        return absolute(a);
    case IR_SIGN:
        return sign(a);
    case IR_MIN:
        return bounds(fmin(a.lo, b.lo), fmin(a.hi, b.hi), a.may_be_nan || b.may_be_nan);
    case IR_MAX:
        return bounds(fmax(a.lo, b.lo), fmax(a.hi, b.hi), a.may_be_nan || b.may_be_nan);
    case IR_POW:
        return power(a, b);
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_EQ:
    case IR_NE:
        return compare(op, a, b);
    case IR_AND:
        return (struct range){fmin(a.lo, b.lo), fmin(a.hi, b.hi), false};
    case IR_OR:
        return (struct range){fmax(a.lo, b.lo), fmax(a.hi, b.hi), false};
    case IR_NOT:
        return (struct range){1 - a.hi, 1 - a.lo, false};
    case IR_WHERE:
        return a.lo > 0 ? b : a.hi < 1 ? c : range_union(b, c);
    case IR_DETACH:
        return a;
    case IR_OP_COUNT:
        break;
    }
    return anything();
}
