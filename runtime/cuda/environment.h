/* What the library finds around it: for 'pararnnc doctor', and for whoever wonders why a device or
 * a compiler is not used. Data only; the words are the reader's business. */
#ifndef PRNN_ENVIRONMENT_H
#define PRNN_ENVIRONMENT_H

#include "cuda_device.h"
#include "hostcc.h"
#include "nvrtc.h"

enum { ENVIRONMENT_DEVICES_MAX = 16 };

struct environment {
    const struct dynload_found *driver; /* is_there, path, missing */
    int driver_version;                 /* 13000: CUDA 13.0; 0: none */
    char driver_trouble[512]; /* it is there, but does not start or has no device; or "" */
    int device_count;         /* as the driver says */
    int described;            /* of 'devices' */
    struct cuda_properties devices[ENVIRONMENT_DEVICES_MAX];
    /* Of each device: the target of its kernels ("sm_90"), or "" with NVRTC's reason. */
    char targets[ENVIRONMENT_DEVICES_MAX][24];
    char target_trouble[ENVIRONMENT_DEVICES_MAX][256];

    const struct dynload_found *nvrtc;
    struct nvrtc_info nvrtc_info; /* zero: none */

    const struct hostcc_compiler *compiler; /* path NULL: 'missing' says why; NULL: no memory */
};

/* Loads the driver and NVRTC, runs the compiler with --version; makes no context on any device. The
 * pointers live as long as the process. */
void environment_get(struct environment *out);

#endif
