#include "pattern.h"

#include <assert.h>

struct pattern pattern_create(uint32_t rows, uint32_t columns, struct arena *arena)
{
    struct pattern pattern = {.rows = rows, .columns = columns, .words = (columns + 63) / 64};
    pattern.word = arena_array(arena, (size_t)rows * pattern.words, sizeof *pattern.word);
    return pattern;
}

void pattern_join(struct pattern *pattern, uint32_t to, const struct pattern *other, uint32_t from)
{
    uint64_t *into = pattern_row(pattern, to);
    const uint64_t *bits = pattern_row(other, from);
    assert(pattern->columns == other->columns);
    for (uint32_t w = 0; w < pattern->words; w++)
        into[w] |= bits[w];
}

bool pattern_row_is_empty(const struct pattern *pattern, uint32_t row)
{
    const uint64_t *bits = pattern_row(pattern, row);
    for (uint32_t w = 0; w < pattern->words; w++)
        if (bits[w])
            return false;
    return true;
}

/* Warshall: after round k every path with inner nodes up to k is an edge. The reflexive transitive
 * closure is exactly the union of the patterns of all powers. */
void pattern_close(struct pattern *pattern)
{
    assert(pattern->rows == pattern->columns);
    for (uint32_t k = 0; k < pattern->rows; k++)
        pattern_put(pattern, k, k);
    for (uint32_t k = 0; k < pattern->rows; k++)
        for (uint32_t i = 0; i < pattern->rows; i++)
            if (i != k && pattern_has(pattern, i, k))
                pattern_join(pattern, i, pattern, k);
}
