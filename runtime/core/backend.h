/* What 'api' hands to a backend: the shape of the problem and, for each kernel, its text. A backend
 * sees no cell and no name; it cannot tell one cell from another but by counts and bits. */
#ifndef PRNN_BACKEND_H
#define PRNN_BACKEND_H

#include "launch_args.h"

#include <pararnnc/pararnnc.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is fixed when a plan is made. */
struct backend_shape {
    int64_t batch, seq_len, channels;
    prnn_storage storage;
    prnn_math math;
    bool is_backward, has_resets, is_packed, is_reversed;
    uint32_t state_written,
        state_gradient;        /* PRNN_STATE_WRITTEN, PRNN_STATE_GRADIENT of the text */
    int32_t threads;           /* CPU; 0: OMP_NUM_THREADS, else the processors */
    double tolerance;          /* resolved: never negative */
    struct prnn_counts counts; /* outputs: expressions only */
    struct launch_places places;
    const bool *input_is_shared; /* per scalar; borrowed as long as the plan lives */
    const bool *param_is_shared;
    const bool *input_has_gradient;
    const bool *param_has_gradient;
};

/* One kernel text and how to launch it. All borrowed during the call. */
struct backend_text {
    const char *text;
    size_t length;
    const char *entry;
    const char *reduce_entry; /* of a backward text: its second kernel; else NULL */
    uint32_t threads, shared_bytes;
    uint32_t block_channels, segment_channels; /* as of struct assembled */
    uint32_t cluster;
};

/* A launch argument is made by 'api': strides resolved, time already turned round for unpacked
 * reversed sequences, absent tensors NULL. The head's workspace, report, tolerance, is_near and
 * is_aligned are the backend's to fill in. A backend may change the launch it is given. */

/* Bytes of an element of sequence tensors, and of the arithmetic type. */
static inline size_t storage_bytes(prnn_storage storage)
{
    return storage == PRNN_F64 ? 8 : storage == PRNN_F32 ? 4 : 2;
}

static inline size_t real_bytes(prnn_storage storage)
{
    return storage == PRNN_F64 ? 8 : 4;
}

#endif
