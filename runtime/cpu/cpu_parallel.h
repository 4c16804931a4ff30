/* Loops spread over threads.
 *
 * Not OpenMP's own: its runtime allocates for every parallel region, also for one of a single
 * thread, and ends the process where memory or threads cannot be had. Here the threads are made
 * with the plan, a loop allocates nothing and cannot fail, and fewer threads, or the caller alone,
 * do the work where there are no more. */
#ifndef PRNN_CPU_PARALLEL_H
#define PRNN_CPU_PARALLEL_H

#include <stdint.h>

/* One item of a loop; 'worker' is below the loop's 'threads' and its own while the item runs. */
typedef void cpu_item(void *context, int64_t index, int worker);

/* Make the threads that a loop over 'threads' needs besides its caller. They live as long as the
 * library. */
void cpu_parallel_prepare(int threads);

/* How many threads a loop is to have: OMP_NUM_THREADS, else the processors that the process may
 * use; at least 1, at most 256. */
int cpu_parallel_default(void);

/* Call item(context, index, worker) for every index below 'count', in any order, and return when
 * all are done. Any thread, several at once. In a forked process, where the threads no longer
 * exist, and inside a parallel region of the OpenMP of the host program, the caller does it alone.
 */
void cpu_parallel(int threads, int64_t count, cpu_item *item, void *context);

#endif
