/* Shared by the files of this module: statements (lower.c), expressions (lower_expr.c), and the
 * functions that are more than one operation (lower_function.c). */
#ifndef PRNN_LOWER_INTERNAL_H
#define PRNN_LOWER_INTERNAL_H

#include "lower.h"

enum {
    /* Elements of expressions visited, those of each inlined copy counted anew. Sharing cannot
     * bound the walk: a function that calls another twice, many levels deep, is short after sharing
     * but is visited exponentially often. */
    LOWER_VISITS = 1 << 20,
};

struct lowering {
    struct arena *arena;
    struct diag *diag;
    struct ir *ir;
    /* Elements of the symbols, by symbol->index; NULL before they are defined. */
    ir_ref **states, **nexts, **inputs, **params, **definitions, **outputs;
    const ir_ref *arguments; /* of the function being inlined, by position */
    uint32_t visits;
};

/* The elements of an expression, row-major. Recursion is bounded: typecheck() holds the height of
 * an expression with all it calls below LIMIT_NESTING. After a limit was met they are without
 * meaning. */
const ir_ref *lower_expr(struct lowering *lw, const struct ast_expr *expr);

/* One operation at the place of the expression at hand; warns when it makes a NaN of constants. */
ir_ref lower_op(struct lowering *lw, enum ir_op op, ir_ref a, ir_ref b, ir_ref c);
ir_ref lower_op1(struct lowering *lw, enum ir_op op, ir_ref a);
ir_ref lower_op2(struct lowering *lw, enum ir_op op, ir_ref a, ir_ref b);

/* base^exponent: by multiplications if the exponent is a constant integer. */
ir_ref lower_power(struct lowering *lw, ir_ref base, ir_ref exponent);
/* One element of an elementwise built-in function of 'arg'. */
ir_ref lower_elementwise(struct lowering *lw, enum ast_function function, const ir_ref *arg);
/* value[0] + value[1] + ... from the left. 'count' > 0. */
ir_ref lower_sum(struct lowering *lw, const ir_ref *value, uint32_t count);
ir_ref lower_logsumexp(struct lowering *lw, const ir_ref *value, uint32_t count);
void lower_softmax(struct lowering *lw, const ir_ref *value, uint32_t count, ir_ref *out);

#endif
