/* Errors in units of the last place of the reference, subnormals included. A wrong NaN, infinity or
 * sign of zero is an infinite error. */
#ifndef PRNN_MATH_ULP_H
#define PRNN_MATH_ULP_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* 2^e within the normal numbers of double. */
static inline double math_power(int e)
{
    const uint64_t bits = (uint64_t)(e + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

static inline double math_ulp32(float y, double reference)
{
    if (isnan(reference) || isnan(y))
        return isnan(reference) && isnan(y) ? 0 : INFINITY;
    if (isinf(reference) || reference == 0)
        return (double)y == reference && !signbit(y) == !signbit(reference) ? 0 : INFINITY;
    if (y == 0 && !signbit(y) != !signbit(reference))
        return INFINITY;
    uint64_t bits;
    memcpy(&bits, &reference, sizeof bits);
    int e = (int)((bits >> 52) & 0x7ff) - 1023 - 23;
    e = e < -149 ? -149 : e > 104 ? 104 : e;
    const double near = isinf(y) ? copysign(0x1p128, (double)y) : (double)y;
    const double far = fabs(reference) > 0x1p128 ? copysign(0x1p128, reference) : reference;
    return fabs(near - far) / math_power(e);
}

/* The functions that libm lacks, without cancellation. */
static inline double math_sigmoid(double x)
{
    const double e = exp(-fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

static inline double math_softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static inline double math_rsqrt(double x)
{
    return 1 / sqrt(x);
}

#endif
