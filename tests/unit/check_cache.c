#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/check-cache-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct cache *opened(uint64_t max_bytes)
{
    char path[96];
    snprintf(path, sizeof path, "%s/cache", folder);
    struct cache *cache = cache_open(&(struct cache_options){.path = path, .max_bytes = max_bytes});
    ck_assert_ptr_nonnull(cache);
    return cache;
}

static struct cache_key key_of(const char *text)
{
    const struct cache_part part = {"text", text, strlen(text)};
    return cache_key_make(&part, 1);
}

static void file_of(char path[256], const struct cache_key *key)
{
    char hex[2 * SHA256_BYTES + 1];
    sha256_hex(key->digest, hex);
    snprintf(path, 256, "%s/cache/%s", folder, hex);
}

static bool is_hit(struct cache *cache, const struct cache_key *key, const char *expected)
{
    void *data = NULL;
    size_t size = 0;
    if (!cache_get(cache, key, &data, &size))
        return false;
    ck_assert_uint_eq(size, strlen(expected));
    ck_assert_mem_eq(data, expected, size);
    free(data);
    return true;
}

START_TEST(sha256_gives_the_digests_of_the_standard)
{
    static const struct {
        const char *text;
        size_t repeat;
        const char *digest;
    } rows[] = {
        {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned char digest[SHA256_BYTES];
        char hex[2 * SHA256_BYTES + 1];
        struct sha256 hash;
        sha256_init(&hash);
        for (size_t n = 0; n < rows[i].repeat; n++)
            sha256_add(&hash, rows[i].text, strlen(rows[i].text));
        sha256_end(&hash, digest);
        sha256_hex(digest, hex);
        ck_assert_msg(strcmp(hex, rows[i].digest) == 0, "'%.10s' gives %s", rows[i].text, hex);
    }
}
END_TEST

START_TEST(an_entry_comes_back_as_it_was_put)
{
    static const char payload[] = "\0binary\xff\n";
    struct cache_key key = key_of("cell");
    struct cache *cache = opened(0);
    void *data = NULL;
    size_t size = 0;
    ck_assert_ptr_null(cache_reason(cache));
    ck_assert(!cache_get(cache, &key, &data, &size));
    ck_assert(cache_put(cache, &key, "a label", payload, sizeof payload));
    ck_assert(cache_get(cache, &key, &data, &size));
    ck_assert_uint_eq(size, sizeof payload);
    ck_assert_mem_eq(data, payload, size);
    free(data);

    size_t count = 0;
    struct cache_entry *list = cache_list(cache, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(list[0].label, "a label");
    free(list);
    ck_assert(cache_put(cache, &key, "", "", 0));
    ck_assert(is_hit(cache, &key, ""));
    cache_close(cache);
}
END_TEST

START_TEST(a_key_depends_on_every_part_and_on_where_parts_end)
{
    static const struct cache_part rows[][2] = {
        {{"text", "ab", 2}, {"arch", "c", 1}},   {{"text", "a", 1}, {"arch", "bc", 2}},
        {{"text", "ab", 2}, {"arch", "d", 1}},   {{"texta", "b", 1}, {"arch", "c", 1}},
        {{"text", "ab", 2}, {"archc", "", 0}},   {{"arch", "c", 1}, {"text", "ab", 2}},
        {{"text", "ab\0", 3}, {"arch", "c", 1}},
    };
    const size_t count = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            struct cache_key a = cache_key_make(rows[i], 2), b = cache_key_make(rows[j], 2);
            ck_assert_msg((memcmp(&a, &b, sizeof a) == 0) == (i == j), "rows %zu and %zu", i, j);
        }
    struct cache_key one = cache_key_make(rows[0], 1), two = cache_key_make(rows[0], 2);
    ck_assert(memcmp(&one, &two, sizeof one) != 0);
}
END_TEST

static void file_write(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static size_t file_read(const char *path, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

START_TEST(a_flipped_byte_or_a_cut_anywhere_is_a_miss)
{
    struct cache_key key = key_of("cell");
    struct cache *cache = opened(0);
    unsigned char bytes[512], damaged[512];
    char path[256];
    ck_assert(cache_put(cache, &key, "label", "payload of a kernel", 19));
    file_of(path, &key);
    const size_t size = file_read(path, bytes, sizeof bytes);
    ck_assert_uint_gt(size, 19 + 2 * SHA256_BYTES);
    for (size_t i = 0; i < size; i++)
        for (unsigned bit = 0; bit < 8; bit += 7) {
            memcpy(damaged, bytes, size);
            damaged[i] = (unsigned char)(damaged[i] ^ 1u << bit);
            file_write(path, damaged, size);
            ck_assert_msg(!is_hit(cache, &key, "payload of a kernel"), "byte %zu", i);
        }
    for (size_t i = 0; i < size; i++) {
        file_write(path, bytes, i);
        ck_assert_msg(!is_hit(cache, &key, "payload of a kernel"), "cut to %zu", i);
    }
    memcpy(damaged, bytes, size);
    damaged[size] = 0;
    file_write(path, damaged, size + 1);
    ck_assert(!is_hit(cache, &key, "payload of a kernel"));

    uint64_t checked = 0;
    ck_assert_uint_eq(cache_verify(cache, &checked), 1);
    ck_assert_uint_eq(checked, 1);
    ck_assert_int_eq(access(path, F_OK), -1);
    /* What was made again takes its place. */
    ck_assert(cache_put(cache, &key, "label", "payload of a kernel", 19));
    ck_assert(is_hit(cache, &key, "payload of a kernel"));
    ck_assert_uint_eq(cache_verify(cache, &checked), 0);
    cache_close(cache);
}
END_TEST

START_TEST(an_entry_of_another_key_is_a_miss_and_said_once)
{
    struct cache_key mine = key_of("mine"), other = key_of("other");
    struct cache *cache = opened(0);
    char from[256], to[256], words[512];
    ck_assert(cache_put(cache, &other, "other", "other", 5));
    file_of(from, &other);
    file_of(to, &mine);
    ck_assert_int_eq(rename(from, to), 0);
    ck_assert(!is_hit(cache, &mine, "other"));
    ck_assert(!is_hit(cache, &mine, "other"));
    ck_assert(cache_trouble(cache, words, sizeof words));
    ck_assert_msg(strstr(words, "damaged"), "%s", words);
    ck_assert(!cache_trouble(cache, words, sizeof words));
    cache_close(cache);
}
END_TEST

START_TEST(only_a_plain_file_of_ones_own_is_read)
{
    struct cache_key key = key_of("cell");
    struct cache *cache = opened(0);
    char path[256], elsewhere[96];
    file_of(path, &key);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert(!is_hit(cache, &key, "x")); /* and does not wait for a writer */
    ck_assert_int_eq(unlink(path), 0);

    ck_assert(cache_put(cache, &key, "", "x", 1));
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    ck_assert_int_eq(rename(path, elsewhere), 0);
    ck_assert_int_eq(symlink(elsewhere, path), 0);
    ck_assert(!is_hit(cache, &key, "x"));
    ck_assert_int_eq(rename(elsewhere, path), 0);
    ck_assert(is_hit(cache, &key, "x"));
    ck_assert_int_eq(chmod(path, 0620), 0);
    ck_assert(!is_hit(cache, &key, "x"));
    cache_close(cache);
}
END_TEST

START_TEST(a_missing_directory_is_made_for_the_user_alone)
{
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s/a/b/c/", folder);
    struct cache *cache = cache_open(&(struct cache_options){.path = path});
    ck_assert_ptr_null(cache_reason(cache));
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0700);
    cache_close(cache);
}
END_TEST

START_TEST(a_directory_that_others_could_fill_turns_the_cache_off)
{
    struct cache_key key = key_of("cell");
    char real[96], link[96];
    snprintf(real, sizeof real, "%s/real", folder);
    snprintf(link, sizeof link, "%s/link/", folder);
    ck_assert_int_eq(mkdir(real, 0700), 0);
    const struct {
        mode_t mode;
        const char *path, *words;
    } rows[] = {
        {0720, real, "writable by others (mode 0720"},
        {0702, real, "writable by others (mode 0702"},
        {0700, link, "is a symbolic link"},
        {0700, "relative/place", "relative path"},
        {0700, "/dev/null", "cannot be opened"},
        {0700, "none", "PARARNNC_CACHE_DIR is 'none'"},
    };
    link[strlen(link) - 1] = 0;
    ck_assert_int_eq(symlink(real, link), 0);
    link[strlen(link)] = '/';
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(chmod(real, rows[i].mode), 0);
        struct cache *cache = cache_open(&(struct cache_options){.path = rows[i].path});
        ck_assert_ptr_nonnull(cache);
        ck_assert_msg(cache_reason(cache) && strstr(cache_reason(cache), rows[i].words),
                      "'%s' for '%s'", cache_reason(cache) ? cache_reason(cache) : "on",
                      rows[i].words);
        ck_assert(!cache_put(cache, &key, "", "x", 1));
        ck_assert(!is_hit(cache, &key, "x"));
        cache_close(cache);
    }
    if (geteuid() == 0) { /* only root can give a directory away */
        ck_assert_int_eq(chown(real, 12345, 12345), 0);
        struct cache *cache = cache_open(&(struct cache_options){.path = real});
        ck_assert_ptr_nonnull(strstr(cache_reason(cache), "belongs to user 12345"));
        cache_close(cache);
    }
}
END_TEST

START_TEST(the_environment_names_the_place)
{
    static const struct {
        const char *own, *xdg, *home, *expected;
    } rows[] = {
        {"/own", "/xdg", "/home", "/own"},
        {"", "/xdg", "/home", "/xdg/pararnnc"},
        {NULL, "relative", "/home", "/home/.cache/pararnnc"},
        {NULL, NULL, "/home", "/home/.cache/pararnnc"},
        {NULL, "", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const values[] = {rows[i].own, rows[i].xdg, rows[i].home};
        static const char *const names[] = {"PARARNNC_CACHE_DIR", "XDG_CACHE_HOME", "HOME"};
        char value[128], expected[128];
        for (size_t j = 0; j < 3; j++) {
            bool is_absolute = values[j] && values[j][0] == '/';
            snprintf(value, sizeof value, "%s%s", is_absolute ? folder : "",
                     values[j] ? values[j] : "");
            ck_assert_int_eq(values[j] ? setenv(names[j], value, 1) : unsetenv(names[j]), 0);
        }
        struct cache *cache = cache_open(NULL);
        snprintf(expected, sizeof expected, "%s%s", folder,
                 rows[i].expected ? rows[i].expected : "");
        if (rows[i].expected)
            ck_assert_str_eq(cache_path(cache), expected);
        else
            ck_assert_ptr_null(cache_path(cache));
        ck_assert_msg((cache_reason(cache) == NULL) == (rows[i].expected != NULL), "row %zu: %s", i,
                      cache_reason(cache) ? cache_reason(cache) : "on");
        cache_close(cache);
    }
}
END_TEST

START_TEST(a_directory_that_vanishes_costs_one_warning)
{
    struct cache_key key = key_of("cell");
    struct cache *cache = opened(0);
    char path[96], words[512];
    snprintf(path, sizeof path, "%s/cache", folder);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert(!cache_put(cache, &key, "", "x", 1));
    ck_assert(!cache_put(cache, &key, "", "x", 1));
    ck_assert(!is_hit(cache, &key, "x"));
    ck_assert(cache_trouble(cache, words, sizeof words));
    ck_assert_msg(strstr(words, "cannot be written"), "%s", words);
    ck_assert(!cache_trouble(cache, words, sizeof words));
    cache_close(cache);
}
END_TEST

static void age(const char *path, time_t seconds)
{
    const struct timespec times[2] = {{.tv_sec = time(NULL) - seconds},
                                      {.tv_sec = time(NULL) - seconds}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

START_TEST(the_least_recently_used_go_first_when_the_cap_is_reached)
{
    struct cache *cache = opened(10000);
    struct cache_key keys[12];
    char payload[1000], name[16], path[256];
    memset(payload, 'x', sizeof payload - 1);
    payload[sizeof payload - 1] = 0;
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "cell%d", i);
        keys[i] = key_of(name);
        ck_assert(cache_put(cache, &keys[i], name, payload, strlen(payload)));
        file_of(path, &keys[i]);
        age(path, 1000 - i);
    }
    ck_assert(is_hit(cache, &keys[0], payload)); /* the oldest is used: now the newest */
    for (int i = 8; i < 12; i++) {
        snprintf(name, sizeof name, "cell%d", i);
        keys[i] = key_of(name);
        ck_assert(cache_put(cache, &keys[i], name, payload, strlen(payload)));
    }
    struct cache_stats stats = cache_stats(cache);
    ck_assert_uint_le(stats.bytes, 10000);
    ck_assert_uint_ge(stats.entries, 7);
    ck_assert(is_hit(cache, &keys[0], payload));
    ck_assert(is_hit(cache, &keys[11], payload));
    ck_assert(!is_hit(cache, &keys[1], payload));
    ck_assert(!is_hit(cache, &keys[2], payload));
    /* What could never stay is not written. */
    static char large[20000];
    ck_assert(!cache_put(cache, &keys[1], "", large, sizeof large));
    ck_assert_uint_eq(cache_clean(cache), stats.entries);
    ck_assert_uint_eq(cache_stats(cache).entries, 0);
    cache_close(cache);
}
END_TEST

START_TEST(only_stale_temporaries_are_reaped_and_strangers_stay)
{
    struct cache_key key = key_of("cell");
    struct cache *cache = opened(0);
    char stale[128], fresh[128], stranger[128], scratch[128], inside[256];
    snprintf(stale, sizeof stale, "%s/cache/tmp-1-1-1", folder);
    snprintf(fresh, sizeof fresh, "%s/cache/tmp-2-2-2", folder);
    snprintf(stranger, sizeof stranger, "%s/cache/notes.txt", folder);
    file_write(stale, (const unsigned char *)"x", 1);
    file_write(fresh, (const unsigned char *)"x", 1);
    file_write(stranger, (const unsigned char *)"x", 1);
    ck_assert(cache_scratch(cache, scratch, sizeof scratch));
    snprintf(inside, sizeof inside, "%s/object.so", scratch);
    file_write(inside, (const unsigned char *)"x", 1);
    age(stale, 4000);
    age(stranger, 4000);
    age(scratch, 4000);
    ck_assert(cache_put(cache, &key, "", "x", 1));
    ck_assert_int_eq(access(stale, F_OK), -1);
    ck_assert_int_eq(access(scratch, F_OK), -1);
    ck_assert_int_eq(access(fresh, F_OK), 0);
    ck_assert_uint_eq(cache_clean(cache), 1);
    ck_assert_int_eq(access(stranger, F_OK), 0);
    cache_close(cache);
}
END_TEST

/* A writer and reader of one key, until it is killed. */
static void hammer(unsigned seed)
{
    struct cache_key key = key_of("shared");
    struct cache *cache = opened(0);
    static char payload[200000];
    for (;;) {
        void *data;
        size_t size;
        memset(payload, (int)('a' + seed++ % 26), sizeof payload);
        (void)cache_put(cache, &key, "shared", payload, sizeof payload);
        if (!cache_get(cache, &key, &data, &size))
            _exit(1); /* once there, it is always there and whole */
        if (size != sizeof payload || memcmp(data, (char *)data + 1, size - 1) != 0)
            _exit(2);
        free(data);
    }
}

START_TEST(processes_that_are_killed_leave_whole_entries)
{
    struct cache_key key = key_of("shared");
    struct cache *cache = opened(0);
    pid_t pids[8] = {0};
    static char payload[200000];
    char words[512];
    memset(payload, 'a', sizeof payload);
    ck_assert(cache_put(cache, &key, "shared", payload, sizeof payload));
    for (unsigned round = 0; round < 40; round++) {
        pid_t *pid = &pids[round % 8];
        int status;
        if (*pid) {
            kill(*pid, SIGKILL);
            ck_assert_int_eq(waitpid(*pid, &status, 0), *pid);
            ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "ended with %d",
                          status);
        }
        if ((*pid = fork()) == 0)
            hammer(round);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        void *data = NULL;
        size_t size = 0;
        ck_assert(cache_get(cache, &key, &data, &size));
        ck_assert_uint_eq(size, sizeof payload);
        free(data);
    }
    for (size_t i = 0; i < 8; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    uint64_t checked;
    ck_assert_uint_eq(cache_verify(cache, &checked), 0);
    ck_assert_uint_eq(checked, 1);
    ck_assert(!cache_trouble(cache, words, sizeof words));
    cache_close(cache);
}
END_TEST

START_TEST(a_cache_that_is_null_is_a_cache_that_is_off)
{
    struct cache_key key = key_of("cell");
    size_t count;
    uint64_t checked;
    char words[64];
    ck_assert(!cache_put(NULL, &key, "", "x", 1));
    ck_assert(!is_hit(NULL, &key, "x"));
    ck_assert(!cache_trouble(NULL, words, sizeof words));
    ck_assert_ptr_nonnull(cache_reason(NULL));
    ck_assert_ptr_null(cache_list(NULL, &count));
    ck_assert_uint_eq(cache_clean(NULL), 0);
    ck_assert_uint_eq(cache_verify(NULL, &checked), 0);
    cache_close(NULL);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cache");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 30);
    tcase_add_test(cases, sha256_gives_the_digests_of_the_standard);
    tcase_add_test(cases, an_entry_comes_back_as_it_was_put);
    tcase_add_test(cases, a_key_depends_on_every_part_and_on_where_parts_end);
    tcase_add_test(cases, a_flipped_byte_or_a_cut_anywhere_is_a_miss);
    tcase_add_test(cases, an_entry_of_another_key_is_a_miss_and_said_once);
    tcase_add_test(cases, only_a_plain_file_of_ones_own_is_read);
    tcase_add_test(cases, a_missing_directory_is_made_for_the_user_alone);
    tcase_add_test(cases, a_directory_that_others_could_fill_turns_the_cache_off);
    tcase_add_test(cases, the_environment_names_the_place);
    tcase_add_test(cases, a_directory_that_vanishes_costs_one_warning);
    tcase_add_test(cases, the_least_recently_used_go_first_when_the_cap_is_reached);
    tcase_add_test(cases, only_stale_temporaries_are_reaped_and_strangers_stay);
    tcase_add_test(cases, processes_that_are_killed_leave_whole_entries);
    tcase_add_test(cases, a_cache_that_is_null_is_a_cache_that_is_off);
    Suite *suite = suite_create("cache");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
