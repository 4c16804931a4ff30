/* What the shim's prelude calls: the runtime side of every macro that the shim checks. Included by
 * the kernel text (through prelude_shim.h) and by the shim itself, so that the two agree. */
#ifndef PRNN_SHIM_TEXT_H
#define PRNN_SHIM_TEXT_H

/* The thread that runs now. */
struct shim_place {
    int tid;  /* in its block */
    int bid;  /* block of the grid */
    int rank; /* of the block in its cluster */
};
extern struct shim_place *shim_self;

/* One PRNN_SHARED of the text. The pointer it yields is not the memory: it stands in an address
 * range that nobody can read, so that an access without PRNN_SLD or PRNN_SST is a crash, and each
 * view has a range of its own, so that a pointer never wanders from one view into the next. */
struct shim_site {
    const char *name;
    long long offset, count;
    unsigned epoch, slot;
};

enum shim_shuffle_kind { SHIM_SHUFFLE_UP, SHIM_SHUFFLE_DOWN, SHIM_SHUFFLE_FROM, SHIM_SHUFFLE_XOR };

/* First call of every kernel: where the text is, and the threads it is written for. */
void shim_enter(const char *file, int line, int threads);

void *shim_view(struct shim_site *site, const char *name, long long offset, long long count,
                unsigned size, unsigned alignment, int line);

/* Each gives the memory behind 'count' elements of 'size' bytes at element i of view s, or, after
 * a fault, bytes that do no harm. */
const void *shim_shared_read(const void *s, long long i, unsigned size, unsigned count, int line);
void *shim_shared_write(void *s, long long i, unsigned size, int line);
void *shim_remote_write(void *s, int rank, long long i, unsigned size, int line);
const void *shim_global_read(const void *p, unsigned size, int line);
void *shim_global_write(void *p, unsigned size, unsigned count, int line);

int shim_barrier(int line, int is_or, int p);
void shim_cluster_barrier(int line);
void shim_shuffle(void *value, unsigned size, enum shim_shuffle_kind kind, int distance, int width,
                  int line);

void shim_async_copy(void *s, long long i, unsigned size, unsigned bytes, const void *g,
                     int is_valid, int line);
void shim_async_commit(void);
void shim_async_wait(int pending, int line);

#endif
