/* Elementary functions of early corrections and of mode fast; then the binding of the mode.
 *
 * Requires  a prelude, math_strict.h, math_accurate.h; on hardware PRNN_TANH_APPROX,
 * PRNN_EX2_APPROX, PRNN_RCP_APPROX, PRNN_LG2_APPROX, PRNN_RSQRT_APPROX Provides  prnn_<op>_fast()
 * in every text; prnn_<op>(): the fast one with PRNN_MATH_FAST, else the accurate one, which is the
 * strict one with PRNN_MATH_STRICT
 *
 * The error stays below 2^-11 of the result; of sigmoid, and of log near 1, only in absolute terms
 * (docs/math.md). Where PRNN_MATH_HARDWARE is not defined, fast is accurate. */
#ifdef PRNN_MATH_HARDWARE

PRNN_FN float prnn_tanh_fast(float x)
{
    return PRNN_TANH_APPROX(x);
}

/* One result of the special-function unit, not two. */
PRNN_FN float prnn_sigmoid_fast(float x)
{
    return PRNN_FMA32(0.5f, PRNN_TANH_APPROX(0.5f * x), 0.5f);
}

PRNN_FN float prnn_exp_fast(float x)
{
    return PRNN_EX2_APPROX(x * PRNN_F32(0x3fb8aa3bu)); /* log2(e) */
}

/* Near 0 two terms of the series. */
PRNN_FN float prnn_expm1_fast(float x)
{
    const float series = PRNN_FMA32(0.5f * x, x, x);
    return prnn_strict_abs(x) < 0.015625f ? series : prnn_exp_fast(x) - 1.0f;
}

PRNN_FN float prnn_log_fast(float x)
{
    return PRNN_LG2_APPROX(x) * PRNN_F32(0x3f317218u); /* ln(2) */
}

PRNN_FN float prnn_log1p_fast(float x)
{
    const float series = PRNN_FMA32(-0.5f * x, x, x);
    return prnn_strict_abs(x) < 0.0078125f ? series : prnn_log_fast(1.0f + x);
}

PRNN_FN float prnn_softplus_fast(float x)
{
    const float positive = x > 0.0f ? x : 0.0f;
    return positive + prnn_log1p_fast(prnn_exp_fast(-prnn_strict_abs(x)));
}

PRNN_FN float prnn_div_fast(float a, float b)
{
    return a * PRNN_RCP_APPROX(b);
}

/* x times 1 / sqrt(x), where that is not 0 times inf. A subnormal is as good as its root. */
PRNN_FN float prnn_sqrt_fast(float x)
{
    const float y = x * PRNN_RSQRT_APPROX(x);
    const float small = prnn_strict_abs(x) < 1.17549435e-38f ? x : y;
    return x > 3.40282347e+38f ? x : small;
}

#else

#define prnn_exp_fast prnn_accurate_exp
#define prnn_log_fast prnn_accurate_log
#define prnn_log1p_fast prnn_accurate_log1p
#define prnn_expm1_fast prnn_accurate_expm1
#define prnn_sigmoid_fast prnn_accurate_sigmoid
#define prnn_tanh_fast prnn_accurate_tanh
#define prnn_softplus_fast prnn_accurate_softplus
#define prnn_sqrt_fast prnn_accurate_sqrt
#define prnn_div_fast prnn_accurate_div

#endif

#define prnn_rsqrt_fast prnn_accurate_rsqrt
#define prnn_sin_fast prnn_accurate_sin
#define prnn_cos_fast prnn_accurate_cos
#define prnn_erf_fast prnn_accurate_erf
#define prnn_abs_fast prnn_accurate_abs
#define prnn_sign_fast prnn_accurate_sign
#define prnn_min_fast prnn_accurate_min
#define prnn_max_fast prnn_accurate_max
#define prnn_pow_fast prnn_accurate_pow

#ifdef PRNN_MATH_FAST
#define prnn_exp prnn_exp_fast
#define prnn_log prnn_log_fast
#define prnn_log1p prnn_log1p_fast
#define prnn_expm1 prnn_expm1_fast
#define prnn_sigmoid prnn_sigmoid_fast
#define prnn_tanh prnn_tanh_fast
#define prnn_softplus prnn_softplus_fast
#define prnn_sqrt prnn_sqrt_fast
#define prnn_rsqrt prnn_rsqrt_fast
#define prnn_sin prnn_sin_fast
#define prnn_cos prnn_cos_fast
#define prnn_erf prnn_erf_fast
#define prnn_abs prnn_abs_fast
#define prnn_sign prnn_sign_fast
#define prnn_min prnn_min_fast
#define prnn_max prnn_max_fast
#define prnn_pow prnn_pow_fast
#define prnn_div prnn_div_fast
#else
#define prnn_exp prnn_accurate_exp
#define prnn_log prnn_accurate_log
#define prnn_log1p prnn_accurate_log1p
#define prnn_expm1 prnn_accurate_expm1
#define prnn_sigmoid prnn_accurate_sigmoid
#define prnn_tanh prnn_accurate_tanh
#define prnn_softplus prnn_accurate_softplus
#define prnn_sqrt prnn_accurate_sqrt
#define prnn_rsqrt prnn_accurate_rsqrt
#define prnn_sin prnn_accurate_sin
#define prnn_cos prnn_accurate_cos
#define prnn_erf prnn_accurate_erf
#define prnn_abs prnn_accurate_abs
#define prnn_sign prnn_accurate_sign
#define prnn_min prnn_accurate_min
#define prnn_max prnn_accurate_max
#define prnn_pow prnn_accurate_pow
#define prnn_div prnn_accurate_div
#endif
