#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "dense_device.h"
#include "random.h"
#include "recurrence.h"
#include "text.h"

enum { MAX_LAYERS = 16, SYMBOLS = TEXT_SYMBOLS };

/* The first layer sees one of 98 rows: its projection is one product per symbol, not per step. */
struct model {
    struct model_shape shape;
    struct recurrence_layout layout;
    const struct dense *dense;
    struct dense device;          /* where 'dense' points with an accelerator */
    prnn_plan *plan;              /* of all layers */
    prnn_plan *tuned[MAX_LAYERS]; /* a layer's own; NULL: none */
    void *workspace;              /* of the plan that needs most */
    struct recurrence *layers[MAX_LAYERS];
    struct memory *params, *grads;
    size_t param_count, group_count;
    struct model_group *groups;
    size_t embedding, weight[MAX_LAYERS], bias[MAX_LAYERS], cell[MAX_LAYERS], readout, offset;
    struct memory *symbols, *targets; /* [rows], one byte each */
    struct memory *x[MAX_LAYERS + 1]; /* [rows, width] */
    struct memory *dx;                /* [rows, width] */
    struct memory *logits;            /* [rows, SYMBOLS] */
    struct memory *table, *dtable;    /* [SYMBOLS, columns]: embedding times the first projection */
};

static struct memory *param(const struct model *model, size_t offset)
{
    return memory_at(model->dense, model->params, offset);
}

static struct memory *grad(const struct model *model, size_t offset)
{
    return memory_at(model->dense, model->grads, offset);
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
    *group = (struct model_group){.offset = model->param_count,
                                  .rows = rows,
                                  .columns = columns,
                                  .decays = decays,
                                  .lo = -INFINITY,
                                  .hi = INFINITY};
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
            if (value->has_range) {
                model->groups[model->group_count - 1].lo = value->lo;
                model->groups[model->group_count - 1].hi = value->hi;
            }
        }
    }
    model->readout = add_group(model, "readout.weight", -1, width, SYMBOLS, true);
    model->offset = add_group(model, "readout.bias", -1, 1, SYMBOLS, false);
    return true;
}

static prnn_status buffers_alloc(struct model *model)
{
    prnn_status st = PRNN_OK;
    const size_t size = model->dense->size;
    const size_t rows = (size_t)row_count(model), columns = (size_t)model->layout.columns;
    const size_t activations = rows * (size_t)model->shape.width * size;
    const size_t table = SYMBOLS * columns * size, params = model->param_count * size;
    const bool has_backward = !model->shape.decode;
    const struct {
        struct memory **out;
        size_t size;
    } wanted[] = {
        {&model->symbols, rows},
        {&model->targets, rows},
        {&model->params, params},
        {&model->logits, rows * SYMBOLS * size},
        {&model->table, table},
        {&model->grads, has_backward ? params : 0},
        {&model->dtable, has_backward ? table : 0},
        {&model->dx, has_backward ? activations : 0},
    };
    for (size_t i = 0; st >= 0 && i < sizeof wanted / sizeof *wanted; i++)
        st = prnn_memory_alloc(model->layout.ctx, (void **)wanted[i].out, wanted[i].size);
    for (int l = 0; st >= 0 && l <= model->shape.layers; l++)
        st = prnn_memory_alloc(model->layout.ctx, (void **)&model->x[l], activations);
    /* A cell's parameter may have no gradient: then nothing is written there. */
    if (st >= 0 && has_backward)
        model->dense->fill(model->dense, model->grads, 0, model->param_count);
    return st;
}

/* The recurrences read and write the model's own memory where they can. */
static prnn_status layers_make(struct model *model)
{
    prnn_status st = PRNN_OK;
    for (int l = 0; st >= 0 && l < model->shape.layers; l++) {
        const struct recurrence_place place = {
            .params = param(model, model->cell[l]),
            .dparams = model->grads ? grad(model, model->cell[l]) : NULL,
            .dy = model->dx,
        };
        st = recurrence_create(&model->layers[l], &model->layout, model->plan, &place);
    }
    return st;
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
    return prnn_memory_alloc(ctx, &model->workspace, prnn_plan_workspace_size(model->plan));
}

static prnn_status dense_make(struct model *model, const struct machine *machine)
{
    const bool is_f64 = model->shape.storage == PRNN_F64;
    const int rows = row_count(model);
    model->dense = is_f64 ? &dense_host_f64 : &dense_host_f32;
    if (!machine->accelerator)
        return PRNN_OK;
    model->dense = &model->device;
    return dense_device_create(&model->device, machine->accelerator, machine->ctx, is_f64,
                               rows > SYMBOLS ? rows : SYMBOLS, SYMBOLS);
}

prnn_status model_create(struct model **out, const struct machine *machine, const prnn_cell *cell,
                         const struct model_shape *shape)
{
    prnn_status st;
    struct model *model = calloc(1, sizeof *model);
    *out = NULL;
    if (!model)
        return PRNN_E_NOMEM;
    model->shape = *shape;
    model->layout.ctx = machine->ctx;
    model->layout.batch = shape->batch;
    model->layout.seq_len = shape->seq_len;
    model->layout.decode = shape->decode;
    st = PRNN_E_UNSUPPORTED;
    if (shape->layers < 1 || shape->layers > MAX_LAYERS) {
        fprintf(stderr, "charlm: --layers is %d, needed is 1 to %d\n", shape->layers, MAX_LAYERS);
        goto fail;
    }
    if ((st = dense_make(model, machine)) < 0)
        goto fail;
    model->layout.dense = model->dense;
    if ((st = recurrence_layout_make(&model->layout, machine->ctx, cell, shape->width)) < 0)
        goto fail;
    st = PRNN_E_NOMEM;
    if (!add_groups(model) || (st = buffers_alloc(model)) < 0 ||
        (st = plan_make(model, machine->ctx, cell)) < 0 || (st = layers_make(model)) < 0)
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
    prnn_context *ctx = model->layout.ctx;
    for (int l = 0; l < MAX_LAYERS; l++)
        recurrence_free(model->layers[l], &model->layout);
    prnn_memory_free(ctx, model->workspace);
    for (int l = 0; l < MAX_LAYERS; l++)
        prnn_plan_free(model->tuned[l]);
    prnn_plan_free(model->plan);
    for (int l = 0; l <= MAX_LAYERS; l++)
        prnn_memory_free(ctx, model->x[l]);
    struct memory *all[] = {model->symbols, model->targets, model->params, model->grads,
                            model->dx,      model->logits,  model->table,  model->dtable};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        prnn_memory_free(ctx, all[i]);
    dense_device_free(&model->device);
    free(model->groups);
    free(model);
}

/* ----------------------------------------------------------------------------------- parameters */

static void *host_at(const struct model *model, void *host, size_t index)
{
    return (char *)host + index * model->dense->size;
}

static void normal_fill(const struct model *model, void *host, double deviation, size_t count,
                        struct random *random)
{
    for (size_t i = 0; i < count; i++) {
        const double value = deviation * random_normal(random);
        if (model->shape.storage == PRNN_F64)
            ((double *)host)[i] = value;
        else
            ((float *)host)[i] = (float)value;
    }
}

prnn_status model_init(struct model *model, uint64_t seed)
{
    prnn_status st = PRNN_OK;
    struct random random = {seed};
    const size_t width = (size_t)model->shape.width, columns = (size_t)model->layout.columns;
    const double deviation = 1.0 / sqrt((double)width);
    void *host = calloc(model->param_count, model->dense->size); /* biases stay 0 */
    if (!host)
        return PRNN_E_NOMEM;
    normal_fill(model, host_at(model, host, model->embedding), 0.5, SYMBOLS * width, &random);
    for (int l = 0; st >= 0 && l < model->shape.layers; l++) {
        normal_fill(model, host_at(model, host, model->weight[l]), deviation, width * columns,
                    &random);
        st = recurrence_params_init(&model->layout, seed + (uint64_t)l,
                                    host_at(model, host, model->cell[l]));
    }
    normal_fill(model, host_at(model, host, model->readout), 0.5 * deviation, width * SYMBOLS,
                &random);
    if (st >= 0)
        st = model_upload(model, model->params, host, model->param_count);
    free(host);
    return st;
}

const struct model_shape *model_shape_of(const struct model *model)
{
    return &model->shape;
}

void model_copy(struct model *to, const struct model *from)
{
    to->dense->copy(to->dense, to->params, from->params, from->param_count);
}

prnn_status model_download(const struct model *model, void *host, const struct memory *from,
                           size_t count)
{
    return prnn_memory_download(model->layout.ctx, host, from, count * model->dense->size, NULL);
}

prnn_status model_upload(const struct model *model, struct memory *to, const void *host,
                         size_t count)
{
    return prnn_memory_upload(model->layout.ctx, to, host, count * model->dense->size, NULL);
}

size_t model_param_count(const struct model *model)
{
    return model->param_count;
}

struct memory *model_params(const struct model *model)
{
    return model->params;
}

const struct memory *model_grads(const struct model *model)
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

static const prnn_plan *plan_of(const struct model *model, int layer)
{
    return model->tuned[layer] ? model->tuned[layer] : model->plan;
}

const char *model_plan_describe(const struct model *model, int layer)
{
    return prnn_plan_describe(plan_of(model, layer));
}

prnn_status model_tune(struct model *model)
{
    size_t largest = 0;
    for (int l = 0; l < model->shape.layers; l++) {
        prnn_plan *tuned;
        prnn_status st;
        if ((st = recurrence_tune(&tuned, model->layers[l], plan_of(model, l))) < 0)
            return st;
        prnn_plan_free(model->tuned[l]);
        model->tuned[l] = tuned;
        if (prnn_plan_workspace_size(tuned) > largest)
            largest = prnn_plan_workspace_size(tuned);
    }
    prnn_memory_free(model->layout.ctx, model->workspace);
    model->workspace = NULL;
    return prnn_memory_alloc(model->layout.ctx, &model->workspace, largest);
}

/* ------------------------------------------------------------------------------------- running */

void model_forget(struct model *model)
{
    for (int l = 0; l < model->shape.layers; l++)
        recurrence_forget(model->layers[l], &model->layout);
}

void model_carry(struct model *model)
{
    for (int l = 0; l < model->shape.layers; l++)
        recurrence_carry(model->layers[l], &model->layout);
}

void model_prepare(struct model *model)
{
    const struct dense *dense = model->dense;
    const int columns = model->layout.columns;
    dense->fill_rows(dense, model->table, param(model, model->bias[0]), SYMBOLS, columns);
    dense->multiply(
        dense,
        &(struct product){
            .rows = SYMBOLS, .columns = columns, .inner = model->shape.width, .accumulate = true},
        param(model, model->embedding), param(model, model->weight[0]), model->table);
}

static prnn_status bytes_upload(struct model *model, struct memory *to, const unsigned char *bytes)
{
    return prnn_memory_upload(model->layout.ctx, to, bytes, (size_t)row_count(model), NULL);
}

/* Kernels and products report late: whether all went well is asked once, at the end. */
static prnn_status fault_check(const struct model *model, prnn_status st)
{
    const char *fault = st < 0 ? NULL : model->dense->fault(model->dense);
    if (!fault)
        return st;
    fprintf(stderr, "charlm: %s\n", fault);
    return PRNN_E_BACKEND;
}

static prnn_status forward(struct model *model)
{
    prnn_status st;
    const struct dense *dense = model->dense;
    const int rows = row_count(model), width = model->shape.width, columns = model->layout.columns;
    const int layers = model->shape.layers;
    dense->gather(dense, model->x[0], param(model, model->embedding), model->symbols, rows, width);
    for (int l = 0; l < layers; l++) {
        struct recurrence *layer = model->layers[l];
        if (l == 0) {
            dense->gather(dense, layer->u, model->table, model->symbols, rows, columns);
        } else {
            dense->fill_rows(dense, layer->u, param(model, model->bias[l]), rows, columns);
            dense->multiply(
                dense,
                &(struct product){
                    .rows = rows, .columns = columns, .inner = width, .accumulate = true},
                model->x[l], param(model, model->weight[l]), layer->u);
        }
        if ((st = recurrence_forward(layer, &model->layout, plan_of(model, l), model->workspace)) <
            0)
            return st;
        dense->add(dense, model->x[l + 1], model->x[l], layer->y, (size_t)rows * (size_t)width);
    }
    dense->fill_rows(dense, model->logits, param(model, model->offset), rows, SYMBOLS);
    dense->multiply(
        dense,
        &(struct product){.rows = rows, .columns = SYMBOLS, .inner = width, .accumulate = true},
        model->x[layers], param(model, model->readout), model->logits);
    return PRNN_OK;
}

/* Of a projection: gradients of weight and bias, and what flows on into dx. */
static void projection_backward(struct model *model, const struct memory *x,
                                const struct memory *du, size_t weight, size_t bias, int rows,
                                int columns, struct memory *dx, bool accumulate)
{
    const struct dense *dense = model->dense;
    const int width = model->shape.width;
    dense->multiply(
        dense,
        &(struct product){.rows = width, .columns = columns, .inner = rows, .transpose_a = true}, x,
        du, grad(model, weight));
    dense->sum_rows(dense, grad(model, bias), du, rows, columns);
    dense->multiply(dense,
                    &(struct product){.rows = rows,
                                      .columns = width,
                                      .inner = columns,
                                      .transpose_b = true,
                                      .accumulate = accumulate},
                    du, param(model, weight), dx);
}

/* dx is the gradient of a layer's output and, through the residual, of its input: the projection
 * adds to it after the recurrence has read it. */
static prnn_status backward(struct model *model)
{
    prnn_status st;
    const struct dense *dense = model->dense;
    const int rows = row_count(model), width = model->shape.width, columns = model->layout.columns;
    const int layers = model->shape.layers;
    projection_backward(model, model->x[layers], model->logits, model->readout, model->offset, rows,
                        SYMBOLS, model->dx, false);
    for (int l = layers - 1; l >= 0; l--) {
        struct recurrence *layer = model->layers[l];
        if ((st = recurrence_backward(layer, plan_of(model, l), model->workspace)) < 0)
            return st;
        if (l > 0)
            projection_backward(model, model->x[l], layer->du, model->weight[l], model->bias[l],
                                rows, columns, model->dx, true);
    }
    dense->fill(dense, model->dtable, 0.0, (size_t)SYMBOLS * (size_t)columns);
    dense->scatter(dense, model->dtable, model->layers[0]->du, model->symbols, rows, columns,
                   SYMBOLS);
    projection_backward(model, param(model, model->embedding), model->dtable, model->weight[0],
                        model->bias[0], SYMBOLS, columns, grad(model, model->embedding), false);
    dense->scatter(dense, grad(model, model->embedding), model->dx, model->symbols, rows, width,
                   SYMBOLS);
    return PRNN_OK;
}

prnn_status model_loss(struct model *model, const unsigned char *symbols,
                       const unsigned char *targets, bool want_gradient, double *loss)
{
    prnn_status st;
    if ((st = bytes_upload(model, model->symbols, symbols)) < 0 ||
        (st = bytes_upload(model, model->targets, targets)) < 0)
        return st;
    model_prepare(model);
    if ((st = forward(model)) < 0)
        return st;
    *loss = model->dense->loss(model->dense, model->logits, model->targets, row_count(model),
                               SYMBOLS, want_gradient);
    if (want_gradient)
        st = backward(model);
    return fault_check(model, st);
}

prnn_status model_step(struct model *model, const unsigned char *symbols, float *logits)
{
    prnn_status st;
    if ((st = bytes_upload(model, model->symbols, symbols)) < 0 || (st = forward(model)) < 0 ||
        (st = fault_check(model, st)) < 0)
        return st;
    return model_download(model, logits, model->logits, (size_t)row_count(model) * SYMBOLS);
}
