#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recurrence.h"
#include "text.h"

enum { MAX_LAYERS = 16, SYMBOLS = TEXT_SYMBOLS };

/* The first layer sees one of 98 rows: its projection is one product per symbol, not per step. */
struct model {
    struct model_shape shape;
    struct recurrence_layout layout;
    const struct dense *dense;
    prnn_plan *plan;
    struct shared_memory workspace;
    struct recurrence *layers[MAX_LAYERS];
    void *params, *grads;
    size_t param_count, group_count;
    struct model_group *groups;
    size_t embedding, weight[MAX_LAYERS], bias[MAX_LAYERS], cell[MAX_LAYERS], readout, offset;
    void *x[MAX_LAYERS + 1]; /* [rows, width] */
    void *dx;                /* [rows, width] */
    void *logits;            /* [rows, SYMBOLS] */
    void *table, *dtable;    /* [SYMBOLS, columns]: embedding times the first projection */
};

static void *element(const struct model *model, void *array, size_t index)
{
    return (char *)array + index * model->dense->size;
}

static void *param(const struct model *model, size_t offset)
{
    return element(model, model->params, offset);
}

static void *grad(const struct model *model, size_t offset)
{
    return element(model, model->grads, offset);
}

static int row_count(const struct model *model)
{
    return model->shape.batch * model->shape.seq_len;
}

/* ------------------------------------------------------------------------------------- creation */

static size_t add_group(struct model *model, const char *name, int layer, int rows, int columns,
                        bool decays)
{
    struct model_group *group = &model->groups[model->group_count++];
    *group = (struct model_group){
        .offset = model->param_count, .rows = rows, .columns = columns, .decays = decays};
    if (layer < 0)
        snprintf(group->name, sizeof group->name, "%s", name);
    else
        snprintf(group->name, sizeof group->name, "layers.%d.%s", layer, name);
    model->param_count += (size_t)rows * (size_t)columns;
    return group->offset;
}

static bool add_groups(struct model *model)
{
    const int width = model->shape.width, columns = model->layout.columns;
    const size_t most = 3 + (size_t)model->shape.layers * (2 + model->layout.params);
    model->groups = calloc(most, sizeof *model->groups);
    if (!model->groups)
        return false;
    model->embedding = add_group(model, "embedding", -1, SYMBOLS, width, false);
    for (int l = 0; l < model->shape.layers; l++) {
        model->weight[l] = add_group(model, "weight", l, width, columns, true);
        model->bias[l] = add_group(model, "bias", l, 1, columns, false);
        model->cell[l] = model->param_count;
        for (uint32_t i = 0; i < model->layout.params; i++) {
            const prnn_value_info *value = &model->layout.param[i];
            char name[80];
            snprintf(name, sizeof name, "cell.%s", value->name);
            add_group(model, name, l, (int)value->count,
                      value->is_shared ? 1 : model->layout.channels, false);
        }
    }
    model->readout = add_group(model, "readout.weight", -1, width, SYMBOLS, true);
    model->offset = add_group(model, "readout.bias", -1, 1, SYMBOLS, false);
    return true;
}

static void *zeros(const struct model *model, size_t count)
{
    return calloc(count ? count : 1, model->dense->size);
}

static bool buffers_alloc(struct model *model)
{
    const size_t rows = (size_t)row_count(model), columns = (size_t)model->layout.columns;
    const size_t activations = rows * (size_t)model->shape.width;
    bool done = (model->params = zeros(model, model->param_count)) != NULL;
    done = done && (model->logits = zeros(model, rows * SYMBOLS));
    done = done && (model->table = zeros(model, SYMBOLS * columns));
    for (int l = 0; l <= model->shape.layers; l++)
        done = done && (model->x[l] = zeros(model, activations));
    if (model->shape.decode)
        return done;
    done = done && (model->grads = zeros(model, model->param_count));
    done = done && (model->dtable = zeros(model, SYMBOLS * columns));
    return done && (model->dx = zeros(model, activations));
}

static prnn_status plan_make(struct model *model, prnn_context *ctx, const prnn_cell *cell)
{
    prnn_status st;
    prnn_problem problem = PRNN_PROBLEM_INIT;
    problem.batch = model->shape.batch;
    problem.seq_len = model->shape.seq_len;
    problem.channels = model->layout.channels;
    problem.storage = model->shape.storage;
    problem.backward = !model->shape.decode;
    if ((st = prnn_plan_create(&model->plan, cell, &problem)) < 0)
        return st;
    return shared_alloc(&model->workspace, ctx, prnn_plan_workspace_size(model->plan));
}

prnn_status model_create(struct model **out, prnn_context *ctx, const prnn_cell *cell,
                         const struct model_shape *shape)
{
    prnn_status st;
    struct model *model = calloc(1, sizeof *model);
    *out = NULL;
    if (!model)
        return PRNN_E_NOMEM;
    model->shape = *shape;
    model->dense = shape->storage == PRNN_F64 ? &dense_f64 : &dense_f32;
    model->layout.size = model->dense->size;
    model->layout.batch = shape->batch;
    model->layout.seq_len = shape->seq_len;
    model->layout.decode = shape->decode;
    st = PRNN_E_UNSUPPORTED;
    if (shape->layers < 1 || shape->layers > MAX_LAYERS) {
        fprintf(stderr, "charlm: --layers is %d, needed is 1 to %d\n", shape->layers, MAX_LAYERS);
        goto fail;
    }
    if ((st = recurrence_layout_make(&model->layout, ctx, cell, shape->width)) < 0)
        goto fail;
    st = PRNN_E_NOMEM;
    if (!add_groups(model) || !buffers_alloc(model))
        goto fail;
    if ((st = plan_make(model, ctx, cell)) < 0)
        goto fail;
    for (int l = 0; l < shape->layers; l++)
        if ((st = recurrence_create(&model->layers[l], &model->layout, model->plan)) < 0)
            goto fail;
    *out = model;
    return st;
fail:
    model_free(model);
    return st;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    for (int l = 0; l < MAX_LAYERS; l++)
        recurrence_free(model->layers[l], &model->layout);
    if (model->layout.ctx)
        shared_free(&model->workspace, model->layout.ctx);
    prnn_plan_free(model->plan);
    for (int l = 0; l <= MAX_LAYERS; l++)
        free(model->x[l]);
    void *all[] = {model->params, model->grads, model->groups, model->dx,
                   model->logits, model->table, model->dtable};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(model);
}

/* ----------------------------------------------------------------------------------- parameters */

prnn_status model_init(struct model *model, uint64_t seed)
{
    prnn_status st = PRNN_OK;
    struct random random = {seed};
    const struct dense *dense = model->dense;
    const size_t width = (size_t)model->shape.width, columns = (size_t)model->layout.columns;
    const double deviation = 1.0 / sqrt((double)width);
    dense->fill_normal(param(model, model->embedding), 0.5, SYMBOLS * width, &random);
    for (int l = 0; st >= 0 && l < model->shape.layers; l++) {
        dense->fill_normal(param(model, model->weight[l]), deviation, width * columns, &random);
        dense->fill(param(model, model->bias[l]), 0.0, columns);
        st = recurrence_params_init(&model->layout, seed + (uint64_t)l,
                                    param(model, model->cell[l]));
    }
    dense->fill_normal(param(model, model->readout), 0.5 * deviation, width * SYMBOLS, &random);
    dense->fill(param(model, model->offset), 0.0, SYMBOLS);
    return st;
}

prnn_status model_clip(struct model *model)
{
    prnn_status st = PRNN_OK;
    for (int l = 0; st >= 0 && l < model->shape.layers; l++)
        st = recurrence_params_clip(&model->layout, param(model, model->cell[l]));
    return st;
}

const struct model_shape *model_shape_of(const struct model *model)
{
    return &model->shape;
}

void model_copy(struct model *to, const struct model *from)
{
    memcpy(to->params, from->params, from->param_count * from->dense->size);
}

size_t model_param_count(const struct model *model)
{
    return model->param_count;
}

void *model_params(struct model *model)
{
    return model->params;
}

const void *model_grads(const struct model *model)
{
    return model->grads;
}

const struct model_group *model_groups(const struct model *model, size_t *count)
{
    *count = model->group_count;
    return model->groups;
}

const struct dense *model_dense(const struct model *model)
{
    return model->dense;
}

const char *model_plan_describe(const struct model *model)
{
    return prnn_plan_describe(model->plan);
}

/* ------------------------------------------------------------------------------------- running */

prnn_status model_forget(struct model *model)
{
    prnn_status st = PRNN_OK;
    for (int l = 0; st >= 0 && l < model->shape.layers; l++)
        st = recurrence_forget(model->layers[l], &model->layout);
    return st;
}

prnn_status model_carry(struct model *model)
{
    prnn_status st = PRNN_OK;
    for (int l = 0; st >= 0 && l < model->shape.layers; l++)
        st = recurrence_carry(model->layers[l], &model->layout);
    return st;
}

void model_prepare(struct model *model)
{
    const struct dense *dense = model->dense;
    const int columns = model->layout.columns;
    dense->fill_rows(model->table, param(model, model->bias[0]), SYMBOLS, columns);
    dense->multiply(
        &(struct product){
            .rows = SYMBOLS, .columns = columns, .inner = model->shape.width, .accumulate = true},
        param(model, model->embedding), param(model, model->weight[0]), model->table);
}

static prnn_status forward(struct model *model, const unsigned char *symbols)
{
    prnn_status st;
    const struct dense *dense = model->dense;
    const int rows = row_count(model), width = model->shape.width, columns = model->layout.columns;
    const int layers = model->shape.layers;
    dense->gather(model->x[0], param(model, model->embedding), symbols, rows, width);
    for (int l = 0; l < layers; l++) {
        struct recurrence *layer = model->layers[l];
        if (l == 0) {
            dense->gather(layer->u.host, model->table, symbols, rows, columns);
        } else {
            dense->fill_rows(layer->u.host, param(model, model->bias[l]), rows, columns);
            dense->multiply(
                &(struct product){
                    .rows = rows, .columns = columns, .inner = width, .accumulate = true},
                model->x[l], param(model, model->weight[l]), layer->u.host);
        }
        memcpy(layer->params.host, param(model, model->cell[l]), layer->params.size);
        if ((st = recurrence_forward(layer, &model->layout, model->plan, model->workspace.place)) <
            0)
            return st;
        dense->add(model->x[l + 1], model->x[l], layer->y.host, (size_t)rows * (size_t)width);
    }
    dense->fill_rows(model->logits, param(model, model->offset), rows, SYMBOLS);
    dense->multiply(
        &(struct product){.rows = rows, .columns = SYMBOLS, .inner = width, .accumulate = true},
        model->x[layers], param(model, model->readout), model->logits);
    return PRNN_OK;
}

/* Of a projection: gradients of weight and bias, and what flows on into dx. */
static void projection_backward(struct model *model, const void *x, const void *du, size_t weight,
                                size_t bias, int rows, int columns, void *dx, bool accumulate)
{
    const struct dense *dense = model->dense;
    const int width = model->shape.width;
    dense->multiply(
        &(struct product){.rows = width, .columns = columns, .inner = rows, .transpose_a = true}, x,
        du, grad(model, weight));
    dense->sum_rows(grad(model, bias), du, rows, columns);
    dense->multiply(&(struct product){.rows = rows,
                                      .columns = width,
                                      .inner = columns,
                                      .transpose_b = true,
                                      .accumulate = accumulate},
                    du, param(model, weight), dx);
}

static prnn_status backward(struct model *model, const unsigned char *symbols)
{
    prnn_status st;
    const struct dense *dense = model->dense;
    const int rows = row_count(model), width = model->shape.width, columns = model->layout.columns;
    const int layers = model->shape.layers;
    projection_backward(model, model->x[layers], model->logits, model->readout, model->offset, rows,
                        SYMBOLS, model->dx, false);
    for (int l = layers - 1; l >= 0; l--) {
        struct recurrence *layer = model->layers[l];
        memcpy(layer->dy.host, model->dx, layer->dy.size);
        if ((st = recurrence_backward(layer, &model->layout, model->plan, model->workspace.place)) <
            0)
            return st;
        memcpy(grad(model, model->cell[l]), layer->dparams.host, layer->dparams.size);
        if (l > 0)
            projection_backward(model, model->x[l], layer->du.host, model->weight[l],
                                model->bias[l], rows, columns, model->dx, true);
    }
    dense->fill(model->dtable, 0.0, (size_t)SYMBOLS * (size_t)columns);
    dense->scatter(model->dtable, model->layers[0]->du.host, symbols, rows, columns);
    projection_backward(model, param(model, model->embedding), model->dtable, model->weight[0],
                        model->bias[0], SYMBOLS, columns, grad(model, model->embedding), false);
    dense->scatter(grad(model, model->embedding), model->dx, symbols, rows, width);
    return PRNN_OK;
}

prnn_status model_loss(struct model *model, const unsigned char *symbols,
                       const unsigned char *targets, bool want_gradient, double *loss)
{
    prnn_status st;
    model_prepare(model);
    if ((st = forward(model, symbols)) < 0)
        return st;
    *loss = model->dense->loss(model->logits, targets, row_count(model), SYMBOLS, want_gradient);
    return want_gradient ? backward(model, symbols) : st;
}

prnn_status model_step(struct model *model, const unsigned char *symbols, const void **logits)
{
    *logits = model->logits;
    return forward(model, symbols);
}
