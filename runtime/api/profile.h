/* What the choice of a strategy wants to know of a cell, and the choice. */
#ifndef PRNN_PROFILE_H
#define PRNN_PROFILE_H

#include "backend.h"
#include "cache.h"
#include "strategy_model.h"

/* Of a cell in storage that is rounded so. */
struct profile {
    struct work_table work;
    struct settle settle;
};

/**
 * Count, and try how soon the solve settles: some tens of milliseconds, the first time. It is kept
 * in the cache (NULL: none) under the cell's emitted half and the rounding.
 *
 * @return PRNN_OK; PRNN_E_NOMEM
 */
prnn_status profile_find(struct profile *out, const struct unit *unit,
                         enum settle_rounding rounding, struct cache *cache);

/* A problem for the model, of a device that need not be there. Borrows everything. */
struct model_problem profile_problem(const struct profile *profile, const struct unit *unit,
                                     const struct cuda_properties *device,
                                     const struct backend_shape *shape,
                                     const struct assemble_options *options);
/* ... of one that is: where clusters may be of use, it is asked how many it holds at once. */
struct model_problem profile_problem_on(struct cuda_device *device, struct cache *cache,
                                        const struct profile *profile, const struct unit *unit,
                                        const struct backend_shape *shape,
                                        const struct assemble_options *options);

/* The strategy that is predicted to be the fastest. One that solves in parallel is taken only where
 * it is predicted to win clearly against running in order: a prediction is not a measurement. */
void strategy_choose(struct strategy *out, struct prediction *prediction,
                     const struct model_problem *problem);
/* ... of the scan of given Jacobians: by a rule of thumb. */
void strategy_choose_scan(struct strategy *out, const struct backend_shape *shape);

#endif
