#include "partial.h"

#include <assert.h>

struct partial partial_from(ir_ref value)
{
    return (struct partial){.value = value};
}

static ir_ref multiply(struct ir *ir, ir_ref a, ir_ref b)
{
    if (ir_is_constant(ir, a, 1.0))
        return b;
    if (ir_is_constant(ir, b, 1.0))
        return a;
    return ir_make(ir, IR_MUL, a, b, IR_REF_NONE);
}

/* The value without its gate. */
static ir_ref signed_value(struct ir *ir, struct partial partial)
{
    if (!partial.is_negative)
        return partial.value;
    return ir_make(ir, IR_NEG, partial.value, IR_REF_NONE, IR_REF_NONE);
}

ir_ref partial_value(struct ir *ir, struct partial partial)
{
    if (partial_is_zero(partial))
        return IR_REF_NONE;
    const ir_ref value = signed_value(ir, partial);
    if (partial.gate == IR_REF_NONE || partial.is_shut_to_zero)
        return value;
    return ir_make(ir, IR_WHERE, partial.gate, value, ir_constant(ir, 0.0));
}

static ir_ref both_gates(struct ir *ir, ir_ref a, ir_ref b)
{
    if (a == IR_REF_NONE || a == b)
        return b;
    if (b == IR_REF_NONE)
        return a;
    return ir_make(ir, IR_AND, a, b, IR_REF_NONE);
}

struct partial partial_chain(struct ir *ir, struct partial carried, struct partial local)
{
    if (partial_is_zero(carried) || partial_is_zero(local))
        return (struct partial){0};
    struct partial out = {.is_negative = carried.is_negative != local.is_negative};
    out.value = multiply(ir, carried.value, local.value);
    out.gate = both_gates(ir, carried.gate, local.gate);
    /* A factor may be infinite where the gate is shut, and another gate shuts elsewhere. */
    out.is_shut_to_zero =
        carried.is_shut_to_zero && out.value == carried.value && out.gate == carried.gate;
    return out;
}

/* Sum of two open values, or of two behind the same gate. */
static struct partial plain_sum(struct ir *ir, struct partial a, struct partial b)
{
    struct partial out = {.gate = a.gate,
                          .is_negative = a.is_negative && b.is_negative,
                          .is_shut_to_zero = a.is_shut_to_zero && b.is_shut_to_zero};
    if (a.is_negative == b.is_negative)
        out.value = ir_make(ir, IR_ADD, a.value, b.value, IR_REF_NONE);
    else if (b.is_negative)
        out.value = ir_make(ir, IR_SUB, a.value, b.value, IR_REF_NONE);
    else
        out.value = ir_make(ir, IR_SUB, b.value, a.value, IR_REF_NONE);
    return out;
}

static bool is_not(const struct ir *ir, ir_ref ref, ir_ref condition)
{
    return ir_kind(ref) == IR_VALUE && ir->insns[ir_index(ref)].op == IR_NOT &&
           ir->insns[ir_index(ref)].a == condition;
}

/* One of the two is open, never both: a choice. */
static struct partial choice(struct ir *ir, ir_ref condition, struct partial yes, struct partial no)
{
    struct partial out = {.is_negative = yes.is_negative && no.is_negative};
    if (out.is_negative)
        yes.is_negative = no.is_negative = false;
    const ir_ref yes_value = signed_value(ir, yes);
    const ir_ref no_value = signed_value(ir, no);
    out.value = ir_make(ir, IR_WHERE, condition, yes_value, no_value);
    return out;
}

/* Shuts the gate at once: what is left has the same meaning and an open value. */
static struct partial shut(struct ir *ir, struct partial partial)
{
    if (partial.gate == IR_REF_NONE)
        return partial;
    const struct partial bare = {
        .value = partial.value, .gate = partial.gate, .is_shut_to_zero = partial.is_shut_to_zero};
    return (struct partial){.value = partial_value(ir, bare), .is_negative = partial.is_negative};
}

struct partial partial_sum(struct ir *ir, struct partial a, struct partial b)
{
    if (partial_is_zero(a))
        return b;
    if (partial_is_zero(b))
        return a;
    if (a.gate == b.gate)
        return plain_sum(ir, a, b);
    if (is_not(ir, b.gate, a.gate))
        return choice(ir, a.gate, a, b);
    if (is_not(ir, a.gate, b.gate))
        return choice(ir, b.gate, b, a);

    const struct partial left = shut(ir, a);
    const struct partial right = shut(ir, b);
    struct partial out = plain_sum(ir, left, right);
    if (a.gate != IR_REF_NONE && b.gate != IR_REF_NONE) {
        /* Where both are shut a later factor may be infinite. */
        out.gate = ir_make(ir, IR_OR, a.gate, b.gate, IR_REF_NONE);
        out.is_shut_to_zero = true;
    }
    return out;
}

/* The constructors of the derivative columns. */
static struct partial negated(struct partial a)
{
    a.is_negative = !a.is_negative;
    return a;
}

static struct partial gated(struct partial condition, struct partial a)
{
    a.gate = condition.value;
    return a;
}

static struct partial unary(struct ir *ir, enum ir_op op, struct partial a)
{
    return partial_from(ir_make(ir, op, signed_value(ir, a), IR_REF_NONE, IR_REF_NONE));
}

static struct partial binary(struct ir *ir, enum ir_op op, struct partial a, struct partial b)
{
    const ir_ref left = signed_value(ir, a);
    const ir_ref right = signed_value(ir, b);
    return partial_from(ir_make(ir, op, left, right, IR_REF_NONE));
}

/* Products and quotients: the sign moves out. */
static struct partial scaled(struct ir *ir, enum ir_op op, struct partial a, struct partial b)
{
    return (struct partial){.value = ir_make(ir, op, a.value, b.value, IR_REF_NONE),
                            .is_negative = a.is_negative != b.is_negative};
}

/* C leaves the order of arguments open, and instructions are numbered as they are made. So in a
 * column at most one argument of a constructor makes instructions; GATED makes its condition first.
 */
#define A partial_from(insn.a)
#define B partial_from(insn.b)
#define C partial_from(insn.c)
#define Y partial_from(IR_REF(IR_VALUE, instruction))
#define NUM(x) partial_from(ir_constant(ir, (x)))
#define NONE ((struct partial){0})
#define ONE NUM(1.0)
#define GATED(c, e) (condition = (c), gated(condition, (e)))
#define GATE(c) GATED(c, ONE)
#define NEG(a) negated(a)
#define ADD(a, b) binary(ir, IR_ADD, (a), (b))
#define SUB(a, b) binary(ir, IR_SUB, (a), (b))
#define MUL(a, b) scaled(ir, IR_MUL, (a), (b))
#define DIV(a, b) scaled(ir, IR_DIV, (a), (b))
#define POW(a, b) binary(ir, IR_POW, (a), (b))
#define LE(a, b) binary(ir, IR_LE, (a), (b))
#define GE(a, b) binary(ir, IR_GE, (a), (b))
#define GT(a, b) binary(ir, IR_GT, (a), (b))
#define NOT(a) unary(ir, IR_NOT, (a))
#define SIGMOID(a) unary(ir, IR_SIGMOID, (a))
#define EXP(a) unary(ir, IR_EXP, (a))
#define LOG(a) unary(ir, IR_LOG, (a))
#define SIN(a) unary(ir, IR_SIN, (a))
#define COS(a) unary(ir, IR_COS, (a))
#define SIGN(a) unary(ir, IR_SIGN, (a))
#define OP1(ID, name, da, cost, text, eval)                                                        \
    case IR_##ID:                                                                                  \
        return da;
#define OP2(ID, name, da, db, cost, text, eval)                                                    \
    case IR_##ID:                                                                                  \
        return operand == 0 ? da : db;
#define OP3(ID, name, da, db, dc, cost, text, eval)                                                \
    case IR_##ID:                                                                                  \
        return operand == 0 ? da : operand == 1 ? db : dc;

struct partial partial_of(struct ir *ir, uint32_t instruction, unsigned operand)
{
    const struct ir_insn insn = ir->insns[instruction];
    struct partial condition;
    switch ((enum ir_op)insn.op) {
#include "ops.def"
    case IR_OP_COUNT:
        break;
    }
    assert(false);
    return (struct partial){0};
}

#undef A
#undef B
#undef C
#undef Y
#undef NUM
#undef NONE
#undef ONE
#undef GATED
#undef GATE
#undef NEG
#undef ADD
#undef SUB
#undef MUL
#undef DIV
#undef POW
#undef LE
#undef GE
#undef GT
#undef NOT
#undef SIGMOID
#undef EXP
#undef LOG
#undef SIN
#undef COS
#undef SIGN
#undef OP1
#undef OP2
#undef OP3
