/* Executes kernel text on the host, one fiber for each thread, and says what it did wrong.
 *
 * A test registers the global memory that a kernel may touch, fills the launch argument, and calls
 * shim_launch() with the kernel's address. One launch at a time: the shim is not reentrant. */
#ifndef PRNN_SHIM_H
#define PRNN_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prnn_launch;

typedef void shim_kernel(const struct prnn_launch *launch);

/* Which warp runs next, and which thread of it. Each runs as far as it can. */
enum shim_order { SHIM_FORWARD, SHIM_REVERSE, SHIM_RANDOM };

struct shim_config {
    int grid;            /* blocks; a multiple of 'cluster' */
    int threads;         /* of a block, at most 1024 */
    int cluster;         /* blocks that run together, 0 or 1: alone; at most 16 */
    size_t shared_bytes; /* pool of a block */
    enum shim_order order;
    uint64_t seed;         /* of SHIM_RANDOM */
    bool check;            /* races and uninitialised reads; bounds are always checked */
    int64_t barrier_limit; /* of one launch, against loops without end; 0: 100 million */
};

enum shim_fault_kind {
    SHIM_RACE,          /* two threads, one phase, one of them writes */
    SHIM_UNINITIALISED, /* shared memory read before it was written */
    SHIM_IN_FLIGHT,     /* touched while an asynchronous copy has not landed */
    SHIM_BOUNDS,        /* outside a view, the pool, or every registered range; a store to a
                         * range that is not writable */
    SHIM_ALIGNMENT,
    SHIM_DIVERGENCE, /* not all threads at one barrier or shuffle */
    SHIM_LIFETIME,   /* shared memory of a block that may not have begun, or may have ended */
    SHIM_DEADLOCK,   /* no thread can go on */
    SHIM_CONFIG,     /* the launch does not fit the kernel */
    SHIM_FAULT_COUNT
};

enum { SHIM_FAULTS_KEPT = 16 };

struct shim_fault {
    enum shim_fault_kind kind;
    int line;       /* in the text */
    char text[320]; /* file:line: kind: who did what, and against whom */
};

struct shim_report {
    int64_t faults; /* all of them */
    int64_t count[SHIM_FAULT_COUNT];
    int kept; /* one for each kind and line, the first SHIM_FAULTS_KEPT */
    struct shim_fault fault[SHIM_FAULTS_KEPT];
    int64_t barriers; /* completed, over all blocks */
    int64_t switches; /* of fibers */
};

/**
 * Allow kernels to read [ptr, ptr + bytes), and to write it when 'is_writable'. Writable ranges are
 * also checked for races between threads. While nothing is registered, global memory is not
 * checked.
 *
 * @param name  borrowed until shim_clear_globals(); for messages
 */
void shim_add_global(const void *ptr, size_t bytes, bool is_writable, const char *name);
void shim_clear_globals(void);

/**
 * Run every block of the grid, a cluster at a time.
 *
 * @param      launch  handed to the kernel as PRNN_LAUNCH
 * @param[out] report  may be NULL
 *
 * @return the number of faults. After a deadlock the rest of the grid is not run
 */
int64_t shim_launch(shim_kernel *kernel, const void *launch, const struct shim_config *config,
                    struct shim_report *report);

/* The word for a kind of fault. */
const char *shim_fault_name(enum shim_fault_kind kind);

/* Print the faults that were kept to stderr. */
void shim_report_print(const struct shim_report *report);

#endif
