/**
 * The safetensors format: eight bytes with the length of a JSON object, that object with the type,
 * shape and place of each tensor, then the bytes of the tensors.
 */
#ifndef CHARLM_SAFETENSORS_H
#define CHARLM_SAFETENSORS_H

#include "model.h"

/** The parameters of an f32 model. False: see the message on stderr. */
bool safetensors_save(const char *path, const struct model *model);
/** Every group of the model must be there, F32, with its shape; other tensors are passed over. */
bool safetensors_load(const char *path, struct model *model);

#endif
