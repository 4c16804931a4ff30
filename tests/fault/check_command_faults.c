/* Every allocation of every sub-command fails in turn: exit code 4 with words, or no consequence;
 * no file half written. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocation.h"
#include "cache.h"
#include "fault_figures.h"
#include "small_run.h"

static char folder[64];
static struct figure *figures;

static void file_write(const char *name, const char *bytes)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(bytes, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static size_t file_read(const char *name, char *bytes, size_t room)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    const size_t size = fread(bytes, 1, room - 1, file);
    bytes[size] = 0;
    fclose(file);
    return size;
}

/* An entry of a fixed time. */
static void cache_fill(void)
{
    const struct cache_part part = {"text", "text", 4};
    const struct cache_key key = cache_key_make(&part, 1);
    struct cache *cache = cache_open(NULL);
    ck_assert(cache_put(cache, &key, "label", "payload", 7));
    cache_close(cache);
}

static void setup(void)
{
    char path[160];
    snprintf(folder, sizeof folder, "/tmp/check-command-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    file_write("lstm.cell", small_lstm);
    file_write("wrong.cell", "cell wrong { state h; input u; h' = tanh(v) + g(u); }\n");
    snprintf(path, sizeof path, "%s/cache", folder);
    ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", path, 1), 0);
    ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    ck_assert_int_eq(setenv("PARARNNC_NVRTC", "none", 1), 0);
    ck_assert_int_eq(setenv("OMP_NUM_THREADS", "2", 1), 0);
    cache_fill();
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

struct command {
    const char *argv[10];
    int expected;
    const char *output; /* the file that it makes, or NULL */
    bool is_timed;      /* what it prints differs from run to run */
};

struct found {
    int code;
    bool has_failed;
    char errors[2000];
    uint64_t output, file;
};

static uint64_t digest_of(const char *name)
{
    static char bytes[1 << 20];
    const size_t size = file_read(name, bytes, sizeof bytes);
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

static void open_as(const char *name, int number)
{
    const int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(file, number);
    if (file != number)
        close(file);
}

static struct found run(const struct command *command, const char *fault)
{
    if (command->argv[2] && strcmp(command->argv[2], "clean") == 0)
        cache_fill();
    struct found found = {0};
    int status;
    char told[2] = "";
    const pid_t pid = fork();
    if (pid == 0) {
        if (chdir(folder) != 0)
            _exit(126);
        open_as("stdout", 1);
        open_as("stderr", 2);
        open_as("told", 100);
        setenv("FAULT_ALLOCATION", fault, 1);
        execv(PRNN_FAULTY_COMMAND, (char *const *)command->argv);
        _exit(126);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    file_read("stderr", found.errors, sizeof found.errors);
    ck_assert_msg(WIFEXITED(status), "'%s', allocation %s: ended by signal %d", command->argv[1],
                  fault, WTERMSIG(status));
    file_read("told", told, sizeof told);
    ck_assert_msg(told[0] != 0, "'%s', allocation %s: ended before its end, %d", command->argv[1],
                  fault, WEXITSTATUS(status));
    found.code = WEXITSTATUS(status);
    found.has_failed = told[0] == '+';
    found.output = digest_of("stdout");
    if (command->output)
        found.file = digest_of(command->output);
    return found;
}

static const char old_text[] = "the old file\n";

static const struct command commands[] = {
    {{"pararnnc", "check", "lstm.cell"}, 0, NULL, false},
    {{"pararnnc", "check", "--json", "wrong.cell"}, 1, NULL, false},
    {{"pararnnc", "explain", "lstm.cell"}, 0, NULL, false},
    {{"pararnnc", "explain", "--html", "page.html", "lstm.cell"}, 0, "page.html", false},
    {{"pararnnc", "compile", "lstm.cell", "-o", "out.c"}, 0, "out.c", false},
    {{"pararnnc", "compile", "lstm.cell", "-o", "out.prnn"}, 0, "out.prnn", false},
    {{"pararnnc", "compile", "lstm.cell", "-o", "out.cu", "-D", "k=1"}, 1, NULL, false},
    {{"pararnnc", "compile", "lstm.cell", "-o", "out.cu"}, 0, "out.cu", false},
    {{"pararnnc", "fmt", "lstm.cell"}, 0, NULL, false},
    {{"pararnnc", "run", "lstm.cell", "--device", "cpu", "--batch", "1"}, 0, NULL, true},
    {{"pararnnc", "cache", "list"}, 0, NULL, false},
    {{"pararnnc", "cache", "stats"}, 0, NULL, false},
    {{"pararnnc", "cache", "verify"}, 0, NULL, false},
    {{"pararnnc", "cache", "clean"}, 0, NULL, false},
    {{"pararnnc", "doctor"}, 0, NULL, true},
    {{"pararnnc", "--help"}, 0, NULL, false},
    {{"pararnnc", "compile", "--nonsense"}, 2, NULL, false},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

START_TEST(memory_that_ends_is_exit_code_4)
{
    const struct command *command = &commands[_i];
    if (command->output)
        file_write(command->output, old_text);
    const uint64_t old = command->output ? digest_of(command->output) : 0;
    const struct found expected = run(command, "0");
    ck_assert_msg(expected.code == command->expected || command->is_timed, "'%s %s': %d, '%s'",
                  command->argv[1], command->argv[2] ? command->argv[2] : "", expected.code,
                  expected.errors);
    for (int mode = 0; mode < 2; mode++)
        for (int n = 1; n < 3000; n++) {
            char fault[16];
            snprintf(fault, sizeof fault, "%d%s", n, mode ? "+" : "");
            if (command->output)
                file_write(command->output, old_text);
            const struct found found = run(command, fault);
            if (!found.has_failed)
                break;
            figures->goal++;
            if (found.code == 4) {
                ck_assert_msg(strstr(found.errors, "memory") != NULL, "'%s', allocation %s: '%s'",
                              command->argv[1], fault, found.errors);
                ck_assert_msg(!command->output || found.file == old || found.file == expected.file,
                              "'%s', allocation %s: a torn file", command->argv[1], fault);
            } else {
                ck_assert_msg(found.code == expected.code &&
                                  (found.output == expected.output || command->is_timed) &&
                                  found.file == expected.file,
                              "'%s', allocation %s: %d, '%s'", command->argv[1], fault, found.code,
                              found.errors);
            }
            figures->reached++;
        }
}
END_TEST

int main(int argc, char **argv)
{
    static const char *const names[] = {"allocations of the command failed, n-th alone and n-th on",
                                        NULL};
    if (argc < 2)
        return 1;
    figures = figures_begin(argv[1], names);
    if (!allocation_is_replaced()) {
        printf("skipped: a sanitiser has replaced the allocator\n");
        return 77;
    }
    TCase *cases = tcase_create("command_faults");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, memory_that_ends_is_exit_code_4, 0, COMMANDS);
    Suite *suite = suite_create("command_faults");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    figures_write();
    return failed != 0;
}
