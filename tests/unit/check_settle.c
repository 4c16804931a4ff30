#include "settle.h"

#include "pipeline.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct settle found;

static void find(struct arena *arena, void *context)
{
    const struct unit *unit = context;
    settle_find(&found, unit->ir, &unit->structure, arena);
}

static void settle_unit(struct unit *unit)
{
    ck_assert_msg(unit && unit->result == PIPELINE_OK, "%s", unit ? unit->messages : "memory");
    ck_assert_int_eq(pipeline_guard(NULL, find, unit), PIPELINE_OK);
    unit_free(unit);
}

static void settle_text(const char *text)
{
    struct unit *unit;
    pipeline_load_text(&unit, "test.cell", text, strlen(text), NULL);
    settle_unit(unit);
}

static void settle_cell(const char *name)
{
    char path[512];
    struct unit *unit;
    snprintf(path, sizeof path, "%s/cells/%s.cell", PRNN_SOURCE_DIR, name);
    pipeline_load_file(&unit, path, NULL);
    settle_unit(unit);
}

START_TEST(an_affine_cell_needs_one_correction)
{
    settle_text("cell c { state h; input u; param a in [-0.9, 0.9]; h' = a*h + u; }");
    for (int a = 0; a < SETTLE_CHUNKS; a++)
        for (int b = 0; b < SETTLE_TILES; b++)
            ck_assert_msg(found.corrections[a][b] == 1, "chunk %d, tile %d: %g", a, b,
                          (double)found.corrections[a][b]);
}
END_TEST

START_TEST(longer_chunks_of_a_contracting_cell_need_fewer_corrections)
{
    settle_cell("paragru");
    for (int b = 0; b < SETTLE_TILES; b++) {
        ck_assert(found.corrections[0][b] <= 4);
        for (int a = 2; a < SETTLE_CHUNKS; a++)
            ck_assert_msg(found.corrections[a][b] == 2, "chunk %d, tile %d: %g", a, b,
                          (double)found.corrections[a][b]);
    }
}
END_TEST

START_TEST(what_does_not_contract_needs_more_in_longer_tiles)
{
    settle_cell("unicornn");
    for (int a = 1; a < SETTLE_CHUNKS; a++) {
        ck_assert(found.corrections[a][2] > found.corrections[a][0]);
        ck_assert(found.corrections[a][3] >= 16);
    }
    /* Never more than one for every chunk. */
    for (int a = 0; a < SETTLE_CHUNKS; a++)
        ck_assert(found.corrections[a][3] <= 256);
}
END_TEST

/* What the states start from is the guess: by default one step, which is near; 50 is far. */
START_TEST(a_guess_that_is_far_away_costs_corrections)
{
    static const char text[] = "cell c { state h; input u; param a in [0, 0.5];%s"
                               " h' = a*sin(h) + u; }";
    char with[256], without[256];
    double near = 0, far = 0;
    snprintf(with, sizeof with, text, " guess h = 50;");
    snprintf(without, sizeof without, text, "");
    settle_text(without);
    for (int a = 0; a < SETTLE_CHUNKS; a++)
        for (int b = 0; b < SETTLE_TILES; b++)
            near += (double)found.corrections[a][b];
    settle_text(with);
    for (int a = 0; a < SETTLE_CHUNKS; a++)
        for (int b = 0; b < SETTLE_TILES; b++)
            far += (double)found.corrections[a][b];
    ck_assert_msg(far > near, "%g corrections from 50, %g by default", far, near);
}
END_TEST

START_TEST(the_same_cell_gives_the_same_numbers)
{
    settle_cell("brc");
    const struct settle first = found;
    settle_cell("brc");
    ck_assert_int_eq(memcmp(&first, &found, sizeof first), 0);
}
END_TEST

START_TEST(places_between_are_between)
{
    struct settle s;
    double corrections, finals;
    for (int a = 0; a < SETTLE_CHUNKS; a++)
        for (int b = 0; b < SETTLE_TILES; b++) {
            s.corrections[a][b] = (float)(10 - 2 * a + b);
            s.finals[a][b] = (float)(1 + b);
        }
    settle_at(&s, 16, 1, &corrections, &finals);
    ck_assert(corrections == 0 && finals == 1); /* one chunk runs in order */
    settle_at(&s, 4, 4, &corrections, &finals);
    ck_assert(corrections == 10 && finals == 1);
    settle_at(&s, 64, 256, &corrections, &finals);
    ck_assert(corrections == 5 && finals == 4);
    settle_at(&s, 8, 16, &corrections, &finals);
    ck_assert(corrections == 9 && finals == 2);
    settle_at(&s, 16, 32, &corrections, &finals);
    ck_assert(fabs(corrections - 7.5) < 1e-12 && fabs(finals - 2.5) < 1e-12);
    /* Behind the table: shorter chunks as the shortest, longer tiles further on. */
    settle_at(&s, 1, 4, &corrections, &finals);
    ck_assert(corrections == 10);
    settle_at(&s, 64, 1024, &corrections, &finals);
    ck_assert(corrections == 6);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("settle");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_affine_cell_needs_one_correction);
    tcase_add_test(tcase, longer_chunks_of_a_contracting_cell_need_fewer_corrections);
    tcase_add_test(tcase, what_does_not_contract_needs_more_in_longer_tiles);
    tcase_add_test(tcase, a_guess_that_is_far_away_costs_corrections);
    tcase_add_test(tcase, the_same_cell_gives_the_same_numbers);
    tcase_add_test(tcase, places_between_are_between);
    Suite *suite = suite_create("settle");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
