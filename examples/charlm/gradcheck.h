/** Are the gradients of the whole model those of its loss? Asked once, of a small one, in double.
 */
#ifndef CHARLM_GRADCHECK_H
#define CHARLM_GRADCHECK_H

#include "model.h"

struct gradcheck {
    size_t params;        /* compared; all of a small model */
    double largest_error; /* |gradient - central difference| / largest |central difference| */
    double tolerance;
    bool passed;
    char worst[128]; /* the parameter of the largest error */
};

prnn_status gradcheck_run(struct gradcheck *out, const struct machine *machine,
                          const prnn_cell *cell, int layers, uint64_t seed);

#endif
