#include "compile_ahead.h"

#include "nvrtc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64 };

struct compile_ahead {
    struct compile_job *jobs;
    size_t count, next, done;
    bool is_stopped;
    char arch[24];
    struct cache *cache;
    pthread_mutex_t lock; /* of next, done, is_stopped and is_done of the jobs */
    pthread_cond_t change;
    pthread_t threads[THREADS_MAX];
    int thread_count;
};

static void compile(struct compile_ahead *ahead, struct compile_job *job)
{
    struct pipeline_text text;
    if (pipeline_assemble(&text, job->unit, &job->options) != PIPELINE_OK) {
        job->refusal = strdup("memory has ended");
        return;
    }
    if (text.refusal) {
        job->refusal = strdup(text.refusal);
    } else {
        const struct nvrtc_request request = {.text = text.assembled.text,
                                              .length = text.assembled.length,
                                              .arch = ahead->arch,
                                              .label = text.assembled.entry};
        struct nvrtc_result result;
        if (nvrtc_compile(&result, &request, 1, ahead->cache) != NVRTC_OK)
            job->refusal = strdup(result.log ? result.log : "NVRTC failed without words");
        job->seconds = result.seconds;
        nvrtc_result_free(&result);
    }
    pipeline_text_free(&text);
}

static void *work(void *context)
{
    struct compile_ahead *ahead = context;
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->is_stopped && ahead->next < ahead->count) {
        struct compile_job *job = &ahead->jobs[ahead->next++];
        pthread_mutex_unlock(&ahead->lock);
        compile(ahead, job);
        pthread_mutex_lock(&ahead->lock);
        job->is_done = true;
        ahead->done++;
        pthread_cond_broadcast(&ahead->change);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

struct compile_ahead *compile_ahead_start(struct compile_job *jobs, size_t count,
                                          struct cuda_device *device, struct cache *cache,
                                          int threads)
{
    const struct cuda_properties *p = cuda_device_properties(device);
    struct compile_ahead *ahead = calloc(1, sizeof *ahead);
    char *log = NULL;
    if (!ahead)
        return NULL;
    ahead->jobs = jobs;
    ahead->count = count;
    ahead->cache = cache;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->change, NULL);
    /* Without an architecture every job fails with NVRTC's words. */
    if (nvrtc_arch(ahead->arch, p->major, p->minor, &log) != NVRTC_OK)
        strcpy(ahead->arch, "none");
    free(log);
    while (ahead->thread_count < threads && ahead->thread_count < THREADS_MAX &&
           !pthread_create(&ahead->threads[ahead->thread_count], NULL, work, ahead))
        ahead->thread_count++;
    if (ahead->thread_count == 0) {
        compile_ahead_stop(ahead);
        return NULL;
    }
    return ahead;
}

void compile_ahead_wait(struct compile_ahead *ahead, struct compile_job *job)
{
    pthread_mutex_lock(&ahead->lock);
    while (!job->is_done)
        pthread_cond_wait(&ahead->change, &ahead->lock);
    pthread_mutex_unlock(&ahead->lock);
}

size_t compile_ahead_done(struct compile_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    const size_t done = ahead->done;
    pthread_mutex_unlock(&ahead->lock);
    return done;
}

void compile_ahead_stop(struct compile_ahead *ahead)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->lock);
    ahead->is_stopped = true;
    pthread_mutex_unlock(&ahead->lock);
    for (int i = 0; i < ahead->thread_count; i++)
        pthread_join(ahead->threads[i], NULL);
    for (size_t i = 0; i < ahead->count; i++) {
        free(ahead->jobs[i].refusal);
        ahead->jobs[i].refusal = NULL;
    }
    pthread_cond_destroy(&ahead->change);
    pthread_mutex_destroy(&ahead->lock);
    free(ahead);
}
