/* Scalar arithmetic at compile time: sizes, bounds, exponents, consts. */
#ifndef PRNN_CONSTANT_H
#define PRNN_CONSTANT_H

#include "ast.h"

#include <stdbool.h>

/* The value of an expression whose arguments are all constant; false if this kind of expression has
 * no value at compile time (conditions, vectors, calls of 'fn'). */
bool constant_evaluate(const struct ast_expr *expr, double *value);

#endif
