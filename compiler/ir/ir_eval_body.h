/* The interpreter's one body. Define before including it, as often as there are element types:
 *
 *   real         the element type
 *   REAL(f)      the library's f for it: f, f with f or q appended
 *   REAL_LEAVES  tag of the struct made with IR_EVAL_LEAVES
 *   REAL_EVAL    name of the function
 *
 * All four are undefined at the end. Compile without contraction: fused is only what says fma. */
#include "ir_program.h"
#include "ir_real.h"

#define OP1(ID, name, da, cost, text, eval)                                                        \
    case IR_##ID:                                                                                  \
        y[i] = (real)(eval);                                                                       \
        break;
#define OP2(ID, name, da, db, cost, text, eval)                                                    \
    case IR_##ID:                                                                                  \
        y[i] = (real)(eval);                                                                       \
        break;
#define OP3(ID, name, da, db, dc, cost, text, eval)                                                \
    case IR_##ID: {                                                                                \
        const real c = scratch[insn->c];                                                           \
        y[i] = (real)(eval);                                                                       \
        break;                                                                                     \
    }

void REAL_EVAL(const struct ir_program *program, const struct REAL_LEAVES *leaves, real *scratch)
{
    for (uint32_t i = 0; i < program->leaf_count; i++) {
        const struct ir_program_leaf *leaf = &program->leaves[i];
        switch (leaf->kind) {
        case IR_STATE:
            scratch[i] = leaves->h[leaf->index];
            break;
        case IR_INPUT:
            scratch[i] = leaves->x[leaf->index];
            break;
        case IR_PARAM:
            scratch[i] = leaves->p[leaf->index];
            break;
        case IR_COTANGENT:
            scratch[i] = leaves->cotangent[leaf->index];
            break;
        default:
            scratch[i] = (real)leaf->constant;
            break;
        }
    }

    real *y = scratch + program->leaf_count;
    for (uint32_t i = 0; i < program->insn_count; i++) {
        const struct ir_program_insn *insn = &program->insns[i];
        const real a = scratch[insn->a], b = scratch[insn->b];
        switch ((enum ir_op)insn->op) {
#include "ops.def"
        case IR_OP_COUNT:
            break;
        }
    }

    for (uint32_t i = 0; i < program->out_count; i++) {
        const struct ir_program_out *out = &program->outs[i];
        leaves->out[out->kind][out->index] =
            out->slot == IR_PROGRAM_ZERO ? (real)0 : scratch[out->slot];
    }
}

#undef OP1
#undef OP2
#undef OP3
#undef real
#undef REAL
#undef REAL_LEAVES
#undef REAL_EVAL
