/* The allocator of a test program: that of the C library, counted and made to fail. It replaces
 * malloc and its kin for the whole process, so that what libraries allocate on our behalf (opening
 * files and folders, loading objects, formatting) fails as well. */
#ifndef PRNN_ALLOCATION_H
#define PRNN_ALLOCATION_H

#include <stdbool.h>

enum allocation_mode {
    ALLOCATION_ONE, /* the n-th only */
    ALLOCATION_REST /* the n-th and all behind it */
};

/* False in a program that a sanitiser has given an allocator of its own. */
bool allocation_is_replaced(void);
/* From now on the n-th allocation fails (n from 1; 0: none, only count). */
void allocation_arm(long n, enum allocation_mode mode);
/* Nothing fails any more; the number of allocations since allocation_arm(). */
long allocation_disarm(void);
/* Whether one has failed since allocation_arm(). */
bool allocation_has_failed(void);
/* Blocks that are allocated now. */
long allocation_live(void);

#endif
