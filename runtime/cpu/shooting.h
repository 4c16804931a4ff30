/* The shooting solver, plainly: a reference to read and to compare the GPU kernels with, one
 * channel at a time by interpretation. docs/method.md says why it works.
 *
 * A sequence is cut into tiles of W chunks of S steps. The unknowns are the states at the entries
 * of the chunks. Each correction runs every chunk from its entry with the tangent beside it, then
 * scans the chunks for the corrections of their entries. After k corrections the first k entries
 * are exact whatever the tangents are. */
#ifndef PRNN_SHOOTING_H
#define PRNN_SHOOTING_H

#include "ir_eval.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A cell made ready for shooting; lives in the arena it was made in. */
struct shooting_cell {
    const struct ir *ir;
    const struct ir_program *step;    /* next */
    const struct ir_program *tangent; /* next, jacobian */
    const struct ir_program *guess;   /* NULL: the cell declares none */
};

void shooting_cell_create(struct shooting_cell *out, const struct ir *ir, struct arena *arena);

struct shooting_options {
    int64_t tile_chunks; /* W, at least 1 */
    int64_t chunk;       /* S, at least 1 */
    double tolerance;    /* of the mismatch, relative to the largest |state| of the chunk; 0: the
                            bits of the sequential recurrence */
    bool in_float;       /* arithmetic in float, else double */

    /* For tests. Called with the tangent [states * states] of every chunk, to spoil it. */
    void (*spoil)(void *context, int64_t tile, int64_t chunk, double *tangent);
    /* Called with the entries [chunks * states] of a tile before correction 0, 1, 2, ... */
    void (*observe)(void *context, int64_t tile, uint32_t correction, const double *entries,
                    int64_t chunks);
    void *context;
};

/* What the solve reports: struct prnn_certificate of one channel. */
struct shooting_report {
    double mismatch;          /* of the final run */
    int64_t step;             /* where the largest is; -1: nowhere */
    uint32_t max_corrections; /* of one tile */
    uint64_t sum_corrections;
    uint32_t max_sweeps; /* tangent-free passes for tolerance 0 */
    int64_t tiles;
    bool nonfinite;
};

/* One channel of one sequence. */
struct shooting_problem {
    int64_t seq_len;
    const double *x;            /* [seq_len][inputs] */
    const double *p;            /* [params] */
    const double *h0;           /* [states]; NULL: the cell's initial state */
    const unsigned char *reset; /* [seq_len], or NULL */
    double *h;                  /* out: [seq_len][states] */
};

/* Returns false when memory has ended. */
bool shooting_solve(const struct shooting_cell *cell, const struct shooting_options *options,
                    const struct shooting_problem *problem, struct shooting_report *report);

#endif
