#include "sample_cells.h"

#include "clean.h"
#include "ir_build.h"
#include "textbuf.h"

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

static const uint32_t step = IR_MASK(IR_OUT_NEXT) | IR_MASK(IR_OUT_OUTPUT);

static const char *printed(const struct ir *ir)
{
    struct textbuf out;
    textbuf_init(&out, arena);
    ir_print(&out, ir);
    return out.text;
}

START_TEST(live_values_are_counted)
{
    const char *head = "ir 1 cell \"a\"\nstate h\n";
    static const struct {
        const char *text;
        unsigned most;
    } rows[] = {
        {"out next.0 = h0\n", 0},
        {"%0 = tanh h0\n%1 = tanh %0\nout next.0 = %1\n", 1},
        {"%0 = tanh h0\n%1 = exp h0\n%2 = add %0, %1\nout next.0 = %2\n", 2},
        {"%0 = tanh h0\n%1 = exp h0\n%2 = sin h0\n%3 = add %0, %1\n%4 = add %3, %2\n"
         "out next.0 = %4\n",
         3},
        {"%0 = tanh h0\n%1 = tanh %0\n%2 = tanh %1\nout next.0 = %2\nout guess.0 = %0\n", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *text = arena_printf(arena, "%s%s", head, rows[i].text);
        ck_assert_uint_eq(ir_max_live(sample_read(arena, text), step, arena), rows[i].most);
    }
}
END_TEST

START_TEST(live_values_do_not_grow)
{
    struct ir *ir = sample_read(arena, sample_cells[_i].text);
    const uint32_t before = ir_max_live(ir, step, arena);
    ir_schedule(ir);
    const uint32_t after = ir_max_live(ir, step, arena);
    ck_assert_msg(after <= before, "%s: %u live values, %u before", sample_cells[_i].name,
                  (unsigned)after, (unsigned)before);
    const char *message = ir_verify(ir, true, arena);
    ck_assert_msg(message == NULL, "%s: %s", sample_cells[_i].name, message);
}
END_TEST

START_TEST(gru_needs_three_values_at_once)
{
    struct ir *ir = sample_cell(arena, "gru");
    ir_contract(ir, 0);
    ir_schedule(ir);
    ck_assert_uint_eq(ir_max_live(ir, step, arena), 3);
}
END_TEST

/* Eight products written first and summed later: wide as written, narrow depth first. */
START_TEST(wide_sum_becomes_narrow)
{
    struct ir *ir = sample_read(arena, "ir 1 cell \"a\"\nstate h\nparam p[8]\n"
                                       "%0 = mul h0, p0\n%1 = mul h0, p1\n%2 = mul h0, p2\n"
                                       "%3 = mul h0, p3\n%4 = mul h0, p4\n%5 = mul h0, p5\n"
                                       "%6 = mul h0, p6\n%7 = mul h0, p7\n%8 = add %0, %1\n"
                                       "%9 = add %8, %2\n%10 = add %9, %3\n%11 = add %10, %4\n"
                                       "%12 = add %11, %5\n%13 = add %12, %6\n"
                                       "%14 = add %13, %7\nout next.0 = %14\n");
    ck_assert_uint_eq(ir_max_live(ir, step, arena), 8);
    ir_schedule(ir);
    ck_assert_uint_eq(ir_max_live(ir, step, arena), 2);
}
END_TEST

START_TEST(same_cell_has_the_same_order)
{
    struct ir *first = sample_read(arena, sample_cells[_i].text);
    struct ir *second = sample_read(arena, sample_cells[_i].text);
    ir_schedule(first);
    ir_schedule(second);
    ck_assert_str_eq(printed(first), printed(second));
    ir_schedule(second);
    ck_assert_str_eq(printed(first), printed(second));
}
END_TEST

/* A walk by recursion would need a stack as deep as the chain. */
START_TEST(long_chain_is_scheduled)
{
    struct ir *ir = ir_create(arena);
    ir_ref value = IR_REF(IR_STATE, 0);
    ir->states = 1;
    for (int i = 0; i < 20000; i++)
        value = ir_make(ir, IR_TANH, value, IR_REF_NONE, IR_REF_NONE);
    ir_add_out(ir, IR_OUT_NEXT, 0, 0, value);
    ir_schedule(ir);
    ck_assert_uint_eq(ir->insn_count, 20000);
    ck_assert_uint_eq(ir_max_live(ir, step, arena), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tcase = tcase_create("schedule");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, live_values_are_counted);
    tcase_add_loop_test(tcase, live_values_do_not_grow, 0, SAMPLE_CELL_COUNT);
    tcase_add_test(tcase, gru_needs_three_values_at_once);
    tcase_add_test(tcase, wide_sum_becomes_narrow);
    tcase_add_loop_test(tcase, same_cell_has_the_same_order, 0, SAMPLE_CELL_COUNT);
    tcase_add_test(tcase, long_chain_is_scheduled);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
