#include "sample_cells.h"

#include "cost.h"
#include "diff.h"

static struct ir *prepare(struct structure *structure, struct arena *arena, struct ir *ir)
{
    structure_find(structure, ir, arena);
    jacobian_build(ir, structure);
    adjoint_build(ir, structure);
    return ir;
}

static const struct {
    const char *cell;
    uint32_t forward_read, forward_written, backward_read, backward_written;
} traffic[] = {
    {"gru", 3, 1, 5, 3},
    {"lstm", 3, 2, 6, 3},
    {"kinks", 2, 3, 5, 2},
    {"functions", 2, 3, 5, 1}, /* one input without gradient */
};

START_TEST(values_moved_are_counted_per_element)
{
    struct arena *arena = sample_arena();
    struct structure structure;
    struct cost forward, backward;
    const struct ir *ir = prepare(&structure, arena, sample_cell(arena, traffic[_i].cell));
    cost_forward(&forward, ir, &structure);
    cost_backward(&backward, ir);
    ck_assert_uint_eq(forward.values_read, traffic[_i].forward_read);
    ck_assert_uint_eq(forward.values_written, traffic[_i].forward_written);
    ck_assert_uint_eq(backward.values_read, traffic[_i].backward_read);
    ck_assert_uint_eq(backward.values_written, traffic[_i].backward_written);
    arena_destroy(arena);
}
END_TEST

START_TEST(shared_inputs_are_no_traffic)
{
    static const char text[] = "ir 1 cell \"shared\"\nstate h\ninput u[2]\ninput dt shared\n"
                               "%0 = mul x2, x0\n%1 = add %0, h0\n%2 = add %1, x1\n"
                               "out next.0 = %2\n";
    struct arena *arena = sample_arena();
    struct structure structure;
    struct cost cost;
    const struct ir *ir = prepare(&structure, arena, sample_read(arena, text));
    cost_forward(&cost, ir, &structure);
    ck_assert_uint_eq(cost.values_read, 2);
    cost_backward(&cost, ir);
    ck_assert_uint_eq(cost.values_written, 2);
    arena_destroy(arena);
}
END_TEST

START_TEST(operations_are_counted_by_class)
{
    static const char text[] = "ir 1 cell \"classes\"\nstate h\ninput u\n"
                               "%0 = neg h0\n%1 = mul %0, x0\n%2 = fma %1, x0, h0\n"
                               "%3 = div %2, 3\n%4 = sqrt %3\n%5 = tanh %4\n%6 = log1p %5\n"
                               "%7 = gt %6, 0\n%8 = where %7, %6, 1\n%9 = exp x0\n"
                               "out next.0 = %8\n";
    struct arena *arena = sample_arena();
    struct structure structure;
    struct cost cost;
    const struct ir *ir = prepare(&structure, arena, sample_read(arena, text));
    cost_forward(&cost, ir, &structure);
    ck_assert_uint_eq(cost.transcendentals, 2); /* what nothing reads is not counted */
    ck_assert_uint_eq(cost.divisions, 2);
    ck_assert_uint_eq(cost.flops, 1 + 2 + 1 + 1 + 1);
    ck_assert_uint_eq(cost.operations, 8);
    arena_destroy(arena);
}
END_TEST

static const struct {
    const char *cell;
    uint32_t evaluations;
} runs[] = {
    {"affine", 1},   /* needs no guess, and its run is kept */
    {"rotation", 2}, /* 24 steps of 2 states and 4 tangents are 144 words: run again */
    {"gru", 2},      /* a guess and a run that is kept */
    {"lstm", 2},     /* just so: tangents as halves, 96 words */
    {"slstm", 3},    /* 4 states are too many */
    {"kinks", 3},    /* outputs are written by a run of their own */
};

START_TEST(evaluations_are_the_runs_of_a_tile)
{
    struct arena *arena = sample_arena();
    struct structure structure;
    struct cost forward, backward;
    const struct ir *ir = prepare(&structure, arena, sample_cell(arena, runs[_i].cell));
    cost_forward(&forward, ir, &structure);
    cost_backward(&backward, ir);
    ck_assert_uint_eq(forward.evaluations, runs[_i].evaluations);
    ck_assert_uint_eq(backward.evaluations, 1);
    arena_destroy(arena);
}
END_TEST

/* Derivatives reuse the results of the step: no function is called for them. */
START_TEST(the_backward_pass_calls_no_more_functions_than_the_step)
{
    static const char *const cells[] = {"gru", "lstm", "slstm", "affine", "triangular"};
    struct arena *arena = sample_arena();
    struct structure structure;
    struct cost forward, backward;
    const struct ir *ir = prepare(&structure, arena, sample_cell(arena, cells[_i]));
    cost_forward(&forward, ir, &structure);
    cost_backward(&backward, ir);
    ck_assert_uint_le(backward.transcendentals, forward.transcendentals);
    ck_assert_uint_gt(backward.operations, 0);
    arena_destroy(arena);
}
END_TEST

static const struct {
    const char *cell;
    bool is_bare;
} bare[] = {{"rotation", true}, {"affine", false}, {"gru", false}, {"triangular", false}};

START_TEST(functions_of_inputs_and_states_are_told_from_those_of_parameters)
{
    struct arena *arena = sample_arena();
    const struct ir *ir = sample_cell(arena, bare[_i].cell);
    ck_assert_msg(cost_is_bare(ir, arena) == bare[_i].is_bare, "%s", bare[_i].cell);
    arena_destroy(arena);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("cost");
    tcase_add_loop_test(tcase, values_moved_are_counted_per_element, 0,
                        sizeof traffic / sizeof traffic[0]);
    tcase_add_test(tcase, shared_inputs_are_no_traffic);
    tcase_add_test(tcase, operations_are_counted_by_class);
    tcase_add_loop_test(tcase, evaluations_are_the_runs_of_a_tile, 0, sizeof runs / sizeof runs[0]);
    tcase_add_loop_test(tcase, the_backward_pass_calls_no_more_functions_than_the_step, 0, 5);
    tcase_add_loop_test(tcase, functions_of_inputs_and_states_are_told_from_those_of_parameters, 0,
                        sizeof bare / sizeof bare[0]);
    return sample_run("cost", tcase);
}
