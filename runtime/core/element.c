#include "element.h"

#include <math.h>

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float element_from_bf16(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t element_to_bf16(float value)
{
    const uint32_t bits = bits_of(value);
    if (value != value)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float element_from_f16(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    const uint32_t exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
    if (exponent == 31)
        return float_of(sign | 0x7f800000u | fraction << 13);
    if (exponent)
        return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    const float small = ldexpf((float)fraction, -24);
    return sign ? -small : small;
}

uint16_t element_to_f16(float value)
{
    const uint32_t bits = bits_of(value);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    const float size = fabsf(value);
    if (value != value)
        return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x3ff));
    if (size >= 65520.0f) /* half way from the largest to the next power of two */
        return (uint16_t)(sign | 0x7c00);
    if (size < 6.103515625e-05f) /* subnormal: a multiple of 2^-24, rounded by the library */
        return (uint16_t)(sign | (uint16_t)nearbyintf(ldexpf(size, 24)));
    const uint32_t magnitude = (bits & 0x7fffffffu) - (112u << 23);
    return (uint16_t)(sign | (magnitude + 0xfff + (magnitude >> 13 & 1)) >> 13);
}
