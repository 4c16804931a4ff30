/* Bounds of the Jacobian by branch and bound: no point of the ranges of a shipped cell gives more,
 * and where the true supremum is known the bound is near it. */
#include "contraction.h"

#include "ir_eval.h"
#include "pipeline.h"

#include <check.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POINTS = 100000, ROOM = 64 };

/* The bound holds for the exact Jacobian; evaluating it in double rounds some ten times. */
static const double ROUNDING = 1e-14;

/* 'low' and 'high' enclose the supremum of |dh'/dh|, as far as it is known: what is attained, found
 * by hand or by the points below, and at most 5 % above it. 'scale' is the least that must be
 * proven. */
static const struct row {
    const char *name;
    double low, high, scale;
} rows[] = {
    {"brc", 3.12, 3.28, 0},
    {"cfc", 1, 1, 1},
    {"ctrnn", 1, 1, 1},
    {"gru_reset_after", INFINITY, INFINITY, 0}, /* through b, which has no range */
    {"hgrn", 1, 1, 0},
    {"indrnn", 2, 2, 0.5},
    {"indrnn_relu", 1, 1, 1},
    {"indylstm", INFINITY, INFINITY, 0}, /* through c, which is not bounded */
    {"lrc", INFINITY, INFINITY, 0},      /* through k_h, w, k, which have no range */
    {"lru", 1.414, 1.485, 0},
    {"mgu", 1.12, 1.181, 0.5},
    {"mingru", 1, 1, 0},
    {"nlru", 1, 1, 1},
    {"paragru", 1.282, 1.346, 0.34},
    {"paralstm", 1.62, INFINITY, 0.18},
    {"rglru", 1, 1, 0},
    {"s6", 1, 1, 0},
    {"titans_lite", INFINITY, INFINITY, 0},
    {"unicornn", 1.109, 1.165, 0},
};
enum { ROWS = sizeof rows / sizeof *rows };

static uint64_t random_state = 1;

static double random_within(double lo, double hi)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    const double share = (double)(random_state >> 11) * 0x1p-53;
    lo = isinf(lo) ? -20 : lo;
    hi = isinf(hi) ? 20 : hi;
    /* The largest values are often at ends. */
    return share < 0.1 ? lo : share > 0.9 ? hi : lo + (hi - lo) * (share - 0.1) / 0.8;
}

static double random_leaf(const struct unit *unit, enum ir_role role, uint32_t index, double scale)
{
    uint32_t element;
    const struct ir_decl *decl = ir_decl_of(unit->ir, role, index, &element);
    if (role == IR_ROLE_STATE)
        return random_within(unit->ranges.state[index].lo, unit->ranges.state[index].hi);
    if (!decl->has_range)
        return random_within(-INFINITY, INFINITY);
    const double narrowed = role == IR_ROLE_PARAM && decl->lo == -decl->hi ? scale : 1;
    return random_within(narrowed * decl->lo, narrowed * decl->hi);
}

/* The largest row sum over random points, half of them near the best one so far. */
static double largest(const struct unit *unit, double scale, struct arena *arena)
{
    const struct ir *ir = unit->ir;
    const uint32_t counts[3] = {ir->states, ir->inputs, ir->params};
    const enum ir_role roles[3] = {IR_ROLE_STATE, IR_ROLE_INPUT, IR_ROLE_PARAM};
    struct ir_program *program = ir_program_create(ir, IR_MASK(IR_OUT_JACOBIAN), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program) + 1, sizeof *scratch);
    double best[3][ROOM], at[3][ROOM], jacobian[ROOM * ROOM], most = -1;
    struct ir_leaves_f64 leaves = {.h = at[0], .x = at[1], .p = at[2]};
    leaves.out[IR_OUT_JACOBIAN] = jacobian;
    for (int point = 0; point < POINTS; point++) {
        for (int role = 0; role < 3; role++)
            for (uint32_t k = 0; k < counts[role]; k++) {
                at[role][k] = random_leaf(unit, roles[role], k, scale);
                if (point % 2 && random_within(0, 1) < 0.8) /* a part of the way */
                    at[role][k] =
                        best[role][k] + random_within(0, 0.1) * (at[role][k] - best[role][k]);
            }
        ir_eval_f64(program, &leaves, scratch);
        for (uint32_t i = 0; i < ir->states; i++) {
            double sum = 0;
            for (uint32_t j = 0; j < ir->states; j++)
                sum += fabs(jacobian[i * ir->states + j]);
            if (isfinite(sum) && sum > most) {
                most = sum;
                memcpy(best, at, sizeof best);
            }
        }
    }
    return most;
}

static struct unit *cell_load(const char *name)
{
    char path[1024];
    struct unit *unit;
    snprintf(path, sizeof path, "%s/cells/%s.cell", PRNN_SOURCE_DIR, name);
    ck_assert_int_ne(pipeline_load_file(&unit, path, NULL), PIPELINE_NOMEM);
    ck_assert_msg(unit->result == PIPELINE_OK, "%s: %s", name, unit->messages);
    return unit;
}

START_TEST(no_point_exceeds_the_bound_and_the_bound_is_near_the_supremum)
{
    const struct row *row = &rows[_i];
    jmp_buf escape;
    struct arena *arena = arena_create(&escape);
    struct unit *unit = cell_load(row->name);
    struct contraction found;
    contraction_find(&found, unit->ir, unit->ranges.state, arena);
    const double met = largest(unit, 1, arena);
    ck_assert_msg(met <= unit->ranges.jacobian_bound * (1 + ROUNDING), "%s: %.17g, bound %.17g",
                  row->name, met, unit->ranges.jacobian_bound);
    ck_assert_msg(met <= found.bound * (1 + ROUNDING), "%s: %.17g, bound of the search %.17g",
                  row->name, met, found.bound);
    ck_assert_msg(unit->ranges.jacobian_bound <= row->high * CONTRACTION_ONE, "%s: bound %.17g",
                  row->name, unit->ranges.jacobian_bound);
    ck_assert_msg(isinf(row->low) || found.found >= row->low / CONTRACTION_ONE ||
                      unit->ranges.jacobian_bound <= row->low * CONTRACTION_ONE,
                  "%s: only %.17g was found", row->name, found.found);
    ck_assert_msg(found.found <= found.bound * (1 + ROUNDING), "%s: found %.17g of %.17g",
                  row->name, found.found, found.bound);
    arena_destroy(arena);
    unit_free(unit);
}
END_TEST

START_TEST(parameters_narrowed_by_the_scale_never_expand)
{
    const struct row *row = &rows[_i];
    jmp_buf escape;
    struct arena *arena = arena_create(&escape);
    struct unit *unit = cell_load(row->name);
    const double scale = contraction_scale(unit->ir, unit->ranges.state, arena);
    ck_assert_msg(scale >= row->scale, "%s: %g is proven, wanted %g", row->name, scale, row->scale);
    ck_assert_msg(scale <= 1, "%s: %g", row->name, scale);
    if (scale > 0) {
        const double met = largest(unit, scale, arena);
        ck_assert_msg(met <= CONTRACTION_ONE, "%s: %.17g with %g of the ranges", row->name, met,
                      scale);
    }
    arena_destroy(arena);
    unit_free(unit);
}
END_TEST

/* The place that is reported gives what was found: gates are set by inputs of their own. */
START_TEST(what_is_said_to_be_reached_is_reached)
{
    jmp_buf escape;
    struct arena *arena = arena_create(&escape);
    struct unit *unit = cell_load("paragru");
    struct contraction found;
    double h = 0, z = 0, r = 0, c = 0, a[3] = {0}, gates[3];
    int gate = 0;
    contraction_find(&found, unit->ir, unit->ranges.state, arena);
    ck_assert_uint_eq(found.place_count, 7);
    for (uint32_t i = 0; i < found.place_count; i++) {
        const struct contraction_place *place = &found.place[i];
        if (ir_kind(place->ref) == IR_STATE)
            h = place->value;
        else if (ir_kind(place->ref) == IR_PARAM)
            a[ir_index(place->ref)] = place->value;
        else if (ir_kind(place->ref) == IR_VALUE &&
                 unit->ir->insns[ir_index(place->ref)].op == IR_TANH)
            c = place->value;
        else
            gates[gate++ % 3] = place->value;
    }
    ck_assert_int_eq(gate, 2);
    /* dh'/dh by hand, for both orders of the two sigmoids */
    double best = INFINITY;
    for (int order = 0; order < 2; order++) {
        z = gates[order];
        r = gates[1 - order];
        const double by_hand = (1 - z) + (c - h) * z * (1 - z) * a[0] +
                               z * (1 - c * c) * a[2] * (r + a[1] * h * r * (1 - r));
        best = fmin(best, fabs(fabs(by_hand) - found.found));
    }
    ck_assert_msg(best <= 1e-12, "off by %g", best);
    arena_destroy(arena);
    unit_free(unit);
}
END_TEST

/* 6000 operations took 830 ms of this processor before there was a limit, and take 9 with it. */
START_TEST(a_large_cell_takes_little_time)
{
    enum { LINES = 1500 };
    static char text[LINES * 64];
    struct unit *unit;
    int length = snprintf(text, sizeof text,
                          "cell big { state h; input u; param a, b in [-1, 1];\n"
                          "v0 = tanh(a*h + u);\n");
    for (int i = 1; i <= LINES; i++)
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "v%d = tanh(v%d*%s + 0.%d);\n", i, i - 1, i % 2 ? "a" : "b", 1 + i % 9);
    length += snprintf(text + length, sizeof text - (size_t)length, "h' = 0.5*v%d; }\n", LINES);
    pipeline_load_text(&unit, "big", text, (size_t)length, NULL);
    ck_assert_msg(unit->result == PIPELINE_OK, "%s", unit->messages);
    jmp_buf escape;
    struct arena *arena = arena_create(&escape);
    struct contraction found;
    const clock_t start = clock();
    contraction_find(&found, unit->ir, unit->ranges.state, arena);
    const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    ck_assert_msg(seconds < 0.2, "%g s", seconds);
    arena_destroy(arena);
    unit_free(unit);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("contraction");
    TCase *tests = tcase_create("contraction");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, no_point_exceeds_the_bound_and_the_bound_is_near_the_supremum, 0,
                        ROWS);
    tcase_add_loop_test(tests, parameters_narrowed_by_the_scale_never_expand, 0, ROWS);
    tcase_add_test(tests, what_is_said_to_be_reached_is_reached);
    tcase_add_test(tests, a_large_cell_takes_little_time);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
