#include "freedom.h"

#include "ir_build.h"

#include <string.h>

static struct interval declared(const struct freedom *freedom, ir_ref ref,
                                const struct range *state, double scale)
{
    uint32_t element;
    if (ir_kind(ref) == IR_STATE)
        return (struct interval){state[ir_index(ref)].lo, state[ir_index(ref)].hi};
    const bool is_param = ir_kind(ref) == IR_PARAM;
    const struct ir_decl *decl =
        ir_decl_of(freedom->ir, is_param ? IR_ROLE_PARAM : IR_ROLE_INPUT, ir_index(ref), &element);
    if (!decl || !decl->has_range)
        return enclosure_everything;
    const double factor = is_param && decl->lo == -decl->hi ? scale : 1;
    return (struct interval){factor * decl->lo, factor * decl->hi};
}

/* Times that each value is read on the way to the Jacobian. */
struct uses {
    uint32_t *of[IR_COTANGENT + 1];
};

static void count_uses(struct uses *uses, const struct ir *ir, const uint8_t *live,
                       struct arena *arena)
{
    const uint32_t room[] = {0,          ir->insn_count, ir->constant_count,      ir->states,
                             ir->inputs, ir->params,     ir->states + ir->outputs};
    for (int kind = 0; kind <= IR_COTANGENT; kind++)
        uses->of[kind] = arena_array(arena, room[kind] + 1, sizeof *uses->of[kind]);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        for (unsigned k = 0; k < 3 && live[i]; k++) {
            const ir_ref operand = ir_operand(&ir->insns[i], k);
            uses->of[ir_kind(operand)][ir_index(operand)]++;
        }
    }
    for (uint32_t i = 0; i < ir->out_count; i++)
        if (ir->outs[i].kind == IR_OUT_JACOBIAN)
            uses->of[ir_kind(ir->outs[i].value)][ir_index(ir->outs[i].value)]++;
}

/* Whether a value can be any number, whatever all others are, and is read here alone. */
static bool is_loose(const struct freedom *freedom, const struct uses *uses, const uint8_t *is_any,
                     const struct range *state, ir_ref ref)
{
    if (ir_kind(ref) == IR_NONE || ir_kind(ref) == IR_CONSTANT || ir_kind(ref) == IR_STATE ||
        ir_kind(ref) == IR_COTANGENT || uses->of[ir_kind(ref)][ir_index(ref)] != 1)
        return false;
    if (ir_kind(ref) == IR_VALUE)
        return is_any[ir_index(ref)];
    return isinf(declared(freedom, ref, state, 1).lo) && isinf(declared(freedom, ref, state, 1).hi);
}

/* Continuous and rising over all numbers: of a loose operand every value between its limits. */
static bool is_gate(enum ir_op op)
{
    return op == IR_SIGMOID || op == IR_TANH || op == IR_EXP || op == IR_EXPM1 ||
           op == IR_SOFTPLUS || op == IR_ERF;
}

/* Marks the instructions that are variables of their own. */
static void find_free(struct freedom *freedom, const struct range *state, const uint8_t *live,
                      struct arena *arena)
{
    const struct ir *ir = freedom->ir;
    struct uses uses;
    uint8_t *is_any = arena_alloc(arena, ir->insn_count + 1);
    count_uses(&uses, ir, live, arena);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        const struct ir_insn *insn = &ir->insns[i];
        if (!live[i])
            continue;
        const bool a = is_loose(freedom, &uses, is_any, state, insn->a);
        const bool b = is_loose(freedom, &uses, is_any, state, insn->b);
        const bool c = is_loose(freedom, &uses, is_any, state, insn->c);
        switch ((enum ir_op)insn->op) {
        case IR_ADD:
        case IR_SUB:
            is_any[i] = a || b;
            break;
        case IR_NEG:
            is_any[i] = a;
            break;
        case IR_FMA:
            is_any[i] = c;
            break;
        default:
            break;
        }
        if (is_any[i] || (a && is_gate((enum ir_op)insn->op)))
            freedom->how[i] = VARIABLE;
    }
}

static void add_variable(struct freedom *freedom, ir_ref ref, struct interval range)
{
    int32_t *variable = &freedom->variable[ir_kind(ref)][ir_index(ref)];
    if (*variable > 0)
        return;
    if (freedom->count == FREEDOM_MAX) {
        freedom->is_large = true;
        return;
    }
    freedom->ref[freedom->count] = ref;
    freedom->range[freedom->count] = range;
    *variable = (int32_t)++freedom->count; /* from 1 */
}

static bool is_one_minus(const struct ir *ir, ir_ref ref, ir_ref z)
{
    const struct ir_insn *insn = &ir->insns[ir_index(ref)];
    return ir_kind(ref) == IR_VALUE && insn->op == IR_SUB && insn->b == z &&
           ir_is_constant(ir, insn->a, 1.0);
}

static enum how how_computed(const struct ir *ir, const struct ir_insn *insn)
{
    if (insn->op == IR_FMA && ir_kind(insn->a) == IR_VALUE &&
        ir->insns[ir_index(insn->a)].op == IR_NEG && ir->insns[ir_index(insn->a)].a == insn->b)
        return LESS_SQUARE;
    if (insn->op != IR_MUL)
        return COMPUTED;
    return insn->a == insn->b                   ? SQUARE
           : is_one_minus(ir, insn->b, insn->a) ? LOGISTIC_A
           : is_one_minus(ir, insn->a, insn->b) ? LOGISTIC_B
                                                : COMPUTED;
}

/* The variables that a value depends on, and those that it is not affine in. */
struct degree {
    uint32_t depends, curved;
};

static struct degree degree_of(const struct freedom *freedom, const struct degree *of, ir_ref ref)
{
    if (!freedom_is_leaf(ref) && ir_kind(ref) != IR_VALUE)
        return (struct degree){0, 0};
    const int32_t variable = freedom->variable[ir_kind(ref)][ir_index(ref)];
    if (variable > 0)
        return (struct degree){1u << (variable - 1), 0};
    return ir_kind(ref) == IR_VALUE ? of[ir_index(ref)] : (struct degree){0, 0};
}

/* A sum of magnitudes of values that are affine in one variable is convex in it: the largest is at
 * an end of its side. */
static void find_curved(struct freedom *freedom, struct arena *arena)
{
    const struct ir *ir = freedom->ir;
    struct degree *of = arena_array(arena, ir->insn_count + 1, sizeof *of);
    for (uint32_t k = 0; k < freedom->insn_count; k++) {
        const struct ir_insn *insn = &ir->insns[freedom->insn[k]];
        const struct degree a = degree_of(freedom, of, insn->a),
                            b = degree_of(freedom, of, insn->b);
        const struct degree c = degree_of(freedom, of, insn->c);
        struct degree *out = &of[freedom->insn[k]];
        out->depends = a.depends | b.depends | c.depends;
        out->curved = a.curved | b.curved | c.curved;
        if (insn->op == IR_MUL || insn->op == IR_FMA)
            out->curved |= a.depends & b.depends;
        else if (insn->op != IR_ADD && insn->op != IR_SUB && insn->op != IR_NEG)
            out->curved = out->depends;
    }
    for (uint32_t i = 0; i < ir->out_count; i++)
        if (ir->outs[i].kind == IR_OUT_JACOBIAN)
            freedom->is_curved[ir->outs[i].i] |= degree_of(freedom, of, ir->outs[i].value).curved;
}

void freedom_find(struct freedom *freedom, const struct ir *ir, const struct range *state,
                  double scale, struct arena *arena)
{
    const uint32_t room[] = {0, ir->insn_count, 0, ir->states, ir->inputs, ir->params};
    uint8_t *live = arena_alloc(arena, ir->insn_count + 1);
    *freedom = (struct freedom){.ir = ir};
    freedom->insn = arena_array(arena, ir->insn_count + 1, sizeof *freedom->insn);
    freedom->how = arena_alloc(arena, ir->insn_count + 1);
    freedom->value = arena_array(arena, ir->insn_count + 1, sizeof *freedom->value);
    freedom->slope = arena_array(arena, ir->insn_count + 1, sizeof *freedom->slope);
    for (int kind = 0; kind < IR_COTANGENT; kind++)
        freedom->variable[kind] = arena_array(arena, room[kind] + 1, sizeof(int32_t));
    ir_reach(ir, IR_MASK(IR_OUT_JACOBIAN), live);
    find_free(freedom, state, live, arena);

    /* What is below a variable is not needed for it. */
    memset(live, 0, ir->insn_count);
    for (uint32_t i = 0; i < ir->out_count; i++) {
        if (ir->outs[i].kind != IR_OUT_JACOBIAN)
            continue;
        if (ir_kind(ir->outs[i].value) == IR_VALUE)
            live[ir_index(ir->outs[i].value)] = 1;
        else if (freedom_is_leaf(ir->outs[i].value))
            add_variable(freedom, ir->outs[i].value,
                         declared(freedom, ir->outs[i].value, state, scale));
    }
    for (uint32_t i = ir->insn_count; i-- > 0;) {
        const struct ir_insn *insn = &ir->insns[i];
        if (!live[i] || freedom->how[i] == VARIABLE)
            continue;
        freedom->how[i] = (uint8_t)how_computed(ir, insn);
        for (unsigned k = 0; k < 3; k++) {
            const ir_ref operand = ir_operand(insn, k);
            if (ir_kind(operand) == IR_VALUE)
                live[ir_index(operand)] = 1;
            else if (freedom_is_leaf(operand))
                add_variable(freedom, operand, declared(freedom, operand, state, scale));
        }
    }
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        if (!live[i])
            continue;
        if (freedom->how[i] != VARIABLE) {
            freedom->insn[freedom->insn_count++] = i;
            continue;
        }
        const enum ir_op op = (enum ir_op)ir->insns[i].op;
        add_variable(freedom, IR_REF(IR_VALUE, i),
                     is_gate(op) ? apply(op, enclosure_everything, enclosure_everything,
                                         enclosure_everything)
                                 : enclosure_everything);
    }
    if (!freedom->is_large)
        find_curved(freedom, arena);
}
