/* Uses the emitted file of gru.cell: the forward pass against the equations, every gradient against
 * central differences. */
#include "gru.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { B = 2, T = 5, N = 3, SEQUENCE = B * T * N, STATE = B * N };

static double x[3][SEQUENCE], p[3][N], h0[STATE], h[SEQUENCE], hT[STATE];
static double weight[SEQUENCE], last_weight[STATE];

static struct paragru_tensors tensors(void)
{
    struct paragru_tensors t = {{x[0], x[1], x[2]}, {p[0], p[1], p[2]}, {h0}, {h}, {0}, {hT}};
    return t;
}

static double loss(void)
{
    const struct paragru_tensors t = tensors();
    double sum = 0;
    if (paragru_forward(B, T, N, &t))
        exit(1);
    for (int i = 0; i < SEQUENCE; i++)
        sum += weight[i] * h[i];
    for (int i = 0; i < STATE; i++)
        sum += last_weight[i] * hT[i];
    return sum;
}

static double worst;

static void check(double *values, const double *gradient, int count)
{
    for (int i = 0; i < count; i++) {
        const double saved = values[i], step = 1e-5;
        values[i] = saved + step;
        const double above = loss();
        values[i] = saved - step;
        const double below = loss();
        values[i] = saved;
        const double error = fabs((above - below) / (2 * step) - gradient[i]);
        if (!(error <= worst))
            worst = error;
    }
}

static void fill(double *values, int count)
{
    static unsigned state = 1;
    for (int i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (double)(state >> 8) / (1 << 23) - 1;
    }
}

int main(void)
{
    for (int k = 0; k < 3; k++) {
        fill(x[k], SEQUENCE);
        fill(p[k], N);
    }
    fill(h0, STATE);
    fill(weight, SEQUENCE);
    fill(last_weight, STATE);
    loss();
    double largest = 0;
    for (int b = 0; b < B; b++)
        for (int c = 0; c < N; c++) {
            double s = h0[b * N + c];
            for (int t = 0; t < T; t++) {
                const int i = (b * T + t) * N + c;
                const double z = 1 / (1 + exp(-(p[paragru_param_a_z][c] * s + x[0][i])));
                const double r = 1 / (1 + exp(-(p[paragru_param_a_r][c] * s + x[1][i])));
                s = (1 - z) * s + z * tanh(p[paragru_param_a_c][c] * (r * s) + x[2][i]);
                if (!(fabs(s - h[i]) <= largest))
                    largest = fabs(s - h[i]);
            }
        }
    printf("forward %s\n", largest <= 1e-14 ? "agrees" : "differs");

    static double dx[3][SEQUENCE], dp[3][N], dh0[STATE];
    const struct paragru_tensors t = tensors();
    const struct paragru_gradients g = {{weight}, {0}, {last_weight}, {dx[0], dx[1], dx[2]},
                                        {dp[0], dp[1], dp[2]}, {dh0}};
    double *scratch = malloc((size_t)paragru_scratch(B, T, N) * sizeof *scratch);
    paragru_backward(B, T, N, &t, &g, scratch);
    free(scratch);
    for (int k = 0; k < 3; k++) {
        check(x[k], dx[k], SEQUENCE);
        check(p[k], dp[k], N);
    }
    check(h0, dh0, STATE);
    printf("backward %s\n", worst <= 1e-8 ? "agrees" : "differs");
    return 0;
}
