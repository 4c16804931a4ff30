/* Files, environment and programs around the command: what is not a plain file, no shell anywhere,
 * and what a process with raised rights does not read. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile_run.h"

static struct hostile_run run;

static const char cell[] = "cell c {\n    state h;\n    input u;\n    h' = tanh(h + u);\n}\n";

/* ---- D1, D2: bytes ---- */

static const struct text_row {
    const char *name, *text;
    size_t size;
    int exit_code;
    const char *words;
} texts[] = {
#define TEXT(text) text, sizeof(text) - 1
    {"nothing", TEXT(""), 1, "error: no cell in the file [no-cell]"},
    {"comments only", TEXT("# a\n## b"), 1, "error: no cell in the file [no-cell]"},
    {"a byte order mark only", TEXT("\xef\xbb\xbf"), 1, "[no-cell]"},
    {"a byte order mark",
     TEXT("\xef\xbb\xbf"
          "cell c { state h; h' = h; }"),
     0, ""},
    {"two of them",
     TEXT("\xef\xbb\xbf\xef\xbb\xbf"
          "cell c { state h; h' = h; }"),
     1, "U+FEFF"},
    {"carriage returns", TEXT("cell c {\r\n\tstate h;\r\n\th' = h;\r\n}\r\n"), 0, ""},
    {"no newline at the end", TEXT("cell c { state h; h' = h; } # end"), 0, ""},
    {"NUL", TEXT("cell c { state h; h' = h\0; }"), 1, "NUL byte at byte offset 24 [nul-byte]"},
    {"NUL in a comment", TEXT("# \0\ncell c { state h; h' = h; }"), 1, "at byte offset 2"},
    {"0x80", TEXT("cell c { \x80 }"), 1, "byte 0x80 at byte offset 9 is not UTF-8 text"},
    {"not UTF-8 in a comment", TEXT("# \xc3(\ncell c { state h; h' = h; }"), 1,
     "byte 0xc3 at byte offset 2 is not UTF-8 text"},
    {"overlong", TEXT("# \xc0\xaf\n"), 1, "byte 0xc0 at byte offset 2"},
    {"a surrogate", TEXT("# \xed\xa0\x80\n"), 1, "byte 0xed at byte offset 2"},
    {"a letter outside ASCII", TEXT("cell c { state h\xc3\xa9; }"), 1,
     "unexpected character U+00E9 at byte offset 16; only comments may leave ASCII"},
    {"U+202E in code", TEXT("cell c { state h; h' = h \xe2\x80\xae + 1; }"), 1,
     "unexpected character U+202E at byte offset 25"},
    {"U+202E in a comment", TEXT("cell c { state h; # \xe2\x80\xae\n h' = h; }"), 0, ""},
    {"U+202E echoed", TEXT("cell c { state h; h' = zz; # \xe2\x80\xae\n }"), 1, "# \\u{202e}"},
    {"an escape echoed", TEXT("cell c { state h; h' = zz; # \x1b[31m\n }"), 1, "# \\x1b[31m"},
    {"an escape in code", TEXT("cell c { state h; \x1b[31m h' = h; }"), 1,
     "unexpected character 0x1b [bad-character]"},
    /* D5, D6 with both places; the rest are golden cases. */
    {"a function called like a builtin", TEXT("fn tanh(x) = x; cell c { state h; h' = h; }"), 1,
     "'tanh' is a built-in function"},
    {"a value called like a builtin", TEXT("cell c { state tanh; tanh' = tanh(tanh); }"), 0, ""},
    {"a cycle", TEXT("cell c { state h; a = b; b = a; h' = a; }"), 1, "[used-before-definition]"},
    {"a parameter like a state", TEXT("fn f(h) = h*2; cell c { state h; h' = f(h); }"), 0, ""},
    /* D9 */
    {"a constant 1/0", TEXT("cell c { const a = 1/0; state h; h' = a*h; }"), 1, "[not-finite]"},
    {"0/0", TEXT("cell c { state h; h' = h + 0/0; }"), 0, "[constant-nan]"},
    {"log(-1)", TEXT("cell c { state h; h' = h + log(-1); }"), 0, "[constant-nan]"},
    {"sqrt(0)", TEXT("cell c { state h; h' = 0.5*h + sqrt(0); }"), 0, ""},
    {"0*inf", TEXT("cell c { state h; h' = h + 0*(1/0); }"), 0, "[constant-nan]"},
    /* D11 */
    {"a chaotic cell", TEXT("cell c { state h = 0.3; h' = 3.9*h*(1 - h); }"), 0, ""},
    {"a marginal cell", TEXT("cell c { state h; input u; h' = h + u; }"), 0, ""},
#undef TEXT
};

START_TEST(bytes_are_answered_with_their_place)
{
    const struct text_row *row = &texts[_i];
    ck_assert(hostile_write("text.cell", row->text, row->size));
    hostile_run(&run, ".",
                (char *[]){(char[]){PARARNNC}, (char[]){"check"}, (char[]){"text.cell"}, NULL});
    ck_assert_msg(run.exit_code == row->exit_code, "%s: exit %d\n%s", row->name, run.exit_code,
                  run.err);
    ck_assert_msg(strstr(run.err, row->words), "%s: expected '%s' in\n%s", row->name, row->words,
                  run.err);
    for (const char *c = run.err; *c; c++)
        ck_assert_msg(*c == '\n' || (*c >= ' ' && *c <= '~'), "%s: byte %02x", row->name,
                      (unsigned char)*c);
}
END_TEST

/* ---- C4: what is no plain file ---- */

static void check_path(const char *path, int exit_code, const char *words)
{
    char word[256];
    snprintf(word, sizeof word, "%s", path);
    hostile_run(&run, ".", (char *[]){(char[]){PARARNNC}, (char[]){"check"}, word, NULL});
    ck_assert_msg(run.exit_code == exit_code, "%s: exit %d\n%s", path, run.exit_code, run.err);
    ck_assert_msg(strstr(run.err, words), "%s: %s", path, run.err);
}

START_TEST(what_is_no_plain_file_ends_with_the_right_code)
{
    check_path("/dev/zero", 4, "[source-too-large]");
    check_path("/dev/null", 1, "[no-cell]");
    check_path(".", 3, "error: cannot read: Is a directory [unreadable]");
    check_path("nowhere/x.cell", 3, "No such file or directory");
    check_path("nowhere.prnn", 3, "No such file or directory");
    ck_assert(symlink("loop.cell", "loop.cell") == 0 || access("loop.cell", F_OK));
    check_path("loop.cell", 3, "[unreadable]");
    if (geteuid() != 0) { /* root reads everything */
        ck_assert(hostile_write("closed.cell", cell, strlen(cell)));
        ck_assert_int_eq(chmod("closed.cell", 0), 0);
        check_path("closed.cell", 3, "Permission denied");
    }
}
END_TEST

START_TEST(a_fifo_is_read_to_its_end)
{
    unlink("fifo.cell");
    ck_assert_int_eq(mkfifo("fifo.cell", 0600), 0);
    const pid_t writer = fork();
    if (writer == 0) {
        const int file = open("fifo.cell", O_WRONLY);
        for (size_t i = 0; i < strlen(cell); i++)
            if (write(file, cell + i, 1) != 1)
                _exit(1);
        _exit(0);
    }
    check_path("fifo.cell", 0, "");
    waitpid(writer, NULL, 0);
}
END_TEST

/* ---- C5, N6: no shell ---- */

static void run_with(const char *name, const char *value)
{
    char assignment[5000], cache[4200] = "PARARNNC_CACHE_DIR=none";
    snprintf(assignment, sizeof assignment, "%s=%s", name, value);
    hostile_run(&run, ".",
                (char *[]){(char[]){"/usr/bin/env"}, cache, assignment, (char[]){PARARNNC},
                           (char[]){"run"}, (char[]){"c.cell"}, (char[]){"--device"},
                           (char[]){"cpu"}, (char[]){"--batch"}, (char[]){"1"}, NULL});
}

START_TEST(a_compiler_is_a_program_and_never_a_command_line)
{
    static const char *const values[] = {
        "cc; touch pwned",
        "cc -o x $(touch pwned)",
        "`touch pwned`",
        "sh -c 'touch pwned'",
        "/bin/sh",
        "\xff\xfe",
        "",
        "nowhere/at/all",
        "|touch pwned",
        "none",
    };
    ck_assert(hostile_write("c.cell", cell, strlen(cell)));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        run_with("PARARNNC_CC", values[i]);
        /* Without a compiler the interpreter runs; a program that is no compiler is trouble. */
        ck_assert_msg(run.exit_code == 0 || run.exit_code == 5, "'%s': exit %d\n%s", values[i],
                      run.exit_code, run.err);
        ck_assert_msg(access("pwned", F_OK) != 0, "a shell saw '%s'", values[i]);
    }
}
END_TEST

START_TEST(folders_with_any_name_hold_the_cache_and_temporaries)
{
    static const char *const folders[] = {
        "a b", "; touch pwned", "$(touch pwned)", "*/ \"'\n\\", "\xff\xfe", "#", "%s%n"};
    char here[2000], folder[4000];
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert(hostile_write("c.cell", cell, strlen(cell)));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(folder, sizeof folder, "%s/%s", here, folders[i]);
        run_with("PARARNNC_CACHE_DIR", folder);
        ck_assert_msg(run.exit_code == 0, "'%s': exit %d\n%s", folders[i], run.exit_code, run.err);
        ck_assert_msg(access(folder, X_OK) == 0, "there is no cache '%s'", folder);
        run_with("TMPDIR", folder);
        ck_assert_msg(run.exit_code == 0, "'%s': exit %d\n%s", folders[i], run.exit_code, run.err);
        ck_assert_msg(access("pwned", F_OK) != 0, "a shell saw '%s'", folders[i]);
    }
}
END_TEST

/* ---- C7: the locale ---- */

START_TEST(numbers_do_not_follow_the_locale)
{
    static struct hostile_run plain;
    ck_assert(hostile_write("n.cell", "cell c { state h = 0.5; h' = 0.25*h; }", 38));
    char *argv[] = {(char[]){"/usr/bin/env"}, (char[]){"LC_ALL=C"}, (char[]){PARARNNC},
                    (char[]){"compile"},      (char[]){"n.cell"},   (char[]){"--emit=c"},
                    (char[]){"-o"},           (char[]){"-"},        NULL};
    hostile_run(&plain, ".", argv);
    ck_assert_int_eq(plain.exit_code, 0);
    argv[1] = (char[]){"LC_ALL=de_DE.UTF-8"};
    hostile_run(&run, ".", argv);
    ck_assert_int_eq(run.exit_code, 0);
    ck_assert(!strcmp(plain.out, run.out) && strstr(run.out, "0.25"));
}
END_TEST

/* ---- Raised rights ---- */

static bool copy(const char *from, const char *to)
{
    char bytes[65536];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    size_t count = 0;
    while (in && out && (count = fread(bytes, 1, sizeof bytes, in)) > 0)
        fwrite(bytes, 1, count, out);
    const bool is_copied = in && out && !ferror(in) && fclose(out) == 0;
    if (in)
        fclose(in);
    return is_copied;
}

/* Only root can make a program of another user; elsewhere imports.sh shows that secure_getenv() is
 * all that the library reads. */
START_TEST(a_program_with_raised_rights_reads_no_environment)
{
    enum { NOBODY = 65534 };
    char folder[] = "/tmp/prnn-raised-XXXXXX", program[64];
    if (geteuid() != 0 || hostile_allowance() > 1)
        return;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chmod(folder, 0755), 0);
    snprintf(program, sizeof program, "%s/pararnnc", folder);
    ck_assert(copy(PARARNNC, program));
    char *argv[] = {(char[]){"/usr/bin/env"},
                    (char[]){"PARARNNC_CACHE_DIR=/tmp/planted"},
                    program,
                    (char[]){"cache"},
                    (char[]){"path"},
                    NULL};
    ck_assert_int_eq(chmod(program, 0755), 0);
    hostile_run(&run, ".", argv);
    ck_assert_ptr_nonnull(strstr(run.out, "/tmp/planted"));
    ck_assert_int_eq(chown(program, NOBODY, NOBODY), 0);
    ck_assert_int_eq(chmod(program, 04755), 0);
    hostile_run(&run, ".", argv);
    ck_assert_msg(!strstr(run.out, "planted"), "%s", run.out);
    unlink(program);
    rmdir(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doors");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, bytes_are_answered_with_their_place, 0, sizeof texts / sizeof *texts);
    tcase_add_test(all, what_is_no_plain_file_ends_with_the_right_code);
    tcase_add_test(all, a_fifo_is_read_to_its_end);
    tcase_add_test(all, a_compiler_is_a_program_and_never_a_command_line);
    tcase_add_test(all, folders_with_any_name_hold_the_cache_and_temporaries);
    tcase_add_test(all, numbers_do_not_follow_the_locale);
    tcase_add_test(all, a_program_with_raised_rights_reads_no_environment);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
