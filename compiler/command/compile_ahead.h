/* Kernels compiled on threads of their own, in order, ahead of whoever measures them. What is
 * compiled lands in a cache, where making the plan finds it. */
#ifndef PRNN_COMPILE_AHEAD_H
#define PRNN_COMPILE_AHEAD_H

#include "cache.h"
#include "cuda_backend.h"
#include "pipeline.h"

struct compile_job {
    const struct unit *unit;
    struct assemble_options options;
    /* Filled in, to be read behind compile_ahead_wait(): */
    bool is_done;
    char *refusal;  /* malloc'd; why there is no kernel; NULL: there is one */
    double seconds; /* of NVRTC; 0: it was in the cache */
};

struct compile_ahead;

/**
 * Start on 'count' jobs, borrowed with their units until compile_ahead_stop().
 *
 * @param device  to compile for
 * @param threads at least 1
 *
 * @return NULL: memory or threads have ended
 */
struct compile_ahead *compile_ahead_start(struct compile_job *jobs, size_t count,
                                          struct cuda_device *device, struct cache *cache,
                                          int threads);
/* Wait for one job. */
void compile_ahead_wait(struct compile_ahead *ahead, struct compile_job *job);
/* How many are done. */
size_t compile_ahead_done(struct compile_ahead *ahead);
/* Leave the rest undone, and free what the jobs hold. NULL is fine. */
void compile_ahead_stop(struct compile_ahead *ahead);

#endif
