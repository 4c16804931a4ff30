/* Bandwidth of a GPU. */
#ifndef PRNN_MEASURE_DEVICE_H
#define PRNN_MEASURE_DEVICE_H

#include "cuda_device.h"

/* Bytes a second that the device reads and writes together while copying an array too large for
 * every cache; each byte counts once read and once written. 0 where that cannot be measured. */
double measure_device_bandwidth(struct cuda_device *device);

#endif
