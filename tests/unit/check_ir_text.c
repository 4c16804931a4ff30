#include "sample_cells.h"

#include "ir_build.h"
#include "textbuf.h"

#include <math.h>
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

static const char *printed(const struct ir *ir)
{
    struct textbuf out;
    textbuf_init(&out, arena);
    ir_print(&out, ir);
    return out.text;
}

static void check_round_trip(const struct ir *ir)
{
    const char *text = printed(ir);
    ck_assert_str_eq(printed(sample_read(arena, text)), text);
}

START_TEST(text_of_a_cell_reads_back)
{
    check_round_trip(sample_read(arena, sample_cells[_i].text));
}
END_TEST

START_TEST(every_operation_reads_back)
{
    struct ir *ir = ir_create(arena);
    ir->name = "all";
    const ir_ref real = ir_constant(ir, 0.1);
    const ir_ref condition = ir_append(ir, IR_LT, real, real, IR_REF_NONE);
    for (int op = 0; op < IR_OP_COUNT; op++) {
        ir_ref operand[3] = {IR_REF_NONE, IR_REF_NONE, IR_REF_NONE};
        for (unsigned k = 0; k < ir_op_arity((enum ir_op)op); k++)
            operand[k] = ir_op_operand_type((enum ir_op)op, k) == IR_REAL ? real : condition;
        ir_append(ir, (enum ir_op)op, operand[0], operand[1], operand[2]);
    }
    check_round_trip(ir);
    const struct ir *read = sample_read(arena, printed(ir));
    ck_assert_uint_eq(read->insn_count, ir->insn_count);
    for (uint32_t i = 0; i < ir->insn_count; i++) {
        ck_assert_uint_eq(read->insns[i].op, ir->insns[i].op);
        ck_assert_uint_eq(read->insns[i].type, ir->insns[i].type);
    }
}
END_TEST

START_TEST(constants_read_back_bit_for_bit)
{
    static const double values[] = {
        0.0,   -0.0,     0.1,       1.0 / 3, 1e-310,      1.7976931348623157e308,
        -2e16, INFINITY, -INFINITY, NAN,     123456789.0, 5e-324};
    enum { COUNT = sizeof values / sizeof values[0] };
    struct ir *ir = ir_create(arena);
    for (int i = 0; i < COUNT; i++)
        ir_append(ir, IR_TANH, ir_constant(ir, values[i]), IR_REF_NONE, IR_REF_NONE);
    check_round_trip(ir);
    const struct ir *read = sample_read(arena, printed(ir));
    for (uint32_t i = 0; i < COUNT; i++) {
        const double value = ir_constant_value(read, read->insns[i].a);
        ck_assert_msg(ir_is_constant(ir, ir->insns[i].a, value), "%.17g", values[i]);
    }
}
END_TEST

START_TEST(declarations_read_back)
{
    const char *text = "ir 1 cell \"d\" doc \"two\\nlines, \\\"quoted\\\"\"\n"
                       "state h 0.5 in -1 1\n"
                       "state v[2] 0 nograd\n"
                       "input u shared doc \"time step\"\n"
                       "param R[2,3] in -0.5 inf init normal 0 0.1\n"
                       "param a init uniform -1 1 shared\n"
                       "param b init constant 1.5\n"
                       "param c init zeros\n"
                       "param d init ones nograd\n"
                       "output y\n"
                       "out next.0 = h0\nout next.1 = h1\nout next.2 = h2\nout out.0 = 1\n"
                       "out guess.1 = x0\nout jac.0.2 = c3\n";
    const struct ir *ir = sample_read(arena, text);
    ck_assert_str_eq(printed(ir), text);
    ck_assert_uint_eq(ir->states, 3);
    ck_assert_uint_eq(ir->params, 10);
    ck_assert_str_eq(ir->doc, "two\nlines, \"quoted\"");
    ck_assert_uint_eq(ir->decls[3].first, 0);
    ck_assert_uint_eq(ir->decls[4].first, 6);
    ck_assert(isinf(ir->decls[3].hi));
}
END_TEST

START_TEST(comments_and_blank_lines_mean_nothing)
{
    const char *text = "; a comment\n\nir 1 cell \"a\" ; here too\n  state h 0\r\n"
                       "%0 =tanh  h0 ; 5:15\n\nout next.0 = %0";
    ck_assert_str_eq(printed(sample_read(arena, text)),
                     "ir 1 cell \"a\"\nstate h 0\n%0 = tanh h0\nout next.0 = %0\n");
}
END_TEST

START_TEST(reader_neither_folds_nor_shares)
{
    const struct ir *ir = sample_read(arena, "ir 1 cell \"a\"\nstate h\n%0 = mul h0, 1\n"
                                             "%1 = mul h0, 1\n%2 = add %0, %1\n"
                                             "out next.0 = %2\n");
    ck_assert_uint_eq(ir->insn_count, 3);
}
END_TEST

#define HEAD "ir 1 cell \"a\"\nstate h\n"

static const struct {
    const char *text, *message;
    unsigned line;
} faults[] = {
    {"", "empty", 1},
    {"; nothing\n\n", "empty", 3},
    {"cell \"a\"\n", "first line", 1},
    {"ir 2 cell \"a\"\n", "first line", 1},
    {"ir 1 cell \"a\n", "closing", 1},
    {HEAD "%1 = tanh h0\n", "'%1' stands where '%0' is due", 3},
    {HEAD "%0 = tanh %0\n", "'%0' is not there", 3},
    {HEAD "%0 = tanh h1\n", "'h1' is not there: only 1", 3},
    {HEAD "%0 = tanh h0, h0\n", "more on the line", 3},
    {HEAD "%0 = add h0\n", "',' is missing", 3},
    {HEAD "%0 = frob h0\n", "unknown operation 'frob'", 3},
    {HEAD "%0 = tanh 1e999\n", "number", 3},
    {HEAD "%0 = tanh -\n", "number", 3},
    {HEAD "%0 = tanh h\n", "index is missing", 3},
    {HEAD "%0 = tanh h99999999999\n", "too large", 3},
    {HEAD "out next.0 = h0\nout next.0 = h0\n", "twice", 4},
    {HEAD "out future.0 = h0\n", "unknown kind", 3},
    {HEAD "out jac.0 = h0\n", "'.' is missing", 3},
    {HEAD "%0 = tanh h0\ninput u\n", "before instructions", 4},
    {HEAD "input u\nstate v\n", "in this order", 4},
    {HEAD "input u[0]\n", "shape", 3},
    {HEAD "input u[99999,99999]\n", "shape", 3},
    {HEAD "input u loud\n", "unknown attribute", 3},
    {HEAD "input u init cold\n", "unknown 'init'", 3},
    {HEAD "input u doc \"\\q\"\n", "escape", 3},
    {HEAD "what\n", "is due", 3},
    {HEAD "input\n", "name is missing", 3},
    {HEAD "input u[\n", "", 3},
    {HEAD "input u[2\n", "", 3},
    {HEAD "input u[2,\n", "", 3},
    {HEAD "input u in\n", "", 3},
    {HEAD "input u in 0\n", "", 3},
    {HEAD "input u init normal\n", "", 3},
    {HEAD "input u doc x\n", "", 3},
    {HEAD "out next.x = h0\n", "", 3},
    {HEAD "out next.0 h0\n", "'=' is missing", 3},
    {HEAD "out next.0 =\n", "", 3},
    {HEAD "out next.4294967295 = h0\n", "too large", 3},
    {HEAD "%0 = where h0, h0\n", "',' is missing", 3},
    {HEAD "%x = tanh h0\n", "", 3},
};

START_TEST(fault_is_reported_with_its_line)
{
    uint32_t line = 0;
    const char *message = NULL;
    ck_assert_ptr_null(ir_read(arena, faults[_i].text, &line, &message));
    ck_assert_msg(strstr(message, faults[_i].message) != NULL, "%s: %s", faults[_i].text, message);
    ck_assert_msg(line == faults[_i].line, "%s: line %u", faults[_i].text, (unsigned)line);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ir_text");
    TCase *tcase = tcase_create("ir_text");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, text_of_a_cell_reads_back, 0, SAMPLE_CELL_COUNT);
    tcase_add_test(tcase, every_operation_reads_back);
    tcase_add_test(tcase, constants_read_back_bit_for_bit);
    tcase_add_test(tcase, declarations_read_back);
    tcase_add_test(tcase, comments_and_blank_lines_mean_nothing);
    tcase_add_test(tcase, reader_neither_folds_nor_shares);
    tcase_add_loop_test(tcase, fault_is_reported_with_its_line, 0,
                        (int)(sizeof faults / sizeof faults[0]));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
