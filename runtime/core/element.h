/* Elements of sequence tensors as numbers: 16-bit floats are integers here, as they are in kernel
 * text (kernels-gen/storage.h), but by other code, since the interpreter is an oracle. */
#ifndef PRNN_ELEMENT_H
#define PRNN_ELEMENT_H

#include <pararnnc/pararnnc.h>

#include <stdint.h>
#include <string.h>

float element_from_bf16(uint16_t bits);
float element_from_f16(uint16_t bits);
/* Round to nearest even; NaN stays NaN. */
uint16_t element_to_bf16(float value);
uint16_t element_to_f16(float value);

static inline double element_load(prnn_storage storage, const void *base, int64_t index)
{
    switch (storage) {
    case PRNN_F64:
        return ((const double *)base)[index];
    case PRNN_F32:
        return (double)((const float *)base)[index];
    case PRNN_BF16:
        return (double)element_from_bf16(((const uint16_t *)base)[index]);
    case PRNN_F16:
        return (double)element_from_f16(((const uint16_t *)base)[index]);
    }
    return 0;
}

static inline void element_store(prnn_storage storage, void *base, int64_t index, double value)
{
    switch (storage) {
    case PRNN_F64:
        ((double *)base)[index] = value;
        break;
    case PRNN_F32:
        ((float *)base)[index] = (float)value;
        break;
    case PRNN_BF16:
        ((uint16_t *)base)[index] = element_to_bf16((float)value);
        break;
    case PRNN_F16:
        ((uint16_t *)base)[index] = element_to_f16((float)value);
        break;
    }
}

#endif
