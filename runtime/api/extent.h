/* Where a bound tensor lies in memory, and whether two of them share any of it. */
#ifndef PRNN_EXTENT_H
#define PRNN_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

enum { EXTENT_BATCH, EXTENT_TIME, EXTENT_ELEMENT, EXTENT_AXES };

/* Rows of 'width' bytes, one for each index of three axes. Strides are in bytes. */
struct extent {
    uintptr_t base;
    int64_t stride[EXTENT_AXES], count[EXTENT_AXES]; /* counts: at least 1 */
    int64_t width;
    uintptr_t lo, hi; /* by extent_bound(): the first byte, and the one behind the last */
};

/* Fill in 'lo' and 'hi'. False: the strides reach beyond every address. */
bool extent_bound(struct extent *extent);

/* Whether two rows share a byte, so that what is written to one changes the other. */
bool extent_folds(const struct extent *extent);

/* Whether a byte belongs to both. Never true by mistake; false where that would take long to decide
 * (two layouts that interleave with different strides). */
bool extent_meet(const struct extent *a, const struct extent *b);

#endif
