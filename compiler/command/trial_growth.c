#include "trial.h"

#include "ir_eval.h"

#include <math.h>

enum { CHANNELS = 4, STEPS_MAX = 1 << 16 };

/* Norms of one Jacobian: the largest sum of a row, and of a column. */
static void norms_of(const double *jacobian, uint32_t states, double *rows, double *columns)
{
    *rows = *columns = 0;
    for (uint32_t i = 0; i < states; i++) {
        double row = 0, column = 0;
        for (uint32_t j = 0; j < states; j++) {
            row += fabs(jacobian[i * states + j]);
            column += fabs(jacobian[j * states + i]);
        }
        *rows = fmax(*rows, row);
        *columns = fmax(*columns, column);
    }
}

static double larger(double growth, double a)
{
    return isfinite(a) ? fmax(growth, a) : INFINITY;
}

double trial_growth(const struct trial *trial)
{
    const struct ir *ir = trial->unit->ir;
    const prnn_problem *problem = &trial->options.problem;
    struct arena *arena = trial->inv->arena;
    const uint32_t n = ir->states;
    const int64_t steps = problem->seq_len < STEPS_MAX ? problem->seq_len : STEPS_MAX;
    const int64_t channels = problem->channels < CHANNELS ? problem->channels : CHANNELS;
    struct ir_program *program = ir_program_create(
        ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_JACOBIAN) | IR_MASK(IR_OUT_OUTPUT), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program) + 1, sizeof *scratch);
    double *h = arena_array(arena, n + 1, sizeof *h), *next = arena_array(arena, n + 1, sizeof *h);
    double *x = arena_array(arena, ir->inputs + 1, sizeof *x);
    double *p = arena_array(arena, ir->params + 1, sizeof *p);
    double *y = arena_array(arena, ir->outputs + 1, sizeof *y);
    double *jacobian = arena_array(arena, (size_t)n * n + 1, sizeof *jacobian);
    double *columns = arena_array(arena, (size_t)steps + 1, sizeof *columns);
    double growth = 1;
    for (int64_t k = 0; k < channels; k++) {
        const int64_t channel = k * (problem->channels - 1) / (channels > 1 ? channels - 1 : 1);
        double a = 1;
        trial_gather(trial, IR_ROLE_PARAM, false, "", false, 0, 0, channel, p);
        trial_gather(trial, IR_ROLE_STATE, false, "h0:", false, 0, 0, channel, h);
        for (int64_t t = 0; t < steps; t++) {
            double rows;
            trial_gather(trial, IR_ROLE_INPUT, true, "", false, 0, t, channel, x);
            const struct ir_leaves_f64 leaves = {
                .h = h,
                .x = x,
                .p = p,
                .out = {[IR_OUT_NEXT] = next, [IR_OUT_JACOBIAN] = jacobian, [IR_OUT_OUTPUT] = y}};
            ir_eval_f64(program, &leaves, scratch);
            norms_of(jacobian, n, &rows, &columns[t]);
            a = rows * a + 1;
            growth = larger(growth, a);
            for (uint32_t i = 0; i < n; i++)
                h[i] = next[i];
        }
        a = 1;
        for (int64_t t = steps; t-- > 0;) {
            a = columns[t] * a + 1;
            growth = larger(growth, a);
        }
    }
    return growth;
}
