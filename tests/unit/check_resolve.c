#include "sample_front.h"

START_TEST(each_fault_of_a_name_has_its_message)
{
    static const struct {
        const char *text, *slugs;
    } ROWS[] = {
        {"cell a { state h; h' = q + q; }", "unknown-name"},
        {"cell a { state h; h' = tahn(h); }", "unknown-function"},
        {"cell a { state h; h' = z; z = h; }", "used-before-definition"},
        {"cell a { state h; z = z + 1; h' = z; }", "used-before-definition"},
        {"cell a { state h, c; h' = c'; c' = h'; }", "used-before-definition"},
        {"cell a { h' = h; state h; }", "used-before-definition"},
        {"cell a { state h, h; h' = h; }", "redefined"},
        {"cell a { state h; h = 1; h' = h; }", "redefined"},
        {"cell a { state h; input u; u = 1; h' = h; }", "redefined"},
        {"cell a { state h; }", "no-update"},
        {"cell a { state h; h' = 1; h' = 2; }", "two-updates"},
        {"cell a { input u; output y = u; }", "no-state"},
        {"cell a { state h; h' = h; output h; }", "not-an-output"},
        {"cell a { state h; h' = h; output h', h'; }", "two-outputs"},
        {"cell a { state h; input u; h' = u'; }", "not-a-state"},
        {"cell a { state h; guess h = 1, h = 2; h' = h; }", "two-guesses"},
        {"fn f(x) = f(x); cell a { state h; h' = f(h); }", "recursive-function"},
        {"fn f(x) = g(x); fn g(x) = x; cell a { state h; h' = f(h); }", "used-before-definition"},
        {"fn f(x) = h; cell a { state h; h' = f(h); }", "not-in-function"},
        {"fn f(x, y) = x; cell a { state h; h' = f(h); }", "argument-count"},
        {"fn exp(x) = x; cell a { state h; h' = exp(h); }", "redefined"},
        {"cell a { state h nograd; h' = h; }", "attribute-not-allowed"},
        {"cell a { state h; param b init cauchy(1); h' = b*h; }", "unknown-attribute"},
        {"cell a { state h; param b : global; h' = b*h; }", "unknown-attribute"},
        {"cell a { state h; param b nograd nograd; h' = b*h; }", "repeated-attribute"},
        {"cell a { state h; param b init normal(1); h' = b*h; }", "argument-count"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front;
        front_check(&front, ROWS[i].text);
        ck_assert_msg(!strcmp(front_slugs(&front), ROWS[i].slugs), "'%s': %s", ROWS[i].text,
                      front_slugs(&front));
        front_end(&front);
    }
}
END_TEST

START_TEST(all_faults_are_reported_in_one_run)
{
    struct front front;
    front_check(&front, "cell a { state h, c; b = p1; h' = h + p2; }");
    ck_assert_str_eq(front_slugs(&front), "unknown-name unknown-name no-update");
    front_end(&front);
}
END_TEST

START_TEST(outputs_default_to_all_states)
{
    struct front front;
    front_check(&front, "cell a { state h, c; h' = c; c' = h; }");
    ck_assert(front.is_typed);
    ck_assert_uint_eq(front.sema->output_count, 2);
    ck_assert_str_eq(front.sema->outputs[0].name, "h");
    ck_assert_int_eq(front.sema->outputs[1].value->kind, AST_NEXT);
    ck_assert_ptr_eq(front.sema->outputs[1].value->symbol, front.sema->states[1]);
    front_end(&front);
    front_check(&front, "cell a { state h; z = 2*h; h' = z; output z, h', y = 3*z; }");
    ck_assert_str_eq(front_slugs(&front), "");
    ck_assert_uint_eq(front.sema->output_count, 3);
    ck_assert_str_eq(front.sema->outputs[2].name, "y");
    front_end(&front);
}
END_TEST

START_TEST(what_nothing_reads_is_warned_about)
{
    struct front front;
    front_check(&front, "fn f(x, y) = x; cell a { state h; input u, _v; h' = h; }");
    ck_assert_str_eq(front_slugs(&front), "unused unused unused");
    ck_assert(front.is_typed);
    front_end(&front);
}
END_TEST

START_TEST(a_define_needs_a_const_of_its_name)
{
    static const struct sema_define DEFINES[] = {{"k", 7}, {"q", 1}};
    struct front front;
    front_parse(&front, "cell a { const k = 2; state h; h' = k*h; }");
    ck_assert_ptr_null(resolve(front.arena, front.diag, front.ast, DEFINES, 2));
    ck_assert_str_eq(front_slugs(&front), "unknown-const");
    front_end(&front);
    front_parse(&front, "cell a { const k = 2, m = k*2; state h[m]; h' = k*h; }");
    front.sema = resolve(front.arena, front.diag, front.ast, DEFINES, 1);
    ck_assert(front.sema && typecheck(front.arena, front.diag, front.sema));
    ck_assert(front.sema->consts[0]->value == 7);
    ck_assert_uint_eq(front.sema->states[0]->shape.rows, 14);
    front_end(&front);
}
END_TEST

/* Every function calls the one before: the depth of the inlined body counts, not of the text. */
START_TEST(inlined_calls_count_as_nesting)
{
    static const struct {
        int count;
        const char *slugs;
    } ROWS[] = {{250, ""}, {300, "too-deep"}};
    for (size_t i = 0; i < 2; i++) {
        struct front front;
        struct textbuf text;
        front_start(&front);
        textbuf_init(&text, front.arena);
        textbuf_add(&text, "fn f0(x) = x;");
        for (int k = 1; k < ROWS[i].count; k++)
            textbuf_printf(&text, "fn f%d(x) = f%d(x);", k, k - 1);
        textbuf_printf(&text, "cell a { state h; h' = f%d(h); }", ROWS[i].count - 1);
        struct front inner;
        front_check(&inner, text.text);
        ck_assert_str_eq(front_slugs(&inner), ROWS[i].slugs);
        front_end(&inner);
        front_end(&front);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_fault_of_a_name_has_its_message, all_faults_are_reported_in_one_run,
        outputs_default_to_all_states,        what_nothing_reads_is_warned_about,
        a_define_needs_a_const_of_its_name,   inlined_calls_count_as_nesting};
    return FRONT_MAIN("resolve", tests);
}
