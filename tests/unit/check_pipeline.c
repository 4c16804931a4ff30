/* The ordered list of stages: what a load ends with, and what it leaves behind. */
#include <check.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "ir_eval.h"
#include "ir_text.h"
#include "pipeline.h"

static const char gru[] = "cell paragru {\n"
                          "    state h;\n"
                          "    input u_z, u_r, u_c;\n"
                          "    param a_z, a_r, a_c in [-1, 1];\n"
                          "    z  = sigmoid(a_z*h + u_z);\n"
                          "    r  = sigmoid(a_r*h + u_r);\n"
                          "    c  = tanh(a_c*(r*h) + u_c);\n"
                          "    h' = (1 - z)*h + z*c;\n"
                          "}\n";

static struct unit *load(const char *text, enum pipeline_class wanted)
{
    struct unit *unit;
    struct pipeline_options options = PIPELINE_OPTIONS_INIT;
    options.verify = true;
    const enum pipeline_class result =
        pipeline_load_text(&unit, "test.cell", text, strlen(text), &options);
    ck_assert_ptr_nonnull(unit);
    ck_assert_msg(result == wanted, "class %d, wanted %d\n%s%s", (int)result, (int)wanted,
                  unit->messages, unit->internal ? unit->internal : "");
    ck_assert_int_eq(unit->result, wanted);
    return unit;
}

START_TEST(a_good_cell_reaches_the_last_stage_without_messages)
{
    struct unit *unit = load(gru, PIPELINE_OK);
    ck_assert_int_eq(unit->reached, PIPELINE_SCHEDULE);
    ck_assert_str_eq(unit->messages, "");
    ck_assert_uint_eq(unit->structure.block_count, 1);
    ck_assert_uint_eq(unit->forward.transcendentals, 3);
    ck_assert(!unit->structure.is_affine);
    unit_free(unit);
}
END_TEST

static double step(const struct unit *unit, double h)
{
    static const double x[] = {0.3, -0.7, 0.2}, p[] = {0.9, -0.4, 0.6};
    double next = 0, scratch[256];
    struct ir_program *program = ir_program_create(unit->ir, IR_MASK(IR_OUT_NEXT), unit->ir->arena);
    ck_assert_uint_le(ir_program_scratch(program), 256);
    const struct ir_leaves_f64 leaves = {.h = &h, .x = x, .p = p, .out = {[IR_OUT_NEXT] = &next}};
    ir_eval_f64(program, &leaves, scratch);
    return next;
}

START_TEST(the_compiled_step_is_the_equation)
{
    struct unit *unit = load(gru, PIPELINE_OK);
    jmp_buf escape;
    ck_assert_int_eq(setjmp(escape), 0);
    arena_set_escape(unit->arena, &escape);
    static const double x[] = {0.3, -0.7, 0.2}, p[] = {0.9, -0.4, 0.6};
    for (int i = -10; i <= 10; i++) {
        const double h = 0.1 * i;
        const double z = 1 / (1 + exp(-(p[0] * h + x[0]))), r = 1 / (1 + exp(-(p[1] * h + x[1])));
        const double wanted = (1 - z) * h + z * tanh(p[2] * (r * h) + x[2]);
        ck_assert_msg(fabs(step(unit, h) - wanted) <= 4e-16, "h = %g", h);
    }
    unit_free(unit);
}
END_TEST

START_TEST(every_error_of_a_stage_is_reported_and_the_next_stage_is_not_run)
{
    struct unit *unit = load("cell c {\n state h;\n h' = a + b;\n}\n", PIPELINE_CELL);
    ck_assert_uint_eq(unit->diag->error_count, 2);
    ck_assert_ptr_nonnull(strstr(unit->messages, "'a' [unknown-name]"));
    ck_assert_ptr_nonnull(strstr(unit->messages, "'b' [unknown-name]"));
    ck_assert_ptr_null(unit->ir);
    unit_free(unit);
}
END_TEST

START_TEST(a_missing_file_is_of_class_io)
{
    struct unit *unit;
    ck_assert_int_eq(pipeline_load_file(&unit, "no/such/file.cell", NULL), PIPELINE_IO);
    ck_assert_ptr_nonnull(strstr(unit->messages, "[unreadable]"));
    unit_free(unit);
    ck_assert_int_eq(pipeline_load_file(&unit, "no/such/file.prnn", NULL), PIPELINE_IO);
    unit_free(unit);
}
END_TEST

START_TEST(a_block_that_is_too_large_names_the_shortest_cycle)
{
    struct unit *unit = load("cell wide {\n"
                             "    const d = 32;\n"
                             "    state h[d];\n"
                             "    input u[d];\n"
                             "    param R[d, d];\n"
                             "    h' = tanh(R @ h + u);\n"
                             "}\n",
                             PIPELINE_LIMIT);
    ck_assert_ptr_nonnull(strstr(unit->messages, "test.cell:6:5: error: 'h' is a block of 32 "
                                                 "states, a fused solve takes 16 "
                                                 "[block-too-large]"));
    ck_assert_ptr_nonnull(strstr(unit->messages, "h[0] -> h'[1] -> h[1] -> h'[0]"));
    unit_free(unit);
}
END_TEST

START_TEST(many_small_blocks_are_too_many_states)
{
    struct unit *unit = load("cell many {\n"
                             "    state h[17];\n"
                             "    input u[17];\n"
                             "    h' = tanh(0.5*h + u);\n"
                             "}\n",
                             PIPELINE_LIMIT);
    ck_assert_ptr_nonnull(strstr(unit->messages, "17 scalar states, at most 16 are allowed"));
    unit_free(unit);
}
END_TEST

START_TEST(doubling_definitions_end_in_an_error_at_once)
{
    struct textbuf text;
    struct arena *arena;
    jmp_buf escape;
    ck_assert_int_eq(setjmp(escape), 0);
    arena = arena_create(&escape);
    textbuf_init(&text, arena);
    textbuf_add(&text, "fn f(x) = tanh(x)*tanh(2*x);\ncell c {\n state h;\n input u;\n"
                       " d0 = f(h + u);\n");
    for (int i = 1; i <= 64; i++)
        textbuf_printf(&text, " d%d = f(d%d + %d) + f(d%d - %d);\n", i, i - 1, i, i - 1, i);
    textbuf_add(&text, " h' = d64;\n}\n");
    struct unit *unit;
    const enum pipeline_class result =
        pipeline_load_text(&unit, "test.cell", text.text, text.length, NULL);
    ck_assert_msg(result == PIPELINE_OK || result == PIPELINE_LIMIT, "%s", unit->messages);
    unit_free(unit);
    arena_destroy(arena);
}
END_TEST

START_TEST(a_bundle_gives_the_same_ir_as_its_cell)
{
    static const char wide[] = "cell c {\n const k = 0.5;\n state h;\n input u;\n"
                               " h' = tanh(k*h + u);\n}\n";
    const struct sema_define define = {"k", 0.25};
    struct pipeline_options options = PIPELINE_OPTIONS_INIT;
    options.defines = &define;
    options.define_count = 1;
    struct unit *direct, *bundled;
    ck_assert_int_eq(pipeline_load_text(&direct, "a", wide, strlen(wide), &options), PIPELINE_OK);

    jmp_buf escape;
    ck_assert_int_eq(setjmp(escape), 0);
    struct arena *arena = arena_create(&escape);
    struct textbuf cell, file, first, second;
    textbuf_init(&cell, arena);
    ast_print(direct->ast, &cell);
    textbuf_init(&file, arena);
    bundle_write(&file,
                 (const struct bundle_part[]){{BUNDLE_CELL, "c", cell.text, cell.length},
                                              {BUNDLE_DEFINES, "", "k=0.25\n", 7}},
                 2);
    ck_assert_int_eq(pipeline_load_text(&bundled, "b", file.text, file.length, NULL), PIPELINE_OK);
    textbuf_init(&first, arena);
    textbuf_init(&second, arena);
    ir_print(&first, direct->ir);
    ir_print(&second, bundled->ir);
    ck_assert_str_eq(first.text, second.text);
    ck_assert_ptr_nonnull(strstr(first.text, "0.25"));
    unit_free(direct);
    unit_free(bundled);
    arena_destroy(arena);
}
END_TEST

START_TEST(a_damaged_bundle_is_of_class_io)
{
    struct unit *unit;
    ck_assert_int_eq(pipeline_load_text(&unit, "x.prnn", "PRNNBDL\1rubbish", 15, NULL),
                     PIPELINE_IO);
    unit_free(unit);
}
END_TEST

START_TEST(overflow_is_said_only_where_all_values_are_bounded)
{
    struct unit *unit = load("cell c {\n state h;\n input u in [0, 1e6];\n h' = 0.5*tanh(h) + u;\n"
                             "}\n",
                             PIPELINE_OK);
    ck_assert_ptr_nonnull(strstr(unit->messages, "[may-overflow]"));
    unit_free(unit);
    unit = load("cell c {\n state h;\n input u;\n h' = 0.5*tanh(h) + u;\n}\n", PIPELINE_OK);
    ck_assert_str_eq(unit->messages, "");
    unit_free(unit);
}
END_TEST

static void count_stages(void *context, struct unit *unit, enum pipeline_stage stage)
{
    unsigned *seen = context;
    ck_assert_int_eq(unit->reached, stage);
    *seen |= 1u << stage;
}

START_TEST(the_caller_sees_every_stage_up_to_the_last)
{
    unsigned seen = 0;
    struct pipeline_options options = PIPELINE_OPTIONS_INIT;
    options.after = count_stages;
    options.context = &seen;
    options.last = PIPELINE_LOWER;
    struct unit *unit;
    ck_assert_int_eq(pipeline_load_text(&unit, "a", gru, strlen(gru), &options), PIPELINE_OK);
    ck_assert_uint_eq(seen, (1u << (PIPELINE_LOWER + 1)) - 1);
    ck_assert_uint_eq(unit->structure.block_count, 0);
    unit_free(unit);
}
END_TEST

static void ask_for_too_much(struct arena *arena, void *context)
{
    (void)context;
    arena_array(arena, SIZE_MAX, 2);
}

START_TEST(a_guard_returns_when_memory_ends)
{
    struct arena *arena;
    ck_assert_int_eq(pipeline_guard(&arena, ask_for_too_much, NULL), PIPELINE_NOMEM);
    ck_assert_ptr_null(arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipeline");
    TCase *tcase = tcase_create("pipeline");
    tcase_add_test(tcase, a_good_cell_reaches_the_last_stage_without_messages);
    tcase_add_test(tcase, the_compiled_step_is_the_equation);
    tcase_add_test(tcase, every_error_of_a_stage_is_reported_and_the_next_stage_is_not_run);
    tcase_add_test(tcase, a_missing_file_is_of_class_io);
    tcase_add_test(tcase, a_block_that_is_too_large_names_the_shortest_cycle);
    tcase_add_test(tcase, many_small_blocks_are_too_many_states);
    tcase_add_test(tcase, doubling_definitions_end_in_an_error_at_once);
    tcase_add_test(tcase, a_bundle_gives_the_same_ir_as_its_cell);
    tcase_add_test(tcase, a_damaged_bundle_is_of_class_io);
    tcase_add_test(tcase, overflow_is_said_only_where_all_values_are_bounded);
    tcase_add_test(tcase, the_caller_sees_every_stage_up_to_the_last);
    tcase_add_test(tcase, a_guard_returns_when_memory_ends);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
