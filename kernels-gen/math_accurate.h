/* Elementary functions of the default mode: a few ulp, with the approximations of the hardware
 * where there are any.
 *
 * Requires  a prelude, math_strict.h; on hardware PRNN_EX2_APPROX, PRNN_RCP_APPROX,
 * PRNN_RSQRT_APPROX Provides  prnn_accurate_<op>() of prnn_real for every elementary operation of
 * ops.def; PRNN_MATH_HARDWARE where the approximations of the hardware are in use
 *
 * On the CPU, in double and in a text of mode strict (PRNN_MATH_STRICT) every one is the strict
 * function. On hardware subnormal results of exp and sigmoid are 0. Errors: docs/math.md. */
#if !defined PRNN_HOST && !defined PRNN_REAL_F64 && !defined PRNN_MATH_STRICT
#define PRNN_MATH_HARDWARE 1
#endif

#ifdef PRNN_MATH_HARDWARE

/* 2^t * (1 + ln(2) * what t = x log2(e) lost). That is inf - inf where x is infinite, and not
 * needed. */
PRNN_FN float prnn_accurate_exp(float x)
{
    const float t = x * PRNN_F32(0x3fb8aa3bu); /* log2(e) */
    const float lost = PRNN_FMA32(x, PRNN_F32(0x3fb8aa3bu), -t);
    const float rest = PRNN_FMA32(x, PRNN_F32(0x32a57060u), lost);      /* log2(e), next 24 bits */
    const float factor = PRNN_FMA32(rest, PRNN_F32(0x3f317218u), 1.0f); /* ln(2) */
    return PRNN_EX2_APPROX(t) * (prnn_strict_abs(x) < 256.0f ? factor : 1.0f);
}

/* 2^-23 in absolute terms; in relative ones what x log2(e) loses grows with -x. */
PRNN_FN float prnn_accurate_sigmoid(float x)
{
    return PRNN_RCP_APPROX(1.0f + PRNN_EX2_APPROX(x * PRNN_F32(0xbfb8aa3bu))); /* -log2(e) */
}

/* |x| < 0.6: x + x^3 P(x^2), relative 2^-23.5 (P is -1/3 at 0). Else 1 - 2 / (1 + e^(2 |x|)),
 * which needs no clamp. */
PRNN_FN float prnn_accurate_tanh(float x)
{
    const float e = PRNN_EX2_APPROX(prnn_strict_abs(x) * PRNN_F32(0x4038aa3bu)); /* 2 log2(e) */
    const float y = PRNN_FMA32(-2.0f, PRNN_RCP_APPROX(1.0f + e), 1.0f);
    const float large = PRNN_F32(PRNN_BITS32(y) | (PRNN_BITS32(x) & 0x80000000u));
    const float z = x * x;
    const float p3 = PRNN_F32(0x3c7fcc2bu);                    /* 0.0156126423 */
    const float p2 = PRNN_FMA32(p3, z, PRNN_F32(0xbd55dc0eu)); /* -0.0522118136 */
    const float p1 = PRNN_FMA32(p2, z, PRNN_F32(0x3e085389u)); /* 0.133131161 */
    const float p = PRNN_FMA32(p1, z, PRNN_F32(0xbeaaa9b4u));  /* -0.333325982 */
    /* Of -0 the sign is kept by the 2^-100: without it -0 * P * x is +0. */
    const float small = PRNN_FMA32(PRNN_FMA32(z, p, PRNN_F32(0x0d800000u)), x, x);
    return prnn_strict_abs(x) < 0.6f ? small : large;
}

/* One correction of a * (1 / b) by its remainder. Where the quotient is 0 (its sign would be lost)
 * or not finite the remainder has no meaning. A subnormal b counts as 0, and the quotient by |b| >
 * 2^126 is 0. */
PRNN_FN float prnn_accurate_div(float a, float b)
{
    const float inverse = PRNN_RCP_APPROX(b);
    const float q = a * inverse;
    const float corrected = PRNN_FMA32(PRNN_FMA32(-q, b, a), inverse, q);
    const int usual = (q != 0.0f) & (prnn_strict_abs(q) < PRNN_F32(0x7f800000u));
    return usual ? corrected : q;
}

PRNN_FN float prnn_accurate_rsqrt(float x)
{
    return PRNN_RSQRT_APPROX(x);
}

/* x / sqrt(x), corrected once by half of its remainder: rounded correctly but where the exact root is within some 2^-20
 * ulp of the middle of two floats. No slow path as in the rounded root of the hardware, whose branch keeps steps from
 * overlapping. Small x are scaled, for the approximation counts subnormals as 0 and their remainder would be one. */
PRNN_FN float prnn_accurate_sqrt(float x)
{
    const int is_small = x < PRNN_F32(0x0d800000u);           /* 2^-100 */
    const float a = is_small ? x * PRNN_F32(0x57800000u) : x; /* 2^48 */
    const float inverse = PRNN_RSQRT_APPROX(a);
    const float root = a * inverse;
    const float corrected = PRNN_FMA32(PRNN_FMA32(-root, root, a), 0.5f * inverse, root);
    const float y = is_small ? corrected * PRNN_F32(0x33800000u) : corrected; /* 2^-24 */
    return ((x == 0.0f) | (x == PRNN_F32(0x7f800000u))) ? x : y;
}

PRNN_FN float prnn_accurate_softplus(float x)
{
    const float positive = x > 0.0f ? x : 0.0f;
    return positive + prnn_strict_log1p(prnn_accurate_exp(-prnn_strict_abs(x)));
}

#else

#define prnn_accurate_exp prnn_strict_exp
#define prnn_accurate_sigmoid prnn_strict_sigmoid
#define prnn_accurate_tanh prnn_strict_tanh
#define prnn_accurate_softplus prnn_strict_softplus
#define prnn_accurate_rsqrt prnn_strict_rsqrt
#define prnn_accurate_div prnn_strict_div
#define prnn_accurate_sqrt prnn_strict_sqrt

#endif

/* Nothing the hardware has is as accurate. */
#define prnn_accurate_log prnn_strict_log
#define prnn_accurate_log1p prnn_strict_log1p
#define prnn_accurate_expm1 prnn_strict_expm1
#define prnn_accurate_sin prnn_strict_sin
#define prnn_accurate_cos prnn_strict_cos
#define prnn_accurate_erf prnn_strict_erf
#define prnn_accurate_abs prnn_strict_abs
#define prnn_accurate_sign prnn_strict_sign
#define prnn_accurate_min prnn_strict_min
#define prnn_accurate_max prnn_strict_max
#define prnn_accurate_pow prnn_strict_pow
