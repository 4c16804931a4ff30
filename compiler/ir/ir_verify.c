#include "ir_text.h"

#include "ir_build.h"
#include "limits.h"

static const char *verify_insn(const struct ir *ir, uint32_t index, struct arena *arena)
{
    const struct ir_insn *insn = &ir->insns[index];
    if (insn->op >= IR_OP_COUNT)
        return arena_printf(arena, "%%%u: unknown operation %u", index, insn->op);
    const enum ir_op op = (enum ir_op)insn->op;
    if (insn->type != ir_op_type(op))
        return arena_printf(arena, "%%%u: '%s' has the wrong result type", index, ir_op_name(op));
    for (unsigned i = 0; i < 3; i++) {
        const ir_ref ref = ir_operand(insn, i);
        if (i >= ir_op_arity(op)) {
            if (ref != IR_REF_NONE)
                return arena_printf(arena, "%%%u: '%s' has more than %u operands", index,
                                    ir_op_name(op), ir_op_arity(op));
            continue;
        }
        if (ir_kind(ref) == IR_NONE || ir_index(ref) >= ir_kind_count(ir, ir_kind(ref)))
            return arena_printf(arena, "%%%u: operand %u is not there", index, i);
        if (ir_kind(ref) == IR_VALUE && ir_index(ref) >= index)
            return arena_printf(arena, "%%%u: operand %%%u stands after its use", index,
                                ir_index(ref));
        if (ir_type_of(ir, ref) != ir_op_operand_type(op, i))
            return arena_printf(arena, "%%%u: operand %u must be a %s", index, i,
                                ir_op_operand_type(op, i) == IR_REAL ? "real" : "condition");
    }
    return NULL;
}

static uint32_t out_limit(const struct ir *ir, enum ir_out_kind kind)
{
    switch (kind) {
    case IR_OUT_OUTPUT:
        return ir->outputs;
    case IR_OUT_ADJ_INPUT:
        return ir->inputs;
    case IR_OUT_ADJ_PARAM:
        return ir->params;
    default:
        return ir->states;
    }
}

static const char *verify_out(const struct ir *ir, uint32_t index, struct arena *arena)
{
    const struct ir_out *out = &ir->outs[index];
    if (out->kind >= IR_OUT_KIND_COUNT)
        return arena_printf(arena, "out %u: unknown kind %u", index, out->kind);
    const enum ir_out_kind kind = (enum ir_out_kind)out->kind;
    const bool is_matrix = kind == IR_OUT_JACOBIAN || kind == IR_OUT_ADJACOBIAN;
    if (out->i >= out_limit(ir, kind) || out->j >= (is_matrix ? ir->states : 1))
        return arena_printf(arena, "out %s.%u.%u: index out of range", ir_out_kind_name(kind),
                            out->i, out->j);
    if (ir_kind(out->value) == IR_NONE ||
        ir_index(out->value) >= ir_kind_count(ir, ir_kind(out->value)))
        return arena_printf(arena, "out %s.%u: the value is not there", ir_out_kind_name(kind),
                            out->i);
    if (ir_type_of(ir, out->value) != IR_REAL)
        return arena_printf(arena, "out %s.%u: a condition", ir_out_kind_name(kind), out->i);
    if (index > 0) {
        const struct ir_out *before = &ir->outs[index - 1];
        if (before->kind > out->kind ||
            (before->kind == out->kind &&
             (before->i > out->i || (before->i == out->i && before->j >= out->j))))
            return arena_printf(arena, "out %s.%u: out of order or twice", ir_out_kind_name(kind),
                                out->i);
    }
    return NULL;
}

/* The declarations of each role cover its scalars without gap, roles in order. */
static const char *verify_decls(const struct ir *ir, struct arena *arena)
{
    uint32_t next[] = {0, 0, 0, 0};
    for (uint32_t i = 0; i < ir->decl_count; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        if (i > 0 && decl->role < ir->decls[i - 1].role)
            return arena_printf(arena, "'%s' is declared out of order", decl->name);
        if (decl->rank > 2 || (decl->rank < 2 && decl->cols != 1) ||
            (decl->rank < 1 && decl->rows != 1) || decl->count != decl->rows * decl->cols)
            return arena_printf(arena, "'%s' has no proper shape", decl->name);
        if (decl->first != next[decl->role])
            return arena_printf(arena, "'%s' begins at scalar %u, not %u", decl->name, decl->first,
                                next[decl->role]);
        next[decl->role] += decl->count;
    }
    if (next[IR_ROLE_STATE] != ir->states || next[IR_ROLE_INPUT] != ir->inputs ||
        next[IR_ROLE_PARAM] != ir->params || next[IR_ROLE_OUTPUT] != ir->outputs)
        return "the declarations do not cover the scalars";
    return NULL;
}

const char *ir_verify(const struct ir *ir, bool is_clean, struct arena *arena)
{
    const char *message = verify_decls(ir, arena);
    if (ir->insn_count > LIMIT_OPERATIONS)
        message =
            arena_printf(arena, "%u operations are more than %d", ir->insn_count, LIMIT_OPERATIONS);
    for (uint32_t i = 0; i < ir->insn_count && !message; i++)
        message = verify_insn(ir, i, arena);
    for (uint32_t i = 0; i < ir->out_count && !message; i++)
        message = verify_out(ir, i, arena);
    for (uint32_t i = 0; i < ir->states && !message; i++) {
        if (!ir_find_out(ir, IR_OUT_NEXT, i, 0))
            message = arena_printf(arena, "next.%u is missing", i);
    }
    for (uint32_t i = 0; i < ir->outputs && !message; i++) {
        if (!ir_find_out(ir, IR_OUT_OUTPUT, i, 0))
            message = arena_printf(arena, "out.%u is missing", i);
    }
    if (message || !is_clean)
        return message;

    uint8_t *live = arena_array(arena, ir->insn_count, sizeof *live);
    ir_reach(ir, UINT32_MAX, live);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        if (!live[i])
            return arena_printf(arena, "%%%u is not used", i);
    }
    return NULL;
}
