/* Kernels that solve a tile from guesses: in how many passes what is wrong is run again, whole and
 * in parts, and that the answer is right however that goes. */
#include "guess_case.h"

#include <stdio.h>

/* -- passes ------------------------------------------------------------------------------------ */

START_TEST(where_it_remembers_it_is_run_again)
{
    const struct kernel_shape shape = shape_of(3 * tile_of(_i) + 7, CHANNELS);
    struct pair pair;
    pair_create(&pair, remembers, _i, &shape, NULL);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    pair_free(&pair);
}
END_TEST

/* What is wrong is run again, in one pass, the rest stays, and the next tile begins with the exit
 * of the last chunk. */
START_TEST(one_wrong_guess_costs_a_pass)
{
    /* Chunks of the last thread block of the second of three tiles; -1: none. */
    static const int misled[][2] = {{1, -1}, {3, -1}, {2, 3}, {1, 3}};
    const int way = way_of(_i), cluster = cluster_of(way), *const wrong = misled[_i / TIMES];
    const int channel = _i / TIMES % 2 ? ALL : 5 * (_i % 4);
    const int64_t last = 2 * tile_of(way) - CHUNKS * CHUNK;
    const struct kernel_shape shape = shape_of(3 * tile_of(way), CHANNELS);
    struct pair pair;
    uint64_t passes = 0;
    pair_create(&pair, keeps, way, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    for (int i = 0; i < 2 && wrong[i] >= 0; i++)
        mislead(&pair, channel, last + (int64_t)wrong[i] * CHUNK);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    for (int b = 0; b < pair.got.grid; b++) {
        ck_assert_uint_le(pair.got.report[b].sum_corrections, 1);
        passes += pair.got.report[b].sum_corrections;
    }
    ck_assert_uint_eq(passes, (uint64_t)(channel == ALL ? pair.got.grid : cluster));
    pair_free(&pair);
}
END_TEST

/* A wrong guess in one tile does not keep the next from being guessed. */
START_TEST(a_tile_that_fails_does_not_hold_up_the_next)
{
    enum { TILES = 6, FAILING = 3 };
    const struct kernel_shape shape = shape_of(TILES * tile_of(_i), CHANNELS);
    struct pair pair;
    pair_create(&pair, keeps, _i, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    for (int tile = 0; tile < FAILING; tile++)
        mislead(&pair, ALL, tile * tile_of(_i) + CHUNK);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    for (int b = 0; b < pair.got.grid; b++)
        ck_assert_uint_eq(pair.got.report[b].sum_corrections, FAILING);
    pair_free(&pair);
}
END_TEST

/* Two channels remember, more or less from part to part; the others forget; parameters are 0. The
 * exits of a chain of chunks move together. */
static uint64_t passes_of_a_chain(const char *cell, int way, double tolerance,
                                  const struct kernel_edit *edits)
{
    struct kernel_shape shape = shape_of(tile_of(way), CHANNELS);
    struct pair pair;
    shape.tolerance = tolerance;
    pair_create(&pair, cell, way, &shape, edits);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    for (int64_t t = 0; t < shape.steps; t += CHUNK / PARTS) {
        const bool is_odd = t / (CHUNK / PARTS) % 2;
        keep(&pair, 3, t, t + CHUNK / PARTS, 0.999);
        keep(&pair, 10, t, t + CHUNK / PARTS, is_odd ? 0.98 : 0.999);
    }
    for (uint32_t k = 0; k < pair.plan.unit->ir->params; k++)
        for (size_t c = 0; c < CHANNELS; c++)
            pair_set(&pair, GROUP_P, k, c, 0);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    const uint64_t passes = passes_of(&pair.got);
    pair_free(&pair);
    return passes;
}

/* Of two states one remembers and the other follows. That the first does not depend on the second
 * may be known, or not; p is 0. */
static const char follows[] = "cell follows { state a, b; input u, g; param p;\n"
                              "a' = g*a + (1 - g)*tanh(u) + p*u; b' = 0.5*b + 0.3*a; }";
static const char may_follow[] = "cell follows { state a, b; input u, g; param p;\n"
                                 "a' = g*a + (1 - g)*tanh(u) + p*b; b' = 0.5*b + 0.3*a; }";
/* ... or the second remembers nothing of its own. */
static const char leads[] = "cell leads { state a, b; input u, g;\n"
                            "a' = g*a + (1 - g)*tanh(u); b' = 0.5*a; }";
static const char *const linear[] = {keeps, follows, may_follow, leads};

/* Tangents of a linear cell say all: behind the pass that finds them one is right, however long the
 * chain is. */
START_TEST(a_linear_cell_takes_two_passes)
{
    ck_assert_uint_eq(passes_of_a_chain(linear[_i / TIMES], way_of(_i), 1e-4, NULL), 2);
}
END_TEST

/* What is before a reset moves nothing behind it: the third chunk, which has one, is run twice, the
 * fourth once. It is in the last part, so that no lane ends before. */
START_TEST(a_linear_cell_takes_two_passes_with_resets)
{
    static const int slow[] = {3, 10};
    struct assemble_options options = options_of(_i);
    struct kernel_shape shape = shape_of(4 * CHUNK, CHANNELS);
    struct pair pair;
    options.has_resets = shape.has_resets = true;
    shape.tolerance = 1e-4;
    pair_load(&pair, keeps, &options, NULL);
    pair_shape(&pair, &shape);
    remember(&pair, slow, 2);
    memset(pair.got.reset, 0, (size_t)shape.steps);
    memset(pair.want.reset, 0, (size_t)shape.steps);
    pair.got.reset[3 * CHUNK - 9] = pair.want.reset[3 * CHUNK - 9] = 1;
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_eq(passes_of(&pair.got), 2);
    pair_free(&pair);
}
END_TEST

/* Four chunks remember, which takes two passes; what moves their exits ends in the fifth, which
 * forgets, though it is run again, too. */
START_TEST(what_a_chunk_forgets_moves_nothing_behind_it)
{
    const int way = WAYS - 1 - _i;
    struct kernel_shape shape = shape_of(tile_of(way), CHANNELS);
    struct pair pair;
    shape.tolerance = 1e-4;
    pair_create(&pair, keeps, way, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    keep(&pair, 3, 0, 4 * CHUNK, SLOW);
    pair_run(&pair);
    check_pair(&pair, REMEMBERED);
    ck_assert_uint_eq(passes_of(&pair.got), 2);
    pair_free(&pair);
}
END_TEST

/* Guesses that agree with each other and not with what came to pass: no chunk is run before the one
 * before it, so each begins without tangents, and what is behind it does not move. */
START_TEST(what_holds_its_state_takes_a_pass_a_chunk)
{
    const struct kernel_shape shape = shape_of(tile_of(_i), CHANNELS);
    struct pair pair;
    pair_create(&pair, keeps, _i, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0.25);
    keep(&pair, 5, 20, shape.steps, 1);
    pair_run(&pair);
    check_pair(&pair, FORGOTTEN);
    ck_assert_uint_ge(passes_of(&pair.got), 2);
    ck_assert_uint_le(passes_of(&pair.got), (uint64_t)chunks_of(_i));
    pair_free(&pair);
}
END_TEST

/* Where states are small roundings of what has moved are more than the tolerance: one pass sees to
 * them. */
START_TEST(a_linear_cell_takes_one_pass_more_for_roundings)
{
    ck_assert_uint_le(passes_of_a_chain(linear[_i / TIMES], way_of(_i), TOLERANCE, NULL), 3);
}
END_TEST

/* Where Newton's method leads nowhere: a whole chunk is run, the next in parts twice, which shows
 * that, and as a whole, and so on; behind its last pass a chunk a pass. */
static uint64_t stuck_passes(int way)
{
    const uint64_t chunks = (uint64_t)chunks_of(way) - 1, passes = 1 + 3 * (chunks - 1);
    enum { RIGHT = 1 + (KERNEL_NEWTON_PASSES - 1) / 3 };
    return passes <= KERNEL_NEWTON_PASSES ? passes : KERNEL_NEWTON_PASSES + chunks - RIGHT;
}

/* Without tangents each pass makes one more chunk right. */
START_TEST(without_newtons_method_a_chain_takes_a_pass_a_chunk)
{
    static const struct kernel_edit none[] = {
        {"#define PRNN_NEWTON_PASSES 24\n", "#define PRNN_NEWTON_PASSES 0\n"}, {0}};
    ck_assert_uint_eq(passes_of_a_chain(keeps, _i, TOLERANCE, none), (uint64_t)chunks_of(_i) - 1);
}
END_TEST

/* Tangents that are wrong cost passes, no more: three for a chunk, as where_newtons_method_is_stuck
 * says. */
START_TEST(wrong_tangents_still_end)
{
    static const struct kernel_edit wrong[] = {
        {"            PRNN_SST(s_tangent, AT_SLOT(ij, slot), d[ij]);\n",
         "            PRNN_SST(s_tangent, AT_SLOT(ij, slot), (prnn_real)2);\n"},
        {0}};
    const uint64_t passes = passes_of_a_chain(keeps, _i, TOLERANCE, wrong);
    ck_assert_uint_gt(passes, 2);
    ck_assert_uint_le(passes, stuck_passes(_i));
}
END_TEST

/* Tolerance 0: what is run again ends where the bits are the same, and so are all; nowhere is a
 * mismatch to be told of. */
START_TEST(tolerance_0_gives_the_bits_of_running_in_order)
{
    static const int slow[] = {3, 8};
    const int way = _i % WAYS;
    struct kernel_shape shape = shape_of(tile_of(way) + CHUNK + 5, _i / WAYS ? 9 : CHANNELS);
    struct pair pair;
    shape.tolerance = 0;
    pair_create(&pair, bends, way, &shape, NULL);
    remember(&pair, slow, 2);
    pair_run(&pair);
    kernel_data_check_same(&pair.want, &pair.got);
    ck_assert_double_eq(mismatch_of(&pair.got), 0);
    for (int b = 0; b < pair.got.grid; b++) {
        ck_assert_int_eq(pair.got.report[b].step, -1);
        ck_assert_int_eq(pair.got.report[b].channel, -1);
    }
    ck_assert_uint_eq(passes_of(&pair.got), (uint64_t)chunks_of(way) - 1);
    pair_free(&pair);
}
END_TEST

/* A state fades to 0, from below where the guess is wrong. */
START_TEST(zeros_of_either_sign_are_not_the_same)
{
    struct kernel_shape shape = shape_of(tile_of(_i), CHANNELS);
    struct pair pair;
    shape.tolerance = 0;
    pair_create(&pair, "cell fades { state h; input u, g; h' = g*h; }", _i, &shape, NULL);
    keep(&pair, ALL, 0, shape.steps, 0x1p-4);
    for (size_t c = 0; c < CHANNELS; c++)
        pair_set(&pair, GROUP_H0, 0, c, -1);
    keep(&pair, 5, 10, 11, -1);
    mislead(&pair, 5, 2 * CHUNK);
    pair_run(&pair);
    ck_assert_uint_gt(corrections_of(&pair.got), 0);
    kernel_data_check_same(&pair.want, &pair.got);
    pair_free(&pair);
}
END_TEST

/* -- parts ------------------------------------------------------------------------------------- */

/* The first step of part j. */
static int64_t part_step(int chunk, int group, int parts, int j)
{
    return (int64_t)(chunk / group * j / parts) * group;
}

/* The last chunk ends in its first part, at a boundary, behind it, one step before its end. */
START_TEST(chunks_of_any_length_are_run_in_parts)
{
    static const struct {
        int chunk, group, parts; /* 'group' steps of an unrolled loop */
    } kinds[] = {{128, 8, 8}, {200, 8, 8}, {96, 8, 4}, {36, 6, 2}, {24, 8, 1}};
    static const int slow[] = {3, 10};
    const int way = way_of(_i), chunk = kinds[_i / TIMES].chunk, group = kinds[_i / TIMES].group,
              parts = kinds[_i / TIMES].parts;
    const int64_t last = part_step(chunk, group, parts, parts - 1),
                  rests[] = {3, last, last + 1, chunk - 1, chunk};
    struct assemble_options options = options_of(way);
    char said[64];
    struct pair pair;
    options.strategy.chunk = (uint32_t)chunk;
    pair_load(&pair, bends, &options, NULL);
    snprintf(said, sizeof said, "#define PRNN_PARTS %d\n", parts);
    ck_assert_ptr_nonnull(strstr(pair.plan.text.assembled.text, said));
    snprintf(said, sizeof said, "#define PRNN_UNROLL_STEPS %d\n", group);
    ck_assert_ptr_nonnull(strstr(pair.plan.text.assembled.text, said));
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        const struct kernel_shape shape =
            shape_of((int64_t)(chunks_of(way) - 1) * chunk + rests[i], CHANNELS);
        pair_shape(&pair, &shape);
        remember(&pair, slow, 2);
        pair_run(&pair);
        check_pair(&pair, REMEMBERED);
        ck_assert_uint_ge(passes_of(&pair.got), parts > 1 ? 2 : 1);
        pair_unshape(&pair);
    }
    pair_unload(&pair);
}
END_TEST

/* All channels, those of either thread block and of a thread in turn. */
static const int first_of_all[CHANNELS] = {15, 14, 5, 12, 11, 8, 9, 10, 7, 6, 13, 4, 3, 2, 1, 0};

/* So many channels remember: lanes run none, one or several of them, in many parts or few. One warp
 * of threads, or four. */
START_TEST(many_are_run_again_at_once)
{
    static const int counts[] = {1, 3, 8, 16};
    const int way = _i % WAYS;
    struct assemble_options options = options_of(way);
    struct strategy *s = &options.strategy;
    struct pair pair;
    if (_i / WAYS) {
        s->lanes = 16;
        s->tile_chunks = 8;
        s->chunk = 64;
    }
    const struct kernel_shape shape =
        shape_of((int64_t)(s->cluster * s->tile_chunks + 2) * s->chunk, CHANNELS);
    pair_load(&pair, bends, &options, NULL);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        pair_shape(&pair, &shape);
        remember(&pair, first_of_all, counts[i]);
        pair_run(&pair);
        check_pair(&pair, REMEMBERED);
        ck_assert_uint_ge(passes_of(&pair.got), 2);
        pair_unshape(&pair);
    }
    pair_unload(&pair);
}
END_TEST

/* The third state depends on the first over several steps, not over one. */
static const char bends_first[] =
    "cell bends_first { state a, b, c; input u, g;\n"
    "a' = g*a + (1 - g)*tanh(u + g*a); b' = 0.5*b + 0.3*a; c' = 0.5*c + 0.3*b; }";

/* What is left is squared by each pass: of 0.2, which a pass of whole chunks leaves, 0.05, 5e-4 and
 * 1e-7, of which the third is mostly enough. Without tangents it takes 11 in the longest of these
 * chains. */
START_TEST(newtons_method_takes_few_passes)
{
    enum { FEW = 4 };
    static const int counts[] = {1, 4, 6, 10, 16};
    enum { COUNTS = sizeof counts / sizeof *counts };
    uint64_t passes = 0;
    const int way = _i % WAYS;
    const struct assemble_options options = options_of(way);
    struct kernel_shape shape = shape_of(2 * tile_of(way), CHANNELS);
    struct pair pair;
    shape.tolerance = 1e-4;
    pair_load(&pair, _i / WAYS ? bends_first : bends, &options, NULL);
    for (size_t i = 0; i < COUNTS; i++) {
        pair_shape(&pair, &shape);
        remember(&pair, first_of_all, counts[i]);
        pair_run(&pair);
        check_pair(&pair, REMEMBERED);
        ck_assert_msg(passes_of(&pair.got) <= FEW, "%d channels take %d passes", counts[i],
                      (int)passes_of(&pair.got));
        passes += passes_of(&pair.got);
        pair_unshape(&pair);
    }
    ck_assert_uint_le(passes, (FEW - 1) * COUNTS + 2);
    pair_unload(&pair);
}
END_TEST

/* It stays at 1 or -1, until an input is large. What has settled has tangents of 0, so that they
 * say nothing of what comes behind. */
static const char latch[] = "cell latch { state h; input u, g; h' = tanh(3*g*h + u); }";
/* ... or overflows where it is at -1 and the third input is 1. */
static const char bursts[] = "cell bursts { state h; input u, g, e;\n"
                             "h' = where(e*h < -0.5, -4*h*h, tanh(3*g*h + u)); }";

/* From -1 to 1 within the first chunk, which no guess behind it knows. 'dip': what is left of the
 * state before each entry, next to where the cell is not stable. */
enum { LONG = 128, FLIPPED = 2 };
static const int flipped[FLIPPED] = {5, 13};

static void latch_create(struct pair *pair, const char *cell, int way, double dip,
                         const struct kernel_edit *edits)
{
    const struct kernel_shape shape = shape_of((int64_t)LONG * chunks_of(way), CHANNELS);
    struct assemble_options options = options_of(way);
    options.strategy.chunk = LONG;
    pair_load(pair, cell, &options, edits);
    pair_shape(pair, &shape);
    keep(pair, ALL, 0, shape.steps, 1);
    for (int64_t t = 0; t < shape.steps; t++)
        for (int c = 0; c < CHANNELS; c++)
            pair_set_input(pair, 0, t, c, 0);
    for (int64_t t = LONG; t <= shape.steps; t += LONG)
        keep(pair, ALL, t - 1, t, dip);
    for (int c = 0; c < CHANNELS; c++)
        pair_set(pair, GROUP_H0, 0, (size_t)c, -0.9);
    pair_set_input(pair, 0, 10, flipped[0], 9);
    pair_set_input(pair, 0, 40, flipped[1], 9);
}

static uint64_t latch_passes(struct pair *pair)
{
    pair_run(pair);
    check_pair(pair, FORGOTTEN);
    const uint64_t passes = passes_of(&pair->got);
    pair_free(pair);
    return passes;
}

static uint64_t passes_of_a_latch(int way, double dip, const struct kernel_edit *edits)
{
    struct pair pair;
    latch_create(&pair, latch, way, dip, edits);
    return latch_passes(&pair);
}

/* A whole chunk is made right by the third pass; without that each pass makes right the next of its
 * eight parts. */
START_TEST(where_newtons_method_is_stuck_whole_chunks_are_run)
{
    static const struct kernel_edit never[] = {
        {"#define PRNN_STUCK ((prnn_real)0.5)\n", "#define PRNN_STUCK ((prnn_real)1e30)\n"}, {0}};
    static const double dips[] = {1, 1e-4};
    const int way = way_of(_i);
    const double dip = dips[_i / TIMES];
    const uint64_t passes = passes_of_a_latch(way, dip, NULL);
    ck_assert_uint_le(passes, stuck_passes(way));
    ck_assert_uint_gt(passes_of_a_latch(way, dip, never), passes);
}
END_TEST

/* From the third chunk on every run from a wrong entry overflows, so that all parts but the first
 * begin with inf: nothing that is left becomes less. */
START_TEST(what_overflows_twice_is_stuck)
{
    struct pair pair;
    latch_create(&pair, bursts, _i, 1, NULL);
    for (int64_t t = 0; t < pair.got.shape.steps; t++)
        for (int c = 0; c < CHANNELS; c++)
            pair_set_input(&pair, 2, t, c, 0);
    for (int64_t t = 2 * LONG; t < pair.got.shape.steps; t++)
        for (int i = 0; i < FLIPPED; i++)
            pair_set_input(&pair, 2, t, flipped[i], 1);
    ck_assert_uint_eq(latch_passes(&pair), stuck_passes(_i));
}
END_TEST

/* Tangents of chaos are beyond all bounds. No step is further off than its slope makes of the
 * tolerance. */
START_TEST(chaos_ends_within_the_tolerance)
{
    struct kernel_shape shape = shape_of(tile_of(_i) + 50, CHANNELS);
    struct pair pair;
    shape.gain = -0.5;
    pair_create(&pair, kernel_cell_chaotic, _i, &shape, NULL);
    pair_run(&pair);
    ck_assert_double_le(mismatch_of(&pair.got), TOLERANCE);
    ck_assert_uint_le(passes_of(&pair.got), kernel_passes_most(&pair.plan.options.strategy));
    const struct kernel_tensor *h = kernel_tensor_of(&pair.got, GROUP_H, 0);
    for (size_t i = CHANNELS; i < h->count; i++) {
        const double before = kernel_get(h, i - CHANNELS);
        ck_assert_double_le(fabs(kernel_get(h, i) - 3.9 * before * (1 - before)),
                            4 * TOLERANCE + 0x1p-22);
    }
    pair_free(&pair);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("passes");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, where_it_remembers_it_is_run_again, 0, WAYS);
    tcase_add_loop_test(tcase, one_wrong_guess_costs_a_pass, 0, 4 * TIMES);
    tcase_add_loop_test(tcase, a_tile_that_fails_does_not_hold_up_the_next, 0, WAYS);
    tcase_add_loop_test(tcase, a_linear_cell_takes_two_passes, 0, 4 * TIMES);
    tcase_add_loop_test(tcase, a_linear_cell_takes_two_passes_with_resets, 0, WAYS);
    tcase_add_loop_test(tcase, what_a_chunk_forgets_moves_nothing_behind_it, 0, 4);
    tcase_add_loop_test(tcase, what_holds_its_state_takes_a_pass_a_chunk, 0, WAYS);
    tcase_add_loop_test(tcase, a_linear_cell_takes_one_pass_more_for_roundings, 0, 4 * TIMES);
    tcase_add_loop_test(tcase, without_newtons_method_a_chain_takes_a_pass_a_chunk, 0, WAYS);
    tcase_add_loop_test(tcase, wrong_tangents_still_end, 0, WAYS);
    tcase_add_loop_test(tcase, tolerance_0_gives_the_bits_of_running_in_order, 0, 2 * WAYS);
    tcase_add_loop_test(tcase, zeros_of_either_sign_are_not_the_same, 0, WAYS);
    tcase_add_loop_test(tcase, chunks_of_any_length_are_run_in_parts, 0, 5 * TIMES);
    tcase_add_loop_test(tcase, many_are_run_again_at_once, 0, 2 * WAYS);
    tcase_add_loop_test(tcase, newtons_method_takes_few_passes, 0, 2 * WAYS);
    tcase_add_loop_test(tcase, where_newtons_method_is_stuck_whole_chunks_are_run, 0, 2 * TIMES);
    tcase_add_loop_test(tcase, what_overflows_twice_is_stuck, 0, WAYS);
    tcase_add_loop_test(tcase, chaos_ends_within_the_tolerance, 0, WAYS);
    Suite *suite = suite_create("passes");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
