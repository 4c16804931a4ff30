#include "cpu_parallel.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 10000, THREADS = 4 };

/* In place of the OpenMP of a host program. */
int omp_in_parallel(void);
static int is_in_region;
int omp_in_parallel(void)
{
    return is_in_region;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITISER true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITISER true
#endif
#endif
#ifndef HAS_SANITISER
#define HAS_SANITISER false
#endif

struct tally {
    atomic_int done[COUNT], at_work[THREADS], workers_seen;
    atomic_bool is_wrong;
};

static void tally_item(void *context, int64_t index, int worker)
{
    struct tally *tally = context;
    if (worker < 0 || worker >= THREADS || atomic_fetch_add(&tally->at_work[worker], 1) != 0)
        atomic_store(&tally->is_wrong, true);
    atomic_fetch_add(&tally->done[index], 1);
    for (volatile int i = 0; i < 200; i++)
        ;
    atomic_fetch_or(&tally->workers_seen, 1 << worker);
    atomic_fetch_sub(&tally->at_work[worker], 1);
}

static bool is_complete(const struct tally *tally)
{
    for (int i = 0; i < COUNT; i++)
        if (atomic_load(&tally->done[i]) != 1)
            return false;
    return !atomic_load(&tally->is_wrong);
}

static struct tally *tally_make(void)
{
    struct tally *tally = calloc(1, sizeof *tally);
    ck_assert_ptr_nonnull(tally);
    return tally;
}

START_TEST(every_index_is_done_once_and_a_worker_does_one_at_a_time)
{
    struct tally *tally = tally_make();
    cpu_parallel_prepare(THREADS);
    cpu_parallel(THREADS, COUNT, tally_item, tally);
    ck_assert(is_complete(tally));
    free(tally);
}
END_TEST

START_TEST(without_threads_the_caller_is_worker_0)
{
    struct tally *tally = tally_make();
    cpu_parallel(THREADS, COUNT, tally_item, tally); /* nothing was prepared */
    ck_assert(is_complete(tally));
    ck_assert_int_eq(tally->workers_seen, 1);
    free(tally);
}
END_TEST

static void *loop_again_and_again(void *nothing)
{
    for (int i = 0; i < 20; i++) {
        struct tally *tally = tally_make();
        cpu_parallel(1 + i % THREADS, COUNT, tally_item, tally);
        ck_assert(is_complete(tally));
        free(tally);
    }
    return nothing;
}

START_TEST(several_loops_run_at_once)
{
    pthread_t threads[THREADS];
    cpu_parallel_prepare(THREADS);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, loop_again_and_again, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

START_TEST(a_forked_process_does_it_alone)
{
    struct tally *tally = tally_make();
    int status;
    cpu_parallel_prepare(THREADS);
    cpu_parallel(THREADS, COUNT, tally_item, tally);
    const pid_t pid = fork();
    if (pid == 0) {
        struct tally *own = calloc(1, sizeof *own);
        cpu_parallel_prepare(THREADS);
        cpu_parallel(THREADS, COUNT, tally_item, own);
        exit(is_complete(own) && own->workers_seen == 1 ? 0 : 1); /* with its destructors */
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    free(tally);
}
END_TEST

START_TEST(inside_a_parallel_region_the_caller_does_it_alone)
{
    struct tally *tally = tally_make();
    cpu_parallel_prepare(THREADS);
    is_in_region = 1;
    cpu_parallel(THREADS, COUNT, tally_item, tally);
    is_in_region = 0;
    ck_assert(is_complete(tally));
    ck_assert_int_eq(tally->workers_seen, 1);
    free(tally);
}
END_TEST

START_TEST(threads_that_cannot_be_made_are_done_without)
{
    if (HAS_SANITISER) /* it would not get its own memory either */
        return;
    struct tally *tally = tally_make();
    const struct rlimit limit = {1 << 20, RLIM_INFINITY}; /* no stack fits any more */
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    cpu_parallel_prepare(THREADS);
    cpu_parallel(THREADS, COUNT, tally_item, tally);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    ck_assert(is_complete(tally));
    ck_assert_int_eq(tally->workers_seen, 1);
    free(tally);
}
END_TEST

/* As OpenMP reads the variable; anything else is as if it were not there. */
START_TEST(the_number_of_threads_is_what_users_set)
{
    static const struct {
        const char *text;
        int wanted;
    } cases[] = {{"3", 3},   {"1", 1},        {"5,2", 5},
                 {" 4 ", 4}, {"100000", 256}, {"99999999999999999999", 256}};
    static const char *const others[] = {"", "0", "-2", "two", "3x", "0x3", ","};
    ck_assert_int_eq(unsetenv("OMP_NUM_THREADS"), 0);
    const int processors = cpu_parallel_default();
    ck_assert_int_ge(processors, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(setenv("OMP_NUM_THREADS", cases[i].text, 1), 0);
        ck_assert_msg(cpu_parallel_default() == cases[i].wanted, "'%s'", cases[i].text);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_int_eq(setenv("OMP_NUM_THREADS", others[i], 1), 0);
        ck_assert_msg(cpu_parallel_default() == processors, "'%s'", others[i]);
    }
}
END_TEST

START_TEST(a_process_bound_to_one_processor_has_one_thread)
{
    cpu_set_t all, one;
    ck_assert_int_eq(unsetenv("OMP_NUM_THREADS"), 0);
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_int_eq(cpu_parallel_default(), 1);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("cpu_parallel");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, every_index_is_done_once_and_a_worker_does_one_at_a_time);
    tcase_add_test(cases, without_threads_the_caller_is_worker_0);
    tcase_add_test(cases, several_loops_run_at_once);
    tcase_add_test(cases, a_forked_process_does_it_alone);
    tcase_add_test(cases, inside_a_parallel_region_the_caller_does_it_alone);
    tcase_add_test(cases, threads_that_cannot_be_made_are_done_without);
    tcase_add_test(cases, the_number_of_threads_is_what_users_set);
    tcase_add_test(cases, a_process_bound_to_one_processor_has_one_thread);
    Suite *suite = suite_create("cpu_parallel");
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
