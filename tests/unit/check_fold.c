#include "sample_cells.h"

#include "ir_build.h"
#include "ir_eval.h"

#include <math.h>
#include <stdlib.h>

static const ir_ref h0 = IR_REF(IR_STATE, 0), h1 = IR_REF(IR_STATE, 1);

static struct arena *arena;

static void setup(void)
{
    arena = sample_arena();
}

static void teardown(void)
{
    arena_destroy(arena);
}

/* Zeros of both signs, ones, ordinary, tiny, huge, infinite, NaN. */
static const double points[] = {0.0,  -0.0, 1.0,    -1.0,     0.5,       -3.0, 1e-310,
                                2e16, 700,  -1e300, INFINITY, -INFINITY, NAN};
enum { POINTS = sizeof points / sizeof points[0] };

static bool is_same(double a, double b)
{
    return (a != a && b != b) || (a == b && signbit(a) == signbit(b));
}

static struct ir *new_ir(void)
{
    struct ir *ir = ir_create(arena);
    ir->states = 2;
    return ir;
}

/* The operands that rules look at: leaves, negations, constants of meaning; then conditions. */
enum { REALS = 18, CONDITIONS = 5 };

static ir_ref real_operand(struct ir *ir, int which)
{
    static const double constants[] = {0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, 0x1p120, INFINITY, NAN};
    switch (which) {
    case 0:
        return h0;
    case 1:
        return h1;
    case 2:
        return ir_share(ir, IR_NEG, h0, IR_REF_NONE, IR_REF_NONE);
    case 3:
        return ir_share(ir, IR_NEG, h1, IR_REF_NONE, IR_REF_NONE);
    case 4:
        return ir_share(ir, IR_ABS, h0, IR_REF_NONE, IR_REF_NONE);
    case 5:
        return ir_share(ir, IR_DETACH, h0, IR_REF_NONE, IR_REF_NONE);
    case 6:
        return ir_share(ir, IR_MUL, h0, h1, IR_REF_NONE);
    case 7:
        return ir_share(ir, IR_POW, h0, h1, IR_REF_NONE);
    default:
        return ir_constant(ir, constants[which - 8]);
    }
}

static ir_ref condition_operand(struct ir *ir, int which)
{
    const ir_ref less = ir_share(ir, IR_LT, h0, h1, IR_REF_NONE);
    switch (which) {
    case 0:
        return less;
    case 1:
        return ir_share(ir, IR_NOT, less, IR_REF_NONE, IR_REF_NONE);
    case 2:
        return ir_share(ir, IR_EQ, h0, h0, IR_REF_NONE);
    default:
        return ir_constant(ir, which - 3);
    }
}

/* A value or condition as a number, at every pair of points. */
static void compare(struct ir *ir, enum ir_op op, ir_ref a, ir_ref b, ir_ref c)
{
    const ir_ref written = ir_append(ir, op, a, b, c);
    const ir_ref folded = ir_make(ir, op, a, b, c);
    struct ir *cell = ir;
    cell->out_count = 0;
    ir_add_out(cell, IR_OUT_NEXT, 0, 0, written);
    ir_add_out(cell, IR_OUT_NEXT, 1, 0, folded);
    const struct ir_program *program = ir_program_create(cell, IR_MASK(IR_OUT_NEXT), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    for (int i = 0; i < POINTS * POINTS; i++) {
        const double h[] = {points[i / POINTS], points[i % POINTS]};
        double next[2] = {0, 0};
        const struct ir_leaves_f64 leaves = {.h = h, .out[IR_OUT_NEXT] = next};
        ir_eval_f64(program, &leaves, scratch);
        ck_assert_msg(is_same(next[0], next[1]),
                      "%s of kinds %d.%u %d.%u %d.%u at (%g, %g): %.17g, folded %.17g",
                      ir_op_name(op), (int)ir_kind(a), (unsigned)ir_index(a), (int)ir_kind(b),
                      (unsigned)ir_index(b), (int)ir_kind(c), (unsigned)ir_index(c), h[0], h[1],
                      next[0], next[1]);
    }
}

static ir_ref operand(struct ir *ir, enum ir_op op, unsigned place, int which)
{
    if (place >= ir_op_arity(op))
        return IR_REF_NONE;
    return ir_op_operand_type(op, place) == IR_CONDITION ? condition_operand(ir, which)
                                                         : real_operand(ir, which);
}

static int operand_count(enum ir_op op, unsigned place)
{
    if (place >= ir_op_arity(op))
        return 1;
    return ir_op_operand_type(op, place) == IR_CONDITION ? CONDITIONS : REALS;
}

/* Every operation on every choice of operands: what is built means what was asked for. */
START_TEST(folding_keeps_the_meaning)
{
    const enum ir_op op = (enum ir_op)_i;
    for (int i = 0; i < operand_count(op, 0); i++) {
        for (int j = 0; j < operand_count(op, 1); j++) {
            for (int k = 0; k < operand_count(op, 2); k += op == IR_FMA ? 3 : 1) {
                arena_destroy(arena);
                arena = sample_arena();
                struct ir *ir = new_ir();
                compare(ir, op, operand(ir, op, 0, i), operand(ir, op, 1, j),
                        operand(ir, op, 2, k));
            }
        }
    }
}
END_TEST

START_TEST(operation_on_constants_is_a_constant)
{
    const enum ir_op op = (enum ir_op)_i;
    struct ir *ir = new_ir();
    ir_ref constant[3] = {IR_REF_NONE, IR_REF_NONE, IR_REF_NONE};
    for (unsigned k = 0; k < ir_op_arity(op); k++)
        constant[k] = ir_constant(ir, k == 0 ? 1 : 0.25);
    const ir_ref made = ir_make(ir, op, constant[0], constant[1], constant[2]);
    ck_assert_int_eq(ir_kind(made), IR_CONSTANT);
    ck_assert_uint_eq(ir->insn_count, 0);
}
END_TEST

START_TEST(neutral_operands_vanish)
{
    struct ir *ir = new_ir();
    const ir_ref one = ir_constant(ir, 1), zero = ir_constant(ir, 0), n = IR_REF_NONE;
    const ir_ref minus_zero = ir_constant(ir, -0.0);
    ck_assert_uint_eq(ir_make(ir, IR_MUL, h0, one, n), h0);
    ck_assert_uint_eq(ir_make(ir, IR_MUL, one, h0, n), h0);
    ck_assert_uint_eq(ir_make(ir, IR_DIV, h0, one, n), h0);
    ck_assert_uint_eq(ir_make(ir, IR_SUB, h0, zero, n), h0);
    ck_assert_uint_eq(ir_make(ir, IR_ADD, h0, minus_zero, n), h0);
    ck_assert_uint_eq(ir_make(ir, IR_POW, h0, one, n), h0);
    ck_assert_uint_eq(ir_make(ir, IR_MAX, h0, h0, n), h0);
    ck_assert_uint_eq(ir->insn_count, 0);
}
END_TEST

START_TEST(inverses_vanish)
{
    struct ir *ir = new_ir();
    const ir_ref n = IR_REF_NONE;
    const ir_ref negated = ir_make(ir, IR_NEG, h0, n, n);
    ck_assert_uint_eq(ir_make(ir, IR_NEG, negated, n, n), h0);
    const ir_ref less = ir_make(ir, IR_LT, h0, h1, n);
    ck_assert_uint_eq(ir_make(ir, IR_NOT, ir_make(ir, IR_NOT, less, n, n), n, n), less);
    ck_assert_uint_eq(ir_make(ir, IR_WHERE, ir_constant(ir, 1), h0, h1), h0);
    ck_assert_uint_eq(ir_make(ir, IR_WHERE, ir_constant(ir, 0), h0, h1), h1);
    ck_assert_uint_eq(ir_make(ir, IR_WHERE, less, h1, h1), h1);
}
END_TEST

/* Each would lose a -0, a NaN or an infinity. */
START_TEST(what_ieee_forbids_stays)
{
    struct ir *ir = new_ir();
    const ir_ref zero = ir_constant(ir, 0), n = IR_REF_NONE;
    const struct {
        enum ir_op op;
        ir_ref a, b;
    } rows[] = {{IR_ADD, h0, zero}, {IR_MUL, zero, h0}, {IR_SUB, h0, h0},
                {IR_DIV, h0, h0},   {IR_EQ, h0, h0},    {IR_SUB, zero, h0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const ir_ref made = ir_make(ir, rows[i].op, rows[i].a, rows[i].b, n);
        ck_assert_msg(ir_kind(made) == IR_VALUE && ir->insns[ir_index(made)].op == rows[i].op,
                      "row %zu", i);
    }
    const ir_ref less = ir_make(ir, IR_LT, h0, h1, n);
    const ir_ref not_less = ir_make(ir, IR_NOT, less, n, n);
    ck_assert_int_eq(ir->insns[ir_index(not_less)].op, IR_NOT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fold");
    TCase *tcase = tcase_create("fold");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, folding_keeps_the_meaning, 0, IR_OP_COUNT);
    tcase_add_loop_test(tcase, operation_on_constants_is_a_constant, 0, IR_OP_COUNT);
    tcase_add_test(tcase, neutral_operands_vanish);
    tcase_add_test(tcase, inverses_vanish);
    tcase_add_test(tcase, what_ieee_forbids_stays);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
