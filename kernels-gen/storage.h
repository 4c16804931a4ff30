/* 16-bit floats, kept as integers, to and from float.
 *
 * Requires  a prelude (PRNN_FN, PRNN_F32, PRNN_BITS32; where the hardware converts, PRNN_F32_TO_BF16 and its like)
 * Provides  prnn_bf16_to_f32() prnn_f32_to_bf16() prnn_f16_to_f32() prnn_f32_to_f16(); prnn_f32_to_halves(),
 *           two f16 in a word
 *
 * Rounds to nearest, ties to even; subnormals, infinities and the sign of zero are kept; a NaN
 * becomes or stays a quiet NaN. Without branches, so that a loop over channels vectorises. */

PRNN_FN float prnn_bf16_to_f32(unsigned short h)
{
    return PRNN_F32((prnn_u32)h << 16);
}

/* Half of the last kept bit, less one where that bit is 0: the carry does the rounding, up to inf.
 */
PRNN_FN unsigned short prnn_f32_to_bf16(float f)
{
#ifdef PRNN_F32_TO_BF16
    return PRNN_F32_TO_BF16(f);
#else
    const prnn_u32 bits = PRNN_BITS32(f);
    const prnn_u32 rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
    const prnn_u32 kept = (bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x00400000u : rounded;
    return (unsigned short)(kept >> 16);
#endif
}

/* Exponent and fraction move by 13 bits; the product with 2^112 moves the bias and turns subnormals
 * into normal numbers, exactly. */
PRNN_FN float prnn_f16_to_f32(unsigned short h)
{
#ifdef PRNN_F16_TO_F32
    return PRNN_F16_TO_F32(h);
#else
    const prnn_u32 magnitude = ((prnn_u32)h & 0x7fffu) << 13;
    const prnn_u32 sign = ((prnn_u32)h & 0x8000u) << 16;
    const float finite = PRNN_F32(magnitude) * PRNN_F32(0x77800000u); /* 2^112 */
    const prnn_u32 quiet = magnitude > 0x0f800000u ? 0x00400000u : 0u;
    const prnn_u32 special = magnitude | 0x7f800000u | quiet;
    return PRNN_F32((magnitude < 0x0f800000u ? PRNN_BITS32(finite) : special) | sign);
#endif
}

/* Normal: the carry rounds, as for bf16. Subnormal: adding 1/2 leaves |f| / 2^-24, rounded by the
 * addition, in the low bits of the sum. */
PRNN_FN unsigned short prnn_f32_to_f16(float f)
{
#ifdef PRNN_F32_TO_F16
    return PRNN_F32_TO_F16(f);
#else
    const prnn_u32 bits = PRNN_BITS32(f);
    const prnn_u32 magnitude = bits & 0x7fffffffu;
    const prnn_u32 sign = (bits >> 16) & 0x8000u;
    const prnn_u32 normal = (magnitude - 0x38000000u + 0x0fffu + ((bits >> 13) & 1u)) >> 13;
    const prnn_u32 subnormal = PRNN_BITS32(PRNN_F32(magnitude) + 0.5f) - 0x3f000000u;
    const prnn_u32 finite = magnitude < 0x38800000u ? subnormal : normal;
    const prnn_u32 nan_bits = 0x7e00u | ((magnitude >> 13) & 0x03ffu);
    const prnn_u32 large = magnitude > 0x7f800000u ? nan_bits : 0x7c00u;
    return (unsigned short)((magnitude < 0x477ff000u ? finite : large) | sign);
#endif
}

PRNN_FN prnn_u32 prnn_f32_to_halves(float low, float high)
{
#ifdef PRNN_F32_TO_HALVES
    return PRNN_F32_TO_HALVES(low, high);
#else
    return prnn_f32_to_f16(low) | (prnn_u32)prnn_f32_to_f16(high) << 16;
#endif
}
