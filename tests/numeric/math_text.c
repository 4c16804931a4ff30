/* Compiled once for each table; MATH_TABLE is its name. */
#include "math_text.h"

#include <math.h>

#include "abi.h"

#include "prelude_host.h"
#ifdef MATH_HARDWARE
#undef PRNN_HOST
/* Rounded functions with the flushing of the hardware; the reciprocal may be a unit in the last
 * place beside that (PTX ISA, rcp.approx.ftz.f32). */
#ifndef MATH_RCP_ULP
#define MATH_RCP_ULP 0
#endif
static inline float flushed(float x)
{
    return fabsf(x) < 0x1p-126f ? x * 0.0f : x;
}
static inline float reciprocal(float x)
{
    const float y = 1.0f / flushed(x);
    const int exact = !(fabsf(y) > 0.0f && fabsf(y) < INFINITY);
    return flushed(exact ? y : prnn_f32_of(prnn_bits_of_f32(y) + (unsigned int)(MATH_RCP_ULP)));
}
#define PRNN_EX2_APPROX(x) flushed(exp2f(flushed(x)))
#define PRNN_RCP_APPROX(x) reciprocal(x)
#define PRNN_TANH_APPROX(x) tanhf(x)
#define PRNN_LG2_APPROX(x) log2f(x)
#define PRNN_RSQRT_APPROX(x) (1.0f / sqrtf(flushed(x)))
#endif
#include "storage.h"

#include "math_strict.h"

#include "math_accurate.h"

#include "math_fast.h"

#define MATH_MAP(name)                                                                             \
    static void map_##name(const prnn_real *restrict x, prnn_real *restrict y, int n)              \
    {                                                                                              \
        for (int i = 0; i < n; i++)                                                                \
            y[i] = prnn_##name(x[i]);                                                              \
    }
#define MATH_MAP2(name)                                                                            \
    static void map_##name(const prnn_real *restrict a, const prnn_real *restrict b,               \
                           prnn_real *restrict y, int n)                                           \
    {                                                                                              \
        for (int i = 0; i < n; i++)                                                                \
            y[i] = prnn_##name(a[i], b[i]);                                                        \
    }
MATH_UNARY(MATH_MAP)
MATH_BINARY(MATH_MAP2)

#define MATH_ENTRY(name) map_##name,
#ifdef PRNN_REAL_F64
const struct math_table64 MATH_TABLE = {{MATH_UNARY(MATH_ENTRY)}, {MATH_BINARY(MATH_ENTRY)}};
#else
const struct math_table32 MATH_TABLE = {{MATH_UNARY(MATH_ENTRY)}, {MATH_BINARY(MATH_ENTRY)},
                                        prnn_bf16_to_f32,         prnn_f16_to_f32,
                                        prnn_f32_to_bf16,         prnn_f32_to_f16};
#endif
