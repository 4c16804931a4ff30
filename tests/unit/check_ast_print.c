#include "sample_front.h"

static const char *print(struct front *front, const char *text)
{
    struct textbuf out;
    front_parse(front, text);
    ck_assert_msg(front->ast != NULL, "%s: %s", text, front_slugs(front));
    textbuf_init(&out, front->arena);
    ast_print(front->ast, &out);
    return out.text;
}

START_TEST(layout_is_canonical_and_stays)
{
    static const struct {
        const char *text, *wanted;
    } ROWS[] = {
        {"cell a{state h;h'=h;}", "cell a {\n    state h;\n    h' = h;\n}\n"},
        {"fn f(x)=x ;cell a{h'=f( 1 );}", "fn f(x) = x;\ncell a {\n    h' = f(1);\n}\n"},
        {"cell a{zz=1;h'=zz;}", "cell a {\n    zz = 1;\n    h' = zz;\n}\n"},
        {"cell a{z=1;h'=z;}", "cell a {\n    z  = 1;\n    h' = z;\n}\n"},
        {"cell a {\n\n\n# c\n\n\n\nh' = 1;\n\n}\n", "cell a {\n    # c\n\n    h' = 1;\n}\n"},
        {"cell a{h'=1; # one\nlong'=2;# two\n}\n",
         "cell a {\n    h'    = 1; # one\n    long' = 2; # two\n}\n"},
        {"cell a{h'=1+ # inside\n2;}", "cell a {\n    # inside\n    h' = 1 + 2;\n}\n"},
        {"cell a{input u, ## first\nv; ## second\n}",
         "cell a {\n    input u, ## first\n          v; ## second\n}\n"},
        {"cell a{param b nograd init zeros() in[0,1]:shared;}",
         "cell a {\n    param b : shared in [0, 1] init zeros nograd;\n}\n"},
        {"cell a{b=1;h'=b; # of h\n}", "cell a {\n    b  = 1;\n    h' = b; # of h\n}\n"},
        {"cell a {} # end", "cell a {\n} # end\n"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front, again;
        const char *once = print(&front, ROWS[i].text);
        ck_assert_str_eq(once, ROWS[i].wanted);
        ck_assert_str_eq(print(&again, once), once);
        front_end(&front);
        front_end(&again);
    }
}
END_TEST

START_TEST(parentheses_appear_where_a_tree_needs_them)
{
    struct front front;
    struct textbuf out;
    front_start(&front);
    const struct span none = {0, 0};
    struct arena *arena = front.arena;
    struct ast_expr *a = ast_name(arena, AST_NAME, "a", none);
    struct ast_expr *b = ast_name(arena, AST_NAME, "b", none);
    struct ast_expr *difference = ast_binary(arena, AST_SUB, a, b, none);
    struct ast_expr *negative = ast_unary(arena, AST_NEG, a, none);
    const struct {
        struct ast_expr *expr;
        const char *text;
    } rows[] = {
        {ast_binary(arena, AST_SUB, a, difference, none), "a - (a - b)"},
        {ast_binary(arena, AST_SUB, difference, b, none), "a - b - b"},
        {ast_binary(arena, AST_MUL, difference, b, none), "(a - b)*b"},
        {ast_binary(arena, AST_POW, negative, negative, none), "(-a)^-a"},
        {ast_unary(arena, AST_NEG, difference, none), "-(a - b)"},
        {ast_binary(arena, AST_POW, ast_binary(arena, AST_POW, a, b, none), b, none), "(a^b)^b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        textbuf_init(&out, arena);
        ast_print_expr(rows[i].expr, &out);
        ck_assert_str_eq(out.text, rows[i].text);
    }
    front_end(&front);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {layout_is_canonical_and_stays,
                                  parentheses_appear_where_a_tree_needs_them};
    return FRONT_MAIN("ast_print", tests);
}
