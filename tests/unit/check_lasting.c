/* Whether an infinity or NaN among the states can be forgotten: the analysis against known cells,
 * and against runs. */
#include "lasting.h"

#include "ir_eval.h"
#include "pipeline.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    bool lasts;
} cells[] = {
    {"cell c { state h; input z, v; h' = (1 - sigmoid(z))*h + sigmoid(z)*tanh(v); }", true},
    {"cell c { state c, h; input f, o; param a; c' = sigmoid(f + a*h)*c + 1; h' = "
     "tanh(c')*sigmoid(o); }",
     true},
    {"cell c { state h; input u; param a; h' = tanh(a*h + u); }", true},
    {"cell c { state h; input u; param a; h' = a*h/(1 + u*u) - u; }", true},
    /* inf becomes 1 */
    {"cell c { state h; input u; param a; h' = tanh(a*h)*exp(u); }", false},
    {"cell c { state h; input u; h' = u/(1 + h*h); }", false},
    {"cell c { state h; input u; h' = exp(-h) + u; }", false},
    /* NaN is not chosen */
    {"cell c { state h; input u; h' = where(h > 2, 0, h + u); }", false},
    {"cell c { state h; input u; h' = tanh(where(u > 1, u, h)); }", false},
    /* inf is the smaller one */
    {"cell c { state h; input u; h' = min(h + u, 3); }", false},
    /* One tells of the other. */
    {"cell c { state a, b; input u; a' = 0.5*a + b; b' = exp(u)*tanh(u); }", true},
    {"cell c { state a, b; input u; a' = 0.5*a + b; b' = tanh(u); }", true},
    /* What is only remembered for a step is gone. */
    {"cell c { state h; input u; h' = u; }", false},
};
enum { CELLS = sizeof cells / sizeof *cells };

static struct unit *load(int i)
{
    struct unit *unit;
    pipeline_load_text(&unit, "test.cell", cells[i].text, strlen(cells[i].text), NULL);
    ck_assert_msg(unit && unit->result == PIPELINE_OK, "%s", unit ? unit->messages : "memory");
    return unit;
}

START_TEST(known_cells_are_told_apart)
{
    struct unit *unit = load(_i);
    ck_assert_msg(unit->structure.nonfinite_lasts == cells[_i].lasts, "%s", cells[_i].text);
    unit_free(unit);
}
END_TEST

static double draw(uint64_t *state)
{
    static const double special[] = {0, 1, -1, 1e30, -1e30, 0.5};
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    const unsigned v = (unsigned)(*state >> 40);
    return v % 4 == 0 ? special[v / 4 % 6] : (v % 2001 - 1000.0) / 250;
}

static bool is_finite_all(const double *h, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(h[i]))
            return false;
    return true;
}

static void run(struct arena *arena, void *context)
{
    const struct ir *ir = ((struct unit *)context)->ir;
    struct ir_program *step = ir_program_create(ir, IR_MASK(IR_OUT_NEXT), arena);
    double *scratch = arena_array(arena, ir_program_scratch(step) + 1, sizeof *scratch);
    uint64_t random = 7;
    for (int trial = 0; trial < 3000; trial++) {
        static const double start[] = {NAN, INFINITY, -INFINITY};
        double h[8], x[8], p[8], next[8];
        for (uint32_t k = 0; k < ir->params; k++)
            p[k] = draw(&random);
        for (uint32_t i = 0; i < ir->states; i++)
            h[i] = draw(&random);
        /* As a step may leave it: states that are bounded are never infinite. */
        const uint32_t which = (uint32_t)trial % ir->states;
        h[which] = start[trial / 8 % 3];
        bool was_left_by_a_step = false;
        for (int t = 0; t < 6; t++) {
            for (uint32_t k = 0; k < ir->inputs; k++)
                x[k] = draw(&random);
            const struct ir_leaves_f64 leaves = {
                .h = h, .x = x, .p = p, .out = {[IR_OUT_NEXT] = next}};
            ir_eval_f64(step, &leaves, scratch);
            ck_assert(!was_left_by_a_step || !is_finite_all(next, ir->states));
            was_left_by_a_step = !is_finite_all(next, ir->states);
            memcpy(h, next, sizeof h);
        }
    }
}

START_TEST(what_is_said_to_last_does)
{
    struct unit *unit = load(_i);
    if (cells[_i].lasts)
        ck_assert_int_eq(pipeline_guard(NULL, run, unit), PIPELINE_OK);
    unit_free(unit);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("lasting");
    tcase_add_loop_test(tcase, known_cells_are_told_apart, 0, CELLS);
    tcase_add_loop_test(tcase, what_is_said_to_last_does, 0, CELLS);
    Suite *suite = suite_create("lasting");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
