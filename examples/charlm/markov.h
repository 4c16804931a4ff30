/** The yardstick: a Markov model of order 3 that backs off to shorter contexts. */
#ifndef CHARLM_MARKOV_H
#define CHARLM_MARKOV_H

#include "text.h"

/**
 * Bits per symbol of 'validation' under the model counted on 'training'. Interpolated with the
 * weights of Witten and Bell (1991): a context seen n times with k different successors gives
 * n/(n+k) to its own counts and k/(n+k) to the next shorter context; below order 0 stands the
 * uniform distribution. Negative: no memory.
 */
double markov_bits(const struct text *training, const struct text *validation);

#endif
