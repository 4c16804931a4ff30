/* From bound tensors to the launch argument: the one place where strides are resolved, time is
 * turned round, and bindings are checked. */
#include "handles.h"

#include "status.h"

#include <string.h>

enum { NAME_ROOM = 80 };

/* One launch in the making. */
struct maker {
    const prnn_plan *plan;
    enum launch_view view;
    int64_t batch, steps, channels;
    struct launch *out;
};

/* A bound tensor with its strides resolved, time in the direction of the recurrence. */
struct resolved {
    unsigned char *data;
    int64_t stride_b, stride_t, stride_e, width;
    size_t size; /* bytes of an element */
};

static bool is_sequence(enum slot_kind kind)
{
    return kind == SLOT_INPUT || kind == SLOT_OUTPUT || kind == SLOT_STATE;
}

static struct resolved resolve_tensor(const struct maker *m, const struct slot *slot,
                                      const prnn_tensor *tensor)
{
    const struct backend_shape *shape = &m->plan->shape;
    const bool is_step = m->view == VIEW_STEP;
    struct resolved r = {.data = tensor->data,
                         .stride_b = tensor->stride_b,
                         .stride_t = tensor->stride_t,
                         .stride_e = tensor->stride_e,
                         .width = slot->is_shared ? 1 : m->channels};
    r.size = slot->kind == SLOT_RESET        ? 1
             : slot->kind == SLOT_CU_SEQLENS ? sizeof(int64_t)
             : is_sequence(slot->kind)       ? storage_bytes(shape->storage)
                                             : real_bytes(shape->storage);
    if (r.stride_e == PRNN_DENSE)
        r.stride_e = r.width;
    const bool has_time = (is_sequence(slot->kind) || slot->kind == SLOT_RESET) && !is_step;
    if (r.stride_t == PRNN_DENSE)
        r.stride_t = slot->count * r.stride_e;
    if (r.stride_b == PRNN_DENSE)
        r.stride_b = has_time ? m->steps * r.stride_t : slot->count * r.stride_e;
    if (!has_time)
        r.stride_t = 0;
    else if (shape->is_packed)
        r.stride_b = 0;
    else if (shape->is_reversed && m->steps > 0) {
        r.data = r.data ? r.data + (m->steps - 1) * r.stride_t * (int64_t)r.size : NULL;
        r.stride_t = -r.stride_t;
    }
    return r;
}

static prnn_status refuse(const struct slot *slot, const char *array, const char *words)
{
    char name[NAME_ROOM];
    return status_set(PRNN_E_INVALID, "'%s' in %s %s", slot_name(slot, name, sizeof name), array,
                      words);
}

static bool coincide(int64_t stride, int64_t extent, int64_t width)
{
    return extent > 1 && width > 0 && stride < width && stride > -width;
}

/* The scalars of a slot from place 'first' on. */
static prnn_status put(const struct maker *m, const struct slot *slot, const prnn_tensor *tensor,
                       uint32_t first, bool is_written, const char *array)
{
    const struct resolved r = resolve_tensor(m, slot, tensor);
    if (!r.data)
        return PRNN_OK;
    if ((uintptr_t)tensor->data % r.size)
        return refuse(slot, array, "is not aligned to its elements");
    const bool has_batch =
        slot->kind != SLOT_PARAM && !(is_sequence(slot->kind) && r.stride_b == 0 &&
                                      m->plan->shape.is_packed && m->view != VIEW_STEP);
    /* Without steps nothing is written, and dense rows are 0 apart. */
    const bool has_elements = !is_sequence(slot->kind) || m->view == VIEW_STEP || m->steps > 0;
    if (is_written && has_elements && m->batch && m->channels &&
        ((has_batch && coincide(r.stride_b, m->batch, r.width)) ||
         (is_sequence(slot->kind) && m->view != VIEW_STEP &&
          coincide(r.stride_t, m->steps, r.width)) ||
         coincide(r.stride_e, slot->count, r.width)))
        return refuse(slot, array, "is written, but its strides make elements coincide");
    for (uint32_t e = 0; e < slot->count; e++) {
        struct prnn_arg *arg = &m->out->args[first + e];
        unsigned char *base = r.data + e * r.stride_e * (int64_t)r.size;
        if (arg->base && arg->base != base)
            return refuse(slot, array,
                          "is the same values as another tensor that is bound; bind "
                          "one of them");
        *arg = (struct prnn_arg){base, r.stride_b, r.stride_t};
    }
    return PRNN_OK;
}

/* An output whose elements are expressions, states, or both. 'y' and 'h' are the first places. */
static prnn_status put_output(const struct maker *m, const struct slot *slot,
                              const prnn_tensor *tensor, uint32_t y, uint32_t h, bool is_written,
                              const char *array)
{
    const prnn_cell *cell = m->plan->cell;
    prnn_tensor element = *tensor;
    const struct resolved r = resolve_tensor(m, slot, tensor);
    struct slot one = *slot;
    /* Strides of one element are those of the whole. */
    one.count = 1;
    element.stride_e = r.stride_e;
    if (element.stride_t == PRNN_DENSE)
        element.stride_t = slot->count * r.stride_e;
    if (element.stride_b == PRNN_DENSE)
        element.stride_b =
            m->view == VIEW_STEP ? slot->count * r.stride_e : m->steps * element.stride_t;
    for (uint32_t e = 0; e < slot->count; e++) {
        const int32_t expression = cell->output_expression[slot->first + e];
        const uint32_t place = expression >= 0 ? y + (uint32_t)expression
                                               : h + (uint32_t)cell->output_state[slot->first + e];
        element.data =
            tensor->data ? (unsigned char *)tensor->data + e * r.stride_e * (int64_t)r.size : NULL;
        const prnn_status st = put(m, &one, &element, place, is_written, array);
        if (st < 0)
            return st;
    }
    return PRNN_OK;
}

/* Two names with one address, at least one of them written. h0 and hT may be the same. */
static prnn_status check_overlap(const prnn_plan *plan, const prnn_tensor *args,
                                 const prnn_tensor *grads, enum launch_view view)
{
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        const struct slot *slot = &plan->slots[i];
        const bool in_grads = view == VIEW_BACKWARD;
        const prnn_tensor *own = in_grads ? grads : args;
        const bool is_written =
            in_grads
                ? slot->kind == SLOT_INPUT || slot->kind == SLOT_PARAM || slot->kind == SLOT_H0
                : slot->kind == SLOT_STATE || slot->kind == SLOT_OUTPUT || slot->kind == SLOT_HT;
        if (!is_written || !own[i].data)
            continue;
        for (uint32_t j = 0; j < plan->slot_count; j++) {
            const bool is_carry = !in_grads && slot->kind == SLOT_HT &&
                                  plan->slots[j].kind == SLOT_H0 &&
                                  plan->slots[j].first == slot->first;
            if ((j != i && own[j].data == own[i].data && !is_carry) ||
                (in_grads && args[j].data == own[i].data))
                return refuse(slot, in_grads ? "grads" : "args",
                              "is written, but another name is bound to the same memory");
        }
    }
    return PRNN_OK;
}

static prnn_status put_args(const struct maker *m, const prnn_tensor *args)
{
    const prnn_plan *plan = m->plan;
    const struct launch_places *at = &plan->shape.places;
    const bool is_backward = m->view == VIEW_BACKWARD;
    prnn_status st = PRNN_OK;
    for (uint32_t i = 0; i < plan->slot_count && st == PRNN_OK; i++) {
        const struct slot *slot = &plan->slots[i];
        const prnn_tensor *tensor = &args[i];
        switch (slot->kind) {
        case SLOT_INPUT:
            st = put(m, slot, tensor, at->x + slot->first, false, "args");
            break;
        case SLOT_PARAM:
            st = put(m, slot, tensor, at->p + slot->first, false, "args");
            break;
        case SLOT_OUTPUT:
            if (plan->write != PRNN_WRITE_LAST || m->view == VIEW_STEP)
                st = put_output(m, slot, tensor, at->y, at->h, !is_backward, "args");
            break;
        case SLOT_STATE:
            if (plan->write != PRNN_WRITE_LAST || m->view == VIEW_STEP)
                st = put(m, slot, tensor, at->h + slot->first, !is_backward, "args");
            break;
        case SLOT_H0:
            st = put(m, slot, tensor, at->h0 + slot->first, false, "args");
            break;
        case SLOT_HT:
            if (!is_backward)
                st = put(m, slot, tensor, at->ht + slot->first, true, "args");
            break;
        case SLOT_RESET: {
            const struct resolved r = resolve_tensor(m, slot, tensor);
            if (m->view == VIEW_STEP)
                break;
            if (!r.data && m->batch && m->steps)
                return refuse(slot, "args", "is not bound");
            m->out->head.reset = r.data;
            m->out->head.reset_stride_b = r.stride_b;
            m->out->head.reset_stride_t = r.stride_t;
            break;
        }
        case SLOT_CU_SEQLENS:
            if (m->view == VIEW_STEP)
                break;
            if (!tensor->data)
                return refuse(slot, "args", "is not bound");
            m->out->head.cu_seqlens = tensor->data;
            break;
        }
    }
    return st;
}

static prnn_status put_grads(const struct maker *m, const prnn_tensor *grads)
{
    const prnn_plan *plan = m->plan;
    const struct launch_places *at = &plan->shape.places;
    prnn_status st = PRNN_OK;
    for (uint32_t i = 0; i < plan->slot_count && st == PRNN_OK; i++) {
        const struct slot *slot = &plan->slots[i];
        const prnn_tensor *tensor = &grads[i];
        if (tensor->data && !slot->has_gradient &&
            (slot->kind == SLOT_INPUT || slot->kind == SLOT_PARAM))
            return refuse(slot, "grads", "is bound, but it is declared 'nograd'");
        switch (slot->kind) {
        case SLOT_INPUT:
            st = put(m, slot, tensor, at->dx + slot->first, true, "grads");
            break;
        case SLOT_PARAM:
            st = put(m, slot, tensor, at->dp + slot->first, true, "grads");
            break;
        case SLOT_OUTPUT:
            st = put_output(m, slot, tensor, at->gy, at->gh, false, "grads");
            break;
        case SLOT_STATE:
            for (uint32_t e = 0; tensor->data && e < slot->count; e++)
                if (!(plan->shape.state_gradient >> (slot->first + e) & 1))
                    return refuse(slot, "grads",
                                  "is bound, but the state is no output; make the plan with "
                                  "PRNN_WRITE_STATES");
            st = put(m, slot, tensor, at->gh + slot->first, false, "grads");
            break;
        case SLOT_H0:
            st = put(m, slot, tensor, at->dh0 + slot->first, true, "grads");
            break;
        case SLOT_HT:
            st = put(m, slot, tensor, at->ght + slot->first, false, "grads");
            break;
        case SLOT_RESET:
        case SLOT_CU_SEQLENS:
            if (tensor->data)
                return refuse(slot, "grads", "is bound, but it has no gradient");
            break;
        }
    }
    return st;
}

/* Everything that a launch needs is there. */
static prnn_status check_missing(const struct maker *m)
{
    const prnn_plan *plan = m->plan;
    const struct backend_shape *shape = &plan->shape;
    const struct launch_places *at = &shape->places;
    const bool is_empty = !m->batch || !m->steps || !m->channels;
    const bool is_step = m->view == VIEW_STEP;
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        const struct slot *slot = &plan->slots[i];
        for (uint32_t e = 0; e < slot->count; e++) {
            const uint32_t s = slot->first + e;
            bool is_needed = false;
            const struct prnn_arg *arg = NULL;
            if (slot->kind == SLOT_INPUT) {
                arg = &m->out->args[at->x + s];
                is_needed = !is_empty;
            } else if (slot->kind == SLOT_PARAM) {
                arg = &m->out->args[at->p + s];
                is_needed = m->batch && m->channels;
            } else if (slot->kind == SLOT_STATE) {
                arg = &m->out->args[at->h + s];
                is_needed = !is_empty && !is_step && (shape->state_written >> s & 1);
            } else if (slot->kind == SLOT_OUTPUT && plan->cell->output_expression[s] >= 0) {
                arg = &m->out->args[at->y + (uint32_t)plan->cell->output_expression[s]];
                is_needed = !is_empty && m->view == VIEW_FORWARD && plan->write != PRNN_WRITE_LAST;
            }
            if (is_needed && !arg->base)
                return refuse(slot, "args", "is not bound");
        }
    }
    return PRNN_OK;
}

static prnn_status check_cu_seqlens(const struct maker *m)
{
    const prnn_i64 *cu = m->out->head.cu_seqlens;
    if (!cu || m->plan->ctx->cuda)
        return PRNN_OK;
    for (int64_t b = 0; b < m->batch; b++)
        if (cu[b] < 0 || cu[b + 1] < cu[b] || cu[b + 1] > m->steps)
            return status_set(PRNN_E_INVALID,
                              "'cu_seqlens' has %lld at %lld and %lld behind it, needed are "
                              "ascending numbers from 0 to seq_len %lld",
                              (long long)cu[b], (long long)b, (long long)cu[b + 1],
                              (long long)m->steps);
    return PRNN_OK;
}

prnn_status launch_make(const prnn_plan *plan, enum launch_view view, const prnn_tensor *args,
                        const prnn_tensor *grads, struct launch *out)
{
    const struct backend_shape *shape = &plan->shape;
    const struct launch_places *at = &shape->places;
    const uint32_t count = view == VIEW_BACKWARD ? at->backward_count : at->forward_count;
    const struct maker m = {
        plan, view, shape->batch, view == VIEW_STEP ? 1 : shape->seq_len, shape->channels, out};
    prnn_status st;

    memset(out, 0, launch_bytes(count));
    out->head.batch = m.batch;
    out->head.seq_len = m.steps;
    out->head.channels = m.channels;
    out->head.is_reversed = view != VIEW_STEP && shape->is_packed && shape->is_reversed;
    if ((st = put_args(&m, args)) < 0)
        return st;
    if (view == VIEW_BACKWARD && (st = put_grads(&m, grads)) < 0)
        return st;
    if ((st = check_missing(&m)) < 0 || (st = check_cu_seqlens(&m)) < 0)
        return st;
    return check_overlap(plan, args, grads, view);
}
