#include "status.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(words_follow_their_status)
{
    ck_assert_int_eq(status_set(PRNN_E_LIMIT, "found %d, needed %d", 3, 2), PRNN_E_LIMIT);
    ck_assert_str_eq(prnn_last_error(), "found 3, needed 2");
    ck_assert_str_eq(status_text(), prnn_last_error());
}
END_TEST

static void *other_thread(void *out)
{
    status_set(PRNN_E_IO, "elsewhere");
    strcpy(out, prnn_last_error());
    return NULL;
}

START_TEST(every_thread_has_its_own_words)
{
    pthread_t thread;
    char seen[64];
    status_set(PRNN_E_INVALID, "here");
    ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, seen), 0);
    pthread_join(thread, NULL);
    ck_assert_str_eq(seen, "elsewhere");
    ck_assert_str_eq(prnn_last_error(), "here");
}
END_TEST

START_TEST(long_words_are_cut)
{
    char *text = malloc(2 * STATUS_TEXT_BYTES);
    memset(text, 'x', 2 * STATUS_TEXT_BYTES);
    text[2 * STATUS_TEXT_BYTES - 1] = '\0';
    status_set(PRNN_E_BACKEND, "%s", text);
    ck_assert_uint_eq(strlen(prnn_last_error()), STATUS_TEXT_BYTES - 1);
    free(text);
}
END_TEST

START_TEST(every_status_has_a_name)
{
    for (int status = PRNN_E_INTERNAL; status <= PRNN_FALLBACK; status++)
        ck_assert_msg(!strncmp(prnn_status_name((prnn_status)status), "PRNN_", 5), "status %d",
                      status);
    ck_assert_str_eq(prnn_status_name(PRNN_E_STICKY), "PRNN_E_STICKY");
    ck_assert_str_eq(prnn_status_name((prnn_status)99), "unknown status");
}
END_TEST

START_TEST(the_version_is_that_of_the_header)
{
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", PRNN_VERSION_MAJOR, PRNN_VERSION_MINOR,
             PRNN_VERSION_PATCH);
    ck_assert_str_eq(prnn_version(), version);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *tests = tcase_create("words");
    tcase_add_test(tests, words_follow_their_status);
    tcase_add_test(tests, every_thread_has_its_own_words);
    tcase_add_test(tests, long_words_are_cut);
    tcase_add_test(tests, every_status_has_a_name);
    tcase_add_test(tests, the_version_is_that_of_the_header);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
