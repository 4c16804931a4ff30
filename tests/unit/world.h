/* A problem of the library with all its tensors as doubles, the sequential recurrence in double
 * beside it, and one call that runs the library on typed copies in a given layout. Elements that
 * the library must not touch hold a mark, and are looked at afterwards. */
#ifndef PRNN_TEST_WORLD_H
#define PRNN_TEST_WORLD_H

#include "element.h"
#include "handles.h"
#include "ir_eval.h"

#include <check.h>
#include <math.h>
#include <pararnnc/pararnnc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORLD_SCALARS = 40 };

/* Places of the elements of one tensor. */
enum layout {
    LAYOUT_DENSE,         /* [B, T, e, N] */
    LAYOUT_PADDED,        /* rows wider than they need, and room behind each sequence */
    LAYOUT_TIME_MAJOR,    /* [T, B, e, N] */
    LAYOUT_ELEMENT_MAJOR, /* [e, B, T, N] */
    LAYOUT_COUNT
};

struct world {
    prnn_cell *cell;
    const struct ir *ir;
    prnn_problem problem;
    enum layout layout;
    bool has_h0;
    unsigned char *reset; /* [rows] */
    int64_t *cu_seqlens;  /* [batch + 1] */
    /* Inputs of the run. Sequence tensors [rows][width], row b*T + t (packed: t); others [B][N]. */
    double *x[WORLD_SCALARS], *p[WORLD_SCALARS], *h0[WORLD_SCALARS];
    double *gh[WORLD_SCALARS], *gy[WORLD_SCALARS], *ght[WORLD_SCALARS];
    /* Results. */
    double *h[WORLD_SCALARS], *y[WORLD_SCALARS], *last[WORLD_SCALARS];
    double *dx[WORLD_SCALARS], *dp[WORLD_SCALARS], *dh0[WORLD_SCALARS];
    prnn_status forward_status, backward_status;
    prnn_certificate certificate;
};

static uint64_t world_seed = 1;

static inline double world_random(void)
{
    world_seed = world_seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(world_seed >> 11) * 0x1p-53 * 2 - 1;
}

static inline int64_t world_rows(const struct world *w)
{
    return (w->problem.packed ? 1 : w->problem.batch) * w->problem.seq_len;
}

static inline bool world_is_shared(const struct world *w, enum ir_role role, uint32_t k)
{
    uint32_t element;
    return ir_decl_of(w->ir, role, k, &element)->is_shared;
}

/* Elements of a row of scalar k. */
static inline int64_t world_width(const struct world *w, enum ir_role role, uint32_t k)
{
    return world_is_shared(w, role, k) ? 1 : w->problem.channels;
}

static inline double *world_fill(int64_t count, double scale)
{
    double *values = malloc((size_t)(count + 1) * sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (int64_t i = 0; i < count; i++)
        values[i] = (double)(float)(scale * world_random());
    return values;
}

/* Every value is representable in the storage type, so that only arithmetic differs. */
static inline void world_round(double *values, int64_t count, prnn_storage storage)
{
    for (int64_t i = 0; i < count; i++) {
        double one;
        element_store(storage, &one, 0, values[i]);
        values[i] = element_load(storage, &one, 0);
    }
}

static inline void world_make(struct world *w, prnn_cell *cell, const prnn_problem *problem)
{
    memset(w, 0, sizeof *w);
    w->cell = cell;
    w->ir = cell->unit->ir;
    w->problem = *problem;
    w->has_h0 = true;
    const int64_t rows = world_rows(w), n = problem->channels, states = problem->batch * n;
    for (uint32_t k = 0; k < w->ir->inputs; k++) {
        const int64_t count = rows * world_width(w, IR_ROLE_INPUT, k);
        w->x[k] = world_fill(count, 1.5);
        world_round(w->x[k], count, problem->storage);
        w->dx[k] = world_fill(count, 0);
    }
    for (uint32_t k = 0; k < w->ir->params; k++) {
        const int64_t count = world_width(w, IR_ROLE_PARAM, k);
        w->p[k] = world_fill(count, 0.8);
        w->dp[k] = world_fill(count, 0);
    }
    for (uint32_t i = 0; i < w->ir->states; i++) {
        w->h0[i] = world_fill(states, 1);
        w->ght[i] = world_fill(states, 1);
        w->last[i] = world_fill(states, 0);
        w->dh0[i] = world_fill(states, 0);
        w->gh[i] = world_fill(rows * n, 1);
        world_round(w->gh[i], rows * n, problem->storage);
        w->h[i] = world_fill(rows * n, 0);
    }
    for (uint32_t k = 0; k < w->ir->outputs; k++) {
        w->gy[k] = world_fill(rows * n, 1);
        world_round(w->gy[k], rows * n, problem->storage);
        w->y[k] = world_fill(rows * n, 0);
    }
}

static inline void world_free(struct world *w)
{
    double **const all[] = {w->x, w->p, w->h0,   w->gh, w->gy, w->ght,
                            w->h, w->y, w->last, w->dx, w->dp, w->dh0};
    for (size_t a = 0; a < sizeof all / sizeof *all; a++)
        for (int i = 0; i < WORLD_SCALARS; i++)
            free(all[a][i]);
    free(w->reset);
    free(w->cu_seqlens);
}

/* ---- the sequential recurrence in double: the oracle ---- */

struct oracle {
    double *h[WORLD_SCALARS], *y[WORLD_SCALARS], *last[WORLD_SCALARS];
};

static inline void oracle_free(struct oracle *o)
{
    for (int i = 0; i < WORLD_SCALARS; i++) {
        free(o->h[i]);
        free(o->y[i]);
        free(o->last[i]);
    }
}

static inline void oracle_initial(const struct world *w, int64_t at, double *h)
{
    for (uint32_t i = 0; i < w->ir->states; i++)
        h[i] = w->has_h0 ? w->h0[i][at] : w->cell->initial[i];
}

static inline void oracle_run(struct oracle *o, const struct world *w)
{
    const struct ir *ir = w->ir;
    const int64_t n = w->problem.channels, rows = world_rows(w);
    struct arena *arena = arena_create(NULL);
    const struct ir_program *program =
        ir_program_create(ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT), arena);
    double *scratch = malloc((ir_program_scratch(program) + 1) * sizeof *scratch);
    memset(o, 0, sizeof *o);
    for (uint32_t i = 0; i < ir->states; i++) {
        o->h[i] = world_fill(rows * n, 0);
        o->last[i] = world_fill(w->problem.batch * n, 0);
    }
    for (uint32_t k = 0; k < ir->outputs; k++)
        o->y[k] = world_fill(rows * n, 0);
    for (int64_t b = 0; b < w->problem.batch; b++) {
        const int64_t begin = w->problem.packed ? w->cu_seqlens[b] : b * w->problem.seq_len;
        const int64_t end = w->problem.packed ? w->cu_seqlens[b + 1] : (b + 1) * w->problem.seq_len;
        for (int64_t c = 0; c < n; c++) {
            double h[WORLD_SCALARS], x[WORLD_SCALARS], p[WORLD_SCALARS], next[WORLD_SCALARS],
                y[WORLD_SCALARS];
            struct ir_leaves_f64 leaves = {.h = h, .x = x, .p = p};
            leaves.out[IR_OUT_NEXT] = next;
            leaves.out[IR_OUT_OUTPUT] = y;
            for (uint32_t k = 0; k < ir->params; k++)
                p[k] = w->p[k][world_is_shared(w, IR_ROLE_PARAM, k) ? 0 : c];
            oracle_initial(w, b * n + c, h);
            for (int64_t step = 0; step < end - begin; step++) {
                const int64_t row = w->problem.reverse ? end - 1 - step : begin + step;
                if (w->reset && w->reset[row])
                    oracle_initial(w, b * n + c, h);
                for (uint32_t k = 0; k < ir->inputs; k++)
                    x[k] =
                        world_is_shared(w, IR_ROLE_INPUT, k) ? w->x[k][row] : w->x[k][row * n + c];
                ir_eval_f64(program, &leaves, scratch);
                for (uint32_t i = 0; i < ir->states; i++)
                    h[i] = o->h[i][row * n + c] = next[i];
                for (uint32_t k = 0; k < ir->outputs; k++)
                    o->y[k][row * n + c] = y[k];
            }
            for (uint32_t i = 0; i < ir->states; i++)
                o->last[i][b * n + c] = h[i];
        }
    }
    free(scratch);
    arena_destroy(arena);
}

/* The number whose gradient the backward pass computes, summed so that the difference of two such
 * numbers has the rounding of the states alone. */
static inline long double oracle_loss(const struct world *w)
{
    const int64_t n = w->problem.channels, rows = world_rows(w);
    struct oracle o;
    long double loss = 0;
    oracle_run(&o, w);
    for (uint32_t i = 0; i < w->ir->states; i++) {
        for (int64_t at = 0; at < rows * n; at++)
            loss += (long double)w->gh[i][at] * o.h[i][at];
        for (int64_t at = 0; at < w->problem.batch * n; at++)
            loss += (long double)w->ght[i][at] * o.last[i][at];
    }
    for (uint32_t k = 0; k < w->ir->outputs; k++)
        for (int64_t at = 0; w->cell->output_state[k] < 0 && at < rows * n; at++)
            loss += (long double)w->gy[k][at] * o.y[k][at];
    oracle_free(&o);
    return loss;
}

/* ---- the library ---- */

#define WORLD_MARK 0x5a /* a byte; as a float of any type it is finite and unlikely */

/* A typed copy of the elements of one declaration. */
struct copy {
    unsigned char *memory;
    size_t bytes, size;
    int64_t stride_b, stride_t, stride_e;
    int64_t batch, steps, width;
    uint32_t count;
};

static inline int64_t copy_at(const struct copy *copy, int64_t b, int64_t t, uint32_t e)
{
    return b * copy->stride_b + t * copy->stride_t + e * copy->stride_e;
}

static inline struct copy copy_make(enum layout layout, int64_t batch, int64_t steps,
                                    uint32_t count, int64_t width, size_t size)
{
    struct copy copy = {
        .size = size, .batch = batch, .steps = steps, .width = width, .count = count};
    int64_t all;
    switch (layout) {
    case LAYOUT_TIME_MAJOR:
        copy.stride_e = width;
        copy.stride_b = count * width;
        copy.stride_t = batch * copy.stride_b;
        all = steps * copy.stride_t;
        break;
    case LAYOUT_ELEMENT_MAJOR:
        copy.stride_t = width;
        copy.stride_b = steps * width;
        copy.stride_e = batch * copy.stride_b;
        all = count * copy.stride_e;
        break;
    case LAYOUT_PADDED:
        copy.stride_e = width + 3;
        copy.stride_t = count * copy.stride_e + 5;
        copy.stride_b = steps * copy.stride_t + 7;
        all = batch * copy.stride_b;
        break;
    case LAYOUT_DENSE:
    case LAYOUT_COUNT:
    default:
        copy.stride_e = width;
        copy.stride_t = count * width;
        copy.stride_b = steps * copy.stride_t;
        all = batch * copy.stride_b;
        break;
    }
    copy.bytes = (size_t)all * size;
    copy.memory = malloc(copy.bytes + 1);
    ck_assert_ptr_nonnull(copy.memory);
    memset(copy.memory, WORLD_MARK, copy.bytes);
    return copy;
}

/* Between the copy and the doubles of its elements. The untouched rest must keep its mark. */
static inline void copy_in(const struct copy *copy, prnn_storage storage, double *const *values)
{
    for (uint32_t e = 0; e < copy->count; e++)
        for (int64_t b = 0; b < copy->batch; b++)
            for (int64_t t = 0; t < copy->steps; t++)
                for (int64_t c = 0; c < copy->width; c++)
                    element_store(storage, copy->memory, copy_at(copy, b, t, e) + c,
                                  values[e][(b * copy->steps + t) * copy->width + c]);
}

static inline void copy_poison(const struct copy *copy, prnn_storage storage)
{
    for (uint32_t e = 0; e < copy->count; e++)
        for (int64_t b = 0; b < copy->batch; b++)
            for (int64_t t = 0; t < copy->steps; t++)
                for (int64_t c = 0; c < copy->width; c++)
                    element_store(storage, copy->memory, copy_at(copy, b, t, e) + c, (double)NAN);
}

static inline void copy_out(const struct copy *copy, prnn_storage storage, double **values,
                            const char *name)
{
    for (uint32_t e = 0; e < copy->count; e++)
        for (int64_t b = 0; b < copy->batch; b++)
            for (int64_t t = 0; t < copy->steps; t++)
                for (int64_t c = 0; c < copy->width; c++) {
                    const int64_t at = copy_at(copy, b, t, e) + c;
                    values[e][(b * copy->steps + t) * copy->width + c] =
                        element_load(storage, copy->memory, at);
                    memset(copy->memory + (size_t)at * copy->size, WORLD_MARK, copy->size);
                }
    for (size_t i = 0; i < copy->bytes; i++)
        ck_assert_msg(copy->memory[i] == WORLD_MARK, "'%s': byte %zu outside was written", name, i);
}

/* Everything that is bound in one run. */
struct binding {
    struct copy copy;
    double **values;
    prnn_storage storage;
    char name[80];
    bool is_result;
};

struct run {
    const struct world *w;
    prnn_plan *plan;
    prnn_tensor args[PRNN_MAX_ARGS], grads[PRNN_MAX_ARGS];
    struct binding list[6 * WORLD_SCALARS];
    int count;
};

static inline void run_bind(struct run *run, prnn_tensor *array, const char *prefix,
                            const struct ir_decl *decl, double **values, bool is_result)
{
    const struct world *w = run->w;
    const bool is_sequence = !*prefix && decl->role != IR_ROLE_PARAM;
    const int64_t width = decl->is_shared ? 1 : w->problem.channels;
    struct binding *binding = &run->list[run->count++];
    binding->storage =
        is_sequence ? w->problem.storage : (w->problem.storage == PRNN_F64 ? PRNN_F64 : PRNN_F32);
    binding->values = values + decl->first;
    binding->is_result = is_result;
    snprintf(binding->name, sizeof binding->name, "%s%s", prefix, decl->name);
    const size_t size = binding->storage == PRNN_F64 ? 8 : binding->storage == PRNN_F32 ? 4 : 2;
    if (is_sequence)
        binding->copy = copy_make(w->layout, w->problem.packed ? 1 : w->problem.batch,
                                  w->problem.seq_len, decl->count, width, size);
    else
        binding->copy = copy_make(w->layout == LAYOUT_PADDED ? LAYOUT_PADDED : LAYOUT_DENSE,
                                  *prefix ? w->problem.batch : 1, 1, decl->count, width, size);
    if (is_result)
        copy_poison(&binding->copy, binding->storage);
    else
        copy_in(&binding->copy, binding->storage, binding->values);
    ck_assert_int_eq(prnn_plan_bind_strided(run->plan, array, binding->name, binding->copy.memory,
                                            binding->copy.stride_b, binding->copy.stride_t,
                                            binding->copy.stride_e),
                     PRNN_OK);
}

static inline void run_bind_all(struct run *run, struct world *w)
{
    const bool is_last = w->problem.write == PRNN_WRITE_LAST;
    for (uint32_t d = 0; d < w->ir->decl_count; d++) {
        const struct ir_decl *decl = &w->ir->decls[d];
        switch (decl->role) {
        case IR_ROLE_INPUT:
            run_bind(run, run->args, "", decl, w->x, false);
            if (w->problem.backward && !decl->no_gradient)
                run_bind(run, run->grads, "", decl, w->dx, true);
            break;
        case IR_ROLE_PARAM:
            run_bind(run, run->args, "", decl, w->p, false);
            if (w->problem.backward && !decl->no_gradient)
                run_bind(run, run->grads, "", decl, w->dp, true);
            break;
        case IR_ROLE_STATE:
            if (!is_last)
                run_bind(run, run->args, "", decl, w->h, true);
            run_bind(run, run->args, "hT:", decl, w->last, true);
            if (w->has_h0)
                run_bind(run, run->args, "h0:", decl, w->h0, false);
            if (w->problem.backward) {
                run_bind(run, run->grads, "", decl, w->gh, false);
                run_bind(run, run->grads, "hT:", decl, w->ght, false);
                run_bind(run, run->grads, "h0:", decl, w->dh0, true);
            }
            break;
        case IR_ROLE_OUTPUT:
            if (is_last || w->cell->output_state[decl->first] >= 0)
                break; /* it is the trajectory */
            run_bind(run, run->args, "", decl, w->y, true);
            if (w->problem.backward)
                run_bind(run, run->grads, "", decl, w->gy, false);
            break;
        }
    }
}

/* Forward, and backward where the problem says so. */
static inline void world_run(struct world *w)
{
    struct run *run = calloc(1, sizeof *run);
    ck_assert_ptr_nonnull(run);
    run->w = w;
    const prnn_status made = prnn_plan_create(&run->plan, w->cell, &w->problem);
    ck_assert_msg(made >= 0, "%s", prnn_last_error());
    run_bind_all(run, w);
    if (w->reset)
        ck_assert_int_eq(
            prnn_plan_bind(run->plan, run->args, "reset", w->reset, PRNN_DENSE, PRNN_DENSE),
            PRNN_OK);
    if (w->cu_seqlens)
        ck_assert_int_eq(prnn_plan_bind(run->plan, run->args, "cu_seqlens", w->cu_seqlens, 0, 0),
                         PRNN_OK);
    const size_t size = (prnn_plan_workspace_size(run->plan) + 255) / 256 * 256;
    void *workspace = aligned_alloc(256, size + 256);
    memset(workspace, 0xff, size);
    w->forward_status = prnn_forward(run->plan, run->args, workspace, NULL);
    ck_assert_msg(w->forward_status >= 0, "%s", prnn_last_error());
    w->certificate = (prnn_certificate)PRNN_CERTIFICATE_INIT;
    prnn_plan_certificate(run->plan, workspace, &w->certificate, NULL);
    if (w->problem.backward) {
        w->backward_status = prnn_backward(run->plan, run->args, run->grads, workspace, NULL);
        ck_assert_msg(w->backward_status >= 0, "%s", prnn_last_error());
    }
    for (int i = 0; i < run->count; i++) {
        if (run->list[i].is_result)
            copy_out(&run->list[i].copy, run->list[i].storage, run->list[i].values,
                     run->list[i].name);
        free(run->list[i].copy.memory);
    }
    free(workspace);
    prnn_plan_free(run->plan);
    free(run);
}

/* Largest |a - b| / max(1, |b|); NaN on both sides is equal, on one side infinite. */
static inline double world_distance(const double *a, const double *b, int64_t count)
{
    double worst = 0;
    for (int64_t i = 0; i < count; i++) {
        if (isnan(a[i]) && isnan(b[i]))
            continue;
        const double size = fabs(b[i]) > 1 ? fabs(b[i]) : 1;
        const double gap = a[i] == b[i] ? 0 : fabs(a[i] - b[i]) / size;
        if (!(gap <= worst))
            worst = isnan(gap) ? (double)INFINITY : gap;
    }
    return worst;
}

/* The larger; NaN counts as infinite. */
static inline double world_worse(double worst, double error)
{
    return isnan(error) ? (double)INFINITY : error > worst ? error : worst;
}

/* The library's forward results against the oracle's. */
static inline double world_forward_error(const struct world *w)
{
    const int64_t count = world_rows(w) * w->problem.channels;
    struct oracle o;
    double worst = 0;
    oracle_run(&o, w);
    for (uint32_t i = 0; i < w->ir->states; i++) {
        const double now =
            w->problem.write == PRNN_WRITE_LAST ? 0 : world_distance(w->h[i], o.h[i], count);
        const double last =
            world_distance(w->last[i], o.last[i], w->problem.batch * w->problem.channels);
        worst = world_worse(world_worse(worst, now), last);
    }
    for (uint32_t k = 0; w->problem.write != PRNN_WRITE_LAST && k < w->ir->outputs; k++)
        if (w->cell->output_state[k] < 0)
            worst = world_worse(worst, world_distance(w->y[k], o.y[k], count));
    oracle_free(&o);
    return worst;
}

/* |<gradient, v> - difference quotient along v| for a random direction v of one tensor. */
static inline double world_slope_error(struct world *w, double *values, const double *gradient,
                                       int64_t count)
{
    const double eps = 1e-6;
    double *v = world_fill(count, 1), *kept = world_fill(count, 0), slope = 0;
    memcpy(kept, values, (size_t)count * sizeof *kept);
    for (int64_t i = 0; i < count; i++) {
        slope += gradient[i] * v[i];
        values[i] = kept[i] + eps * v[i];
    }
    const long double up = oracle_loss(w);
    for (int64_t i = 0; i < count; i++)
        values[i] = kept[i] - eps * v[i];
    const long double down = oracle_loss(w);
    memcpy(values, kept, (size_t)count * sizeof *kept);
    free(v);
    free(kept);
    const double quotient = (double)((up - down) / (2 * (long double)eps));
    const double size = fabs(quotient) > 1 ? fabs(quotient) : 1;
    return fabs(slope - quotient) / size;
}

/* The worst over all tensors that have a gradient. */
static inline double world_backward_error(struct world *w)
{
    const int64_t rows = world_rows(w), states = w->problem.batch * w->problem.channels;
    double worst = 0;
    for (uint32_t k = 0; k < w->ir->inputs; k++)
        if (w->cell->input_has_gradient[k])
            worst = world_worse(worst, world_slope_error(w, w->x[k], w->dx[k],
                                                         rows * world_width(w, IR_ROLE_INPUT, k)));
    for (uint32_t k = 0; k < w->ir->params; k++)
        if (w->cell->param_has_gradient[k])
            worst = world_worse(
                worst, world_slope_error(w, w->p[k], w->dp[k], world_width(w, IR_ROLE_PARAM, k)));
    for (uint32_t i = 0; w->has_h0 && i < w->ir->states; i++)
        worst = world_worse(worst, world_slope_error(w, w->h0[i], w->dh0[i], states));
    return worst;
}

static inline prnn_cell *world_cell(prnn_context *ctx, const char *text)
{
    prnn_cell *cell;
    const prnn_status st = prnn_cell_load_text(&cell, ctx, "test.cell", text, strlen(text), NULL);
    ck_assert_msg(st == PRNN_OK, "%s\n%s", prnn_last_error(), prnn_last_diagnostics());
    return cell;
}

#endif
