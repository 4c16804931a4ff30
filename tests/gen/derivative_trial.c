/* What the compiler derives from a cell against numbers: Jacobian and gradients against central
 * differences in binary128, the two against each other, structure and ranges against evaluations.
 */
#include "trial.h"

#include "ir_eval.h"
#include "ir_program.h"
#include "ir_real.h"
#include "pipeline.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef __float128 quad;

/* Of libquadmath, whose header comes with gcc alone. */
quad cosq(quad), erfq(quad), expm1q(quad), expq(quad), fabsq(quad), fmaq(quad, quad, quad);
quad log1pq(quad), logq(quad), powq(quad, quad), sinq(quad), sqrtq(quad), tanhq(quad);

enum { ROOM = 64, STATES = 16, ORBIT = 24 };

/* Differences lose half of binary128's 113 bits at this step and are exact to its square. */
static const double STEP = 0x1p-36;
/* No function of the language overflows below. */
static const double LARGE = 30;
/* Of derivatives in double: as for the cells in check_derivatives.c. */
static const double TOLERANCE = 1e-12;

struct subject {
    const struct trial *trial;
    const struct unit *unit;
    const struct ir *ir;
    struct ir_program *step, *derivatives;
    uint32_t counts[3]; /* states, inputs, parameters */
    double *scratch;
    quad *scratch_quad, *held;
    struct dice dice;
};

struct point {
    double leaf[3][ROOM];
    double cotangent[ROOM];
};

struct results {
    double jacobian[STATES * STATES], adjacobian[STATES * STATES], source[STATES], adjoint[3][ROOM];
};

static void programs_create(struct arena *arena, void *context)
{
    struct subject *s = context;
    uint32_t mask = 0;
    for (int kind = IR_OUT_JACOBIAN; kind < IR_OUT_KIND_COUNT; kind++)
        mask |= IR_MASK(kind);
    s->step = ir_program_create(s->ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT), arena);
    s->derivatives = ir_program_create(s->ir, mask, arena);
}

/* -- the step in binary128 --------------------------------------------------------------------- */

/* next[states], then outputs. The results of detach() are those in 'held', if it is given: the
 * scratch of an evaluation before. */
static void evaluate_quad(const struct subject *s, const quad *const *leaf, const quad *held,
                          quad *scratch, quad *result)
{
#define real quad
#define REAL(name) name##q
    const struct ir_program *program = s->step;
    for (uint32_t i = 0; i < program->leaf_count; i++) {
        const struct ir_program_leaf *at = &program->leaves[i];
        scratch[i] = at->kind == IR_STATE   ? leaf[0][at->index]
                     : at->kind == IR_INPUT ? leaf[1][at->index]
                     : at->kind == IR_PARAM ? leaf[2][at->index]
                                            : (quad)at->constant;
    }
    for (uint32_t i = 0; i < program->insn_count; i++) {
        const struct ir_program_insn *insn = &program->insns[i];
        const quad a = scratch[insn->a], b = scratch[insn->b], c = scratch[insn->c];
        quad *const y = &scratch[program->leaf_count + i];
        switch ((enum ir_op)insn->op) {
#define OP1(ID, name, da, cost, text, eval)                                                        \
    case IR_##ID:                                                                                  \
        *y = (quad)(eval);                                                                         \
        break;
#define OP2(ID, name, da, db, cost, text, eval) OP1(ID, name, da, cost, text, eval)
#define OP3(ID, name, da, db, dc, cost, text, eval) OP1(ID, name, da, cost, text, eval)
#include "ops.def"
#undef OP1
#undef OP2
#undef OP3
        case IR_OP_COUNT:
            break;
        }
        (void)b;
        (void)c;
        if (held && insn->op == IR_DETACH)
            *y = held[program->leaf_count + i];
    }
    for (uint32_t i = 0; i < program->out_count; i++) {
        const struct ir_program_out *out = &program->outs[i];
        quad *const place = &result[out->index + (out->kind == IR_OUT_OUTPUT ? s->ir->states : 0)];
        *place = out->slot == IR_PROGRAM_ZERO ? 0 : scratch[out->slot];
    }
#undef real
#undef REAL
}

static void evaluate_moved(const struct subject *s, const struct point *point, int group,
                           uint32_t index, quad by, bool holds, quad *result)
{
    quad leaf[3][ROOM];
    const quad *const leaves[3] = {leaf[0], leaf[1], leaf[2]};
    for (int g = 0; g < 3; g++)
        for (uint32_t i = 0; i < s->counts[g]; i++)
            leaf[g][i] = point->leaf[g][i];
    if (holds)
        evaluate_quad(s, leaves, NULL, s->held, result);
    leaf[group][index] += by;
    evaluate_quad(s, leaves, holds ? s->held : NULL, s->scratch_quad, result);
}

/* How far the last evaluation in 'held' was from the nearest kink or jump. */
static double kink_distance(const struct subject *s)
{
    double nearest = INFINITY;
    for (uint32_t i = 0; i < s->step->insn_count; i++) {
        const struct ir_program_insn *insn = &s->step->insns[i];
        const enum ir_op op = (enum ir_op)insn->op;
        const quad a = s->held[insn->a], b = s->held[insn->b];
        if (op == IR_ABS || op == IR_SIGN)
            nearest = fmin(nearest, fabs((double)a));
        else if (op == IR_MIN || op == IR_MAX || (op >= IR_LT && op <= IR_NE))
            nearest = fmin(nearest, fabs((double)(a - b)));
    }
    return nearest;
}

/* Are differences at this point worth anything? Tame cells are far from kinks by construction; what
 * the shrinker makes of them may not be. */
static bool is_smooth(const struct subject *s, const struct point *point)
{
    quad result[ROOM];
    bool is_finite = true;
    evaluate_moved(s, point, 0, 0, 0, true, result);
    for (uint32_t i = 0; i < s->ir->states + s->ir->outputs; i++)
        is_finite = is_finite && isfinite((double)result[i]);
    return is_finite && kink_distance(s) > 1e-6;
}

/* d(next and outputs)/d(one leaf); 'holds': with detach() as a constant. */
static void differences(const struct subject *s, const struct point *point, int group,
                        uint32_t index, bool holds, double *result)
{
    quad up[ROOM], down[ROOM];
    evaluate_moved(s, point, group, index, STEP, holds, up);
    evaluate_moved(s, point, group, index, -(quad)STEP, holds, down);
    for (uint32_t i = 0; i < s->ir->states + s->ir->outputs; i++)
        result[i] = (double)((up[i] - down[i]) / (2 * (quad)STEP));
}

/* -- points ------------------------------------------------------------------------------------ */

static double leaf_random(struct subject *s, const struct ir_decl *decl)
{
    if (decl->has_range)
        return dice_real(&s->dice, decl->lo, decl->hi);
    return decl->role == IR_ROLE_PARAM ? dice_real(&s->dice, -0.5, 0.5)
                                       : dice_real(&s->dice, -1, 1);
}

static struct point point_random(struct subject *s)
{
    struct point point = {0};
    for (uint32_t k = 0; k < s->ir->decl_count; k++) {
        const struct ir_decl *decl = &s->ir->decls[k];
        for (uint32_t i = 0; i < decl->count && decl->role != IR_ROLE_OUTPUT; i++)
            point.leaf[decl->role][decl->first + i] = leaf_random(s, decl);
    }
    for (uint32_t i = 0; i < s->ir->states + s->ir->outputs; i++)
        point.cotangent[i] = dice_real(&s->dice, -2, 2);
    return point;
}

static void evaluate_derivatives(const struct subject *s, const struct point *point,
                                 struct results *results)
{
    struct ir_leaves_f64 leaves = {.h = point->leaf[0],
                                   .x = point->leaf[1],
                                   .p = point->leaf[2],
                                   .cotangent = point->cotangent};
    leaves.out[IR_OUT_JACOBIAN] = results->jacobian;
    leaves.out[IR_OUT_ADJACOBIAN] = results->adjacobian;
    leaves.out[IR_OUT_SOURCE] = results->source;
    leaves.out[IR_OUT_ADJ_STATE] = results->adjoint[0];
    leaves.out[IR_OUT_ADJ_INPUT] = results->adjoint[1];
    leaves.out[IR_OUT_ADJ_PARAM] = results->adjoint[2];
    ir_eval_f64(s->derivatives, &leaves, s->scratch);
}

static void evaluate_step(const struct subject *s, const struct point *point, double *next)
{
    double output[ROOM];
    struct ir_leaves_f64 leaves = {.h = point->leaf[0], .x = point->leaf[1], .p = point->leaf[2]};
    leaves.out[IR_OUT_NEXT] = next;
    leaves.out[IR_OUT_OUTPUT] = output;
    ir_eval_f64(s->step, &leaves, s->scratch);
}

/* -- derivatives ------------------------------------------------------------------------------- */

static void compare(const struct subject *s, const char *what, uint32_t i, uint32_t j, double found,
                    double wanted, double scale)
{
    struct trial_report *report = s->trial->report;
    const double error = fabs(found - wanted) / fmax(1, scale);
    report->comparisons++;
    report->derivative_error = fmax(report->derivative_error, error);
    ck_assert_msg(error <= TOLERANCE, "%s.%u.%u is %.17g, differences give %.17g", what, i, j,
                  found, wanted);
}

static bool has_gradient(const struct ir *ir, int group, uint32_t index)
{
    static const enum ir_role roles[3] = {IR_ROLE_STATE, IR_ROLE_INPUT, IR_ROLE_PARAM};
    uint32_t element;
    return !ir_decl_of(ir, roles[group], index, &element)->no_gradient;
}

static void compare_group(const struct subject *s, const struct point *point,
                          const struct results *results, int group)
{
    static const char *const names[3] = {"adj_h", "adj_x", "adj_p"};
    const uint32_t n = s->ir->states, outputs = s->ir->outputs;
    double held[ROOM], column[ROOM];
    for (uint32_t j = 0; j < s->counts[group]; j++) {
        double sum = 0, source = 0, scale = 0;
        differences(s, point, group, j, true, held);
        for (uint32_t i = 0; i < n + outputs; i++) {
            sum += held[i] * point->cotangent[i];
            scale += fabs(held[i] * point->cotangent[i]);
            source += i < n ? 0 : held[i] * point->cotangent[i];
        }
        compare(s, names[group], j, 0, results->adjoint[group][j],
                has_gradient(s->ir, group, j) ? sum : 0, scale);
        if (group != 0)
            continue;
        compare(s, "src", j, 0, results->source[j], source, scale);
        differences(s, point, group, j, false, column);
        for (uint32_t i = 0; i < n; i++) {
            compare(s, "jac", i, j, results->jacobian[i * n + j], column[i], fabs(column[i]));
            compare(s, "adjac", i, j, results->adjacobian[i * n + j], held[i], fabs(held[i]));
        }
    }
}

/* <J v, w> = <v, J^T w>, with detach() as a constant in both. */
static void compare_dot(struct subject *s, const struct point *point)
{
    const uint32_t n = s->ir->states;
    struct point only_states = *point;
    struct results results;
    double forward = 0, backward = 0, scale = 1;
    memset(only_states.cotangent + n, 0, s->ir->outputs * sizeof(double));
    evaluate_derivatives(s, &only_states, &results);
    for (uint32_t j = 0; j < n; j++) {
        const double v = dice_real(&s->dice, -1, 1);
        backward += results.adjoint[0][j] * v;
        scale += fabs(results.adjoint[0][j] * v);
        for (uint32_t i = 0; i < n; i++) {
            const double term = point->cotangent[i] * results.adjacobian[i * n + j] * v;
            forward += term;
            scale += fabs(term);
        }
    }
    const double error = fabs(forward - backward) / scale;
    s->trial->report->dot_error = fmax(s->trial->report->dot_error, error);
    ck_assert_msg(error <= 1e-13, "adjoint and tangent: %.17g against %.17g", backward, forward);
}

/* -- structure --------------------------------------------------------------------------------- */

/* What is said to be zero is zero in every bit, and NaN goes nowhere that is not said. */
static void check_pattern(const struct subject *s, const struct point *point)
{
    const struct structure *structure = &s->unit->structure;
    const uint32_t n = s->ir->states;
    double base[STATES], moved[STATES], poisoned[STATES];
    evaluate_step(s, point, base);
    for (uint32_t j = 0; j < n; j++) {
        struct point other = *point;
        other.leaf[0][j] += 0.0625;
        evaluate_step(s, &other, moved);
        other.leaf[0][j] = (double)NAN;
        evaluate_step(s, &other, poisoned);
        for (uint32_t i = 0; i < n; i++) {
            const bool depends = structure->depends[i] >> j & 1;
            if (ir_find_out(s->ir, IR_OUT_JACOBIAN, i, j) != IR_REF_NONE)
                ck_assert_msg(depends, "jac.%u.%u exists, but next.%u is said not to depend", i, j,
                              i);
            if (depends)
                ck_assert(structure->closed[i] >> j & 1);
            else
                ck_assert_msg(memcmp(&base[i], &moved[i], sizeof base[i]) == 0 &&
                                  memcmp(&base[i], &poisoned[i], sizeof base[i]) == 0,
                              "next.%u is said not to depend on h.%u: %.17g, %.17g, %.17g", i, j,
                              base[i], moved[i], poisoned[i]);
        }
    }
}

/* A block that is called affine has second differences of rounding size in its own states. */
static void check_affine(struct subject *s, const struct point *point)
{
    const struct structure *structure = &s->unit->structure;
    const uint32_t n = s->ir->states;
    for (uint32_t b = 0; b < structure->block_count; b++) {
        const struct structure_block *block = &structure->block[b];
        const bool whole = structure->is_affine;
        quad leaf[3][3][ROOM], result[3][ROOM];
        if (!block->is_affine && !whole)
            continue;
        for (int k = 0; k < 3; k++)
            for (int g = 0; g < 3; g++)
                for (uint32_t i = 0; i < s->counts[g]; i++)
                    leaf[k][g][i] = point->leaf[g][i];
        for (uint32_t k = 0; k < (whole ? n : block->count); k++) {
            const uint32_t j = whole ? k : block->state[k];
            const double by = dice_real(&s->dice, -0.25, 0.25);
            leaf[1][0][j] += by;
            leaf[2][0][j] -= by;
        }
        for (int k = 0; k < 3; k++) {
            const quad *const leaves[3] = {leaf[k][0], leaf[k][1], leaf[k][2]};
            evaluate_quad(s, leaves, NULL, s->scratch_quad, result[k]);
        }
        for (uint32_t k = 0; k < block->count; k++) {
            const uint32_t i = block->state[k];
            const double second = (double)(result[1][i] + result[2][i] - 2 * result[0][i]);
            const double size = 1 + fabs((double)result[0][i]);
            if (isfinite(second))
                ck_assert_msg(fabs(second) <= 1e-28 * size,
                              "state %u is said to be affine; second difference %g", i, second);
        }
    }
}

/* Blocks are the strongly connected components, in an order that can be solved. */
static void check_blocks(const struct subject *s)
{
    const struct structure *structure = &s->unit->structure;
    const uint32_t n = s->ir->states;
    bool reaches[STATES][STATES];
    int block_of[STATES];
    uint32_t counted = 0;
    for (uint32_t i = 0; i < n; i++) {
        block_of[i] = -1;
        for (uint32_t j = 0; j < n; j++)
            reaches[i][j] = i == j || (structure->depends[i] >> j & 1);
    }
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n; j++)
                reaches[i][j] = reaches[i][j] || (reaches[i][k] && reaches[k][j]);
    for (uint32_t b = 0; b < structure->block_count; b++)
        for (uint32_t k = 0; k < structure->block[b].count; k++, counted++) {
            ck_assert_int_eq(block_of[structure->block[b].state[k]], -1);
            block_of[structure->block[b].state[k]] = (int)b;
        }
    ck_assert_uint_eq(counted, n);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            ck_assert_msg((block_of[i] == block_of[j]) == (reaches[i][j] && reaches[j][i]),
                          "states %u and %u: blocks %d and %d", i, j, block_of[i], block_of[j]);
            if (structure->depends[i] >> j & 1)
                ck_assert_msg(block_of[j] <= block_of[i], "state %u is solved before state %u", i,
                              j);
        }
}

/* -- ranges ------------------------------------------------------------------------------------ */

static void check_within(const char *what, uint32_t i, uint32_t j, double v,
                         const struct range *range)
{
    const double slack = 1e-12 * fmax(1, fabs(v));
    if (isnan(v))
        ck_assert_msg(range->may_be_nan, "%s %u %u is NaN", what, i, j);
    else
        ck_assert_msg(v >= range->lo - slack && v <= range->hi + slack,
                      "%s %u %u is %.17g, said to be in [%.17g, %.17g]", what, i, j, v, range->lo,
                      range->hi);
}

/* A run from the initial states stays in the ranges, and its Jacobians below their bound. */
static void check_ranges(struct subject *s)
{
    const struct ir *ir = s->ir;
    const struct range_report *ranges = &s->unit->ranges;
    double h[STATES];
    uint32_t element;
    for (uint32_t i = 0; i < ir->states; i++)
        h[i] = ir_decl_of(ir, IR_ROLE_STATE, i, &element)->initial;
    for (int t = 0; t < ORBIT; t++) {
        struct point point = point_random(s);
        struct results results;
        double next[STATES], bound = 0;
        memcpy(point.leaf[0], h, sizeof h);
        /* Ranges are those of numbers without an end: where values may overflow they are silent. */
        for (uint32_t i = 0; i < ir->states; i++)
            if (!(fabs(h[i]) < LARGE))
                return;
        evaluate_derivatives(s, &point, &results);
        for (size_t k = 0; k < ir_program_scratch(s->derivatives); k++)
            if (isinf(s->scratch[k]))
                return;
        for (uint32_t i = 0; i < ir->states; i++) {
            double row = 0;
            check_within("state", i, 0, h[i], &ranges->state[i]);
            for (uint32_t j = 0; j < ir->states; j++) {
                check_within("jacobian", i, j, results.jacobian[i * ir->states + j],
                             &ranges->jacobian[i][j]);
                row += fabs(results.jacobian[i * ir->states + j]);
            }
            bound = fmax(bound, row);
        }
        if (!isnan(bound))
            ck_assert_msg(bound <= ranges->jacobian_bound * (1 + 1e-12) + 1e-12,
                          "|J| is %.17g, said to be at most %.17g", bound, ranges->jacobian_bound);
        ck_assert_int_eq(ranges->is_contraction, ranges->jacobian_bound < 1);
        evaluate_step(s, &point, next);
        memcpy(h, next, sizeof h);
    }
}

void trial_derivatives(const struct trial *trial, int points)
{
    struct pipeline_options options = PIPELINE_OPTIONS_INIT;
    struct subject s = {.trial = trial, .dice = {trial->seed}};
    struct unit *unit;
    struct arena *arena;
    struct results *results = calloc(1, sizeof *results);
    options.verify = true;
    const enum pipeline_class loaded =
        pipeline_load_text(&unit, "random.cell", trial->text, strlen(trial->text), &options);
    ck_assert_msg(loaded == PIPELINE_OK, "%s%s", unit ? unit->messages : "no memory",
                  unit && unit->internal ? unit->internal : "");
    s.unit = unit;
    s.ir = unit->ir;
    s.counts[0] = s.ir->states;
    s.counts[1] = s.ir->inputs;
    s.counts[2] = s.ir->params;
    ck_assert_int_eq(pipeline_guard(&arena, programs_create, &s), PIPELINE_OK);
    const size_t room = ir_program_scratch(s.derivatives) + ir_program_scratch(s.step) + 1;
    s.scratch = calloc(room, sizeof *s.scratch);
    s.scratch_quad = calloc(room, sizeof *s.scratch_quad);
    s.held = calloc(room, sizeof *s.held);
    ck_assert(results && s.scratch && s.scratch_quad && s.held);
    check_blocks(&s);
    check_ranges(&s);
    for (int k = 0; k < points; k++) {
        const struct point point = point_random(&s);
        check_pattern(&s, &point);
        check_affine(&s, &point);
        if (trial->is_hard || !is_smooth(&s, &point)) {
            trial->report->kinks += !trial->is_hard;
            continue; /* differences across a kink or a pole mean nothing */
        }
        evaluate_derivatives(&s, &point, results);
        for (int group = 0; group < 3; group++)
            compare_group(&s, &point, results, group);
        compare_dot(&s, &point);
    }
    free(s.scratch);
    free(s.scratch_quad);
    free(s.held);
    free(results);
    arena_destroy(arena);
    unit_free(unit);
}
