/* Where a step may leave the domain of an operation, so that a state or an output becomes NaN. */
#ifndef PRNN_DOMAIN_H
#define PRNN_DOMAIN_H

#include "ir.h"
#include "range.h"

struct domain_fault {
    uint32_t insn;      /* the operation */
    ir_ref operand;     /* that may be out of its domain */
    struct range range; /* its bounds */
    const char *needed; /* "a positive number" */
};

/* What 'next' and 'out' reach, after range_find(); at most 'room' faults are written. Returns how
 * many were.
 *
 * Only where NaN begins: what is computed from a fault is not another one. What 'where' chooses
 * between is guarded. A bound of 0 that comes from leaves without bounds counts as never reached:
 * sigmoid(u) is above 0, and 1/sigmoid(u) is no fault. Elements of one expression give one fault.
 */
uint32_t domain_find(struct domain_fault *out, uint32_t room, const struct ir *ir,
                     const struct range_report *ranges, struct arena *arena);

#endif
