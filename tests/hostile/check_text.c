/* Nothing of a user's text or path reaches a compiler: names, comments and paths that would mean
 * something to NVRTC, a C compiler or a shell leave the emitted text as it is, byte for byte. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "half_words.h"
#include "hostile_run.h"
#include "pipeline.h"
#include "rename_cell.h"

static struct unit *load(const char *text)
{
    struct unit *unit;
    const enum pipeline_class result =
        pipeline_load_text(&unit, "a.cell", text, strlen(text), NULL);
    ck_assert_msg(result == PIPELINE_OK, "%s", unit ? unit->messages : "no memory");
    return unit;
}

static const enum assemble_kernel kernels[] = {ASSEMBLE_CPU, ASSEMBLE_FORWARD, ASSEMBLE_BACKWARD,
                                               ASSEMBLE_DECODE};

static void assemble_kernel(struct pipeline_text *text, const struct unit *unit, int which,
                            enum assemble_storage storage, enum assemble_mode mode)
{
    const struct assemble_options options = {
        .kernel = kernels[which],
        .target = which ? ASSEMBLE_CUDA : ASSEMBLE_HOST,
        .storage = storage,
        .mode = mode,
        .state_written = (1u << unit->ir->states) - 1,
        .state_gradient = (1u << unit->ir->states) - 1,
        .strategy = which ? (struct strategy){.lanes = 8,
                                              .vc = 1,
                                              .tile_chunks = 4,
                                              .chunk = 1,
                                              .stages = 2,
                                              .cluster = 1}
                          : (struct strategy){0},
    };
    ck_assert_int_eq(pipeline_assemble(text, unit, &options), PIPELINE_OK);
    ck_assert_msg(!text->refusal, "%s: %s", unit->ir->name, text->refusal);
}

/* The whole text of every kernel is the same for both. */
static void expect_same_text(const struct unit *a, const struct unit *b, const char *what)
{
    for (int which = 0; which < 4; which++) {
        struct pipeline_text one, other;
        assemble_kernel(&one, a, which, ASSEMBLE_F32, ASSEMBLE_ACCURATE);
        assemble_kernel(&other, b, which, ASSEMBLE_F32, ASSEMBLE_ACCURATE);
        ck_assert_msg(one.assembled.length == other.assembled.length &&
                          !memcmp(one.assembled.text, other.assembled.text, one.assembled.length),
                      "kernel %d differs with %s", which, what);
        pipeline_text_free(&one);
        pipeline_text_free(&other);
    }
}

/* ---- Names ---- */

static const char *const names[] = {
    "threadIdx",
    "blockIdx",
    "__syncthreads",
    "asm",
    "__asm__",
    "volatile",
    "class",
    "template",
    "int",
    "return",
    "while",
    "goto",
    "main",
    "define",
    "include",
    "__FILE__",
    "__has_include",
    "_Pragma",
    "INFINITY",
    "NAN",
    "NULL",
    "min",
    "prnn_tanh",
    "prnn_real",
    "PRNN_FN",
    "cell_step",
    "PRNN_F32",
    "v0",
    "h",
    "p",
    "x",
    "next",
    "sizeof",
    "extern",
    "inline",
    "u8",
    "cudaMalloc",
    "printf",
    "system",
    "shared",
    "normal",
    "a0",
};

/* '@' is the name. */
static char *with_name(const char *text, const char *name)
{
    char *out = calloc(1, 8 * (strlen(text) + 64));
    ck_assert_ptr_nonnull(out);
    for (char *end = out; *text; text++)
        if (*text == '@')
            end += sprintf(end, "%s", name);
        else
            *end++ = *text;
    return out;
}

START_TEST(a_name_that_means_something_elsewhere_is_a_name)
{
    static const char text[] = "fn f@(@) = @*sigmoid(@);\n"
                               "cell @ {\n"
                               "    const c@ = 2;\n"
                               "    state @, s@ = 0.5;\n"
                               "    input i@; param p@ : shared in [-1, 1];\n"
                               "    d@ = f@(@*p@ + i@);\n"
                               "    @' = tanh(d@ + s@);\n"
                               "    s@' = where(@ > 0, s@, c@)*0.5;\n"
                               "    output y@ = @'*s@', @';\n"
                               "}\n";
    char *plain = with_name(text, "qq"), *hostile = with_name(text, names[_i]);
    struct unit *a = load(plain), *b = load(hostile);
    expect_same_text(a, b, names[_i]);
    unit_free(a);
    unit_free(b);
    free(plain);
    free(hostile);
}
END_TEST

/* ---- Comments ---- */

static const char *const comments[] = {
    "*/ #error stop /*",
    "*/ int main(void) { return 1; } /*",
    "\\",
    "?\?/",
    "#include \"/etc/passwd\"",
    "#line 1 \"elsewhere.c\"",
    "__has_include(</etc/passwd>)",
    "asm volatile(\"trap;\");",
    "--pre-include=/etc/passwd",
    "$(touch pwned) `touch pwned` ; touch pwned",
    "\"'\"'",
    "%s%n%s%n",
    "\xe2\x80\xae\xe2\x81\xa6 \xf0\x9f\x98\x80",
    "// Start of the cell",
};

START_TEST(a_comment_is_not_emitted)
{
    static const char plain[] = "cell c {\n    state h;\n    input u;\n    h' = tanh(h + u);\n}\n";
    char text[1024];
    snprintf(text, sizeof text,
             "# %s\n## %s\ncell c { # %s\n    state h; ## %s\n    ## %s\n    input u;\n"
             "    h' = tanh(h + u); ## %s\n} # %s\n",
             comments[_i], comments[_i], comments[_i], comments[_i], comments[_i], comments[_i],
             comments[_i]);
    struct unit *a = load(plain), *b = load(text);
    expect_same_text(a, b, comments[_i]);
    unit_free(a);
    unit_free(b);

    /* The header quotes them, and is a header all the same. */
    static struct hostile_run run;
    ck_assert(hostile_write("comment.cell", text, strlen(text)));
    hostile_run(&run, ".",
                (char *[]){(char[]){PARARNNC}, (char[]){"compile"}, (char[]){"comment.cell"},
                           (char[]){"--emit=header,c"}, (char[]){"-o"}, (char[]){"comment"}, NULL});
    ck_assert_msg(run.exit_code == 0, "%s", run.err);
    static const char *const files[] = {"comment.h", "comment.c"};
    for (int k = 0; k < 2; k++) {
        char file[16];
        strcpy(file, files[k]);
        hostile_run(&run, ".",
                    (char *[]){(char[]){HOST_CC}, (char[]){"-std=c99"}, (char[]){"-Wall"},
                               (char[]){"-Werror"}, (char[]){"-fsyntax-only"}, (char[]){"-x"},
                               (char[]){"c"}, file, NULL});
        ck_assert_msg(run.exit_code == 0, "%s\n%s", comments[_i], run.err);
    }
}
END_TEST

/* ---- Paths ---- */

static const char *const paths[] = {
    "a b.cell",
    "a\nb.cell",
    "a *",
    "\\.cell",
    "'\".cell",
    "-o.cell",
    "$(touch pwned).cell",
    "; touch pwned;.cell",
    "`touch pwned`.cell",
    "| touch pwned |.cell",
    "\xff\xfe.cell",
    "\xe2\x80\xae.cell",
    "\x1b[31m.cell",
    "%s%n.cell",
    "#error x.cell",

};

static const char cell[] = "cell c {\n    state h;\n    input u;\n    h' = tanh(h + u);\n}\n";

/* What the program writes to standard output for the file. */
static void run_on(struct hostile_run *run, const char *folder, const char *command,
                   const char *path, const char *emit)
{
    char word[5000], first[32], second[32];
    snprintf(first, sizeof first, "%s", command);
    snprintf(second, sizeof second, "%s", emit);
    snprintf(word, sizeof word, "%s", path);
    if (*emit)
        hostile_run(run, folder,
                    (char *[]){(char[]){PARARNNC}, first, second, (char[]){"-o"}, (char[]){"-"},
                               (char[]){"--"}, word, NULL});
    else
        hostile_run(run, folder, (char *[]){(char[]){PARARNNC}, first, (char[]){"--"}, word, NULL});
}

START_TEST(a_path_is_a_path)
{
    static struct hostile_run plain, run;
    static const char *const emits[] = {"--emit=cuda", "--emit=c",   "--emit=header",
                                        "--emit=ir",   "--emit=dot", "--emit=latex"};
    ck_assert(hostile_write("plain.cell", cell, strlen(cell)));
    ck_assert(hostile_write(paths[_i], cell, strlen(cell)));
    for (size_t k = 0; k < sizeof emits / sizeof *emits; k++) {
        run_on(&plain, ".", "compile", "plain.cell", emits[k]);
        run_on(&run, ".", "compile", paths[_i], emits[k]);
        ck_assert_int_eq(plain.exit_code, 0);
        ck_assert_msg(run.exit_code == 0, "%s: %s", paths[_i], run.err);
        ck_assert_msg(!strcmp(plain.out, run.out) && *run.out, "%s: %s", paths[_i], emits[k]);
    }
    /* Messages about the file are printable. */
    ck_assert(hostile_write(paths[_i], "cell c { }", 10));
    run_on(&run, ".", "check", paths[_i], "");
    ck_assert_int_eq(run.exit_code, 1);
    for (const char *c = run.err; *c; c++)
        ck_assert_msg(*c == '\n' || (*c >= ' ' && *c <= '~'), "%s", run.err);
    unlink(paths[_i]);
    ck_assert_msg(access("pwned", F_OK) != 0, "a shell saw %s", paths[_i]);
}
END_TEST

START_TEST(a_path_of_4000_bytes_is_read)
{
    static struct hostile_run run;
    char path[4096] = "";
    size_t length = 0;
    while (length < 3700) {
        memset(path + length, 'd', 200);
        length += 200;
        path[length] = '\0';
        ck_assert(mkdir(path, 0700) == 0 || access(path, X_OK) == 0);
        path[length++] = '/';
    }
    strcpy(path + length, "x.cell");
    ck_assert(hostile_write(path, cell, strlen(cell)));
    run_on(&run, ".", "check", path, "");
    ck_assert_msg(run.exit_code == 0, "%s", run.err);
    run_on(&run, ".", "compile", path, "--emit=cuda");
    ck_assert_msg(run.exit_code == 0 && *run.out, "%s", run.err);

    /* One that no file can have: an I/O error. */
    static char long_path[5000];
    memset(long_path, 'd', sizeof long_path - 1);
    run_on(&run, ".", "check", long_path, "");
    ck_assert_int_eq(run.exit_code, 3);
    ck_assert_ptr_nonnull(strstr(run.err, "[unreadable]"));
}
END_TEST

/* ---- The words of a text ---- */

START_TEST(emitted_halves_of_published_cells_hold_words_of_the_compiler_only)
{
    struct dirent **entries;
    const int count = scandir(PRNN_SOURCE_DIR "/cells", &entries, NULL, alphasort);
    int cells = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        struct unit *unit;
        snprintf(path, sizeof path, PRNN_SOURCE_DIR "/cells/%s", entries[i]->d_name);
        if (!strstr(entries[i]->d_name, ".cell"))
            continue;
        ck_assert_int_eq(pipeline_load_file(&unit, path, NULL), PIPELINE_OK);
        for (int kind = 0; kind < 4 * 4 * 3; kind++) {
            struct pipeline_text text;
            size_t length, word;
            assemble_kernel(&text, unit, kind % 4, (enum assemble_storage)(kind / 4 % 4),
                            (enum assemble_mode)(kind / 16));
            const char *half = half_find(text.assembled.text, &length);
            ck_assert_ptr_nonnull(half);
            const char *foreign = half_foreign(half, length, &word);
            ck_assert_msg(!foreign, "%s: '%.*s'", path, (int)word, foreign);
            ck_assert_msg(!strstr(text.assembled.text, "#include") &&
                              !strstr(text.assembled.text, "__has_include"),
                          "%s: the text includes something", path);
            ck_assert_ptr_null(strstr(text.assembled.text, PRNN_SOURCE_DIR));
            pipeline_text_free(&text);
        }
        char *renamed = rename_cell(unit, &(size_t){0});
        struct unit *other = load(renamed);
        expect_same_text(unit, other, path);
        free(renamed);
        unit_free(other);
        unit_free(unit);
        cells++;
    }
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    ck_assert_int_ge(cells, 20);
}
END_TEST

/* The check of the emitted half would see what slipped through. */
START_TEST(foreign_words_are_found)
{
    static const char *const rows[][2] = {
        {"const prnn_real v1 = u_z;", "u_z"},
        {"v12a + v1", "v12a"},
        {"/* cells/a.cell */ v1", "cells/a.cell */ v1"},
        {"h[0] \"", "\""},
        {"#error", "#"},
        {"asm(\"\")", "asm"},
        {"v1 \\ v2", "\\"},
        {"// x", "/"},
        {"threadIdx", "threadIdx"},
        {"v1 \xc3\xa9", "\xc3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t length;
        const char *found = half_foreign(rows[i][0], strlen(rows[i][0]), &length);
        ck_assert_msg(found && !strncmp(found, rows[i][1], length), "%s: %s", rows[i][0],
                      found ? found : "nothing");
    }
    ck_assert_ptr_null(half_foreign("const prnn_real v0 = PRNN_F32(0x3f400000u) /* 0.75 */ * h[0];",
                                    61, &(size_t){0}));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, a_name_that_means_something_elsewhere_is_a_name, 0,
                        sizeof names / sizeof *names);
    tcase_add_loop_test(all, a_comment_is_not_emitted, 0, sizeof comments / sizeof *comments);
    tcase_add_loop_test(all, a_path_is_a_path, 0, sizeof paths / sizeof *paths);
    tcase_add_test(all, a_path_of_4000_bytes_is_read);
    tcase_add_test(all, emitted_halves_of_published_cells_hold_words_of_the_compiler_only);
    tcase_add_test(all, foreign_words_are_found);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
