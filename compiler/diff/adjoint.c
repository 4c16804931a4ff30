#include "diff.h"
#include "jacobian.h"
#include "partial.h"

#include <assert.h>
#include <string.h>

/* What gets a cotangent. */
enum leaves { STATES_ONLY, ALL_LEAVES };
/* Where cotangents come in. */
enum seeds { OUTPUTS_ONLY, ALL_SEEDS };

struct sweep {
    struct ir *ir;
    uint32_t count; /* instructions of the step and outputs; what comes later is ours */
    const uint8_t *live;
    uint8_t *is_wanted;      /* per instruction: some leaf that gets a cotangent is below it */
    struct partial *of;      /* per instruction: its cotangent so far */
    struct partial *leaf[3]; /* of states, inputs, parameters */
    bool *has_gradient[3];
};

static int leaf_group(ir_ref ref)
{
    switch (ir_kind(ref)) {
    case IR_STATE:
        return 0;
    case IR_INPUT:
        return 1;
    case IR_PARAM:
        return 2;
    default:
        return -1;
    }
}

static bool is_wanted(const struct sweep *sweep, ir_ref ref)
{
    if (ir_kind(ref) == IR_VALUE)
        return sweep->is_wanted[ir_index(ref)];
    const int group = leaf_group(ref);
    return group >= 0 && sweep->has_gradient[group][ir_index(ref)];
}

static void accumulate(struct sweep *sweep, ir_ref ref, struct partial cotangent)
{
    const int group = leaf_group(ref);
    struct partial *sum =
        group < 0 ? &sweep->of[ir_index(ref)] : &sweep->leaf[group][ir_index(ref)];
    *sum = partial_sum(sweep->ir, *sum, cotangent);
}

/* Whether a derivative comes through at all; the rest is told by the leaves. */
static bool is_differentiable(const struct ir_insn *insn)
{
    return insn->type == IR_REAL && insn->op != IR_SIGN && insn->op != IR_DETACH;
}

static void find_wanted(struct sweep *sweep)
{
    for (uint32_t i = 0; i < sweep->count; i++) {
        const struct ir_insn *insn = &sweep->ir->insns[i];
        sweep->is_wanted[i] =
            is_differentiable(insn) &&
            (is_wanted(sweep, insn->a) || is_wanted(sweep, insn->b) || is_wanted(sweep, insn->c));
    }
}

static void seed(struct sweep *sweep, enum ir_out_kind kind, uint32_t index, uint32_t cotangent)
{
    const ir_ref value = ir_find_out(sweep->ir, kind, index, 0);
    if (is_wanted(sweep, value))
        accumulate(sweep, value, partial_from(IR_REF(IR_COTANGENT, cotangent)));
}

static void pull_back(struct sweep *sweep, uint32_t i)
{
    struct ir *ir = sweep->ir;
    const struct ir_insn insn = ir->insns[i];
    const ir_ref operand[3] = {insn.a, insn.b, insn.c};
    const unsigned arity = ir_op_arity((enum ir_op)insn.op);

    assert(arity <= 3);
    if (!sweep->live[i] || !sweep->is_wanted[i] || partial_is_zero(sweep->of[i]))
        return;
    ir->span = insn.span;
    for (unsigned k = 0; k < arity; k++) {
        if (!is_wanted(sweep, operand[k]))
            continue;
        const struct partial local = partial_of(ir, i, k);
        const struct partial term = partial_chain(ir, sweep->of[i], local);
        accumulate(sweep, operand[k], term);
    }
}

static void choose_leaves(struct sweep *sweep, enum leaves leaves)
{
    struct ir *ir = sweep->ir;
    const uint32_t counts[3] = {ir->states, ir->inputs, ir->params};

    for (unsigned g = 0; g < 3; g++) {
        sweep->leaf[g] = arena_array(ir->arena, counts[g], sizeof *sweep->leaf[g]);
        sweep->has_gradient[g] = arena_array(ir->arena, counts[g], sizeof *sweep->has_gradient[g]);
    }
    memset(sweep->has_gradient[0], true, ir->states * sizeof(bool));
    if (leaves == STATES_ONLY)
        return;
    for (uint32_t d = 0; d < ir->decl_count; d++) {
        const struct ir_decl *decl = &ir->decls[d];
        const unsigned group = decl->role == IR_ROLE_INPUT ? 1 : 2;
        if (decl->role == IR_ROLE_INPUT || decl->role == IR_ROLE_PARAM)
            for (uint32_t e = 0; e < decl->count; e++)
                sweep->has_gradient[group][decl->first + e] = !decl->no_gradient;
    }
}

static void run(struct sweep *sweep, struct ir *ir, enum leaves leaves, enum seeds seeds)
{
    const uint32_t mask = IR_MASK(IR_OUT_OUTPUT) | (seeds == ALL_SEEDS ? IR_MASK(IR_OUT_NEXT) : 0u);
    uint8_t *live = arena_alloc(ir->arena, ir->insn_count);

    ir_reach(ir, mask, live);
    *sweep = (struct sweep){.ir = ir,
                            .count = ir->insn_count,
                            .live = live,
                            .is_wanted = arena_alloc(ir->arena, ir->insn_count),
                            .of = arena_array(ir->arena, ir->insn_count, sizeof *sweep->of)};
    choose_leaves(sweep, leaves);
    find_wanted(sweep);
    if (seeds == ALL_SEEDS)
        for (uint32_t i = 0; i < ir->states; i++)
            seed(sweep, IR_OUT_NEXT, i, i);
    for (uint32_t k = 0; k < ir->outputs; k++)
        seed(sweep, IR_OUT_OUTPUT, k, ir->states + k);
    for (uint32_t i = sweep->count; i-- > 0;)
        pull_back(sweep, i);
}

static void add_outs(struct ir *ir, enum ir_out_kind kind, const struct partial *cotangent,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!partial_is_zero(cotangent[i]))
            ir_add_out(ir, kind, i, 0, partial_value(ir, cotangent[i]));
}

static bool has_detach(const struct ir *ir)
{
    for (uint32_t i = 0; i < ir->insn_count; i++)
        if (ir->insns[i].op == IR_DETACH)
            return true;
    return false;
}

/* Without a detach() the scanned Jacobian is the true one. */
static void alias_jacobian(struct ir *ir)
{
    for (uint32_t i = 0; i < ir->states; i++)
        for (uint32_t j = 0; j < ir->states; j++) {
            const ir_ref entry = ir_find_out(ir, IR_OUT_JACOBIAN, i, j);
            if (entry != IR_REF_NONE)
                ir_add_out(ir, IR_OUT_ADJACOBIAN, i, j, entry);
        }
}

void adjoint_build(struct ir *ir, const struct structure *structure)
{
    const struct span span = ir->span;
    struct sweep sweep;

    run(&sweep, ir, ALL_LEAVES, ALL_SEEDS);
    add_outs(ir, IR_OUT_ADJ_STATE, sweep.leaf[0], ir->states);
    add_outs(ir, IR_OUT_ADJ_INPUT, sweep.leaf[1], ir->inputs);
    add_outs(ir, IR_OUT_ADJ_PARAM, sweep.leaf[2], ir->params);

    run(&sweep, ir, STATES_ONLY, OUTPUTS_ONLY);
    add_outs(ir, IR_OUT_SOURCE, sweep.leaf[0], ir->states);

    if (has_detach(ir))
        jacobian_add(ir, structure, IR_OUT_ADJACOBIAN, DETACH_IS_CONSTANT);
    else
        alias_jacobian(ir);
    ir->span = span;
}
