#include "sample_cells.h"

#include "limits.h"

#include <math.h>
#include <stdlib.h>

static const ir_ref h0 = IR_REF(IR_STATE, 0), h1 = IR_REF(IR_STATE, 1);

static struct arena *arena;
static struct ir *ir;

static void setup(void)
{
    arena = sample_arena();
    ir = ir_create(arena);
    ir->states = 2;
}

static void teardown(void)
{
    arena_destroy(arena);
}

static ir_ref make2(enum ir_op op, ir_ref a, ir_ref b)
{
    return ir_make(ir, op, a, b, IR_REF_NONE);
}

START_TEST(reference_keeps_kind_and_index)
{
    for (int kind = IR_VALUE; kind <= IR_COTANGENT; kind++) {
        const ir_ref ref = IR_REF(kind, 0x1ffffffe);
        ck_assert_int_eq(ir_kind(ref), kind);
        ck_assert_uint_eq(ir_index(ref), 0x1ffffffe);
    }
    ck_assert_int_eq(ir_kind(IR_REF_NONE), IR_NONE);
}
END_TEST

START_TEST(operation_names_are_distinct)
{
    for (int i = 0; i < IR_OP_COUNT; i++) {
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(ir_op_name((enum ir_op)i), ir_op_name((enum ir_op)j));
    }
}
END_TEST

START_TEST(text_of_an_operation_names_each_operand_once)
{
    for (int op = 0; op < IR_OP_COUNT; op++) {
        const char *text = ir_op_text((enum ir_op)op);
        for (unsigned k = 0; k < 3; k++) {
            const char place[] = {'$', (char)('a' + k), '\0'};
            const char *first = strstr(text, place);
            const bool is_there = first != NULL;
            ck_assert_msg(is_there == (k < ir_op_arity((enum ir_op)op)), "%s: %s",
                          ir_op_name((enum ir_op)op), place);
            ck_assert_msg(!first || !strstr(first + 2, place), "%s: %s twice",
                          ir_op_name((enum ir_op)op), place);
        }
    }
}
END_TEST

START_TEST(equal_operations_are_one_value)
{
    const ir_ref product = make2(IR_MUL, h0, h1);
    ck_assert_uint_eq(make2(IR_MUL, h0, h1), product);
    ck_assert_uint_eq(make2(IR_MUL, h1, h0), product);
    ck_assert_uint_ne(make2(IR_ADD, h0, h1), product);
    ck_assert_uint_ne(make2(IR_SUB, h0, h1), make2(IR_SUB, h1, h0));
    ck_assert_uint_eq(ir->insn_count, 4);
}
END_TEST

/* On a tie the first operand takes the derivative, so the order of min and max has a meaning. */
START_TEST(min_and_max_keep_their_order)
{
    ck_assert_uint_ne(make2(IR_MIN, h0, h1), make2(IR_MIN, h1, h0));
    ck_assert_uint_ne(make2(IR_MAX, h0, h1), make2(IR_MAX, h1, h0));
}
END_TEST

START_TEST(sharing_survives_growth_of_the_table)
{
    ir_ref value[1000];
    for (int i = 0; i < 1000; i++)
        value[i] = make2(IR_MUL, h0, ir_constant(ir, 3 + i));
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_eq(make2(IR_MUL, h0, ir_constant(ir, 3 + i)), value[i]);
    ck_assert_uint_eq(ir->insn_count, 1000);
    ck_assert_uint_eq(ir->constant_count, 1000);
}
END_TEST

START_TEST(constants_are_told_apart_by_their_bits)
{
    ck_assert_uint_ne(ir_constant(ir, 0.0), ir_constant(ir, -0.0));
    ck_assert_uint_eq(ir_constant(ir, (double)NAN), ir_constant(ir, -(double)NAN));
    ck_assert(ir_is_constant(ir, ir_constant(ir, -0.0), -0.0));
    ck_assert(!ir_is_constant(ir, ir_constant(ir, -0.0), 0.0));
    ck_assert(!ir_is_constant(ir, h0, 0.0));
}
END_TEST

START_TEST(limit_is_met_quietly)
{
    ir_ref value = h0;
    for (int i = 0; i < LIMIT_OPERATIONS; i++)
        value = ir_make(ir, IR_TANH, value, IR_REF_NONE, IR_REF_NONE);
    ck_assert(!ir->is_full);
    ck_assert_uint_eq(ir->insn_count, LIMIT_OPERATIONS);
    ck_assert_uint_eq(make2(IR_ADD, value, h1), value);
    ck_assert(ir->is_full);
    /* A comparison then gives back a number; nobody may stumble over it. */
    const ir_ref condition = make2(IR_LT, h0, h1);
    ck_assert_uint_eq(ir_make(ir, IR_WHERE, condition, h0, h1), condition);
    ck_assert_uint_eq(ir->insn_count, LIMIT_OPERATIONS);
}
END_TEST

START_TEST(shared_value_needs_no_room)
{
    ir_ref value = h0;
    for (int i = 0; i < LIMIT_OPERATIONS; i++)
        value = ir_make(ir, IR_TANH, value, IR_REF_NONE, IR_REF_NONE);
    ck_assert_uint_eq(ir_make(ir, IR_TANH, h0, IR_REF_NONE, IR_REF_NONE), IR_REF(IR_VALUE, 0));
    ck_assert(!ir->is_full);
}
END_TEST

START_TEST(outs_are_sorted_and_found)
{
    ir_add_out(ir, IR_OUT_JACOBIAN, 1, 0, h0);
    ir_add_out(ir, IR_OUT_NEXT, 1, 0, h1);
    ir_add_out(ir, IR_OUT_JACOBIAN, 0, 1, h1);
    ir_add_out(ir, IR_OUT_NEXT, 0, 0, h0);
    static const struct ir_out due[] = {{IR_OUT_NEXT, 0, 0, 0},
                                        {IR_OUT_NEXT, 1, 0, 0},
                                        {IR_OUT_JACOBIAN, 0, 1, 0},
                                        {IR_OUT_JACOBIAN, 1, 0, 0}};
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(ir->outs[i].kind, due[i].kind);
        ck_assert_uint_eq(ir->outs[i].i, due[i].i);
        ck_assert_uint_eq(ir->outs[i].j, due[i].j);
    }
    ck_assert_uint_eq(ir_find_out(ir, IR_OUT_NEXT, 1, 0), h1);
    ck_assert_uint_eq(ir_find_out(ir, IR_OUT_JACOBIAN, 1, 1), IR_REF_NONE);
}
END_TEST

START_TEST(reach_marks_what_the_mask_needs)
{
    const ir_ref a = make2(IR_ADD, h0, h1), b = make2(IR_MUL, a, h0), c = make2(IR_DIV, a, h1);
    ir_add_out(ir, IR_OUT_NEXT, 0, 0, b);
    ir_add_out(ir, IR_OUT_GUESS, 0, 0, c);
    uint8_t live[3];
    ck_assert_uint_eq(ir_reach(ir, IR_MASK(IR_OUT_NEXT), live), 2);
    ck_assert_int_eq(live[ir_index(a)], 1);
    ck_assert_int_eq(live[ir_index(b)], 1);
    ck_assert_int_eq(live[ir_index(c)], 0);
    ck_assert_uint_eq(ir_reach(ir, IR_MASK(IR_OUT_SOURCE), live), 0);
}
END_TEST

START_TEST(scalars_are_named_by_their_declaration)
{
    const char *text = "ir 1 cell \"a\"\nstate h\nstate v[2]\nparam R[2,3]\n"
                       "out next.0 = h0\nout next.1 = h1\nout next.2 = h2\n";
    const struct ir *cell = sample_read(arena, text);
    ck_assert_str_eq(ir_scalar_name(cell, IR_ROLE_STATE, 0, arena), "h");
    ck_assert_str_eq(ir_scalar_name(cell, IR_ROLE_STATE, 2, arena), "v[1]");
    ck_assert_str_eq(ir_scalar_name(cell, IR_ROLE_PARAM, 5, arena), "R[1, 2]");
    uint32_t element = 9;
    const struct ir_decl *decl = ir_decl_of(cell, IR_ROLE_PARAM, 4, &element);
    ck_assert_ptr_eq(decl, &cell->decls[2]);
    ck_assert_uint_eq(element, 4);
    ck_assert_ptr_null(ir_decl_of(cell, IR_ROLE_INPUT, 0, &element));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ir");
    TCase *tcase = tcase_create("ir");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, reference_keeps_kind_and_index);
    tcase_add_test(tcase, operation_names_are_distinct);
    tcase_add_test(tcase, text_of_an_operation_names_each_operand_once);
    tcase_add_test(tcase, equal_operations_are_one_value);
    tcase_add_test(tcase, min_and_max_keep_their_order);
    tcase_add_test(tcase, sharing_survives_growth_of_the_table);
    tcase_add_test(tcase, constants_are_told_apart_by_their_bits);
    tcase_add_test(tcase, limit_is_met_quietly);
    tcase_add_test(tcase, shared_value_needs_no_room);
    tcase_add_test(tcase, outs_are_sorted_and_found);
    tcase_add_test(tcase, reach_marks_what_the_mask_needs);
    tcase_add_test(tcase, scalars_are_named_by_their_declaration);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
