#include "sample_cells.h"

#include "diag.h"
#include "ir_eval.h"
#include "limits.h"
#include "lower.h"
#include "parse.h"
#include "resolve.h"
#include "source.h"
#include "textbuf.h"
#include "typecheck.h"

#include <math.h>
#include <stdlib.h>

static struct arena *arena;
static struct diag *diag;

static void setup(void)
{
    arena = sample_arena();
    diag = diag_create(arena, NULL);
}

static void teardown(void)
{
    arena_destroy(arena);
}

static const char *messages(void)
{
    struct textbuf out;
    textbuf_init(&out, arena);
    diag_print(diag, &out, DIAG_PLAIN);
    return out.text;
}

/* NULL if lowering refuses; a fault of an earlier stage is a fault of the test. */
static struct ir *try_lower(const char *text)
{
    const struct source *source = source_from_memory(arena, diag, "test.cell", text, strlen(text));
    ck_assert_msg(source != NULL, "%s", messages());
    struct ast *ast = parse(arena, diag, source);
    ck_assert_msg(ast != NULL, "%s", messages());
    struct sema *sema = resolve(arena, diag, ast, NULL, 0);
    ck_assert_msg(sema != NULL, "%s", messages());
    ck_assert_msg(typecheck(arena, diag, sema), "%s", messages());
    return lower(arena, diag, sema);
}

static struct ir *lowered(const char *text)
{
    struct ir *ir = try_lower(text);
    ck_assert_msg(ir != NULL, "%s", messages());
    const char *fault = ir_verify(ir, true, arena);
    ck_assert_msg(fault == NULL, "%s: %s", text, fault);
    return ir;
}

/* Instructions and outs as text. */
static const char *body(const struct ir *ir)
{
    struct textbuf out;
    textbuf_init(&out, arena);
    ir_print(&out, ir);
    const char *insn = strstr(out.text, "\n%"), *first_out = strstr(out.text, "\nout ");
    return (insn ? insn : first_out) + 1;
}

static const struct {
    const char *name, *cell, *ir;
} cases[] = {
    {"operators and precedence", "state h; input u, v; h' = -h*u + v/h - (u - v);",
     "%0 = neg h0\n%1 = mul %0, x0\n%2 = div x1, h0\n%3 = add %1, %2\n%4 = sub x0, x1\n"
     "%5 = sub %3, %4\nout next.0 = %5\nout out.0 = %5\n"},
    {"equal expressions are shared", "state h; input u; a = tanh(h*u); h' = a + tanh(u*h);",
     "%0 = mul h0, x0\n%1 = tanh %0\n%2 = add %1, %1\nout next.0 = %2\nout out.0 = %2\n"},
    {"what nothing needs is left away", "state h; input u; a = exp(u); h' = h + 0*a; guess h = u;",
     "%0 = exp x0\n%1 = mul %0, 0\n%2 = add %1, h0\nout next.0 = %2\nout out.0 = %2\n"
     "out guess.0 = x0\n"},
    {"unused definition", "state h; input u; a = exp(u); h' = h;",
     "out next.0 = h0\nout out.0 = h0\n"},
    {"constants are numbers", "state h; const c = 2; const d = c + 1; h' = d*h + c/d;",
     "%0 = mul 3, h0\n%1 = add %0, 0.6666666666666666\nout next.0 = %1\nout out.0 = %1\n"},
    {"conditions", "state h; input u; h' = where(h < u and not (u >= 1) or h == 0, h, u);",
     "%0 = lt h0, x0\n%1 = ge x0, 1\n%2 = not %1\n%3 = and %0, %2\n%4 = eq 0, h0\n"
     "%5 = or %3, %4\n%6 = where %5, h0, x0\nout next.0 = %6\nout out.0 = %6\n"},
    {"state after the step", "state a, b; a' = tanh(a); b' = a'*b;",
     "%0 = tanh h0\n%1 = mul %0, h1\nout next.0 = %0\nout next.1 = %1\nout out.0 = %0\n"
     "out out.1 = %1\n"},
    {"outputs only", "state a, b; input u; a' = a*u; b' = a + b; output b', y = sin(a');",
     "%0 = mul h0, x0\n%1 = add h0, h1\n%2 = sin %0\nout next.0 = %0\nout next.1 = %1\n"
     "out out.0 = %1\nout out.1 = %2\n"},
    {"an output is read", "state h; output y = tanh(h); h' = y*h;",
     "%0 = tanh h0\n%1 = mul %0, h0\nout next.0 = %1\nout out.0 = %0\n"},
    {"guess", "state h; input u; h' = tanh(h + u); guess h = tanh(u);",
     "%0 = add h0, x0\n%1 = tanh %0\n%2 = tanh x0\nout next.0 = %1\nout out.0 = %1\n"
     "out guess.0 = %2\n"},
    {"power five", "state h; h' = h^5;",
     "%0 = mul h0, h0\n%1 = mul %0, %0\n%2 = mul %1, h0\nout next.0 = %2\nout out.0 = %2\n"},
    {"negative power", "state h; h' = h^-2;",
     "%0 = mul h0, h0\n%1 = div 1, %0\nout next.0 = %1\nout out.0 = %1\n"},
    {"power nought", "state h; h' = h^0;", "out next.0 = 1\nout out.0 = 1\n"},
    {"power one", "state h; h' = h^1;", "out next.0 = h0\nout out.0 = h0\n"},
    {"broken power", "state h; h' = h^2.5;", "%0 = pow h0, 2.5\nout next.0 = %0\nout out.0 = %0\n"},
    {"relu takes nothing at its corner", "state h; h' = relu(h);",
     "%0 = max 0, h0\nout next.0 = %0\nout out.0 = %0\n"},
    {"clamp passes at both ends", "state h; h' = clamp(h, -1, 1);",
     "%0 = max h0, -1\n%1 = min %0, 1\nout next.0 = %1\nout out.0 = %1\n"},
    {"vectors are scalars in order", "state h[2]; input u[2], s; h' = s*h + u;",
     "%0 = mul h0, x2\n%1 = add %0, x0\n%2 = mul h1, x2\n%3 = add %2, x1\n"
     "out next.0 = %1\nout next.1 = %3\nout out.0 = %1\nout out.1 = %3\n"},
    {"a scalar update fills the vector", "state h[2]; input u; h' = u;",
     "out next.0 = x0\nout next.1 = x0\nout out.0 = x0\nout out.1 = x0\n"},
    {"matrix times vector", "state h[2]; param R[2, 2]; h' = R @ h;",
     "%0 = mul h0, p0\n%1 = mul h1, p1\n%2 = add %0, %1\n%3 = mul h0, p2\n%4 = mul h1, p3\n"
     "%5 = add %3, %4\nout next.0 = %2\nout next.1 = %5\nout out.0 = %2\nout out.1 = %5\n"},
    {"an element of a product of matrices",
     "state h; param A[2, 2], B[2, 2]; h' = h*(A @ B)[1, 0];",
     "%0 = mul p2, p4\n%1 = mul p3, p6\n%2 = add %0, %1\n%3 = mul %2, h0\n"
     "out next.0 = %3\nout out.0 = %3\n"},
    {"transpose", "state h; param A[2, 3]; h' = h*transpose(A)[2, 1];",
     "%0 = mul h0, p5\nout next.0 = %0\nout out.0 = %0\n"},
    {"outer product", "state h; input u[2], v[3]; h' = h*outer(u, v)[1, 2];",
     "%0 = mul x1, x4\n%1 = mul %0, h0\nout next.0 = %1\nout out.0 = %1\n"},
    {"dot and sum from the left", "state h; input u[3]; h' = h + dot(u, u) + sum(u);",
     "%0 = mul x0, x0\n%1 = mul x1, x1\n%2 = add %0, %1\n%3 = mul x2, x2\n%4 = add %2, %3\n"
     "%5 = add %4, h0\n%6 = add x0, x1\n%7 = add %6, x2\n%8 = add %5, %7\n"
     "out next.0 = %8\nout out.0 = %8\n"},
};

START_TEST(cell_becomes_this_ir)
{
    const char *cell = arena_printf(arena, "cell c { %s }", cases[_i].cell);
    const char *text = body(lowered(cell));
    ck_assert_msg(strcmp(text, cases[_i].ir) == 0, "%s:\n%sinstead of\n%s", cases[_i].name, text,
                  cases[_i].ir);
}
END_TEST

/* Cells that mean the same; the first of each pair is the simpler text. */
static const struct {
    const char *name, *cell, *same;
} pairs[] = {
    {"independent lines",
     "cell c { state h, k; input u, v; z = sigmoid(h*u); r = tanh(k*v); h' = z*r + r; k' = r*z; }",
     "cell c { state h, k; input u, v; r = tanh(k*v); k' = r*sigmoid(h*u); z = sigmoid(h*u);"
     " h' = z*r + r; }"},
    {"a definition written out", "cell c { state h; input u; h' = tanh(u*h)*exp(h) + cos(u); }",
     "cell c { state h; input u; c = cos(u); t = exp(h); h' = tanh(u*h)*t + c; }"},
    {"a function written out", "cell c { state h; input u; h' = cos(u) - exp(h); }",
     "fn f(a, b) = cos(b) - a; cell c { state h; input u; h' = f(exp(h), u); }"},
    {"a line that nobody reads", "cell c { state h; input u; h' = tanh(u*h) + u*h*h; }",
     "cell c { state h; input u; _z = h*u + u*h*h; h' = tanh(u*h) + u*h*h; }"},
};

START_TEST(where_a_value_is_written_leaves_no_trace)
{
    const char *wanted = body(lowered(pairs[_i].cell)), *found = body(lowered(pairs[_i].same));
    ck_assert_msg(strcmp(wanted, found) == 0, "%s:\n%sinstead of\n%s", pairs[_i].name, found,
                  wanted);
}
END_TEST

static double first_output(const struct ir *ir, const double *h, const double *x)
{
    const struct ir_program *program = ir_program_create(ir, IR_MASK(IR_OUT_OUTPUT), arena);
    double *scratch = arena_array(arena, ir_program_scratch(program), sizeof *scratch);
    double output[8] = {0};
    const struct ir_leaves_f64 leaves = {.h = h, .x = x, .out[IR_OUT_OUTPUT] = output};
    ir_eval_f64(program, &leaves, scratch);
    return output[0];
}

static double gelu(double x)
{
    return x / 2 * (1 + erf(x / sqrt(2)));
}

/* At h = 0.75, u = [-0.5, 1.25, 2]. */
START_TEST(function_has_its_value)
{
    const double h = 0.75, u[] = {-0.5, 1.25, 2};
    const double sum = exp(u[0]) + exp(u[1]) + exp(u[2]);
    const struct {
        const char *expr;
        double value;
    } rows[] = {
        {"sigmoid(h)", 1 / (1 + exp(-h))},
        {"tanh(h)", tanh(h)},
        {"exp(h)", exp(h)},
        {"log(h)", log(h)},
        {"log1p(h)", log1p(h)},
        {"expm1(h)", expm1(h)},
        {"sqrt(h)", sqrt(h)},
        {"rsqrt(h)", 1 / sqrt(h)},
        {"sin(h)", sin(h)},
        {"cos(h)", cos(h)},
        {"abs(u[0])", 0.5},
        {"sign(u[0])", -1},
        {"relu(u[0])", 0},
        {"relu(h)", h},
        {"softplus(h)", log1p(exp(h))},
        {"silu(h)", h / (1 + exp(-h))},
        {"gelu(h)", gelu(h)},
        {"gelu(u[0])", gelu(u[0])},
        {"erf(h)", erf(h)},
        {"min(h, u[1])", h},
        {"max(h, u[1])", u[1]},
        {"clamp(u[2], -1, h)", h},
        {"pow(h, u[1])", pow(h, u[1])},
        {"pow(h, 3)", h * h * h},
        {"h^-3", 1 / (h * h * h)},
        {"detach(h)", h},
        {"where(h > 1, u[1], u[2])", u[2]},
        {"logsumexp(u)", log(sum)},
        {"logsumexp(h, u[1])", log(exp(h) + exp(u[1]))},
        {"sum(u)", 2.75},
        {"softmax(u)[0]", exp(u[0]) / sum},
        {"softmax(u)[2]", exp(u[2]) / sum},
        {"dot(u, u)", 0.25 + 1.5625 + 4},
        {"outer(u, u)[0, 2]", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *cell = arena_printf(
            arena, "cell c { state h; input u[3]; h' = h + sum(u); output y = %s; }", rows[i].expr);
        const double value = first_output(lowered(cell), &h, u);
        ck_assert_msg(fabs(value - rows[i].value) <= 8 * 0x1p-53 * (1 + fabs(rows[i].value)),
                      "%s: %.17g, not %.17g", rows[i].expr, value, rows[i].value);
    }
}
END_TEST

START_TEST(logsumexp_and_softmax_do_not_overflow)
{
    const double h = 1e4, u[] = {1e4, 1e4, -1e4};
    const char *sum = "cell c { state h; input u[3]; h' = h; output y = logsumexp(u); }";
    const char *soft = "cell c { state h; input u[3]; h' = h; output y = softmax(u)[1]; }";
    ck_assert_double_eq_tol(first_output(lowered(sum), &h, u), 1e4 + log(2), 1e-11);
    ck_assert_double_eq(first_output(lowered(soft), &h, u), 0.5);
}
END_TEST

START_TEST(functions_are_inlined_with_their_own_names)
{
    const char *text = "fn twice(x) = x + x;\nfn f(x, y) = twice(y) - x;\n"
                       "cell c { state h; input x, y; h' = f(h, x)*f(y, h); }";
    ck_assert_str_eq(body(lowered(text)), "%0 = add x0, x0\n%1 = sub %0, h0\n%2 = add h0, h0\n"
                                          "%3 = sub %2, x1\n%4 = mul %1, %3\n"
                                          "out next.0 = %4\nout out.0 = %4\n");
}
END_TEST

START_TEST(function_of_a_vector_is_elementwise)
{
    const char *text = "fn f(x, y) = x*y;\ncell c { state h[2]; input u; h' = f(h, u); }";
    ck_assert_str_eq(body(lowered(text)), "%0 = mul h0, x0\n%1 = mul h1, x0\nout next.0 = %0\n"
                                          "out next.1 = %1\nout out.0 = %0\nout out.1 = %1\n");
}
END_TEST

START_TEST(exponent_may_come_through_a_function)
{
    const char *text = "fn power(x, n) = x^n;\ncell c { state h; h' = power(h, 2); }";
    ck_assert_str_eq(body(lowered(text)), "%0 = mul h0, h0\nout next.0 = %0\nout out.0 = %0\n");
}
END_TEST

START_TEST(declarations_are_kept)
{
    const char *text = "cell named {\n"
                       "    state h[2] = 0.5; ## the state\n"
                       "    input dt : shared;\n"
                       "    input u in [-1, 2] nograd;\n"
                       "    param R[2, 2] init normal(0, 0.25);\n"
                       "    h' = R @ h*dt + u;\n"
                       "    output h', s = sum(h);\n"
                       "}\n";
    const struct ir *ir = lowered(text);
    ck_assert_str_eq(ir->name, "named");
    ck_assert_uint_eq(ir->decl_count, 6);
    static const struct {
        const char *name;
        enum ir_role role;
        uint32_t rank, rows, cols, first, count;
    } due[] = {
        {"h", IR_ROLE_STATE, 1, 2, 1, 0, 2},  {"dt", IR_ROLE_INPUT, 0, 1, 1, 0, 1},
        {"u", IR_ROLE_INPUT, 0, 1, 1, 1, 1},  {"R", IR_ROLE_PARAM, 2, 2, 2, 0, 4},
        {"h", IR_ROLE_OUTPUT, 1, 2, 1, 0, 2}, {"s", IR_ROLE_OUTPUT, 0, 1, 1, 2, 1},
    };
    for (uint32_t i = 0; i < 6; i++) {
        const struct ir_decl *decl = &ir->decls[i];
        ck_assert_str_eq(decl->name, due[i].name);
        ck_assert_int_eq(decl->role, due[i].role);
        ck_assert_uint_eq(decl->rank, due[i].rank);
        ck_assert_uint_eq(decl->rows, due[i].rows);
        ck_assert_uint_eq(decl->cols, due[i].cols);
        ck_assert_uint_eq(decl->first, due[i].first);
        ck_assert_uint_eq(decl->count, due[i].count);
    }
    ck_assert_str_eq(ir->decls[0].doc, "the state");
    ck_assert_double_eq(ir->decls[0].initial, 0.5);
    ck_assert(ir->decls[1].is_shared && !ir->decls[2].is_shared);
    ck_assert(ir->decls[2].no_gradient && !ir->decls[1].no_gradient);
    ck_assert(ir->decls[2].has_range && !ir->decls[1].has_range);
    ck_assert_double_eq(ir->decls[2].lo, -1);
    ck_assert_double_eq(ir->decls[2].hi, 2);
    ck_assert_int_eq(ir->decls[3].init, IR_INIT_NORMAL);
    ck_assert_double_eq(ir->decls[3].init_b, 0.25);
}
END_TEST

START_TEST(instruction_knows_its_expression)
{
    const char *text = "cell c { state h; input u; h' = tanh(h*u); }";
    const struct ir *ir = lowered(text);
    ck_assert_uint_eq(ir->insn_count, 2);
    const struct span product = ir->insns[0].span;
    ck_assert_uint_eq(product.end - product.begin, 3);
    ck_assert_int_eq(memcmp(text + product.begin, "h*u", 3), 0);
    ck_assert_int_eq(memcmp(text + ir->insns[1].span.begin, "tanh(h*u)", 9), 0);
}
END_TEST

static unsigned count_messages(enum diag_id id)
{
    unsigned count = 0;
    for (const struct diag_message *m = diag->messages; m; m = m->next)
        count += m->id == id;
    return count;
}

START_TEST(constant_that_is_nan_is_warned_of_once)
{
    const char *text = "cell c { state h[3]; input u; h' = where(u > 0, h, sqrt(-1) + h); }";
    lowered(text);
    ck_assert_msg(count_messages(DIAG_ID_CONSTANT_NAN) == 1, "%s", messages());
    ck_assert_uint_eq(diag->error_count, 0);
    ck_assert_int_eq(memcmp(text + diag->messages->span.begin, "sqrt(-1)", 8), 0);
}
END_TEST

START_TEST(too_many_operations_are_refused_at_the_limit)
{
    struct textbuf text;
    textbuf_init(&text, arena);
    /* 2048 operations a line, 32 of them the tanh. */
    textbuf_add(&text, "cell c { state h[32]; param R[32, 32]; a0 = h;\n");
    for (int i = 1; i <= 11; i++)
        textbuf_printf(&text, "a%d = tanh(R @ a%d);\n", i, i - 1);
    textbuf_add(&text, "h' = a11; }");
    ck_assert_ptr_null(try_lower(text.text));
    ck_assert_msg(count_messages(DIAG_ID_TOO_MANY_OPERATIONS) == 1, "%s", messages());
    ck_assert_uint_eq(diag->error_count, 1);
}
END_TEST

/* 2^64 visits if nothing stopped it, with and without something to share. */
START_TEST(doubling_functions_end_at_once)
{
    for (int kind = 0; kind < 2; kind++) {
        struct textbuf text;
        textbuf_init(&text, arena);
        textbuf_add(&text, "fn f0(x) = x*x;\n");
        for (int i = 1; i <= 64; i++) {
            textbuf_printf(&text, "fn f%d(x) = ", i);
            if (kind == 0)
                textbuf_printf(&text, "f%d(x) + f%d(x);\n", i - 1, i - 1);
            else
                textbuf_printf(&text, "f%d(x*0.5) - f%d(x + 1);\n", i - 1, i - 1);
        }
        textbuf_add(&text, "cell c { state h; h' = f64(h); }");
        diag = diag_create(arena, NULL);
        ck_assert_msg(try_lower(text.text) == NULL, "kind %d", kind);
        ck_assert_msg(count_messages(DIAG_ID_TOO_MANY_OPERATIONS) == 1, "%s", messages());
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lower");
    TCase *tcase = tcase_create("lower");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, cell_becomes_this_ir, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_loop_test(tcase, where_a_value_is_written_leaves_no_trace, 0,
                        (int)(sizeof pairs / sizeof pairs[0]));
    tcase_add_test(tcase, function_has_its_value);
    tcase_add_test(tcase, logsumexp_and_softmax_do_not_overflow);
    tcase_add_test(tcase, functions_are_inlined_with_their_own_names);
    tcase_add_test(tcase, function_of_a_vector_is_elementwise);
    tcase_add_test(tcase, exponent_may_come_through_a_function);
    tcase_add_test(tcase, declarations_are_kept);
    tcase_add_test(tcase, instruction_knows_its_expression);
    tcase_add_test(tcase, constant_that_is_nan_is_warned_of_once);
    tcase_add_test(tcase, too_many_operations_are_refused_at_the_limit);
    tcase_add_test(tcase, doubling_functions_end_at_once);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
