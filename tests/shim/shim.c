#include "shim.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"

struct machine machine;
struct shim_place *shim_self;

struct thread *machine_self(void)
{
    return (struct thread *)(void *)shim_self;
}

const char *shim_fault_name(enum shim_fault_kind kind)
{
    static const char *const names[SHIM_FAULT_COUNT] = {
        [SHIM_RACE] = "race",           [SHIM_UNINITIALISED] = "uninitialised",
        [SHIM_IN_FLIGHT] = "in flight", [SHIM_BOUNDS] = "bounds",
        [SHIM_ALIGNMENT] = "alignment", [SHIM_DIVERGENCE] = "divergence",
        [SHIM_LIFETIME] = "lifetime",   [SHIM_DEADLOCK] = "deadlock",
        [SHIM_CONFIG] = "launch",
    };
    return names[kind];
}

void shim_report_print(const struct shim_report *report)
{
    for (int i = 0; i < report->kept; i++)
        fprintf(stderr, "%s\n", report->fault[i].text);
    if (report->faults > report->kept)
        fprintf(stderr, "%lld faults in all\n", (long long)report->faults);
}

void machine_fault(enum shim_fault_kind kind, int line, const char *format, ...)
{
    struct shim_report *report = machine.report;
    report->faults++;
    report->count[kind]++;
    for (int i = 0; i < report->kept; i++)
        if (report->fault[i].kind == kind && report->fault[i].line == line)
            return;
    if (report->kept == SHIM_FAULTS_KEPT)
        return;
    struct shim_fault *kept = &report->fault[report->kept++];
    kept->kind = kind;
    kept->line = line;
    int used = snprintf(kept->text, sizeof kept->text,
                        "%s:%d: %s: ", machine.file ? machine.file : "kernel", line,
                        shim_fault_name(kind));
    if (used < 0 || (size_t)used >= sizeof kept->text)
        return;
    if (shim_self) {
        int more = snprintf(kept->text + used, sizeof kept->text - (size_t)used,
                            "thread %d of block %d ", shim_self->tid, shim_self->bid);
        if (more < 0 || (size_t)(used += more) >= sizeof kept->text)
            return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(kept->text + used, sizeof kept->text - (size_t)used, format, args);
    va_end(args);
}

struct shadow_view machine_view(uint32_t since)
{
    const struct thread *self = machine_self();
    return (struct shadow_view){
        .thread = self->number,
        .block = (uint32_t)self->place.bid,
        .cluster = (uint32_t)(self->place.bid / machine.config.cluster),
        .threads = (uint32_t)machine.config.threads,
        .blocks = (uint32_t)machine.config.cluster,
        .now = machine.now,
        .block_barrier = self->block->barrier_time,
        .cluster_barrier = machine.cluster_barrier_time,
        .since = since,
    };
}

void shim_enter(const char *file, int line, int threads)
{
    machine.file = file;
    if (machine.config.threads > threads)
        machine_fault(SHIM_CONFIG, line, "runs in a block of %d threads, the text is for %d",
                      machine.config.threads, threads);
}

/* Waiting and waking. */

static void wake(struct thread *thread)
{
    thread->state = THREAD_READY;
    thread->warp->ready++;
}

/* Give way to the scheduler until somebody wakes this thread. */
static void wait_as(struct thread *self, enum thread_state state, int line)
{
    self->state = state;
    self->line = line;
    self->warp->ready--;
}

static void step_aside(struct thread *self)
{
    fiber_leave(&self->fiber, false);
}

static void count_barrier(int line)
{
    int64_t limit = machine.config.barrier_limit;
    machine.now++;
    if (++machine.report->barriers > (limit > 0 ? limit : 100000000)) {
        machine_fault(SHIM_DEADLOCK, line, "reaches barrier %lld: a loop without end",
                      (long long)machine.report->barriers);
        machine.is_aborted = true;
    }
}

/* All of 'count' threads wait in 'state' or have ended: say so when they do not agree, wake them.
 */
static void release(struct thread *threads, int count, enum thread_state state)
{
    const struct thread *first = NULL, *gone = NULL;
    for (int i = 0; i < count; i++) {
        struct thread *thread = &threads[i];
        if (thread->state == THREAD_DONE)
            gone = thread;
        if (thread->state != state)
            continue;
        if (!first)
            first = thread;
        if (thread->line != first->line)
            machine_fault(SHIM_DIVERGENCE, first->line,
                          "completes a barrier at which thread %d of block %d waits at line %d, "
                          "thread %d of block %d at line %d",
                          first->place.tid, first->place.bid, first->line, thread->place.tid,
                          thread->place.bid, thread->line);
        wake(thread);
    }
    if (first && gone)
        machine_fault(SHIM_DIVERGENCE, first->line,
                      "leaves thread %d of block %d at a barrier that thread %d of block %d never "
                      "reached: it has returned",
                      first->place.tid, first->place.bid, gone->place.tid, gone->place.bid);
    count_barrier(first ? first->line : 0);
}

static void block_try_release(struct block *block)
{
    if (block->arrived == 0 || block->arrived < block->live)
        return;
    block->arrived = 0;
    block->or_result = block->or_sum;
    block->or_sum = 0;
    release(block->thread, machine.config.threads, AT_BARRIER);
    block->barrier_time = machine.now;
}

static void cluster_try_release(void)
{
    if (machine.arrived == 0 || machine.arrived < machine.live)
        return;
    machine.arrived = 0;
    release(machine.thread, machine.thread_count, AT_CLUSTER_BARRIER);
    machine.cluster_barrier_time = machine.now;
    for (int i = 0; i < machine.config.cluster; i++)
        machine.block[i].barrier_time = machine.now;
    machine.has_met = true;
}

int shim_barrier(int line, int is_or, int p)
{
    struct thread *self = machine_self();
    struct block *block = self->block;
    wait_as(self, AT_BARRIER, line);
    block->arrived++;
    block->or_sum |= is_or && p;
    block_try_release(block);
    step_aside(self);
    return block->or_result;
}

void shim_cluster_barrier(int line)
{
    struct thread *self = machine_self();
    wait_as(self, AT_CLUSTER_BARRIER, line);
    machine.arrived++;
    cluster_try_release();
    step_aside(self);
}

static int shuffle_source(const struct thread *thread, int lane)
{
    int from = lane;
    switch (thread->shuffle.kind) {
    case SHIM_SHUFFLE_UP:
        from = lane - thread->shuffle.distance;
        break;
    case SHIM_SHUFFLE_DOWN:
        from = lane + thread->shuffle.distance;
        break;
    case SHIM_SHUFFLE_FROM:
        from = thread->shuffle.distance & (WARP_LANES - 1);
        break;
    case SHIM_SHUFFLE_XOR:
        from = lane ^ thread->shuffle.distance;
        break;
    }
    return from < 0 || from >= WARP_LANES ? lane : from;
}

static void segment_exchange(struct warp *warp, int begin, int width)
{
    unsigned char held[WARP_LANES][16];
    const struct thread *first = &warp->thread[begin];
    for (int lane = begin; lane < begin + width; lane++) {
        const struct thread *thread = &warp->thread[lane];
        const bool is_waiting = thread->state == AT_SHUFFLE;
        if (!is_waiting || thread->line != first->line ||
            thread->shuffle.size != first->shuffle.size ||
            thread->shuffle.kind != first->shuffle.kind || thread->shuffle.width != width)
            machine_fault(SHIM_DIVERGENCE, first->line,
                          "shuffles with lane %d at line %d and lane %d at line %d", begin,
                          first->line, lane, thread->line);
        memset(held[lane], 0, sizeof held[lane]);
        if (!is_waiting)
            continue;
        memcpy(held[lane], thread->shuffle.value, thread->shuffle.size);
    }
    for (int lane = begin; lane < begin + width; lane++) {
        struct thread *thread = &warp->thread[lane];
        if (thread->state != AT_SHUFFLE)
            continue;
        memcpy(thread->shuffle.value, held[shuffle_source(thread, lane)], thread->shuffle.size);
        wake(thread);
    }
    warp->arrived[begin] = 0;
}

void shim_shuffle(void *value, unsigned size, enum shim_shuffle_kind kind, int distance, int width,
                  int line)
{
    struct thread *self = machine_self();
    struct warp *warp = self->warp;
    assert(size <= 16 && width > 0 && WARP_LANES % width == 0);
    if (warp->lanes < WARP_LANES) {
        machine_fault(SHIM_DIVERGENCE, line, "shuffles in a warp of %d threads", warp->lanes);
        return;
    }
    if (kind == SHIM_SHUFFLE_XOR && (distance <= 0 || distance >= width)) {
        machine_fault(SHIM_DIVERGENCE, line, "shuffles over %d lanes in a segment of %d", distance,
                      width);
        return;
    }
    const int lane = (int)(self - warp->thread);
    self->shuffle.value = value;
    self->shuffle.size = size;
    self->shuffle.kind = kind;
    self->shuffle.distance = distance;
    self->shuffle.width = width;
    wait_as(self, AT_SHUFFLE, line);
    if (++warp->arrived[lane - lane % width] == width)
        segment_exchange(warp, lane - lane % width, width);
    step_aside(self);
}

/* Life of threads. */

static void thread_run(void)
{
    struct thread *self = machine_self();
    machine.kernel(machine.launch);
    struct block *block = self->block;
    wait_as(self, THREAD_DONE, 0);
    block->live--;
    machine.live--;
    if (block->live == 0 && block->remote_line &&
        block->remote_time >= machine.cluster_barrier_time)
        machine_fault(SHIM_LIFETIME, block->remote_line,
                      "ends its block, into which another block stores with no cluster barrier "
                      "between the store and the end");
    block_try_release(block);
    cluster_try_release();
    fiber_leave(&self->fiber, true);
}

static uint64_t random_next(void)
{
    uint64_t z = machine.random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Run the threads of one warp until none of them can go on. */
static bool warp_run(struct warp *warp)
{
    if (warp->ready == 0)
        return false;
    const unsigned mix = machine.config.order == SHIM_RANDOM ? (unsigned)random_next() & 1023 : 0;
    while (warp->ready > 0 && !machine.is_aborted) {
        for (int i = 0; i < warp->lanes; i++) {
            int lane = i;
            if (machine.config.order == SHIM_REVERSE)
                lane = warp->lanes - 1 - i;
            else if (machine.config.order == SHIM_RANDOM && warp->lanes == WARP_LANES)
                lane = (int)(((unsigned)i * ((mix >> 4) | 1) + mix) & (WARP_LANES - 1));
            struct thread *thread = &warp->thread[lane];
            if (thread->state != THREAD_READY)
                continue;
            shim_self = &thread->place;
            machine.report->switches++;
            fiber_enter(&thread->fiber);
            shim_self = NULL;
        }
    }
    return true;
}

/* Nobody can go on: name the places where threads wait. */
static void report_deadlock(void)
{
    static const char *const what[] = {[AT_BARRIER] = "barrier",
                                       [AT_CLUSTER_BARRIER] = "cluster barrier",
                                       [AT_SHUFFLE] = "shuffle"};
    struct {
        const struct thread *first;
        int count;
    } group[4] = {{0}};
    enum shim_fault_kind kind = SHIM_DEADLOCK;
    char text[240] = "";
    size_t used = 0;
    for (int i = 0; i < machine.thread_count; i++) {
        const struct thread *thread = &machine.thread[i];
        if (thread->state == THREAD_DONE)
            continue;
        if (thread->state == AT_SHUFFLE)
            kind = SHIM_DIVERGENCE;
        for (int k = 0; k < 4; k++) {
            if (!group[k].first)
                group[k].first = thread;
            if (group[k].first->state == thread->state && group[k].first->line == thread->line) {
                group[k].count++;
                break;
            }
        }
    }
    for (int k = 0; k < 4 && group[k].first && used < sizeof text; k++) {
        int more =
            snprintf(text + used, sizeof text - used, "%s%d at the %s of line %d", k ? ", " : "",
                     group[k].count, what[group[k].first->state], group[k].first->line);
        used += more > 0 ? (size_t)more : 0;
    }
    machine_fault(kind, group[0].first ? group[0].first->line : 0, "nobody can go on; threads: %s",
                  text);
}

static void shuffle_warps(int *order)
{
    for (int i = machine.warp_count - 1; i > 0; i--) {
        int j = (int)(random_next() % (uint64_t)(i + 1));
        int held = order[i];
        order[i] = order[j];
        order[j] = held;
    }
}

/* Run the cluster until all its threads have ended. */
static void cluster_run(int *order)
{
    while (machine.live > 0 && !machine.is_aborted) {
        bool has_moved = false;
        if (machine.config.order == SHIM_RANDOM)
            shuffle_warps(order);
        for (int i = 0; i < machine.warp_count; i++)
            has_moved |= warp_run(&machine.warp[order[i]]);
        if (!has_moved) {
            report_deadlock();
            machine.is_aborted = true;
        }
    }
}

static bool cluster_start(int first_block)
{
    const int threads = machine.config.threads;
    int warps = 0;
    machine.cluster_start = machine.cluster_barrier_time = ++machine.now;
    machine.live = machine.thread_count;
    machine.arrived = 0;
    machine.has_met = false;
    for (int b = 0; b < machine.config.cluster; b++) {
        struct block *block = &machine.block[b];
        memset(block->pool, 0xff, machine.config.shared_bytes);
        block->thread = machine.thread + (ptrdiff_t)b * threads;
        block->bid = first_block + b;
        block->live = threads;
        block->arrived = block->or_sum = block->or_result = 0;
        block->barrier_time = machine.now;
        block->remote_time = 0;
        block->remote_line = 0;
        for (int i = 0; i < threads; i++) {
            struct thread *thread = &block->thread[i];
            if (i % WARP_LANES == 0)
                machine.warp[warps++] = (struct warp){.thread = thread};
            thread->warp = &machine.warp[warps - 1];
            thread->warp->lanes++;
            thread->place = (struct shim_place){.tid = i, .bid = block->bid, .rank = b};
            thread->number = (uint32_t)(block->bid * threads + i);
            thread->block = block;
            thread->copies = 0;
            thread->groups = 0;
            wake(thread);
            if (!fiber_start(&thread->fiber, (size_t)(thread - machine.thread), thread_run))
                return false;
        }
    }
    machine.warp_count = warps;
    return true;
}

static bool machine_open(void)
{
    const struct shim_config *config = &machine.config;
    machine.thread_count = config->threads * config->cluster;
    machine.thread = calloc((size_t)machine.thread_count, sizeof *machine.thread);
    machine.warp = calloc((size_t)machine.thread_count, sizeof *machine.warp);
    bool is_open = machine.thread && machine.warp;
    for (int b = 0; b < config->cluster; b++) {
        struct block *block = &machine.block[b];
        *block = (struct block){0};
        block->pool = aligned_alloc(128, (config->shared_bytes + 255) / 128 * 128);
        is_open = is_open && shadow_init(&block->shadow, config->shared_bytes) && block->pool;
    }
    return is_open;
}

static void machine_close(void)
{
    for (int b = 0; b < machine.config.cluster; b++) {
        free(machine.block[b].pool);
        shadow_free(&machine.block[b].shadow);
    }
    for (int i = 0; machine.thread && i < machine.thread_count; i++)
        free(machine.thread[i].copy);
    free(machine.thread);
    free(machine.warp);
    machine.thread = NULL;
    machine.warp = NULL;
}

int64_t shim_launch(shim_kernel *kernel, const void *launch, const struct shim_config *config,
                    struct shim_report *report)
{
    static struct shim_report unread;
    machine.report = report ? report : &unread;
    *machine.report = (struct shim_report){0};
    machine.config = *config;
    machine.file = NULL;
    if (machine.config.cluster < 1)
        machine.config.cluster = 1;
    if (config->threads < 1 || config->threads > MAX_THREADS || config->grid < 1 ||
        machine.config.cluster > MAX_CLUSTER || config->grid % machine.config.cluster != 0) {
        machine_fault(SHIM_CONFIG, 0, "%d blocks of %d threads in clusters of %d", config->grid,
                      config->threads, machine.config.cluster);
        return machine.report->faults;
    }
    machine.kernel = kernel;
    machine.launch = launch;
    machine.is_aborted = false;
    machine.random = config->seed;
    machine.launch_start = ++machine.now;
    machine.epoch++;
    bool is_open = machine_open();
    int *order = is_open ? calloc((size_t)machine.thread_count, sizeof *order) : NULL;
    for (int first = 0; order && first < config->grid && !machine.is_aborted;
         first += machine.config.cluster) {
        if (!cluster_start(first)) {
            is_open = false;
            break;
        }
        for (int i = 0; i < machine.warp_count; i++)
            order[i] = config->order == SHIM_REVERSE ? machine.warp_count - 1 - i : i;
        cluster_run(order);
    }
    if (!is_open || !order)
        machine_fault(SHIM_CONFIG, 0, "out of memory for %d threads", machine.thread_count);
    free(order);
    machine_close();
    return machine.report->faults;
}
