#include "sample_cells.h"
#include "sample_gates.h"

#include "diff.h"
#include "ir_eval.h"

static struct ir *prepare(struct arena *arena, const char *text)
{
    struct ir *ir = sample_read(arena, text);
    struct structure structure;
    structure_find(&structure, ir, arena);
    jacobian_build(ir, &structure);
    adjoint_build(ir, &structure);
    const char *message = ir_verify(ir, false, arena);
    ck_assert_msg(message == NULL, "%s", message);
    return ir;
}

static bool has(const struct ir *ir, enum ir_out_kind kind, uint32_t i)
{
    return ir_find_out(ir, kind, i, 0) != IR_REF_NONE;
}

START_TEST(the_adjoint_is_right_where_a_branch_has_an_infinite_partial)
{
    const struct sample_gate *gate = &sample_gates[_i];
    struct arena *arena = sample_arena();
    const struct ir *ir = prepare(
        arena, arena_printf(arena, "ir 1 cell \"gate\"\nstate h\ninput x\n%sout next.0 = %%%u\n",
                            gate->body, sample_gate_length(gate) - 1));
    const struct ir_program *program = ir_program_create(ir, IR_MASK(IR_OUT_ADJ_STATE), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    const double cotangent = -2;
    double found = NAN;
    struct ir_leaves_f64 leaves = {.h = &gate->h, .x = &gate->x, .cotangent = &cotangent};

    leaves.out[IR_OUT_ADJ_STATE] = &found;
    ir_eval_f64(program, &leaves, scratch);
    ck_assert_msg(found == -2 * gate->expected || fabs(found + 2 * gate->expected) <= 2e-15,
                  "%s: %.17g, expected %.17g", gate->name, found, -2 * gate->expected);
    arena_destroy(arena);
}
END_TEST

START_TEST(declarations_without_gradient_get_none)
{
    struct arena *arena = sample_arena();
    const struct ir *ir = prepare(arena, "ir 1 cell \"nograd\"\nstate h\n"
                                         "input u[2]\ninput v nograd\nparam w nograd\nparam b\n"
                                         "%0 = mul p0, h0\n%1 = fma x0, x2, %0\n%2 = add %1, p1\n"
                                         "%3 = add %2, x1\n%4 = tanh %3\nout next.0 = %4\n");
    ck_assert(has(ir, IR_OUT_ADJ_INPUT, 0) && has(ir, IR_OUT_ADJ_INPUT, 1));
    ck_assert(!has(ir, IR_OUT_ADJ_INPUT, 2));
    ck_assert(!has(ir, IR_OUT_ADJ_PARAM, 0) && has(ir, IR_OUT_ADJ_PARAM, 1));
    ck_assert(has(ir, IR_OUT_ADJ_STATE, 0));
    arena_destroy(arena);
}
END_TEST

START_TEST(leaves_that_nothing_depends_on_get_none)
{
    struct arena *arena = sample_arena();
    const struct ir *ir =
        prepare(arena, "ir 1 cell \"unused\"\nstate a\nstate b\ninput u\ninput v\n"
                       "param w\n%0 = gt x1, 0\n%1 = where %0, h0, x0\n"
                       "out next.0 = %1\nout next.1 = 1\n");
    ck_assert(has(ir, IR_OUT_ADJ_STATE, 0) && !has(ir, IR_OUT_ADJ_STATE, 1));
    ck_assert(has(ir, IR_OUT_ADJ_INPUT, 0) && !has(ir, IR_OUT_ADJ_INPUT, 1)); /* a condition */
    ck_assert(!has(ir, IR_OUT_ADJ_PARAM, 0));
    ck_assert(!has(ir, IR_OUT_SOURCE, 0)); /* there are no outputs */
    arena_destroy(arena);
}
END_TEST

/* Which cotangents an out reads: bit i. */
static uint32_t cotangents_of(const struct ir *ir, enum ir_out_kind kind, uint32_t i,
                              struct arena *arena)
{
    uint32_t *reads = arena_array(arena, ir->insn_count, sizeof *reads);
    const ir_ref value = ir_find_out(ir, kind, i, 0);
    for (uint32_t k = 0; k < ir->insn_count; k++) {
        const ir_ref operand[3] = {ir->insns[k].a, ir->insns[k].b, ir->insns[k].c};
        for (int o = 0; o < 3; o++) {
            if (ir_kind(operand[o]) == IR_VALUE)
                reads[k] |= reads[ir_index(operand[o])];
            if (ir_kind(operand[o]) == IR_COTANGENT)
                reads[k] |= 1u << ir_index(operand[o]);
        }
    }
    if (ir_kind(value) == IR_COTANGENT)
        return 1u << ir_index(value);
    return ir_kind(value) == IR_VALUE ? reads[ir_index(value)] : 0;
}

START_TEST(sources_come_from_outputs_alone)
{
    struct arena *arena = sample_arena();
    const struct ir *ir =
        prepare(arena, "ir 1 cell \"source\"\nstate a\nstate b\ninput u\noutput y[2]\n"
                       "%0 = tanh h0\n%1 = mul %0, h1\n%2 = add %1, x0\n"
                       "out next.0 = %2\nout next.1 = %0\n"
                       "out out.0 = %1\nout out.1 = %0\n");
    ck_assert_uint_eq(cotangents_of(ir, IR_OUT_SOURCE, 0, arena), 0xc);
    ck_assert_uint_eq(cotangents_of(ir, IR_OUT_SOURCE, 1, arena), 0x4);
    ck_assert_uint_eq(cotangents_of(ir, IR_OUT_ADJ_STATE, 0, arena), 0xf);
    ck_assert_uint_eq(cotangents_of(ir, IR_OUT_ADJ_STATE, 1, arena), 0x5);
    ck_assert_uint_eq(cotangents_of(ir, IR_OUT_ADJ_INPUT, 0, arena), 0x1);
    arena_destroy(arena);
}
END_TEST

START_TEST(without_detach_the_scanned_jacobian_is_the_true_one)
{
    struct arena *arena = sample_arena();
    const struct ir *ir = prepare(arena, sample_cells[_i].text);
    for (uint32_t i = 0; i < ir->states; i++)
        for (uint32_t j = 0; j < ir->states; j++)
            ck_assert(ir_find_out(ir, IR_OUT_ADJACOBIAN, i, j) ==
                      ir_find_out(ir, IR_OUT_JACOBIAN, i, j));
    arena_destroy(arena);
}
END_TEST

START_TEST(a_detached_state_has_an_entry_for_the_solve_only)
{
    struct arena *arena = sample_arena();
    const struct ir *ir = prepare(arena, "ir 1 cell \"detach\"\nstate a\nstate b\ninput u\n"
                                         "%0 = detach h0\n%1 = mul %0, x0\n%2 = add %1, h1\n"
                                         "out next.0 = %2\nout next.1 = %1\n");
    ck_assert(ir_find_out(ir, IR_OUT_JACOBIAN, 0, 0) == IR_REF(IR_INPUT, 0));
    ck_assert(ir_find_out(ir, IR_OUT_ADJACOBIAN, 0, 0) == IR_REF_NONE);
    ck_assert(ir_is_constant(ir, ir_find_out(ir, IR_OUT_ADJACOBIAN, 0, 1), 1.0));
    ck_assert(!has(ir, IR_OUT_ADJ_STATE, 0) && has(ir, IR_OUT_ADJ_STATE, 1));
    ck_assert(has(ir, IR_OUT_ADJ_INPUT, 0)); /* the other factor keeps its gradient */
    arena_destroy(arena);
}
END_TEST

/* One product for each operand that gets a cotangent, one sum for each further use. */
START_TEST(a_chain_costs_two_operations_a_link)
{
    struct arena *arena = sample_arena();
    struct ir *ir = prepare(arena, "ir 1 cell \"chain\"\nstate h\ninput u\n"
                                   "%0 = add h0, x0\n%1 = tanh %0\n%2 = sigmoid %1\n"
                                   "out next.0 = %2\n");
    uint8_t *live = arena_alloc(arena, ir->insn_count);
    /* y*(1 - y) and 1 - y*y are two operations each, then one product with the cotangent each. */
    ck_assert_uint_eq(ir_reach(ir, IR_MASK(IR_OUT_ADJ_STATE) | IR_MASK(IR_OUT_ADJ_INPUT), live),
                      3 + 2 * 3);
    ck_assert(ir_find_out(ir, IR_OUT_ADJ_STATE, 0, 0) == ir_find_out(ir, IR_OUT_ADJ_INPUT, 0, 0));
    arena_destroy(arena);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("adjoint");
    tcase_add_loop_test(tcase, the_adjoint_is_right_where_a_branch_has_an_infinite_partial, 0,
                        SAMPLE_GATE_COUNT);
    tcase_add_test(tcase, declarations_without_gradient_get_none);
    tcase_add_test(tcase, leaves_that_nothing_depends_on_get_none);
    tcase_add_test(tcase, sources_come_from_outputs_alone);
    tcase_add_loop_test(tcase, without_detach_the_scanned_jacobian_is_the_true_one, 0,
                        SAMPLE_CELL_COUNT);
    tcase_add_test(tcase, a_detached_state_has_an_entry_for_the_solve_only);
    tcase_add_test(tcase, a_chain_costs_two_operations_a_link);
    return sample_run("adjoint", tcase);
}
