/* Surroundings that are not as usual: standard files, limits, compilers, locales, forks, and a
 * library that is loaded and unloaded. */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault_figures.h"
#include "ir_text.h"
#include "pipeline.h"
#include "small_run.h"

static char folder[64];
static struct figure *figures;
enum { STANDARD_FILES, LIMITS, COMPILERS, PROCESSES };

static const char *path_of(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 160, "%s/%s", folder, name);
    return path;
}

static void file_write(const char *name, const char *bytes, mode_t mode)
{
    FILE *file = fopen(path_of(name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(bytes, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path_of(name), mode), 0);
}

static const char *file_read(const char *name)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path_of(name), "rb");
    bytes[0] = 0;
    if (file) {
        bytes[fread(bytes, 1, sizeof bytes - 1, file)] = 0;
        fclose(file);
    }
    return bytes;
}

static uint64_t digest_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash;
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/check-environment-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    file_write("lstm.cell", small_lstm, 0600);
    ck_assert_int_eq(setenv("PARARNNC_CACHE_DIR", path_of("cache"), 1), 0);
    ck_assert_int_eq(setenv("PARARNNC_NVRTC", "none", 1), 0);
}

static void teardown(void)
{
    char command[128];
    setlocale(LC_ALL, "C");
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* ---- the command ---- */

/* Run the command in the folder, with surroundings made by 'surround' in the child; the wait
 * status. What it prints goes to the files "stdout" and "stderr" unless 'surround' says otherwise.
 */
static int command_run(const char *const *argv, void (*surround)(int), int argument)
{
    int status;
    const pid_t pid = fork();
    if (pid == 0) {
        const int out = open(path_of("stdout"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        const int err = open(path_of("stderr"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(out, 1);
        dup2(err, 2);
        close(out);
        close(err);
        if (chdir(folder) != 0)
            _exit(126);
        if (surround)
            surround(argument);
        execv(PRNN_COMMAND, (char *const *)argv);
        _exit(126);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void files_close(int mask)
{
    for (int fd = 0; fd < 3; fd++)
        if (mask >> fd & 1)
            close(fd);
}

START_TEST(closed_standard_files_cost_no_more_than_what_they_would_carry)
{
    static const char *const explain[] = {"pararnnc", "explain", "lstm.cell", NULL};
    static const char *const compile[] = {"pararnnc", "compile", "lstm.cell", "-o", "out.c", NULL};
    static const char *const missing[] = {"pararnnc", "check", "missing.cell", NULL};
    const int mask = _i;
    figures[STANDARD_FILES].goal += 3;
    ck_assert_int_eq(command_run(compile, NULL, 0), 0);
    const uint64_t expected = digest_of(file_read("out.c"));
    ck_assert_int_eq(unlink(path_of("out.c")), 0);

    ck_assert_int_eq(command_run(compile, files_close, mask), 0);
    ck_assert_uint_eq(digest_of(file_read("out.c")), expected); /* and nothing else in it */
    int status = command_run(explain, files_close, mask);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == (mask & 2 ? 3 : 0), "%x",
                  (unsigned)status);
    if (mask == 2)
        ck_assert_ptr_nonnull(strstr(file_read("stderr"), "cannot write to standard output"));
    status = command_run(missing, files_close, mask);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 3, "%x", (unsigned)status);
    figures[STANDARD_FILES].reached += 3;
}
END_TEST

static void output_full(int unused)
{
    (void)unused;
    dup2(open("/dev/full", O_WRONLY), 1);
}

static void output_broken(int unused)
{
    int ends[2];
    (void)unused;
    if (pipe(ends) == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
    }
}

START_TEST(output_that_is_lost_is_exit_code_3_with_words)
{
    static const char *const argvs[][6] = {
        {"pararnnc", "explain", "lstm.cell"},
        {"pararnnc", "compile", "lstm.cell", "-o", "-", "--emit=c"},
        {"pararnnc", "fmt", "lstm.cell"},
        {"pararnnc", "--help"},
        {"pararnnc", "check", "--json", "lstm.cell"},
    };
    const char *argv[7] = {NULL};
    memcpy(argv, argvs[_i], sizeof argvs[_i]);
    for (int broken = 0; broken < 2; broken++) {
        figures[STANDARD_FILES].goal++;
        const int status = command_run(argv, broken ? output_broken : output_full, 0);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 3, "%s: %x, '%s'", argv[1],
                      (unsigned)status, file_read("stderr"));
        ck_assert_ptr_nonnull(strstr(file_read("stderr"), "cannot write to standard output"));
        figures[STANDARD_FILES].reached++;
    }
}
END_TEST

static int limit_kind;

static void limit_set(int value)
{
    struct rlimit limit = {(rlim_t)value, (rlim_t)value};
    if (limit_kind != RLIMIT_NOFILE)
        limit.rlim_cur = limit.rlim_max = (rlim_t)value << 10;
    setrlimit((__rlimit_resource_t)limit_kind, &limit);
}

/* Whether a program with these libraries can start at all under the limit. */
static bool starts(int value)
{
    static const char *const argv[] = {"pararnnc", "--version", NULL};
    return command_run(argv, limit_set, value) == 0;
}

START_TEST(small_limits_end_in_an_exit_code)
{
    static const struct {
        int kind, least, most; /* KiB, or files */
        const char *name;
    } rows[] = {
        {RLIMIT_AS, 2000, 400000, "RLIMIT_AS"},
        {RLIMIT_STACK, 128, 1024, "RLIMIT_STACK"},
        {RLIMIT_NOFILE, 0, 24, "RLIMIT_NOFILE"},
        {RLIMIT_FSIZE, 0, 64, "RLIMIT_FSIZE"},
    };
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
    if (rows[_i].kind == RLIMIT_AS)
        return; /* whose own memory needs more than any of these */
#endif
#endif
    static const char *const argvs[][8] = {
        {"pararnnc", "check", "deep.cell"},
        {"pararnnc", "explain", "lstm.cell"},
        {"pararnnc", "compile", "lstm.cell", "-o", "out.c"},
        {"pararnnc", "run", "lstm.cell", "--device=cpu", "--threads=8", "--seq-len=64"},
        {"pararnnc", "doctor"},
    };
    char deep[2000] = "cell deep { state h; input u; h' = ";
    for (int i = 0; i < 240; i++)
        strcat(deep, "(");
    strcat(deep, "h + u");
    for (int i = 0; i < 240; i++)
        strcat(deep, ")");
    strcat(deep, "; }\n");
    file_write("deep.cell", deep, 0600);
    int fine = 0, started = 0;
    limit_kind = rows[_i].kind;
    for (int value = rows[_i].least; value <= rows[_i].most; value += value < 25 ? 1 : value / 4) {
        if (!starts(value))
            continue;
        started++;
        for (size_t i = 0; i < sizeof argvs / sizeof *argvs; i++) {
            const char *argv[9] = {NULL};
            memcpy(argv, argvs[i], sizeof argvs[i]);
            figures[LIMITS].goal++;
            file_write("out.c", "old\n", 0600);
            const int status = command_run(argv, limit_set, value);
            const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
            ck_assert_msg(code == 0 || code == 3 || code == 4 || code == 5,
                          "%s of %d, '%s': wait status %x, '%s'", rows[_i].name, value, argv[1],
                          (unsigned)status, file_read("stderr"));
            /* Where even messages cannot be written, the code has to do. */
            if (code != 0 && limit_kind != RLIMIT_FSIZE)
                ck_assert_msg(file_read("stderr")[0] || file_read("stdout")[0],
                              "%s of %d, '%s': %d without words", rows[_i].name, value, argv[1],
                              code);
            if (code != 0)
                ck_assert_msg(i != 2 || strcmp(file_read("out.c"), "old\n") == 0,
                              "%s of %d: a torn file", rows[_i].name, value);
            fine += code == 0;
            figures[LIMITS].reached++;
        }
    }
    ck_assert_int_gt(started, 2);
    ck_assert_int_gt(fine, 2);
}
END_TEST

/* ---- compilers ---- */

START_TEST(a_compiler_that_is_none_leaves_the_interpreter)
{
    static const struct {
        const char *wanted, *body, *words;
    } rows[] = {
        {"none", NULL, "none"},
        {"/nowhere/cc", NULL, "/nowhere/cc"},
        {"cc -O2", NULL, "cc -O2"},
        {"/etc/passwd", NULL, "/etc/passwd"},
        {"/tmp", NULL, "/tmp"},
        {"\n;`id`$(id)'\"\\", NULL, "PARARNNC_CC"},
        {"/bin/false", NULL, "status 1"},
        {"/bin/true", NULL, "left no object"},
        {"killed", "kill -9 $$", "signal 9"},
        {"crashed", "kill -SEGV $$", "signal 11"},
        {"fails", "echo words of the compiler >&2; exit 3", "words of the compiler"},
        {"loud", "head -c 3000000 /dev/zero | tr '\\0' 'x' >&2; exit 1", "xxxx"},
        {"rubbish", "while [ $# -gt 1 ]; do [ \"$1\" = -o ] && echo rubbish > \"$2\"; shift; done",
         "cannot be loaded"},
        {"folder", "while [ $# -gt 1 ]; do [ \"$1\" = -o ] && mkdir \"$2\"; shift; done",
         "cannot be"},
        {"link", "while [ $# -gt 1 ]; do [ \"$1\" = -o ] && ln -s /bin/true \"$2\"; shift; done",
         "cannot be"},
        {"pipe", "while [ $# -gt 1 ]; do [ \"$1\" = -o ] && mkfifo \"$2\"; shift; done", "object"},
    };
    if (_i >= (int)(sizeof rows / sizeof *rows))
        return;
    const prnn_problem problem = small_problem();
    prnn_context *ctx;
    prnn_cell *cell;
    prnn_plan *plan;
    uint64_t expected, digest;
    figures[COMPILERS].goal++;
    ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    ck_assert_int_eq(prnn_cell_load_text(&cell, ctx, "lstm", small_lstm, strlen(small_lstm), NULL),
                     PRNN_OK);
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_FALLBACK);
    ck_assert_int_eq(small_solve(plan, cell, &expected), PRNN_OK);
    prnn_plan_free(plan);

    const char *wanted = rows[_i].wanted;
    if (rows[_i].body) {
        char script[400];
        snprintf(script, sizeof script, "#!/bin/sh\n%s\n", rows[_i].body);
        file_write(wanted, script, 0700);
        wanted = path_of(wanted);
    }
    ck_assert_int_eq(setenv("PARARNNC_CC", wanted, 1), 0);
    const prnn_status st = prnn_plan_create(&plan, cell, &problem);
    ck_assert_msg(st == PRNN_FALLBACK && strstr(prnn_last_error(), rows[_i].words),
                  "'%s': %s, '%s'", wanted, prnn_status_name(st), prnn_last_error());
    ck_assert_int_eq(small_solve(plan, cell, &digest), PRNN_OK);
    ck_assert_uint_eq(digest, expected);
    prnn_plan_free(plan);
    /* And what is compiled with a compiler again is not spoilt. */
    ck_assert_int_eq(unsetenv("PARARNNC_CC"), 0);
    if (_i % 8 == 0) {
        ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_OK);
        prnn_plan_free(plan);
    }
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    figures[COMPILERS].reached++;
}
END_TEST

/* ---- locales ---- */

struct text_job {
    struct unit *unit;
    uint64_t digest;
};

static void text_make(struct arena *arena, void *context)
{
    struct text_job *job = context;
    struct textbuf out;
    textbuf_init(&out, arena);
    ir_print(&out, job->unit->ir);
    job->digest = digest_of(out.text);
}

/* Of everything that numbers go into and come out of. */
static uint64_t numbers_digest(void)
{
    static const char text[] =
        "cell n { const k = 1e-3; state h = 0.25; input u; param a in [-0.5, 1.5];\n"
        "h' = tanh(k*h + a*u) + 0.125; }\n";
    static const char *const defines[] = {"k=2.5e-1"};
    prnn_cell_options options = PRNN_CELL_OPTIONS_INIT;
    const prnn_problem problem = small_problem();
    const struct assemble_options assemble = {
        .kernel = ASSEMBLE_CPU, .target = ASSEMBLE_HOST, .state_written = 1, .state_gradient = 1};
    struct text_job job = {0};
    struct pipeline_text assembled;
    prnn_context *ctx;
    prnn_cell *cell;
    prnn_plan *plan;
    uint64_t digest;
    options.defines = defines;
    options.define_count = 1;
    ck_assert_int_eq(pipeline_load_text(&job.unit, "n", text, sizeof text - 1, NULL), PIPELINE_OK);
    ck_assert_int_eq(pipeline_guard(NULL, text_make, &job), PIPELINE_OK);
    ck_assert_int_eq(pipeline_assemble(&assembled, job.unit, &assemble), PIPELINE_OK);
    ck_assert_ptr_null(assembled.refusal);
    job.digest += digest_of(assembled.assembled.text);
    pipeline_text_free(&assembled);
    unit_free(job.unit);
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    ck_assert_int_eq(prnn_cell_load_text(&cell, ctx, "n", text, sizeof text - 1, &options),
                     PRNN_OK);
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_OK);
    ck_assert_int_eq(small_solve(plan, cell, &digest), PRNN_OK);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    return digest + 3 * job.digest;
}

START_TEST(a_decimal_comma_changes_nothing)
{
    char command[300], number[16];
    const uint64_t expected = numbers_digest();
    snprintf(command, sizeof command,
             "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1 || :", folder);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(setenv("LOCPATH", folder, 1), 0);
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) {
        printf("note: no locale with a decimal comma can be made here; not tested\n");
        return;
    }
    figures[PROCESSES].goal++;
    snprintf(number, sizeof number, "%.1f", 0.5);
    ck_assert_str_eq(number, "0,5");
    ck_assert_uint_eq(numbers_digest(), expected);
    figures[PROCESSES].reached++;
}
END_TEST

/* ---- processes and threads ---- */

/* The child's exit code, or -1 when it takes longer than that. */
static int child_wait(pid_t pid, int seconds)
{
    int status;
    for (int i = 0; i < 100 * seconds; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

START_TEST(a_forked_process_uses_what_it_inherits_and_makes_its_own)
{
    prnn_problem problem = small_problem();
    prnn_context *ctx;
    prnn_cell *cell;
    prnn_plan *plan;
    uint64_t expected, digest;
    figures[PROCESSES].goal++;
    problem.threads = 4;
    ck_assert_int_eq(prnn_context_create(&ctx, "cpu"), PRNN_OK);
    ck_assert_int_eq(prnn_cell_load_text(&cell, ctx, "lstm", small_lstm, strlen(small_lstm), NULL),
                     PRNN_OK);
    ck_assert_int_eq(prnn_plan_create(&plan, cell, &problem), PRNN_OK);
    ck_assert_int_eq(small_solve(plan, cell, &expected), PRNN_OK);
    const pid_t pid = fork();
    if (pid == 0) {
        bool fine = small_solve(plan, cell, &digest) == PRNN_OK && digest == expected;
        prnn_plan_free(plan);
        fine = fine && prnn_plan_create(&plan, cell, &problem) == PRNN_OK &&
               small_solve(plan, cell, &digest) == PRNN_OK && digest == expected;
        prnn_plan_free(plan);
        prnn_cell_free(cell);
        prnn_context_free(ctx);
        exit(fine ? 0 : 1);
    }
    ck_assert_int_eq(child_wait(pid, 30), 0);
    ck_assert_int_eq(small_solve(plan, cell, &digest), PRNN_OK);
    ck_assert_uint_eq(digest, expected);
    prnn_plan_free(plan);
    prnn_cell_free(cell);
    prnn_context_free(ctx);
    figures[PROCESSES].reached++;
}
END_TEST

static void *context_open(void *unused)
{
    prnn_context *ctx = NULL;
    prnn_context_create(&ctx, "cpu");
    prnn_context_free(ctx);
    return unused;
}

START_TEST(a_fork_while_another_thread_asks_the_compiler_does_not_hang)
{
    pthread_t thread;
    figures[PROCESSES].goal++;
    file_write("slow", "#!/bin/sh\nsleep 2\nexec cc \"$@\"\n", 0700);
    ck_assert_int_eq(setenv("PARARNNC_CC", path_of("slow"), 1), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, context_open, NULL), 0);
    nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        setenv("PARARNNC_CC", "none", 1);
        context_open(NULL);
        _exit(0);
    }
    ck_assert_int_eq(child_wait(pid, 20), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    figures[PROCESSES].reached++;
}
END_TEST

static int threads_now(void)
{
    char line[256];
    int count = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        (void)sscanf(line, "Threads: %d", &count);
    if (file)
        fclose(file);
    return count;
}

/* Load the shared library, use it on several threads, and unload it. */
static void library_use(bool is_large)
{
    void *handle = dlopen(PRNN_SHARED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    prnn_status (*create)(prnn_context **, const char *);
    prnn_status (*load)(prnn_cell **, prnn_context *, const char *, const char *, size_t,
                        const prnn_cell_options *);
    prnn_status (*plan_create)(prnn_plan **, const prnn_cell *, const prnn_problem *);
    size_t (*size)(const prnn_plan *);
    prnn_status (*bind)(const prnn_plan *, prnn_tensor *, const char *, const void *, int64_t,
                        int64_t);
    prnn_status (*forward)(const prnn_plan *, const prnn_tensor *, void *, void *);
    void (*plan_free)(prnn_plan *);
    void (*cell_free)(prnn_cell *);
    void (*context_free)(prnn_context *);
    const struct {
        const char *name;
        void *out;
    } symbols[] = {
        {"prnn_context_create", &create},
        {"prnn_cell_load_text", &load},
        {"prnn_plan_create", &plan_create},
        {"prnn_plan_workspace_size", &size},
        {"prnn_plan_bind", &bind},
        {"prnn_forward", &forward},
        {"prnn_plan_free", &plan_free},
        {"prnn_cell_free", &cell_free},
        {"prnn_context_free", &context_free},
    };
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *address = dlsym(handle, symbols[i].name);
        ck_assert_msg(address != NULL, "no %s", symbols[i].name);
        memcpy(symbols[i].out, &address, sizeof address);
    }
    static const char text[] = "cell e { state h; input u; h' = tanh(0.5*h + u); }\n";
    enum { ROOM = 4 * 64 * 256 };
    static float u[ROOM], h[ROOM];
    static _Alignas(256) unsigned char workspace[1 << 16];
    prnn_problem problem = PRNN_PROBLEM_INIT;
    prnn_tensor args[PRNN_MAX_ARGS] = PRNN_ARGS_INIT;
    prnn_context *ctx;
    prnn_cell *cell;
    prnn_plan *plan;
    problem.batch = 4;
    problem.seq_len = 64;
    problem.channels = 256;
    problem.threads = 4;
    ck_assert_int_eq(create(&ctx, "cpu"), PRNN_OK);
    ck_assert_int_eq(load(&cell, ctx, "e", text, sizeof text - 1, NULL), PRNN_OK);
    if (is_large) {
        ck_assert_int_ge(plan_create(&plan, cell, &problem), PRNN_OK);
        ck_assert_uint_le(size(plan), sizeof workspace);
        ck_assert_int_eq(bind(plan, args, "u", u, PRNN_DENSE, PRNN_DENSE), PRNN_OK);
        ck_assert_int_eq(bind(plan, args, "h", h, PRNN_DENSE, PRNN_DENSE), PRNN_OK);
        ck_assert_int_eq(forward(plan, args, workspace, NULL), PRNN_OK);
        ck_assert_int_gt(threads_now(), 1);
        plan_free(plan);
    }
    cell_free(cell);
    context_free(ctx);
    ck_assert_int_eq(dlclose(handle), 0);
}

START_TEST(the_library_can_be_unloaded_and_loaded_again)
{
    figures[PROCESSES].goal++;
    for (int i = 0; i < 5; i++) {
        library_use(true);
        ck_assert_int_eq(threads_now(), 1);
        ck_assert_ptr_null(dlopen(PRNN_SHARED_LIBRARY, RTLD_NOW | RTLD_NOLOAD));
    }
    figures[PROCESSES].reached++;
}
END_TEST

START_TEST(loading_it_again_and_again_uses_nothing_up)
{
    /* More often than a process has keys for thread-specific data. */
    figures[PROCESSES].goal++;
    ck_assert_int_eq(setenv("PARARNNC_CC", "none", 1), 0);
    for (int i = 0; i < 1100; i++)
        library_use(false);
    figures[PROCESSES].reached++;
}
END_TEST

START_TEST(exit_while_the_library_is_in_use_ends_the_process)
{
    figures[PROCESSES].goal++;
    const pid_t pid = fork();
    if (pid == 0) {
        library_use(true);
        prnn_context *ctx;
        prnn_cell *cell;
        prnn_plan *plan;
        uint64_t digest;
        prnn_problem problem = small_problem();
        problem.threads = 4;
        bool fine = prnn_context_create(&ctx, "cpu") == PRNN_OK &&
                    prnn_cell_load_text(&cell, ctx, "lstm", small_lstm, strlen(small_lstm), NULL) ==
                        PRNN_OK &&
                    prnn_plan_create(&plan, cell, &problem) == PRNN_OK &&
                    small_solve(plan, cell, &digest) == PRNN_OK;
        exit(fine ? 7 : 1); /* nothing freed */
    }
    ck_assert_int_eq(child_wait(pid, 30), 7);
    figures[PROCESSES].reached++;
}
END_TEST

int main(int argc, char **argv)
{
    static const char *const names[] = {"standard files closed, full or broken",
                                        "commands under small limits (memory, stack, files, size)",
                                        "compilers that are none",
                                        "locales, forks, unloading, exit", NULL};
    if (argc < 2)
        return 1;
    figures = figures_begin(argv[1], names);
    TCase *cases = tcase_create("environment_faults");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, closed_standard_files_cost_no_more_than_what_they_would_carry, 0, 8);
    tcase_add_loop_test(cases, output_that_is_lost_is_exit_code_3_with_words, 0, 5);
    tcase_add_loop_test(cases, small_limits_end_in_an_exit_code, 0, 4);
    tcase_add_loop_test(cases, a_compiler_that_is_none_leaves_the_interpreter, 0, 20);
    tcase_add_test(cases, a_decimal_comma_changes_nothing);
    tcase_add_test(cases, a_forked_process_uses_what_it_inherits_and_makes_its_own);
    tcase_add_test(cases, a_fork_while_another_thread_asks_the_compiler_does_not_hang);
    tcase_add_test(cases, the_library_can_be_unloaded_and_loaded_again);
    tcase_add_test(cases, loading_it_again_and_again_uses_nothing_up);
    tcase_add_test(cases, exit_while_the_library_is_in_use_ends_the_process);
    Suite *suite = suite_create("environment_faults");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    figures_write();
    return failed != 0;
}
