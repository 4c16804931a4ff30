#include "sample_cells.h"

#include "ir_build.h"

#include <stdlib.h>

static struct arena *arena;

static void setup(void)
{
    arena = sample_arena();
}

static void teardown(void)
{
    arena_destroy(arena);
}

/* Each breaks one promise of a sound cell: two states, one input, one output,
 * %0 = lt, %1 = tanh, %2 = where %0, %1, h1. */
static const char *const sound = "ir 1 cell \"a\"\nstate h\nstate g\ninput u\noutput y\n"
                                 "%0 = lt h0, x0\n%1 = tanh h0\n%2 = where %0, %1, h1\n"
                                 "out next.0 = %2\nout next.1 = h0\nout out.0 = %1\n";

static void break_operand_order(struct ir *ir)
{
    ir->insns[1].a = IR_REF(IR_VALUE, 2);
}

static void break_self_use(struct ir *ir)
{
    ir->insns[1].a = IR_REF(IR_VALUE, 1);
}

static void break_leaf(struct ir *ir)
{
    ir->insns[1].a = IR_REF(IR_STATE, 2);
}

static void break_constant(struct ir *ir)
{
    ir->insns[1].a = IR_REF(IR_CONSTANT, 0);
}

static void break_arity_less(struct ir *ir)
{
    ir->insns[2].c = IR_REF_NONE;
}

static void break_arity_more(struct ir *ir)
{
    ir->insns[1].b = IR_REF(IR_STATE, 0);
}

static void break_condition(struct ir *ir)
{
    ir->insns[2].a = IR_REF(IR_STATE, 0);
}

static void break_real(struct ir *ir)
{
    ir->insns[1].a = IR_REF(IR_VALUE, 0);
}

static void break_result_type(struct ir *ir)
{
    ir->insns[1].type = IR_CONDITION;
}

static void break_operation(struct ir *ir)
{
    ir->insns[1].op = IR_OP_COUNT;
}

static void break_next(struct ir *ir)
{
    ir->outs[1].j = 0;
    ir->outs[1] = ir->outs[2];
    ir->out_count = 2;
}

static void break_output(struct ir *ir)
{
    ir->out_count = 2;
}

static void break_out_value(struct ir *ir)
{
    ir->outs[0].value = IR_REF_NONE;
}

static void break_out_condition(struct ir *ir)
{
    ir->outs[0].value = IR_REF(IR_VALUE, 0);
}

static void break_out_index(struct ir *ir)
{
    ir->outs[2].i = 1;
}

static void break_out_order(struct ir *ir)
{
    ir->outs[0].i = 1;
}

static void break_decl(struct ir *ir)
{
    ir->decls[1].first = 0;
}

static void break_decl_shape(struct ir *ir)
{
    ir->decls[0].count = 2;
}

static void break_scalars(struct ir *ir)
{
    ir->params = 1;
}

static const struct {
    void (*apply)(struct ir *ir);
    const char *message;
} faults[] = {
    {break_operand_order, "%1: operand %2 stands after its use"},
    {break_self_use, "%1: operand %1 stands after its use"},
    {break_leaf, "%1: operand 0 is not there"},
    {break_constant, "%1: operand 0 is not there"},
    {break_arity_less, "%2: operand 2 is not there"},
    {break_arity_more, "%1: 'tanh' has more than 1 operands"},
    {break_condition, "%2: operand 0 must be a condition"},
    {break_real, "%1: operand 0 must be a real"},
    {break_result_type, "%1: 'tanh' has the wrong result type"},
    {break_operation, "%1: unknown operation"},
    {break_next, "next.1 is missing"},
    {break_output, "out.0 is missing"},
    {break_out_value, "out next.0: the value is not there"},
    {break_out_condition, "out next.0: a condition"},
    {break_out_index, "out out.1.0: index out of range"},
    {break_out_order, "out of order or twice"},
    {break_decl, "'g' begins at scalar 0, not 1"},
    {break_decl_shape, "'h' has no proper shape"},
    {break_scalars, "do not cover the scalars"},
};

START_TEST(sound_cell_passes)
{
    struct ir *ir = sample_read(arena, sound);
    ck_assert_ptr_null(ir_verify(ir, true, arena));
}
END_TEST

START_TEST(fault_is_found_and_named)
{
    struct ir *ir = sample_read(arena, sound);
    faults[_i].apply(ir);
    const char *message = ir_verify(ir, false, arena);
    ck_assert_msg(message && strstr(message, faults[_i].message), "'%s' instead of '%s'",
                  message ? message : "nothing", faults[_i].message);
}
END_TEST

START_TEST(dead_value_is_found_when_clean_is_asked_for)
{
    struct ir *ir = sample_read(arena, sound);
    ir_append(ir, IR_EXP, IR_REF(IR_STATE, 0), IR_REF_NONE, IR_REF_NONE);
    ck_assert_ptr_null(ir_verify(ir, false, arena));
    ck_assert_str_eq(ir_verify(ir, true, arena), "%3 is not used");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ir_verify");
    TCase *tcase = tcase_create("ir_verify");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, sound_cell_passes);
    tcase_add_loop_test(tcase, fault_is_found_and_named, 0,
                        (int)(sizeof faults / sizeof faults[0]));
    tcase_add_test(tcase, dead_value_is_found_when_clean_is_asked_for);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
