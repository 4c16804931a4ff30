/* Elementary functions from + - * / sqrt and explicit fma: the same bits on every target.
 *
 * Requires  a prelude (PRNN_FN, PRNN_FMA32/64, PRNN_F32/64, PRNN_BITS32/64, PRNN_SQRT32/64,
 *           PRNN_DIV32/64, prnn_real) and no compiler that fuses on its own
 * Provides  prnn_strict_<op>() of prnn_real for every elementary operation of ops.def
 *
 * Without branches, loops and tables: a select chooses between values that are both computed, so a
 * loop over channels vectorises. Errors and ranges: docs/math.md. The bits of a NaN are not
 * promised; that a result is NaN is.
 *
 * Polynomials: minimax by the exchange algorithm of Remez in 45 digits, low coefficients rounded
 * first and the others fitted again. Rounding to an integer: adding 1.5 * 2^(p-1) leaves it in the
 * low bits of the sum (a bias added beforehand becomes the exponent field after one shift).
 * Reductions: Cody and Waite with fma; the first step is exact. See J.-M. Muller, Elementary
 * Functions, 3rd ed., 2016, chapters 3 and 11. */
#define PRNN_COPY_SIGN32(magnitude, sign)                                                          \
    PRNN_F32((PRNN_BITS32(magnitude) & 0x7fffffffu) | (PRNN_BITS32(sign) & 0x80000000u))
#define PRNN_COPY_SIGN64(magnitude, sign)                                                          \
    PRNN_F64((PRNN_BITS64(magnitude) & 0x7fffffffffffffffull) |                                    \
             (PRNN_BITS64(sign) & 0x8000000000000000ull))

#ifndef PRNN_REAL_F64

#define PRNN_LOG2E PRNN_F32(0x3fb8aa3bu)       /* 1.44269502 */
#define PRNN_TWO_LOG2E PRNN_F32(0x4038aa3bu)   /* 2.88539004 */
#define PRNN_LN2 PRNN_F32(0x3f317218u)         /* 0.693147182 */
#define PRNN_LN2_LOW PRNN_F32(0xb102e308u)     /* -1.90465421e-09 */
#define PRNN_TWO_OVER_PI PRNN_F32(0x3f22f983u) /* 0.636619747 */
#define PRNN_PIO2 PRNN_F32(0x3fc90fdbu)        /* 1.57079637 */
#define PRNN_PIO2_MID PRNN_F32(0xb33bbd2eu)    /* -4.37113883e-08 */
#define PRNN_PIO2_LOW PRNN_F32(0xa6f72cedu)    /* -1.71512451e-15 */

/* expm1(r) for |r| <= ln(2)/2: r + r^2 * P(r), relative to expm1 2^-26. */
PRNN_FN float prnn_strict_expm1_reduced(float r)
{
    const float p4 = PRNN_F32(0x3ab558a5u);                    /* 0.00138356222 */
    const float p3 = PRNN_FMA32(p4, r, PRNN_F32(0x3c091644u)); /* 0.00836712494 */
    const float p2 = PRNN_FMA32(p3, r, PRNN_F32(0x3d2aabcfu)); /* 0.0416677557 */
    const float p1 = PRNN_FMA32(p2, r, PRNN_F32(0x3e2aaa55u)); /* 0.16666539 */
    const float p = PRNN_FMA32(p1, r, PRNN_F32(0x3effffffu));  /* 0.49999997 */
    return PRNN_FMA32(r * r, p, r);
}

/* e^x = 2^k * e^r. The power of two is applied in two halves, so that the last product rounds once
 * into the subnormals and overflows by itself. */
PRNN_FN float prnn_strict_exp(float x)
{
    const float above = x > 88.8f ? 88.8f : x;
    const float a = above < -104.0f ? -104.0f : above;
    const float z = PRNN_FMA32(a, PRNN_LOG2E, 12583166.0f); /* 1.5 * 2^23 + 2 * 127 */
    const float k = z - 12583166.0f;
    const float r1 = PRNN_FMA32(k, -PRNN_LN2, a);
    const float r = PRNN_FMA32(k, -PRNN_LN2_LOW, r1);
    const float p = 1.0f + prnn_strict_expm1_reduced(r);
    const prnn_u32 bits = PRNN_BITS32(z);
    const prnn_u32 half = bits >> 1;
    return p * PRNN_F32(half << 23) * PRNN_F32((bits - half) << 23);
}

/* 2 * (2^(k-1) * expm1(r) + (2^(k-1) - 1/2)): half of it never overflows early. */
PRNN_FN float prnn_strict_expm1(float x)
{
    const float above = x > 88.8f ? 88.8f : x;
    const float a = above < -20.0f ? -20.0f : above;
    const float z = PRNN_FMA32(a, PRNN_LOG2E, 12583038.0f); /* 1.5 * 2^23 + 126 */
    const float k = z - 12583038.0f;
    const float r1 = PRNN_FMA32(k, -PRNN_LN2, a);
    const float r = PRNN_FMA32(k, -PRNN_LN2_LOW, r1);
    const float q = prnn_strict_expm1_reduced(r);
    const float h = PRNN_F32(PRNN_BITS32(z) << 23);
    const float y = 2.0f * PRNN_FMA32(h, q, h - 0.5f);
    const float size = PRNN_F32(PRNN_BITS32(x) & 0x7fffffffu);
    return size < 2.9802322387695312e-8f /* 2^-25 */ ? x : y;
}

/* With -x = -k ln(2) + r: 1 / (1 + e^-x) = 2^k / (2^k + e^r), one division and no case. 2^k is
 * 2^(k+24) times 2^-24, which reaches the subnormals. Adding it to expm1(r) before the 1 costs a
 * rounding of a small number only. */
PRNN_FN float prnn_strict_sigmoid(float x)
{
    const float above = x > 20.0f ? 20.0f : x;
    const float a = above < -104.0f ? -104.0f : above;
    const float z = PRNN_FMA32(a, PRNN_LOG2E, 12583063.0f); /* 1.5 * 2^23 + 127 + 24 */
    const float k = z - 12583063.0f;
    const float r1 = PRNN_FMA32(k, PRNN_LN2, -a);
    const float r = PRNN_FMA32(k, PRNN_LN2_LOW, r1);
    const float q = prnn_strict_expm1_reduced(r);
    const float s = PRNN_F32(PRNN_BITS32(z) << 23) * 5.9604644775390625e-8f; /* 2^-24 */
    return PRNN_DIV32(s, (s + q) + 1.0f);
}

/* tanh of |x| <= 0.26: x + x^3 P(x^2), relative 2^-27.9. */
PRNN_FN float prnn_strict_tanh_small(float x)
{
    const float z = x * x;
    const float p2 = PRNN_F32(0xbd51d198u);                    /* -0.0512252748 */
    const float p1 = PRNN_FMA32(p2, z, PRNN_F32(0x3e086ca1u)); /* 0.133226886 */
    const float p = PRNN_FMA32(p1, z, PRNN_F32(0xbeaaaa83u));  /* -0.333332151 */
    return PRNN_FMA32(x * z, p, x);
}

/* Past the small ones m / (m + 2) with m = expm1(2 |x|) = 2^k * expm1(r) + (2^k - 1). Below a
 * quotient of 1/4 the roundings of the numerator, the 2 added to it and the division would come to
 * more than 2 ulp. The low part of ln(2) is not needed: k counts only where 1 - tanh is small. */
PRNN_FN float prnn_strict_tanh(float x)
{
    const float size = PRNN_F32(PRNN_BITS32(x) & 0x7fffffffu);
    const float a = size > 10.0f ? 10.0f : size;
    const float z = PRNN_FMA32(a, PRNN_TWO_LOG2E, 12583039.0f); /* 1.5 * 2^23 + 127 */
    const float k = z - 12583039.0f;
    const float r = PRNN_FMA32(k, -PRNN_LN2, a + a);
    const float q = prnn_strict_expm1_reduced(r);
    const float s = PRNN_F32(PRNN_BITS32(z) << 23);
    const float m = PRNN_FMA32(s, q, s - 1.0f);
    const float large = PRNN_DIV32(m, m + 2.0f);
    const float y = a < 0.26f ? prnn_strict_tanh_small(a) : large;
    return PRNN_COPY_SIGN32(y, x);
}

/* k ln(2) + log(1 + f), sqrt(1/2) <= 1 + f < sqrt(2): f - f^2/2 + f^3 P(f), relative 2^-27. */
PRNN_FN float prnn_strict_log_reduced(float f, float k)
{
    const float f2 = f * f;
    const float p7 = PRNN_F32(0xbd9c7d24u);                    /* -0.0764105618 */
    const float p6 = PRNN_FMA32(p7, f, PRNN_F32(0x3e02b877u)); /* 0.127656803 */
    const float p5 = PRNN_FMA32(p6, f, PRNN_F32(0xbe06c0fcu)); /* -0.131595552 */
    const float p4 = PRNN_FMA32(p5, f, PRNN_F32(0x3e116b43u)); /* 0.142010733 */
    const float p3 = PRNN_FMA32(p4, f, PRNN_F32(0xbe2a391au)); /* -0.16623345 */
    const float p2 = PRNN_FMA32(p3, f, PRNN_F32(0x3e4cd01au)); /* 0.200012594 */
    const float p1 = PRNN_FMA32(p2, f, PRNN_F32(0xbe800114u)); /* -0.250008225 */
    const float p = PRNN_FMA32(p1, f, PRNN_F32(0x3eaaaaaau));  /* 0.333333313 */
    const float half = PRNN_FMA32(p, f, -0.5f);
    const float low = PRNN_FMA32(f2, half, k * PRNN_LN2_LOW);
    return PRNN_FMA32(k, PRNN_LN2, f + low);
}

/* x = 2^k (1 + f): moving sqrt(1/2) to 1 makes the exponent field the wanted one. */
PRNN_FN float prnn_strict_log(float x)
{
    const int tiny = x < 1.17549435e-38f;
    const float up = tiny ? x * 16777216.0f : x;
    const prnn_u32 u = PRNN_BITS32(up) + (0x3f800000u - 0x3f3504f3u);
    const float m = PRNN_F32((u & 0x007fffffu) + 0x3f3504f3u);
    const float k0 = PRNN_F32((u >> 23) | 0x4b000000u) - 8388735.0f; /* 2^23 + 127 */
    const float k = tiny ? k0 - 24.0f : k0;
    const float y = prnn_strict_log_reduced(m - 1.0f, k);
    const float zero = x == 0.0f ? PRNN_F32(0xff800000u) : PRNN_F32(0x7fc00000u);
    const float finite = x > 0.0f ? y : zero;
    return x > 3.40282347e+38f ? x : finite;
}

/* log(u) + c, u = 1 + x rounded and c what the rounding lost, scaled with u. */
PRNN_FN float prnn_strict_log1p(float x)
{
    const float u = 1.0f + x;
    const float lost_small = x - (u - 1.0f);
    const float lost_large = 1.0f - (u - x);
    const float lost = x < 1.0f ? lost_small : lost_large;
    const prnn_u32 v = PRNN_BITS32(u) + (0x3f800000u - 0x3f3504f3u);
    const float m = PRNN_F32((v & 0x007fffffu) + 0x3f3504f3u);
    const float k = PRNN_F32((v >> 23) | 0x4b000000u) - 8388735.0f;
    const float c = lost * PRNN_F32((254u - (v >> 23)) << 23); /* lost / 2^k */
    const float f = (m - 1.0f) + (u < 1073741824.0f ? c : 0.0f);
    const float y = prnn_strict_log_reduced(f, k);
    const float minus_one = u == 0.0f ? PRNN_F32(0xff800000u) : PRNN_F32(0x7fc00000u);
    const float finite = u > 0.0f ? y : minus_one;
    const float result = x > 3.40282347e+38f ? x : finite;
    return x == 0.0f ? x : result;
}

/* sin and cos of |r| <= pi/4: r + r^3 P(r^2) and 1 - r^2/2 + r^4 Q(r^2). */
PRNN_FN float prnn_strict_sin_reduced(float r)
{
    const float z = r * r;
    const float p2 = PRNN_F32(0xb94ca97du);                    /* -0.000195180954 */
    const float p1 = PRNN_FMA32(p2, z, PRNN_F32(0x3c0883bbu)); /* 0.00833218824 */
    const float p = PRNN_FMA32(p1, z, PRNN_F32(0xbe2aaaa3u));  /* -0.166666552 */
    return PRNN_FMA32(r * z, p, r);
}

PRNN_FN float prnn_strict_cos_reduced(float r)
{
    const float z = r * r;
    const float p2 = PRNN_F32(0x37ccf406u);                    /* 2.44323273e-05 */
    const float p1 = PRNN_FMA32(p2, z, PRNN_F32(0xbab60614u)); /* -0.00138873095 */
    const float p = PRNN_FMA32(p1, z, PRNN_F32(0x3d2aaaa5u));  /* 0.0416666456 */
    return PRNN_FMA32(z * z, p, PRNN_FMA32(z, -0.5f, 1.0f));
}

/* x = k pi/2 + r and the quadrant k mod 4; r has no meaning past |k| = 2^22 and is held in
 * [-1.25, 1.25], where both polynomials stay in [-1, 1]. */
PRNN_FN float prnn_strict_quadrant(float x, prnn_u32 *quadrant)
{
    const float z = PRNN_FMA32(x, PRNN_TWO_OVER_PI, 12582912.0f);
    const float k = z - 12582912.0f;
    const float r1 = PRNN_FMA32(k, -PRNN_PIO2, x);
    const float r2 = PRNN_FMA32(k, -PRNN_PIO2_MID, r1);
    const float r3 = PRNN_FMA32(k, -PRNN_PIO2_LOW, r2);
    const float above = r3 > 1.25f ? 1.25f : r3;
    *quadrant = PRNN_BITS32(z) & 3u;
    return above < -1.25f ? -1.25f : above;
}

PRNN_FN float prnn_strict_sin(float x)
{
    prnn_u32 quadrant;
    const float r = prnn_strict_quadrant(x, &quadrant);
    const float s = prnn_strict_sin_reduced(r), c = prnn_strict_cos_reduced(r);
    const float y = (quadrant & 1u) != 0u ? c : s;
    const float turned = PRNN_F32(PRNN_BITS32(y) ^ ((quadrant & 2u) << 30));
    return x == 0.0f ? x : turned;
}

PRNN_FN float prnn_strict_cos(float x)
{
    prnn_u32 quadrant;
    const float r = prnn_strict_quadrant(x, &quadrant);
    const float s = prnn_strict_sin_reduced(r), c = prnn_strict_cos_reduced(r);
    const float y = (quadrant & 1u) != 0u ? s : c;
    return PRNN_F32(PRNN_BITS32(y) ^ (((quadrant + 1u) & 2u) << 30));
}

/* |x| < 1: x + x P(x^2). Else 1 - e^P(|x|), P fitted to log(erfc) where erfc still counts. */
PRNN_FN float prnn_strict_erf(float x)
{
    const float a = PRNN_F32(PRNN_BITS32(x) & 0x7fffffffu);
    const float b = a > 4.0f ? 4.0f : a;
    const float z = b * b;
    const float small6 = PRNN_F32(0x38a3b9d4u);                        /* 7.80705886e-05 */
    const float small5 = PRNN_FMA32(small6, z, PRNN_F32(0xba51a8e9u)); /* -0.000799788686 */
    const float small4 = PRNN_FMA32(small5, z, PRNN_F32(0x3ba9f917u)); /* 0.00518716453 */
    const float small3 = PRNN_FMA32(small4, z, PRNN_F32(0xbcdbfb8du)); /* -0.0268533472 */
    const float small2 = PRNN_FMA32(small3, z, PRNN_F32(0x3de71673u)); /* 0.112835787 */
    const float small1 = PRNN_FMA32(small2, z, PRNN_F32(0xbec0939fu)); /* -0.37612626 */
    const float small = PRNN_FMA32(small1, z, PRNN_F32(0x3e0375d4u));  /* 0.128379166 */
    const float below = PRNN_FMA32(b, small, b);
    const float large6 = PRNN_F32(0x39438fb1u);                        /* 0.000186501784 */
    const float large5 = PRNN_FMA32(large6, b, PRNN_F32(0xbb414273u)); /* -0.00294890697 */
    const float large4 = PRNN_FMA32(large5, b, PRNN_F32(0x3cb2f09cu)); /* 0.0218432471 */
    const float large3 = PRNN_FMA32(large4, b, PRNN_F32(0xbdd32f85u)); /* -0.10311798 */
    const float large2 = PRNN_FMA32(large3, b, PRNN_F32(0xbf235c95u)); /* -0.63813144 */
    const float large1 = PRNN_FMA32(large2, b, PRNN_F32(0xbf9044bbu)); /* -1.12709749 */
    const float large = PRNN_FMA32(large1, b, PRNN_F32(0xb9b1f0bdu));  /* -0.000339394348 */
    const float y = b < 1.0f ? below : 1.0f - prnn_strict_exp(large);
    return PRNN_COPY_SIGN32(y, x);
}

/* 2^(y log2 |x|) in double, which is wide enough for one rounding at the end; then the cases of C11
 * F.10.4.4. */
PRNN_FN float prnn_strict_pow(float x, float y)
{
    const float size = PRNN_F32(PRNN_BITS32(x) & 0x7fffffffu);
    const float size_y = PRNN_F32(PRNN_BITS32(y) & 0x7fffffffu);
    const float inf = PRNN_F32(0x7f800000u);
    const prnn_u64 u = PRNN_BITS64((double)size) + (0x3ff0000000000000ull - 0x3fe6a09e667f3bcdull);
    const double m = PRNN_F64((u & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull);
    const double e = PRNN_F64((u >> 52) | 0x4330000000000000ull) - 4503599627371519.0;
    const double s = PRNN_DIV64(m - 1.0, m + 1.0);
    const double z = s * s;
    const double log2m5 = PRNN_F64(0x3fd21b0ec735e5cfull); /* 0.28290147260812842 */
    const double log2m4 =
        PRNN_FMA64(log2m5, z, PRNN_F64(0x3fd4795560fc07efull)); /* 0.3199056098093242 */
    const double log2m3 =
        PRNN_FMA64(log2m4, z, PRNN_F64(0x3fda61a2ecabc89cull)); /* 0.41220925438313727 */
    const double log2m2 =
        PRNN_FMA64(log2m3, z, PRNN_F64(0x3fe2776c2933d582ull)); /* 0.57707794234617915 */
    const double log2m1 =
        PRNN_FMA64(log2m2, z, PRNN_F64(0x3feec709dc53c67full)); /* 0.96179669411340274 */
    const double log2m =
        PRNN_FMA64(log2m1, z, PRNN_F64(0x40071547652b8251ull)); /* 2.8853900817778499 */
    const double finite = PRNN_FMA64(s, log2m, e);
    const double large = size < inf ? finite : (double)size;
    const double t0 = (double)y * (size == 0.0f ? -(double)inf : large);
    const double t1 = t0 > 300.0 ? 300.0 : t0;
    const double t = t1 < -300.0 ? -300.0 : t1;
    const double zk = t + 6755399441056767.0; /* 1.5 * 2^52 + 1023 */
    const double r = t - (zk - 6755399441056767.0);
    const double p7 = PRNN_F64(0x3eee2d61ea7a68beull); /* 1.4389646209967871e-05 */
    const double p6 =
        PRNN_FMA64(p7, r, PRNN_F64(0x3f2446b98f568999ull)); /* 0.0001546956552092693 */
    const double p5 =
        PRNN_FMA64(p6, r, PRNN_F64(0x3f55da21a5644db8ull)); /* 0.0013337448668310058 */
    const double p4 =
        PRNN_FMA64(p5, r, PRNN_F64(0x3f83b29da74926bbull)); /* 0.0096180264164503673 */
    const double p3 = PRNN_FMA64(p4, r, PRNN_F64(0x3fac6b0734bb8005ull)); /* 0.055504059969962362 */
    const double p2 = PRNN_FMA64(p3, r, PRNN_F64(0x3fcebfbe0a67eb35ull)); /* 0.24022651203252968 */
    const double p1 = PRNN_FMA64(p2, r, PRNN_F64(0x3fe62e42ffc8fbd4ull)); /* 0.69314718206430337 */
    const double p = PRNN_FMA64(p1, r, PRNN_F64(0x3feffffffffab9a4ull));  /* 0.99999999996162048 */
    const float power = (float)(p * PRNN_F64(PRNN_BITS64(zk) << 52));
    const float shifted = size_y < 8388608.0f ? size_y + 8388608.0f : size_y;
    const int whole = (size_y >= 8388608.0f) | (shifted - 8388608.0f == size_y);
    const prnn_u32 odd = (whole & (size_y < 16777216.0f)) != 0 ? PRNN_BITS32(shifted) & 1u : 0u;
    const float turned = PRNN_F32(PRNN_BITS32(power) ^ ((odd << 31) & PRNN_BITS32(x)));
    const int undefined = (x < 0.0f) & (size < inf) & !whole;
    const float result = undefined ? PRNN_F32(0x7fc00000u) : turned;
    const int one = (x == 1.0f) | (y == 0.0f) | ((x == -1.0f) & (size_y == inf));
    return one ? 1.0f : result;
}

PRNN_FN float prnn_strict_div(float a, float b)
{
    return PRNN_DIV32(a, b);
}

PRNN_FN float prnn_strict_sqrt(float x)
{
    return PRNN_SQRT32(x);
}

PRNN_FN float prnn_strict_rsqrt(float x)
{
    return PRNN_DIV32(1.0f, PRNN_SQRT32(x));
}

PRNN_FN float prnn_strict_abs(float x)
{
    return PRNN_F32(PRNN_BITS32(x) & 0x7fffffffu);
}

#else /* PRNN_REAL_F64: the same forms, longer polynomials */

#define PRNN_LOG2E PRNN_F64(0x3ff71547652b82feull)          /* 1.4426950408889634 */
#define PRNN_TWO_LOG2E PRNN_F64(0x40071547652b82feull)      /* 2.8853900817779268 */
#define PRNN_LN2 PRNN_F64(0x3fe62e42fefa39efull)            /* 0.69314718055994529 */
#define PRNN_LN2_LOW PRNN_F64(0x3c7abc9e3b39803full)        /* 2.3190468138462996e-17 */
#define PRNN_TWO_OVER_PI PRNN_F64(0x3fe45f306dc9c883ull)    /* 0.63661977236758138 */
#define PRNN_PIO2 PRNN_F64(0x3ff921fb54442d18ull)           /* 1.5707963267948966 */
#define PRNN_PIO2_MID PRNN_F64(0x3c91a62633145c07ull)       /* 6.123233995736766e-17 */
#define PRNN_PIO2_LOW PRNN_F64(0xb91f1976b7ed9000ull)       /* -1.4973849048591815e-33 */
#define PRNN_TWO_THIRDS PRNN_F64(0x3fe5555555555555ull)     /* 0.66666666666666663 */
#define PRNN_TWO_THIRDS_LOW PRNN_F64(0x3c85555555555555ull) /* 3.7007434154171883e-17 */
#define PRNN_LN2_SHORT PRNN_F64(0x3fe62e42fefa3800ull)      /* 0.69314718055989033 */
#define PRNN_LN2_SHORT_LOW PRNN_F64(0x3d2ef35793c76730ull)  /* 5.4979230187083712e-14 */

PRNN_FN double prnn_strict_expm1_reduced(double r)
{
    const double p10 = PRNN_F64(0x3e21f213ece766bbull); /* 2.0891447246034706e-09 */
    const double p9 =
        PRNN_FMA64(p10, r, PRNN_F64(0x3e5af5d0f268ee23ull)); /* 2.5108661061972386e-08 */
    const double p8 =
        PRNN_FMA64(p9, r, PRNN_F64(0x3e927e50737fd2bfull)); /* 2.7557335924238433e-07 */
    const double p7 =
        PRNN_FMA64(p8, r, PRNN_F64(0x3ec71ddf93ea7da1ull)); /* 2.7557245226431309e-06 */
    const double p6 =
        PRNN_FMA64(p7, r, PRNN_F64(0x3efa01a01983d739ull)); /* 2.4801587273657491e-05 */
    const double p5 =
        PRNN_FMA64(p6, r, PRNN_F64(0x3f2a01a01af9588full)); /* 0.00019841269885273848 */
    const double p4 =
        PRNN_FMA64(p5, r, PRNN_F64(0x3f56c16c16c17748ull)); /* 0.0013888888888895102 */
    const double p3 =
        PRNN_FMA64(p4, r, PRNN_F64(0x3f8111111110f722ull)); /* 0.0083333333333218164 */
    const double p2 = PRNN_FMA64(p3, r, PRNN_F64(0x3fa5555555555558ull)); /* 0.041666666666666685 */
    const double p1 = PRNN_FMA64(p2, r, PRNN_F64(0x3fc5555555555559ull)); /* 0.16666666666666677 */
    const double p = PRNN_FMA64(p1, r, PRNN_F64(0x3fe0000000000000ull));  /* 0.5 */
    return PRNN_FMA64(r * r, p, r);
}

PRNN_FN double prnn_strict_exp(double x)
{
    const double above = x > 709.8 ? 709.8 : x;
    const double a = above < -745.2 ? -745.2 : above;
    const double z = PRNN_FMA64(a, PRNN_LOG2E, 6755399441057790.0); /* 1.5 * 2^52 + 2 * 1023 */
    const double k = z - 6755399441057790.0;
    const double r1 = PRNN_FMA64(k, -PRNN_LN2, a);
    const double r = PRNN_FMA64(k, -PRNN_LN2_LOW, r1);
    const double p = 1.0 + prnn_strict_expm1_reduced(r);
    const prnn_u64 bits = PRNN_BITS64(z);
    const prnn_u64 half = bits >> 1;
    return p * PRNN_F64(half << 52) * PRNN_F64((bits - half) << 52);
}

PRNN_FN double prnn_strict_expm1(double x)
{
    const double above = x > 709.8 ? 709.8 : x;
    const double a = above < -40.0 ? -40.0 : above;
    const double z = PRNN_FMA64(a, PRNN_LOG2E, 6755399441056766.0); /* 1.5 * 2^52 + 1022 */
    const double k = z - 6755399441056766.0;
    const double r1 = PRNN_FMA64(k, -PRNN_LN2, a);
    const double r = PRNN_FMA64(k, -PRNN_LN2_LOW, r1);
    const double q = prnn_strict_expm1_reduced(r);
    const double h = PRNN_F64(PRNN_BITS64(z) << 52);
    const double y = 2.0 * PRNN_FMA64(h, q, h - 0.5);
    const double size = PRNN_F64(PRNN_BITS64(x) & 0x7fffffffffffffffull);
    return size < 5.5511151231257827e-17 /* 2^-54 */ ? x : y;
}

PRNN_FN double prnn_strict_sigmoid(double x)
{
    const double above = x > 40.0 ? 40.0 : x;
    const double a = above < -746.0 ? -746.0 : above;
    const double z = PRNN_FMA64(a, PRNN_LOG2E, 6755399441056827.0); /* 1.5 * 2^52 + 1023 + 60 */
    const double k = z - 6755399441056827.0;
    const double r1 = PRNN_FMA64(k, PRNN_LN2, -a);
    const double r = PRNN_FMA64(k, PRNN_LN2_LOW, r1);
    const double q = prnn_strict_expm1_reduced(r);
    const double s = PRNN_F64(PRNN_BITS64(z) << 52) * 8.6736173798840355e-19; /* 2^-60 */
    return PRNN_DIV64(s, (s + q) + 1.0);
}

PRNN_FN double prnn_strict_tanh_small(double x)
{
    const double z = x * x;
    const double p6 = PRNN_F64(0xbf556c7f70b78090ull); /* -0.0013076061758212944 */
    const double p5 =
        PRNN_FMA64(p6, z, PRNN_F64(0x3f6d4c3ecca8b5ebull)); /* 0.0035763956596130872 */
    const double p4 =
        PRNN_FMA64(p5, z, PRNN_F64(0xbf82266debdde5d6ull)); /* -0.0088623607259589558 */
    const double p3 =
        PRNN_FMA64(p4, z, PRNN_F64(0x3f9664f2bae3973bull)); /* 0.021869461685944485 */
    const double p2 =
        PRNN_FMA64(p3, z, PRNN_F64(0xbfaba1ba17d65951ull)); /* -0.053968253526522354 */
    const double p1 =
        PRNN_FMA64(p2, z, PRNN_F64(0x3fc11111110f2b84ull)); /* 0.13333333332988329 */
    const double p =
        PRNN_FMA64(p1, z, PRNN_F64(0xbfd55555555554b1ull)); /* -0.33333333333332421 */
    return PRNN_FMA64(x * z, p, x);
}

PRNN_FN double prnn_strict_tanh(double x)
{
    const double size = PRNN_F64(PRNN_BITS64(x) & 0x7fffffffffffffffull);
    const double a = size > 20.0 ? 20.0 : size;
    const double z = PRNN_FMA64(a, PRNN_TWO_LOG2E, 6755399441056767.0); /* 1.5 * 2^52 + 1023 */
    const double k = z - 6755399441056767.0;
    const double r1 = PRNN_FMA64(k, -PRNN_LN2, a + a);
    const double r = PRNN_FMA64(k, -PRNN_LN2_LOW, r1);
    const double q = prnn_strict_expm1_reduced(r);
    const double s = PRNN_F64(PRNN_BITS64(z) << 52);
    const double m = PRNN_FMA64(s, q, s - 1.0);
    const double large = PRNN_DIV64(m, m + 2.0);
    const double y = a < 0.26 ? prnn_strict_tanh_small(a) : large;
    return PRNN_COPY_SIGN64(y, x);
}

/* s = f / (2 + f); log(1 + f) = 2 s + s^3 R(s^2), written f - (f^2/2 - s (f^2/2 + s^2 R)) so that
 * the rounding of s counts little (the form of fdlibm, K. C. Ng, 1993). */
PRNN_FN double prnn_strict_log_reduced(double f, double k)
{
    const double s = PRNN_DIV64(f, 2.0 + f);
    const double z = s * s;
    const double half = 0.5 * f * f;
    const double p6 = PRNN_F64(0x3fc2f02ee7e814aaull);                    /* 0.14795481036722907 */
    const double p5 = PRNN_FMA64(p6, z, PRNN_F64(0x3fc39a1fd89b1964ull)); /* 0.1531410033841879 */
    const double p4 = PRNN_FMA64(p5, z, PRNN_F64(0x3fc74663c1ecff4full)); /* 0.18183562249213955 */
    const double p3 = PRNN_FMA64(p4, z, PRNN_F64(0x3fcc71c52181c81full)); /* 0.22222198616106056 */
    const double p2 = PRNN_FMA64(p3, z, PRNN_F64(0x3fd24924941dd2e8ull)); /* 0.28571428741933724 */
    const double p1 = PRNN_FMA64(p2, z, PRNN_F64(0x3fd999999997ff4eull)); /* 0.39999999999416935 */
    const double p = PRNN_FMA64(p1, z, PRNN_F64(0x3fe5555555555592ull));  /* 0.6666666666666734 */
    const double low = PRNN_FMA64(s, PRNN_FMA64(z, p, half), k * PRNN_LN2_LOW);
    return PRNN_FMA64(k, PRNN_LN2, f - (half - low));
}

PRNN_FN double prnn_strict_log(double x)
{
    const int tiny = x < 2.2250738585072014e-308;
    const double up = tiny ? x * 18014398509481984.0 : x;
    const prnn_u64 u = PRNN_BITS64(up) + (0x3ff0000000000000ull - 0x3fe6a09e667f3bcdull);
    const double m = PRNN_F64((u & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull);
    const double k0 = PRNN_F64((u >> 52) | 0x4330000000000000ull) - 4503599627371519.0;
    const double k = tiny ? k0 - 54.0 : k0;
    const double y = prnn_strict_log_reduced(m - 1.0, k);
    const double zero =
        x == 0.0 ? PRNN_F64(0xfff0000000000000ull) : PRNN_F64(0x7ff8000000000000ull);
    const double finite = x > 0.0 ? y : zero;
    return x > 1.7976931348623157e+308 ? x : finite;
}

PRNN_FN double prnn_strict_log1p(double x)
{
    const double u = 1.0 + x;
    const double lost_small = x - (u - 1.0);
    const double lost_large = 1.0 - (u - x);
    const double lost = x < 1.0 ? lost_small : lost_large;
    const prnn_u64 v = PRNN_BITS64(u) + (0x3ff0000000000000ull - 0x3fe6a09e667f3bcdull);
    const double m = PRNN_F64((v & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull);
    const double k = PRNN_F64((v >> 52) | 0x4330000000000000ull) - 4503599627371519.0;
    const double c = lost * PRNN_F64((2046ull - (v >> 52)) << 52);
    const double f = (m - 1.0) + (u < 1152921504606846976.0 ? c : 0.0);
    const double y = prnn_strict_log_reduced(f, k);
    const double minus_one =
        u == 0.0 ? PRNN_F64(0xfff0000000000000ull) : PRNN_F64(0x7ff8000000000000ull);
    const double finite = u > 0.0 ? y : minus_one;
    const double result = x > 1.7976931348623157e+308 ? x : finite;
    return x == 0.0 ? x : result;
}

PRNN_FN double prnn_strict_sin_reduced(double r)
{
    const double z = r * r;
    const double p5 = PRNN_F64(0x3de5d8b55cfa1d08ull); /* 1.5895433449391346e-10 */
    const double p4 =
        PRNN_FMA64(p5, z, PRNN_F64(0xbe5ae5e4b84848eeull)); /* -2.5050734391427621e-08 */
    const double p3 =
        PRNN_FMA64(p4, z, PRNN_F64(0x3ec71de35552bdfdull)); /* 2.7557313538523793e-06 */
    const double p2 =
        PRNN_FMA64(p3, z, PRNN_F64(0xbf2a01a019be921cull)); /* -0.00019841269829358541 */
    const double p1 =
        PRNN_FMA64(p2, z, PRNN_F64(0x3f8111111110f730ull));              /* 0.0083333333333218407 */
    const double p = PRNN_FMA64(p1, z, PRNN_F64(0xbfc5555555555548ull)); /* -0.1666666666666663 */
    return PRNN_FMA64(r * z, p, r);
}

PRNN_FN double prnn_strict_cos_reduced(double r)
{
    const double z = r * r;
    const double p5 = PRNN_F64(0xbda8fa5ec5ff9e12ull); /* -1.135868325391242e-11 */
    const double p4 =
        PRNN_FMA64(p5, z, PRNN_F64(0x3e21ee9dacb4e0d2ull)); /* 2.0875704269851212e-09 */
    const double p3 =
        PRNN_FMA64(p4, z, PRNN_F64(0xbe927e4f7f04fe1bull)); /* -2.7557314210069558e-07 */
    const double p2 =
        PRNN_FMA64(p3, z, PRNN_F64(0x3efa01a019c8dd1bull)); /* 2.4801587288983672e-05 */
    const double p1 =
        PRNN_FMA64(p2, z, PRNN_F64(0xbf56c16c16c1500dull)); /* -0.0013888888888873325 */
    const double p = PRNN_FMA64(p1, z, PRNN_F64(0x3fa555555555554bull)); /* 0.041666666666666595 */
    return PRNN_FMA64(z * z, p, PRNN_FMA64(z, -0.5, 1.0));
}

PRNN_FN double prnn_strict_quadrant(double x, prnn_u64 *quadrant)
{
    const double z = PRNN_FMA64(x, PRNN_TWO_OVER_PI, 6755399441055744.0);
    const double k = z - 6755399441055744.0;
    const double r1 = PRNN_FMA64(k, -PRNN_PIO2, x);
    const double r2 = PRNN_FMA64(k, -PRNN_PIO2_MID, r1);
    const double r3 = PRNN_FMA64(k, -PRNN_PIO2_LOW, r2);
    const double above = r3 > 1.25 ? 1.25 : r3;
    *quadrant = PRNN_BITS64(z) & 3u;
    return above < -1.25 ? -1.25 : above;
}

PRNN_FN double prnn_strict_sin(double x)
{
    prnn_u64 quadrant;
    const double r = prnn_strict_quadrant(x, &quadrant);
    const double s = prnn_strict_sin_reduced(r), c = prnn_strict_cos_reduced(r);
    const double y = (quadrant & 1u) != 0u ? c : s;
    const double turned = PRNN_F64(PRNN_BITS64(y) ^ ((quadrant & 2u) << 62));
    return x == 0.0 ? x : turned;
}

PRNN_FN double prnn_strict_cos(double x)
{
    prnn_u64 quadrant;
    const double r = prnn_strict_quadrant(x, &quadrant);
    const double s = prnn_strict_sin_reduced(r), c = prnn_strict_cos_reduced(r);
    const double y = (quadrant & 1u) != 0u ? s : c;
    return PRNN_F64(PRNN_BITS64(y) ^ (((quadrant + 1u) & 2u) << 62));
}

/* Else 1 - e^(-x^2) P(t), t = (|x| - 2) / (|x| + 2). */
PRNN_FN double prnn_strict_erf(double x)
{
    const double a = PRNN_F64(PRNN_BITS64(x) & 0x7fffffffffffffffull);
    const double b = a > 6.0 ? 6.0 : a;
    const double z = b * b;
    const double small12 = PRNN_F64(0x3de3db0047df77caull); /* 1.4446758020465466e-10 */
    const double small11 =
        PRNN_FMA64(small12, z, PRNN_F64(0xbe1c5e93655e0651ull)); /* -1.6513185449848612e-09 */
    const double small10 =
        PRNN_FMA64(small11, z, PRNN_F64(0x3e513451a01dcd12ull)); /* 1.6022818633910106e-08 */
    const double small9 =
        PRNN_FMA64(small10, z, PRNN_F64(0xbe863958119cdafaull)); /* -1.6558170373169481e-07 */
    const double small8 =
        PRNN_FMA64(small9, z, PRNN_F64(0x3ebba696fcf162feull)); /* 1.6481126186211155e-06 */
    const double small7 =
        PRNN_FMA64(small8, z, PRNN_F64(0xbeef4dcf543869e9ull)); /* -1.4926884097700567e-05 */
    const double small6 =
        PRNN_FMA64(small7, z, PRNN_F64(0x3f1f9a3b968291cdull)); /* 0.00012055386253224179 */
    const double small5 =
        PRNN_FMA64(small6, z, PRNN_F64(0xbf4c02db933213fbull)); /* -0.00085483285364829022 */
    const double small4 =
        PRNN_FMA64(small5, z, PRNN_F64(0x3f7565bcd2c6122bull)); /* 0.0052239776526943711 */
    const double small3 =
        PRNN_FMA64(small4, z, PRNN_F64(0xbf9b82ce31354c01ull)); /* -0.026866170648030877 */
    const double small2 =
        PRNN_FMA64(small3, z, PRNN_F64(0x3fbce2f21a0458d6ull)); /* 0.11283791670971097 */
    const double small1 =
        PRNN_FMA64(small2, z, PRNN_F64(0xbfd812746b037a25ull)); /* -0.37612638903184098 */
    const double small =
        PRNN_FMA64(small1, z, PRNN_F64(0x3fc06eba8214db69ull)); /* 0.12837916709551259 */
    const double below = PRNN_FMA64(b, small, b);
    const double t = PRNN_DIV64(b - 2.0, b + 2.0);
    const double large15 = PRNN_F64(0x3eb4f09c6e4d8725ull); /* 1.2481145230326383e-06 */
    const double large14 =
        PRNN_FMA64(large15, t, PRNN_F64(0x3eced6aa92879d60ull)); /* 3.676240471362356e-06 */
    const double large13 =
        PRNN_FMA64(large14, t, PRNN_F64(0x3eb6e1b49a120a66ull)); /* 1.363853336295304e-06 */
    const double large12 =
        PRNN_FMA64(large13, t, PRNN_F64(0xbeed46a6ad5a6147ull)); /* -1.3959875484290672e-05 */
    const double large11 =
        PRNN_FMA64(large12, t, PRNN_F64(0xbefcead349d30ba5ull)); /* -2.7577673439759362e-05 */
    const double large10 =
        PRNN_FMA64(large11, t, PRNN_F64(0x3efcdcbb136fc191ull)); /* 2.7525167038024127e-05 */
    const double large9 =
        PRNN_FMA64(large10, t, PRNN_F64(0x3f26da96cca6ae7dull)); /* 0.00017436114133083719 */
    const double large8 =
        PRNN_FMA64(large9, t, PRNN_F64(0x3f06d5ef9782e275ull)); /* 4.3555616629335868e-05 */
    const double large7 =
        PRNN_FMA64(large8, t, PRNN_F64(0xbf5016b5ce83f254ull)); /* -0.00098197702942494792 */
    const double large6 =
        PRNN_FMA64(large7, t, PRNN_F64(0xbf4bc25a47c00e22ull)); /* -0.00084714325157659123 */
    const double large5 =
        PRNN_FMA64(large6, t, PRNN_F64(0x3f7ca95ed53483f8ull)); /* 0.006997461739303816 */
    const double large4 =
        PRNN_FMA64(large5, t, PRNN_F64(0x3f6e94715979ef45ull)); /* 0.0037328924043417444 */
    const double large3 =
        PRNN_FMA64(large4, t, PRNN_F64(0xbfb437f0b68c0c2dull)); /* -0.078978581015733254 */
    const double large2 =
        PRNN_FMA64(large3, t, PRNN_F64(0x3fceeea7dc8a78b4ull)); /* 0.24165819424246637 */
    const double large1 =
        PRNN_FMA64(large2, t, PRNN_F64(0xbfdb57034efd3f72ull)); /* -0.42718584741395838 */
    const double large =
        PRNN_FMA64(large1, t, PRNN_F64(0x3fd058671b52c776ull)); /* 0.25539567631050575 */
    const double y = b < 1.0 ? below : PRNN_FMA64(-prnn_strict_exp(-z), large, 1.0);
    return PRNN_COPY_SIGN64(y, x);
}

/* log |x| as a sum of two doubles: 2 s and the cubic term in doubled precision (T. J. Dekker,
 * 1971), the rest of the series in double. 709 times its error must stay below an ulp of the
 * result. */
PRNN_FN double prnn_strict_log_pair(double size, double *low)
{
    const int tiny = size < 2.2250738585072014e-308;
    const double up = tiny ? size * 18014398509481984.0 : size;
    const prnn_u64 u = PRNN_BITS64(up) + (0x3ff0000000000000ull - 0x3fe6a09e667f3bcdull);
    const double m = PRNN_F64((u & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull);
    const double k0 = PRNN_F64((u >> 52) | 0x4330000000000000ull) - 4503599627371519.0;
    const double k = tiny ? k0 - 54.0 : k0;
    const double f = m - 1.0, g = m + 1.0;
    const double g_low = m - (g - 1.0);
    const double s = PRNN_DIV64(f, g);
    const double s_low = PRNN_DIV64(PRNN_FMA64(-s, g_low, PRNN_FMA64(-s, g, f)), g);
    const double z = s * s;
    const double z_low = PRNN_FMA64(2.0 * s, s_low, PRNN_FMA64(s, s, -z));
    const double c = z * s;
    const double c_low = PRNN_FMA64(z, s_low, PRNN_FMA64(z_low, s, PRNN_FMA64(z, s, -c)));
    const double w = c * PRNN_TWO_THIRDS;
    const double w_low =
        PRNN_FMA64(c_low, PRNN_TWO_THIRDS,
                   PRNN_FMA64(c, PRNN_TWO_THIRDS_LOW, PRNN_FMA64(c, PRNN_TWO_THIRDS, -w)));
    const double p6 = PRNN_F64(0x3fc0d98a6fca763bull);                    /* 0.13163881739176184 */
    const double p5 = PRNN_FMA64(p6, z, PRNN_F64(0x3fc0f93b3cab355eull)); /* 0.13260593855231212 */
    const double p4 = PRNN_FMA64(p5, z, PRNN_F64(0x3fc3b1dfeb9a244cull)); /* 0.15386580471047961 */
    const double p3 = PRNN_FMA64(p4, z, PRNN_F64(0x3fc745cef94076dcull)); /* 0.18181788607119287 */
    const double p2 = PRNN_FMA64(p3, z, PRNN_F64(0x3fcc71c721ab3d65ull)); /* 0.22222222465505151 */
    const double p1 = PRNN_FMA64(p2, z, PRNN_F64(0x3fd249249246740bull)); /* 0.28571428570450114 */
    const double p = PRNN_FMA64(p1, z, PRNN_F64(0x3fd9999999999a93ull));  /* 0.40000000000001384 */
    const double rest =
        PRNN_FMA64(c * z, p, PRNN_FMA64(k, PRNN_LN2_SHORT_LOW, 2.0 * s_low + w_low));
    const double whole = k * PRNN_LN2_SHORT; /* exact: 42 bits */
    const double h1 = whole + 2.0 * s;
    const double l1 = 2.0 * s - (h1 - whole);
    const double h2 = h1 + w;
    const double l2 = w - (h2 - h1);
    const double l = (l1 + l2) + rest;
    const double high = h2 + l;
    *low = l - (high - h2);
    return high;
}

PRNN_FN double prnn_strict_pow(double x, double y)
{
    const double size = PRNN_F64(PRNN_BITS64(x) & 0x7fffffffffffffffull);
    const double size_y = PRNN_F64(PRNN_BITS64(y) & 0x7fffffffffffffffull);
    const double inf = PRNN_F64(0x7ff0000000000000ull);
    double low;
    const double high = prnn_strict_log_pair(size, &low);
    const double large = size < inf ? high : size;
    const double t0 = y * (size == 0.0 ? -inf : large);
    const double t1 = t0 > 800.0 ? 800.0 : t0;
    const double t = t1 < -800.0 ? -800.0 : t1;
    const double t_low0 = PRNN_FMA64(y, low, PRNN_FMA64(y, high, -t0));
    const double t_low = t == t0 ? t_low0 : 0.0;
    const double z = PRNN_FMA64(t, PRNN_LOG2E, 6755399441057790.0); /* 1.5 * 2^52 + 2 * 1023 */
    const double k = z - 6755399441057790.0;
    const double r1 = PRNN_FMA64(k, -PRNN_LN2, t);
    const double r = PRNN_FMA64(k, -PRNN_LN2_LOW, r1) + t_low;
    const double p = 1.0 + prnn_strict_expm1_reduced(r);
    const prnn_u64 bits = PRNN_BITS64(z);
    const prnn_u64 half = bits >> 1;
    const double power = p * PRNN_F64(half << 52) * PRNN_F64((bits - half) << 52);
    const double shifted = size_y < 4503599627370496.0 ? size_y + 4503599627370496.0 : size_y;
    const int whole = (size_y >= 4503599627370496.0) | (shifted - 4503599627370496.0 == size_y);
    const prnn_u64 odd =
        (whole & (size_y < 9007199254740992.0)) != 0 ? PRNN_BITS64(shifted) & 1u : 0u;
    const double turned = PRNN_F64(PRNN_BITS64(power) ^ ((odd << 63) & PRNN_BITS64(x)));
    const int undefined = (x < 0.0) & (size < inf) & !whole;
    const double result = undefined ? PRNN_F64(0x7ff8000000000000ull) : turned;
    const int one = (x == 1.0) | (y == 0.0) | ((x == -1.0) & (size_y == inf));
    return one ? 1.0 : result;
}

PRNN_FN double prnn_strict_div(double a, double b)
{
    return PRNN_DIV64(a, b);
}

PRNN_FN double prnn_strict_sqrt(double x)
{
    return PRNN_SQRT64(x);
}

PRNN_FN double prnn_strict_rsqrt(double x)
{
    return PRNN_DIV64(1.0, PRNN_SQRT64(x));
}

PRNN_FN double prnn_strict_abs(double x)
{
    return PRNN_F64(PRNN_BITS64(x) & 0x7fffffffffffffffull);
}

#endif

/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|). */
PRNN_FN prnn_real prnn_strict_softplus(prnn_real x)
{
    const prnn_real positive = x > (prnn_real)0 ? x : (prnn_real)0;
    return positive + prnn_strict_log1p(prnn_strict_exp(-prnn_strict_abs(x)));
}

/* -1, 0 or 1 (a zero keeps its sign); NaN stays NaN. */
PRNN_FN prnn_real prnn_strict_sign(prnn_real x)
{
    const prnn_real not_positive = x < (prnn_real)0 ? (prnn_real)-1 : x;
    return x > (prnn_real)0 ? (prnn_real)1 : not_positive;
}

/* A NaN in either operand is the result. */
PRNN_FN prnn_real prnn_strict_min(prnn_real a, prnn_real b)
{
    return ((a <= b) | (a != a)) != 0 ? a : b;
}

PRNN_FN prnn_real prnn_strict_max(prnn_real a, prnn_real b)
{
    return ((a >= b) | (a != a)) != 0 ? a : b;
}

#undef PRNN_COPY_SIGN32
#undef PRNN_COPY_SIGN64
#undef PRNN_LOG2E
#undef PRNN_TWO_LOG2E
#undef PRNN_LN2
#undef PRNN_LN2_LOW
#undef PRNN_TWO_OVER_PI
#undef PRNN_PIO2
#undef PRNN_PIO2_MID
#undef PRNN_PIO2_LOW
#undef PRNN_TWO_THIRDS
#undef PRNN_TWO_THIRDS_LOW
#undef PRNN_LN2_SHORT
#undef PRNN_LN2_SHORT_LOW
