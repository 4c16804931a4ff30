#include "clean.h"

#include "ir_build.h"

/* Which operand of an instruction is a product that fuses into it. */
enum fused { FUSED_NONE, FUSED_A, FUSED_B };

/* By what is live: a value that nobody reads does not keep a product apart. */
static void count_uses(const struct ir *ir, const uint8_t *live, uint32_t *uses)
{
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        for (unsigned k = 0; live[i] && k < 3; k++) {
            const ir_ref ref = ir_operand(&ir->insns[i], k);
            if (ir_kind(ref) == IR_VALUE)
                uses[ir_index(ref)]++;
        }
    }
    for (uint32_t i = 0; i < ir->out_count; i++) {
        if (ir_kind(ir->outs[i].value) == IR_VALUE)
            uses[ir_index(ir->outs[i].value)]++;
    }
}

static bool is_fusible(const struct ir *ir, const uint32_t *uses, uint32_t first, ir_ref ref)
{
    return ir_kind(ref) == IR_VALUE && ir_index(ref) >= first &&
           ir->insns[ir_index(ref)].op == IR_MUL && uses[ir_index(ref)] == 1;
}

static enum fused choose(const struct ir *ir, const uint32_t *uses, uint32_t first, uint32_t index)
{
    const struct ir_insn *insn = &ir->insns[index];
    if (insn->op != IR_ADD && insn->op != IR_SUB)
        return FUSED_NONE;
    if (is_fusible(ir, uses, first, insn->b))
        return FUSED_B;
    return is_fusible(ir, uses, first, insn->a) ? FUSED_A : FUSED_NONE;
}

static ir_ref renamed(const ir_ref *map, ir_ref ref)
{
    return ir_kind(ref) == IR_VALUE ? map[ir_index(ref)] : ref;
}

/* -x: a constant changes its sign, a negation is undone, anything else is negated. */
static ir_ref negate(struct ir *ir, ir_ref ref)
{
    if (ir_kind(ref) == IR_CONSTANT)
        return ir_constant(ir, -ir_constant_value(ir, ref));
    if (ir_kind(ref) == IR_VALUE && ir->insns[ir_index(ref)].op == IR_NEG)
        return ir->insns[ir_index(ref)].a;
    return ir_share(ir, IR_NEG, ref, IR_REF_NONE, IR_REF_NONE);
}

/* a*b + c, a*b - c or c - a*b with one rounding; negating is exact. */
static ir_ref make_fused(struct ir *ir, const struct ir_insn *old, const struct ir_insn *insn,
                         enum fused fused, const ir_ref *map)
{
    const struct ir_insn *product = &old[ir_index(fused == FUSED_A ? insn->a : insn->b)];
    ir_ref a = renamed(map, product->a);
    const ir_ref b = renamed(map, product->b);
    ir_ref c = renamed(map, fused == FUSED_A ? insn->b : insn->a);
    if (insn->op == IR_SUB && fused == FUSED_A)
        c = negate(ir, c);
    else if (insn->op == IR_SUB)
        a = negate(ir, a);
    return ir_share(ir, IR_FMA, a, b, c);
}

uint32_t ir_contract(struct ir *ir, uint32_t first)
{
    const uint32_t count = ir->insn_count;
    uint32_t *uses = arena_array(ir->arena, count, sizeof *uses);
    uint8_t *fused = arena_array(ir->arena, count, sizeof *fused);
    uint8_t *is_absorbed = arena_array(ir->arena, count, sizeof *is_absorbed);
    ir_ref *map = arena_array(ir->arena, count, sizeof *map);
    uint8_t *live = arena_array(ir->arena, count, sizeof *live);
    ir_reach(ir, UINT32_MAX, live);
    count_uses(ir, live, uses);
    for (uint32_t i = first; i < count; i++) {
        if (!live[i])
            continue;
        fused[i] = (uint8_t)choose(ir, uses, first, i);
        if (fused[i] != FUSED_NONE)
            is_absorbed[ir_index(fused[i] == FUSED_A ? ir->insns[i].a : ir->insns[i].b)] = 1;
    }

    const struct span span = ir->span;
    const struct ir_insn *old = ir_restart(ir);
    for (uint32_t i = 0; i < count; i++) {
        const struct ir_insn *insn = &old[i];
        ir->span = insn->span;
        if (fused[i] != FUSED_NONE)
            map[i] = make_fused(ir, old, insn, (enum fused)fused[i], map);
        else if (live[i] && !is_absorbed[i])
            map[i] = ir_share(ir, (enum ir_op)insn->op, renamed(map, insn->a),
                              renamed(map, insn->b), renamed(map, insn->c));
    }
    ir->span = span;
    for (uint32_t i = 0; i < ir->out_count; i++)
        ir->outs[i].value = renamed(map, ir->outs[i].value);
    return ir->insn_count;
}
