#include "handles.h"

#include "status.h"

#include <stdio.h>
#include <string.h>

const char *slot_name(const struct slot *slot, char *room, size_t size)
{
    const char *prefix = slot->kind == SLOT_H0 ? "h0:" : slot->kind == SLOT_HT ? "hT:" : "";
    snprintf(room, size, "%s%s", prefix, slot->name);
    return room;
}

/* The state that an output is, element by element in the same order; else NULL. */
static const struct ir_decl *output_is_state(const prnn_cell *cell, const struct ir_decl *output)
{
    const struct ir *ir = cell->unit->ir;
    uint32_t element;
    if (cell->output_state[output->first] < 0)
        return NULL;
    const struct ir_decl *state =
        ir_decl_of(ir, IR_ROLE_STATE, (uint32_t)cell->output_state[output->first], &element);
    if (element != 0 || state->count != output->count)
        return NULL;
    for (uint32_t e = 0; e < output->count; e++)
        if (cell->output_state[output->first + e] != (int32_t)(state->first + e))
            return NULL;
    return state;
}

static struct slot *state_slot(prnn_plan *plan, const struct ir_decl *state)
{
    for (uint32_t i = 0; state && i < plan->slot_count; i++)
        if (plan->slots[i].kind == SLOT_STATE && plan->slots[i].first == state->first)
            return &plan->slots[i];
    return NULL;
}

static void add_slot(prnn_plan *plan, enum slot_kind kind, const struct ir_decl *decl)
{
    plan->slots[plan->slot_count++] = (struct slot){.kind = kind,
                                                    .name = decl->name,
                                                    .first = decl->first,
                                                    .count = decl->count,
                                                    .is_shared = decl->is_shared,
                                                    .has_gradient = !decl->no_gradient};
}

prnn_status slots_find(prnn_plan *plan)
{
    const prnn_cell *cell = plan->cell;
    const struct ir *ir = cell->unit->ir;
    uint32_t needed = 2;
    for (uint32_t d = 0; d < ir->decl_count; d++)
        needed += ir->decls[d].role == IR_ROLE_STATE ? 3 : 1;
    if (needed > PRNN_MAX_ARGS)
        return status_set(PRNN_E_LIMIT, "cell '%s' needs %u bindings, the limit is %d", ir->name,
                          needed, PRNN_MAX_ARGS);
    for (uint32_t d = 0; d < ir->decl_count; d++) {
        const struct ir_decl *decl = &ir->decls[d];
        switch (decl->role) {
        case IR_ROLE_STATE:
            add_slot(plan, SLOT_STATE, decl);
            add_slot(plan, SLOT_H0, decl);
            add_slot(plan, SLOT_HT, decl);
            break;
        case IR_ROLE_INPUT:
            add_slot(plan, SLOT_INPUT, decl);
            break;
        case IR_ROLE_PARAM:
            add_slot(plan, SLOT_PARAM, decl);
            break;
        case IR_ROLE_OUTPUT: {
            struct slot *state = state_slot(plan, output_is_state(cell, decl));
            if (state && (!state->alias || !strcmp(decl->name, state->name)))
                state->alias = decl->name;
            else
                add_slot(plan, SLOT_OUTPUT, decl);
            break;
        }
        }
    }
    if (plan->shape.has_resets)
        plan->slots[plan->slot_count++] =
            (struct slot){.kind = SLOT_RESET, .name = "reset", .count = 1, .is_shared = true};
    if (plan->shape.is_packed)
        plan->slots[plan->slot_count++] = (struct slot){
            .kind = SLOT_CU_SEQLENS, .name = "cu_seqlens", .count = 1, .is_shared = true};
    return PRNN_OK;
}

static bool slot_is(const struct slot *slot, const char *name)
{
    if (slot->kind == SLOT_H0)
        return !strncmp(name, "h0:", 3) && !strcmp(name + 3, slot->name);
    if (slot->kind == SLOT_HT)
        return !strncmp(name, "hT:", 3) && !strcmp(name + 3, slot->name);
    return !strcmp(name, slot->name) || (slot->alias && !strcmp(name, slot->alias));
}

prnn_status prnn_plan_bind_strided(const prnn_plan *plan, prnn_tensor *args, const char *name,
                                   const void *data, int64_t stride_b, int64_t stride_t,
                                   int64_t stride_e)
{
    if (!plan || !args || !name)
        return status_set(PRNN_E_INVALID, "'%s' is NULL", !plan ? "plan" : !args ? "args" : "name");
    /* A name of the cell goes before "reset", should a cell have it too. */
    for (uint32_t i = 0; i < plan->slot_count; i++)
        if (slot_is(&plan->slots[i], name)) {
            void *pointer;
            memcpy(&pointer, &data, sizeof pointer); /* what is read and what is written share
                                                        one table of bindings */
            args[i] = (prnn_tensor){pointer, stride_b, stride_t, stride_e};
            return PRNN_OK;
        }
    if (!strcmp(name, "reset") || !strcmp(name, "cu_seqlens"))
        return status_set(PRNN_E_INVALID, "'%s' is bound, but the plan was made without '%s'", name,
                          *name == 'r' ? "resets" : "packed");
    return status_set(PRNN_E_INVALID, "cell '%s' has nothing to bind to '%.80s'",
                      plan->cell ? plan->cell->unit->ir->name : "(scan)", name);
}

prnn_status prnn_plan_bind(const prnn_plan *plan, prnn_tensor *args, const char *name,
                           const void *data, int64_t stride_b, int64_t stride_t)
{
    return prnn_plan_bind_strided(plan, args, name, data, stride_b, stride_t, PRNN_DENSE);
}
