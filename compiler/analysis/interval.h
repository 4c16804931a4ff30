/* Interval arithmetic: what an operation makes of ranges of its operands. */
#ifndef PRNN_INTERVAL_H
#define PRNN_INTERVAL_H

#include "range.h"

#include <stdbool.h>

struct range range_point(double value);
struct range range_everything(void);
struct range range_union(struct range a, struct range b);
bool range_is_within(struct range range, double lo, double hi);
/* The largest absolute value; INFINITY if the value may be no number. */
double range_magnitude(struct range range);

/* Unused operands are ignored. A condition is [0, 1], [1, 1] or [0, 0]. */
struct range range_apply(enum ir_op op, struct range a, struct range b, struct range c);

/* Operations on one value twice, where the operands taken as independent would give too much. */
struct range range_square(struct range a);
struct range range_logistic(struct range a); /* a * (1 - a) */

#endif
