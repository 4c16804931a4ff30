/* The disk cache: compiled kernels by what they were made of. The same cache serves cubins and CPU
 * objects.
 *
 * Whoever can write to the cache can run code in the process, so the directory must belong to the
 * user alone; see docs/cache.md. Every trouble is a miss, never an error: the kernel is compiled
 * again. A NULL handle is a cache that is off, and every function accepts it. One handle may be
 * used by many threads. */
#ifndef PRNN_CACHE_H
#define PRNN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sha256.h"

struct cache;

#define CACHE_SCHEMA 1u
#define CACHE_LABEL_MAX 95 /* bytes of a label that are kept */

struct cache_options {
    const char *path;   /* NULL: from the environment */
    uint64_t max_bytes; /* 0: $PARARNNC_CACHE_SIZE (bytes, or with K, M, G), else 1 GiB */
};

/**
 * Open the cache, and make its directory (0700) where it is missing.
 *
 * Never fails: a directory that is missing, foreign, writable by others or behind a symbolic link
 * gives a handle that is off, and cache_reason() says why. NULL when memory has ended.
 *
 * @param options NULL: everything from the environment
 */
struct cache *cache_open(const struct cache_options *options);
void cache_close(struct cache *cache);

const char *cache_path(const struct cache *cache);   /* NULL: no place was named */
const char *cache_reason(const struct cache *cache); /* why it is off; NULL: it is on */
/* The first trouble since the last call (disk full, damaged entry): true and a text, once. */
bool cache_trouble(struct cache *cache, char *text, size_t size);

/* One ingredient of a key. Name and size are part of the key: "ab", "c" is not "a", "bc". */
struct cache_part {
    const char *name;
    const void *data; /* NULL with size 0: nothing */
    size_t size;
};

struct cache_key {
    unsigned char digest[SHA256_BYTES];
};

/* SHA-256 over schema, version of the library, and all parts in their order. */
struct cache_key cache_key_make(const struct cache_part *parts, size_t count);

/**
 * Read an entry, once, into memory that has been verified as a whole.
 *
 * @param[out] data malloc'd, for the caller to free; untouched on a miss
 *
 * @return true: found; false: compile
 */
bool cache_get(struct cache *cache, const struct cache_key *key, void **data, size_t *size);

/**
 * Write an entry (temporary name, then rename), and evict the least recently used ones beyond the
 * size cap.
 *
 * @param label for cache_list(): printable, what it is ("cpu object", "cubin sm_90 ...")
 *
 * @return false: it was not stored, which nobody needs to know but the one warning
 */
bool cache_put(struct cache *cache, const struct cache_key *key, const char *label,
               const void *data, size_t size);

/* A file of the cache's directory that is known by its name and no entry: it is neither evicted nor
 * cleaned. The same rules hold: a plain file of this user that nobody else can write, replaced as a
 * whole by renaming. 'name' is of lower-case letters and no temporary's. */
bool cache_file_read(struct cache *cache, const char *name, void **data, size_t *size);
bool cache_file_write(struct cache *cache, const char *name, const void *data, size_t size);
bool cache_file_remove(struct cache *cache, const char *name);

/* What the command line shows. */
struct cache_entry {
    char name[2 * SHA256_BYTES + 1]; /* hexadecimal key */
    char label[CACHE_LABEL_MAX + 1]; /* "" when it cannot be read */
    uint64_t bytes;
    int64_t used; /* seconds since 1970 */
};

struct cache_stats {
    uint64_t entries, bytes, max_bytes;
    uint64_t temporaries; /* files of writers at work, or left behind by killed ones */
};

/* Why the last of the following calls has not seen the whole directory: an errno, or 0. */
int cache_walk_error(const struct cache *cache);
/* A malloc'd array, newest use first; NULL with count 0 when there is nothing. */
struct cache_entry *cache_list(struct cache *cache, size_t *count);
struct cache_stats cache_stats(struct cache *cache);
/* Remove every entry and every stale temporary; the number of removed files. */
uint64_t cache_clean(struct cache *cache);
/* Read and verify every entry, remove the damaged ones; the number of damaged ones. */
uint64_t cache_verify(struct cache *cache, uint64_t *checked);

/* A directory of 0700 for the files of one compilation: inside the cache, or of its own when the
 * cache is off. 'path' gets the absolute name. false: none can be made. */
bool cache_scratch(struct cache *cache, char *path, size_t size);
/* Remove a scratch directory with the files in it. */
void cache_scratch_remove(const char *path);

#endif
