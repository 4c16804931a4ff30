/* Load a cell, solve it for all steps at once, print what it says. The inputs, parameters and
 * outputs are found by name; here they are those of cells/paragru.cell. */
#include <pararnnc/pararnnc.h>
#include <stdio.h>

enum { B = 2, T = 1000, N = 8 };

static float u_z[B * T * N], u_r[B * T * N], u_c[B * T * N], h[B * T * N];
static float a_z[N], a_r[N], a_c[N];

int main(int argc, char **argv)
{
    prnn_context *ctx;
    prnn_cell *cell;
    prnn_plan *plan;
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    void *workspace;

    if (prnn_context_create(&ctx, "cpu") < 0 ||
        prnn_cell_load(&cell, ctx, argc > 1 ? argv[1] : "cells/paragru.cell", NULL) < 0) {
        fprintf(stderr, "%s%s\n", prnn_last_diagnostics(), prnn_last_error());
        return 1;
    }
    prnn_problem problem = PRNN_PROBLEM_INIT;
    problem.batch = B;
    problem.seq_len = T;
    problem.channels = N;
    if (prnn_plan_create(&plan, cell, &problem) < 0 ||
        prnn_memory_alloc(ctx, &workspace, prnn_plan_workspace_size(plan)) < 0) {
        fprintf(stderr, "%s\n", prnn_last_error());
        return 1;
    }
    struct {
        const char *name;
        float *data;
    } names[] = {{"u_z", u_z}, {"u_r", u_r}, {"u_c", u_c}, {"a_z", a_z},
                 {"a_r", a_r}, {"a_c", a_c}, {"h", h}};
    for (int i = 0; i < 7; i++)
        prnn_plan_bind(plan, args, names[i].name, names[i].data, PRNN_DENSE, PRNN_DENSE);
    for (int i = 3; i < 6; i++)
        prnn_params_init(cell, names[i].name, 1, N, PRNN_F32, names[i].data, PRNN_DENSE);
    for (int i = 0; i < B * T * N; i++)
        u_c[i] = 1.0f;

    if (prnn_forward(plan, args, workspace, NULL) < 0) {
        fprintf(stderr, "%s\n", prnn_last_error());
        return 1;
    }
    printf("h after %d steps: %f\n", T, (double)h[(T - 1) * N]);
    prnn_memory_free(ctx, workspace);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    return 0;
}
