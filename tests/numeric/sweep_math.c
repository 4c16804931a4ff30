/* Largest error of every float function over all inputs, in ulp of the double result; then of tanh
 * in mode accurate on a GPU, with emulated approximations.
 *
 *   sweep_math [stride]      every input whose bits are a multiple of stride (1) */
#include "math_text.h"
#include "math_ulp.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 4096 };

struct sweep {
    const char *name;
    enum math_unary op;
    double (*reference)(double x);
    double range; /* largest |x| */
};

static void sweep(const char *mode, const struct math_table32 *table, const struct sweep *s,
                  uint64_t stride)
{
    static float x[BLOCK], y[BLOCK];
    double worst = 0;
    float at = 0;
    for (uint64_t bits = 0; bits < 0x100000000u;) {
        int n = 0;
        for (; n < BLOCK && bits < 0x100000000u; bits += stride) {
            const uint32_t low = (uint32_t)bits;
            memcpy(&x[n], &low, sizeof low);
            n += !(fabs((double)x[n]) > s->range);
        }
        table->unary[s->op](x, y, n);
        for (int i = 0; i < n; i++) {
            const double error = math_ulp32(y[i], s->reference((double)x[i]));
            if (error > worst) {
                worst = error;
                at = x[i];
            }
        }
    }
    printf("%-8s %-8s |x| <= %-8g %10.4g ulp at %a\n", mode, s->name, s->range, worst, (double)at);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const struct sweep sweeps[] = {
        {"exp", MATH_exp, exp, INFINITY},
        {"expm1", MATH_expm1, expm1, INFINITY},
        {"sigmoid", MATH_sigmoid, math_sigmoid, INFINITY},
        {"tanh", MATH_tanh, tanh, INFINITY},
        {"log", MATH_log, log, INFINITY},
        {"log1p", MATH_log1p, log1p, INFINITY},
        {"softplus", MATH_softplus, math_softplus, INFINITY},
        {"erf", MATH_erf, erf, INFINITY},
        {"sin", MATH_sin, sin, 1e5},
        {"cos", MATH_cos, cos, 1e5},
        {"sin", MATH_sin, sin, 6.5e6},
        {"cos", MATH_cos, cos, 6.5e6},
        {"rsqrt", MATH_rsqrt, math_rsqrt, INFINITY},
    };
    const uint64_t stride = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    if (stride == 0) {
        fprintf(stderr, "sweep_math: stride must be positive\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++)
        sweep("strict", &math_tuned32, &sweeps[i], stride);
    /* Of the hardware's form, with the reciprocals that it may give. */
    static const struct sweep form = {"tanh", MATH_tanh, tanh, INFINITY};
    sweep("rcp -1", &math_rcp_below32, &form, stride);
    sweep("rcp", &math_hardware32, &form, stride);
    sweep("rcp +1", &math_rcp_above32, &form, stride);
    return 0;
}
