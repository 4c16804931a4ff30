/* Cells that between them have everything a declaration can say, and their context. */
#ifndef PRNN_TEST_WORLD_CELLS_H
#define PRNN_TEST_WORLD_CELLS_H

#include "world.h"

static const char gru[] =
    "cell gru { state h; input u_z, u_r, u_c; param a_z, a_r, a_c in [-1, 1];\n"
    "z = sigmoid(a_z*h + u_z); r = sigmoid(a_r*h + u_r);\n"
    "c = tanh(a_c*(r*h) + u_c); h' = (1 - z)*h + z*c; }\n";
/* Two states, one of them an output, an output that is an expression. */
static const char lstm[] =
    "cell lstm { state c = 0.25, h = -0.5; input u_f, u_z, u_o; param a_f, a_z, a_o, p_f;\n"
    "f = sigmoid(a_f*h + p_f*c + u_f); z = tanh(a_z*h + u_z); c' = f*c + (1 - f)*z;\n"
    "o = sigmoid(a_o*h + u_o); h' = o*tanh(c'); output h'; output y = exp(-c'*c')*u_o; }\n";
/* Shared inputs and parameters, a parameter without gradient, vectors and matrices. */
static const char heads[] =
    "cell heads { state h[2] = 0.5; input u[2]; input dt : shared; param R[2, 2];\n"
    "param tau : shared; param w nograd;\n"
    "h' = h + sigmoid(dt)*0.3*(tanh(R @ h + u) - (0.5 + w*w)*h*sigmoid(tau)); }\n";
/* No inputs at all. */
static const char autonomous[] =
    "cell autonomous { state h = 0.3; param r; h' = 0.9*sin(r*h + 0.5); }\n";

static prnn_context *ctx;
static prnn_cell *cells[4];
static const char *const texts[] = {gru, lstm, heads, autonomous};
enum { CELLS = sizeof texts / sizeof *texts };

static inline void setup(void)
{
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    for (int i = 0; i < CELLS; i++)
        cells[i] = world_cell(ctx, texts[i]);
}

static inline void teardown(void)
{
    for (int i = 0; i < CELLS; i++)
        prnn_cell_free(cells[i]);
    prnn_context_free(ctx);
}

static inline prnn_problem problem_of(int64_t batch, int64_t seq_len, int64_t channels,
                                      prnn_storage storage)
{
    prnn_problem problem = PRNN_PROBLEM_INIT;
    problem.batch = batch;
    problem.seq_len = seq_len;
    problem.channels = channels;
    problem.storage = storage;
    problem.backward = true;
    problem.write = PRNN_WRITE_STATES;
    return problem;
}

#endif
