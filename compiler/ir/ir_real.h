/* What the eval column of ops.def needs beyond the C library, in the element type at hand: REAL(f)
 * is the library's f for it. Neither overflows for a large argument of either sign; NaN stays. */
#ifndef PRNN_IR_REAL_H
#define PRNN_IR_REAL_H

#define REAL_SIGMOID(a) ((a) >= 0 ? 1 / (1 + REAL(exp)(-(a))) : REAL(exp)(a) / (1 + REAL(exp)(a)))
#define REAL_SOFTPLUS(a) (((a) > 0 ? (a) : 0) + REAL(log1p)(REAL(exp)(-REAL(fabs)(a))))

#endif
