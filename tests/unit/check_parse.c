#include "limits.h"
#include "sample_front.h"

#include <locale.h>

/* The value of "h' =" of a cell with this expression, printed with all its parentheses. */
static void add_grouped(struct textbuf *out, const struct ast_expr *expr)
{
    if (expr->kind == AST_NUMBER || expr->kind == AST_NAME || expr->kind == AST_NEXT) {
        ast_print_expr(expr, out);
        return;
    }
    const char *sign = ast_operator_text(expr->kind);
    textbuf_printf(out, "(%s", sign ? sign : expr->kind == AST_CALL ? expr->name : "[]");
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        textbuf_add(out, " ");
        struct ast_expr bare = *expr->args[i];
        bare.has_parens = false;
        add_grouped(out, &bare);
    }
    textbuf_add(out, ")");
}

START_TEST(operators_group_as_the_language_says)
{
    static const struct {
        const char *text, *grouped;
    } ROWS[] = {
        {"a + b*c", "(+ a (* b c))"},
        {"a - b - c", "(- (- a b) c)"},
        {"a/b*c", "(* (/ a b) c)"},
        {"R @ h*a", "(* (@ R h) a)"},
        {"-a^2", "(- (^ a 2))"},
        {"a^-b", "(^ a (- b))"},
        {"a^b^c", "(^ a (^ b c))"},
        {"-a*b", "(* (- a) b)"},
        {"h'^2", "(^ h' 2)"},
        {"v[i]^2", "(^ ([] v i) 2)"},
        {"M[i, j + 1]", "([] M i (+ j 1))"},
        {"not a < b and c", "(and (not (< a b)) c)"},
        {"a or b and c", "(or a (and b c))"},
        {"a + b < c*d", "(< (+ a b) (* c d))"},
        {"f(a, -b)", "(f a (- b))"},
        {"(a + b)*c", "(* (+ a b) c)"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front;
        struct textbuf text, out;
        front_start(&front);
        textbuf_init(&text, front.arena);
        textbuf_init(&out, front.arena);
        textbuf_printf(&text, "cell a { h' = %s; }", ROWS[i].text);
        const struct source *source =
            source_from_memory(front.arena, front.diag, "t", text.text, text.length);
        const struct ast *ast = parse(front.arena, front.diag, source);
        ck_assert_msg(ast != NULL, "'%s': %s", ROWS[i].text, front_slugs(&front));
        add_grouped(&out, ast->statements->decls->value);
        ck_assert_str_eq(out.text, ROWS[i].grouped);
        front_end(&front);
    }
}
END_TEST

START_TEST(one_fault_gives_one_message)
{
    static const struct {
        const char *text, *slugs;
    } ROWS[] = {
        {"", "no-cell"},
        {"# only\n", "no-cell"},
        {"cell a {", "syntax"},
        {"cell a { h' = h }", "syntax"},
        {"cell a { h' = (h; }", "syntax"},
        {"cell a { h' = h $$ 2; }", "bad-character"},
        {"cell a { h' = 1..2; }", "bad-number"},
        {"cell a { h' = 0x; }", "bad-number"},
        {"cell a { h' = h && c; }", "bad-character"},
        {"cell a { h' = a < b < c; }", "chained-comparison"},
        {"cell a { h' = ; c' = ) ; }", "syntax syntax"},
        {"cell a { } cell b { }", "several-cells"},
        {"state h;", "syntax"},
        {"cell a { s\xc3\xa9 = 1; }", "bad-character"},
        {"cell a { h' = 1e-400; }", "underflow"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front;
        front_parse(&front, ROWS[i].text);
        ck_assert_msg(!strcmp(front_slugs(&front), ROWS[i].slugs), "'%s': %s", ROWS[i].text,
                      front_slugs(&front));
        front_end(&front);
    }
}
END_TEST

START_TEST(line_ends_tabs_and_the_mark_are_accepted)
{
    struct front front;
    front_parse(&front, "\xef\xbb\xbf"
                        "cell a {\r\n\tstate h; # caf\xc3\xa9\r\n\th' = h;\r\n}");
    ck_assert_str_eq(front_slugs(&front), "");
    ck_assert_ptr_nonnull(front.ast);
    front_end(&front);
}
END_TEST

START_TEST(words_of_c_and_attributes_are_names)
{
    struct front front;
    front_check(&front, "cell class { state int, threadIdx; input shared, normal, min;"
                        " int' = int + min(min, 2); threadIdx' = shared + normal + threadIdx; }");
    ck_assert_str_eq(front_slugs(&front), "");
    front_end(&front);
}
END_TEST

/* A cell whose value is 'count' times 'open', a name, 'count' times 'close'. */
static void parse_nested(struct front *front, const char *open, const char *close, size_t count)
{
    char *text = malloc(64 + count * (strlen(open) + strlen(close)));
    strcpy(text, "cell a { state h; h' = ");
    char *at = text + strlen(text);
    for (size_t i = 0; i < count; i++, at += strlen(open))
        memcpy(at, open, strlen(open));
    *at++ = 'h';
    for (size_t i = 0; i < count; i++, at += strlen(close))
        memcpy(at, close, strlen(close));
    strcpy(at, "; }");
    front_check(front, text);
    free(text);
}

START_TEST(nesting_is_limited_and_said_once)
{
    static const struct {
        const char *open, *close;
        size_t most; /* that is accepted */
    } ROWS[] = {
        {"(", ")", LIMIT_NESTING},         {"-", "", LIMIT_NESTING - 1},
        {"tanh(", ")", LIMIT_NESTING - 1}, {"h^", "", LIMIT_NESTING - 1},
        {"h+", "", LIMIT_NESTING - 1},     {"-(", ")", LIMIT_NESTING - 1},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const size_t counts[] = {ROWS[i].most, ROWS[i].most + 1, 40000};
        for (int k = 0; k < 3; k++) {
            struct front front;
            parse_nested(&front, ROWS[i].open, ROWS[i].close, counts[k]);
            ck_assert_msg(!strcmp(front_slugs(&front), k ? "too-deep" : ""), "%zu '%s': %s",
                          counts[k], ROWS[i].open, front_slugs(&front));
            if (k)
                ck_assert_int_eq(diag_worst(front.diag), DIAG_LIMIT);
            front_end(&front);
        }
    }
    struct front front;
    parse_nested(&front, "(", ")", 200000);
    ck_assert_str_eq(front_slugs(&front), "too-deep");
    front_end(&front);
}
END_TEST

START_TEST(tokens_are_limited)
{
    char *text = malloc(LIMIT_TOKENS * 2 + 64);
    strcpy(text, "cell a {");
    char *at = text + strlen(text);
    for (int i = 0; i < LIMIT_TOKENS / 4; i++, at += 4)
        memcpy(at, "x=1;", 4);
    strcpy(at, "}");
    struct front front;
    front_parse(&front, text);
    ck_assert_str_eq(front_slugs(&front), "too-many-tokens");
    ck_assert_int_eq(diag_worst(front.diag), DIAG_LIMIT);
    front_end(&front);
    free(text);
}
END_TEST

START_TEST(documentation_belongs_to_its_line_or_the_one_below)
{
    struct front front;
    front_parse(&front, "## of f\n"
                        "fn f(x) = x;\n"
                        "\n"
                        "## first\n"
                        "## second\n"
                        "cell a { ## third\n"
                        "    ## lost\n"
                        "\n"
                        "    state h; ## hidden\n"
                        "    input u, ## one\n"
                        "          v; ## two\n"
                        "    h' = u; # no doc\n"
                        "}\n");
    const struct ast *ast = front.ast;
    ck_assert_ptr_nonnull(ast);
    ck_assert_str_eq(ast->fns->doc, "of f");
    ck_assert_str_eq(ast->doc, "first\nsecond\nthird");
    const struct ast_statement *state = ast->statements, *input = state->next;
    ck_assert_str_eq(state->decls->doc, "hidden");
    ck_assert_str_eq(input->decls->doc, "one");
    ck_assert_str_eq(input->decls->next->doc, "two");
    ck_assert_ptr_null(input->next->decls->doc);
    front_end(&front);
}
END_TEST

START_TEST(numbers_do_not_follow_the_locale)
{
    struct front front;
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed */
    front_parse(&front, "cell a { h' = 1.5; }");
    setlocale(LC_ALL, "C");
    ck_assert(front.ast && front.ast->statements->decls->value->number == 1.5);
    front_end(&front);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {operators_group_as_the_language_says,
                                  one_fault_gives_one_message,
                                  line_ends_tabs_and_the_mark_are_accepted,
                                  words_of_c_and_attributes_are_names,
                                  nesting_is_limited_and_said_once,
                                  tokens_are_limited,
                                  documentation_belongs_to_its_line_or_the_one_below,
                                  numbers_do_not_follow_the_locale};
    return FRONT_MAIN("parse", tests);
}
