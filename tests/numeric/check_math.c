/* The elementary functions of kernel text: errors against wider arithmetic, special values, and the
 * same bits however they are compiled. */
#include "math_text.h"
#include "math_ulp.h"

#include <check.h>
#include <quadmath.h>
#include <stdio.h>
#include <stdlib.h>

/* Check writes to a pipe at every assertion: loops over many values ask first and abort. */
enum { BLOCK = 4096 };

/* Of the results of the strict functions over the sample below. */
#define STRICT_HASH 0xdfcb8607d4ec4e45u

/* No less than the relative error of tanh in mode accurate on a GPU, with any reciprocal. */
static const double TANH_RELATIVE = 4.06 * 0x1p-24;

typedef __float128 quad;

static float f32_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static double f64_of(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint32_t bits_of_f32(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return isnan(f) ? 0x7fc00000u : bits;
}

static uint64_t bits_of_f64(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return isnan(d) ? 0x7ff8000000000000u : bits;
}

/* xorshift64 (G. Marsaglia, 2003). */
static uint64_t draw_bits(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The limits are those of docs/math.md; primes, so that all low bits occur. */
struct case32 {
    const char *name;
    enum math_unary op;
    double (*reference)(double x);
    double range, limit;
    uint32_t stride;
};

static const struct case32 strict_cases[] = {
    {"exp", MATH_exp, exp, INFINITY, 1.5, 257},
    {"tanh", MATH_tanh, tanh, INFINITY, 2, 257},
    {"sigmoid", MATH_sigmoid, math_sigmoid, INFINITY, 2, 257},
    {"log", MATH_log, log, INFINITY, 1.5, 257},
    {"expm1", MATH_expm1, expm1, INFINITY, 2, 257},
    {"log1p", MATH_log1p, log1p, INFINITY, 2, 257},
    {"softplus", MATH_softplus, math_softplus, INFINITY, 2, 257},
    {"erf", MATH_erf, erf, INFINITY, 2, 257},
    {"sin", MATH_sin, sin, 1e5, 2, 257},
    {"cos", MATH_cos, cos, 1e5, 2, 257},
    {"sqrt", MATH_sqrt, sqrt, INFINITY, 0.5000001, 257},
    {"rsqrt", MATH_rsqrt, math_rsqrt, INFINITY, 1.5, 257},
};

static void check_case32(const struct math_table32 *table, const struct case32 *row)
{
    static float x[BLOCK], y[BLOCK];
    double worst = 0;
    float at = 0;
    for (uint64_t bits = 0; bits < 0x100000000u;) {
        int n = 0;
        for (; n < BLOCK && bits < 0x100000000u; bits += row->stride) {
            x[n] = f32_of((uint32_t)bits);
            n += !(fabs((double)x[n]) > row->range);
        }
        table->unary[row->op](x, y, n);
        for (int i = 0; i < n; i++) {
            const double error = math_ulp32(y[i], row->reference((double)x[i]));
            if (!(error <= worst)) {
                worst = error;
                at = x[i];
            }
        }
    }
    ck_assert_msg(worst <= row->limit, "%s: %g ulp at %a, limit %g", row->name, worst, (double)at,
                  row->limit);
}

START_TEST(float_error_stays_below_its_limit)
{
    check_case32(&math_tuned32, &strict_cases[_i]);
}
END_TEST

static double ulp64(double y, quad reference)
{
    if (isnanq(reference) || isnan(y))
        return isnanq(reference) && isnan(y) ? 0 : INFINITY;
    if (isinfq(reference) || reference == 0)
        return (quad)y == reference && !signbit(y) == !signbitq(reference) ? 0 : INFINITY;
    int e;
    frexpq(reference, &e);
    e = e - 53 < -1074 ? -1074 : e > 1024 ? 971 : e - 53;
    const quad top = ldexpq(1, 1024);
    const quad near = isinf(y) ? copysignq(top, y) : (quad)y;
    const quad far = fabsq(reference) > top ? copysignq(top, reference) : reference;
    return (double)(fabsq(near - far) / ldexpq(1, e));
}

static quad sigmoid_quad(quad x)
{
    const quad e = expq(-fabsq(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

static quad softplus_quad(quad x)
{
    return (x > 0 ? x : 0) + log1pq(expq(-fabsq(x)));
}

static quad rsqrt_quad(quad x)
{
    return 1 / sqrtq(x);
}

static const struct case64 {
    const char *name;
    enum math_unary op;
    quad (*reference)(quad x);
    double low, high, limit;
} cases64[] = {
    {"exp", MATH_exp, expq, -750, 712, 1.5},
    {"expm1", MATH_expm1, expm1q, -60, 712, 2},
    {"sigmoid", MATH_sigmoid, sigmoid_quad, -750, 50, 2},
    {"tanh", MATH_tanh, tanhq, -25, 25, 2},
    {"log", MATH_log, logq, 0, 1e300, 1.5},
    {"log1p", MATH_log1p, log1pq, -1, 1e300, 2},
    {"softplus", MATH_softplus, softplus_quad, -750, 1e3, 2},
    {"erf", MATH_erf, erfq, -7, 7, 2},
    {"sin", MATH_sin, sinq, -1e5, 1e5, 2},
    {"cos", MATH_cos, cosq, -1e5, 1e5, 2},
    {"sqrt", MATH_sqrt, sqrtq, 0, 1e300, 0.5000001},
    {"rsqrt", MATH_rsqrt, rsqrt_quad, 0, 1e300, 1.5},
};

/* A third over all exponents, a third even over the range, a third near 1. */
static double draw64(uint64_t *state, double low, double high, int which)
{
    double x;
    do {
        const uint64_t bits = draw_bits(state);
        if (which == 0)
            x = f64_of(bits);
        else if (which == 1)
            x = low + (high - low) * ((double)(bits >> 11) * 0x1p-53);
        else
            x = (bits & 1 ? -1 : 1) *
                ldexp(1 + (double)(bits >> 12) * 0x1p-52, (int)(bits >> 1 & 15) - 10);
    } while (!(x >= low && x <= high));
    return x;
}

START_TEST(double_error_stays_below_its_limit)
{
    static double x[BLOCK], y[BLOCK];
    const struct case64 *row = &cases64[_i];
    uint64_t state = 88172645463325252u;
    for (int block = 0; block < 12; block++) {
        for (int i = 0; i < BLOCK; i++)
            x[i] = draw64(&state, row->low, row->high, i % 3);
        math_tuned64.unary[row->op](x, y, BLOCK);
        for (int i = 0; i < BLOCK; i++) {
            const double error = ulp64(y[i], row->reference((quad)x[i]));
            if (!(error <= row->limit))
                ck_abort_msg("%s: %g ulp at %a, limit %g", row->name, error, x[i], row->limit);
        }
    }
}
END_TEST

START_TEST(power_error_stays_below_its_limit)
{
    static float a32[BLOCK], b32[BLOCK], y32[BLOCK];
    static double a64[BLOCK], b64[BLOCK], y64[BLOCK];
    uint64_t state = 88172645463325252u;
    for (int block = 0; block < 12; block++) {
        for (int i = 0; i < BLOCK; i++) {
            const double fraction = (double)(draw_bits(&state) >> 11) * 0x1p-52 - 1;
            a32[i] = f32_of((uint32_t)draw_bits(&state));
            a64[i] = f64_of(draw_bits(&state));
            if (i & 1) {
                a32[i] = fabsf(a32[i]);
                a64[i] = i & 2 ? fabs(a64[i]) : 1 + fraction / 2;
                b32[i] = (float)(fraction * 150 / fabs(log2((double)a32[i])));
                b64[i] = fraction * 1080 / fabs(log2(a64[i]));
            } else {
                b32[i] = (float)(int)(fraction * 40);
                b64[i] = (int)(fraction * 40);
            }
        }
        math_tuned32.binary[MATH_pow](a32, b32, y32, BLOCK);
        math_tuned64.binary[MATH_pow](a64, b64, y64, BLOCK);
        for (int i = 0; i < BLOCK; i++) {
            const double error32 = math_ulp32(y32[i], pow((double)a32[i], (double)b32[i]));
            if (!(error32 <= 1))
                ck_abort_msg("%g ulp for pow(%a, %a)", error32, (double)a32[i], (double)b32[i]);
            const double error64 = ulp64(y64[i], powq((quad)a64[i], (quad)b64[i]));
            if (!(error64 <= 2))
                ck_abort_msg("%g ulp for pow(%a, %a)", error64, a64[i], b64[i]);
        }
    }
}
END_TEST

static const double specials[] = {
    0,         -0.0, 1,     -1,  INFINITY,      -INFINITY,      NAN,
    2,         -2,   3,     -3,  0.5,           -0.5,           0x1p-140,
    -0x1p-140, 1e30, -1e30, 1.5, 0x1.000002p23, -0x1.000002p23, 0x1p24};
enum { SPECIAL_COUNT = sizeof specials / sizeof *specials };

START_TEST(special_values_are_those_of_libm)
{
    const struct case64 *row = &cases64[_i];
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        const double x = specials[i];
        const float x32 = (float)x;
        double y;
        float y32;
        if ((row->op == MATH_sin || row->op == MATH_cos) && fabs(x) > 1e5 && !isinf(x))
            continue;
        math_plain64.unary[row->op](&x, &y, 1);
        const double error = ulp64(y, row->reference((quad)x));
        ck_assert_msg(error <= row->limit, "%s(%a) = %a in double", row->name, x, y);
        math_plain32.unary[row->op](&x32, &y32, 1);
        const double error32 = math_ulp32(y32, (double)row->reference((quad)x32));
        ck_assert_msg(error32 <= row->limit, "%s(%a) = %a in float", row->name, x, (double)y32);
    }
}
END_TEST

static double min_reference(double a, double b)
{
    return a <= b || isnan(a) ? a : b;
}

static double max_reference(double a, double b)
{
    return a >= b || isnan(a) ? a : b;
}

static double div_reference(double a, double b)
{
    return a / b;
}

START_TEST(special_pairs_are_those_of_libm)
{
    static double (*const references[])(double, double) = {[MATH_pow] = pow,
                                                           [MATH_div] = div_reference,
                                                           [MATH_min] = min_reference,
                                                           [MATH_max] = max_reference};
    for (int i = 0; i < SPECIAL_COUNT * SPECIAL_COUNT; i++) {
        const double a = specials[i / SPECIAL_COUNT], b = specials[i % SPECIAL_COUNT];
        const float a32 = (float)a, b32 = (float)b;
        double y;
        float y32;
        math_plain64.binary[_i](&a, &b, &y, 1);
        ck_assert_msg(ulp64(y, (quad)references[_i](a, b)) <= 2, "(%a, %a) gives %a", a, b, y);
        math_plain32.binary[_i](&a32, &b32, &y32, 1);
        ck_assert_msg(math_ulp32(y32, references[_i](a, b)) <= 2, "(%a, %a) gives %a in float", a,
                      b, (double)y32);
    }
}
END_TEST

START_TEST(abs_and_sign_keep_nan_and_zero)
{
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        const double x = specials[i];
        double magnitude, sign;
        math_plain64.unary[MATH_abs](&x, &magnitude, 1);
        math_plain64.unary[MATH_sign](&x, &sign, 1);
        ck_assert_msg(bits_of_f64(magnitude) == bits_of_f64(fabs(x)), "abs(%a)", x);
        const double wanted = x > 0 ? 1 : x < 0 ? -1 : x;
        ck_assert_msg(bits_of_f64(sign) == bits_of_f64(wanted), "sign(%a)", x);
    }
}
END_TEST

static uint64_t hash_add(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x100000001b3u; /* FNV-1a by words */
}

START_TEST(strict_bits_do_not_depend_on_the_compiler)
{
    static float x32[BLOCK], y32[2][BLOCK];
    static double x64[BLOCK], y64[2][BLOCK];
    uint64_t state = 88172645463325252u, hash = 0xcbf29ce484222325u;
    for (int block = 0; block < 64; block++) {
        for (int i = 0; i < BLOCK; i++) {
            const uint64_t bits = draw_bits(&state);
            /* Half over all numbers, half over the magnitudes of cells. */
            x32[i] = i & 1 ? f32_of((uint32_t)bits) : (float)((int32_t)bits) * 0x1p-28f;
            x64[i] = i & 1 ? f64_of(bits) : (double)(int64_t)bits * 0x1p-60;
        }
        for (int op = 0; op < MATH_UNARY_COUNT; op++) {
            math_plain32.unary[op](x32, y32[0], BLOCK);
            math_tuned32.unary[op](x32, y32[1], BLOCK);
            math_plain64.unary[op](x64, y64[0], BLOCK);
            math_tuned64.unary[op](x64, y64[1], BLOCK);
            for (int i = 0; i < BLOCK; i++) {
                if (!(bits_of_f32(y32[0][i]) == bits_of_f32(y32[1][i])))
                    ck_abort_msg("function %d of %a: %a and %a", op, (double)x32[i],
                                 (double)y32[0][i], (double)y32[1][i]);
                if (!(bits_of_f64(y64[0][i]) == bits_of_f64(y64[1][i])))
                    ck_abort_msg("function %d of %a: %a and %a", op, x64[i], y64[0][i], y64[1][i]);
                hash = hash_add(hash_add(hash, bits_of_f32(y32[0][i])), bits_of_f64(y64[0][i]));
            }
        }
        for (int op = 0; op < MATH_BINARY_COUNT; op++) {
            math_plain32.binary[op](x32, x32 + 1, y32[0], BLOCK - 1);
            math_tuned32.binary[op](x32, x32 + 1, y32[1], BLOCK - 1);
            math_plain64.binary[op](x64, x64 + 1, y64[0], BLOCK - 1);
            math_tuned64.binary[op](x64, x64 + 1, y64[1], BLOCK - 1);
            for (int i = 0; i < BLOCK - 1; i++) {
                if (!(bits_of_f32(y32[0][i]) == bits_of_f32(y32[1][i])))
                    ck_abort_msg("function %d of (%a, %a)", op, (double)x32[i], (double)x32[i + 1]);
                if (!(bits_of_f64(y64[0][i]) == bits_of_f64(y64[1][i])))
                    ck_abort_msg("function %d of (%a, %a)", op, x64[i], x64[i + 1]);
                hash = hash_add(hash_add(hash, bits_of_f32(y32[0][i])), bits_of_f64(y64[0][i]));
            }
        }
    }
    /* The value of record: gcc and clang, x86-64. Another one means other strict bits. */
    ck_assert_msg(hash == STRICT_HASH, "hash %016llx", (unsigned long long)hash);
}
END_TEST

/* With exact functions for the approximations: the forms themselves, not the hardware. */
static const struct case32 hardware_cases[] = {
    {"exp", MATH_exp, exp, 87, 3, 4099},
    {"tanh", MATH_tanh, tanh, INFINITY, 3, 4099},
    {"sigmoid", MATH_sigmoid, math_sigmoid, 8, 10, 4099},
    {"softplus", MATH_softplus, math_softplus, 87, 4, 4099},
    {"sqrt", MATH_sqrt, sqrt, INFINITY, 0.50001, 257},
};

START_TEST(hardware_forms_stay_below_their_limits)
{
    check_case32(&math_hardware32, &hardware_cases[_i]);
}
END_TEST

/* Every float of a stride from bits 'from' on, below 'to'; both signs. */
static void check_tanh(const struct math_table32 *table, uint32_t from, uint32_t to,
                       uint32_t stride)
{
    static float x[BLOCK], y[BLOCK], negative[BLOCK], opposite[BLOCK];
    float before = 0;
    for (uint64_t bits = from; bits < to;) {
        int n = 0;
        for (; n < BLOCK && bits < to; bits += stride, n++) {
            x[n] = f32_of((uint32_t)bits);
            negative[n] = -x[n];
        }
        table->unary[MATH_tanh](x, y, n);
        table->unary[MATH_tanh](negative, opposite, n);
        for (int i = 0; i < n; i++) {
            const double wanted = tanh((double)x[i]);
            if (!(bits_of_f32(opposite[i]) == (bits_of_f32(y[i]) ^ 0x80000000u)))
                ck_abort_msg("tanh(-%a) = %a, of the positive %a", (double)x[i],
                             (double)opposite[i], (double)y[i]);
            if (!(y[i] >= 0 && y[i] <= 1))
                ck_abort_msg("tanh(%a) = %a is outside [0, 1]", (double)x[i], (double)y[i]);
            if (x[i] < 0x1p-13f ? !(y[i] == x[i])
                                : !(fabs((double)y[i] - wanted) <= TANH_RELATIVE * wanted))
                ck_abort_msg("tanh(%a) = %a, wanted %a", (double)x[i], (double)y[i], wanted);
            if (x[i] >= 9.1f && !(y[i] >= 1 - 0x1p-24f && y[i] >= before))
                ck_abort_msg("tanh(%a) = %a", (double)x[i], (double)y[i]);
            before = y[i];
        }
    }
}

/* Strides are primes, so that all low bits occur. */
START_TEST(hardware_tanh_keeps_its_promises_with_any_reciprocal)
{
    static const struct math_table32 *const tables[] = {&math_rcp_below32, &math_hardware32,
                                                        &math_rcp_above32};
    static const float edges[] = {INFINITY, 0x1.fffffep127f, 20, 9.1f, 0x1p-126f, 0x1p-149f, 0};
    const struct math_table32 *table = tables[_i];
    check_tanh(table, 0, 0x3c800000u, 4099);          /* below 2^-6 */
    check_tanh(table, 0x3c800000u, 0x41800000u, 17);  /* below 16 */
    check_tanh(table, 0x41800000u, 0x7f800000u, 997); /* and all others */
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        const uint32_t bits = bits_of_f32(edges[i]);
        check_tanh(table, bits, bits + 1, 1);
    }
    for (uint32_t bits = 0x7f800001u; bits < 0x80000000u; bits += 65521) {
        const float x[2] = {f32_of(bits), f32_of(bits | 0x80000000u)};
        float y[2];
        table->unary[MATH_tanh](x, y, 2);
        if (!(isnan(y[0]) && isnan(y[1])))
            ck_abort_msg("tanh(NaN %x) = %a, %a", bits, (double)y[0], (double)y[1]);
    }
}
END_TEST

/* Limits in ulp of float: 2^-12 relative is 2^12 ulp at most. */
static const struct case32 fast_cases[] = {
    {"exp", MATH_exp, exp, 80, 4096, 4099},
    {"expm1", MATH_expm1, expm1, 80, 4096, 4099},
    {"log", MATH_log, log, INFINITY, 4096, 4099},
    {"log1p", MATH_log1p, log1p, 1e30, 4096, 4099},
    {"softplus", MATH_softplus, math_softplus, 80, 4096, 4099},
    {"tanh", MATH_tanh, tanh, INFINITY, 4096, 4099},
};

START_TEST(fast_forms_round_less_than_16_bits)
{
    check_case32(&math_fast32, &fast_cases[_i]);
}
END_TEST

START_TEST(hardware_forms_keep_special_values)
{
    for (int i = 0; i < SPECIAL_COUNT * SPECIAL_COUNT; i++) {
        const float a = (float)specials[i / SPECIAL_COUNT], b = (float)specials[i % SPECIAL_COUNT];
        float y;
        if (fabsf(b) < 0x1p-126f && b != 0)
            continue; /* counts as 0 on hardware */
        math_hardware32.binary[MATH_div](&a, &b, &y, 1);
        ck_assert_msg(math_ulp32(y, (double)a / (double)b) <= 1, "%a / %a = %a", (double)a,
                      (double)b, (double)y);
    }
    static const float edges[] = {0, -0.0f, INFINITY, -INFINITY, NAN, 200, -200};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        const struct math_table32 *const tables[] = {&math_hardware32, &math_fast32};
        for (int k = 0; k < 2; k++) {
            float y;
            tables[k]->unary[MATH_exp](&edges[i], &y, 1);
            ck_assert_msg(bits_of_f32(y) == bits_of_f32((float)exp((double)edges[i])), "exp(%g)",
                          (double)edges[i]);
            tables[k]->unary[MATH_tanh](&edges[i], &y, 1);
            ck_assert_msg(bits_of_f32(y) == bits_of_f32((float)tanh((double)edges[i])), "tanh(%g)",
                          (double)edges[i]);
            tables[k]->unary[MATH_sqrt](&edges[i], &y, 1);
            ck_assert_msg(math_ulp32(y, sqrt((double)edges[i])) <= 2, "sqrt(%g)", (double)edges[i]);
        }
    }
}
END_TEST

/* By the definition of the format: 1 sign bit, 5 of exponent, 10 of fraction. */
static double f16_value(uint32_t h)
{
    const int e = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
    const double magnitude = e == 31  ? (fraction ? NAN : INFINITY)
                             : e == 0 ? ldexp(fraction, -24)
                                      : ldexp(1024 + fraction, e - 25);
    return h & 0x8000 ? -magnitude : magnitude;
}

START_TEST(every_16_bit_value_survives_the_way_to_float_and_back)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        const float b = math_plain32.from_bf16((unsigned short)h);
        const float f = math_plain32.from_f16((unsigned short)h);
        if (!(isnan(b) ? (h & 0x7fff) > 0x7f80 : bits_of_f32(b) == h << 16))
            ck_abort_msg("bf16 %x", h);
        const double wanted = f16_value(h);
        if (!(isnan(wanted) ? isnan(f) : bits_of_f32(f) == bits_of_f32((float)wanted)))
            ck_abort_msg("f16 %x: %a", h, (double)f);
        if (!(math_plain32.to_bf16(b) == (isnan(b) ? (h | 0x40) : h)))
            ck_abort_msg("bf16 %x back", h);
        if (!(math_plain32.to_f16(f) == (isnan(f) ? (h | 0x200) : h)))
            ck_abort_msg("f16 %x back", h);
    }
}
END_TEST

/* Between neighbours: below the middle down, above it up, in the middle to the even one. */
static void check_rounding(uint32_t h, uint32_t inf, float below, float above, double top,
                           unsigned short (*convert)(float), const char *format)
{
    const double next = h + 1 == inf ? top : (double)above;
    const double middle = ((double)below + next) / 2;
    if (!((double)(float)middle == middle))
        return; /* no float is the middle: subnormals of bf16 */
    const float m = (float)middle;
    const uint32_t even = h & 1 ? h + 1 : h;
    if (!(convert(m) == even))
        ck_abort_msg("%s: middle above %x", format, h);
    if (!(convert(nextafterf(m, 0)) == h))
        ck_abort_msg("%s: below the middle above %x", format, h);
    if (!(convert(nextafterf(m, INFINITY)) == h + 1))
        ck_abort_msg("%s: above the middle above %x", format, h);
    if (!(convert(-m) == (even | 0x8000)))
        ck_abort_msg("%s: negative middle above %x", format, h);
}

START_TEST(rounding_to_16_bits_is_to_nearest_even)
{
    for (uint32_t h = 0; h < 0x7f80; h++)
        check_rounding(h, 0x7f80, f32_of(h << 16), f32_of((h + 1) << 16), 0x1p128,
                       math_plain32.to_bf16, "bf16");
    for (uint32_t h = 0; h < 0x7c00; h++)
        check_rounding(h, 0x7c00, (float)f16_value(h), (float)f16_value(h + 1), 65536,
                       math_plain32.to_f16, "f16");
    ck_assert_uint_eq(math_plain32.to_f16(1e30f), 0x7c00);
    ck_assert_uint_eq(math_plain32.to_f16(-1e30f), 0xfc00);
    ck_assert_uint_eq(math_plain32.to_bf16(f32_of(0x7f800001u)), 0x7fc0);
    ck_assert_uint_eq(math_plain32.to_f16(f32_of(0x7f800001u)), 0x7e00);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("math");
    TCase *tests = tcase_create("math");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, float_error_stays_below_its_limit, 0,
                        sizeof strict_cases / sizeof *strict_cases);
    tcase_add_loop_test(tests, double_error_stays_below_its_limit, 0,
                        sizeof cases64 / sizeof *cases64);
    tcase_add_test(tests, power_error_stays_below_its_limit);
    tcase_add_loop_test(tests, special_values_are_those_of_libm, 0,
                        sizeof cases64 / sizeof *cases64);
    tcase_add_loop_test(tests, special_pairs_are_those_of_libm, 0, MATH_BINARY_COUNT);
    tcase_add_test(tests, abs_and_sign_keep_nan_and_zero);
    tcase_add_test(tests, strict_bits_do_not_depend_on_the_compiler);
    tcase_add_loop_test(tests, hardware_forms_stay_below_their_limits, 0,
                        sizeof hardware_cases / sizeof *hardware_cases);
    tcase_add_loop_test(tests, hardware_tanh_keeps_its_promises_with_any_reciprocal, 0, 3);
    tcase_add_loop_test(tests, fast_forms_round_less_than_16_bits, 0,
                        sizeof fast_cases / sizeof *fast_cases);
    tcase_add_test(tests, hardware_forms_keep_special_values);
    tcase_add_test(tests, every_16_bit_value_survives_the_way_to_float_and_back);
    tcase_add_test(tests, rounding_to_16_bits_is_to_nearest_even);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
