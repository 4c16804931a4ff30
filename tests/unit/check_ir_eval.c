#include "sample_cells.h"

#include "ir_build.h"
#include "ir_eval.h"

#include <math.h>
#include <quadmath.h>
#include <stdlib.h>

/* The third element type: what the oracle of the numeric tests is built from. */
IR_EVAL_LEAVES(ir_leaves_f128, __float128);
void ir_eval_f128(const struct ir_program *program, const struct ir_leaves_f128 *leaves,
                  __float128 *scratch);
#define real __float128
#define REAL(name) name##q
#define REAL_LEAVES ir_leaves_f128
#define REAL_EVAL ir_eval_f128
#include "ir_eval_body.h"

static struct arena *arena;

static void setup(void)
{
    arena = sample_arena();
}

static void teardown(void)
{
    arena_destroy(arena);
}

/* One operation on up to three states. */
static struct ir *single(enum ir_op op)
{
    struct ir *ir = ir_create(arena);
    ir->states = 3;
    ir_ref operand[3] = {IR_REF_NONE, IR_REF_NONE, IR_REF_NONE};
    for (uint32_t k = 0; k < ir_op_arity(op); k++) {
        operand[k] = IR_REF(IR_STATE, k);
        if (ir_op_operand_type(op, k) == IR_CONDITION)
            operand[k] = ir_append(ir, IR_NE, operand[k], ir_constant(ir, 0), IR_REF_NONE);
    }
    ir_add_out(ir, IR_OUT_NEXT, 0, 0, ir_append(ir, op, operand[0], operand[1], operand[2]));
    return ir;
}

static double run_f64(const struct ir *ir, const double *h)
{
    const struct ir_program *program = ir_program_create(ir, IR_MASK(IR_OUT_NEXT), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    double next = 0;
    const struct ir_leaves_f64 leaves = {.h = h, .out[IR_OUT_NEXT] = &next};
    ir_eval_f64(program, &leaves, scratch);
    return next;
}

static float run_f32(const struct ir *ir, const double *h)
{
    const struct ir_program *program = ir_program_create(ir, IR_MASK(IR_OUT_NEXT), arena);
    float *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    float next = 0, leaf[3] = {(float)h[0], (float)h[1], (float)h[2]};
    const struct ir_leaves_f32 leaves = {.h = leaf, .out[IR_OUT_NEXT] = &next};
    ir_eval_f32(program, &leaves, scratch);
    return next;
}

static __float128 run_f128(const struct ir *ir, const double *h)
{
    const struct ir_program *program = ir_program_create(ir, IR_MASK(IR_OUT_NEXT), arena);
    __float128 *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    __float128 next = 0, leaf[3] = {h[0], h[1], h[2]};
    const struct ir_leaves_f128 leaves = {.h = leaf, .out[IR_OUT_NEXT] = &next};
    ir_eval_f128(program, &leaves, scratch);
    return next;
}

/* Points are floats exactly, so the three types see the same numbers, none near overflow. Functions
 * of the C library err by a few units in the last place, what is composed of two of them by a few
 * more. */
START_TEST(element_types_agree)
{
    static const double values[] = {-2.5, -1, -0.375, 0, 0.25, 1, 1.75, 12};
    enum { COUNT = sizeof values / sizeof values[0] };
    const struct ir *ir = single((enum ir_op)_i);
    for (int n = 0; n < COUNT * COUNT; n++) {
        const double h[3] = {values[n / COUNT], values[n % COUNT], values[(n + 3) % COUNT]};
        const double exact = (double)run_f128(ir, h);
        const double f64 = run_f64(ir, h);
        const double f32 = (double)run_f32(ir, h);
        if (isnan(exact) || isinf(exact)) {
            ck_assert_msg(isnan(f64) == isnan(exact), "%s(%g, %g)", ir_op_name((enum ir_op)_i),
                          h[0], h[1]);
            ck_assert_msg(isnan(f32) == isnan(exact), "%s(%g, %g)", ir_op_name((enum ir_op)_i),
                          h[0], h[1]);
            continue;
        }
        const double scale = fabs(exact) + 1e-30;
        ck_assert_msg(fabs(f64 - exact) <= 8 * 0x1p-53 * scale, "%s(%g, %g): %.17g, not %.17g",
                      ir_op_name((enum ir_op)_i), h[0], h[1], f64, exact);
        ck_assert_msg(fabs(f32 - exact) <= 8 * 0x1p-24 * scale, "%s(%g, %g): %.9g, not %.17g",
                      ir_op_name((enum ir_op)_i), h[0], h[1], f32, exact);
    }
}
END_TEST

START_TEST(sigmoid_and_softplus_do_not_overflow)
{
    static const struct {
        enum ir_op op;
        double x, y;
    } rows[] = {{IR_SIGMOID, 1e4, 1},       {IR_SIGMOID, -1e4, 0},
                {IR_SIGMOID, INFINITY, 1},  {IR_SIGMOID, -INFINITY, 0},
                {IR_SIGMOID, 0, 0.5},       {IR_SOFTPLUS, 1e4, 1e4},
                {IR_SOFTPLUS, -1e4, 0},     {IR_SOFTPLUS, INFINITY, INFINITY},
                {IR_SOFTPLUS, -INFINITY, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const double h[3] = {rows[i].x, 0, 0};
        const struct ir *ir = single(rows[i].op);
        ck_assert_msg(run_f64(ir, h) == rows[i].y, "row %zu: %g", i, run_f64(ir, h));
        ck_assert_msg((double)run_f32(ir, h) == rows[i].y, "row %zu: %g", i,
                      (double)run_f32(ir, h));
    }
    /* The small side keeps its digits: sigmoid(-40) is e^-40 to the last place or so. */
    const double h[3] = {-40, 0, 0};
    ck_assert(fabs(run_f64(single(IR_SIGMOID), h) / exp(-40.0) - 1) <= 4 * 0x1p-53);
    ck_assert(fabs(run_f64(single(IR_SOFTPLUS), h) / exp(-40.0) - 1) <= 4 * 0x1p-53);
}
END_TEST

START_TEST(nan_is_kept_by_every_function_of_one_number)
{
    const enum ir_op op = (enum ir_op)_i;
    if (ir_op_arity(op) != 1 || ir_op_type(op) == IR_CONDITION)
        return;
    const double h[3] = {NAN, 0, 0};
    ck_assert_msg(isnan(run_f64(single(op), h)), "%s", ir_op_name(op));
    ck_assert_msg(isnan(run_f32(single(op), h)), "%s", ir_op_name(op));
}
END_TEST

START_TEST(nan_in_either_operand_is_the_minimum)
{
    const double left[3] = {NAN, 1, 0}, right[3] = {1, NAN, 0};
    ck_assert(isnan(run_f64(single(IR_MIN), left)));
    ck_assert(isnan(run_f64(single(IR_MIN), right)));
    ck_assert(isnan(run_f64(single(IR_MAX), left)));
    ck_assert(isnan(run_f64(single(IR_MAX), right)));
}
END_TEST

START_TEST(fma_rounds_once)
{
    const double h[3] = {1 + 0x1p-30, 1 - 0x1p-30, -1};
    ck_assert(run_f64(single(IR_FMA), h) == -0x1p-60);
}
END_TEST

/* Against the formula in plain C, and with the result written over the state. */
START_TEST(step_of_a_gru_is_its_formula)
{
    const struct ir *ir = sample_cell(arena, "gru");
    const uint32_t mask = IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT);
    const struct ir_program *program = ir_program_create(ir, mask, arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    double h = 0.3, output = 0;
    const double x[] = {0.5, -1.25, 2}, p[] = {0.75, -0.5, 0.9};
    const double z = 1 / (1 + exp(-(p[0] * h + x[0])));
    const double r = 1 / (1 + exp(-(p[1] * h + x[1])));
    const double c = tanh(p[2] * (r * h) + x[2]);
    const double due = (1 - z) * h + z * c;
    const struct ir_leaves_f64 leaves = {
        .h = &h, .x = x, .p = p, .out[IR_OUT_NEXT] = &h, .out[IR_OUT_OUTPUT] = &output};
    ir_eval_f64(program, &leaves, scratch);
    ck_assert(fabs(h - due) <= 8 * 0x1p-53);
    ck_assert(output == h);
}
END_TEST

START_TEST(absent_derivatives_are_written_as_zero)
{
    const char *text = "ir 1 cell \"a\"\nstate h\nstate g\ninput u\ninput v\nparam a\n"
                       "out next.0 = h1\nout next.1 = h0\nout jac.0.1 = 1\nout jac.1.0 = x1\n"
                       "out src.1 = p0\nout adj_h.0 = c1\nout adj_x.1 = c0\n";
    const struct ir *ir = sample_read(arena, text);
    uint32_t mask = 0;
    double out[IR_OUT_KIND_COUNT][4];
    struct ir_leaves_f64 leaves = {.h = (double[]){5, 6},
                                   .x = (double[]){7, 8},
                                   .p = (double[]){9},
                                   .cotangent = (double[]){10, 11}};
    for (int kind = IR_OUT_JACOBIAN; kind < IR_OUT_KIND_COUNT; kind++) {
        mask |= IR_MASK(kind);
        leaves.out[kind] = out[kind];
        for (int i = 0; i < 4; i++)
            out[kind][i] = -77;
    }
    const struct ir_program *program = ir_program_create(ir, mask, arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    ir_eval_f64(program, &leaves, scratch);
    static const double due[IR_OUT_KIND_COUNT][4] = {
        [IR_OUT_JACOBIAN] = {0, 1, 8, 0},       [IR_OUT_ADJACOBIAN] = {0, 0, 0, 0},
        [IR_OUT_SOURCE] = {0, 9, -77, -77},     [IR_OUT_ADJ_STATE] = {11, 0, -77, -77},
        [IR_OUT_ADJ_INPUT] = {0, 10, -77, -77}, [IR_OUT_ADJ_PARAM] = {0, -77, -77, -77},
    };
    for (int kind = IR_OUT_JACOBIAN; kind < IR_OUT_KIND_COUNT; kind++) {
        for (int i = 0; i < 4; i++)
            ck_assert_msg(out[kind][i] == due[kind][i], "%s[%d]: %g",
                          ir_out_kind_name((enum ir_out_kind)kind), i, out[kind][i]);
    }
}
END_TEST

START_TEST(program_holds_only_what_its_outs_need)
{
    const struct ir *ir = sample_cell(arena, "lstm");
    const struct ir_program *all = ir_program_create(ir, IR_MASK(IR_OUT_NEXT), arena);
    const struct ir_program *none = ir_program_create(ir, IR_MASK(IR_OUT_GUESS), arena);
    ck_assert_uint_eq(all->insn_count, ir->insn_count);
    ck_assert_uint_eq(all->leaf_count, 2 + 3 + 5 + 1);
    ck_assert_uint_eq(ir_program_scratch(none), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ir_eval");
    TCase *tcase = tcase_create("ir_eval");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, element_types_agree, 0, IR_OP_COUNT);
    tcase_add_test(tcase, sigmoid_and_softplus_do_not_overflow);
    tcase_add_loop_test(tcase, nan_is_kept_by_every_function_of_one_number, 0, IR_OP_COUNT);
    tcase_add_test(tcase, nan_in_either_operand_is_the_minimum);
    tcase_add_test(tcase, fma_rounds_once);
    tcase_add_test(tcase, step_of_a_gru_is_its_formula);
    tcase_add_test(tcase, absent_derivatives_are_written_as_zero);
    tcase_add_test(tcase, program_holds_only_what_its_outs_need);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
