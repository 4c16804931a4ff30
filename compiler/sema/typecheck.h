/* Shapes, conditions, constants, attributes. */
#ifndef PRNN_TYPECHECK_H
#define PRNN_TYPECHECK_H

#include "arena.h"
#include "diag.h"
#include "resolve.h"

#include <stdbool.h>

/* Write shape, is_condition, is_constant of every expression and of every symbol. False if errors
 * were added to 'diag'. Afterwards:
 *
 * - operands broadcast: a scalar operand of an elementwise operation stands for all elements;
 * - the value of "h' =" and 'guess h =' is a scalar or has the shape of h;
 * - a 'fn' body is typed with scalar parameters; the shape of a call is that of its arguments,
 *   broadcast (the call is inlined element by element). Calls may nest deep enough that walking
 *   every inlined copy takes exponential time: share or count while inlining;
 * - places of AST_INDEX are within bounds; sizes are positive;
 * - a definition may be a condition (symbol->is_condition). */
bool typecheck(struct arena *arena, struct diag *diag, struct sema *sema);

#endif
