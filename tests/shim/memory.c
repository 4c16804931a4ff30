#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine.h"

/* Addresses of views: slot k holds the view whose bytes stand at offset VIEW_ORIGIN. */
#define VIEW_STRIDE ((uintptr_t)4 << 20)
#define VIEW_ORIGIN ((uintptr_t)2 << 20)
enum { MAX_VIEWS = 1024, MAX_GLOBALS = 256 };

struct view {
    const char *name;
    long long offset, count;
    unsigned size;
};

struct global {
    unsigned char *ptr;
    size_t bytes;
    bool is_writable;
    const char *name;
    struct shadow shadow;
};

static unsigned char *views_base;
static struct view views[MAX_VIEWS];
static unsigned view_count, view_epoch;

static struct global globals[MAX_GLOBALS];
static int global_count, global_last;

/* Where accesses go that must not happen. */
static union {
    unsigned char bytes[32];
    double alignment;
} nowhere;

static void *harmless(void)
{
    memset(&nowhere, 0xff, sizeof nowhere);
    return &nowhere;
}

static void fault_of(enum shadow_verdict verdict, const struct shadow_cell *seen, int line,
                     const char *verb, const char *name, long long element)
{
    const unsigned threads = (unsigned)machine.config.threads;
    switch (verdict) {
    case SHADOW_FINE:
        break;
    case SHADOW_UNINITIALISED:
        machine_fault(SHIM_UNINITIALISED, line, "%s '%s' [%lld], which nobody has written", verb,
                      name, element);
        break;
    case SHADOW_IN_FLIGHT:
        machine_fault(SHIM_IN_FLIGHT, line,
                      "%s '%s' [%lld], on its way since thread %u of block %u copied at line %u",
                      verb, name, element, seen->writer % threads, seen->writer / threads,
                      seen->write_line);
        break;
    case SHADOW_WRITTEN:
        machine_fault(SHIM_RACE, line,
                      "%s '%s' [%lld], which thread %u of block %u wrote at line %u in the same "
                      "phase",
                      verb, name, element, seen->writer % threads, seen->writer / threads,
                      seen->write_line);
        break;
    case SHADOW_READ:
        machine_fault(SHIM_RACE, line,
                      "%s '%s' [%lld], which thread %u of block %u %sread at line %u in the same "
                      "phase",
                      verb, name, element, seen->reader % threads, seen->reader / threads,
                      seen->readers == READERS_ONE ? "" : "and others ", seen->read_line);
        break;
    }
}

/* Shared memory. */

static unsigned view_find(const char *name, long long offset, long long count, unsigned size)
{
    unsigned i = 0;
    while (i < view_count && !(views[i].offset == offset && views[i].count == count &&
                               views[i].size == size && strcmp(views[i].name, name) == 0))
        i++;
    return i;
}

void *shim_view(struct shim_site *site, const char *name, long long offset, long long count,
                unsigned size, unsigned alignment, int line)
{
    if (!views_base) {
        void *base = mmap(NULL, VIEW_STRIDE * MAX_VIEWS, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
            abort();
        views_base = base;
    }
    if (view_epoch != machine.epoch) {
        view_epoch = machine.epoch;
        view_count = 0;
    }
    if (site->epoch != machine.epoch || site->offset != offset || site->count != count) {
        unsigned slot = view_find(name, offset, count, size);
        if (offset % alignment != 0)
            machine_fault(SHIM_ALIGNMENT, line, "has '%s' at byte %lld, which is no multiple of %u",
                          name, offset, alignment);
        if (slot == MAX_VIEWS) {
            machine_fault(SHIM_CONFIG, line, "has more than %d views", (int)MAX_VIEWS);
            slot = 0;
        } else if (slot == view_count) {
            views[view_count++] = (struct view){name, offset, count, size};
            for (int b = 0; b < machine.config.cluster; b++)
                if (!shadow_refine(&machine.block[b].shadow, size))
                    abort();
        }
        *site = (struct shim_site){name, offset, count, machine.epoch, slot};
    }
    return views_base + site->slot * VIEW_STRIDE + VIEW_ORIGIN + (uintptr_t)offset;
}

struct place {
    const struct view *view;
    size_t offset;     /* in the pool */
    long long element; /* of the view */
};

/* Element i of pointer s, 'bytes' of it. False after a fault. */
static bool place_find(struct place *place, const void *s, long long i, unsigned size,
                       unsigned bytes, const char *verb, int line)
{
    const uintptr_t distance = (uintptr_t)s - (uintptr_t)views_base;
    const uintptr_t slot = distance / VIEW_STRIDE;
    if (!views_base || slot >= view_count) {
        machine_fault(SHIM_BOUNDS, line, "%s shared memory through a pointer that is no view",
                      verb);
        return false;
    }
    const struct view *view = &views[slot];
    const long long at = (long long)(distance % VIEW_STRIDE) - (long long)VIEW_ORIGIN + i * size;
    const long long end = view->offset + view->count * (long long)view->size;
    place->view = view;
    place->element = (at - view->offset) / (long long)view->size;
    if (view->offset < 0 || end > (long long)machine.config.shared_bytes) {
        machine_fault(SHIM_BOUNDS, line, "%s '%s', which has bytes %lld to %lld of a pool of %zu",
                      verb, view->name, view->offset, end, machine.config.shared_bytes);
        return false;
    }
    if (at < view->offset || at + bytes > end) {
        machine_fault(SHIM_BOUNDS, line, "%s '%s' [%lld], which has %lld", verb, view->name,
                      at < view->offset
                          ? (at - view->offset - (long long)view->size + 1) / (long long)view->size
                          : place->element,
                      view->count);
        return false;
    }
    if (at % bytes != 0) {
        machine_fault(SHIM_ALIGNMENT, line, "%s %u bytes of '%s' [%lld], at byte %lld of the pool",
                      verb, bytes, view->name, place->element, at);
        return false;
    }
    place->offset = (size_t)at;
    return true;
}

const void *shim_shared_read(const void *s, long long i, unsigned size, unsigned count, int line)
{
    struct place place;
    struct block *block = machine_self()->block;
    if (!place_find(&place, s, i, size, size * count, "reads", line))
        return harmless();
    if (machine.config.check) {
        struct shadow_cell seen;
        const struct shadow_view view = machine_view(machine.cluster_start);
        fault_of(shadow_read(&block->shadow, place.offset, size * count, &view, true, line, &seen),
                 &seen, line, "reads", place.view->name, place.element);
    }
    return block->pool + place.offset;
}

static void *block_write(struct block *block, void *s, long long i, unsigned size, unsigned bytes,
                         bool is_async, const char *verb, int line, struct place *place)
{
    if (!place_find(place, s, i, size, bytes, verb, line))
        return NULL;
    if (machine.config.check) {
        struct shadow_cell seen;
        const struct shadow_view view = machine_view(machine.cluster_start);
        fault_of(shadow_write(&block->shadow, place->offset, bytes, &view, is_async, line, &seen),
                 &seen, line, verb, place->view->name, place->element);
    }
    return block->pool + place->offset;
}

void *shim_shared_write(void *s, long long i, unsigned size, int line)
{
    struct place place;
    void *at = block_write(machine_self()->block, s, i, size, size, false, "writes", line, &place);
    return at ? at : harmless();
}

void *shim_remote_write(void *s, int rank, long long i, unsigned size, int line)
{
    struct place place;
    if (rank < 0 || rank >= machine.config.cluster) {
        machine_fault(SHIM_BOUNDS, line, "stores to block %d of a cluster of %d", rank,
                      machine.config.cluster);
        return harmless();
    }
    struct block *block = &machine.block[rank];
    if (block != machine_self()->block) {
        if (!machine.has_met)
            machine_fault(SHIM_LIFETIME, line,
                          "stores into block %d, which may not have begun: no cluster barrier yet",
                          block->bid);
        if (block->live == 0)
            machine_fault(SHIM_LIFETIME, line, "stores into block %d, which has ended", block->bid);
        block->remote_time = machine.now;
        block->remote_line = line;
    }
    void *at = block_write(block, s, i, size, size, false, "writes remotely", line, &place);
    return at ? at : harmless();
}

/* Asynchronous copies. */

static const void *global_access(const void *p, unsigned bytes, bool is_write, int line);

void shim_async_copy(void *s, long long i, unsigned size, unsigned bytes, const void *g,
                     int is_valid, int line)
{
    struct thread *self = machine_self();
    struct place place;
    void *at = block_write(self->block, s, i, size, bytes, true, "copies to", line, &place);
    const void *source = is_valid ? global_access(g, bytes, false, line) : NULL;
    if (!at || (is_valid && !source))
        return;
    memset(at, 0xff, bytes);
    if (self->copies == self->copy_capacity) {
        size_t capacity = self->copy_capacity ? 2 * self->copy_capacity : 8;
        struct copy *larger = realloc(self->copy, capacity * sizeof *larger);
        if (!larger)
            abort();
        self->copy = larger;
        self->copy_capacity = capacity;
    }
    self->copy[self->copies++] =
        (struct copy){self->block, place.offset, bytes, source, self->groups};
}

void shim_async_commit(void)
{
    machine_self()->groups++;
}

void shim_async_wait(int pending, int line)
{
    struct thread *self = machine_self();
    size_t kept = 0;
    if (pending < 0)
        machine_fault(SHIM_CONFIG, line, "waits for all but %d groups", pending);
    const struct shadow_view view = machine_view(machine.cluster_start);
    for (size_t i = 0; i < self->copies; i++) {
        const struct copy copy = self->copy[i];
        if ((long long)copy.group >= (long long)self->groups - pending) {
            self->copy[kept++] = copy;
            continue;
        }
        if (copy.source)
            memcpy(copy.block->pool + copy.offset, copy.source, copy.bytes);
        else
            memset(copy.block->pool + copy.offset, 0, copy.bytes);
        if (machine.config.check)
            shadow_land(&copy.block->shadow, copy.offset, copy.bytes, &view);
    }
    self->copies = kept;
}

/* Global memory. */

void shim_add_global(const void *ptr, size_t bytes, bool is_writable, const char *name)
{
    if (global_count == MAX_GLOBALS)
        abort();
    struct global *global = &globals[global_count++];
    *global = (struct global){(unsigned char *)(uintptr_t)ptr, bytes, is_writable, name, {0}};
    /* Cells are counted from a multiple of 8, so that no element lies in two. */
    if (is_writable && !shadow_init(&global->shadow, bytes + 16))
        abort();
}

void shim_clear_globals(void)
{
    for (int i = 0; i < global_count; i++)
        shadow_free(&globals[i].shadow);
    global_count = global_last = 0;
}

static struct global *global_find(const unsigned char *p, unsigned bytes)
{
    for (int i = 0; i < global_count; i++) {
        const int k = (global_last + i) % global_count;
        struct global *global = &globals[k];
        if (p >= global->ptr && (size_t)(p - global->ptr) + bytes <= global->bytes) {
            global_last = k;
            return global;
        }
    }
    return NULL;
}

/* NULL after a fault. */
static const void *global_access(const void *p, unsigned bytes, bool is_write, int line)
{
    const char *const verb = is_write ? "writes" : "reads";
    if ((uintptr_t)p % bytes != 0) {
        machine_fault(SHIM_ALIGNMENT, line, "%s %u bytes of global memory at %p", verb, bytes, p);
        return NULL;
    }
    if (global_count == 0)
        return p;
    struct global *global = global_find(p, bytes);
    if (!global) {
        const struct global *near = NULL;
        long long gap = 0;
        for (int i = 0; i < global_count; i++) {
            const long long distance = (long long)((uintptr_t)p - (uintptr_t)globals[i].ptr);
            const long long past = distance - (long long)globals[i].bytes;
            const long long off = distance < 0 ? -distance : past > 0 ? past : 0;
            if (!near || off < gap) {
                near = &globals[i];
                gap = off;
            }
        }
        machine_fault(SHIM_BOUNDS, line, "%s %u bytes at byte %lld of '%s', which has %zu", verb,
                      bytes, (long long)((uintptr_t)p - (uintptr_t)near->ptr), near->name,
                      near->bytes);
        return NULL;
    }
    const size_t offset = (size_t)((const unsigned char *)p - global->ptr);
    if (is_write && !global->is_writable) {
        machine_fault(SHIM_BOUNDS, line, "writes to byte %zu of '%s', which is not writable",
                      offset, global->name);
        return NULL;
    }
    if (machine.config.check && global->is_writable) {
        struct shadow_cell seen;
        const struct shadow_view view = machine_view(machine.launch_start);
        const size_t at = offset + (uintptr_t)global->ptr % 8;
        if (!shadow_refine(&global->shadow, bytes))
            abort();
        fault_of(is_write ? shadow_write(&global->shadow, at, bytes, &view, false, line, &seen)
                          : shadow_read(&global->shadow, at, bytes, &view, false, line, &seen),
                 &seen, line, verb, global->name, (long long)offset / bytes);
    }
    return p;
}

const void *shim_global_read(const void *p, unsigned size, int line)
{
    const void *at = global_access(p, size, false, line);
    return at ? at : harmless();
}

void *shim_global_write(void *p, unsigned size, unsigned count, int line)
{
    return global_access(p, size * count, true, line) ? p : harmless();
}
