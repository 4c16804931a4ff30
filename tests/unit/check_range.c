#include "sample_cells.h"

#include "diff.h"
#include "interval.h"
#include "ir_eval.h"
#include "range.h"

#include <math.h>

/* Evaluation in double may leave an exact bound by its own roundings. */
static const double ROUNDING = 1e-12;

static bool holds(struct range range, double value)
{
    const double slack = ROUNDING * fmax(1, fabs(value));
    return isnan(value) ? range.may_be_nan : value >= range.lo - slack && value <= range.hi + slack;
}

struct found {
    struct ir *ir;
    struct structure structure;
    struct range_report report;
};

static struct found *find(struct arena *arena, const char *text)
{
    struct found *found = arena_alloc(arena, sizeof *found);
    found->ir = sample_read(arena, text);
    structure_find(&found->structure, found->ir, arena);
    jacobian_build(found->ir, &found->structure);
    range_find(&found->report, found->ir, &found->structure, arena);
    return found;
}

static double any_end(uint64_t *seed, const struct ir *ir, enum ir_role role, uint32_t index)
{
    uint32_t element;
    const struct ir_decl *decl = ir_decl_of(ir, role, index, &element);
    const double lo = decl->has_range ? decl->lo : -30, hi = decl->has_range ? decl->hi : 30;
    const double choice = sample_random(seed, 0, 4);
    return choice < 1 ? lo : choice < 2 ? hi : sample_random(seed, lo, hi);
}

/* Runs from the initial state with inputs at random and at the ends of their bounds. */
START_TEST(values_of_long_runs_stay_within_their_ranges)
{
    struct arena *arena = sample_arena();
    const struct found *found = find(arena, sample_cells[_i].text);
    const struct ir *ir = found->ir;
    const uint32_t n = ir->states;
    const struct ir_program *program =
        ir_program_create(ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_JACOBIAN), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    double h[8], x[8], p[8], next[8], jacobian[64];
    struct ir_leaves_f64 leaves = {.h = h, .x = x, .p = p};
    uint64_t seed = 31;

    leaves.out[IR_OUT_NEXT] = next;
    leaves.out[IR_OUT_JACOBIAN] = jacobian;
    for (int run = 0; run < 60; run++) {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t element;
            h[i] = ir_decl_of(ir, IR_ROLE_STATE, i, &element)->initial;
        }
        for (uint32_t k = 0; k < ir->params; k++)
            p[k] = any_end(&seed, ir, IR_ROLE_PARAM, k);
        for (int t = 0; t < 100; t++) {
            for (uint32_t k = 0; k < ir->inputs; k++)
                x[k] = any_end(&seed, ir, IR_ROLE_INPUT, k);
            ir_eval_f64(program, &leaves, scratch);
            for (uint32_t i = 0; i < n; i++) {
                double row = 0;
                ck_assert_msg(!isfinite(next[i]) || holds(found->report.state[i], next[i]),
                              "%s: state %u is %g, not in [%g, %g]", sample_cells[_i].name,
                              (unsigned)i, next[i], found->report.state[i].lo,
                              found->report.state[i].hi);
                for (uint32_t j = 0; j < n; j++) {
                    const double entry = jacobian[i * n + j];
                    row += fabs(entry);
                    ck_assert_msg(!isfinite(entry) || holds(found->report.jacobian[i][j], entry),
                                  "%s: jac.%u.%u is %g", sample_cells[_i].name, (unsigned)i,
                                  (unsigned)j, entry);
                }
                ck_assert(!isfinite(row) || row <= found->report.jacobian_bound * (1 + ROUNDING));
            }
            memcpy(h, next, sizeof h);
        }
    }
    arena_destroy(arena);
}
END_TEST

static const double ends[] = {-INFINITY, -700, -3, -1, -0.5, 0, 0.25, 1, 2, 5, 800, INFINITY};

static struct range random_range(uint64_t *seed)
{
    const int count = sizeof ends / sizeof ends[0];
    const double choice = sample_random(seed, 0, 1);
    double a = ends[(int)sample_random(seed, 0, count - 1)];
    double b = ends[1 + (int)sample_random(seed, 0, count - 1)];
    if (choice < 0.4) {
        a = sample_random(seed, -4, 4);
        b = sample_random(seed, -4, 4);
    } else if (choice < 0.6) {
        a = b = round(sample_random(seed, -3, 3)); /* whole exponents among them */
    }
    if (isinf(a) && a > 0)
        a = 1;
    if (isinf(b) && b < 0)
        b = 1;
    return (struct range){fmin(a, b), fmax(a, b), false};
}

static double pick(uint64_t *seed, struct range range)
{
    const double choice = sample_random(seed, 0, 4);
    const double lo = fmax(range.lo, fmin(-1e3, range.hi));
    const double hi = fmin(range.hi, fmax(1e3, range.lo));
    if (choice < 1)
        return lo;
    if (choice < 2)
        return hi;
    if (choice < 3 && lo <= 0 && hi >= 0)
        return 0;
    return sample_random(seed, lo, hi);
}

/* The value of one operation, by the interpreter. */
START_TEST(every_rule_holds_its_values)
{
    struct arena *arena = sample_arena();
    const enum ir_op op = (enum ir_op)_i;
    static const char *const operands[] = {"", "x0", "x0, x1", "x0, x1, x2"};
    const bool gives_condition = ir_op_type(op) == IR_CONDITION;
    const bool takes_condition = ir_op_operand_type(op, 0) == IR_CONDITION;
    /* Conditions are made from x > 0.5 with x in [0, 1]. */
    const char *text = arena_printf(arena,
                                    "ir 1 cell \"rule\"\nstate h\ninput a\ninput b\ninput "
                                    "c\n%s%%%d = %s %s\n%sout next.0 = %s\n",
                                    takes_condition ? "%0 = gt x0, 0.5\n%1 = gt x1, 0.5\n" : "",
                                    takes_condition ? 2 : 0, ir_op_name(op),
                                    !takes_condition       ? operands[ir_op_arity(op)]
                                    : op == IR_WHERE       ? "%0, x1, x2"
                                    : ir_op_arity(op) == 1 ? "%0"
                                                           : "%0, %1",
                                    !gives_condition  ? ""
                                    : takes_condition ? "%3 = where %2, 1, 0\n"
                                                      : "%1 = where %0, 1, 0\n",
                                    gives_condition ? (takes_condition ? "%3" : "%1")
                                                    : (takes_condition ? "%2" : "%0"));
    const struct ir *ir = sample_read(arena, text);
    const struct ir_program *program = ir_program_create(ir, IR_MASK(IR_OUT_NEXT), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    double h = 0, x[3], next;
    struct ir_leaves_f64 leaves = {.h = &h, .x = x};
    uint64_t seed = 77 + (uint64_t)_i;

    leaves.out[IR_OUT_NEXT] = &next;
    for (int k = 0; k < 3000; k++) {
        struct range range[3] = {random_range(&seed), random_range(&seed), random_range(&seed)};
        for (int point = 0; point < 20; point++) {
            struct range operand[3] = {range[0], range[1], range[2]};
            for (int o = 0; o < 3; o++)
                x[o] = pick(&seed, range[o]);
            for (unsigned o = 0; o < 3; o++)
                if (o < ir_op_arity(op) && ir_op_operand_type(op, o) == IR_CONDITION) {
                    x[o] = point & 1 ? 1 : 0;
                    operand[o] = k & 1 ? (struct range){0, 1, false} : range_point(x[o]);
                }
            const struct range result = range_apply(op, operand[0], operand[1], operand[2]);
            ir_eval_f64(program, &leaves, scratch);
            ck_assert_msg(holds(result, next) || (isinf(next) && result.may_be_nan),
                          "%s of %g, %g, %g is %.17g, not in [%g, %g]; operands [%g, %g], [%g, %g]",
                          ir_op_name(op), x[0], x[1], x[2], next, result.lo, result.hi,
                          operand[0].lo, operand[0].hi, operand[1].lo, operand[1].hi);
        }
    }
    arena_destroy(arena);
}
END_TEST

/* One state, one step: what is expected of the state and of the Jacobian's bound. */
static const struct {
    const char *name, *declarations, *body;
    double lo, hi, jacobian;
} rows[] = {
    {"contraction", "input u\nparam w in -0.9 0.9\n",
     "%0 = mul p0, h0\n%1 = add %0, x0\n%2 = tanh %1\nout next.0 = %2\n", -1, 1, 0.9},
    {"sigmoid cell", "input u\nparam w in -2 2\n",
     "%0 = mul p0, h0\n%1 = add %0, x0\n%2 = sigmoid %1\nout next.0 = %2\n", 0, 1, 0.5},
    {"leaky sum", "input u in -1 1\n", "%0 = mul 0.5, h0\n%1 = add %0, x0\nout next.0 = %1\n", -2,
     2, 0.5},
    {"unbounded sum", "input u in -1 1\n", "%0 = add h0, x0\nout next.0 = %0\n", -INFINITY,
     INFINITY, 1},
    {"one-sided sum", "input u in 0 1\n", "%0 = add h0, x0\nout next.0 = %0\n", 0, INFINITY, 1},
    {"mixture", "input v\ninput u in -3 2\n",
     "%0 = sigmoid x0\n%1 = sub 1, %0\n%2 = mul h0, %1\n%3 = mul %0, x1\n%4 = add %3, %2\n"
     "out next.0 = %4\n",
     -3, 2, 1},
    {"mixture by a step", "input v\ninput u in -3 2\n",
     "%0 = sigmoid x0\n%1 = sub x1, h0\n%2 = mul %1, %0\n%3 = add h0, %2\nout next.0 = %3\n", -3, 2,
     1},
    {"mixture, fused", "input v\ninput u in -3 2\n",
     "%0 = sigmoid x0\n%1 = sub 1, %0\n%2 = mul h0, %1\n%3 = fma %0, x1, %2\nout next.0 = %3\n", -3,
     2, 1},
    {"step, fused", "input v\ninput u in -3 2\n",
     "%0 = sigmoid x0\n%1 = sub x1, h0\n%2 = fma %1, %0, h0\nout next.0 = %2\n", -3, 2, 1},
    {"weight out of bounds is no mixture", "input v in 0 2\ninput u in -3 2\n",
     "%0 = sub 1, x0\n%1 = mul h0, %0\n%2 = mul x0, x1\n%3 = add %1, %2\nout next.0 = %3\n",
     -INFINITY, INFINITY, 1},
    {"even square", "input u\n", "%0 = mul x0, x0\nout next.0 = %0\n", 0, INFINITY, 0},
    {"choice is decided", "input u\n",
     "%0 = tanh x0\n%1 = gt %0, 2\n%2 = where %1, x0, %0\nout next.0 = %2\n", -1, 1, 0},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

START_TEST(states_and_jacobians_have_their_known_bounds)
{
    struct arena *arena = sample_arena();
    const char *text = arena_printf(arena, "ir 1 cell \"row\"\nstate h\n%s%s",
                                    rows[_i].declarations, rows[_i].body);
    const struct range_report *report = &find(arena, text)->report;
    ck_assert_msg(report->state[0].lo == rows[_i].lo ||
                      fabs(report->state[0].lo - rows[_i].lo) < 1e-9,
                  "%s: lo %.17g", rows[_i].name, report->state[0].lo);
    ck_assert_msg(report->state[0].hi == rows[_i].hi ||
                      fabs(report->state[0].hi - rows[_i].hi) < 1e-9,
                  "%s: hi %.17g", rows[_i].name, report->state[0].hi);
    ck_assert_msg(fabs(report->jacobian_bound - rows[_i].jacobian) < 1e-9, "%s: |J| <= %.17g",
                  rows[_i].name, report->jacobian_bound);
    ck_assert(report->is_contraction == (rows[_i].jacobian < 1));
    arena_destroy(arena);
}
END_TEST

START_TEST(a_gru_is_bounded_by_one)
{
    struct arena *arena = sample_arena();
    const struct range_report *report = &find(arena, sample_cells[0].text)->report;
    ck_assert(report->state[0].lo == -1 && report->state[0].hi == 1);
    ck_assert(!report->state[0].may_be_nan);
    ck_assert(!report->is_contraction && isfinite(report->jacobian_bound));
    ck_assert(!report->may_overflow_f16 && !report->may_overflow_bf16);
    arena_destroy(arena);
}
END_TEST

/* 40 * 2000 = 80000 is past f16 and far from the end of bf16. */
START_TEST(overflow_of_sixteen_bits_is_told_by_type_and_place)
{
    static const char text[] = "ir 1 cell \"large\"\nstate a\nstate b\ninput u in -40 40\n"
                               "%0 = mul 2000, x0\nout next.0 = x0\nout next.1 = %0\n";
    struct arena *arena = sample_arena();
    const struct range_report *report = &find(arena, text)->report;
    ck_assert(report->may_overflow_f16 && !report->may_overflow_bf16);
    ck_assert_uint_eq(report->overflow_state, 1);
    arena_destroy(arena);
}
END_TEST

START_TEST(leaving_a_domain_is_told)
{
    struct arena *arena = sample_arena();
    ck_assert(
        range_apply(IR_LOG, (struct range){-1, 2, false}, (struct range){0}, (struct range){0})
            .may_be_nan);
    ck_assert(
        !range_apply(IR_LOG, (struct range){1, 2, false}, (struct range){0}, (struct range){0})
             .may_be_nan);
    ck_assert(range_apply(IR_DIV, range_point(1), (struct range){-1, 1, false}, (struct range){0})
                  .may_be_nan);
    ck_assert(!range_apply(IR_DIV, range_point(1), (struct range){1, 2, false}, (struct range){0})
                   .may_be_nan);
    const struct found *found =
        find(arena, "ir 1 cell \"log\"\nstate h\n%0 = log h0\nout next.0 = %0\n");
    ck_assert(found->report.state[0].may_be_nan);
    ck_assert(!found->report.is_contraction);
    arena_destroy(arena);
}
END_TEST

START_TEST(exact_bounds_stay_exact)
{
    const struct range gate =
        range_apply(IR_SIGMOID, range_everything(), range_point(0), range_point(0));
    const struct range rest = range_apply(IR_SUB, range_point(1), gate, range_point(0));
    ck_assert(gate.lo == 0 && gate.hi == 1 && rest.lo == 0 && rest.hi == 1);
    const struct range bump = range_logistic(gate);
    ck_assert(bump.lo == 0 && bump.hi == 0.25);
    const struct range third = range_apply(IR_DIV, range_point(1), range_point(3), range_point(0));
    ck_assert(third.lo < third.hi); /* and what is not exact is widened */
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("range");
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, values_of_long_runs_stay_within_their_ranges, 0, SAMPLE_CELL_COUNT);
    tcase_add_loop_test(tcase, every_rule_holds_its_values, 0, IR_OP_COUNT);
    tcase_add_loop_test(tcase, states_and_jacobians_have_their_known_bounds, 0, ROW_COUNT);
    tcase_add_test(tcase, a_gru_is_bounded_by_one);
    tcase_add_test(tcase, overflow_of_sixteen_bits_is_told_by_type_and_place);
    tcase_add_test(tcase, leaving_a_domain_is_told);
    tcase_add_test(tcase, exact_bounds_stay_exact);
    return sample_run("range", tcase);
}
