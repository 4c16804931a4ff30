#include "certificate_check.h"

#include "executors.h"
#include "shooting.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* The largest state that was written where the certificate's mismatch is: of the chunk behind and
 * of the step before it. */
static double scale_at(struct kernel_data *data, const struct prnn_block_report *report)
{
    const int64_t b = report->batch, first = report->step > 0 ? report->step - 1 : 0;
    int64_t end = report->step + data->plan->options.strategy.chunk;
    double scale = 0;
    end = end < data->length[b] ? end : data->length[b];
    for (int64_t t = first; t < end; t++)
        for (uint32_t i = 0; i < data->counts[GROUP_H]; i++) {
            const int64_t at = kernel_row(data, b, t) * data->shape.channels + report->channel;
            scale = fmax(scale, fabs(kernel_get(kernel_tensor_of(data, GROUP_H, i), (size_t)at)));
        }
    return scale;
}

/* The tolerance, and where tolerance times state is below all normal numbers the smallest of all:
 * the kernel's product is then rounded to a multiple of that. */
static double mismatch_most(struct kernel_data *data, const struct prnn_block_report *report)
{
    const double tolerance = data->shape.tolerance;
    if (report->mismatch <= tolerance || report->step < 0)
        return tolerance;
    const double scale = scale_at(data, report);
    return scale * tolerance < FLT_MIN ? tolerance + (double)FLT_TRUE_MIN / scale : tolerance;
}

/* What the certificate says against what was written. */
void certificate_check(const struct trial *trial, struct kernel_data *data)
{
    const struct strategy *s = &data->plan->options.strategy;
    const uint32_t chunks = s->tile_chunks * s->cluster;
    bool is_nonfinite = false;
    for (int b = 0; b < data->grid; b++) {
        const struct prnn_block_report *report = &data->report[b];
        ck_assert_msg(report->mismatch >= 0 && report->mismatch <= mismatch_most(data, report),
                      "mismatch %g, tolerance %g", report->mismatch, data->shape.tolerance);
        ck_assert_msg(report->max_corrections <= 2 * (chunks + 1) + 1,
                      "%u corrections of %u chunks", report->max_corrections, chunks);
        ck_assert_uint_le(report->sum_corrections,
                          (uint64_t)report->tiles * report->max_corrections);
        ck_assert_uint_le(report->nonfinite, 1);
        if (report->mismatch > 0)
            ck_assert_msg(report->step >= 0 && report->channel >= 0 && report->batch >= 0 &&
                              report->channel < data->shape.channels &&
                              report->batch < data->shape.batch && report->step % s->chunk == 0,
                          "mismatch %g at step %lld of chunks of %u, channel %lld of %lld, batch "
                          "%lld of %lld",
                          report->mismatch, report->step, s->chunk, report->channel,
                          (long long)data->shape.channels, report->batch,
                          (long long)data->shape.batch);
        is_nonfinite |= report->nonfinite;
    }
    /* A storage narrower than the arithmetic makes infinities of its own. */
    if (data->plan->options.storage == ASSEMBLE_F32 || data->plan->options.storage == ASSEMBLE_F64)
        ck_assert_msg(is_nonfinite == executor_has_nonfinite(data), "certificate: nonfinite %d",
                      is_nonfinite);
    trial->report->nonfinite += is_nonfinite;
}

/* -- the written states against the equations -------------------------------------------------- */

struct programs {
    const struct ir *ir;
    struct ir_program *step;
    struct shooting_cell shooting;
};

static void programs_create(struct arena *arena, void *context)
{
    struct programs *programs = context;
    programs->step =
        ir_program_create(programs->ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_JACOBIAN), arena);
    shooting_cell_create(&programs->shooting, programs->ir, arena);
}

/* One channel of one sequence, in the order of its steps. */
struct series {
    double x[64 * 64], h[64 * 16], p[64], h0[16];
    unsigned char reset[64];
    int64_t steps;
};

static void series_find(struct series *series, struct kernel_data *data, int64_t b, int64_t n)
{
    const struct ir *ir = data->plan->unit->ir;
    uint32_t element;
    series->steps = data->length[b];
    ck_assert_int_le(series->steps, 64);
    for (int64_t t = 0; t < series->steps; t++) {
        const int64_t row = kernel_row(data, b, t);
        series->reset[t] = data->shape.has_resets && data->reset[row];
        for (uint32_t k = 0; k < ir->inputs; k++)
            series->x[t * ir->inputs + k] =
                kernel_get(kernel_tensor_of(data, GROUP_X, k),
                           (size_t)(ir_decl_of(ir, IR_ROLE_INPUT, k, &element)->is_shared
                                        ? row
                                        : row * data->shape.channels + n));
        for (uint32_t i = 0; i < ir->states; i++)
            series->h[t * ir->states + i] = kernel_get(kernel_tensor_of(data, GROUP_H, i),
                                                       (size_t)(row * data->shape.channels + n));
    }
    for (uint32_t k = 0; k < ir->params; k++)
        series->p[k] =
            kernel_get(kernel_tensor_of(data, GROUP_P, k),
                       (size_t)(ir_decl_of(ir, IR_ROLE_PARAM, k, &element)->is_shared ? 0 : n));
    for (uint32_t i = 0; i < ir->states; i++)
        series->h0[i] = data->shape.has_h0
                            ? kernel_get(kernel_tensor_of(data, GROUP_H0, i),
                                         (size_t)(b * data->shape.channels + n))
                            : (double)(float)ir_decl_of(ir, IR_ROLE_STATE, i, &element)->initial;
}

/* |h[t] - f(h[t-1], x[t])| of the written states: the rounding of one step, and behind a seam
 * between chunks what the certificate admits, times the Jacobian. */
static void check_seams(struct kernel_data *data, const struct programs *programs,
                        const struct series *series, double admitted, double *scratch)
{
    const struct ir *ir = programs->ir;
    const struct strategy *s = &data->plan->options.strategy;
    const int64_t tile = (int64_t)s->tile_chunks * s->chunk * s->cluster;
    double next[16], jacobian[256], largest = 1;
    for (int64_t i = 0; i < series->steps * ir->states; i++)
        largest = fmax(largest, fabs(series->h[i]));
    const double rounding = 30 * FLT_EPSILON * (double)(ir->insn_count + 1) * largest;
    for (int64_t t = 0; t < series->steps; t++) {
        const bool is_initial = t == 0 || series->reset[t];
        struct ir_leaves_f64 leaves = {.h = is_initial ? series->h0
                                                       : series->h + (t - 1) * ir->states,
                                       .x = series->x + t * ir->inputs,
                                       .p = series->p};
        leaves.out[IR_OUT_NEXT] = next;
        leaves.out[IR_OUT_JACOBIAN] = jacobian;
        ir_eval_f64(programs->step, &leaves, scratch);
        const bool is_seam = !is_initial && t % s->chunk == 0 && t % tile != 0;
        for (uint32_t i = 0; i < ir->states; i++) {
            double norm = 0;
            for (uint32_t j = 0; j < ir->states; j++)
                norm += fabs(jacobian[i * ir->states + j]);
            const double bound = rounding + (is_seam ? norm * admitted * largest : 0);
            const double residual = fabs(series->h[t * ir->states + i] - next[i]);
            ck_assert_msg(residual <= bound,
                          "step %d state %u: the written state is %g from the step of the one "
                          "before; the certificate admits %g",
                          (int)t, i, residual, bound);
        }
    }
}

/* The size of the state where it is smallest: over the chunks, the largest of each. */
static double smallest_scale(const struct series *series, uint32_t states, uint32_t chunk)
{
    double smallest = INFINITY, largest = 0;
    for (int64_t t = 0; t < series->steps; t++) {
        for (uint32_t i = 0; i < states; i++)
            largest = fmax(largest, fabs(series->h[t * states + i]));
        if ((t + 1) % chunk == 0 || t + 1 == series->steps) {
            smallest = fmin(smallest, largest);
            largest = 0;
        }
    }
    return smallest;
}

/* Corrections of the kernel against the plain solver, which also needs none for its last look. */
void corrections_check(const struct trial *trial, struct kernel_data *data)
{
    const struct ir *ir = data->plan->unit->ir;
    const struct strategy *s = &data->plan->options.strategy;
    struct programs programs = {.ir = ir};
    struct arena *arena;
    ck_assert_int_eq(pipeline_guard(&arena, programs_create, &programs), PIPELINE_OK);
    double *scratch = calloc(ir_program_scratch(programs.step) + 1, sizeof *scratch);
    struct series *series = calloc(1, sizeof *series);
    const struct shooting_options options = {.tile_chunks = (int64_t)s->tile_chunks * s->cluster,
                                             .chunk = s->chunk,
                                             .tolerance = data->shape.tolerance,
                                             .in_float = true};
    uint32_t reference = 0, found = 0;
    int64_t tiles = 0;
    double admitted = 0, scale = INFINITY;
    for (int b = 0; b < data->grid; b++) {
        found = data->report[b].max_corrections > found ? data->report[b].max_corrections : found;
        admitted = fmax(admitted, data->report[b].mismatch);
    }
    for (int64_t b = 0; b < data->shape.batch; b++)
        for (int64_t n = 0; n < data->shape.channels; n++) {
            double *h = calloc(64 * 16, sizeof *h);
            struct shooting_report report;
            series_find(series, data, b, n);
            const struct shooting_problem problem = {.seq_len = series->steps,
                                                     .x = series->x,
                                                     .p = series->p,
                                                     .h0 = series->h0,
                                                     .reset = series->reset,
                                                     .h = h};
            ck_assert(shooting_solve(&programs.shooting, &options, &problem, &report));
            reference = report.max_corrections > reference ? report.max_corrections : reference;
            tiles += report.tiles;
            scale = fmin(scale, smallest_scale(series, ir->states, s->chunk));
            check_seams(data, &programs, series, admitted, scratch);
            free(h);
        }
    /* The kernel stops by how far entries move, which takes one correction to see; a rough first
     * one takes another, and the guess of a block's first chunk within a cluster, the initial state
     * itself, one or, where that is far from what Newton's method squares at once, two. A kernel
     * that guesses makes passes, by Newton's method at first, then one for each chunk at most.
     * Where a state is so small that what may be left of it is below the roundings of terms of
     * order one, such as its guess or those that cancel in a step, entries are corrected until they
     * stand still, and the counts differ. */
    const uint32_t more =
        1u + (data->plan->options.mode != ASSEMBLE_STRICT) + (s->cluster > 1 ? 2 : 0);
    const bool is_guessing = assemble_is_guessing(&data->plan->options);
    const bool is_resolved =
        !is_guessing && data->shape.tolerance * scale >= 4 * (double)FLT_EPSILON;
    if (is_guessing)
        ck_assert_msg(found <= kernel_passes_most(s), "%u passes", found);
    trial->report->corrections_compared += is_resolved ? tiles : 0;
    if (s->tile_chunks * s->cluster > 1 && is_resolved)
        ck_assert_msg(found <= reference + more,
                      "%u corrections, the reference takes %u: W%u S%u C%u, tolerance %g", found,
                      reference, s->tile_chunks, s->chunk, s->cluster, data->shape.tolerance);
    if (data->plan->unit->structure.is_affine && is_resolved &&
        data->plan->options.mode == ASSEMBLE_STRICT)
        ck_assert_msg(found <= 1, "an affine cell took %u corrections", found);
    free(series);
    free(scratch);
    arena_destroy(arena);
}
