/* What the ranges of a cell give reason to say, behind the stage that finds them. */
#ifndef PRNN_WARNINGS_H
#define PRNN_WARNINGS_H

#include "pipeline.h"

/* Adds to unit->diag; unit->ranges is complete. */
void warn_ranges(struct unit *unit);

#endif
