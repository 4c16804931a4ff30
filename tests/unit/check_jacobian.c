#include "sample_cells.h"
#include "sample_gates.h"

#include "depend.h"
#include "diff.h"
#include "ir_eval.h"
#include "textbuf.h"

static struct ir *prepare(struct arena *arena, struct ir *ir)
{
    struct structure structure;
    structure_find(&structure, ir, arena);
    jacobian_build(ir, &structure);
    const char *message = ir_verify(ir, false, arena);
    ck_assert_msg(message == NULL, "%s", message);
    return ir;
}

static struct ir *read_step(struct arena *arena, const char *body, unsigned length)
{
    return sample_read(arena, arena_printf(arena,
                                           "ir 1 cell \"step\"\nstate h\ninput x\n%s"
                                           "out next.0 = %%%u\n",
                                           body, length - 1));
}

START_TEST(the_jacobian_is_right_where_a_branch_has_an_infinite_partial)
{
    const struct sample_gate *gate = &sample_gates[_i];
    struct arena *arena = sample_arena();
    const struct ir *ir = prepare(arena, read_step(arena, gate->body, sample_gate_length(gate)));
    const struct ir_program *program = ir_program_create(ir, IR_MASK(IR_OUT_JACOBIAN), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    double found = NAN;
    struct ir_leaves_f64 leaves = {.h = &gate->h, .x = &gate->x};

    leaves.out[IR_OUT_JACOBIAN] = &found;
    ir_eval_f64(program, &leaves, scratch);
    ck_assert_msg(found == gate->expected || fabs(found - gate->expected) <= 1e-15,
                  "%s: %.17g, expected %.17g", gate->name, found, gate->expected);
    arena_destroy(arena);
}
END_TEST

/* Entries exist within the pattern, and all of it where no sign or condition stops the derivative.
 */
START_TEST(entries_are_those_of_the_pattern)
{
    const struct sample_cell *cell = &sample_cells[_i];
    struct arena *arena = sample_arena();
    const struct ir *ir = prepare(arena, sample_read(arena, cell->text));
    struct structure structure;
    structure_find(&structure, ir, arena);
    for (uint32_t i = 0; i < ir->states; i++)
        for (uint32_t j = 0; j < ir->states; j++) {
            const bool is_there = ir_find_out(ir, IR_OUT_JACOBIAN, i, j) != IR_REF_NONE;
            ck_assert_msg(is_there == (structure.depends[i] >> j & 1), "%s: jac.%u.%u", cell->name,
                          (unsigned)i, (unsigned)j);
        }
    arena_destroy(arena);
}
END_TEST

START_TEST(what_is_read_through_a_condition_has_no_entry)
{
    static const char *const bodies[] = {
        "%0 = gt h0, 0\n%1 = where %0, x0, 2\n",
        "%0 = sign h0\n%1 = mul %0, x0\n",
    };
    struct arena *arena = sample_arena();
    const struct ir *ir = prepare(arena, read_step(arena, bodies[_i], 2));
    ck_assert(ir_find_out(ir, IR_OUT_JACOBIAN, 0, 0) == IR_REF_NONE);
    ck_assert_uint_eq(ir->insn_count, 2); /* and nothing was built */
    arena_destroy(arena);
}
END_TEST

/* Of every entry of a linear step the factor itself, not a copy or a product with 1. */
START_TEST(linear_steps_have_their_factors_as_jacobian)
{
    struct arena *arena = sample_arena();
    const struct ir *ir =
        prepare(arena, sample_read(arena, "ir 1 cell \"linear\"\nstate a\nstate b\nparam p\n"
                                          "%0 = mul p0, h0\n%1 = sub %0, h1\n%2 = add h0, h1\n"
                                          "out next.0 = %1\nout next.1 = %2\n"));
    ck_assert(ir_find_out(ir, IR_OUT_JACOBIAN, 0, 0) == IR_REF(IR_PARAM, 0));
    ck_assert(ir_is_constant(ir, ir_find_out(ir, IR_OUT_JACOBIAN, 0, 1), -1.0));
    ck_assert(ir_is_constant(ir, ir_find_out(ir, IR_OUT_JACOBIAN, 1, 0), 1.0));
    ck_assert_uint_eq(ir->insn_count, 3);
    arena_destroy(arena);
}
END_TEST

static uint32_t count_op(const struct ir *ir, enum ir_op op)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ir->insn_count; i++)
        count += ir->insns[i].op == op;
    return count;
}

START_TEST(a_difference_costs_no_negation)
{
    struct arena *arena = sample_arena();
    const struct ir *ir = prepare(
        arena,
        read_step(arena, "%0 = tanh h0\n%1 = sigmoid h0\n%2 = sub x0, %0\n%3 = add %2, %1\n", 4));
    ck_assert_uint_eq(count_op(ir, IR_NEG), 0);
    /* x - y, 1 - y*y, 1 - y, and the difference of derivatives. */
    ck_assert_uint_eq(count_op(ir, IR_SUB), 4);
    arena_destroy(arena);
}
END_TEST

START_TEST(functions_are_not_called_again)
{
    static const char *const cells[] = {"gru", "lstm", "slstm", "triangular", "ring"};
    static const enum ir_op ops[] = {IR_TANH, IR_SIGMOID, IR_EXP};
    struct arena *arena = sample_arena();
    const struct ir *before = sample_cell(arena, cells[_i]);
    const struct ir *after = prepare(arena, sample_cell(arena, cells[_i]));
    for (int k = 0; k < 3; k++)
        ck_assert_uint_eq(count_op(before, ops[k]), count_op(after, ops[k]));
    arena_destroy(arena);
}
END_TEST

/* What meets at a value is summed before it goes on from there: multiplications, additions and
 * subtractions of the Jacobian. */
START_TEST(sums_are_made_before_products)
{
    static const struct {
        const char *cell;
        uint32_t most;
    } counts[] = {{"gru", 16}, {"lstm", 23}, {"slstm", 39}};
    static const enum ir_op ops[] = {IR_MUL, IR_ADD, IR_SUB};
    struct arena *arena = sample_arena();
    const struct ir *before = sample_cell(arena, counts[_i].cell);
    const struct ir *after = prepare(arena, sample_cell(arena, counts[_i].cell));
    uint32_t count = 0;
    for (int k = 0; k < 3; k++)
        count += count_op(after, ops[k]) - count_op(before, ops[k]);
    ck_assert_msg(count <= counts[_i].most, "%s: %u", counts[_i].cell, (unsigned)count);
    arena_destroy(arena);
}
END_TEST

/* Longer than what is eliminated in the order of Markowitz: h' = x^3000 h. */
START_TEST(long_steps_are_eliminated_in_order)
{
    enum { LENGTH = 3000 };
    struct arena *arena = sample_arena();
    struct textbuf body;
    textbuf_init(&body, arena);
    textbuf_add(&body, "%0 = mul x0, h0\n");
    for (int i = 1; i < LENGTH; i++)
        textbuf_printf(&body, "%%%d = mul x0, %%%d\n", i, i - 1);
    const struct ir *ir = prepare(arena, read_step(arena, body.text, LENGTH));
    const struct ir_program *program = ir_program_create(ir, IR_MASK(IR_OUT_JACOBIAN), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    double found = NAN, h = 7, x = 1.0001;
    struct ir_leaves_f64 leaves = {.h = &h, .x = &x};
    leaves.out[IR_OUT_JACOBIAN] = &found;
    ir_eval_f64(program, &leaves, scratch);
    ck_assert_double_eq_tol(found, pow(x, LENGTH), 1e-11);
    arena_destroy(arena);
}
END_TEST

START_TEST(derivatives_carry_the_span_of_their_source)
{
    struct arena *arena = sample_arena();
    struct ir *ir = read_step(arena, "%0 = tanh h0\n", 1);
    ir->insns[0].span = (struct span){10, 20};
    prepare(arena, ir);
    ck_assert_uint_eq(ir->insn_count, 3);
    for (uint32_t i = 0; i < ir->insn_count; i++)
        ck_assert(ir->insns[i].span.begin == 10 && ir->insns[i].span.end == 20);
    ck_assert_uint_eq(ir->span.end, 0);
    arena_destroy(arena);
}
END_TEST

/* A product of n choices: each factor's sum stays one value, so the growth is linear. */
START_TEST(gated_sums_grow_linearly)
{
    struct arena *arena = sample_arena();
    uint32_t counts[2];
    for (int round = 0; round < 2; round++) {
        const unsigned depth = round ? 40 : 20;
        const char *body = "";
        for (unsigned k = 0; k < depth; k++) {
            const unsigned v = 4 * k;
            const char *from = k ? arena_printf(arena, "%%%u", v - 1) : "h0";
            body = arena_printf(arena,
                                "%s%%%u = max %s, 0.%u\n%%%u = min %s, 1.%u\n"
                                "%%%u = add %%%u, %%%u\n%%%u = tanh %%%u\n",
                                body, v, from, k + 1, v + 1, from, k + 1, v + 2, v, v + 1, v + 3,
                                v + 2);
        }
        counts[round] = prepare(arena, read_step(arena, body, 4 * depth))->insn_count;
    }
    ck_assert_uint_le(counts[1], 2 * counts[0] + 8);
    arena_destroy(arena);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("jacobian");
    tcase_add_loop_test(tcase, the_jacobian_is_right_where_a_branch_has_an_infinite_partial, 0,
                        SAMPLE_GATE_COUNT);
    tcase_add_loop_test(tcase, entries_are_those_of_the_pattern, 0, SAMPLE_CELL_COUNT);
    tcase_add_loop_test(tcase, what_is_read_through_a_condition_has_no_entry, 0, 2);
    tcase_add_test(tcase, linear_steps_have_their_factors_as_jacobian);
    tcase_add_test(tcase, a_difference_costs_no_negation);
    tcase_add_loop_test(tcase, functions_are_not_called_again, 0, 5);
    tcase_add_loop_test(tcase, sums_are_made_before_products, 0, 3);
    tcase_add_test(tcase, long_steps_are_eliminated_in_order);
    tcase_add_test(tcase, derivatives_carry_the_span_of_their_source);
    tcase_add_test(tcase, gated_sums_grow_linearly);
    return sample_run("jacobian", tcase);
}
