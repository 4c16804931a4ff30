/* Boolean matrices: which value depends on which state. Any number of rows and columns. */
#ifndef PRNN_PATTERN_H
#define PRNN_PATTERN_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

struct pattern {
    uint32_t rows, columns;
    uint32_t words; /* of a row */
    uint64_t *word; /* [rows, words]; bits past 'columns' are 0 */
};

/* All false. */
struct pattern pattern_create(uint32_t rows, uint32_t columns, struct arena *arena);

static inline uint64_t *pattern_row(const struct pattern *pattern, uint32_t row)
{
    return pattern->word + (size_t)row * pattern->words;
}

static inline bool pattern_has(const struct pattern *pattern, uint32_t row, uint32_t column)
{
    return (pattern_row(pattern, row)[column / 64] >> (column % 64) & 1) != 0;
}

static inline void pattern_put(struct pattern *pattern, uint32_t row, uint32_t column)
{
    pattern_row(pattern, row)[column / 64] |= (uint64_t)1 << (column % 64);
}

/* Row 'to' gets the bits of row 'from' of another matrix with as many columns. */
void pattern_join(struct pattern *pattern, uint32_t to, const struct pattern *other, uint32_t from);
bool pattern_row_is_empty(const struct pattern *pattern, uint32_t row);

/* Close a square pattern under products, and put its diagonal: afterwards every product of matrices
 * of the old pattern, the empty product among them, fits the new one. Diagonal stays diagonal,
 * triangular stays triangular. */
void pattern_close(struct pattern *pattern);

#endif
