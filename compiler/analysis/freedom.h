/* What varies freely on the way to the Jacobian, and how its entries follow from it. */
#ifndef PRNN_FREEDOM_H
#define PRNN_FREEDOM_H

#include "enclosure.h"
#include "limits.h"

enum { FREEDOM_MAX = 24 }; /* dimensions; past them halving boxes leads nowhere in time */

/* How an instruction gets its value. */
enum how {
    UNUSED,
    COMPUTED,
    SQUARE,     /* a * a */
    LOGISTIC_A, /* a * (1 - a), b is 1 - a */
    LOGISTIC_B,
    LESS_SQUARE, /* c - b * b, as the contraction pass writes it: a is -b */
    VARIABLE
};

struct freedom {
    const struct ir *ir;
    uint32_t *insn; /* those that are computed, in order */
    uint32_t insn_count;
    uint8_t *how;                    /* per instruction */
    int32_t *variable[IR_COTANGENT]; /* per instruction, state, input, parameter */
    ir_ref ref[FREEDOM_MAX];         /* of each variable */
    struct interval range[FREEDOM_MAX];
    uint32_t count;
    bool is_large;                    /* more variables than are looked at */
    uint32_t is_curved[LIMIT_STATES]; /* per row, the variables that it is not affine in */
    struct interval *value, *slope;   /* per instruction */
    struct interval gradient[FREEDOM_MAX];
    bool has_jump; /* a choice is open over the box: no gradient holds across it */
};

/* A sum with an unbounded input (or parameter) that is read nowhere else can be any number, and
 * what a gate makes of it any value of the gate: such values are variables of their own, in place
 * of all below them. 'scale' narrows the parameters declared in [-r, r]. */
void freedom_find(struct freedom *out, const struct ir *ir, const struct range *state, double scale,
                  struct arena *arena);

static inline bool freedom_is_leaf(ir_ref ref)
{
    return ir_kind(ref) == IR_STATE || ir_kind(ref) == IR_INPUT || ir_kind(ref) == IR_PARAM;
}

#endif
