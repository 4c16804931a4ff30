/* The kernels for one element type, as C functions: REAL, KERNEL_NAME(), TABLE. */
#include "device_kernels.h"

#define X(name) KERNEL_NAME(name),
static void (*const TABLE[KERNEL_COUNT])(struct kernel_args) = {CHARLM_KERNELS(X)};
#undef X
#undef REAL
#undef KERNEL_NAME
#undef TABLE
