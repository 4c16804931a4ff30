/* One handle of the cache and one directory, used by many threads at once; built with the thread
 * sanitiser, which reports every race. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

enum { THREADS = 6, ROUNDS = 60, KEYS = 4, BYTES = 20000 };

static char folder[64];
static struct cache *cache;

static void setup(void)
{
    char path[96];
    snprintf(folder, sizeof folder, "/tmp/check-threads-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/cache", folder);
    /* Room for three of the four entries, so that threads evict as well. */
    cache = cache_open(&(struct cache_options){.path = path, .max_bytes = 3 * BYTES + 4000});
    ck_assert_ptr_null(cache_reason(cache));
}

static void teardown(void)
{
    char command[128];
    cache_close(cache);
    snprintf(command, sizeof command, "/bin/rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* NULL, or what was wrong. */
static void *use(void *context)
{
    const size_t number = (size_t)(uintptr_t)context;
    char *payload = malloc(BYTES), words[512];
    void *wrong = NULL;
    for (size_t round = 0; round < ROUNDS && !wrong; round++) {
        const char name = (char)('a' + (number + round) % KEYS);
        const struct cache_part part = {"text", &name, 1};
        const struct cache_key key = cache_key_make(&part, 1);
        void *data = NULL;
        size_t size = 0, count = 0;
        uint64_t checked;
        memset(payload, name, BYTES);
        (void)cache_put(cache, &key, "label", payload, BYTES);
        if (cache_get(cache, &key, &data, &size)) {
            if (size != BYTES || memcmp(data, payload, BYTES) != 0)
                wrong = "an entry of another key, or torn";
            free(data);
        }
        (void)cache_trouble(cache, words, sizeof words);
        if (round % 20 == number)
            free(cache_list(cache, &count));
        if (round % 20 == number && cache_verify(cache, &checked) != 0)
            wrong = "a damaged entry";
        if (round % 30 == number)
            (void)cache_clean(cache);
        (void)cache_stats(cache);
    }
    free(payload);
    return wrong;
}

START_TEST(many_threads_use_one_handle)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *words;
        ck_assert_int_eq(pthread_join(threads[i], &words), 0);
        ck_assert_msg(words == NULL, "%s", (const char *)words);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cache_threads");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, many_threads_use_one_handle);
    Suite *suite = suite_create("cache_threads");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
