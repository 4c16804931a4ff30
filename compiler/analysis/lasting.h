/* Whether an infinity or NaN among the states can be forgotten. */
#ifndef PRNN_LASTING_H
#define PRNN_LASTING_H

#include "ir.h"

/* True if it is certain that, once a state is infinite or NaN, some state is after every later
 * step, resets apart: then the last states of a run tell of all of them. Needs the step (next.i)
 * only. */
bool lasting_nonfinite(const struct ir *ir, struct arena *arena);

#endif
