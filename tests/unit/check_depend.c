#include "sample_cells.h"

#include "depend.h"

/* One step of two states and one input; what next.0 depends on: '.', linear 'l' or nonlinear 'n'.
 */
static const struct {
    const char *name, *body, *expected;
} rows[] = {
    {"a state itself", "out next.0 = h1\n", ".l"},
    {"a constant", "out next.0 = 1\n", ".."},
    {"sum", "%0 = add h0, h1\nout next.0 = %0\n", "ll"},
    {"negated difference", "%0 = sub h0, h1\n%1 = neg %0\nout next.0 = %1\n", "ll"},
    {"state-free factor", "%0 = tanh x0\n%1 = mul %0, h1\nout next.0 = %1\n", ".l"},
    {"product of two states", "%0 = mul h0, h1\nout next.0 = %0\n", "nn"},
    {"square", "%0 = mul h0, h0\nout next.0 = %0\n", "n."},
    {"product plus linear", "%0 = fma h0, x0, h1\nout next.0 = %0\n", "ll"},
    {"fused product of states", "%0 = fma h0, h0, h1\nout next.0 = %0\n", "nl"},
    {"state-free divisor", "%0 = div h0, x0\nout next.0 = %0\n", "l."},
    {"state as divisor", "%0 = div h0, h1\nout next.0 = %0\n", "nn"},
    {"state under one", "%0 = div x0, h1\nout next.0 = %0\n", ".n"},
    {"function", "%0 = tanh h1\nout next.0 = %0\n", ".n"},
    {"function of an input", "%0 = exp x0\n%1 = add %0, h0\nout next.0 = %1\n", "l."},
    {"linear after nonlinear", "%0 = tanh h0\n%1 = add %0, h0\n%2 = mul %1, x0\nout next.0 = %2\n",
     "n."},
    {"choice by an input", "%0 = gt x0, 0\n%1 = where %0, h0, h1\nout next.0 = %1\n", "ll"},
    {"choice by a state", "%0 = gt h0, 0\n%1 = where %0, h1, x0\nout next.0 = %1\n", "nn"},
    {"read through a condition only", "%0 = gt h0, 0\n%1 = where %0, 1, 2\nout next.0 = %1\n",
     "n."},
    {"conditions joined",
     "%0 = gt h0, 0\n%1 = lt h1, 0\n%2 = and %0, %1\n%3 = not %2\n"
     "%4 = where %3, x0, 0\nout next.0 = %4\n",
     "nn"},
    {"sign", "%0 = sign h0\nout next.0 = %0\n", "n."},
    {"maximum", "%0 = max h0, x0\nout next.0 = %0\n", "n."},
    {"detached", "%0 = detach h1\n%1 = mul %0, x0\nout next.0 = %1\n", ".l"},
};

static struct depend find(struct arena *arena, int row, const bool *known)
{
    struct depend step;
    const char *text = arena_printf(arena,
                                    "ir 1 cell \"row\"\nstate a\nstate b\ninput u\n"
                                    "%sout next.1 = x0\n",
                                    rows[row].body);
    const struct ir *ir = sample_read(arena, text);
    depend_find_step(&step, ir, known, arena);
    return step;
}

START_TEST(each_form_has_its_dependence)
{
    struct arena *arena = sample_arena();
    const struct depend step = find(arena, _i, NULL);
    for (uint32_t j = 0; j < 2; j++) {
        const char found = !pattern_has(&step.any, 0, j)        ? '.'
                           : pattern_has(&step.nonlinear, 0, j) ? 'n'
                                                                : 'l';
        ck_assert_msg(found == rows[_i].expected[j], "%s: state %u is '%c', expected '%c'",
                      rows[_i].name, (unsigned)j, found, rows[_i].expected[j]);
    }
    ck_assert(pattern_row_is_empty(&step.any, 1));
    arena_destroy(arena);
}
END_TEST

START_TEST(nonlinear_is_within_depends)
{
    struct arena *arena = sample_arena();
    struct depend values;
    const struct ir *ir = sample_read(arena, sample_cells[_i].text);
    depend_find(&values, ir, NULL, arena);
    for (uint32_t i = 0; i < ir->insn_count; i++)
        for (uint32_t j = 0; j < ir->states; j++)
            ck_assert(!pattern_has(&values.nonlinear, i, j) || pattern_has(&values.any, i, j));
    arena_destroy(arena);
}
END_TEST

START_TEST(a_known_state_counts_as_an_input)
{
    struct arena *arena = sample_arena();
    const bool known[2] = {true, false};
    const struct depend step = find(arena, _i, known);
    ck_assert_msg(!pattern_has(&step.any, 0, 0), "%s", rows[_i].name);
    if (strcmp(rows[_i].name, "product of two states") == 0)
        ck_assert(pattern_has(&step.any, 0, 1) && !pattern_has(&step.nonlinear, 0, 1));
    arena_destroy(arena);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("depend");
    const int count = sizeof rows / sizeof rows[0];
    tcase_add_loop_test(tcase, each_form_has_its_dependence, 0, count);
    tcase_add_loop_test(tcase, nonlinear_is_within_depends, 0, SAMPLE_CELL_COUNT);
    tcase_add_loop_test(tcase, a_known_state_counts_as_an_input, 0, count);
    return sample_run("depend", tcase);
}
