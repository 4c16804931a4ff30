/**
 * The language model: embedding, layers of (projection, recurrence, residual), read-out.
 *
 *     x[0]   = E[symbol]                                    [batch * seq_len, width]
 *     u      = x[l] W[l] + b[l]                             every input of the cell, side by side
 *     x[l+1] = x[l] + cell(u)
 *     logits = x[layers] R + c
 *
 * The cell needs one output; its elements times the channels are the width. Inputs that have a
 * range or no gradient are not projected: they hold 1, brought into the range.
 *
 * Everything lies in memory of the context's device and stays there: parameters, activations,
 * gradients. A step copies the symbols to it and the loss from it.
 */
#ifndef CHARLM_MODEL_H
#define CHARLM_MODEL_H

#include <pararnnc/pararnnc.h>

#include "accelerator.h"
#include "dense.h"

/** Where a model runs. */
struct machine {
    prnn_context *ctx;
    struct accelerator *accelerator; /* NULL: the dense parts run on the CPU's cores */
};

struct model_shape {
    int batch, seq_len, width, layers;
    bool decode; /* one step at a time, with prnn_step(); seq_len is 1 and there is no backward */
    prnn_storage storage; /* PRNN_F32 or PRNN_F64 */
};

/** A part of the vector of parameters. */
struct model_group {
    char name[96];
    size_t offset;
    int rows, columns;
    bool decays;   /* AdamW's weight decay is for it */
    double lo, hi; /* what a cell's parameter promises; infinite without a range */
};

struct model;

prnn_status model_create(struct model **out, const struct machine *machine, const prnn_cell *cell,
                         const struct model_shape *shape);
void model_free(struct model *model); /* NULL is fine */

/** Random values; those of the cell as prnn_params_init() makes them. */
prnn_status model_init(struct model *model, uint64_t seed);

const struct model_shape *model_shape_of(const struct model *model);
/** The parameters of another model of the same machine, cell, width, layers and storage. */
void model_copy(struct model *to, const struct model *from);
size_t model_param_count(const struct model *model);
/** Parameters and gradients, where the model runs; copies from and to ordinary memory. */
struct memory *model_params(const struct model *model);
const struct memory *model_grads(const struct model *model);
prnn_status model_download(const struct model *model, void *host, const struct memory *from,
                           size_t count);
prnn_status model_upload(const struct model *model, struct memory *to, const void *host,
                         size_t count);
const struct model_group *model_groups(const struct model *model, size_t *count);
const struct dense *model_dense(const struct model *model);
const char *model_plan_describe(const struct model *model, int layer);

/** Measure on what each layer computed last which strategies are fastest, and use them from then
 * on; on the CPU there is one. Between an update and the next model_loss(). */
prnn_status model_tune(struct model *model);

/** The states before the next call: those of the cell's beginning. */
void model_forget(struct model *model);
/** The states after the last call become those before the next. */
void model_carry(struct model *model);

/**
 * Mean loss in nats over [batch, seq_len] symbols and the symbols that follow them. With
 * 'want_gradient' model_grads() holds its gradient.
 */
prnn_status model_loss(struct model *model, const unsigned char *symbols,
                       const unsigned char *targets, bool want_gradient, double *loss);
/** One step of every sequence of an f32 model; logits [batch, symbols]. Carries the states. */
prnn_status model_step(struct model *model, const unsigned char *symbols, float *logits);
/** To be called after the parameters of a 'decode' model have changed. */
void model_prepare(struct model *model);

#endif
