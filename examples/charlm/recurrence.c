#include "recurrence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_host(const prnn_context *ctx)
{
    return !strcmp(prnn_context_device(ctx), "cpu");
}

prnn_status shared_alloc(struct shared_memory *out, prnn_context *ctx, size_t size)
{
    prnn_status st = prnn_memory_alloc(ctx, &out->place, size);
    out->size = size;
    if (st < 0 || !size)
        return st;
    out->host = is_host(ctx) ? out->place : malloc(size);
    if (!out->host)
        return PRNN_E_NOMEM;
    memset(out->host, 0, size);
    return shared_upload(out, ctx);
}

void shared_free(struct shared_memory *memory, prnn_context *ctx)
{
    if (memory->host != memory->place)
        free(memory->host);
    prnn_memory_free(ctx, memory->place);
    *memory = (struct shared_memory){NULL, NULL, 0};
}

prnn_status shared_upload(const struct shared_memory *memory, prnn_context *ctx)
{
    if (memory->host == memory->place)
        return PRNN_OK;
    return prnn_memory_upload(ctx, memory->place, memory->host, memory->size, NULL);
}

prnn_status shared_download(const struct shared_memory *memory, prnn_context *ctx)
{
    if (memory->host == memory->place)
        return PRNN_OK;
    return prnn_memory_download(ctx, memory->host, memory->place, memory->size, NULL);
}

/* ------------------------------------------------------------------------------------- layout */

static prnn_status values_find(const prnn_cell *cell, prnn_role role, uint32_t count,
                               struct prnn_value_info *out)
{
    prnn_status st = PRNN_OK;
    if (count > RECURRENCE_MAX) {
        fprintf(stderr, "charlm: the cell declares %u names of one role, this program takes %d\n",
                count, RECURRENCE_MAX);
        return PRNN_E_UNSUPPORTED;
    }
    for (uint32_t i = 0; st >= 0 && i < count; i++) {
        out[i] = (struct prnn_value_info)PRNN_VALUE_INFO_INIT;
        st = prnn_cell_value(cell, role, i, &out[i]);
    }
    return st;
}

static int elements(const struct prnn_value_info *value, int channels)
{
    return (int)value->count * (value->is_shared ? 1 : channels);
}

prnn_status recurrence_layout_make(struct recurrence_layout *out, prnn_context *ctx,
                                   const prnn_cell *cell, int width)
{
    prnn_status st;
    prnn_cell_info info = PRNN_CELL_INFO_INIT;
    if ((st = prnn_cell_describe(cell, &info)) < 0)
        return st;
    if (info.outputs != 1) {
        fprintf(stderr, "charlm: cell '%s' has %u outputs, this program takes one: add 'output'\n",
                info.name, info.outputs);
        return PRNN_E_UNSUPPORTED;
    }
    out->ctx = ctx;
    out->cell = cell;
    out->inputs = info.inputs;
    out->states = info.states;
    out->params = info.params;
    if ((st = values_find(cell, PRNN_OUTPUT, 1, &out->output)) < 0 ||
        (st = values_find(cell, PRNN_INPUT, info.inputs, out->input)) < 0 ||
        (st = values_find(cell, PRNN_STATE, info.states, out->state)) < 0 ||
        (st = values_find(cell, PRNN_PARAM, info.params, out->param)) < 0)
        return st;
    if (width % (int)out->output.count != 0) {
        fprintf(stderr, "charlm: --channels %d is no multiple of the %u elements of output '%s'\n",
                width, out->output.count, out->output.name);
        return PRNN_E_UNSUPPORTED;
    }
    out->width = width;
    out->channels = width / (int)out->output.count;
    for (uint32_t i = 0; i < info.inputs; i++) {
        out->is_projected[i] = out->input[i].has_gradient && !out->input[i].has_range;
        if (out->is_projected[i])
            out->columns += elements(&out->input[i], out->channels);
    }
    for (uint32_t i = 0; i < info.params; i++)
        out->param_count += (size_t)elements(&out->param[i], out->channels);
    if (out->columns == 0) {
        fprintf(stderr, "charlm: cell '%s' has no input that takes a gradient and has no range\n",
                info.name);
        return PRNN_E_UNSUPPORTED;
    }
    return PRNN_OK;
}

/* ------------------------------------------------------------------------------------ one layer */

static void *at(const struct recurrence_layout *layout, const struct shared_memory *memory,
                size_t index)
{
    return memory->place ? (char *)memory->place + index * layout->size : NULL;
}

static double one_within(const struct prnn_value_info *value)
{
    if (!value->has_range)
        return 1.0;
    return value->lo > 1.0 ? value->lo : value->hi < 1.0 ? value->hi : 1.0;
}

static void constant_fill(const struct recurrence_layout *layout, void *host, double value,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (layout->size == sizeof(double))
            ((double *)host)[i] = value;
        else
            ((float *)host)[i] = (float)value;
    }
}

/* Inputs stand side by side in a row of 'u', one block of [elements, channels] after the other. */
static prnn_status inputs_bind(struct recurrence *r, const struct recurrence_layout *layout,
                               const prnn_plan *plan)
{
    const int64_t rows = (int64_t)layout->batch * layout->seq_len;
    size_t constants = 0;
    prnn_status st;
    for (uint32_t i = 0; i < layout->inputs; i++)
        if (!layout->is_projected[i])
            constants += (size_t)elements(&layout->input[i], layout->channels);
    if ((st = shared_alloc(&r->constants, layout->ctx, constants * (size_t)rows * layout->size)) <
        0)
        return st;
    size_t column = 0, constant = 0;
    for (uint32_t i = 0; i < layout->inputs; i++) {
        const struct prnn_value_info *input = &layout->input[i];
        const int64_t count = elements(input, layout->channels);
        const int64_t stride_e = input->is_shared ? 1 : layout->channels;
        if (layout->is_projected[i]) {
            const int64_t stride_t = layout->columns, stride_b = stride_t * layout->seq_len;
            if ((st = prnn_plan_bind_strided(plan, r->args, input->name, at(layout, &r->u, column),
                                             stride_b, stride_t, stride_e)) < 0 ||
                (st =
                     prnn_plan_bind_strided(plan, r->grads, input->name, at(layout, &r->du, column),
                                            stride_b, stride_t, stride_e)) < 0)
                return st;
            column += (size_t)count;
        } else {
            const size_t values = (size_t)(count * rows);
            constant_fill(layout, (char *)r->constants.host + constant * layout->size,
                          one_within(input), values);
            if ((st = prnn_plan_bind_strided(plan, r->args, input->name,
                                             at(layout, &r->constants, constant),
                                             count * layout->seq_len, count, stride_e)) < 0)
                return st;
            constant += values;
        }
    }
    return shared_upload(&r->constants, layout->ctx);
}

static prnn_status params_bind(struct recurrence *r, const struct recurrence_layout *layout,
                               const prnn_plan *plan)
{
    prnn_status st = PRNN_OK;
    size_t offset = 0;
    for (uint32_t i = 0; st >= 0 && i < layout->params; i++) {
        const char *name = layout->param[i].name;
        st = prnn_plan_bind(plan, r->args, name, at(layout, &r->params, offset), 0, 0);
        if (st >= 0 && layout->param[i].has_gradient)
            st = prnn_plan_bind(plan, r->grads, name, at(layout, &r->dparams, offset), 0, 0);
        offset += (size_t)elements(&layout->param[i], layout->channels);
    }
    return st;
}

static prnn_status states_bind(struct recurrence *r, const struct recurrence_layout *layout,
                               const prnn_plan *plan)
{
    prnn_status st;
    char name[80];
    for (uint32_t i = 0; i < layout->states; i++) {
        const struct prnn_value_info *state = &layout->state[i];
        const size_t size =
            (size_t)layout->batch * state->count * (size_t)layout->channels * layout->size;
        const size_t trajectory = layout->decode ? 0 : size * (size_t)layout->seq_len;
        if ((st = shared_alloc(&r->h0[i], layout->ctx, size)) < 0 ||
            (st = shared_alloc(&r->hT[i], layout->ctx, layout->decode ? 0 : size)) < 0 ||
            (st = shared_alloc(&r->trajectory[i], layout->ctx, trajectory)) < 0)
            return st;
        if (!layout->decode &&
            (st = prnn_plan_bind(plan, r->args, state->name, r->trajectory[i].place, PRNN_DENSE,
                                 PRNN_DENSE)) < 0)
            return st;
        snprintf(name, sizeof name, "h0:%s", state->name);
        if ((st = prnn_plan_bind(plan, r->args, name, r->h0[i].place, PRNN_DENSE, PRNN_DENSE)) < 0)
            return st;
        snprintf(name, sizeof name, "hT:%s", state->name);
        if ((st = prnn_plan_bind(plan, r->args, name,
                                 layout->decode ? r->h0[i].place : r->hT[i].place, PRNN_DENSE,
                                 PRNN_DENSE)) < 0)
            return st;
    }
    return PRNN_OK;
}

prnn_status recurrence_create(struct recurrence **out, const struct recurrence_layout *layout,
                              const prnn_plan *plan)
{
    prnn_status st;
    const size_t row = (size_t)layout->batch * (size_t)layout->seq_len * layout->size;
    const size_t u = row * (size_t)layout->columns, y = row * (size_t)layout->width;
    struct recurrence *r = calloc(1, sizeof *r);
    *out = r;
    if (!r)
        return PRNN_E_NOMEM;
    if ((st = shared_alloc(&r->u, layout->ctx, u)) < 0 ||
        (st = shared_alloc(&r->du, layout->ctx, layout->decode ? 0 : u)) < 0 ||
        (st = shared_alloc(&r->y, layout->ctx, y)) < 0 ||
        (st = shared_alloc(&r->dy, layout->ctx, layout->decode ? 0 : y)) < 0 ||
        (st = shared_alloc(&r->params, layout->ctx, layout->param_count * layout->size)) < 0 ||
        (st = shared_alloc(&r->dparams, layout->ctx, layout->param_count * layout->size)) < 0 ||
        (st = inputs_bind(r, layout, plan)) < 0 || (st = params_bind(r, layout, plan)) < 0 ||
        (st = states_bind(r, layout, plan)) < 0)
        return st;
    /* Last: an output that is plainly a state takes that state's binding. */
    if ((st = prnn_plan_bind(plan, r->args, layout->output.name, r->y.place, PRNN_DENSE,
                             PRNN_DENSE)) < 0)
        return st;
    if (!layout->decode)
        st = prnn_plan_bind(plan, r->grads, layout->output.name, r->dy.place, PRNN_DENSE,
                            PRNN_DENSE);
    return st < 0 ? st : recurrence_forget(r, layout);
}

void recurrence_free(struct recurrence *r, const struct recurrence_layout *layout)
{
    if (!r)
        return;
    struct shared_memory *all[] = {&r->u,      &r->du,      &r->y,        &r->dy,
                                   &r->params, &r->dparams, &r->constants};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        shared_free(all[i], layout->ctx);
    for (uint32_t i = 0; i < layout->states; i++) {
        shared_free(&r->trajectory[i], layout->ctx);
        shared_free(&r->h0[i], layout->ctx);
        shared_free(&r->hT[i], layout->ctx);
    }
    free(r);
}

static prnn_storage storage_of(const struct recurrence_layout *layout)
{
    return layout->size == sizeof(double) ? PRNN_F64 : PRNN_F32;
}

prnn_status recurrence_params_init(const struct recurrence_layout *layout, uint64_t seed,
                                   void *params)
{
    prnn_status st = PRNN_OK;
    char *to = params;
    for (uint32_t i = 0; st >= 0 && i < layout->params; i++) {
        st = prnn_params_init(layout->cell, layout->param[i].name, seed, layout->channels,
                              storage_of(layout), to, PRNN_DENSE);
        to += (size_t)elements(&layout->param[i], layout->channels) * layout->size;
    }
    return st;
}

prnn_status recurrence_params_clip(const struct recurrence_layout *layout, void *params)
{
    prnn_status st = PRNN_OK;
    char *to = params;
    for (uint32_t i = 0; st >= 0 && i < layout->params; i++) {
        st = prnn_params_clip(layout->cell, layout->param[i].name, layout->channels,
                              storage_of(layout), to, PRNN_DENSE);
        to += (size_t)elements(&layout->param[i], layout->channels) * layout->size;
    }
    return st;
}

prnn_status recurrence_forget(struct recurrence *r, const struct recurrence_layout *layout)
{
    prnn_status st = PRNN_OK;
    for (uint32_t i = 0; st >= 0 && i < layout->states; i++) {
        constant_fill(layout, r->h0[i].host, layout->state[i].initial,
                      r->h0[i].size / layout->size);
        st = shared_upload(&r->h0[i], layout->ctx);
    }
    return st;
}

prnn_status recurrence_carry(struct recurrence *r, const struct recurrence_layout *layout)
{
    prnn_status st = PRNN_OK;
    for (uint32_t i = 0; st >= 0 && i < layout->states; i++) {
        if ((st = shared_download(&r->hT[i], layout->ctx)) < 0)
            break;
        memcpy(r->h0[i].host, r->hT[i].host, r->h0[i].size);
        st = shared_upload(&r->h0[i], layout->ctx);
    }
    return st;
}

prnn_status recurrence_forward(struct recurrence *r, const struct recurrence_layout *layout,
                               const prnn_plan *plan, void *workspace)
{
    prnn_status st;
    if ((st = shared_upload(&r->u, layout->ctx)) < 0 ||
        (st = shared_upload(&r->params, layout->ctx)) < 0)
        return st;
    st = layout->decode ? prnn_step(plan, r->args, workspace, NULL)
                        : prnn_forward(plan, r->args, workspace, NULL);
    return st < 0 ? st : shared_download(&r->y, layout->ctx);
}

prnn_status recurrence_backward(struct recurrence *r, const struct recurrence_layout *layout,
                                const prnn_plan *plan, void *workspace)
{
    prnn_status st;
    if ((st = shared_upload(&r->dy, layout->ctx)) < 0 ||
        (st = prnn_backward(plan, r->args, r->grads, workspace, NULL)) < 0 ||
        (st = shared_download(&r->du, layout->ctx)) < 0)
        return st;
    return shared_download(&r->dparams, layout->ctx);
}
