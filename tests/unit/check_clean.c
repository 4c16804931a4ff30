#include "sample_cells.h"

#include "clean.h"
#include "ir_build.h"
#include "ir_eval.h"
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

#define HEAD "ir 1 cell \"a\"\nstate h 0\ninput u\ninput v\nparam p\n"

/* Instructions and outs as text, without the head. */
static const char *body(const struct ir *ir)
{
    struct textbuf out;
    textbuf_init(&out, arena);
    ir_print(&out, ir);
    return out.text + strlen(HEAD);
}

static void check_sound(const struct ir *ir)
{
    const char *message = ir_verify(ir, true, arena);
    ck_assert_msg(message == NULL, "%s", message);
}

START_TEST(what_no_out_reaches_is_removed)
{
    struct ir *ir = sample_read(arena, HEAD "%0 = exp h0\n%1 = tanh h0\n%2 = add %0, 1\n"
                                            "%3 = mul %1, x0\nout next.0 = %3\n");
    ir_remove_dead(ir);
    check_sound(ir);
    ck_assert_str_eq(body(ir), "%0 = tanh h0\n%1 = mul %0, x0\nout next.0 = %1\n");
}
END_TEST

/* The rows are given before and after. */
static const struct {
    const char *name, *before, *after;
} contractions[] = {
    {"a product and a sum", "%0 = mul h0, p0\n%1 = add %0, x0\nout next.0 = %1\n",
     "%0 = fma h0, p0, x0\nout next.0 = %0\n"},
    {"a product on the right", "%0 = mul h0, p0\n%1 = add x0, %0\nout next.0 = %1\n",
     "%0 = fma h0, p0, x0\nout next.0 = %0\n"},
    {"the second of two products",
     "%0 = mul h0, p0\n%1 = mul x0, x1\n%2 = add %0, %1\nout next.0 = %2\n",
     "%0 = mul h0, p0\n%1 = fma x0, x1, %0\nout next.0 = %1\n"},
    {"product minus value", "%0 = mul h0, p0\n%1 = sub %0, x0\nout next.0 = %1\n",
     "%0 = neg x0\n%1 = fma h0, p0, %0\nout next.0 = %1\n"},
    {"product minus constant", "%0 = mul h0, p0\n%1 = sub %0, 1\nout next.0 = %1\n",
     "%0 = fma h0, p0, -1\nout next.0 = %0\n"},
    {"value minus product", "%0 = mul h0, p0\n%1 = sub x0, %0\nout next.0 = %1\n",
     "%0 = neg h0\n%1 = fma %0, p0, x0\nout next.0 = %1\n"},
    {"a negation is undone",
     "%0 = tanh x0\n%1 = neg %0\n%2 = mul %1, %1\n%3 = sub h0, %2\nout next.0 = %3\n",
     "%0 = tanh x0\n%1 = neg %0\n%2 = fma %0, %1, h0\nout next.0 = %2\n"},
    {"a product used twice stays",
     "%0 = mul h0, p0\n%1 = add %0, x0\n%2 = mul %0, %1\nout next.0 = %2\n",
     "%0 = mul h0, p0\n%1 = add %0, x0\n%2 = mul %0, %1\nout next.0 = %2\n"},
    {"a square sum uses it twice", "%0 = mul h0, p0\n%1 = add %0, %0\nout next.0 = %1\n",
     "%0 = mul h0, p0\n%1 = add %0, %0\nout next.0 = %1\n"},
    {"a product that is an out stays",
     "%0 = mul h0, p0\n%1 = add %0, x0\nout next.0 = %1\nout guess.0 = %0\n",
     "%0 = mul h0, p0\n%1 = add %0, x0\nout next.0 = %1\nout guess.0 = %0\n"},
    {"a use by what is dead does not count",
     "%0 = mul h0, p0\n%1 = exp %0\n%2 = add %0, x0\nout next.0 = %2\n",
     "%0 = fma h0, p0, x0\nout next.0 = %0\n"},
};

START_TEST(products_that_nothing_else_uses_are_fused)
{
    const char *text = arena_printf(arena, "%s%s", HEAD, contractions[_i].before);
    struct ir *ir = sample_read(arena, text);
    const uint32_t count = ir_contract(ir, 0);
    check_sound(ir);
    ck_assert_uint_eq(count, ir->insn_count);
    ck_assert_msg(strcmp(body(ir), contractions[_i].after) == 0, "%s:\n%s", contractions[_i].name,
                  body(ir));
}
END_TEST

START_TEST(instructions_before_the_first_stay)
{
    struct ir *ir = sample_read(arena, HEAD "%0 = mul h0, p0\n%1 = add %0, x0\n"
                                            "%2 = mul %1, p0\n%3 = add %2, x1\n"
                                            "out next.0 = %1\nout guess.0 = %3\n");
    ck_assert_uint_eq(ir_contract(ir, 2), 3);
    ck_assert_str_eq(body(ir), "%0 = mul h0, p0\n%1 = add %0, x0\n%2 = fma %1, p0, x1\n"
                               "out next.0 = %1\nout guess.0 = %2\n");
}
END_TEST

/* Fusing skips a rounding of each product: the results differ by roundings, not more. */
START_TEST(passes_keep_the_values)
{
    struct ir *written = sample_read(arena, sample_cells[_i].text);
    struct ir *cleaned = sample_read(arena, sample_cells[_i].text);
    ir_contract(cleaned, 0);
    ir_remove_dead(cleaned);
    ir_schedule(cleaned);
    check_sound(cleaned);
    const uint32_t mask = IR_MASK(IR_OUT_NEXT);
    const struct ir_program *before = ir_program_create(written, mask, arena);
    const struct ir_program *after = ir_program_create(cleaned, mask, arena);
    double *scratch = arena_array(arena, ir_program_scratch(before), sizeof *scratch);
    double *other = arena_array(arena, ir_program_scratch(after), sizeof *other);
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 50; round++) {
        double h[16], x[16], p[16], due[16] = {0}, next[16] = {0};
        for (int i = 0; i < 16; i++) {
            h[i] = sample_random(&seed, -1, 1);
            x[i] = sample_random(&seed, -2, 2);
            p[i] = sample_random(&seed, -1, 1);
        }
        ir_eval_f64(before, &(struct ir_leaves_f64){h, x, p, NULL, {due}}, scratch);
        ir_eval_f64(after, &(struct ir_leaves_f64){h, x, p, NULL, {next}}, other);
        for (uint32_t i = 0; i < written->states; i++)
            ck_assert_msg(fabs(next[i] - due[i]) <= 1e-13, "%s: next.%u %.17g, not %.17g",
                          sample_cells[_i].name, (unsigned)i, next[i], due[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clean");
    TCase *tcase = tcase_create("clean");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_no_out_reaches_is_removed);
    tcase_add_loop_test(tcase, products_that_nothing_else_uses_are_fused, 0,
                        (int)(sizeof contractions / sizeof contractions[0]));
    tcase_add_test(tcase, instructions_before_the_first_stay);
    tcase_add_loop_test(tcase, passes_keep_the_values, 0, SAMPLE_CELL_COUNT);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
