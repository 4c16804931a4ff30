/* What explain says: the JSON object, formulas, the other forms. */
#include <check.h>

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "formula.h"
#include "pipeline.h"
#include "report.h"

static jmp_buf escape;
static struct arena *arena;
static struct unit *unit;

static void setup(void)
{
    arena = arena_create(&escape);
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    unit_free(unit);
    unit = NULL;
    arena_destroy(arena);
}

typedef void report_form(struct textbuf *, const struct report_subject *);

static const char *report(const char *cell, report_form *form)
{
    struct textbuf out;
    unit_free(unit);
    ck_assert_int_eq(pipeline_load_text(&unit, "test.cell", cell, strlen(cell), NULL), PIPELINE_OK);
    const struct report_subject subject = {unit->ast,     unit->ir,       &unit->structure,
                                           &unit->ranges, &unit->forward, &unit->backward};
    textbuf_init(&out, arena);
    form(&out, &subject);
    return out.text;
}

static void expect(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in\n%s", part, text);
}

static const char elman[] = "cell elman {\n state h;\n input u;\n param a in [-0.5, 0.5];\n"
                            " h' = tanh(a*h + u);\n}\n";

START_TEST(json_says_what_the_compiler_found)
{
    const char *text = report(elman, report_json);
    expect(text, "\"cell\": \"elman\"");
    expect(text, "\"states\": [\"h\"]");
    expect(text, "\"inputs\": [\"u\"]");
    expect(text, "\"params\": [\"a\"]");
    expect(text, "\"affine\": false");
    expect(text, "\"blocks\": [[\"h\"]]");
    expect(text, "\"jacobian\": [[1]]");
    expect(text, "\"contraction\": {\"proven\": true, \"bound\": 0.5}");
    expect(text, "\"transcendentals\": 1");
}
END_TEST

START_TEST(blocks_come_in_the_order_of_the_solve_and_affine_is_said)
{
    const char *text = report("cell c {\n state a, b;\n input u;\n"
                              " a' = 0.5*a + b;\n b' = 0.25*b + u;\n}\n",
                              report_json);
    expect(text, "\"affine\": true");
    expect(text, "\"blocks\": [[\"b\"], [\"a\"]]");
    expect(text, "\"jacobian\": [[1, 1], [0, 1]]");
}
END_TEST

START_TEST(an_unbounded_jacobian_is_null)
{
    expect(
        report("cell c {\n state h;\n input u;\n param a;\n h' = tanh(a*h + u);\n}\n", report_json),
        "\"contraction\": {\"proven\": false, \"bound\": null, \"reached\": ");
}
END_TEST

START_TEST(a_jacobian_above_one_is_shown_with_its_place)
{
    const char *text = report("cell c {\n state h;\n input u;\n param a in [-2, 2];\n"
                              " h' = tanh(a*h + u);\n}\n",
                              report_text);
    expect(text, "contraction not proven: bound of |dh'/dh| is 2, in row h'\n"
                 "             it is 2 at a = ");
    expect(text, ", h' = 0\n             at most 1 with parameters within 0.5 of their ranges\n");
}
END_TEST

START_TEST(formulas_use_the_names_of_the_cell)
{
    const char *text = report("cell c {\n state h;\n input u;\n param a;\n"
                              " z = sigmoid(a*h + u);\n h' = z*h;\n}\n",
                              report_text);
    expect(text, "z = sigmoid(a*h + u)");
    expect(text, "dh'/dh = ");
    expect(text, "z*(1 - z)*a");
    ck_assert_msg(strstr(strstr(text, "jacobian"), "sigmoid") == NULL, "written out:\n%s", text);
}
END_TEST

START_TEST(latex_breaks_names_into_letters_and_indices)
{
    static const char *const rows[][2] = {{"h", "h"},
                                          {"u_z", "u_{z}"},
                                          {"dt", "\\mathrm{dt}"},
                                          {"x1", "x_{1}"},
                                          {"h'", "h'"},
                                          {"R[0, 3]", "R_{0, 3}"},
                                          {"a_b[2]", "a_{b, 2}"},
                                          {"_x", "\\mathrm{\\_x}"},
                                          {"h'[1]", "h_{1}'"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct textbuf out;
        textbuf_init(&out, arena);
        formula_latex_name(&out, rows[i][0]);
        ck_assert_str_eq(out.text, rows[i][1]);
    }
}
END_TEST

START_TEST(html_is_one_page_and_escapes_what_the_user_wrote)
{
    const char *text = report("cell c {\n state h; ## <script>\n input u;\n"
                              " h' = where(u < h, h, u);\n}\n",
                              report_html);
    expect(text, "&lt;script&gt;");
    expect(text, "u &lt; h");
    expect(text, "<svg");
    ck_assert_ptr_null(strstr(text, "<script"));
    ck_assert_ptr_null(strstr(text, "http"));
}
END_TEST

START_TEST(comments_of_the_user_do_not_steer_the_terminal)
{
    static const char cell[] =
        "## red \x1b[31m \x07 \x7f \xc2\x9b \xe2\x80\xae \xe2\x81\xa6 \xc3\xa9\n"
        "## second line\n"
        "cell c {\n state h; ## \x1b]0;title\x07\n h' = h; }\n";
    const char *text = report(cell, report_text);
    expect(text, "red \\x1b[31m \\x07 \\x7f \\u{9b} \\u{202e} \\u{2066} \xc3\xa9\nsecond line\n");
    expect(text, "\\x1b]0;title\\x07");
    for (const char *c = text; *c; c++)
        ck_assert_msg(*c == '\n' || (unsigned char)*c >= ' ', "byte %02x", (unsigned char)*c);
    expect(report(cell, report_html), "\\u{202e}");
}
END_TEST

START_TEST(dot_draws_each_read_once_and_closes_the_loop)
{
    const char *text = report(elman, report_dot);
    expect(text, "digraph \"elman\"");
    expect(text, "n0 -> n3;");
    expect(text, "n3 -> n0 [style = dashed");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report");
    TCase *tcase = tcase_create("report");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, json_says_what_the_compiler_found);
    tcase_add_test(tcase, blocks_come_in_the_order_of_the_solve_and_affine_is_said);
    tcase_add_test(tcase, an_unbounded_jacobian_is_null);
    tcase_add_test(tcase, a_jacobian_above_one_is_shown_with_its_place);
    tcase_add_test(tcase, formulas_use_the_names_of_the_cell);
    tcase_add_test(tcase, latex_breaks_names_into_letters_and_indices);
    tcase_add_test(tcase, html_is_one_page_and_escapes_what_the_user_wrote);
    tcase_add_test(tcase, comments_of_the_user_do_not_steer_the_terminal);
    tcase_add_test(tcase, dot_draws_each_read_once_and_closes_the_loop);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
