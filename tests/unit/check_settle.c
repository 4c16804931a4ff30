#include "settle.h"

#include "pipeline.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static struct settle found[SETTLE_ROUNDINGS];

static void find(struct arena *arena, void *context)
{
    const struct unit *unit = context;
    for (int r = 0; r < SETTLE_ROUNDINGS; r++) {
        struct settle_trial *trial =
            settle_begin(unit->ir, &unit->structure, (enum settle_rounding)r, arena);
        for (int part = SETTLE_PARTS - 1; part >= 0; part--)
            settle_run(&found[r], trial, part);
        settle_end(&found[r], trial);
    }
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
        for (int b = 0; b < SETTLE_TILES; b++) {
            const struct settle_count *count = &found[SETTLE_32].of[a][b];
            ck_assert_msg(count->corrections == 1 && count->rough == 0, "chunk %d, tile %d: %g", a,
                          b, (double)count->corrections);
        }
}
END_TEST

/* A gated cell forgets within 32 steps, in 16-bit storage within 16. */
START_TEST(longer_chunks_of_a_contracting_cell_need_fewer_corrections)
{
    settle_cell("paragru");
    for (int r = 0; r < SETTLE_ROUNDINGS; r++)
        for (int b = 0; b < SETTLE_TILES; b++) {
            const struct settle_count *first = &found[r].of[0][b];
            ck_assert(first->rough + first->corrections <= 4);
            ck_assert(first->rough == 1);
            for (int a = r == SETTLE_16 ? 2 : 3; a < SETTLE_CHUNKS; a++)
                ck_assert_msg(found[r].of[a][b].corrections == 1 && found[r].of[a][b].rough == 0,
                              "rounding %d, chunk %d, tile %d: %g and %g", r, a, b,
                              (double)found[r].of[a][b].rough,
                              (double)found[r].of[a][b].corrections);
        }
}
END_TEST

/* ... and one that keeps 0.99 of its state does not. */
START_TEST(a_cell_that_remembers_begins_with_a_rough_correction)
{
    settle_text("cell c { state h; input u; h' = 0.99*h + 0.01*tanh(h + u); }");
    for (int a = 0; a < SETTLE_CHUNKS; a++)
        ck_assert(found[SETTLE_32].of[a][1].rough == 1);
}
END_TEST

/* What a kernel without a ring relies on. */
START_TEST(the_steps_before_an_entry_say_all_where_a_cell_forgets)
{
    static const struct {
        const char *cell;
        bool is_trusted;
    } cells[] = {{"paragru", true},     {"paralstm", true},  {"slstm", true}, {"mingru", true},
                 {"elman_heads", true}, {"unicornn", false}, {"lru", false}};
    settle_cell(cells[_i].cell);
    for (int r = 0; r < SETTLE_ROUNDINGS; r++)
        ck_assert_msg(settle_is_trusted(&found[r]) == cells[_i].is_trusted, "%s, rounding %d",
                      cells[_i].cell, r);
}
END_TEST

static uint32_t usual_guess(int rounding)
{
    return settle_trusted_steps((enum settle_rounding)rounding, 0).all;
}

/* Recurrent weights near 1 remember, which few channels have; without a bound on them more do. */
START_TEST(a_few_channels_that_remember_are_counted)
{
    settle_cell("cfc");
    for (int r = 0; r < SETTLE_ROUNDINGS; r++) {
        const float missed = settle_missed(&found[r], usual_guess(r));
        ck_assert(missed > 0 && missed < 0.1f);
        ck_assert(found[r].guess > usual_guess(r) && settle_is_trusted(&found[r]));
    }
    settle_cell("indrnn_relu");
    ck_assert_uint_eq(found[SETTLE_32].guess, SETTLE_GUESSES * SETTLE_GUESS_EVERY);
    ck_assert(found[SETTLE_32].missed[SETTLE_GUESSES - 1] > 0);
    settle_cell("paragru");
    for (int r = 0; r < SETTLE_ROUNDINGS; r++) {
        ck_assert(found[r].guess == usual_guess(r));
        ck_assert(settle_missed(&found[r], found[r].guess) == 0);
        ck_assert(settle_missed(&found[r], 8) > 0.5f && settle_missed(&found[r], 0) == 1);
    }
}
END_TEST

/* What is left of another state has to be below 2^-20 of the state, for 16 bits 2^-11. A linear
 * cell says by its factor when; some steps more are for states that were larger before. */
START_TEST(a_guess_is_from_as_many_steps_as_the_cell_takes_to_forget)
{
    static const struct {
        double factor;
        uint32_t least, most; /* 0: none are enough */
    } of[][SETTLE_ROUNDINGS] = {{{0.5, 48, 48}, {0.5, 32, 32}},
                                {{0.8, 64, 88}, {0.8, 40, 56}},    /* 0.8^64 = 2^-20.6 */
                                {{0.9, 136, 160}, {0.9, 80, 112}}, /* 0.9^136 = 2^-20.7 */
                                {{0.97, 0, 0}, {0.97, 0, 0}}};     /* 0.97^160 = 2^-7.0 */
    char text[80];
    snprintf(text, sizeof text, "cell c { state h; input u; h' = %g*h + u; }", of[_i][0].factor);
    settle_text(text);
    for (int r = 0; r < SETTLE_ROUNDINGS; r++) {
        const bool is_enough = of[_i][r].most > 0;
        ck_assert_msg(settle_is_trusted(&found[r]) == is_enough, "rounding %d", r);
        if (is_enough)
            ck_assert_msg(found[r].guess >= of[_i][r].least && found[r].guess <= of[_i][r].most,
                          "%g, rounding %d: %u", of[_i][r].factor, r, found[r].guess);
        else
            ck_assert_uint_eq(found[r].guess, usual_guess(r));
        if (found[r].guess > usual_guess(r))
            ck_assert(settle_missed(&found[r], found[r].guess - 32) > 0);
    }
}
END_TEST

START_TEST(what_does_not_contract_needs_more_in_longer_tiles)
{
    settle_cell("unicornn");
    for (int a = 1; a < SETTLE_CHUNKS; a++) {
        const struct settle_count *row = found[SETTLE_32].of[a];
        ck_assert(row[2].corrections > row[0].corrections);
        ck_assert(row[3].corrections >= 15);
    }
    /* Never more than one for every chunk. */
    for (int a = 0; a < SETTLE_CHUNKS; a++)
        ck_assert(found[SETTLE_32].of[a][3].corrections <= 256);
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
            near +=
                (double)(found[SETTLE_32].of[a][b].rough + found[SETTLE_32].of[a][b].corrections);
    settle_text(with);
    for (int a = 0; a < SETTLE_CHUNKS; a++)
        for (int b = 0; b < SETTLE_TILES; b++)
            far +=
                (double)(found[SETTLE_32].of[a][b].rough + found[SETTLE_32].of[a][b].corrections);
    ck_assert_msg(far > near, "%g corrections from 50, %g by default", far, near);
}
END_TEST

START_TEST(the_same_cell_gives_the_same_numbers)
{
    settle_cell("brc");
    struct settle first[SETTLE_ROUNDINGS];
    memcpy(first, found, sizeof first);
    settle_cell("brc");
    ck_assert_int_eq(memcmp(first, found, sizeof first), 0);
}
END_TEST

START_TEST(places_between_are_between)
{
    struct settle s = {0};
    struct settle_count count;
    for (int a = 0; a < SETTLE_CHUNKS; a++)
        for (int b = 0; b < SETTLE_TILES; b++)
            s.of[a][b] = (struct settle_count){
                .rough = a < 2, .corrections = (float)(10 - 2 * a + b), .finals = (float)(1 + b)};
    count = settle_at(&s, 16, 1);
    ck_assert(count.corrections == 0 && count.finals == 1); /* one chunk runs in order */
    count = settle_at(&s, 4, 4);
    ck_assert(count.corrections == 10 && count.finals == 1 && count.rough == 1);
    count = settle_at(&s, 64, 256);
    ck_assert(count.corrections == 5 && count.finals == 4 && count.rough == 0);
    count = settle_at(&s, 8, 16);
    ck_assert(count.corrections == 9 && count.finals == 2);
    count = settle_at(&s, 16, 32);
    ck_assert(fabsf(count.corrections - 7.5f) < 1e-6f && fabsf(count.finals - 2.5f) < 1e-6f);
    /* Behind the table: shorter chunks as the shortest, longer tiles further on. */
    ck_assert(settle_at(&s, 1, 4).corrections == 10);
    ck_assert(settle_at(&s, 64, 1024).corrections == 6);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("settle");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, the_steps_before_an_entry_say_all_where_a_cell_forgets, 0, 7);
    tcase_add_test(tcase, a_few_channels_that_remember_are_counted);
    tcase_add_loop_test(tcase, a_guess_is_from_as_many_steps_as_the_cell_takes_to_forget, 0, 4);
    tcase_add_test(tcase, an_affine_cell_needs_one_correction);
    tcase_add_test(tcase, longer_chunks_of_a_contracting_cell_need_fewer_corrections);
    tcase_add_test(tcase, a_cell_that_remembers_begins_with_a_rough_correction);
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
