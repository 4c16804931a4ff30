#include "recurrence.h"

#include <stdio.h>
#include <stdlib.h>

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
        const struct prnn_value_info *input = &out->input[i];
        /* Held at some value instead, it would not be the cell that was asked for. */
        if (input->has_gradient && input->has_range) {
            fprintf(stderr,
                    "charlm: input '%s' of cell '%s' is to stay in [%g, %g]: what this program "
                    "learns to give it has no range\n",
                    input->name, info.name, input->lo, input->hi);
            return PRNN_E_UNSUPPORTED;
        }
        out->is_projected[i] = input->has_gradient;
        if (out->is_projected[i])
            out->columns += elements(input, out->channels);
    }
    for (uint32_t i = 0; i < info.params; i++)
        out->param_count += (size_t)elements(&out->param[i], out->channels);
    if (out->columns == 0) {
        fprintf(stderr, "charlm: cell '%s' has no input that takes a gradient\n", info.name);
        return PRNN_E_UNSUPPORTED;
    }
    return PRNN_OK;
}

/* ------------------------------------------------------------------------------------ one layer */

static void *at(const struct recurrence_layout *layout, struct memory *memory, size_t index)
{
    return memory ? memory_at(layout->dense, memory, index) : NULL;
}

static prnn_status memory_make(struct memory **out, const struct recurrence_layout *layout,
                               size_t count)
{
    return prnn_memory_alloc(layout->ctx, (void **)out, count * layout->dense->size);
}

static double one_within(const struct prnn_value_info *value)
{
    if (!value->has_range)
        return 1.0;
    return value->lo > 1.0 ? value->lo : value->hi < 1.0 ? value->hi : 1.0;
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
    if ((st = memory_make(&r->constants, layout, constants * (size_t)rows)) < 0)
        return st;
    size_t column = 0, constant = 0;
    for (uint32_t i = 0; i < layout->inputs; i++) {
        const struct prnn_value_info *input = &layout->input[i];
        const int64_t count = elements(input, layout->channels);
        const int64_t stride_e = input->is_shared ? 1 : layout->channels;
        if (layout->is_projected[i]) {
            const int64_t stride_t = layout->columns, stride_b = stride_t * layout->seq_len;
            if ((st = prnn_plan_bind_strided(plan, r->args, input->name, at(layout, r->u, column),
                                             stride_b, stride_t, stride_e)) < 0 ||
                (st = prnn_plan_bind_strided(plan, r->grads, input->name, at(layout, r->du, column),
                                             stride_b, stride_t, stride_e)) < 0)
                return st;
            column += (size_t)count;
        } else {
            const size_t values = (size_t)(count * rows);
            layout->dense->fill(layout->dense, at(layout, r->constants, constant),
                                one_within(input), values);
            if ((st = prnn_plan_bind_strided(plan, r->args, input->name,
                                             at(layout, r->constants, constant),
                                             count * layout->seq_len, count, stride_e)) < 0)
                return st;
            constant += values;
        }
    }
    return PRNN_OK;
}

static prnn_status params_bind(struct recurrence *r, const struct recurrence_layout *layout,
                               const prnn_plan *plan, const struct recurrence_place *place)
{
    prnn_status st = PRNN_OK;
    size_t offset = 0;
    for (uint32_t i = 0; st >= 0 && i < layout->params; i++) {
        const char *name = layout->param[i].name;
        st = prnn_plan_bind(plan, r->args, name, at(layout, place->params, offset), 0, 0);
        if (st >= 0 && layout->param[i].has_gradient)
            st = prnn_plan_bind(plan, r->grads, name, at(layout, place->dparams, offset), 0, 0);
        offset += (size_t)elements(&layout->param[i], layout->channels);
    }
    return st;
}

static size_t state_size(const struct recurrence_layout *layout, uint32_t i)
{
    return (size_t)layout->batch * layout->state[i].count * (size_t)layout->channels;
}

static prnn_status states_bind(struct recurrence *r, const struct recurrence_layout *layout,
                               const prnn_plan *plan)
{
    prnn_status st;
    char name[80];
    for (uint32_t i = 0; i < layout->states; i++) {
        const struct prnn_value_info *state = &layout->state[i];
        const size_t count = state_size(layout, i);
        const size_t trajectory = layout->decode ? 0 : count * (size_t)layout->seq_len;
        if ((st = memory_make(&r->h0[i], layout, count)) < 0 ||
            (st = memory_make(&r->hT[i], layout, layout->decode ? 0 : count)) < 0 ||
            (st = memory_make(&r->trajectory[i], layout, trajectory)) < 0)
            return st;
        if (!layout->decode && (st = prnn_plan_bind(plan, r->args, state->name, r->trajectory[i],
                                                    PRNN_DENSE, PRNN_DENSE)) < 0)
            return st;
        snprintf(name, sizeof name, "h0:%s", state->name);
        if ((st = prnn_plan_bind(plan, r->args, name, r->h0[i], PRNN_DENSE, PRNN_DENSE)) < 0)
            return st;
        snprintf(name, sizeof name, "hT:%s", state->name);
        if ((st = prnn_plan_bind(plan, r->args, name, layout->decode ? r->h0[i] : r->hT[i],
                                 PRNN_DENSE, PRNN_DENSE)) < 0)
            return st;
    }
    return PRNN_OK;
}

prnn_status recurrence_create(struct recurrence **out, const struct recurrence_layout *layout,
                              const prnn_plan *plan, const struct recurrence_place *place)
{
    prnn_status st;
    const size_t rows = (size_t)layout->batch * (size_t)layout->seq_len;
    const size_t u = rows * (size_t)layout->columns, y = rows * (size_t)layout->width;
    struct recurrence *r = calloc(1, sizeof *r);
    *out = r;
    if (!r)
        return PRNN_E_NOMEM;
    if ((st = memory_make(&r->u, layout, u)) < 0 ||
        (st = memory_make(&r->du, layout, layout->decode ? 0 : u)) < 0 ||
        (st = memory_make(&r->y, layout, y)) < 0 || (st = inputs_bind(r, layout, plan)) < 0 ||
        (st = params_bind(r, layout, plan, place)) < 0 || (st = states_bind(r, layout, plan)) < 0)
        return st;
    /* Last: an output that is plainly a state takes that state's binding. */
    if ((st = prnn_plan_bind(plan, r->args, layout->output.name, r->y, PRNN_DENSE, PRNN_DENSE)) < 0)
        return st;
    if (!layout->decode)
        st = prnn_plan_bind(plan, r->grads, layout->output.name, place->dy, PRNN_DENSE, PRNN_DENSE);
    recurrence_forget(r, layout);
    return st;
}

void recurrence_free(struct recurrence *r, const struct recurrence_layout *layout)
{
    if (!r)
        return;
    struct memory *all[] = {r->u, r->du, r->y, r->constants};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        prnn_memory_free(layout->ctx, all[i]);
    for (uint32_t i = 0; i < layout->states; i++) {
        prnn_memory_free(layout->ctx, r->trajectory[i]);
        prnn_memory_free(layout->ctx, r->h0[i]);
        prnn_memory_free(layout->ctx, r->hT[i]);
    }
    free(r);
}

static prnn_storage storage_of(const struct recurrence_layout *layout)
{
    return layout->dense->size == sizeof(double) ? PRNN_F64 : PRNN_F32;
}

prnn_status recurrence_params_init(const struct recurrence_layout *layout, uint64_t seed,
                                   void *params)
{
    prnn_status st = PRNN_OK;
    char *to = params;
    for (uint32_t i = 0; st >= 0 && i < layout->params; i++) {
        st = prnn_params_init(layout->cell, layout->param[i].name, seed, layout->channels,
                              storage_of(layout), to, PRNN_DENSE);
        to += (size_t)elements(&layout->param[i], layout->channels) * layout->dense->size;
    }
    return st;
}

void recurrence_forget(struct recurrence *r, const struct recurrence_layout *layout)
{
    for (uint32_t i = 0; i < layout->states; i++)
        layout->dense->fill(layout->dense, r->h0[i], layout->state[i].initial,
                            state_size(layout, i));
}

void recurrence_carry(struct recurrence *r, const struct recurrence_layout *layout)
{
    for (uint32_t i = 0; i < layout->states; i++)
        layout->dense->copy(layout->dense, r->h0[i], r->hT[i], state_size(layout, i));
}

prnn_status recurrence_forward(struct recurrence *r, const struct recurrence_layout *layout,
                               const prnn_plan *plan, void *workspace)
{
    return layout->decode ? prnn_step(plan, r->args, workspace, NULL)
                          : prnn_forward(plan, r->args, workspace, NULL);
}

prnn_status recurrence_backward(struct recurrence *r, const prnn_plan *plan, void *workspace)
{
    return prnn_backward(plan, r->args, r->grads, workspace, NULL);
}

prnn_status recurrence_tune(prnn_plan **out, struct recurrence *r, const prnn_plan *plan)
{
    return prnn_plan_tune(out, plan, r->args, r->grads, NULL);
}
