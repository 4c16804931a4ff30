#include "cpu_parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS_MAX = 255 };
/* Whatever RLIMIT_STACK says: kernels keep some tens of KiB. Untouched pages cost nothing. */
#define STACK_BYTES ((size_t)2 << 20)

/* Of the OpenMP of the host program, where it has one. */
extern int omp_in_parallel(void) __attribute__((weak));

/* A loop under way; lives on its caller's stack. */
struct loop {
    struct loop *next;
    cpu_item *item;
    void *context;
    int64_t count;
    _Atomic int64_t at; /* the next index */
    int wanted, joined; /* threads: at most, so far */
    int active;         /* workers that are in it now */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct loop *loops;
    int size; /* workers made */
    bool is_ending;
    pthread_t workers[WORKERS_MAX];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

/* The process that uses the pool: the first one that asks. */
static atomic_int owner;

static bool is_owner(void)
{
    int nobody = 0;
    const int self = (int)getpid();
    atomic_compare_exchange_strong(&owner, &nobody, self);
    return atomic_load(&owner) == self;
}

static void loop_run(struct loop *loop, int worker)
{
    for (int64_t index; (index = atomic_fetch_add(&loop->at, 1)) < loop->count;)
        loop->item(loop->context, index, worker);
}

/* With the lock held. */
static struct loop *loop_find(void)
{
    for (struct loop *loop = pool.loops; loop; loop = loop->next)
        if (loop->joined < loop->wanted && atomic_load(&loop->at) < loop->count)
            return loop;
    return NULL;
}

static void *worker_run(void *nothing)
{
    pthread_mutex_lock(&pool.lock);
    while (!pool.is_ending) {
        struct loop *loop = loop_find();
        if (!loop) {
            pthread_cond_wait(&pool.work, &pool.lock);
            continue;
        }
        const int worker = loop->joined++;
        loop->active++;
        pthread_mutex_unlock(&pool.lock);
        loop_run(loop, worker);
        pthread_mutex_lock(&pool.lock);
        if (--loop->active == 0)
            pthread_cond_broadcast(&pool.done);
    }
    pthread_mutex_unlock(&pool.lock);
    return nothing;
}

int cpu_parallel_default(void)
{
    /* As OpenMP reads it; what stands behind a comma is for nested regions. */
    const char *text = secure_getenv("OMP_NUM_THREADS");
    char *end;
    cpu_set_t processors;
    long wanted = text ? strtol(text, &end, 10) : 0;
    if (wanted < 1 || (*end && *end != ',' && *end != ' ')) {
        CPU_ZERO(&processors);
        wanted = sched_getaffinity(0, sizeof processors, &processors) == 0
                     ? CPU_COUNT(&processors)
                     : sysconf(_SC_NPROCESSORS_ONLN);
    }
    return wanted < 1 ? 1 : wanted <= WORKERS_MAX ? (int)wanted : WORKERS_MAX + 1;
}

void cpu_parallel_prepare(int threads)
{
    const int wanted = threads - 1 < WORKERS_MAX ? threads - 1 : WORKERS_MAX;
    pthread_attr_t attributes;
    sigset_t all, kept;
    if (wanted < 1 || !is_owner() || pthread_attr_init(&attributes) != 0)
        return;
    /* Signals are for the threads of the host program. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_mutex_lock(&pool.lock);
    while (pool.size < wanted &&
           pthread_create(&pool.workers[pool.size], &attributes, worker_run, NULL) == 0)
        pool.size++;
    pthread_mutex_unlock(&pool.lock);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    pthread_attr_destroy(&attributes);
}

void cpu_parallel(int threads, int64_t count, cpu_item *item, void *context)
{
    struct loop loop = {
        .item = item, .context = context, .count = count, .wanted = threads, .joined = 1};
    const bool is_shared =
        threads > 1 && count > 1 && is_owner() && !(omp_in_parallel && omp_in_parallel());
    if (is_shared) {
        pthread_mutex_lock(&pool.lock);
        loop.next = pool.loops;
        pool.loops = &loop;
        pthread_cond_broadcast(&pool.work);
        pthread_mutex_unlock(&pool.lock);
    }
    loop_run(&loop, 0);
    if (is_shared) {
        pthread_mutex_lock(&pool.lock);
        struct loop **place = &pool.loops;
        while (*place != &loop)
            place = &(*place)->next;
        *place = loop.next;
        while (loop.active > 0)
            pthread_cond_wait(&pool.done, &pool.lock);
        pthread_mutex_unlock(&pool.lock);
    }
}

/* Before the code of the workers is unmapped by dlclose(), or the process ends. */
__attribute__((destructor)) static void pool_end(void)
{
    if (atomic_load(&owner) != (int)getpid())
        return;
    pthread_mutex_lock(&pool.lock);
    pool.is_ending = true;
    pthread_cond_broadcast(&pool.work);
    const int size = pool.size;
    pool.size = 0;
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < size; i++)
        pthread_join(pool.workers[i], NULL);
}
