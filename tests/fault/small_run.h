/* A small problem of any cell through the public API, in static memory: what the fault tests do
 * before, during and after a fault. Allocates nothing itself. */
#ifndef PRNN_SMALL_RUN_H
#define PRNN_SMALL_RUN_H

#include <pararnnc/pararnnc.h>

#include <stdint.h>

enum { SMALL_BATCH = 2, SMALL_STEPS = 7, SMALL_CHANNELS = 5 };

/* One state; and two states with an output that is an expression. */
extern const char small_gru[], small_lstm[];

/* Forward and backward, one thread, f32, trajectories written. */
prnn_problem small_problem(void);

/**
 * Bind every name of the cell to filled memory of 'ctx' (whose device memory may be host memory),
 * solve, ask for the certificate, and run the backward pass.
 *
 * @param[out] digest  of every bit that the library has written
 *
 * @return the first status that is not PRNN_OK
 */
prnn_status small_solve(const prnn_plan *plan, const prnn_cell *cell, uint64_t *digest);
/* The same with prnn_step(), three steps in a row. */
prnn_status small_steps(const prnn_plan *plan, const prnn_cell *cell, uint64_t *digest);
/* A scan plan of diagonal blocks is made, run and freed. */
prnn_status small_scan(prnn_context *ctx, uint64_t *digest);

#endif
