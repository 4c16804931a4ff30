/* Interval arithmetic for loops: sums, products and what gates need, in a few instructions. Bounds
 * are moved outwards only where an operation may have rounded, so that 0 and 1 stay what they are.
 * interval.h has the other operations, and tighter bounds. */
#ifndef PRNN_ENCLOSURE_H
#define PRNN_ENCLOSURE_H

#include "interval.h"

#include <math.h>

struct interval {
    double lo, hi;
};

static inline double lower(double x, double lost)
{
    return lost == 0 ? x : x - fabs(x) * 0x1p-52 - 0x1p-1074;
}

static inline double upper(double x, double lost)
{
    return lost == 0 ? x : x + fabs(x) * 0x1p-52 + 0x1p-1074;
}

static inline double sum_lost(double a, double b, double s)
{
    if (isinf(s))
        return isinf(a) || isinf(b) ? 0 : 1;
    const double from_b = s - a;
    return (a - (s - from_b)) + (b - from_b);
}

static inline struct interval add(struct interval a, struct interval b)
{
    const double lo = a.lo + b.lo, hi = a.hi + b.hi;
    return (struct interval){lower(lo, sum_lost(a.lo, b.lo, lo)),
                             upper(hi, sum_lost(a.hi, b.hi, hi))};
}

static inline struct interval negate(struct interval a)
{
    return (struct interval){-a.hi, -a.lo};
}

static inline double product(double a, double b)
{
    return a == 0 || b == 0 ? 0 : a * b; /* an infinite bound stands for finite values */
}

/* Ends that are 0 or 1 stay what they are; that is all that signs of gradients need. */
static inline bool is_product_exact(double a, double b)
{
    return a == 0 || b == 0 || fabs(a) == 1 || fabs(b) == 1 || isinf(a) || isinf(b);
}

static inline struct interval multiply(struct interval a, struct interval b)
{
    const double left[4] = {a.lo, a.lo, a.hi, a.hi}, right[4] = {b.lo, b.hi, b.lo, b.hi};
    int least = 0, most = 0;
    double p[4];
    for (int k = 0; k < 4; k++) {
        p[k] = product(left[k], right[k]);
        least = p[k] < p[least] ? k : least;
        most = p[k] > p[most] ? k : most;
    }
    return (struct interval){lower(p[least], !is_product_exact(left[least], right[least])),
                             upper(p[most], !is_product_exact(left[most], right[most]))};
}

static inline struct interval point(double x)
{
    return (struct interval){x, x};
}

static inline double magnitude(struct interval a)
{
    return fmax(fabs(a.lo), fabs(a.hi));
}

static const struct interval enclosure_everything = {-INFINITY, INFINITY};

/* The general operations, by interval.c. NaN: no bound. */
static inline struct interval apply(enum ir_op op, struct interval a, struct interval b,
                                    struct interval c)
{
    const struct range out =
        range_apply(op, (struct range){a.lo, a.hi, false}, (struct range){b.lo, b.hi, false},
                    (struct range){c.lo, c.hi, false});
    if (out.may_be_nan || isnan(out.lo) || isnan(out.hi))
        return enclosure_everything;
    return (struct interval){out.lo, out.hi};
}

/* a * (1 - a): a parabola with its top, 1/4, at 1/2. */
static inline struct interval logistic(struct interval a)
{
    const struct interval lo = multiply(point(a.lo), add(point(1), point(-a.lo)));
    const struct interval hi = multiply(point(a.hi), add(point(1), point(-a.hi)));
    struct interval out = {fmin(lo.lo, hi.lo), fmax(lo.hi, hi.hi)};
    if (a.lo <= 0.5 && a.hi >= 0.5)
        out.hi = 0.25;
    return out;
}

static inline struct interval one_minus(struct interval a)
{
    return add(point(1), negate(a));
}

static inline struct interval square(struct interval a)
{
    const struct interval size = {a.lo >= 0 ? a.lo : a.hi <= 0 ? -a.hi : 0, magnitude(a)};
    return multiply(size, size);
}

#endif
