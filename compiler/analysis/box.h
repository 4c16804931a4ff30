/* Values and gradients over a box: an interval for each variable. */
#ifndef PRNN_BOX_H
#define PRNN_BOX_H

#include "freedom.h"

struct box {
    double bound;
    int32_t widest; /* the side to be halved next; -1: none */
    struct interval side[FREEDOM_MAX];
};

/* Leaves in freedom->value what each instruction can be. */
void box_evaluate(struct freedom *freedom, const struct box *box);
/* Upper bound of a row's sum of magnitudes, from those values. */
double box_row_sum(const struct freedom *freedom, const struct box *box, uint32_t row);
/* Leaves in freedom->gradient the derivatives of that sum by each variable, backwards through the
 * instructions; freedom->has_jump says that there may be none. After box_evaluate(). */
void box_differentiate(struct freedom *freedom, const struct box *box, uint32_t row);

#endif
