#include "warnings.h"

#include "domain.h"

#include <math.h>

/* The interval of a value after range_find(). */
static struct range range_of(const struct unit *unit, ir_ref value)
{
    const uint32_t index = ir_index(value);
    switch (ir_kind(value)) {
    case IR_VALUE:
        return unit->ranges.value[index];
    case IR_CONSTANT:
        return (struct range){ir_constant_value(unit->ir, value),
                              ir_constant_value(unit->ir, value), false};
    case IR_STATE:
        return unit->ranges.state[index];
    default:
        return (struct range){-INFINITY, INFINITY, false};
    }
}

/* A cell whose inputs and parameters all have declared bounds makes a promise about its values; one
 * with an input left open may reach any value, and saying so each time would tell nothing. */
static bool is_bounded(const struct ir *ir)
{
    for (uint32_t i = 0; i < ir->decl_count; i++)
        if ((ir->decls[i].role == IR_ROLE_INPUT || ir->decls[i].role == IR_ROLE_PARAM) &&
            !ir->decls[i].has_range)
            return false;
    return true;
}

static void warn_overflow(struct unit *unit)
{
    const struct ir *ir = unit->ir;
    if (!is_bounded(ir))
        return;
    static const double f16_max = 65504, bf16_max = 3.3895313892515355e38;
    const struct symbol *warned = NULL;
    for (uint32_t k = 0; k < ir->outputs + ir->states; k++) {
        const bool is_state = k < ir->states;
        const uint32_t index = is_state ? k : k - ir->states;
        const struct range range =
            range_of(unit, ir_find_out(ir, is_state ? IR_OUT_NEXT : IR_OUT_OUTPUT, index, 0));
        const double reach = fabs(range.lo) > fabs(range.hi) ? range.lo : range.hi;
        if (!(fabs(reach) > f16_max))
            continue;
        uint32_t element;
        const enum ir_role role = is_state ? IR_ROLE_STATE : IR_ROLE_OUTPUT;
        const struct ir_decl *decl = ir_decl_of(ir, role, index, &element);
        const struct symbol *symbol = scope_find(&unit->sema->values, decl->name);
        if (!symbol || symbol == warned) /* once for all elements and for "output h'" */
            continue;
        warned = symbol;
        const bool is_beyond_both = fabs(reach) > bf16_max;
        struct textbuf words;
        textbuf_init(&words, unit->arena);
        textbuf_add_short(&words, reach, 3);
        diag_add(unit->diag, DIAG_ID_MAY_OVERFLOW, symbol->span,
                 ir_scalar_name(ir, role, index, unit->arena), words.text,
                 is_beyond_both ? "bf16" : "f16", is_beyond_both ? "3.39e+38" : "65504");
    }
}

static uint32_t place_of(const struct unit *unit, const struct domain_fault *fault)
{
    return unit->ir->insns[fault->insn].span.begin;
}

static void warn_domain(struct unit *unit)
{
    enum { ROOM = 32 };
    struct domain_fault faults[ROOM];
    const uint32_t count = domain_find(faults, ROOM, unit->ir, &unit->ranges, unit->arena);
    /* The order of instructions is not the user's. */
    for (uint32_t k = 1; k < count; k++)
        for (uint32_t i = k; i > 0 && place_of(unit, &faults[i]) < place_of(unit, &faults[i - 1]);
             i--) {
            const struct domain_fault later = faults[i - 1];
            faults[i - 1] = faults[i];
            faults[i] = later;
        }
    for (uint32_t k = 0; k < count; k++) {
        const struct ir_insn *insn = &unit->ir->insns[faults[k].insn];
        struct textbuf range;
        textbuf_init(&range, unit->arena);
        textbuf_add(&range, "[");
        textbuf_add_short(&range, faults[k].range.lo, 3);
        textbuf_add(&range, ", ");
        textbuf_add_short(&range, faults[k].range.hi, 3);
        textbuf_add(&range, "]");
        const enum ir_op op = (enum ir_op)insn->op;
        diag_add(unit->diag, DIAG_ID_MAY_BE_NAN, insn->span, op == IR_DIV ? "/" : ir_op_name(op),
                 faults[k].needed, range.text);
    }
}

void warn_ranges(struct unit *unit)
{
    warn_overflow(unit);
    warn_domain(unit);
}
