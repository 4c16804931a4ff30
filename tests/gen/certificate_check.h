/* What a forward run on the shim says about itself, against what it has written. Failures are
 * Check's. */
#ifndef PRNN_CERTIFICATE_CHECK_H
#define PRNN_CERTIFICATE_CHECK_H

#include "../kernels/kernel_case.h"
#include "trial.h"

/* Mismatch, place and flag of every thread block. */
void certificate_check(const struct trial *trial, struct kernel_data *data);
/* Each written state is the step of the one before, but for rounding and, behind a seam between
 * chunks, what the certificate admits; and the corrections are about those of the plain solver. For
 * storage in float. */
void corrections_check(const struct trial *trial, struct kernel_data *data);

#endif
