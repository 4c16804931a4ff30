#include "diag.h"
#include "limits.h"
#include "sample_front.h"

static void start(struct front *front, const char *text)
{
    front_start(front);
    source_from_memory(front->arena, front->diag, "t.cell", text, strlen(text));
}

static const char *printed(const struct front *front, enum diag_colour colour)
{
    struct textbuf out;
    textbuf_init(&out, front->arena);
    diag_print(front->diag, &out, colour);
    return out.text;
}

START_TEST(a_message_shows_place_caret_fix_and_note)
{
    struct front front;
    start(&front, "one\n\ttwo three\n");
    const struct span two = {5, 8}, three = {9, 14};
    struct diag_message *m = diag_add(front.diag, DIAG_ID_UNKNOWN_NAME, three, "three");
    diag_fix(m, three, "tree");
    diag_note(front.diag, m, two, "'%s' is declared here", "two");
    ck_assert_str_eq(printed(&front, DIAG_PLAIN),
                     "t.cell:2:6: error: unknown name 'three' [unknown-name]\n"
                     "    2 |  two three\n"
                     "      |      ^~~~~\n"
                     "      |      tree\n"
                     "t.cell:2:2: note: 'two' is declared here\n"
                     "    2 |  two three\n"
                     "      |  ^~~\n");
    ck_assert_ptr_null(strchr(printed(&front, DIAG_PLAIN), '\033'));
    ck_assert_ptr_nonnull(strstr(printed(&front, DIAG_COLOURED), "\033[1;31merror:"));
    front_end(&front);
}
END_TEST

START_TEST(text_of_the_user_cannot_write_to_the_terminal)
{
    struct front front;
    struct textbuf out;
    start(&front, "a \033[31m \xe2\x80\xae b");
    diag_add(front.diag, DIAG_ID_UNKNOWN_NAME, (struct span){11, 12}, "b\x7f\033");
    ck_assert_str_eq(printed(&front, DIAG_PLAIN),
                     "t.cell:1:10: error: unknown name 'b\\x7f\\x1b' [unknown-name]\n"
                     "    1 | a \\x1b[31m \\u{202e} b\n"
                     "      |                    ^\n");
    textbuf_init(&out, front.arena);
    diag_escape(&out, "\xff", 1);
    ck_assert_str_eq(out.text, "\\xff");
    front_end(&front);
}
END_TEST

START_TEST(a_long_line_is_cut_around_the_caret)
{
    struct front front;
    char *text = calloc(1, 100001);
    memset(text, 'x', 100000);
    start(&front, text);
    diag_add(front.diag, DIAG_ID_UNKNOWN_NAME, (struct span){50000, 100000}, "x");
    const char *out = printed(&front, DIAG_PLAIN);
    ck_assert_uint_lt(strlen(out), 500);
    const char *line = strstr(out, "    1 | "), *caret = strchr(line, '^');
    ck_assert_int_eq(caret - strchr(line, '\n') - 1, 8 + 3 + 60);
    front_end(&front);
    free(text);
}
END_TEST

START_TEST(errors_end_with_too_many_errors)
{
    struct front front;
    start(&front, "x");
    uint32_t count = 0;
    for (int i = 0; i < LIMIT_ERRORS + 5; i++) {
        struct diag_message *m =
            diag_add(front.diag, DIAG_ID_UNKNOWN_NAME, (struct span){0, 1}, "x");
        diag_note_bare(front.diag, m, "note");
    }
    for (const struct diag_message *m = front.diag->messages; m; m = m->next)
        count++;
    ck_assert_uint_eq(count, LIMIT_ERRORS + 1);
    ck_assert_str_eq(front.diag->last->slug, "too-many-errors");
    ck_assert_ptr_null(front.diag->last->notes);
    ck_assert_uint_eq(front.diag->error_count, LIMIT_ERRORS + 5);
    front_end(&front);
}
END_TEST

START_TEST(warnings_follow_the_settings)
{
    static const struct {
        const char *options[2];
        int errors, warnings;
    } ROWS[] = {
        {{NULL, NULL}, 0, 1},
        {{"no-unused", NULL}, 0, 0},
        {{"error=unused", NULL}, 1, 0},
        {{"error", NULL}, 1, 0},
        {{"error", "no-error=unused"}, 0, 1},
        {{"error", "no-unused"}, 0, 0},
        {{"no-unused", "unused"}, 0, 1},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct diag_settings settings = {.all_are_errors = false};
        struct front front;
        front_start(&front);
        for (int k = 0; k < 2 && ROWS[i].options[k]; k++)
            ck_assert(diag_settings_apply(&settings, ROWS[i].options[k]));
        struct diag *diag = diag_create(front.arena, &settings);
        diag_add_bare(diag, DIAG_ID_UNUSED, "input", "u");
        ck_assert_msg((int)diag->error_count == ROWS[i].errors &&
                          (int)diag->warning_count == ROWS[i].warnings,
                      "row %zu", i);
        front_end(&front);
    }
    struct diag_settings settings = {.all_are_errors = false};
    ck_assert(!diag_settings_apply(&settings, "no-such"));
    ck_assert(!diag_settings_apply(&settings, "no-syntax")); /* an error cannot be turned off */
}
END_TEST

START_TEST(the_worst_class_wins)
{
    struct front front;
    start(&front, "x");
    diag_add_bare(front.diag, DIAG_ID_NO_STATE, "a");
    ck_assert_int_eq(diag_worst(front.diag), DIAG_CELL);
    diag_add_bare(front.diag, DIAG_ID_TOO_DEEP, "256");
    ck_assert_int_eq(diag_worst(front.diag), DIAG_LIMIT);
    diag_add_bare(front.diag, DIAG_ID_UNREADABLE, "gone");
    ck_assert_int_eq(diag_worst(front.diag), DIAG_IO);
    front_end(&front);
}
END_TEST

START_TEST(the_nearest_name_is_a_likely_one)
{
    static const char *const NAMES[] = {"sigmoid", "softmax", "u_z", "tanh"};
    ck_assert_str_eq(diag_nearest("sigmiod", NAMES, 4), "sigmoid");
    ck_assert_str_eq(diag_nearest("u_x", NAMES, 4), "u_z");
    ck_assert_str_eq(diag_nearest("tnah", NAMES, 4), "tanh");
    ck_assert_ptr_null(diag_nearest("q", NAMES, 4));
    ck_assert_ptr_null(diag_nearest("momentum", NAMES, 4));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_message_shows_place_caret_fix_and_note,
                                  text_of_the_user_cannot_write_to_the_terminal,
                                  a_long_line_is_cut_around_the_caret,
                                  errors_end_with_too_many_errors,
                                  warnings_follow_the_settings,
                                  the_worst_class_wins,
                                  the_nearest_name_is_a_likely_one};
    return FRONT_MAIN("diag", tests);
}
