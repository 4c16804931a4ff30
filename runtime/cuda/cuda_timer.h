/* Time between two points of a stream of a device, by events: as the device sees it, without
 * the host. */
#ifndef PRNN_CUDA_TIMER_H
#define PRNN_CUDA_TIMER_H

#include "cuda_device.h"

struct cuda_timer;

/* Of this stream, NULL: the default one. PRNN_OK; PRNN_E_NOMEM; PRNN_E_BACKEND; PRNN_E_STICKY */
prnn_status cuda_timer_create(struct cuda_timer **out, struct cuda_device *device, void *stream);
void cuda_timer_free(struct cuda_timer *timer); /* NULL is fine */

prnn_status cuda_timer_start(struct cuda_timer *timer);
/* Wait for what was enqueued since the start; its seconds. */
prnn_status cuda_timer_stop(struct cuda_timer *timer, double *seconds);

#endif
