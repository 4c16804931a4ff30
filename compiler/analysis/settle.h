/* How many corrections the forward solve takes, found by trying it: a few channels on random inputs
 * and parameters, by interpretation in float, with the rules of kernels-gen/forward.h. A bound of
 * the Jacobian that holds for all inputs says little about those that occur; this says what is
 * usual. */
#ifndef PRNN_SETTLE_H
#define PRNN_SETTLE_H

#include "ir.h"
#include "structure.h"

enum { SETTLE_CHUNKS = 5, SETTLE_TILES = 4 };

/* Of a tile, for chunks of 4, 8, 16, 32, 64 steps (rows) and 4, 16, 64, 256 of them (columns). A
 * tile that does not settle in some corrections is taken to need one for every chunk. */
struct settle {
    float corrections[SETTLE_CHUNKS][SETTLE_TILES];
    float finals[SETTLE_CHUNKS]
                [SETTLE_TILES]; /* runs without tangents; 0: the last correction keeps its steps */
};

/* 'ir' complete: next, jac, guess. Some tens of milliseconds to some hundred. */
void settle_find(struct settle *out, const struct ir *ir, const struct structure *structure,
                 struct arena *arena);

/* Between the table's places; a single chunk needs no correction and one final run. */
void settle_at(const struct settle *settle, double chunk, double chunks, double *corrections,
               double *finals);

#endif
