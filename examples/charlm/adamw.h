/** AdamW (Loshchilov, Hutter 2019, arXiv 1711.05101), with the gradient's norm clipped at 1. */
#ifndef CHARLM_ADAMW_H
#define CHARLM_ADAMW_H

#include "model.h"

struct adamw;

struct adamw *adamw_create(size_t param_count); /* NULL: no memory */
void adamw_free(struct adamw *adamw);

/** One update of an f32 model from model_grads(). Returns the gradient's norm before clipping. */
double adamw_update(struct adamw *adamw, struct model *model, double rate);

#endif
