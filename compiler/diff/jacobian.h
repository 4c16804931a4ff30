/* The Jacobian by elimination of vertices. The public entry is in diff.h. */
#ifndef PRNN_JACOBIAN_H
#define PRNN_JACOBIAN_H

#include "ir.h"
#include "structure.h"

enum jacobian_detach {
    DETACH_IS_TRANSPARENT, /* the true Jacobian, which the solve needs */
    DETACH_IS_CONSTANT     /* what the user asks gradients to be */
};

/* Adds the outs 'kind'.i.j = d next.i / d h.j, structurally nonzero only. */
void jacobian_add(struct ir *ir, const struct structure *structure, enum ir_out_kind kind,
                  enum jacobian_detach detach);

#endif
