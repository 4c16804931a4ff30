/** AdamW (Loshchilov, Hutter 2019, arXiv 1711.05101), with the gradient's norm clipped at 1, and
 * the parameters of the cell at their ranges. */
#ifndef CHARLM_ADAMW_H
#define CHARLM_ADAMW_H

#include "model.h"

struct adamw;

/** For a model of float, on its machine. */
prnn_status adamw_create(struct adamw **out, const struct machine *machine,
                         const struct model *model);
void adamw_free(struct adamw *adamw); /* NULL is fine */

/** One update from model_grads(). */
void adamw_update(struct adamw *adamw, struct model *model, double rate);

#endif
