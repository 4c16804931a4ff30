/* A function of a cell made ready for the interpreter; shared by ir_eval.c and the bodies made from
 * ir_eval_body.h, here and in the tests. */
#ifndef PRNN_IR_PROGRAM_H
#define PRNN_IR_PROGRAM_H

#include "ir_eval.h"

/* Slots of the scratch array: the leaves first, then one per instruction. */
struct ir_program_leaf {
    enum ir_kind kind;
    uint32_t index;
    double constant;
};

struct ir_program_insn {
    uint32_t op;
    uint32_t a, b, c; /* slots; an unused operand is slot 0 */
};

#define IR_PROGRAM_ZERO UINT32_MAX

struct ir_program_out {
    uint32_t kind, index;
    uint32_t slot; /* IR_PROGRAM_ZERO: structurally zero */
};

struct ir_program {
    struct ir_program_leaf *leaves; /* leaf i is slot i */
    struct ir_program_insn *insns;  /* insn i is slot leaf_count + i */
    struct ir_program_out *outs;
    uint32_t leaf_count, insn_count, out_count;
};

#endif
