#include "work.h"

#include "pipeline.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static struct work_table found;

static void find(struct arena *arena, void *context)
{
    const struct unit *unit = context;
    work_find(&found, unit->ir, arena);
}

static void work_of(const char *body)
{
    char text[1024];
    struct unit *unit;
    snprintf(text, sizeof text, "cell c {\n%s\n}\n", body);
    ck_assert_msg(pipeline_load_text(&unit, "test.cell", text, strlen(text), NULL) == PIPELINE_OK,
                  "%s", unit ? unit->messages : "memory");
    ck_assert_int_eq(pipeline_guard(NULL, find, unit), PIPELINE_OK);
    unit_free(unit);
}

START_TEST(only_what_a_function_computes_is_counted)
{
    work_of("state h; input u; output y = exp(h)*u; h' = 0.5*h + u;");
    /* One fused multiply-add; the output's exp and product come on top. */
    ck_assert(found.of[WORK_STEP][WORK_ACCURATE].issue == 1);
    ck_assert(found.of[WORK_STEP][WORK_ACCURATE].special == 0);
    ck_assert(found.of[WORK_OUTPUTS][WORK_ACCURATE].special == 1);
    ck_assert(found.of[WORK_OUTPUTS][WORK_ACCURATE].issue >
              found.of[WORK_STEP][WORK_ACCURATE].issue + 1);
}
END_TEST

START_TEST(the_chain_runs_from_state_to_state)
{
    /* What depends on inputs alone is beside the chain. */
    work_of("state h; input u; g = tanh(exp(u)); h' = g*h + u;");
    ck_assert(found.of[WORK_STEP][WORK_ACCURATE].chain == 4);
    work_of("state h; input u; h' = tanh(0.5*h + u);");
    const double deep = found.of[WORK_STEP][WORK_ACCURATE].chain;
    ck_assert(deep > 4 + 40);
    ck_assert(found.of[WORK_STEP][WORK_APPROXIMATE].chain < deep);
    ck_assert(found.of[WORK_STEP][WORK_SOFTWARE].chain > deep);
    /* Backwards the chain goes through products with what is known before. */
    ck_assert(found.of[WORK_ADJOINT][WORK_ACCURATE].chain > 0);
    ck_assert(found.of[WORK_ADJOINT][WORK_ACCURATE].chain < deep);
    ck_assert(found.of[WORK_BACKMAP][WORK_ACCURATE].chain == 0);
}
END_TEST

/* In order a warp also waits for what stands before the chain. */
START_TEST(the_depth_counts_what_the_inputs_lead_to)
{
    work_of("state h; input u; g = tanh(exp(u)); h' = g*h + u;");
    const struct work *step = &found.of[WORK_STEP][WORK_ACCURATE];
    ck_assert(step->depth > step->chain + 40);
    work_of("state h; input u; h' = tanh(0.5*h + u);");
    ck_assert(step->depth == step->chain);
}
END_TEST

/* The compiler of the kernels moves it out of the loop over steps. */
START_TEST(what_is_made_of_parameters_alone_is_not_counted)
{
    work_of("state h; input u; param p; h' = 0.5*h + u;");
    const struct work plain = found.of[WORK_STEP][WORK_ACCURATE];
    work_of("state h; input u; param p; q = exp(-exp(p))*cos(p); h' = q*h + u;");
    const struct work *step = &found.of[WORK_STEP][WORK_ACCURATE];
    ck_assert(step->issue == plain.issue && step->special == 0);
    ck_assert(step->depth == plain.depth);
}
END_TEST

START_TEST(a_state_that_passes_through_has_no_chain)
{
    work_of("state a; state b; input u; a' = b; b' = tanh(u);");
    ck_assert(found.of[WORK_STEP][WORK_ACCURATE].chain == 0);
}
END_TEST

START_TEST(special_results_of_the_gated_unit)
{
    struct unit *unit;
    ck_assert_int_eq(pipeline_load_file(&unit, PRNN_SOURCE_DIR "/cells/paragru.cell", NULL),
                     PIPELINE_OK);
    ck_assert_int_eq(pipeline_guard(NULL, find, unit), PIPELINE_OK);
    unit_free(unit);
    /* Two sigmoids and a tanh: 3 with tanh.approx, 6 with ex2 and rcp. In double there are none. */
    ck_assert(found.of[WORK_STEP][WORK_APPROXIMATE].special == 3);
    ck_assert(found.of[WORK_STEP][WORK_ACCURATE].special == 6);
    ck_assert(found.of[WORK_STEP][WORK_SOFTWARE].special == 0);
    ck_assert(found.of[WORK_JACOBIAN][WORK_ACCURATE].special == 6);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("work");
    tcase_add_test(tcase, only_what_a_function_computes_is_counted);
    tcase_add_test(tcase, the_chain_runs_from_state_to_state);
    tcase_add_test(tcase, the_depth_counts_what_the_inputs_lead_to);
    tcase_add_test(tcase, what_is_made_of_parameters_alone_is_not_counted);
    tcase_add_test(tcase, a_state_that_passes_through_has_no_chain);
    tcase_add_test(tcase, special_results_of_the_gated_unit);
    Suite *suite = suite_create("work");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
