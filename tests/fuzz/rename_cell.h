/* The text of a cell with every name of its own replaced: what is compiled from it must be the same
 * byte for byte. */
#ifndef PRNN_RENAME_CELL_H
#define PRNN_RENAME_CELL_H

#include "pipeline.h"

/* malloc'd, with a NUL behind it, for the caller to free; never NULL. 'unit' compiled without
 * errors. */
char *rename_cell(const struct unit *unit, size_t *length);

#endif
