#include "measure.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double measure_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double measure_median(int (*work)(void *), void *context, int fewest, double seconds, int *failure)
{
    enum { MOST = 1000 };
    double times[MOST];
    int count = 0;
    if ((*failure = work(context)) != 0)
        return -1;
    for (const double start = measure_now();
         count < fewest || (count < MOST && measure_now() - start < seconds); count++) {
        const double begin = measure_now();
        if ((*failure = work(context)) != 0)
            return -1;
        times[count] = measure_now() - begin;
    }
    qsort(times, (size_t)count, sizeof *times, compare_times);
    return times[count / 2];
}

enum { COPY_BYTES = 128 << 20 }; /* of all threads together */

struct copy {
    pthread_t thread;
    char *to;
    const char *from;
    size_t size;
};

static void *copy_share(void *context)
{
    const struct copy *copy = context;
    memcpy(copy->to, copy->from, copy->size);
    return NULL;
}

struct copies {
    struct copy *shares;
    int count;
};

static int copy_all(void *context)
{
    const struct copies *copies = context;
    int started = 0;
    while (started < copies->count && !pthread_create(&copies->shares[started].thread, NULL,
                                                      copy_share, &copies->shares[started]))
        started++;
    for (int i = started; i < copies->count; i++)
        copy_share(&copies->shares[i]);
    for (int i = 0; i < started; i++)
        pthread_join(copies->shares[i].thread, NULL);
    return 0;
}

double measure_copy_bandwidth(int threads)
{
    char *from = malloc(COPY_BYTES), *to = malloc(COPY_BYTES);
    struct copy *shares = calloc((size_t)threads, sizeof *shares);
    double rate = 0;
    if (from && to && shares) {
        memset(from, 1, COPY_BYTES);
        memset(to, 2, COPY_BYTES);
        const size_t size = COPY_BYTES / (size_t)threads;
        for (int i = 0; i < threads; i++) {
            shares[i].from = from + (size_t)i * size;
            shares[i].to = to + (size_t)i * size;
            shares[i].size = size;
        }
        int failure;
        struct copies copies = {shares, threads};
        rate = 2.0 * (double)size * threads / measure_median(copy_all, &copies, 5, 0.3, &failure);
    }
    free(shares);
    free(to);
    free(from);
    return rate;
}
