/* Warnings about names that nothing reads. */
#ifndef PRNN_UNUSED_H
#define PRNN_UNUSED_H

#include "diag.h"
#include "resolve.h"

/* Inputs, params, consts, definitions, functions and their parameters; not states and outputs, and
 * not names that start with '_'. */
void unused_warn(struct diag *diag, const struct sema *sema);

#endif
