#include "tangent.h"

#include "diff.h"
#include "partial.h"

#include <assert.h>
#include <string.h>

struct column {
    struct ir *ir;
    enum tangent_detach detach;
    uint32_t state;     /* the derivatives are by this one */
    struct partial *of; /* per instruction of the step */
};

static struct partial leaf_or_value(const struct column *column, ir_ref ref)
{
    if (ir_kind(ref) == IR_VALUE)
        return column->of[ir_index(ref)];
    if (ir_kind(ref) == IR_STATE && ir_index(ref) == column->state)
        return partial_from(ir_constant(column->ir, 1.0));
    return (struct partial){0};
}

static struct partial differentiate(const struct column *column, uint32_t i)
{
    struct ir *ir = column->ir;
    const struct ir_insn insn = ir->insns[i];
    const ir_ref operand[3] = {insn.a, insn.b, insn.c};
    const unsigned arity = ir_op_arity((enum ir_op)insn.op);
    struct partial sum = {0};

    assert(arity <= 3);
    if (insn.op == IR_DETACH && column->detach == DETACH_IS_CONSTANT)
        return sum;
    ir->span = insn.span;
    for (unsigned k = 0; k < arity; k++) {
        const struct partial inner = leaf_or_value(column, operand[k]);
        if (partial_is_zero(inner))
            continue;
        const struct partial local = partial_of(ir, i, k);
        const struct partial term = partial_chain(ir, inner, local);
        sum = partial_sum(ir, sum, term);
    }
    return sum;
}

void tangent_add(struct ir *ir, const struct structure *structure, enum ir_out_kind kind,
                 enum tangent_detach detach)
{
    const uint32_t count = ir->insn_count;
    const struct span span = ir->span;
    uint8_t *live = arena_alloc(ir->arena, count);
    struct column column = {
        .ir = ir, .detach = detach, .of = arena_array(ir->arena, count, sizeof *column.of)};

    ir_reach(ir, IR_MASK(IR_OUT_NEXT), live);
    for (uint32_t j = 0; j < ir->states; j++) {
        column.state = j;
        memset(column.of, 0, count * sizeof *column.of);
        for (uint32_t i = 0; i < count; i++)
            if (live[i])
                column.of[i] = differentiate(&column, i);
        for (uint32_t i = 0; i < ir->states; i++) {
            const struct partial entry = leaf_or_value(&column, ir_find_out(ir, IR_OUT_NEXT, i, 0));
            if (partial_is_zero(entry))
                continue;
            assert(structure->depends[i] >> j & 1);
            ir_add_out(ir, kind, i, j, partial_value(ir, entry));
        }
    }
    ir->span = span;
    (void)structure;
}

void tangent_build(struct ir *ir, const struct structure *structure)
{
    tangent_add(ir, structure, IR_OUT_JACOBIAN, DETACH_IS_TRANSPARENT);
}
