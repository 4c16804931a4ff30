/* Who touched a piece of memory last, and when: the phase checker's record.
 *
 * Time is one counter that every completed barrier advances. An access is ordered before a later
 * one of another thread when a barrier of both lies between: of their block, or of their cluster.
 * Two accesses that are not ordered, one of them a write, are a race, whatever order the threads
 * happened to run in. */
#ifndef PRNN_SHADOW_H
#define PRNN_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whom a cell's readers since the last ordering barrier comprise. */
enum shadow_readers { READERS_ONE, READERS_OF_BLOCK, READERS_OF_CLUSTER, READERS_OF_GRID };

struct shadow_cell {
    uint32_t write_time, writer; /* threads are numbered over the grid */
    uint32_t read_time, reader;
    uint16_t write_line, read_line;
    uint8_t readers;      /* enum shadow_readers */
    uint8_t is_in_flight; /* written by an asynchronous copy that has not landed */
};

struct shadow {
    struct shadow_cell *cell;
    size_t bytes;
    unsigned shift; /* a cell stands for 1 << shift bytes */
};

/* The thread that makes an access, and the barriers behind it. */
struct shadow_view {
    uint32_t thread, block, cluster;
    uint32_t threads, blocks; /* of a block, of a cluster */
    uint32_t now;
    uint32_t block_barrier, cluster_barrier; /* times of the last ones */
    uint32_t since;                          /* what is older belongs to another run */
};

enum shadow_verdict {
    SHADOW_FINE,
    SHADOW_UNINITIALISED,
    SHADOW_IN_FLIGHT,
    SHADOW_WRITTEN, /* race with the last write */
    SHADOW_READ     /* race with a read */
};

bool shadow_init(struct shadow *shadow, size_t bytes);
void shadow_free(struct shadow *shadow);

/* Make the cells small enough for elements of 'size' bytes. False: no memory. */
bool shadow_refine(struct shadow *shadow, size_t size);

/* Judge and record one access. 'seen': the cell that the verdict is about, as it was before. */
enum shadow_verdict shadow_read(struct shadow *shadow, size_t offset, size_t size,
                                const struct shadow_view *view, bool must_be_written, int line,
                                struct shadow_cell *seen);
enum shadow_verdict shadow_write(struct shadow *shadow, size_t offset, size_t size,
                                 const struct shadow_view *view, bool is_async, int line,
                                 struct shadow_cell *seen);

/* An asynchronous copy arrives: from now on it is an ordinary write of this moment. */
void shadow_land(struct shadow *shadow, size_t offset, size_t size, const struct shadow_view *view);

#endif
