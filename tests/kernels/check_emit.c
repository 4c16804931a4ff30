/* The text of a cell is a function of the cell's meaning alone. */
#include "pipeline.h"
#include "textcheck.h"

#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same cell under two sets of names, comments and layouts. */
static const char first[] =
    "## read me\ncell zzquirky { state zzmemory; input zzpressure, zzgate;\n"
    "param zzweight;\n"
    "zzhalf = sigmoid(zzgate + 0.1);\n"
    "zzmemory' = zzhalf*tanh(zzweight*zzmemory + zzpressure);\n"
    "output zzread = zzmemory'*1.5; }\n";
static const char second[] = "cell b{state h;input u,v;param a;f=sigmoid(v+0.1);\n"
                             "h'=f*tanh(a*h+u);output y=h'*1.5;}\n";

static struct assemble_options options_of(int kernel)
{
    return (struct assemble_options){
        .kernel = (enum assemble_kernel)kernel,
        .target = kernel == ASSEMBLE_CPU ? ASSEMBLE_HOST : ASSEMBLE_CUDA,
        .strategy = {.lanes = 8, .vc = 1, .tile_chunks = 4, .chunk = 4, .stages = 2, .cluster = 1},
        .state_written = 1,
        .state_gradient = 1};
}

/* malloc'd */
static char *text_under(const char *cell, const struct assemble_options *options)
{
    struct unit *unit;
    struct pipeline_text text;
    ck_assert_int_eq(pipeline_load_text(&unit, "test.cell", cell, strlen(cell), NULL), PIPELINE_OK);
    ck_assert_int_eq(pipeline_assemble(&text, unit, options), PIPELINE_OK);
    ck_assert_msg(!text.refusal, "%s", text.refusal);
    char *copy = strdup(text.assembled.text);
    ck_assert_uint_eq(strlen(copy), text.assembled.length);
    pipeline_text_free(&text);
    unit_free(unit);
    return copy;
}

static char *text_of(const char *cell, int kernel)
{
    const struct assemble_options options = options_of(kernel);
    return text_under(cell, &options);
}

START_TEST(same_cell_gives_the_same_text_in_every_locale)
{
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"};
    char *plain = text_of(first, _i), *again = text_of(first, _i);
    for (size_t k = 0; k < 3 && !setlocale(LC_ALL, locales[k]); k++)
        continue;
    char *elsewhere = text_of(first, _i);
    setlocale(LC_ALL, "C");
    ck_assert_str_eq(plain, again);
    ck_assert_str_eq(plain, elsewhere);
    free(plain);
    free(again);
    free(elsewhere);
}
END_TEST

START_TEST(names_comments_and_layout_do_not_change_the_text)
{
    char *a = text_of(first, _i), *b = text_of(second, _i);
    ck_assert_str_eq(a, b);
    ck_assert_ptr_null(strstr(a, "zz"));
    ck_assert_ptr_null(strstr(a, "quirky"));
    ck_assert_ptr_null(strstr(a, "read me"));
    free(a);
    free(b);
}
END_TEST

/* A kernel reads the entries that cell_jac_nonzero() names: others have to be written. k reads h
 * through a condition and through a sign, m through detach() too. */
START_TEST(jacobian_is_written_where_it_is_said_to_be)
{
    static const char cell[] = "cell c { state h, k, m; input u; h' = tanh(h + u);\n"
                               "k' = where(h > 0, 0.5*k, u); m' = 0.5*m*sign(h) + detach(k); }";
    char *text = text_of(cell, ASSEMBLE_FORWARD);
    unsigned row[3];
    const char *pattern = strstr(text, "int cell_jac_nonzero");
    const char *function = strstr(text, "void cell_jacobian(");
    ck_assert(pattern && function);
    ck_assert_int_eq(sscanf(strchr(pattern, '?'), "? %xu : i == 1 ? %xu : i == 2 ? %xu", &row[0],
                            &row[1], &row[2]),
                     3);
    const char *end = strstr(function, "\n}\n");
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            char entry[32];
            snprintf(entry, sizeof entry, "    jac[%d] = ", 3 * i + j);
            const char *found = strstr(function, entry);
            ck_assert_msg((found && found < end) == (row[i] >> j & 1), "jac.%d.%d: said %u", i, j,
                          row[i] >> j & 1);
        }
    free(text);
}
END_TEST

START_TEST(another_constant_gives_another_text_and_another_name)
{
    char *a = text_of(second, ASSEMBLE_FORWARD);
    char changed[sizeof second];
    memcpy(changed, second, sizeof second);
    *strstr(changed, "1.5") = '2';
    char *b = text_of(changed, ASSEMBLE_FORWARD);
    ck_assert_str_ne(strstr(a, "#define PRNN_ENTRY"), strstr(b, "#define PRNN_ENTRY"));
    ck_assert_int_ne(strncmp(strstr(a, "#define PRNN_ENTRY"), strstr(b, "#define PRNN_ENTRY"), 56),
                     0);
    free(a);
    free(b);
}
END_TEST

START_TEST(text_check_refuses_what_no_emitted_half_holds)
{
    static const char *const wrong[] = {"\"",           "'",          "\\",      "#include",
                                        "\t",           "\r",         "\x7f",    "\xc3\xa9",
                                        "asm volatile", "a; asm(b);", "__asm__", "\x1b[31m"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(textcheck(wrong[i], strlen(wrong[i])) != NULL, "passed: %s", wrong[i]);
    ck_assert_ptr_nonnull(textcheck("a\0b", 3));
    char nested[80];
    memset(nested, '(', 40);
    memset(nested + 40, ')', 40);
    ck_assert_ptr_nonnull(textcheck(nested, 80));
    ck_assert_ptr_null(textcheck(nested + 10, 60));
    static const char right[] = "    const float v1 = prnn_tanh(x[0]) + 1.0f; /* 0.5 */\n";
    ck_assert_ptr_null(textcheck(right, sizeof right - 1));
}
END_TEST

/* Else clang makes an address of the choice, and lanes of a simd loop share the array. */
START_TEST(a_choice_between_elements_reads_both)
{
    char *text = text_of("cell c { state h, k; input u; h' = where(u > 0, h, k); k' = 0.5*u; }",
                         ASSEMBLE_FORWARD);
    ck_assert_ptr_nonnull(strstr(text, "const prnn_real v1b = h[0], v1c = h[1];\n"));
    ck_assert_ptr_nonnull(strstr(text, "const prnn_real v1 = v0 ? v1b : v1c;\n"));
    free(text);
    text = text_of("cell c { state h, k; input u; h' = where(u > 0, h, detach(k)); k' = 0.5*u; }",
                   ASSEMBLE_FORWARD);
    ck_assert_ptr_nonnull(strstr(text, "const prnn_real v2b = h[0], v2c = v1;\n"));
    free(text);
}
END_TEST

static const struct {
    struct strategy strategy; /* of a backward pass in f32 */
    const char *words;        /* of the refusal; NULL: none */
} strategies[] = {
    {{.lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 344, .stages = 2, .cluster = 6}, NULL},
    {{.lanes = 32, .vc = 1, .tile_chunks = 2, .chunk = 64, .stages = 2, .cluster = 1}, NULL},
    {{.lanes = 32, .vc = 2, .tile_chunks = 2, .chunk = 64, .stages = 2, .cluster = 1},
     "long chunks of the backward pass"},
    {{.lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 60, .stages = 2, .cluster = 1},
     "a multiple of 8 steps"},
    {{.lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 8, .stages = 0, .cluster = 1},
     "needs a ring"},
    {{.lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 8, .stages = 1, .cluster = 1},
     "at least 2 stages"},
    {{.lanes = 24, .vc = 1, .tile_chunks = 8, .chunk = 8, .stages = 2, .cluster = 1},
     "a power of two"},
    {{.lanes = 32, .vc = 1, .tile_chunks = 64, .chunk = 8, .stages = 2, .cluster = 1},
     "a multiple of 32 up to 1024"},
    {{.lanes = 32, .vc = 1, .tile_chunks = 1, .chunk = 8, .stages = 2, .cluster = 2},
     "at least 2 chunks"},
    {{.lanes = 32, .vc = 1, .tile_chunks = 32, .chunk = 256, .stages = 4, .cluster = 1},
     "227 KiB of shared memory"},
    {{.lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 64, .stages = 2, .cluster = 1, .guess = 96},
     NULL},
    {{.lanes = 32, .vc = 1, .tile_chunks = 8, .chunk = 64, .stages = 2, .cluster = 1, .guess = 12},
     "a multiple of 8 steps"},
};

START_TEST(strategies_that_no_kernel_can_have_are_refused_in_words)
{
    const struct assemble_options options = {.kernel = ASSEMBLE_BACKWARD,
                                             .strategy = strategies[_i].strategy,
                                             .state_written = 1,
                                             .state_gradient = 1};
    static const char cell[] = "cell c { state h; input u, v, w; h' = tanh(u*h + v) + w; }";
    struct unit *unit;
    struct pipeline_text text;
    ck_assert_int_eq(pipeline_load_text(&unit, "c.cell", cell, sizeof cell - 1, NULL), PIPELINE_OK);
    ck_assert_int_eq(pipeline_assemble(&text, unit, &options), PIPELINE_OK);
    ck_assert_msg(!text.refusal == !strategies[_i].words, "%s", text.refusal);
    if (strategies[_i].words)
        ck_assert_msg(strstr(text.refusal, strategies[_i].words) != NULL, "%s", text.refusal);
    pipeline_text_free(&text);
    unit_free(unit);
}
END_TEST

/* The body of a function of the text; malloc'd. */
static char *function_of(const char *text, const char *name)
{
    const char *begin = strstr(text, name);
    ck_assert_ptr_nonnull(begin);
    const char *end = strstr(begin, "\n}\n");
    ck_assert_ptr_nonnull(end);
    return strndup(begin, (size_t)(end - begin));
}

/* Their gradients arrive with those of the states, so the source would be a sum of zeros. */
START_TEST(outputs_that_are_states_have_no_source)
{
    static const char *const cells[] = {
        "cell plain { state h; input u; h' = tanh(0.5*h + u); output h'; }",
        "cell scaled { state h; input u; h' = tanh(0.5*h + u); output y = 2*tanh(h); }"};
    char *text = text_of(cells[_i], ASSEMBLE_BACKWARD);
    char *backmap = function_of(text, "void cell_backmap(");
    char *adjoint = function_of(text, "void cell_adjoint(");
    ck_assert_int_eq(strstr(backmap, "src[0] = ") != NULL, _i);
    ck_assert_int_eq(strstr(backmap, "gy[0]") != NULL, _i);
    ck_assert_ptr_null(strstr(adjoint, "+ PRNN_F32(0x00000000u)"));
    free(backmap);
    free(adjoint);
    free(text);
}
END_TEST

START_TEST(a_power_of_constants_has_one_value)
{
    static const char *const cells[] = {
        "cell b{const c=(-0.285)^3;const d=1.7^(-3);state h;input u;h'=tanh(h+u)*c+d;}",
        "fn p(x)=x^3;fn q(x)=x^(-3);cell b{state h;input u;h'=tanh(h+u)*p(-0.285)+q(1.7);}"};
    char *constant = text_of(cells[0], ASSEMBLE_FORWARD);
    char *expression = text_of(cells[1], ASSEMBLE_FORWARD);
    char *first_step = function_of(constant, "void cell_step("),
         *second_step = function_of(expression, "void cell_step(");
    ck_assert_str_eq(first_step, second_step);
    free(first_step);
    free(second_step);
    free(constant);
    free(expression);
}
END_TEST

/* A step of a hundred elementary functions: NVRTC needs minutes where it stands twenty times. */
START_TEST(a_large_step_has_few_copies)
{
    static const char gru[] = "cell gru { state h; input u, v; param a; z = sigmoid(a*h + u);\n"
                              "h' = (1 - z)*h + z*tanh(v); }\n";
    char deep[8192] = "cell deep { state h; input u; x0 = h + u;\n";
    for (int k = 0; k < 100; k++)
        snprintf(deep + strlen(deep), sizeof deep - strlen(deep), "x%d = tanh(0.9*x%d + u);\n",
                 k + 1, k);
    strcat(deep, "h' = x100; }\n");
    char *small = text_of(gru, ASSEMBLE_FORWARD), *large = text_of(deep, ASSEMBLE_FORWARD);
    ck_assert_ptr_nonnull(strstr(small, "#define PRNN_UNROLL_STEPS 4\n"));
    ck_assert_ptr_nonnull(strstr(large, "#define PRNN_UNROLL_STEPS 1\n"));
    free(small);
    free(large);
}
END_TEST

/* Of a kernel that guesses: so many steps are on their way, in registers. */
START_TEST(rows_and_parameters_fit_into_registers)
{
    static const struct {
        const char *cell;
        uint32_t vc;
        const char *steps;
    } cases[] = {
        {"cell few { state h; input u, v, w; param a, b, c; h' = tanh(a*h + u) + b*v + c*w; }", 2,
         "#define PRNN_UNROLL_STEPS 8\n"},
        {"cell rows { state h[4]; input u[4], v[4], w[4]; h' = tanh(h + u) + v*w; }", 1,
         "#define PRNN_UNROLL_STEPS 8\n"},
        {"cell rows { state h[4]; input u[4], v[4], w[4]; h' = tanh(h + u) + v*w; }", 2,
         "#define PRNN_UNROLL_STEPS 4\n"},
        {"cell many { state h[4]; input u[4], v[4], w[4]; param R[4, 4], S[4, 4], b[4];\n"
         "h' = tanh(R @ h + u + b) + v*tanh(S @ h + w); }",
         1, "#define PRNN_UNROLL_STEPS 4\n"},
        {"cell many { state h[4]; input u[4], v[4], w[4]; param R[4, 4], S[4, 4], b[4];\n"
         "h' = tanh(R @ h + u + b) + v*tanh(S @ h + w); }",
         2, "#define PRNN_UNROLL_STEPS 1\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct assemble_options options = {.kernel = ASSEMBLE_FORWARD};
        options.strategy = (struct strategy){
            .lanes = 32, .vc = cases[i].vc, .tile_chunks = 8, .chunk = 256, .cluster = 1};
        char *text = text_under(cases[i].cell, &options);
        ck_assert_msg(strstr(text, cases[i].steps) != NULL, "case %zu", i);
        free(text);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("emit");
    tcase_add_loop_test(tcase, same_cell_gives_the_same_text_in_every_locale, 0, ASSEMBLE_SCAN);
    tcase_add_loop_test(tcase, names_comments_and_layout_do_not_change_the_text, 0, ASSEMBLE_SCAN);
    tcase_add_test(tcase, jacobian_is_written_where_it_is_said_to_be);
    tcase_add_test(tcase, a_choice_between_elements_reads_both);
    tcase_add_loop_test(tcase, strategies_that_no_kernel_can_have_are_refused_in_words, 0,
                        sizeof strategies / sizeof *strategies);
    tcase_add_loop_test(tcase, outputs_that_are_states_have_no_source, 0, 2);
    tcase_add_test(tcase, a_power_of_constants_has_one_value);
    tcase_add_test(tcase, a_large_step_has_few_copies);
    tcase_add_test(tcase, rows_and_parameters_fit_into_registers);
    tcase_add_test(tcase, another_constant_gives_another_text_and_another_name);
    tcase_add_test(tcase, text_check_refuses_what_no_emitted_half_holds);
    Suite *suite = suite_create("emit");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
