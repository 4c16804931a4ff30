#include "shadow.h"

#include <assert.h>
#include <stdlib.h>

bool shadow_init(struct shadow *shadow, size_t bytes)
{
    shadow->bytes = bytes;
    shadow->shift = 2;
    shadow->cell = calloc((bytes >> shadow->shift) + 1, sizeof *shadow->cell);
    return shadow->cell != NULL;
}

void shadow_free(struct shadow *shadow)
{
    free(shadow->cell);
    shadow->cell = NULL;
}

bool shadow_refine(struct shadow *shadow, size_t size)
{
    unsigned shift = size >= 4 ? 2 : size >= 2 ? 1 : 0;
    if (shift >= shadow->shift)
        return true;
    size_t count = (shadow->bytes >> shift) + 1;
    struct shadow_cell *cell = calloc(count, sizeof *cell);
    if (!cell)
        return false;
    for (size_t i = 0; i < count; i++)
        cell[i] = shadow->cell[i >> (shadow->shift - shift)];
    free(shadow->cell);
    shadow->cell = cell;
    shadow->shift = shift;
    return true;
}

/* Whether what 'thread' did at 'time' is over for the thread of the view. */
static bool is_ordered(uint32_t thread, uint32_t time, const struct shadow_view *view)
{
    if (thread == view->thread)
        return true;
    uint32_t block = thread / view->threads;
    if (block == view->block)
        return time < view->block_barrier;
    return block / view->blocks == view->cluster && time < view->cluster_barrier;
}

/* Whether all the reads that the cell remembers are over for the thread of the view. */
static bool reads_are_ordered(const struct shadow_cell *cell, const struct shadow_view *view)
{
    uint32_t block = cell->reader / view->threads;
    switch ((enum shadow_readers)cell->readers) {
    case READERS_ONE:
        return is_ordered(cell->reader, cell->read_time, view);
    case READERS_OF_BLOCK:
        if (block == view->block)
            return cell->read_time < view->block_barrier;
        return block / view->blocks == view->cluster && cell->read_time < view->cluster_barrier;
    case READERS_OF_CLUSTER:
        return block / view->blocks == view->cluster && cell->read_time < view->cluster_barrier;
    case READERS_OF_GRID:
        return false;
    }
    return false;
}

static enum shadow_readers readers_with(const struct shadow_cell *cell,
                                        const struct shadow_view *view)
{
    uint32_t block = cell->reader / view->threads;
    enum shadow_readers both = cell->reader == view->thread            ? READERS_ONE
                               : block == view->block                  ? READERS_OF_BLOCK
                               : block / view->blocks == view->cluster ? READERS_OF_CLUSTER
                                                                       : READERS_OF_GRID;
    return both > cell->readers ? both : (enum shadow_readers)cell->readers;
}

enum shadow_verdict shadow_read(struct shadow *shadow, size_t offset, size_t size,
                                const struct shadow_view *view, bool must_be_written, int line,
                                struct shadow_cell *seen)
{
    enum shadow_verdict verdict = SHADOW_FINE;
    assert(offset + size <= shadow->bytes);
    for (size_t i = offset >> shadow->shift; i <= (offset + size - 1) >> shadow->shift; i++) {
        struct shadow_cell *cell = &shadow->cell[i];
        const bool is_written = cell->write_time >= view->since;
        enum shadow_verdict found = SHADOW_FINE;
        if (is_written && cell->is_in_flight)
            found = SHADOW_IN_FLIGHT;
        else if (is_written && !is_ordered(cell->writer, cell->write_time, view))
            found = SHADOW_WRITTEN;
        else if (!is_written && must_be_written)
            found = SHADOW_UNINITIALISED;
        if (verdict == SHADOW_FINE && found != SHADOW_FINE) {
            verdict = found;
            *seen = *cell;
        }
        if (cell->read_time < view->since || reads_are_ordered(cell, view))
            cell->readers = READERS_ONE;
        else
            cell->readers = (uint8_t)readers_with(cell, view);
        cell->read_time = view->now;
        cell->reader = view->thread;
        cell->read_line = (uint16_t)line;
    }
    return verdict;
}

enum shadow_verdict shadow_write(struct shadow *shadow, size_t offset, size_t size,
                                 const struct shadow_view *view, bool is_async, int line,
                                 struct shadow_cell *seen)
{
    enum shadow_verdict verdict = SHADOW_FINE;
    assert(offset + size <= shadow->bytes);
    for (size_t i = offset >> shadow->shift; i <= (offset + size - 1) >> shadow->shift; i++) {
        struct shadow_cell *cell = &shadow->cell[i];
        const bool is_written = cell->write_time >= view->since;
        enum shadow_verdict found = SHADOW_FINE;
        if (is_written && cell->is_in_flight)
            found = SHADOW_IN_FLIGHT;
        else if (is_written && !is_ordered(cell->writer, cell->write_time, view))
            found = SHADOW_WRITTEN;
        else if (cell->read_time >= view->since && !reads_are_ordered(cell, view))
            found = SHADOW_READ;
        if (verdict == SHADOW_FINE && found != SHADOW_FINE) {
            verdict = found;
            *seen = *cell;
        }
        cell->write_time = view->now;
        cell->writer = view->thread;
        cell->write_line = (uint16_t)line;
        cell->is_in_flight = is_async;
    }
    return verdict;
}

void shadow_land(struct shadow *shadow, size_t offset, size_t size, const struct shadow_view *view)
{
    for (size_t i = offset >> shadow->shift; i <= (offset + size - 1) >> shadow->shift; i++) {
        struct shadow_cell *cell = &shadow->cell[i];
        cell->write_time = view->now;
        cell->writer = view->thread;
        cell->is_in_flight = false;
    }
}
