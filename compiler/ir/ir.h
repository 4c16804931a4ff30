/* The intermediate representation: one cell as a flat array of scalar instructions.
 *
 * Straight line, selects only: operands stand before their use, so every consumer is one loop with
 * one switch. A value is a 32-bit reference: 3 bits of kind, 29 of index. All functions of a cell
 * (step, Jacobian, adjoint, outputs, guess) live in one array and share its values; what a function
 * computes is named by 'outs' (struct ir_out), and a consumer walks only what its outs reach.
 *
 * Vectors and matrices of the language are expanded to scalars before this point. The declarations
 * stay (struct ir_decl), each with the place of its first scalar. */
#ifndef PRNN_IR_H
#define PRNN_IR_H

#include "arena.h"
#include "span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t ir_ref;

enum ir_kind {
    IR_NONE,      /* no value: the structural zero of derivatives, an unused operand */
    IR_VALUE,     /* result of instruction 'index'                 %0 */
    IR_CONSTANT,  /* constants[index]                              1.5 */
    IR_STATE,     /* scalar state before the step                  h0 */
    IR_INPUT,     /* scalar input                                  x0 */
    IR_PARAM,     /* scalar parameter                              p0 */
    IR_COTANGENT, /* of next.i for index < states, then of out.k   c0 */
};

#define IR_REF(kind, index) ((ir_ref)(kind) << 29 | (ir_ref)(index))
#define IR_REF_NONE ((ir_ref)0)

static inline enum ir_kind ir_kind(ir_ref ref)
{
    return (enum ir_kind)(ref >> 29);
}

static inline uint32_t ir_index(ir_ref ref)
{
    return ref & 0x1fffffffu;
}

enum ir_op {
#define OP1(ID, name, da, cost, text, eval) IR_##ID,
#define OP2(ID, name, da, db, cost, text, eval) IR_##ID,
#define OP3(ID, name, da, db, dc, cost, text, eval) IR_##ID,
#include "ops.def"
#undef OP1
#undef OP2
#undef OP3
    IR_OP_COUNT
};

enum ir_type { IR_REAL, IR_CONDITION };

/* How dear an operation is; the weights are the device's. */
enum ir_cost { COST_FREE, COST_ALU, COST_DIV, COST_SFU, COST_CALL };

struct ir_insn {
    uint8_t op;   /* enum ir_op */
    uint8_t type; /* enum ir_type of the result */
    ir_ref a, b, c;
    struct span span; /* the source expression this came from; {0, 0}: none */
};

enum ir_role { IR_ROLE_STATE, IR_ROLE_INPUT, IR_ROLE_PARAM, IR_ROLE_OUTPUT };

enum ir_init {
    IR_INIT_DEFAULT,
    IR_INIT_ZEROS,
    IR_INIT_ONES,
    IR_INIT_CONSTANT,
    IR_INIT_NORMAL,
    IR_INIT_UNIFORM
};

/* One declared name. Elements are scalars in row-major order: element (i, j) is first + i*cols + j.
 */
struct ir_decl {
    const char *name;
    const char *doc; /* the ## comment, or NULL */
    enum ir_role role;
    uint32_t rank;       /* 0 scalar, 1 vector [rows], 2 matrix [rows, cols] */
    uint32_t rows, cols; /* 1 where the rank has none */
    uint32_t first, count;
    bool is_shared; /* one value for all channels */
    bool no_gradient;
    bool has_range;
    double lo, hi; /* in [lo, hi] */
    enum ir_init init;
    double init_a, init_b;
    double initial; /* of a state: its default value before the first step */
    struct span span;
};

/* What a value is for. */
enum ir_out_kind {
    IR_OUT_NEXT,       /* next.i     state i after the step */
    IR_OUT_OUTPUT,     /* out.k      scalar output k */
    IR_OUT_GUESS,      /* guess.i    first guess of state i */
    IR_OUT_JACOBIAN,   /* jac.i.j    d next.i / d h.j, structurally nonzero only */
    IR_OUT_ADJACOBIAN, /* adjac.i.j  the same with detach() honoured: what the backward pass scans
                        */
    IR_OUT_SOURCE,     /* src.j      (d out / d h.j)^T times the cotangents of the outputs */
    IR_OUT_ADJ_STATE,  /* adj_h.j    cotangent of h.j, from all cotangents */
    IR_OUT_ADJ_INPUT,  /* adj_x.k */
    IR_OUT_ADJ_PARAM,  /* adj_p.k */
    IR_OUT_KIND_COUNT
};

struct ir_out {
    uint8_t kind; /* enum ir_out_kind */
    uint16_t i, j;
    ir_ref value;
};

struct ir {
    struct arena *arena;
    const char *name; /* of the cell */
    const char *doc;
    uint32_t states, inputs, params, outputs; /* scalars */

    struct ir_decl *decls; /* states, inputs, params, outputs, each group in order of declaration */
    uint32_t decl_count;

    struct ir_insn *insns;
    uint32_t insn_count, insn_room;
    double *constants;
    uint32_t constant_count, constant_room;
    struct ir_out *outs; /* sorted by (kind, i, j) after ir_add_out() */
    uint32_t out_count, out_room;

    uint32_t *table; /* hash-consing: instruction and constant indices; private to ir.c */
    uint32_t table_size;
    struct span span; /* given to instructions made from now on */
    /* While a step is made: of a sum or product of two instructions the left one stays left,
     * whichever was made first. ir_number() ends it and sorts. */
    bool is_as_written;
    bool is_full;     /* LIMIT_OPERATIONS was met; ir_make() then returns its first operand */
};

struct ir *ir_create(struct arena *arena);

/* Builder. All of them fold and share: the same operation on the same operands is one value, and
 * the folding keeps IEEE meaning (x*1 is x; x+0 and 0*x stay). A constant operation is evaluated.
 */
ir_ref ir_constant(struct ir *ir, double value);
ir_ref ir_make(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c);
void ir_add_out(struct ir *ir, enum ir_out_kind kind, uint32_t i, uint32_t j, ir_ref value);
/* IR_REF_NONE if there is no such out (for a Jacobian entry: it is structurally zero). */
ir_ref ir_find_out(const struct ir *ir, enum ir_out_kind kind, uint32_t i, uint32_t j);
/* The state whose new value scalar output k is, or -1: it is an expression of its own. */
int ir_output_state(const struct ir *ir, uint32_t k);
/* How many outputs are expressions of their own: PRNN_OUTPUTS of a kernel text. */
uint32_t ir_expression_count(const struct ir *ir);

/* Tables over ops.def. */
const char *ir_op_name(enum ir_op op);
unsigned ir_op_arity(enum ir_op op);
enum ir_cost ir_op_cost(enum ir_op op);
const char *ir_op_text(enum ir_op op); /* spelling in kernel text, with $a $b $c */
enum ir_type ir_op_type(enum ir_op op);
enum ir_type ir_op_operand_type(enum ir_op op, unsigned operand);
const char *ir_out_kind_name(enum ir_out_kind kind);
enum ir_type ir_type_of(const struct ir *ir, ir_ref ref);
bool ir_is_constant(const struct ir *ir, ir_ref ref, double value); /* bit for bit */
double ir_constant_value(const struct ir *ir, ir_ref ref);

/* The declaration that holds scalar 'index' of a role, and the element within it. */
const struct ir_decl *ir_decl_of(const struct ir *ir, enum ir_role role, uint32_t index,
                                 uint32_t *element);
/* "h", "h[2]", "R[0, 3]": for messages and reports. */
const char *ir_scalar_name(const struct ir *ir, enum ir_role role, uint32_t index,
                           struct arena *arena);

/* A bit mask over enum ir_out_kind: which outs a function computes. */
#define IR_MASK(kind) (1u << (kind))
/* live[i] is set for every instruction that the outs of 'mask' reach. Returns how many.
 * 'live' has insn_count entries. */
uint32_t ir_reach(const struct ir *ir, uint32_t mask, uint8_t *live);

#endif
