#include "sample_cells.h"

#include "ir_eval.h"
#include "structure.h"
#include "textbuf.h"

#include <math.h>

/* Blocks in solve order, as "m c~ h~!": the names of their states, then '~' if affine, '!' if a
 * readout. Patterns row by row. */
static const struct {
    const char *cell, *blocks;
    bool is_affine;
    const char *depends[4], *closed[4];
} rows[] = {
    {"gru", "h", false, {"x"}, {"x"}},
    {"lstm", "ch", false, {"xx", "xx"}, {"xx", "xx"}},
    {"slstm, r = 0",
     "m c~ n~ h~!",
     false,
     {"x.x.", ".xx.", "..x.", "xxx."},
     {"x.x.", ".xx.", "..x.", "xxxx"}},
    {"slstm", "cnmh", false, {"x.xx", ".xxx", "..xx", "xxxx"}, {"xxxx", "xxxx", "xxxx", "xxxx"}},
    {"affine", "h~", true, {"x"}, {"x"}},
    {"rotation", "ab~", true, {"xx", "xx"}, {"xx", "xx"}},
    {"one-way", "a b~", false, {"xx", ".x"}, {"xx", ".x"}},
    {"independent", "a b c~", false, {"x..", ".x.", "..x"}, {"x..", ".x.", "..x"}},
    {"triangular", "a b c", false, {"x..", "xx.", "xxx"}, {"x..", "xx.", "xxx"}},
    {"ring", "abcd", false, {"...x", "x...", ".x..", "..x."}, {"xxxx", "xxxx", "xxxx", "xxxx"}},
    {"kinks", "ab", false, {"xx", "xx"}, {"xx", "xx"}},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static const char *describe_blocks(const struct ir *ir, const struct structure *structure,
                                   struct arena *arena)
{
    const char *text = "";
    for (uint32_t b = 0; b < structure->block_count; b++) {
        const struct structure_block *block = &structure->block[b];
        text = arena_printf(arena, "%s%s", text, b ? " " : "");
        for (uint32_t k = 0; k < block->count; k++)
            text = arena_printf(arena, "%s%s", text,
                                ir_scalar_name(ir, IR_ROLE_STATE, block->state[k], arena));
        text = arena_printf(arena, "%s%s%s", text, block->is_affine ? "~" : "",
                            block->is_readout ? "!" : "");
    }
    return text;
}

static void compare_sets(const char *cell, const char *what, const state_set *sets,
                         const char *const *expected, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++)
            ck_assert_msg((sets[i] >> j & 1) == (expected[i][j] == 'x'), "%s: %s %u, %u", cell,
                          what, (unsigned)i, (unsigned)j);
}

START_TEST(cells_have_their_known_structure)
{
    struct arena *arena = sample_arena();
    const struct ir *ir = sample_cell(arena, rows[_i].cell);
    struct structure structure;
    structure_find(&structure, ir, arena);
    ck_assert_uint_eq(structure.states, ir->states);
    ck_assert_str_eq(describe_blocks(ir, &structure, arena), rows[_i].blocks);
    ck_assert_msg(structure.is_affine == rows[_i].is_affine, "%s", rows[_i].cell);
    compare_sets(rows[_i].cell, "depends", structure.depends, rows[_i].depends, ir->states);
    compare_sets(rows[_i].cell, "closed", structure.closed, rows[_i].closed, ir->states);
    arena_destroy(arena);
}
END_TEST

/* NaN in one state reaches the new states that are said to depend on it and no others. */
START_TEST(nan_stays_within_the_pattern)
{
    struct arena *arena = sample_arena();
    const struct ir *ir = sample_read(arena, sample_cells[_i].text);
    const struct ir_program *step = ir_program_create(ir, IR_MASK(IR_OUT_NEXT), arena);
    double *scratch = arena_array(arena, ir_program_scratch(step), sizeof *scratch);
    double h[8], x[8], p[8], next[8];
    struct ir_leaves_f64 leaves = {.h = h, .x = x, .p = p};
    struct structure structure;
    uint64_t seed = 99;

    leaves.out[IR_OUT_NEXT] = next;
    structure_find(&structure, ir, arena);
    for (uint32_t j = 0; j < ir->states; j++)
        for (int point = 0; point < 100; point++) {
            for (int i = 0; i < 8; i++) {
                h[i] = sample_random(&seed, 0.1, 2);
                x[i] = sample_random(&seed, -2, 2);
                p[i] = sample_random(&seed, -2, 2);
            }
            h[j] = NAN;
            ir_eval_f64(step, &leaves, scratch);
            for (uint32_t i = 0; i < ir->states; i++)
                ck_assert_msg(!isnan(next[i]) || structure.depends[i] >> j & 1,
                              "%s: state %u reaches %u", sample_cells[_i].name, (unsigned)j,
                              (unsigned)i);
        }
    arena_destroy(arena);
}
END_TEST

/* One word a state and one or half a word a tangent, while there are at most 96. */
START_TEST(a_record_is_counted_in_words_and_bounded)
{
    struct arena *arena = sample_arena();
    const struct ir *gru = sample_cell(arena, "gru"), *lstm = sample_cell(arena, "lstm"),
                    *affine = sample_cell(arena, "affine");
    struct structure structure;
    structure_find(&structure, gru, arena);
    ck_assert_uint_eq(structure_record_words(&structure, gru, 16, false), 32);
    ck_assert_uint_eq(structure_record_words(&structure, gru, 15, true), 15 + 8);
    ck_assert_uint_eq(structure_record_words(&structure, gru, 64, false), 0);
    ck_assert_uint_eq(structure_record_words(&structure, gru, 64, true), 96);
    structure_find(&structure, lstm, arena);
    ck_assert_uint_eq(structure_record_words(&structure, lstm, 16, false), 96);
    ck_assert_uint_eq(structure_record_words(&structure, lstm, 24, true), 96);
    structure_find(&structure, affine, arena);
    ck_assert_uint_eq(structure_record_words(&structure, affine, 16, false), 32);
    ck_assert_uint_eq(structure_record_words(&structure, affine, 16, true), 0);
    /* A step of 200 tanh, 16 each, is too large for 4 copies and not for 3. */
    struct textbuf text;
    textbuf_init(&text, arena);
    textbuf_add(&text, "ir 1 cell \"deep\"\nstate h\n%0 = tanh h0\n");
    for (int k = 1; k < 200; k++)
        textbuf_printf(&text, "%%%d = tanh %%%d\n", k, k - 1);
    textbuf_add(&text, "out next.0 = %199\n");
    const struct ir *deep = sample_read(arena, text.text);
    structure_find(&structure, deep, arena);
    ck_assert_uint_eq(structure_record_words(&structure, deep, 3, false), 6);
    ck_assert_uint_eq(structure_record_words(&structure, deep, 4, false), 0);
    arena_destroy(arena);
}
END_TEST

START_TEST(a_state_read_by_an_output_is_no_readout)
{
    static const char text[] = "ir 1 cell \"trace\"\nstate a\nstate b\ninput u\noutput y\n"
                               "%0 = tanh h0\n%1 = add %0, x0\n%2 = mul h1, x0\n"
                               "out next.0 = %1\nout next.1 = %0\nout out.0 = %2\n";
    struct arena *arena = sample_arena();
    struct structure structure;
    structure_find(&structure, sample_read(arena, text), arena);
    ck_assert_uint_eq(structure.block_count, 2);
    ck_assert_uint_eq(structure.block[1].state[0], 1);
    ck_assert(!structure.block[1].is_readout);
    arena_destroy(arena);
}
END_TEST

/* b' is 1 or 2 by the sign of a: no derivative, but a must be solved first. */
START_TEST(a_state_read_through_a_condition_is_solved_first)
{
    static const char text[] = "ir 1 cell \"switch\"\nstate b\nstate a\ninput u\n"
                               "%0 = gt h1, 0\n%1 = where %0, 1, 2\n%2 = add h1, x0\n%3 = tanh %2\n"
                               "out next.0 = %1\nout next.1 = %3\n";
    struct arena *arena = sample_arena();
    struct structure structure;
    structure_find(&structure, sample_read(arena, text), arena);
    ck_assert_uint_eq(structure.block_count, 2);
    ck_assert_uint_eq(structure.block[0].state[0], 1);
    ck_assert(!structure.block[0].is_readout);
    ck_assert(!structure.is_affine);
    arena_destroy(arena);
}
END_TEST

START_TEST(a_linear_recurrence_is_bare_unless_inputs_go_through_functions)
{
    static const struct {
        const char *next;
        bool is_affine, is_bare_linear;
    } steps[] = {
        {"%0 = tanh p0\n%1 = fma %0, h0, x0\n", true, true},
        {"%0 = tanh x0\n%1 = fma %0, h0, x0\n", true, false},
        {"%0 = fma p0, h0, x0\n%1 = mul %0, h0\n", false, false},
    };
    struct arena *arena = sample_arena();
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        struct structure structure;
        const char *text = arena_printf(
            arena, "ir 1 cell \"linear\"\nstate h\ninput u\nparam p\n%sout next.0 = %%1\n",
            steps[k].next);
        structure_find(&structure, sample_read(arena, text), arena);
        ck_assert_msg(structure.is_affine == steps[k].is_affine, "%s", steps[k].next);
        ck_assert_msg(structure.is_bare_linear == steps[k].is_bare_linear, "%s", steps[k].next);
    }
    arena_destroy(arena);
}
END_TEST

/* A ring of many states, each also reading itself. */
static const struct ir *wide_ring(struct arena *arena, uint32_t n)
{
    const char *text = arena_printf(arena, "ir 1 cell \"wide\"\nstate h[%u]\n", (unsigned)n);
    for (uint32_t i = 0; i < n; i++)
        text = arena_printf(arena, "%s%%%u = add h%u, h%u\n", text, (unsigned)i, (unsigned)i,
                            (unsigned)((i + n - 1) % n));
    for (uint32_t i = 0; i < n; i++)
        text = arena_printf(arena, "%sout next.%u = %%%u\n", text, (unsigned)i, (unsigned)i);
    return sample_read(arena, text);
}

START_TEST(refusals_are_explained_for_any_number_of_states)
{
    enum { N = 100 };
    struct arena *arena = sample_arena();
    const struct ir *ir = wide_ring(arena, N);
    uint32_t member = N, path[N + 1];
    ck_assert_uint_eq(structure_largest_component(ir, &member, arena), N);
    ck_assert_uint_lt(member, N);
    /* The cycle through the others, not the state that reads itself. */
    ck_assert_uint_eq(structure_cycle(ir, 3, path, N + 1, arena), N + 1);
    for (uint32_t k = 0; k <= N; k++)
        ck_assert_uint_eq(path[k], (3 + k) % N);
    arena_destroy(arena);
}
END_TEST

START_TEST(a_state_alone_has_itself_as_cycle)
{
    struct arena *arena = sample_arena();
    uint32_t path[2] = {7, 7};
    ck_assert_uint_eq(structure_cycle(sample_cell(arena, "gru"), 0, path, 2, arena), 2);
    ck_assert(path[0] == 0 && path[1] == 0);
    ck_assert_uint_eq(structure_cycle(sample_cell(arena, "slstm, r = 0"), 3, path, 2, arena), 0);
    arena_destroy(arena);
}
END_TEST

START_TEST(as_many_states_as_allowed_are_taken)
{
    struct arena *arena = sample_arena();
    struct structure structure;
    structure_find(&structure, wide_ring(arena, LIMIT_STATES), arena);
    ck_assert_uint_eq(structure.block_count, 1);
    ck_assert_uint_eq(structure.block[0].count, LIMIT_STATES);
    ck_assert(structure.is_affine && structure.block[0].is_affine);
    ck_assert_uint_eq(structure.closed[LIMIT_STATES - 1], (1u << LIMIT_STATES) - 1);
    arena_destroy(arena);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("structure");
    tcase_add_loop_test(tcase, cells_have_their_known_structure, 0, ROW_COUNT);
    tcase_add_loop_test(tcase, nan_stays_within_the_pattern, 0, SAMPLE_CELL_COUNT);
    tcase_add_test(tcase, a_record_is_counted_in_words_and_bounded);
    tcase_add_test(tcase, a_state_read_by_an_output_is_no_readout);
    tcase_add_test(tcase, a_state_read_through_a_condition_is_solved_first);
    tcase_add_test(tcase, a_linear_recurrence_is_bare_unless_inputs_go_through_functions);
    tcase_add_test(tcase, refusals_are_explained_for_any_number_of_states);
    tcase_add_test(tcase, a_state_alone_has_itself_as_cycle);
    tcase_add_test(tcase, as_many_states_as_allowed_are_taken);
    return sample_run("structure", tcase);
}
