#include "sample_front.h"

#include <math.h>

/* The text of a cell with vectors, matrices and one expression, bound to 'z'. */
static void check_expr(struct front *front, const char *expr)
{
    struct front text_owner;
    struct textbuf text;
    front_start(&text_owner);
    textbuf_init(&text, text_owner.arena);
    textbuf_printf(&text,
                   "fn pos(x) = x > 0; fn twice(x) = x + x; cell a { const d = 3, k = 2;"
                   " state s; input u[d], w[d], x[4]; param R[d, 4], Q[d, d]; z = %s;"
                   " s' = s; output _q = u[0] + w[0] + x[0] + R[0, 0] + Q[0, 0] + k + twice(1)"
                   " + where(pos(s), 1, 2), _z = where(s > 0, s, s); b = z; output b; }",
                   expr);
    front_check(front, text.text);
    front_end(&text_owner);
}

static const struct ast_expr *value_of(const struct front *front)
{
    for (const struct ast_statement *s = front->ast->statements; s; s = s->next)
        if (s->kind == AST_DEFINE)
            return s->decls->value;
    return NULL;
}

START_TEST(shapes_follow_the_rules)
{
    static const struct {
        const char *text, *shape;
    } ROWS[] = {
        {"s + 1", "a scalar"},
        {"u*s + w", "[3]"},
        {"R @ x", "[3]"},
        {"Q @ R", "[3, 4]"},
        {"transpose(R)", "[4, 3]"},
        {"outer(u, x)", "[3, 4]"},
        {"dot(u, w)", "a scalar"},
        {"sum(R)", "a scalar"},
        {"softmax(u)", "[3]"},
        {"logsumexp(u)", "a scalar"},
        {"logsumexp(u, s)", "[3]"},
        {"twice(u)", "[3]"},
        {"u[2]", "a scalar"},
        {"R[d - 1, k + 1]", "a scalar"},
        {"where(u > 0, s, w)", "[3]"},
        {"where(pos(u), 1, 0)", "[3]"},
        {"(R @ x)[0]", "a scalar"},
        {"clamp(u, -1, w)", "[3]"},
        {"max(Q, s)", "[3, 3]"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front;
        check_expr(&front, ROWS[i].text);
        ck_assert_msg(front.is_typed, "'%s': %s", ROWS[i].text, front_slugs(&front));
        ck_assert_str_eq(ast_shape_text(value_of(&front)->shape, front.arena), ROWS[i].shape);
        front_end(&front);
    }
}
END_TEST

START_TEST(one_fault_of_a_type_gives_one_message)
{
    static const struct {
        const char *text, *slugs;
    } ROWS[] = {
        {"u + x", "shape-mismatch"},
        {"(u + x)*(u + x) + s", "shape-mismatch shape-mismatch"},
        {"tanh(u + x) + 1", "shape-mismatch"},
        {"R @ u", "shape-mismatch"},
        {"u @ w", "shape-mismatch"},
        {"dot(u, x)", "shape-mismatch"},
        {"sum(s)", "shape-mismatch"},
        {"transpose(u)", "shape-mismatch"},
        {"softmax(R)", "shape-mismatch"},
        {"twice(u, w)", "argument-count"},
        {"where(s, 1, 2)", "not-a-condition"},
        {"not s", "not-a-condition"},
        {"(s > 0) + 1", "condition-as-number"},
        {"s > 0", "condition-as-number"},
        {"pos(s) + 1", "condition-as-number"},
        {"u[3]", "index-out-of-range"},
        {"u[-1]", "index-out-of-range"},
        {"u[0.5]", "index-out-of-range"},
        {"u[1e300]", "index-out-of-range"},
        {"u[s]", "not-constant"},
        {"s[0]", "index-count"},
        {"R[0]", "index-count"},
        {"u[0, 0]", "index-count"},
        {"log(-1) + s", "constant-nan"},
        {"0/0*s", "constant-nan"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front;
        check_expr(&front, ROWS[i].text);
        ck_assert_msg(!strcmp(front_slugs(&front), ROWS[i].slugs), "'%s': %s", ROWS[i].text,
                      front_slugs(&front));
        front_end(&front);
    }
}
END_TEST

START_TEST(sizes_of_any_magnitude_are_refused_cleanly)
{
    static const struct {
        const char *size, *slugs;
    } ROWS[] = {
        {"0", "bad-size"},
        {"-1", "bad-size"},
        {"2.5", "bad-size"},
        {"0/0", "constant-nan not-finite"},
        {"1e300", "too-many-scalars"},
        {"2147483648", "too-many-scalars"},
        {"9223372036854775808", "too-many-scalars"},
        {"1025", "too-many-scalars"},
        {"1024", ""},
        {"33, 32", "too-many-scalars"},
        {"65536, 65536", "too-many-scalars"},
        {"1e400", "number-overflow"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front;
        struct textbuf text;
        struct front owner;
        front_start(&owner);
        textbuf_init(&text, owner.arena);
        textbuf_printf(&text, "cell a { state h; param P[%s]; h' = h + sum(P); }", ROWS[i].size);
        front_check(&front, text.text);
        ck_assert_msg(!strcmp(front_slugs(&front), ROWS[i].slugs), "[%s]: %s", ROWS[i].size,
                      front_slugs(&front));
        front_end(&front);
        front_end(&owner);
    }
}
END_TEST

START_TEST(attributes_become_values)
{
    struct front front;
    front_check(&front, "cell a { const d = 2; state h[d] = -0.5, g; input t : shared nograd;"
                        " param p[d], q in [-1, d*2] init uniform(-d, d);"
                        " h' = p*h + t; g' = q; guess h = 0; }");
    ck_assert_msg(front.is_typed, "%s", front_slugs(&front));
    const struct sema *sema = front.sema;
    ck_assert(sema->states[0]->value == -0.5 && sema->states[1]->value == 0);
    ck_assert(sema->inputs[0]->is_shared && sema->inputs[0]->no_gradient);
    for (int i = 0; i < 2; i++) {
        const struct symbol *param = sema->params[i];
        ck_assert(param->has_range && param->lo == -1 && param->hi == 4);
        ck_assert_int_eq(param->init, SYMBOL_INIT_UNIFORM);
        ck_assert(param->init_a == -2 && param->init_b == 2);
        ck_assert(!param->is_shared && !param->no_gradient);
    }
    ck_assert_ptr_nonnull(sema->states[0]->guess);
    front_end(&front);
}
END_TEST

START_TEST(constants_are_computed)
{
    static const struct {
        const char *text;
        double value;
    } ROWS[] = {
        {"2^10", 1024},
        {"-2^2", -4},
        {"2^-1", 0.5},
        {"1/4", 0.25},
        {"sqrt(16)", 4},
        {"max(1, 3)", 3},
        {"min(1, 3)", 1},
        {"clamp(5, 0, 2)", 2},
        {"relu(-1)", 0},
        {"sign(-3)", -1},
        {"sigmoid(0)", 0.5},
        {"silu(0)", 0},
        {"softplus(0)", 0.6931471805599453},
        {"gelu(0)", 0},
        {"sin(1)", 0.84147098480789651},
        {"cos(1)", 0.54030230586813972},
        {"pow(2, 0.5)", 1.4142135623730951},
        {"detach(2) + k", 4},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct front front;
        check_expr(&front, ROWS[i].text);
        const struct ast_expr *value = value_of(&front);
        ck_assert_msg(front.is_typed && value->is_constant &&
                          fabs(value->value - ROWS[i].value) <= 1e-15,
                      "'%s' is %g", ROWS[i].text, value->value);
        front_end(&front);
    }
}
END_TEST

START_TEST(a_state_takes_its_own_shape_or_a_scalar)
{
    static const struct {
        const char *text, *slugs;
    } ROWS[] = {
        {"cell a { state h[2]; h' = 0; }", ""},
        {"cell a { state h[2]; h' = h; guess h = 1; }", ""},
        {"cell a { state h[2]; input u[3]; h' = u; }", "shape-mismatch"},
        {"cell a { state h; input u[3]; h' = u; }", "shape-mismatch"},
        {"cell a { state h[2]; input u[3]; h' = h; guess h = u; }", "shape-mismatch"},
        {"cell a { state h; h' = h > 0; }", "condition-as-number"},
        {"cell a { state h = 1/0; h' = h; }", "not-finite"},
        {"cell a { state h; param p in [2, 1]; h' = p; }", "empty-range"},
        {"cell a { state h; param p init normal(0, -1); h' = p; }", "bad-init"},
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

int main(void)
{
    const TTest *const tests[] = {shapes_follow_the_rules,
                                  one_fault_of_a_type_gives_one_message,
                                  sizes_of_any_magnitude_are_refused_cleanly,
                                  attributes_become_values,
                                  constants_are_computed,
                                  a_state_takes_its_own_shape_or_a_scalar};
    return FRONT_MAIN("typecheck", tests);
}
