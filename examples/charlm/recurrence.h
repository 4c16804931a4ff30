/**
 * One layer's recurrence: the memory its plan reads and writes, bound by name. The plan is made
 * once for all layers of a model.
 */
#ifndef CHARLM_RECURRENCE_H
#define CHARLM_RECURRENCE_H

#include <pararnnc/pararnnc.h>

#include "dense.h"

enum { RECURRENCE_MAX = 64 }; /* declared names of one role */

/** How the cell's names lie in the projection and the output; the same for all layers. */
struct recurrence_layout {
    prnn_context *ctx;
    const prnn_cell *cell;
    const struct dense *dense;
    int batch, seq_len, channels;
    bool decode;
    int columns;        /* of all projected inputs */
    int width;          /* of the output */
    size_t param_count; /* of one layer */
    uint32_t inputs, states, params;
    struct prnn_value_info input[RECURRENCE_MAX], state[RECURRENCE_MAX], param[RECURRENCE_MAX];
    struct prnn_value_info output;
    bool is_projected[RECURRENCE_MAX];
};

/** Says in words through 'fault' why a cell does not fit; then PRNN_E_UNSUPPORTED. */
prnn_status recurrence_layout_make(struct recurrence_layout *out, prnn_context *ctx,
                                   const prnn_cell *cell, int width);

/** What the caller owns and a layer reads and writes. */
struct recurrence_place {
    struct memory *params, *dparams; /* [param_count] */
    struct memory *dy;               /* [batch, seq_len, width]; read only */
};

struct recurrence {
    struct memory *u, *du;    /* [batch, seq_len, columns] */
    struct memory *y;         /* [batch, seq_len, width] */
    struct memory *constants; /* inputs that are not projected */
    struct memory *trajectory[RECURRENCE_MAX], *h0[RECURRENCE_MAX], *hT[RECURRENCE_MAX];
    prnn_tensor args[PRNN_MAX_ARGS], grads[PRNN_MAX_ARGS];
};

prnn_status recurrence_create(struct recurrence **out, const struct recurrence_layout *layout,
                              const prnn_plan *plan, const struct recurrence_place *place);
void recurrence_free(struct recurrence *recurrence, const struct recurrence_layout *layout);

/** Values in ordinary memory. 'seed' is for parameters without a declared 'init' as well: see
 * prnn_params_init(). */
prnn_status recurrence_params_init(const struct recurrence_layout *layout, uint64_t seed,
                                   void *params);

void recurrence_forget(struct recurrence *recurrence, const struct recurrence_layout *layout);
void recurrence_carry(struct recurrence *recurrence, const struct recurrence_layout *layout);

/** u and params to y. */
prnn_status recurrence_forward(struct recurrence *recurrence,
                               const struct recurrence_layout *layout, const prnn_plan *plan,
                               void *workspace);
/** A plan like this one with the strategies that are fastest on this layer's memory. */
prnn_status recurrence_tune(prnn_plan **out, struct recurrence *recurrence, const prnn_plan *plan);
/** dy to du and dparams. */
prnn_status recurrence_backward(struct recurrence *recurrence, const prnn_plan *plan,
                                void *workspace);

#endif
