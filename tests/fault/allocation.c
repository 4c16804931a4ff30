#include "allocation.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITISER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITISER 1
#endif
#endif

/* glibc's own, under the names that do not get replaced. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static atomic_long live, count, at;
static atomic_int mode;
static atomic_bool is_armed, has_failed;

void allocation_arm(long n, enum allocation_mode how)
{
    atomic_store(&count, 0);
    atomic_store(&at, n);
    atomic_store(&mode, (int)how);
    atomic_store(&has_failed, false);
    atomic_store(&is_armed, true);
}

long allocation_disarm(void)
{
    atomic_store(&is_armed, false);
    return atomic_load(&count);
}

bool allocation_is_replaced(void)
{
#ifdef HAS_SANITISER
    return false;
#else
    return true;
#endif
}

bool allocation_has_failed(void)
{
    return atomic_load(&has_failed);
}

long allocation_live(void)
{
    return atomic_load(&live);
}

#ifndef HAS_SANITISER

static bool is_refused(void)
{
    if (!atomic_load(&is_armed))
        return false;
    const long number = atomic_fetch_add(&count, 1) + 1, n = atomic_load(&at);
    if (n == 0 || number < n || (number > n && atomic_load(&mode) == ALLOCATION_ONE))
        return false;
    atomic_store(&has_failed, true);
    errno = ENOMEM;
    return true;
}

static void *counted(void *block)
{
    if (block)
        atomic_fetch_add(&live, 1);
    return block;
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
    return is_refused() ? NULL : counted(__libc_calloc(number, size));
}

void *realloc(void *block, size_t size)
{
    if (is_refused())
        return NULL;
    void *moved = __libc_realloc(block, size);
    if (!block)
        return counted(moved);
    if (size == 0) /* the block is gone */
        atomic_fetch_sub(&live, 1);
    return moved;
}

void *memalign(size_t alignment, size_t size)
{
    return is_refused() ? NULL : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return is_refused() ? NULL : counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (is_refused())
        return ENOMEM;
    void *block = counted(__libc_memalign(alignment, size));
    if (!block)
        return ENOMEM;
    *out = block;
    return 0;
}

void free(void *block)
{
    if (block)
        atomic_fetch_sub(&live, 1);
    __libc_free(block);
}

#endif
