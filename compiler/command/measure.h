/* Times and bandwidths of this machine. */
#ifndef PRNN_MEASURE_H
#define PRNN_MEASURE_H

#include <stddef.h>

double measure_now(void); /* seconds, monotonic */

/* The median time in seconds of 'work', run at least 'fewest' times and for about 'seconds', after
 * one run that is not counted. Negative when 'work' returned not 0: then *failure is that value. */
double measure_median(int (*work)(void *), void *context, int fewest, double seconds, int *failure);

/* Bytes a second that 'threads' threads read and write together while copying arrays too large for
 * every cache; each byte counts once read and once written. 0 when memory has ended. */
double measure_copy_bandwidth(int threads);

#endif
