#include "domain.h"

#include <math.h>

struct sweep {
    const struct ir *ir;
    const struct range_report *ranges;
    uint8_t *is_open; /* per instruction: it reads a leaf without bounds */
};

static const struct ir_decl *decl_of(const struct ir *ir, ir_ref ref)
{
    uint32_t element;
    return ir_decl_of(ir, ir_kind(ref) == IR_INPUT ? IR_ROLE_INPUT : IR_ROLE_PARAM, ir_index(ref),
                      &element);
}

static struct range range_of(const struct sweep *sweep, ir_ref ref)
{
    const struct range everything = {-INFINITY, INFINITY, false};
    switch (ir_kind(ref)) {
    case IR_VALUE:
        return sweep->ranges->value[ir_index(ref)];
    case IR_STATE:
        return sweep->ranges->state[ir_index(ref)];
    case IR_CONSTANT: {
        const double value = ir_constant_value(sweep->ir, ref);
        return (struct range){value, value, isnan(value) != 0};
    }
    case IR_INPUT:
    case IR_PARAM: {
        const struct ir_decl *decl = decl_of(sweep->ir, ref);
        return decl && decl->has_range ? (struct range){decl->lo, decl->hi, false} : everything;
    }
    case IR_COTANGENT:
    case IR_NONE:
        break;
    }
    return everything;
}

static bool is_open(const struct sweep *sweep, ir_ref ref)
{
    if (ir_kind(ref) == IR_VALUE)
        return sweep->is_open[ir_index(ref)];
    const struct range range = range_of(sweep, ref);
    return isinf(range.lo) || isinf(range.hi);
}

/* Whether the operand leaves [0, inf), or (0, inf) if 'is_strict'. */
static bool falls_below(struct range range, bool is_strict, bool is_open)
{
    return range.lo < 0 || (is_strict && range.lo == 0 && (!is_open || range.hi == 0));
}

/* The operand of an instruction that is out of its domain, and what it would have to be. */
static ir_ref find_fault(const struct sweep *sweep, const struct ir_insn *insn, const char **needed)
{
    const struct range a = range_of(sweep, insn->a), b = range_of(sweep, insn->b);
    const bool a_is_open = is_open(sweep, insn->a), b_is_open = is_open(sweep, insn->b);
    switch ((enum ir_op)insn->op) {
    case IR_DIV:
        *needed = "a divisor other than 0";
        if ((b.lo < 0 && b.hi > 0) || (b.lo == 0 && b.hi == 0) ||
            (!b_is_open && b.lo <= 0 && b.hi >= 0))
            return insn->b;
        break;
    case IR_LOG:
    case IR_RSQRT:
        *needed = "a positive number";
        return falls_below(a, true, a_is_open) ? insn->a : IR_REF_NONE;
    case IR_SQRT:
        *needed = "a number of at least 0";
        return falls_below(a, false, a_is_open) ? insn->a : IR_REF_NONE;
    case IR_LOG1P:
        *needed = "a number above -1";
        return a.lo < -1 || (a.lo == -1 && !a_is_open) ? insn->a : IR_REF_NONE;
    case IR_POW:
        /* A whole exponent takes any base but 0. */
        *needed = "a base of at least 0";
        if (a.lo < 0 && !(b.lo == b.hi && b.lo == floor(b.lo)))
            return insn->a;
        *needed = "a positive base";
        return a.lo == 0 && b.lo < 0 && !a_is_open ? insn->a : IR_REF_NONE;
    default:
        break;
    }
    return IR_REF_NONE;
}

/* As ir_reach(), but not through the branches of 'where'. */
static void find_unguarded(const struct ir *ir, uint8_t *live)
{
    for (uint32_t k = 0; k < ir->out_count; k++) {
        const struct ir_out *out = &ir->outs[k];
        if ((out->kind == IR_OUT_NEXT || out->kind == IR_OUT_OUTPUT) &&
            ir_kind(out->value) == IR_VALUE)
            live[ir_index(out->value)] = 1;
    }
    for (uint32_t i = ir->insn_count; i-- > 0;) {
        const struct ir_insn *insn = &ir->insns[i];
        const ir_ref operands[] = {insn->a, insn->b, insn->c};
        for (int k = 0; live[i] && k < (insn->op == IR_WHERE ? 1 : 3); k++)
            if (ir_kind(operands[k]) == IR_VALUE)
                live[ir_index(operands[k])] = 1;
    }
}

static bool is_known(const struct domain_fault *faults, uint32_t count, const struct ir *ir,
                     struct span span)
{
    for (uint32_t k = 0; k < count; k++) {
        const struct span other = ir->insns[faults[k].insn].span;
        if (other.begin == span.begin && other.end == span.end)
            return true;
    }
    return false;
}

uint32_t domain_find(struct domain_fault *out, uint32_t room, const struct ir *ir,
                     const struct range_report *ranges, struct arena *arena)
{
    uint8_t *live = arena_alloc(arena, ir->insn_count + 1);
    uint8_t *follows = arena_alloc(arena, ir->insn_count + 1);
    const struct sweep sweep = {ir, ranges, arena_alloc(arena, ir->insn_count + 1)};
    uint32_t count = 0;
    find_unguarded(ir, live);
    for (uint32_t i = 0; i < ir->insn_count && count < room; i++) {
        const struct ir_insn *insn = &ir->insns[i];
        const ir_ref operands[] = {insn->a, insn->b, insn->c};
        for (int k = 0; k < 3; k++) {
            if (ir_kind(operands[k]) == IR_NONE)
                continue;
            sweep.is_open[i] |= is_open(&sweep, operands[k]);
            follows[i] |= ir_kind(operands[k]) == IR_VALUE && follows[ir_index(operands[k])];
        }
        const char *needed = NULL;
        const ir_ref operand = find_fault(&sweep, insn, &needed);
        if (!live[i] || follows[i] || operand == IR_REF_NONE)
            continue;
        follows[i] = 1;
        if (!is_known(out, count, ir, insn->span))
            out[count++] = (struct domain_fault){i, operand, range_of(&sweep, operand), needed};
    }
    return count;
}
