/* Every Jacobian entry and every cotangent against central differences in binary128: the oracle
 * needs no derivative code, and its own error (step squared, rounding over step) is below 1e-20. */
#include "../unit/sample_cells.h"

#include "diff.h"
#include "ir_eval.h"
#include "structure.h"

#include <math.h>
#include <stdio.h>

/* Of libquadmath, whose header comes with gcc alone. */
__float128 cosq(__float128), erfq(__float128), expm1q(__float128), expq(__float128);
__float128 fabsq(__float128), fmaq(__float128, __float128, __float128), log1pq(__float128);
__float128 logq(__float128), powq(__float128, __float128), sinq(__float128);
__float128 sqrtq(__float128), tanhq(__float128);

IR_EVAL_LEAVES(ir_leaves_f128, __float128);
void ir_eval_f128(const struct ir_program *program, const struct ir_leaves_f128 *leaves,
                  __float128 *scratch);

#define real __float128
#define REAL(name) name##q
#define REAL_LEAVES ir_leaves_f128
#define REAL_EVAL ir_eval_f128
#include "ir_eval_body.h"

enum { ROOM = 64, POINTS = 200 };

static const double TOLERANCE = 1e-12;
static const double STEP = 0x1p-36;

struct point {
    double leaf[3][ROOM]; /* states, inputs, parameters */
    double cotangent[ROOM];
};

struct bench {
    struct arena *arena;
    struct ir *ir;
    struct ir_program *step; /* next and outputs */
    struct ir_program *derivatives;
    __float128 *scratch_f128;
    double *scratch;
    uint32_t counts[3];
};

static double worst; /* of one test, printed at its end */

static struct bench bench_create(struct arena *arena, const char *text)
{
    struct bench bench = {.arena = arena, .ir = sample_read(arena, text)};
    struct structure *structure = arena_alloc(arena, sizeof *structure);
    const char *message;
    uint32_t derivative_mask = 0;

    structure_find(structure, bench.ir, arena);
    bench.step = ir_program_create(bench.ir, IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT), arena);
    jacobian_build(bench.ir, structure);
    adjoint_build(bench.ir, structure);
    message = ir_verify(bench.ir, false, arena);
    ck_assert_msg(message == NULL, "%s", message);
    for (int kind = IR_OUT_JACOBIAN; kind < IR_OUT_KIND_COUNT; kind++)
        derivative_mask |= IR_MASK(kind);
    bench.derivatives = ir_program_create(bench.ir, derivative_mask, arena);
    bench.scratch_f128 =
        arena_array(arena, ir_program_scratch(bench.step), sizeof *bench.scratch_f128);
    bench.scratch =
        arena_array(arena, ir_program_scratch(bench.derivatives), sizeof *bench.scratch);
    bench.counts[0] = bench.ir->states;
    bench.counts[1] = bench.ir->inputs;
    bench.counts[2] = bench.ir->params;
    return bench;
}

/* Step and outputs in binary128 with one leaf moved: result[0 .. states - 1], then the outputs. */
static void evaluate_moved(const struct bench *bench, const struct point *point, int group,
                           uint32_t index, __float128 by, __float128 *result)
{
    __float128 leaf[3][ROOM];
    struct ir_leaves_f128 leaves = {.h = leaf[0], .x = leaf[1], .p = leaf[2]};
    for (int g = 0; g < 3; g++)
        for (uint32_t i = 0; i < bench->counts[g]; i++)
            leaf[g][i] = point->leaf[g][i];
    leaf[group][index] += by;
    leaves.out[IR_OUT_NEXT] = result;
    leaves.out[IR_OUT_OUTPUT] = result + bench->ir->states;
    ir_eval_f128(bench->step, &leaves, bench->scratch_f128);
}

/* d(next and outputs)/d(one leaf) */
static void differences(const struct bench *bench, const struct point *point, int group,
                        uint32_t index, double *result)
{
    const uint32_t count = bench->ir->states + bench->ir->outputs;
    __float128 up[ROOM], down[ROOM];
    evaluate_moved(bench, point, group, index, STEP, up);
    evaluate_moved(bench, point, group, index, -(__float128)STEP, down);
    for (uint32_t i = 0; i < count; i++)
        result[i] = (double)((up[i] - down[i]) / (2 * (__float128)STEP));
}

static void compare(const char *cell, const char *what, uint32_t i, uint32_t j, double found,
                    double expected, double scale)
{
    const double error = fabs(found - expected) / fmax(1, scale);
    worst = fmax(worst, error);
    ck_assert_msg(error <= TOLERANCE, "%s: %s.%u.%u is %.17g, differences give %.17g", cell, what,
                  (unsigned)i, (unsigned)j, found, expected);
}

struct results {
    double jacobian[ROOM * ROOM], adjacobian[ROOM * ROOM], source[ROOM], adjoint[3][ROOM];
};

static void evaluate_derivatives(const struct bench *bench, const struct point *point,
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
    ir_eval_f64(bench->derivatives, &leaves, bench->scratch);
}

static bool has_gradient(const struct ir *ir, int group, uint32_t index)
{
    static const enum ir_role roles[3] = {IR_ROLE_STATE, IR_ROLE_INPUT, IR_ROLE_PARAM};
    uint32_t element;
    const struct ir_decl *decl = ir_decl_of(ir, roles[group], index, &element);
    return !decl->no_gradient;
}

static void compare_group(const struct bench *bench, const char *cell, const struct point *point,
                          const struct results *results, int group)
{
    static const char *const names[3] = {"adj_h", "adj_x", "adj_p"};
    const uint32_t n = bench->ir->states, outputs = bench->ir->outputs;
    double column[ROOM];

    for (uint32_t j = 0; j < bench->counts[group]; j++) {
        double sum = 0, scale = 0, source = 0;
        differences(bench, point, group, j, column);
        for (uint32_t i = 0; i < n + outputs; i++) {
            sum += column[i] * point->cotangent[i];
            scale += fabs(column[i] * point->cotangent[i]);
            source += i < n ? 0 : column[i] * point->cotangent[i];
        }
        compare(cell, names[group], j, 0, results->adjoint[group][j],
                has_gradient(bench->ir, group, j) ? sum : 0, scale);
        if (group != 0)
            continue;
        compare(cell, "src", j, 0, results->source[j], source, scale);
        for (uint32_t i = 0; i < n; i++) {
            compare(cell, "jac", i, j, results->jacobian[i * n + j], column[i], fabs(column[i]));
            compare(cell, "adjac", i, j, results->adjacobian[i * n + j], column[i],
                    fabs(column[i]));
        }
    }
}

static struct point random_point(const struct bench *bench, uint64_t *seed, double lo, double hi)
{
    struct point point = {0};
    for (int g = 0; g < 3; g++)
        for (uint32_t i = 0; i < bench->counts[g]; i++)
            point.leaf[g][i] = sample_random(seed, lo, hi);
    for (uint32_t i = 0; i < bench->ir->states + bench->ir->outputs; i++)
        point.cotangent[i] = sample_random(seed, -2, 2);
    return point;
}

static void compare_all(const struct bench *bench, const char *cell, double lo, double hi)
{
    uint64_t seed = 0x9e3779b97f4a7c15u;
    struct results *results = arena_alloc(bench->arena, sizeof *results);
    for (int k = 0; k < POINTS; k++) {
        const struct point point = random_point(bench, &seed, lo, hi);
        evaluate_derivatives(bench, &point, results);
        for (int group = 0; group < 3; group++)
            compare_group(bench, cell, &point, results, group);
    }
}

START_TEST(derivatives_of_cells_agree_with_binary128_differences)
{
    struct arena *arena = sample_arena();
    const struct sample_cell *cell = &sample_cells[_i];
    const struct bench bench = bench_create(arena, cell->text);
    worst = 0;
    compare_all(&bench, cell->name, -1.5, 1.5);
    printf("%-14s worst scaled error %.1e\n", cell->name, worst);
    arena_destroy(arena);
}
END_TEST

/* Where a function is smooth and its derivative of moderate size. */
static const struct {
    enum ir_op op;
    double lo, hi;
} domains[] = {
    {IR_NEG, -3, 3},      {IR_ADD, -3, 3},   {IR_SUB, -3, 3},     {IR_MUL, -3, 3},
    {IR_DIV, 0.5, 3},     {IR_FMA, -3, 3},   {IR_SIGMOID, -9, 9}, {IR_TANH, -9, 9},
    {IR_EXP, -3, 3},      {IR_LOG, 0.2, 3},  {IR_LOG1P, -0.7, 3}, {IR_EXPM1, -3, 3},
    {IR_SOFTPLUS, -9, 9}, {IR_SQRT, 0.1, 3}, {IR_RSQRT, 0.3, 3},  {IR_SIN, -9, 9},
    {IR_COS, -9, 9},      {IR_ERF, -3, 3},   {IR_ABS, -3, 3},     {IR_SIGN, -3, 3},
    {IR_MIN, -3, 3},      {IR_MAX, -3, 3},   {IR_POW, 0.3, 2.5},
};

enum { DOMAIN_COUNT = sizeof domains / sizeof domains[0] };

START_TEST(every_column_of_the_table_is_a_derivative)
{
    struct arena *arena = sample_arena();
    const enum ir_op op = domains[_i].op;
    static const char *const operands[] = {"", "h0", "h0, h1", "h0, h1, h2"};
    const char *text = arena_printf(arena,
                                    "ir 1 cell \"row\"\nstate a\nstate b\nstate c\ninput u\n"
                                    "%%0 = %s %s\n%%1 = mul %%0, x0\n%%2 = sub h1, %%1\n"
                                    "out next.0 = %%0\nout next.1 = %%2\nout next.2 = h2\n",
                                    ir_op_name(op), operands[ir_op_arity(op)]);
    const struct bench bench = bench_create(arena, text);
    compare_all(&bench, ir_op_name(op), domains[_i].lo, domains[_i].hi);
    arena_destroy(arena);
}
END_TEST

START_TEST(every_operation_with_a_derivative_is_tried)
{
    for (int op = 0; op < IR_OP_COUNT; op++) {
        bool is_tried = op == IR_WHERE || op == IR_DETACH; /* in the cells */
        for (int i = 0; i < DOMAIN_COUNT; i++)
            is_tried = is_tried || domains[i].op == (enum ir_op)op;
        ck_assert_msg(is_tried || ir_op_type((enum ir_op)op) == IR_CONDITION, "%s",
                      ir_op_name((enum ir_op)op));
    }
}
END_TEST

/* h' = tanh(w*h + d*u), y = d*h with d = detach(v*h); its twin reads d as an input that is held. */
START_TEST(gradients_take_a_detached_value_as_held_and_the_solve_does_not)
{
    static const char with_detach[] =
        "ir 1 cell \"detach\"\nstate h\ninput u\ninput d\nparam w\nparam v\noutput y\n"
        "%0 = mul p1, h0\n%1 = detach %0\n%2 = mul p0, h0\n%3 = mul %1, x0\n%4 = add %2, %3\n"
        "%5 = tanh %4\n%6 = mul %1, h0\nout next.0 = %5\nout out.0 = %6\n";
    static const char with_input[] =
        "ir 1 cell \"held\"\nstate h\ninput u\ninput d\nparam w\nparam v\noutput y\n"
        "%0 = mul p0, h0\n%1 = mul x1, x0\n%2 = add %0, %1\n"
        "%3 = tanh %2\n%4 = mul x1, h0\nout next.0 = %3\nout out.0 = %4\n";
    struct arena *arena = sample_arena();
    const struct bench detached = bench_create(arena, with_detach);
    const struct bench held = bench_create(arena, with_input);
    struct results *found = arena_alloc(arena, sizeof *found);
    uint64_t seed = 12345;

    for (int k = 0; k < POINTS; k++) {
        double column[ROOM], true_column[ROOM];
        struct point point = random_point(&detached, &seed, -1.5, 1.5);
        point.leaf[1][1] = point.leaf[2][1] * point.leaf[0][0];
        evaluate_derivatives(&detached, &point, found);
        differences(&detached, &point, 0, 0, true_column);
        differences(&held, &point, 0, 0, column);
        compare("detach", "jac", 0, 0, found->jacobian[0], true_column[0], 1);
        compare("detach", "adjac", 0, 0, found->adjacobian[0], column[0], 1);
        compare("detach", "src", 0, 0, found->source[0], column[1] * point.cotangent[1], 4);
        compare("detach", "adj_h", 0, 0, found->adjoint[0][0],
                column[0] * point.cotangent[0] + column[1] * point.cotangent[1], 4);
        ck_assert(found->adjoint[2][1] == 0);
        differences(&held, &point, 1, 0, column);
        compare("detach", "adj_x", 0, 0, found->adjoint[1][0], column[0] * point.cotangent[0], 4);
        ck_assert_msg(fabs(true_column[0] - found->adjacobian[0]) > 0, "detach has no effect");
    }
    arena_destroy(arena);
}
END_TEST

/* A value read behind two gates has a cotangent that is zero where both are shut; behind a third gate
 * it is still to be shut. */
START_TEST(a_gate_behind_two_others_is_kept)
{
    static const char cell[] =
        "ir 1 cell \"gates\"\nstate h\ninput u\ninput v\ninput w\noutput y\n"
        "%0 = lt x0, 0.25\n%1 = where %0, h0, x1\n"
        "%2 = lt x1, 0.5\n%3 = where %2, 0.5, %1\n"
        "%4 = lt x2, 0.125\n%5 = where %4, %1, 0.5\n"
        "%6 = max h0, %1\n%7 = neg h0\n%8 = max %6, %7\n%9 = mul %8, %3\n"
        "out next.0 = %9\nout out.0 = %5\n";
    struct arena *arena = sample_arena();
    const struct bench bench = bench_create(arena, cell);
    compare_all(&bench, "gates", -1.5, 1.5);
    arena_destroy(arena);
}
END_TEST

/* The same derivatives as those of the tangent, added up the other way. */
START_TEST(adjoint_and_tangent_give_the_same_dot_product)
{
    struct arena *arena = sample_arena();
    const struct bench bench = bench_create(arena, sample_cells[_i].text);
    struct results *results = arena_alloc(arena, sizeof *results);
    const uint32_t n = bench.ir->states;
    uint64_t seed = 4711;
    for (int k = 0; k < POINTS; k++) {
        struct point point = random_point(&bench, &seed, -1.5, 1.5);
        double forward = 0, backward = 0, scale = 1, v[ROOM];
        memset(point.cotangent + n, 0, bench.ir->outputs * sizeof(double));
        for (uint32_t j = 0; j < n; j++)
            v[j] = sample_random(&seed, -1, 1);
        evaluate_derivatives(&bench, &point, results);
        for (uint32_t i = 0; i < n; i++) {
            backward += results->adjoint[0][i] * v[i];
            for (uint32_t j = 0; j < n; j++) {
                const double term = point.cotangent[i] * results->jacobian[i * n + j] * v[j];
                forward += term;
                scale += fabs(term);
            }
        }
        ck_assert_msg(fabs(forward - backward) <= 1e-13 * scale, "%s: %.17g against %.17g",
                      sample_cells[_i].name, forward, backward);
    }
    arena_destroy(arena);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("derivatives");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, derivatives_of_cells_agree_with_binary128_differences, 0,
                        SAMPLE_CELL_COUNT);
    tcase_add_loop_test(tcase, every_column_of_the_table_is_a_derivative, 0, DOMAIN_COUNT);
    tcase_add_test(tcase, every_operation_with_a_derivative_is_tried);
    tcase_add_test(tcase, gradients_take_a_detached_value_as_held_and_the_solve_does_not);
    tcase_add_test(tcase, a_gate_behind_two_others_is_kept);
    tcase_add_loop_test(tcase, adjoint_and_tangent_give_the_same_dot_product, 0, SAMPLE_CELL_COUNT);
    return sample_run("derivatives", tcase);
}
