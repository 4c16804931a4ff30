/* Inside the shim: the blocks and threads of the cluster that runs now. */
#ifndef PRNN_MACHINE_H
#define PRNN_MACHINE_H

#include "fiber.h"
#include "shadow.h"
#include "shim.h"
#include "shim_text.h"

enum { WARP_LANES = 32, MAX_THREADS = 1024, MAX_CLUSTER = 16 };

enum thread_state { THREAD_READY, AT_BARRIER, AT_CLUSTER_BARRIER, AT_SHUFFLE, THREAD_DONE };

struct copy {
    struct block *block;
    size_t offset;
    unsigned bytes;
    const void *source; /* NULL: zeros */
    unsigned group;
};

struct thread {
    struct shim_place place; /* first: shim_self points at it */
    struct fiber fiber;
    enum thread_state state;
    int line; /* where it waits */
    uint32_t number;
    struct block *block;
    struct warp *warp;
    struct {
        void *value;
        unsigned size;
        enum shim_shuffle_kind kind;
        int distance, width; /* of 'width' lanes, from a multiple of it on */
    } shuffle;
    struct copy *copy; /* issued and not landed, oldest first */
    size_t copies, copy_capacity;
    unsigned groups; /* committed */
};

struct warp {
    struct thread *thread;
    int lanes, ready;
    int arrived[WARP_LANES]; /* at shuffles, by the first lane of the segment */
};

struct block {
    unsigned char *pool;
    struct shadow shadow;
    struct thread *thread;
    int bid;
    int live, arrived;
    int or_sum, or_result;
    uint32_t barrier_time;
    uint32_t remote_time; /* of the last store by another block */
    int remote_line;
};

struct machine {
    struct shim_config config;
    struct shim_report *report;
    const char *file;
    shim_kernel *kernel;
    const void *launch;
    struct block block[MAX_CLUSTER];
    struct thread *thread;
    struct warp *warp;
    int thread_count, warp_count;
    int live, arrived; /* of the cluster */
    uint32_t now, launch_start, cluster_start, cluster_barrier_time;
    bool has_met; /* the cluster has passed a cluster barrier */
    bool is_aborted;
    unsigned epoch; /* of views */
    uint64_t random;
};

extern struct machine machine;

/* The running thread. */
struct thread *machine_self(void);

/* Count a fault; describe it unless one of its kind is known for the line. */
__attribute__((format(printf, 3, 4))) void machine_fault(enum shim_fault_kind kind, int line,
                                                         const char *format, ...);

/* The running thread as the checker sees it. */
struct shadow_view machine_view(uint32_t since);

#endif
