/* Strategies that were measured to be the fastest, in a file of the cache's directory.
 *
 * One a line: kernel (a digest of device, cell, types and mode), class of shapes, strategy, what
 * was measured, words for people. The last line holds a digest of all before it; a file that is
 * damaged, of another version or not of this user alone counts as empty. */
#ifndef PRNN_TUNED_H
#define PRNN_TUNED_H

#include "backend.h"
#include "cache.h"
#include "pipeline.h"

struct cuda_properties;

enum { TUNED_STRATEGY_MAX = 47, TUNED_WORDS_MAX = 159 };

struct tuned_entry {
    struct cache_key key;
    int32_t width_class, length_class; /* rounded log2 of batch * channels, and of seq_len */
    char strategy[TUNED_STRATEGY_MAX + 1];
    int64_t nanoseconds,
        sequential; /* of the strategy, and of the best sequential one; 0: unknown */
    char words[TUNED_WORDS_MAX + 1]; /* device, cell, types: printable */
};

struct tuned {
    struct tuned_entry *entries;
    size_t count;
};

/* What a kernel's strategies are kept under. 'half_hash' is that of its text: the same for every
 * strategy, and for two cells that differ by their names alone. */
struct cache_key tuned_key(const struct cuda_properties *device,
                           const struct assemble_options *options, uint64_t half_hash);
void tuned_class(const struct backend_shape *shape, int32_t *width, int32_t *length);

/* All of them; empty where there is nothing to be read. Free with tuned_free(). */
struct tuned tuned_load(struct cache *cache);
void tuned_free(struct tuned *tuned);
/* NULL: nothing was measured for this class. */
const struct tuned_entry *tuned_find(const struct tuned *tuned, const struct cache_key *key,
                                     int32_t width, int32_t length);
/* Add or replace. False: it could not be written. */
bool tuned_store(struct cache *cache, const struct tuned_entry *entry);
/* Remove all of them. */
bool tuned_forget(struct cache *cache);

#endif
