/* Forward mode, one column of the Jacobian at a time. The public entry is in diff.h. */
#ifndef PRNN_TANGENT_H
#define PRNN_TANGENT_H

#include "ir.h"
#include "structure.h"

enum tangent_detach {
    DETACH_IS_TRANSPARENT, /* the true Jacobian, which the solve needs */
    DETACH_IS_CONSTANT     /* what the user asks gradients to be */
};

/* Adds the outs 'kind'.i.j = d next.i / d h.j, structurally nonzero only. */
void tangent_add(struct ir *ir, const struct structure *structure, enum ir_out_kind kind,
                 enum tangent_detach detach);

#endif
