/* The elementary functions of kernel text as maps over arrays, one table for each way of compiling
 * them: the loops vectorise where the optimiser is told to. */
#ifndef PRNN_MATH_TEXT_H
#define PRNN_MATH_TEXT_H

#define MATH_UNARY(X)                                                                              \
    X(exp)                                                                                         \
    X(expm1) X(sigmoid) X(tanh) X(log) X(log1p) X(softplus) X(erf) X(sin) X(cos) X(sqrt) X(rsqrt)  \
        X(abs) X(sign)
#define MATH_BINARY(X) X(pow) X(div) X(min) X(max)

#define MATH_ENTRY(name) MATH_##name,
enum math_unary { MATH_UNARY(MATH_ENTRY) MATH_UNARY_COUNT };
enum math_binary { MATH_BINARY(MATH_ENTRY) MATH_BINARY_COUNT };
#undef MATH_ENTRY

struct math_table32 {
    void (*unary[MATH_UNARY_COUNT])(const float *x, float *y, int n);
    void (*binary[MATH_BINARY_COUNT])(const float *a, const float *b, float *y, int n);
    float (*from_bf16)(unsigned short h);
    float (*from_f16)(unsigned short h);
    unsigned short (*to_bf16)(float f);
    unsigned short (*to_f16)(float f);
};

struct math_table64 {
    void (*unary[MATH_UNARY_COUNT])(const double *x, double *y, int n);
    void (*binary[MATH_BINARY_COUNT])(const double *a, const double *b, double *y, int n);
};

/* Without optimisation, and with all there is on this machine. */
extern const struct math_table32 math_plain32, math_tuned32;
extern const struct math_table64 math_plain64, math_tuned64;
/* The branches of the hardware, with exact functions for its approximations. */
extern const struct math_table32 math_hardware32, math_fast32;
/* The same with reciprocals one unit in the last place below and above the rounded ones. */
extern const struct math_table32 math_rcp_below32, math_rcp_above32;

#endif
