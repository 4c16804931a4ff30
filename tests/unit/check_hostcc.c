#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "hostcc.h"

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/check-hostcc-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(unsetenv("PARARNNC_CC"), 0);
}

static void teardown(void)
{
    char command[128];
    signal(SIGCHLD, SIG_DFL); /* for system() */
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct cache *opened(void)
{
    char path[96];
    snprintf(path, sizeof path, "%s/cache", folder);
    struct cache *cache = cache_open(&(struct cache_options){.path = path});
    ck_assert_ptr_null(cache_reason(cache));
    return cache;
}

struct table {
    int (*twice)(int);
    double (*fused)(double, double, double);
};

static const char text[] = "static int twice(int x) { return 2 * x; }\n"
                           "static double fused(double a, double b, double c) {\n"
                           "    return __builtin_fma(a, b, c); }\n"
                           "const struct { int (*twice)(int); double (*fused)(double, double, "
                           "double); } table = { twice, fused };\n";

static void table_check(const struct hostcc_object *object)
{
    const struct table *table = hostcc_symbol(object, "table");
    ck_assert_ptr_nonnull(table);
    ck_assert_int_eq(table->twice(21), 42);
    /* (1 + e)(1 - e) - 1 = -e^2, which only a fused operation keeps. */
    ck_assert_double_eq(table->fused(1 + 0x1p-30, 1 - 0x1p-30, -1), -0x1p-60);
    ck_assert_ptr_null(hostcc_symbol(object, "twice"));
}

static size_t leftovers(void)
{
    char path[96];
    size_t count = 0;
    snprintf(path, sizeof path, "%s/cache", folder);
    DIR *stream = opendir(path);
    for (struct dirent *entry; stream && (entry = readdir(stream)) != NULL;)
        count +=
            strncmp(entry->d_name, "scratch-", 8) == 0 || strncmp(entry->d_name, "tmp-", 4) == 0;
    if (stream)
        closedir(stream);
    return count;
}

START_TEST(a_text_is_compiled_once_and_then_comes_from_the_cache)
{
    struct cache *cache = opened();
    struct hostcc_object *first, *second;
    struct hostcc_info info = {0};
    char *log = NULL;
    ck_assert_int_eq(hostcc_load(&first, text, sizeof text - 1, cache, &info, &log), HOSTCC_OK);
    ck_assert_ptr_null(log);
    ck_assert(!info.from_cache);
    ck_assert_int_eq(hostcc_load(&second, text, sizeof text - 1, cache, &info, &log), HOSTCC_OK);
    ck_assert(info.from_cache);
    table_check(first);
    table_check(second);
    hostcc_unload(first);
    table_check(second);
    hostcc_unload(second);
    ck_assert_uint_eq(cache_stats(cache).entries, 1);
    ck_assert_uint_eq(leftovers(), 0);
    cache_close(cache);
}
END_TEST

START_TEST(objects_loaded_one_after_another_are_not_mistaken_for_each_other)
{
    for (int i = 0; i < 5; i++) {
        char own[128];
        char *log = NULL;
        struct hostcc_object *object;
        int size = snprintf(own, sizeof own, "const int number = %d;\n", i);
        ck_assert_int_eq(hostcc_load(&object, own, (size_t)size, NULL, NULL, &log), HOSTCC_OK);
        ck_assert_int_eq(*(const int *)hostcc_symbol(object, "number"), i);
        hostcc_unload(object);
    }
}
END_TEST

START_TEST(contraction_is_left_to_the_text)
{
    static const char separate[] =
        "double value(double a, double b, double c) { return a * b + c; }\n"
        "double (*const table)(double, double, double) = value;\n";
    struct hostcc_object *object;
    char *log = NULL;
    ck_assert_int_eq(hostcc_load(&object, separate, sizeof separate - 1, NULL, NULL, &log),
                     HOSTCC_OK);
    double (*const *value)(double, double, double) = hostcc_symbol(object, "table");
    ck_assert_double_eq((*value)(1 + 0x1p-30, 1 - 0x1p-30, -1), 0);
    hostcc_unload(object);
}
END_TEST

START_TEST(a_text_that_is_refused_gives_the_compilers_words)
{
    struct cache *cache = opened();
    struct hostcc_object *object;
    char *log = NULL;
    ck_assert_int_eq(hostcc_load(&object, "int f(", 6, cache, NULL, &log), HOSTCC_REJECTED);
    ck_assert_msg(log && strstr(log, "error:"), "%s", log ? log : "no log");
    free(log);
    ck_assert_uint_eq(cache_stats(cache).entries, 0);
    ck_assert_uint_eq(leftovers(), 0);
    cache_close(cache);
}
END_TEST

START_TEST(no_compiler_is_told_from_a_failing_one)
{
    static const struct {
        const char *wanted;
        enum hostcc_status status;
        const char *words;
    } rows[] = {
        {"none", HOSTCC_MISSING, "PARARNNC_CC is 'none'"},
        {"/nowhere/cc", HOSTCC_MISSING, "/nowhere/cc"},
        {"cc; touch hostcc-was-here", HOSTCC_MISSING, "no program"},
        {"/etc/passwd", HOSTCC_MISSING, "/etc/passwd"},
        {"/dev/null", HOSTCC_MISSING, "/dev/null"},
        {"/bin/false", HOSTCC_REJECTED, "status 1"},
        {"/bin/true", HOSTCC_TROUBLE, "left no object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hostcc_object *object;
        char *log = NULL;
        ck_assert_int_eq(setenv("PARARNNC_CC", rows[i].wanted, 1), 0);
        enum hostcc_status status = hostcc_load(&object, text, sizeof text - 1, NULL, NULL, &log);
        ck_assert_msg(status == rows[i].status && log && strstr(log, rows[i].words), "'%s': %d, %s",
                      rows[i].wanted, (int)status, log ? log : "no log");
        free(log);
        ck_assert((hostcc_compiler()->path == NULL) == (rows[i].status == HOSTCC_MISSING));
    }
    ck_assert_int_eq(access("hostcc-was-here", F_OK), -1);
    ck_assert_int_eq(setenv("PATH", "/nowhere:relative", 1), 0);
    ck_assert_int_eq(setenv("PARARNNC_CC", "", 1), 0);
    ck_assert_ptr_null(hostcc_compiler()->path);
    ck_assert_str_eq(hostcc_compiler()->missing, "none of cc, gcc and clang is on PATH");
}
END_TEST

/* A program in a file whose name tests what becomes of names. */
static void script_make(char path[256], const char *name, const char *body)
{
    snprintf(path, 256, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "#!/bin/sh\n%s\n", body);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, 0700), 0);
}

START_TEST(a_compiler_may_lack_optional_flags_and_have_any_name)
{
    char path[256], *log = NULL;
    struct hostcc_object *object;
    script_make(path, "my cc; $(x) 'q\"",
                "for a in \"$@\"; do case $a in -march=native|-fopenmp-simd) "
                "echo \"unknown option $a\" >&2; exit 1;; esac; done; exec cc \"$@\"");
    ck_assert_int_eq(setenv("PARARNNC_CC", path, 1), 0);
    enum hostcc_status status = hostcc_load(&object, text, sizeof text - 1, NULL, NULL, &log);
    ck_assert_msg(status == HOSTCC_OK, "%s", log ? log : "no log");
    table_check(object);
    hostcc_unload(object);
    ck_assert_str_eq(hostcc_compiler()->path, path);
}
END_TEST

START_TEST(a_compiler_that_leaves_rubbish_is_trouble_and_not_cached)
{
    char path[256], *log = NULL;
    struct hostcc_object *object;
    struct cache *cache = opened();
    script_make(path, "rubbish",
                "while [ $# -gt 1 ]; do [ \"$1\" = -o ] && echo rubbish > \"$2\"; shift; done");
    ck_assert_int_eq(setenv("PARARNNC_CC", path, 1), 0);
    ck_assert_int_eq(hostcc_load(&object, text, sizeof text - 1, cache, NULL, &log),
                     HOSTCC_TROUBLE);
    ck_assert_msg(log && strstr(log, "cannot be loaded"), "%s", log ? log : "no log");
    free(log);
    ck_assert_uint_eq(cache_stats(cache).entries, 0);
    ck_assert_uint_eq(leftovers(), 0);
    cache_close(cache);
}
END_TEST

START_TEST(another_compiler_has_another_entry)
{
    char path[256], *log = NULL;
    struct hostcc_object *object;
    struct hostcc_info info = {0};
    struct cache *cache = opened();
    script_make(path, "one", "exec cc \"$@\"");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(i ? setenv("PARARNNC_CC", path, 1) : unsetenv("PARARNNC_CC"), 0);
        ck_assert_int_eq(hostcc_load(&object, text, sizeof text - 1, cache, &info, &log),
                         HOSTCC_OK);
        ck_assert(!info.from_cache);
        hostcc_unload(object);
    }
    ck_assert_uint_eq(cache_stats(cache).entries, 2);
    cache_close(cache);
}
END_TEST

START_TEST(an_entry_that_does_not_load_is_made_again)
{
    /* Whole by its digest, but the object is for something else: as after a change of system. */
    struct cache *cache = opened();
    struct hostcc_object *object;
    struct hostcc_info info = {0};
    char *log = NULL;
    ck_assert_int_eq(hostcc_load(&object, text, sizeof text - 1, cache, &info, &log), HOSTCC_OK);
    hostcc_unload(object);
    size_t count;
    struct cache_entry *list = cache_list(cache, &count);
    ck_assert_uint_eq(count, 1);
    struct cache_key key;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        char pair[3] = {list[0].name[2 * i], list[0].name[2 * i + 1], 0};
        key.digest[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    free(list);
    ck_assert(cache_put(cache, &key, "planted", "not an object", 13));
    ck_assert_int_eq(hostcc_load(&object, text, sizeof text - 1, cache, &info, &log), HOSTCC_OK);
    ck_assert(!info.from_cache);
    hostcc_unload(object);
    ck_assert_int_eq(hostcc_load(&object, text, sizeof text - 1, cache, &info, &log), HOSTCC_OK);
    ck_assert(info.from_cache);
    hostcc_unload(object);
    cache_close(cache);
}
END_TEST

START_TEST(standard_files_may_be_closed_and_the_cache_off)
{
    struct hostcc_object *object;
    char *log = NULL;
    int kept = dup(2);
    for (int i = 0; i < 3; i++)
        close(i);
    enum hostcc_status status = hostcc_load(&object, text, sizeof text - 1, NULL, NULL, &log);
    dup2(kept, 2);
    ck_assert_msg(status == HOSTCC_OK, "%s", log ? log : "no log");
    table_check(object);
    hostcc_unload(object);
}
END_TEST

START_TEST(a_host_that_ignores_its_children_gets_the_object_all_the_same)
{
    struct hostcc_object *object;
    char *log = NULL;
    signal(SIGCHLD, SIG_IGN);
    enum hostcc_status status = hostcc_load(&object, text, sizeof text - 1, NULL, NULL, &log);
    ck_assert_msg(status == HOSTCC_OK, "%s", log ? log : "no log");
    table_check(object);
    hostcc_unload(object);
}
END_TEST

static void *thread_load(void *cache)
{
    struct hostcc_object *object;
    char *log = NULL;
    if (hostcc_load(&object, text, sizeof text - 1, cache, NULL, &log) != HOSTCC_OK)
        return log ? log : "failed";
    const struct table *table = hostcc_symbol(object, "table");
    int value = table->twice(4);
    hostcc_unload(object);
    return value == 8 ? NULL : "wrong";
}

START_TEST(threads_may_compile_the_same_text_at_once)
{
    struct cache *cache = opened();
    pthread_t threads[6];
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_load, cache), 0);
    for (size_t i = 0; i < 6; i++) {
        void *words;
        ck_assert_int_eq(pthread_join(threads[i], &words), 0);
        ck_assert_msg(words == NULL, "%s", (const char *)words);
    }
    ck_assert_uint_eq(cache_stats(cache).entries, 1);
    ck_assert_uint_eq(leftovers(), 0);
    cache_close(cache);
}
END_TEST

START_TEST(a_child_that_takes_too_long_is_ended_with_what_it_started)
{
    char path[256], pid_path[256];
    snprintf(pid_path, sizeof pid_path, "%s/pid", folder);
    char body[600];
    snprintf(body, sizeof body, "sleep 60 & echo $! > '%s'; echo words; wait", pid_path);
    script_make(path, "slow", body);
    const char *const argv[] = {path, NULL};
    struct child_result result = child_run(&(struct child_run){.argv = argv, .seconds = 1});
    ck_assert_int_eq(result.end, CHILD_TOOLONG);
    ck_assert_str_eq(result.output, "words\n");
    ck_assert(result.seconds < 5);
    free(result.output);
    FILE *file = fopen(pid_path, "r");
    int pid = 0;
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
    fclose(file);
    int alive = 0;
    for (int i = 0; i < 100; i++) { /* until init has collected it */
        char status[64], state = 'X';
        snprintf(status, sizeof status, "/proc/%d/stat", pid);
        FILE *stat_file = fopen(status, "r");
        alive = stat_file && fscanf(stat_file, "%*d %*s %c", &state) == 1 && state != 'Z';
        if (stat_file)
            fclose(stat_file);
        if (!alive)
            break;
        usleep(20000);
    }
    ck_assert_int_eq(alive, 0);
}
END_TEST

START_TEST(a_child_reads_its_input_and_sees_no_other_files)
{
    char path[256];
    int secret = open("/etc/passwd", O_RDONLY); /* inherited by ordinary children */
    ck_assert_int_ge(secret, 0);
    script_make(path, "reader", "cat; ls /proc/self/fd | wc -l; echo \"$TMPDIR $LC_ALL\"; exit 3");
    const char *const argv[] = {path, NULL};
    struct child_result result = child_run(&(struct child_run){
        .argv = argv, .input = "text\n", .input_size = 5, .temporary = "/here", .seconds = 10});
    ck_assert_int_eq(result.end, CHILD_EXITED);
    ck_assert_int_eq(result.code, 3);
    /* ls itself has 0, 1, 2 and the folder it lists. */
    ck_assert_str_eq(result.output, "text\n4\n/here C\n");
    free(result.output);
    close(secret);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("hostcc");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_text_is_compiled_once_and_then_comes_from_the_cache);
    tcase_add_test(cases, objects_loaded_one_after_another_are_not_mistaken_for_each_other);
    tcase_add_test(cases, contraction_is_left_to_the_text);
    tcase_add_test(cases, a_text_that_is_refused_gives_the_compilers_words);
    tcase_add_test(cases, no_compiler_is_told_from_a_failing_one);
    tcase_add_test(cases, a_compiler_may_lack_optional_flags_and_have_any_name);
    tcase_add_test(cases, a_compiler_that_leaves_rubbish_is_trouble_and_not_cached);
    tcase_add_test(cases, another_compiler_has_another_entry);
    tcase_add_test(cases, an_entry_that_does_not_load_is_made_again);
    tcase_add_test(cases, standard_files_may_be_closed_and_the_cache_off);
    tcase_add_test(cases, a_host_that_ignores_its_children_gets_the_object_all_the_same);
    tcase_add_test(cases, threads_may_compile_the_same_text_at_once);
    tcase_add_test(cases, a_child_that_takes_too_long_is_ended_with_what_it_started);
    tcase_add_test(cases, a_child_reads_its_input_and_sees_no_other_files);
    Suite *suite = suite_create("hostcc");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
