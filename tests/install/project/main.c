/* Solves h' = h/2 + u for eight steps of one channel and looks at the last state. */
#include <pararnnc/pararnnc.h>
#include <stdio.h>
#include <stdlib.h>

static const char text[] = "cell half { state h; input u; h' = 0.5*h + u; }";

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, prnn_last_error());
    return 1;
}

int main(void)
{
    prnn_context *ctx = NULL;
    prnn_cell *cell = NULL;
    prnn_plan *plan = NULL;
    prnn_problem problem = PRNN_PROBLEM_INIT;
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    void *workspace = NULL;
    float u[8], h[8];

    for (int t = 0; t < 8; t++)
        u[t] = 1;
    problem.batch = problem.channels = 1;
    problem.seq_len = 8;
    if (prnn_context_create(&ctx, "cpu") < 0)
        return fail("context");
    if (prnn_cell_load_text(&cell, ctx, "half.cell", text, sizeof text - 1, NULL) < 0)
        return fail("cell");
    if (prnn_plan_create(&plan, cell, &problem) < 0)
        return fail("plan");
    if (prnn_memory_alloc(ctx, &workspace, prnn_plan_workspace_size(plan)) < 0)
        return fail("workspace");
    if (prnn_plan_bind(plan, args, "u", u, PRNN_DENSE, PRNN_DENSE) < 0 ||
        prnn_plan_bind(plan, args, "h", h, PRNN_DENSE, PRNN_DENSE) < 0)
        return fail("bind");
    if (prnn_forward(plan, args, workspace, NULL) < 0)
        return fail("forward");
    printf("%g\n", (double)h[7]);
    prnn_memory_free(ctx, workspace);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    return h[7] == 1.9921875f ? 0 : 1;
}
