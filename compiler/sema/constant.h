/* Scalar arithmetic at compile time: sizes, bounds, exponents, consts. */
#ifndef PRNN_CONSTANT_H
#define PRNN_CONSTANT_H

#include "ast.h"

#include <stdbool.h>

/* The value of an expression whose arguments are all constant; false if this kind of expression has
 * no value at compile time (conditions, vectors, calls of 'fn'). */
bool constant_evaluate(const struct ast_expr *expr, double *value);

/* Whether a power of this exponent is a product: a whole number that a double holds exactly. */
bool constant_is_integer(double exponent);

#endif
