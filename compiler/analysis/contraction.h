/* How far a step can pull two states apart: bounds of |d h'/d h| in the maximum norm over all
 * values that states, inputs and parameters may have. */
#ifndef PRNN_CONTRACTION_H
#define PRNN_CONTRACTION_H

#include "ir.h"
#include "range.h"

/* One value of the point where the largest |d h'/d h| was found. */
struct contraction_place {
    ir_ref ref; /* a state, an input, a parameter, or an instruction that can have any value */
    double value;
};

struct contraction {
    double bound; /* no values give more; INFINITY if there is no bound */
    double found; /* what the values of 'place' give */
    uint32_t row; /* the state whose row that is */
    struct contraction_place *place;
    uint32_t place_count;
};

/* Finds the largest row sum of absolute values of the Jacobian by branch and bound: boxes of values
 * are halved, those that cannot hold the largest are dropped. A box is bounded by interval
 * arithmetic, by the mean value form (value at the middle, interval gradient over the box), and by
 * its faces where the gradient has one sign (Neumaier, Interval Methods for Systems of Equations,
 * 1990, chapter 2; Hansen, Walster, Global Optimization Using Interval Analysis, 2004). What a gate
 * makes of a sum with an input of its own is a value of its own: any value of the gate can be had.
 *
 * 'state' are invariant ranges of the states. Bounds are up to roundings of the evaluation of the
 * Jacobian itself. */
void contraction_find(struct contraction *out, const struct ir *ir, const struct range *state,
                      struct arena *arena);

/* The largest s of 1/64 .. 64/64 for which |d h'/d h| <= 1 is proven with the parameters that are
 * declared in [-r, r] kept in [-s*r, s*r]; 0 if there is none, or no such parameter. */
double contraction_scale(const struct ir *ir, const struct range *state, struct arena *arena);

/* 1, but for the roundings of the bound. */
#define CONTRACTION_ONE (1 + 0x1p-40)

#endif
