/* Every file operation fails in turn: the promised status or exit code, no torn file, the old file
 * whole, nothing left behind, and the same work succeeds afterwards. Interrupted and short
 * operations change nothing at all. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache.h"
#include "fault_figures.h"
#include "file_fault.h"
#include "safetensors.h"
#include "small_run.h"

static char base[64], folder[80];
static struct figure *figures;
enum { LIBRARY_POINTS, COMMAND_POINTS, EXAMPLE_POINTS, SIGNAL_POINTS };
#define INTERPRETED 1u /* for the digest of a plan that is not compiled */

/* What the child tells: the status or exit code, a digest of the results, files left open. */
static struct outcome {
    int status;
    uint64_t digest;
    int left_open;
    char words[512];
} * told;

struct scenario {
    const char *name;
    int figure;
    void (*prepare)(void); /* before every run; may be NULL */
    int (*work)(void *);   /* in the child; 0 */
    int fault_status;      /* what a fault may come to, beside no consequence */
    bool (*is_whole)(bool has_failed, char *words, size_t size); /* of the files afterwards */
};

static const char *path_of(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 160, "%s/%s", folder, name);
    return path;
}

static void file_write(const char *name, const char *bytes, size_t length, mode_t mode)
{
    FILE *file = fopen(path_of(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path_of(name), mode), 0);
}

static uint64_t digest_bytes(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* 0: no such file. */
static uint64_t digest_file(const char *name)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path_of(name), "rb");
    if (!file)
        return 0;
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return digest_bytes(bytes, size);
}

static int open_files(void)
{
    DIR *stream = opendir("/proc/self/fd");
    int count = 0;
    while (stream && readdir(stream))
        count++;
    if (stream)
        closedir(stream);
    return count;
}

/* Names in a folder that begin like this. */
static int count_names(const char *path, const char *prefix)
{
    DIR *stream = opendir(path);
    int count = 0;
    for (struct dirent *entry; stream && (entry = readdir(stream)) != NULL;)
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    if (stream)
        closedir(stream);
    return count;
}

/* ---- the library ---- */

/* Quick after its first run: its own files are not the library's, and stand elsewhere. */
static const char compiler_text[] =
    "#!/bin/sh\n"
    "case $1 in --version) echo 'quick 1'; exit 0;; esac\n"
    "kept=$0.so\n"
    "arguments=$*\n"
    "while [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done\n"
    "[ -e \"$kept\" ] || cc $arguments -o \"$kept\" || exit 1\n"
    "exec cat \"$kept\" > \"$out\"\n";

static void setup(void)
{
    snprintf(base, sizeof base, "/tmp/check-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(folder, sizeof folder, "%s/work", base);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    file_write("lstm.cell", small_lstm, strlen(small_lstm), 0600);
    file_write("../cc", compiler_text, sizeof compiler_text - 1, 0700);
    ck_assert_int_eq(setenv("PARARNNC_CC", path_of("../cc"), 1), 0);
    ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", path_of("cache"), 1), 0);
    ck_assert_int_eq(setenv("TMPDIR", base, 1), 0);
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(told != MAP_FAILED);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", base);
    ck_assert_int_eq(system(command), 0);
}

static void tell(int status, uint64_t digest, int open_before)
{
    told->status = status;
    told->digest = digest;
    snprintf(told->words, sizeof told->words, "%s", prnn_last_error());
    told->left_open = open_files() - open_before;
}

static int load_work(void *path)
{
    const int before = open_files();
    prnn_cell_info info = PRNN_CELL_INFO_INIT;
    prnn_context *ctx;
    prnn_cell *cell;
    uint64_t digest = 0;
    if (prnn_context_create(&ctx, "cpu") != PRNN_OK)
        return 1;
    const prnn_status st = prnn_cell_load(&cell, ctx, path, NULL);
    if (st == PRNN_OK && prnn_cell_describe(cell, &info) == PRNN_OK)
        digest = digest_bytes(info.name, strlen(info.name)) + info.param_scalars;
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    tell(st, digest, before);
    return 0;
}

/* A plan through the cache; of an interpreted one other bits are expected. */
static int plan_work(void *context)
{
    const int before = open_files();
    const prnn_problem problem = small_problem();
    prnn_context *ctx;
    prnn_cell *cell;
    prnn_plan *plan;
    uint64_t digest = 0;
    (void)context;
    if (prnn_context_create(&ctx, "cpu") != PRNN_OK ||
        prnn_cell_load_text(&cell, ctx, "lstm", small_lstm, strlen(small_lstm), NULL) != PRNN_OK)
        return 1;
    const prnn_status st = prnn_plan_create(&plan, cell, &problem);
    if (st >= 0 && small_solve(plan, cell, &digest) != PRNN_OK)
        return 2;
    if (st >= 0 && strstr(prnn_plan_describe(plan), "interpreted"))
        digest = INTERPRETED;
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    tell(st, digest, before);
    return 0;
}

static int left_allowed; /* of scratch folders and temporaries */

static void cache_remove(void)
{
    char command[160];
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", path_of("cache"));
    ck_assert_int_eq(system(command), 0);
}

/* Every entry that is there is whole, and no file is left half made. */
static bool cache_is_whole(bool has_failed, char *words, size_t size)
{
    uint64_t checked = 0;
    struct cache *cache = cache_open(NULL);
    const uint64_t damaged = cache_verify(cache, &checked);
    const int left = count_names(path_of("cache"), "tmp-") + count_names(path_of("cache"), "scr");
    const char *reason = cache_reason(cache);
    snprintf(words, size, "%lu of %lu entries damaged, %d files left behind, %s",
             (unsigned long)damaged, (unsigned long)checked, left, reason ? reason : "on");
    cache_close(cache);
    (void)has_failed;
    return damaged == 0 && left <= left_allowed && (checked > 0 || has_failed) && !reason;
}

/* Told by cache_work() as its digest, when an entry that is whole was called damaged. */
#define DAMAGED 2u

static int cache_work(void *context)
{
    static char payload[100000];
    const struct cache_part part = {"text", "text", 4};
    const struct cache_key key = cache_key_make(&part, 1);
    const int before = open_files();
    struct cache *cache = cache_open(NULL);
    void *data = NULL;
    size_t size = 0, count = 0;
    uint64_t wrong = 0, checked;
    (void)context;
    memset(payload, 'x', sizeof payload);
    (void)cache_put(cache, &key, "label", payload, sizeof payload);
    if (cache_get(cache, &key, &data, &size)) {
        wrong += size != sizeof payload || memcmp(data, payload, size) != 0;
        free(data);
    }
    free(cache_list(cache, &count));
    wrong += cache_verify(cache, &checked) ? DAMAGED : 0;
    (void)cache_stats(cache);
    cache_close(cache);
    tell(0, wrong, before);
    return 0;
}

/* ---- the command ---- */

struct command {
    const char *const *argv;
    const char *output; /* a name in the folder for standard output, or NULL */
};

static int command_work(void *context)
{
    const struct command *command = context;
    const int errors = open("/dev/null", O_WRONLY);
    const int output = open(command->output ? path_of(command->output) : "/dev/null",
                            O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(output, 1);
    dup2(errors, 2);
    close(errors);
    close(output);
    if (chdir(folder) == 0)
        execv(PRNN_COMMAND, (char *const *)command->argv);
    return 126;
}

static int command_in_child(const char *const *argv)
{
    struct command command = {argv, NULL};
    int status;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(command_work(&command));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static const char old_text[] = "the old file, longer than nothing\n";

static void old_files_make(void)
{
    static const char *const names[] = {"out.c", "out.prnn", "out.h", "page.html"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        file_write(names[i], old_text, sizeof old_text - 1, 0640);
}

static uint64_t expected_file;
static mode_t expected_mode = 0640;
static const char *target;

/* The target is the old file or the new one, with its mode, and alone. */
static bool target_is_whole(bool has_failed, char *words, size_t size)
{
    const uint64_t found = digest_file(target);
    const bool is_old = found == digest_bytes(old_text, sizeof old_text - 1);
    const int left = count_names(folder, target);
    struct stat info = {0};
    (void)stat(path_of(target), &info);
    snprintf(words, size, "'%s' is %s, mode %o, %d files of that name", target,
             is_old                   ? "old"
             : found == expected_file ? "new"
                                      : "neither old nor new",
             (unsigned)info.st_mode, left);
    return (is_old || found == expected_file) && left == 1 &&
           (info.st_mode & 07777) == expected_mode && (has_failed || !is_old);
}

/* ---- the sweep ---- */

/* Must change nothing. Whether a close() that was interrupted has lost something nobody can tell,
 * so that one may be taken for a failure. */
static bool is_transparent(const struct scenario *scenario, enum file_fault_kind kind,
                           const char *name)
{
    /* The example leaves it to the C library's streams, which report EINTR. */
    return kind == FILE_FAULT_SHORT || (kind == FILE_FAULT_EINTR && strcmp(name, "close") != 0 &&
                                        scenario->figure != EXAMPLE_POINTS);
}

/* What removes a scratch folder cannot do more than fail; an hour later it is removed as stale. */
static bool may_leave(enum file_fault_kind kind, const char *name)
{
    static const char *const names[] = {"openat", "getdents", "unlinkat",
                                        "fcntl",  "fstat",    "newfstatat"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (kind != FILE_FAULT_SHORT && strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static struct file_fault_result once(const struct scenario *scenario, void *context,
                                     enum file_fault_kind kind, int n)
{
    const struct file_fault fault = {
        .folder = folder, .kind = kind, .n = n, .from_exec = scenario->work == command_work};
    if (scenario->prepare)
        scenario->prepare();
    memset(told, 0, sizeof *told);
    const struct file_fault_result result = file_fault_run(&fault, scenario->work, context);
    ck_assert_msg(WIFEXITED(result.wait_status),
                  "'%s', %s of operation %d (%s): ended by signal %d", scenario->name,
                  file_fault_names[kind], n, result.name, WTERMSIG(result.wait_status));
    if (scenario->work == command_work)
        told->status = WEXITSTATUS(result.wait_status);
    else
        ck_assert_msg(WEXITSTATUS(result.wait_status) == 0, "'%s', %s of operation %d (%s): %d",
                      scenario->name, file_fault_names[kind], n, result.name,
                      WEXITSTATUS(result.wait_status));
    return result;
}

static void whole_check(const struct scenario *scenario, enum file_fault_kind kind, int n,
                        const char *name, bool has_failed)
{
    char words[256] = "";
    if (scenario->is_whole && !scenario->is_whole(has_failed, words, sizeof words))
        ck_abort_msg("'%s', %s of operation %d (%s): %s", scenario->name, file_fault_names[kind], n,
                     name, words);
}

static void sweep(const struct scenario *scenario, void *context)
{
    once(scenario, context, FILE_FAULT_NONE, 0); /* what is made once is there now */
    const struct file_fault_result plain = once(scenario, context, FILE_FAULT_NONE, 0);
    const struct outcome expected = *told;
    if (target)
        expected_file = digest_file(target);
    ck_assert_msg(plain.operations > 0, "'%s' touches no file", scenario->name);
    ck_assert_msg(expected.status == 0 && expected.left_open == 0, "'%s': %d, %d left open, '%s'",
                  scenario->name, expected.status, expected.left_open, expected.words);
    whole_check(scenario, FILE_FAULT_NONE, 0, "", false);
    for (enum file_fault_kind kind = FILE_FAULT_EIO; kind <= FILE_FAULT_SHORT; kind++)
        for (int n = 1; n < 1000; n++) {
            const struct file_fault_result result = once(scenario, context, kind, n);
            if (!result.has_failed)
                break;
            figures[scenario->figure].goal++;
            const struct outcome found = *told;
            const bool is_same = found.status == expected.status && found.digest == expected.digest;
            const bool is_fallback = found.status == PRNN_FALLBACK && found.digest == INTERPRETED;
            /* A disk that cannot be read has damaged what is on it. */
            const bool is_cache = scenario->work == cache_work;
            const bool is_fault = is_cache
                                      ? kind == FILE_FAULT_EIO && found.digest == DAMAGED
                                      : found.status == scenario->fault_status ||
                                            (scenario->work == command_work && found.status == 3);
            ck_assert_msg(is_same || ((is_fault || is_fallback) &&
                                      !is_transparent(scenario, kind, result.name)),
                          "'%s', %s of operation %d (%s): status %d, '%s'", scenario->name,
                          file_fault_names[kind], n, result.name, found.status, found.words);
            ck_assert_msg(found.left_open == 0, "'%s', %s of operation %d (%s): %d files left open",
                          scenario->name, file_fault_names[kind], n, result.name, found.left_open);
            /* A folder or entry whose opening is interrupted may be a miss of the cache. */
            left_allowed = may_leave(kind, result.name);
            whole_check(scenario, kind, n, result.name,
                        !is_transparent(scenario, kind, result.name) ||
                            strncmp(result.name, "open", 4) == 0);
            left_allowed = 0;
            once(scenario, context, FILE_FAULT_NONE, 0);
            ck_assert_msg(told->status == expected.status && told->digest == expected.digest,
                          "'%s' after %s of operation %d (%s): status %d, '%s'", scenario->name,
                          file_fault_names[kind], n, result.name, told->status, told->words);
            figures[scenario->figure].reached++;
        }
}

START_TEST(loading_a_cell_ends_with_io)
{
    static const struct scenario scenario = {"load",    LIBRARY_POINTS, NULL,
                                             load_work, PRNN_E_IO,      NULL};
    char path[160];
    if (_i) {
        static const char *const argv[] = {"pararnnc", "compile",   "lstm.cell",
                                           "-o",       "lstm.prnn", NULL};
        ck_assert_int_eq(command_in_child(argv), 0);
    }
    snprintf(path, sizeof path, "%s", path_of(_i ? "lstm.prnn" : "lstm.cell"));
    sweep(&scenario, path);
}
END_TEST

START_TEST(a_plan_is_made_whatever_the_cache_suffers)
{
    static const struct scenario scenarios[] = {
        {"plan, warm cache", LIBRARY_POINTS, NULL, plan_work, PRNN_OK, cache_is_whole},
        {"plan, no cache yet", LIBRARY_POINTS, cache_remove, plan_work, PRNN_OK, cache_is_whole},
    };
    sweep(&scenarios[_i], NULL);
}
END_TEST

START_TEST(the_cache_stays_whole)
{
    static const struct scenario scenarios[] = {
        {"cache", LIBRARY_POINTS, NULL, cache_work, 0, cache_is_whole},
        {"new cache", LIBRARY_POINTS, cache_remove, cache_work, 0, cache_is_whole},
    };
    sweep(&scenarios[_i], NULL);
}
END_TEST

START_TEST(the_command_leaves_the_old_file_or_the_new_one)
{
    static const char *const argvs[][6] = {
        {"pararnnc", "compile", "lstm.cell", "-o", "out.c"},
        {"pararnnc", "compile", "lstm.cell", "-o", "out.prnn"},
        {"pararnnc", "compile", "lstm.cell", "-o", "out.h"},
        {"pararnnc", "explain", "lstm.cell", "--html", "page.html"},
    };
    static const struct scenario scenario = {
        "command", COMMAND_POINTS, old_files_make, command_work, 3, target_is_whole};
    struct command command = {argvs[_i], NULL};
    target = argvs[_i][4];
    sweep(&scenario, &command);
}
END_TEST

START_TEST(a_signal_leaves_no_temporary)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    static const char *const argv[] = {"pararnnc", "compile", "lstm.cell", "-o", "out.c", NULL};
    struct command command = {argv, NULL};
    char words[256];
    target = "out.c";
    ck_assert_int_eq(command_in_child(argv), 0);
    expected_file = digest_file(target);
    for (int n = 1; n < 100; n++) {
        const struct file_fault fault = {.folder = folder,
                                         .kind = FILE_FAULT_SIGNAL,
                                         .n = n,
                                         .signal = signals[_i],
                                         .from_exec = true};
        old_files_make();
        const struct file_fault_result result = file_fault_run(&fault, command_work, &command);
        if (!result.has_failed)
            break;
        figures[SIGNAL_POINTS].goal++;
        /* What comes behind the end of the command's work is of no consequence. */
        ck_assert_msg(WIFSIGNALED(result.wait_status) &&
                          WTERMSIG(result.wait_status) == signals[_i],
                      "signal behind operation %d (%s): wait status %x", n, result.name,
                      (unsigned)result.wait_status);
        ck_assert_msg(target_is_whole(true, words, sizeof words),
                      "signal behind operation %d (%s): %s", n, result.name, words);
        ck_assert_msg(strstr(words, "1 files") != NULL, "signal behind operation %d (%s): %s", n,
                      result.name, words);
        figures[SIGNAL_POINTS].reached++;
    }
    ck_assert_int_ge(figures[SIGNAL_POINTS].reached, 5);
}
END_TEST

/* ---- the parameters of an example: safetensors.c below a model of two tensors ---- */

struct model {
    float params[600];
};

static struct model_group groups[2] = {{.name = "one", .rows = 20, .columns = 10},
                                       {.name = "two", .offset = 200, .rows = 40, .columns = 10}};

size_t model_param_count(const struct model *model)
{
    return sizeof model->params / sizeof *model->params;
}

struct memory *model_params(const struct model *model)
{
    return (struct memory *)(void *)((struct model *)(uintptr_t)model)->params;
}

prnn_status model_download(const struct model *model, void *host, const struct memory *from,
                           size_t count)
{
    (void)model;
    memcpy(host, (const void *)from, count * sizeof(float));
    return PRNN_OK;
}

prnn_status model_upload(const struct model *model, struct memory *to, const void *host,
                         size_t count)
{
    (void)model;
    memcpy((void *)to, host, count * sizeof(float));
    return PRNN_OK;
}

const struct model_group *model_groups(const struct model *model, size_t *count)
{
    (void)model;
    *count = 2;
    return groups;
}

static void quiet(void)
{
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    close(null);
}

static int save_work(void *context)
{
    static struct model model;
    quiet();
    const int before = open_files();
    for (size_t i = 0; i < 600; i++)
        model.params[i] = (float)i;
    (void)context;
    tell(safetensors_save(path_of("p.safetensors"), &model) ? 0 : PRNN_E_IO, 0, before);
    return 0;
}

static int read_work(void *context)
{
    static struct model model;
    quiet();
    const int before = open_files();
    (void)context;
    const bool is_read = safetensors_load(path_of("p.safetensors"), &model);
    tell(is_read ? 0 : PRNN_E_IO, is_read ? digest_bytes(&model, sizeof model) : 0, before);
    return 0;
}

static void old_parameters_make(void)
{
    file_write("p.safetensors", old_text, sizeof old_text - 1, 0644);
}

START_TEST(saved_parameters_are_the_old_ones_or_the_new_ones)
{
    static const struct scenario scenario = {"safetensors, save", EXAMPLE_POINTS,
                                             old_parameters_make, save_work,
                                             PRNN_E_IO,           target_is_whole};
    target = "p.safetensors";
    umask(022);
    expected_mode = 0644;
    sweep(&scenario, NULL);
}
END_TEST

START_TEST(parameters_are_read_whole_or_refused)
{
    static const struct scenario scenario = {"safetensors, load", EXAMPLE_POINTS, NULL,
                                             read_work,           PRNN_E_IO,      NULL};
    const pid_t pid = fork();
    int status;
    if (pid == 0)
        _exit(save_work(NULL));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(told->status, 0);
    sweep(&scenario, NULL);
}
END_TEST

START_TEST(lost_output_is_an_exit_code)
{
    static const char *const argvs[][5] = {
        {"pararnnc", "explain", "lstm.cell"},
        {"pararnnc", "check", "--json", "lstm.cell"},
        {"pararnnc", "fmt", "lstm.cell"},
        {"pararnnc", "cache", "stats"},
    };
    static const struct scenario scenarios[] = {
        {"command to standard output", COMMAND_POINTS, NULL, command_work, 3, NULL},
        {"cache stats", COMMAND_POINTS, NULL, command_work, 5, NULL},
    };
    struct command command = {argvs[_i], "output"};
    sweep(&scenarios[_i == 3], &command);
}
END_TEST

int main(int argc, char **argv)
{
    static const char *const names[] = {
        "file operations of the library failed (EIO, ENOSPC, EMFILE, EINTR, short)",
        "file operations of the command failed", "file operations of safetensors failed",
        "signals (INT, TERM, HUP) behind each file operation of compile -o", NULL};
    if (argc < 2)
        return 1;
    figures = figures_begin(argv[1], names);
    if (!file_fault_is_possible()) {
        printf("skipped: processes cannot be traced here\n");
        return 77;
    }
    TCase *cases = tcase_create("file_faults");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, loading_a_cell_ends_with_io, 0, 2);
    tcase_add_loop_test(cases, a_plan_is_made_whatever_the_cache_suffers, 0, 2);
    tcase_add_loop_test(cases, the_cache_stays_whole, 0, 2);
    tcase_add_loop_test(cases, the_command_leaves_the_old_file_or_the_new_one, 0, 4);
    tcase_add_loop_test(cases, a_signal_leaves_no_temporary, 0, 3);
    tcase_add_test(cases, saved_parameters_are_the_old_ones_or_the_new_ones);
    tcase_add_test(cases, parameters_are_read_whole_or_refused);
    tcase_add_loop_test(cases, lost_output_is_an_exit_code, 0, 4);
    Suite *suite = suite_create("file_faults");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    figures_write();
    return failed != 0;
}
