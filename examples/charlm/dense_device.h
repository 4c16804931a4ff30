/** The table of dense.h by the kernels and products of an accelerator. */
#ifndef CHARLM_DENSE_DEVICE_H
#define CHARLM_DENSE_DEVICE_H

#include <pararnnc/pararnnc.h>

#include "accelerator.h"
#include "dense.h"

/** 'rows' and 'columns': the most that gather, scatter, sum_rows and loss will be given, of rows
 * and of symbols. */
prnn_status dense_device_create(struct dense *out, struct accelerator *accelerator,
                                prnn_context *ctx, bool is_f64, int rows, int columns);
void dense_device_free(struct dense *dense);

#endif
