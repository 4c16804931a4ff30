/* From bound tensors to the launch argument: the one place where strides are resolved, time is
 * turned round, and bindings are checked. */
#include "handles.h"

#include "extent.h"
#include "status.h"

#include <string.h>

enum { NAME_ROOM = 80 };
/* No tensor has more elements (plan.c), so no stride is longer. */
#define STRIDE_MAX ((int64_t)1 << 56)

/* First byte of a bound tensor and the one behind its last; both 0: it has none. */
struct reach {
    uintptr_t lo, hi;
};

/* The bound tensors of a call, by slot, and where they lie. */
struct table {
    const char *name;
    const prnn_tensor *tensors; /* NULL: there are none */
    struct reach reach[PRNN_MAX_ARGS];
};

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
    size_t size;    /* bytes of an element */
    bool is_beyond; /* strides that no memory can have */
};

/* Strides of a caller: more elements than any tensor has are not computed with. */
static bool is_reachable(int64_t stride)
{
    return stride == PRNN_DENSE || (stride < STRIDE_MAX && stride > -STRIDE_MAX);
}

/* a * b, or 0 and the flag. */
static int64_t times(int64_t a, int64_t b, bool *is_beyond)
{
    int64_t product;
    if (!__builtin_mul_overflow(a, b, &product))
        return product;
    *is_beyond = true;
    return 0;
}

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
    r.is_beyond =
        !is_reachable(r.stride_b) || !is_reachable(r.stride_t) || !is_reachable(r.stride_e);
    if (r.is_beyond)
        return r;
    if (r.stride_e == PRNN_DENSE)
        r.stride_e = r.width;
    const bool has_time = (is_sequence(slot->kind) || slot->kind == SLOT_RESET) && !is_step;
    if (r.stride_t == PRNN_DENSE)
        r.stride_t = times(slot->count, r.stride_e, &r.is_beyond);
    if (r.stride_b == PRNN_DENSE)
        r.stride_b = has_time ? times(m->steps, r.stride_t, &r.is_beyond)
                              : times(slot->count, r.stride_e, &r.is_beyond);
    if (!has_time)
        r.stride_t = 0;
    else if (shape->is_packed)
        r.stride_b = 0;
    else if (shape->is_reversed && m->steps > 0) {
        const int64_t last =
            times(times(m->steps - 1, r.stride_t, &r.is_beyond), (int64_t)r.size, &r.is_beyond);
        r.data = r.data && !r.is_beyond ? r.data + last : NULL;
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

/* Where a tensor lies. False: it has no elements, and lies nowhere. */
static bool extent_find(struct extent *out, const struct maker *m, const struct slot *slot,
                        const struct resolved *r)
{
    const bool has_time =
        (is_sequence(slot->kind) || slot->kind == SLOT_RESET) && m->view != VIEW_STEP;
    const bool has_batch = slot->kind != SLOT_PARAM && slot->kind != SLOT_CU_SEQLENS &&
                           !(has_time && m->plan->shape.is_packed);
    const int64_t row = slot->kind == SLOT_CU_SEQLENS ? m->batch + 1 : r->width;
    const int64_t size = (int64_t)r->size;
    *out =
        (struct extent){.base = (uintptr_t)r->data,
                        .stride = {has_batch ? times(r->stride_b, size, &(bool){false}) : 0,
                                   has_time ? times(r->stride_t, size, &(bool){false}) : 0,
                                   times(r->stride_e, size, &(bool){false})},
                        .count = {has_batch ? m->batch : 1, has_time ? m->steps : 1, slot->count},
                        .width = row * size};
    return out->count[EXTENT_BATCH] > 0 && out->count[EXTENT_TIME] > 0 && out->width > 0;
}

/* Check where the tensor of a slot lies, and note it. */
static prnn_status place(const struct maker *m, struct table *table, const struct slot *slot,
                         const struct resolved *r, bool is_written)
{
    const size_t index = (size_t)(slot - m->plan->slots);
    struct extent extent;
    if ((uintptr_t)table->tensors[index].data % r->size)
        return refuse(slot, table->name, "is not aligned to its elements");
    if (r->is_beyond)
        return refuse(slot, table->name, "has strides that reach beyond the address space");
    if (!extent_find(&extent, m, slot, r))
        return PRNN_OK;
    if (!extent_bound(&extent))
        return refuse(slot, table->name, "has strides that reach beyond the address space");
    if (is_written && extent_folds(&extent))
        return refuse(slot, table->name, "is written, but its strides make elements coincide");
    table->reach[index] = (struct reach){extent.lo, extent.hi};
    return PRNN_OK;
}

/* 'count' scalars from element 'e' of a slot on, from place 'first' on. */
static prnn_status put_scalars(const struct maker *m, const struct table *table,
                               const struct slot *slot, const struct resolved *r, uint32_t e,
                               uint32_t count, uint32_t first)
{
    for (uint32_t k = 0; k < count; k++) {
        struct prnn_arg *arg = &m->out->args[first + k];
        unsigned char *base = r->data + (e + k) * r->stride_e * (int64_t)r->size;
        if (arg->base && arg->base != base)
            return refuse(slot, table->name,
                          "is the same values as another tensor that is bound; bind "
                          "one of them");
        *arg = (struct prnn_arg){base, r->stride_b, r->stride_t};
    }
    return PRNN_OK;
}

/* The scalars of a slot from place 'first' on. */
static prnn_status put(const struct maker *m, struct table *table, const struct slot *slot,
                       uint32_t first, bool is_written)
{
    const prnn_tensor *tensor = &table->tensors[slot - m->plan->slots];
    if (!tensor->data)
        return PRNN_OK;
    const struct resolved r = resolve_tensor(m, slot, tensor);
    const prnn_status st = place(m, table, slot, &r, is_written);
    return st < 0 ? st : put_scalars(m, table, slot, &r, 0, slot->count, first);
}

/* An output whose elements are expressions, states, or both. 'y' and 'h' are the first places. */
static prnn_status put_output(const struct maker *m, struct table *table, const struct slot *slot,
                              uint32_t y, uint32_t h, bool is_written)
{
    const prnn_cell *cell = m->plan->cell;
    const prnn_tensor *tensor = &table->tensors[slot - m->plan->slots];
    if (!tensor->data)
        return PRNN_OK;
    const struct resolved r = resolve_tensor(m, slot, tensor);
    prnn_status st = place(m, table, slot, &r, is_written);
    for (uint32_t e = 0; e < slot->count && st == PRNN_OK; e++) {
        const int32_t expression = cell->output_expression[slot->first + e];
        const uint32_t first = expression >= 0 ? y + (uint32_t)expression
                                               : h + (uint32_t)cell->output_state[slot->first + e];
        st = put_scalars(m, table, slot, &r, e, 1, first);
    }
    return st;
}

static bool is_apart(struct reach a, struct reach b)
{
    return a.hi <= b.lo || b.hi <= a.lo;
}

/* Whether two bound tensors whose ends say nothing share a byte. */
static bool is_shared(const struct maker *m, const struct table *own, uint32_t i,
                      const struct table *table, uint32_t j)
{
    const struct slot *slot = &m->plan->slots[i], *other = &m->plan->slots[j];
    const prnn_tensor *tensor = &own->tensors[i], *with = &table->tensors[j];
    struct extent lies[2];
    /* A state may be carried on in place: "hT" where "h0" of that state is. */
    if (slot->kind == SLOT_HT && other->kind == SLOT_H0 && slot->first == other->first &&
        tensor->data == with->data && tensor->stride_b == with->stride_b &&
        tensor->stride_e == with->stride_e)
        return false;
    const struct resolved r = resolve_tensor(m, slot, tensor), s = resolve_tensor(m, other, with);
    (void)extent_find(&lies[0], m, slot, &r);
    (void)extent_find(&lies[1], m, other, &s);
    return extent_bound(&lies[0]) && extent_bound(&lies[1]) && extent_meet(&lies[0], &lies[1]);
}

/* Nothing that is written shares memory with another tensor. */
static prnn_status check_overlap(const struct maker *m, const struct table *args,
                                 const struct table *grads)
{
    const prnn_plan *plan = m->plan;
    const bool in_grads = m->view == VIEW_BACKWARD;
    const struct table *own = in_grads ? grads : args;
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        const struct slot *slot = &plan->slots[i];
        const struct reach at = own->reach[i];
        const bool is_written =
            in_grads
                ? slot->kind == SLOT_INPUT || slot->kind == SLOT_PARAM || slot->kind == SLOT_H0
                : slot->kind == SLOT_STATE || slot->kind == SLOT_OUTPUT || slot->kind == SLOT_HT;
        if (!is_written || at.hi == 0)
            continue;
        for (uint32_t j = 0; j < plan->slot_count; j++) {
            if (is_apart(at, own->reach[j]) && (!in_grads || is_apart(at, args->reach[j])))
                continue;
            if ((j != i && !is_apart(at, own->reach[j]) && is_shared(m, own, i, own, j)) ||
                (in_grads && !is_apart(at, args->reach[j]) && is_shared(m, own, i, args, j)))
                return refuse(slot, own->name,
                              "is written, but another name is bound to the same memory");
        }
    }
    return PRNN_OK;
}

static prnn_status put_args(const struct maker *m, struct table *table)
{
    const prnn_plan *plan = m->plan;
    const struct launch_places *at = &plan->shape.places;
    const bool is_backward = m->view == VIEW_BACKWARD;
    prnn_status st = PRNN_OK;
    for (uint32_t i = 0; i < plan->slot_count && st == PRNN_OK; i++) {
        const struct slot *slot = &plan->slots[i];
        const prnn_tensor *tensor = &table->tensors[i];
        switch (slot->kind) {
        case SLOT_INPUT:
            st = put(m, table, slot, at->x + slot->first, false);
            break;
        case SLOT_PARAM:
            st = put(m, table, slot, at->p + slot->first, false);
            break;
        case SLOT_OUTPUT:
            if (plan->write != PRNN_WRITE_LAST || m->view == VIEW_STEP)
                st = put_output(m, table, slot, at->y, at->h, !is_backward);
            break;
        case SLOT_STATE:
            if (plan->write != PRNN_WRITE_LAST || m->view == VIEW_STEP)
                st = put(m, table, slot, at->h + slot->first, !is_backward);
            break;
        case SLOT_H0:
            st = put(m, table, slot, at->h0 + slot->first, false);
            break;
        case SLOT_HT:
            if (!is_backward)
                st = put(m, table, slot, at->ht + slot->first, true);
            break;
        case SLOT_RESET: {
            const struct resolved r = resolve_tensor(m, slot, tensor);
            if (m->view == VIEW_STEP)
                break;
            if (!tensor->data && m->batch && m->steps)
                return refuse(slot, table->name, "is not bound");
            if (tensor->data && (st = place(m, table, slot, &r, false)) < 0)
                return st;
            m->out->head.reset = r.data;
            m->out->head.reset_stride_b = r.stride_b;
            m->out->head.reset_stride_t = r.stride_t;
            break;
        }
        case SLOT_CU_SEQLENS: {
            if (m->view == VIEW_STEP)
                break;
            if (!tensor->data)
                return refuse(slot, table->name, "is not bound");
            const struct resolved r = resolve_tensor(m, slot, tensor);
            if ((st = place(m, table, slot, &r, false)) < 0)
                return st;
            m->out->head.cu_seqlens = tensor->data;
            break;
        }
        }
    }
    return st;
}

static prnn_status put_grads(const struct maker *m, struct table *table)
{
    const prnn_plan *plan = m->plan;
    const struct launch_places *at = &plan->shape.places;
    prnn_status st = PRNN_OK;
    for (uint32_t i = 0; i < plan->slot_count && st == PRNN_OK; i++) {
        const struct slot *slot = &plan->slots[i];
        const prnn_tensor *tensor = &table->tensors[i];
        if (tensor->data && !slot->has_gradient &&
            (slot->kind == SLOT_INPUT || slot->kind == SLOT_PARAM))
            return refuse(slot, table->name, "is bound, but it is declared 'nograd'");
        switch (slot->kind) {
        case SLOT_INPUT:
            st = put(m, table, slot, at->dx + slot->first, true);
            break;
        case SLOT_PARAM:
            st = put(m, table, slot, at->dp + slot->first, true);
            break;
        case SLOT_OUTPUT:
            st = put_output(m, table, slot, at->gy, at->gh, false);
            break;
        case SLOT_STATE:
            for (uint32_t e = 0; tensor->data && e < slot->count; e++)
                if (!(plan->shape.state_gradient >> (slot->first + e) & 1))
                    return refuse(slot, table->name,
                                  "is bound, but the state is no output; make the plan with "
                                  "PRNN_WRITE_STATES");
            st = put(m, table, slot, at->gh + slot->first, false);
            break;
        case SLOT_H0:
            st = put(m, table, slot, at->dh0 + slot->first, true);
            break;
        case SLOT_HT:
            st = put(m, table, slot, at->ght + slot->first, false);
            break;
        case SLOT_RESET:
        case SLOT_CU_SEQLENS:
            if (tensor->data)
                return refuse(slot, table->name, "is bound, but it has no gradient");
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

static void table_begin(struct table *out, const prnn_plan *plan, const char *name,
                        const prnn_tensor *tensors)
{
    out->name = name;
    out->tensors = tensors;
    memset(out->reach, 0, plan->slot_count * sizeof *out->reach);
}

prnn_status launch_make(const prnn_plan *plan, enum launch_view view, const prnn_tensor *args,
                        const prnn_tensor *grads, struct launch *out)
{
    const struct backend_shape *shape = &plan->shape;
    const struct launch_places *at = &shape->places;
    const uint32_t count = view == VIEW_BACKWARD ? at->backward_count : at->forward_count;
    const struct maker m = {
        plan, view, shape->batch, view == VIEW_STEP ? 1 : shape->seq_len, shape->channels, out};
    struct table in_args, in_grads;
    prnn_status st;

    memset(out, 0, launch_bytes(count));
    out->head.batch = m.batch;
    out->head.seq_len = m.steps;
    out->head.channels = m.channels;
    out->head.is_reversed = view != VIEW_STEP && shape->is_packed && shape->is_reversed;
    table_begin(&in_args, plan, "args", args);
    table_begin(&in_grads, plan, "grads", grads);
    if ((st = put_args(&m, &in_args)) < 0)
        return st;
    if (view == VIEW_BACKWARD && (st = put_grads(&m, &in_grads)) < 0)
        return st;
    if ((st = check_missing(&m)) < 0 || (st = check_cu_seqlens(&m)) < 0)
        return st;
    return check_overlap(&m, &in_args, &in_grads);
}
