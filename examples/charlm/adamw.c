#include "adamw.h"

#include <math.h>
#include <stdlib.h>

struct adamw {
    prnn_context *ctx;
    struct memory *mean, *square, *square_sum;
    int steps;
};

prnn_status adamw_create(struct adamw **out, const struct machine *machine,
                         const struct model *model)
{
    prnn_status st;
    const struct dense *dense = model_dense(model);
    const size_t count = model_param_count(model);
    struct adamw *adamw = *out = calloc(1, sizeof *adamw);
    if (!adamw)
        return PRNN_E_NOMEM;
    adamw->ctx = machine->ctx;
    if ((st = prnn_memory_alloc(adamw->ctx, (void **)&adamw->mean, count * dense->size)) < 0 ||
        (st = prnn_memory_alloc(adamw->ctx, (void **)&adamw->square, count * dense->size)) < 0 ||
        (st = prnn_memory_alloc(adamw->ctx, (void **)&adamw->square_sum, sizeof(double))) < 0) {
        adamw_free(adamw);
        *out = NULL;
        return st;
    }
    dense->fill(dense, adamw->mean, 0, count);
    dense->fill(dense, adamw->square, 0, count);
    return PRNN_OK;
}

void adamw_free(struct adamw *adamw)
{
    if (!adamw)
        return;
    prnn_memory_free(adamw->ctx, adamw->mean);
    prnn_memory_free(adamw->ctx, adamw->square);
    prnn_memory_free(adamw->ctx, adamw->square_sum);
    free(adamw);
}

void adamw_update(struct adamw *adamw, struct model *model, double rate)
{
    const double beta1 = 0.9, beta2 = 0.99, decay = 0.01;
    const struct dense *dense = model_dense(model);
    size_t group_count;
    const struct model_group *groups = model_groups(model, &group_count);
    adamw->steps++;
    dense->squares(dense, adamw->square_sum, model_grads(model), model_param_count(model));
    for (size_t g = 0; g < group_count; g++) {
        const size_t begin = groups[g].offset;
        const struct adaptation step = {
            .params = memory_at(dense, model_params(model), begin),
            .mean = memory_at(dense, adamw->mean, begin),
            .square = memory_at(dense, adamw->square, begin),
            .grads = memory_at(dense, model_grads(model), begin),
            .square_sum = adamw->square_sum,
            .count = (size_t)groups[g].rows * (size_t)groups[g].columns,
            .largest_norm = 1,
            .beta1 = (float)beta1,
            .beta2 = (float)beta2,
            .pace = (float)(rate / (1.0 - pow(beta1, adamw->steps))),
            .root = (float)(1.0 / sqrt(1.0 - pow(beta2, adamw->steps))),
            .keep = groups[g].decays ? (float)(1.0 - rate * decay) : 1.0f,
            .lo = (float)groups[g].lo,
            .hi = (float)groups[g].hi,
        };
        dense->adapt(dense, &step);
    }
}
