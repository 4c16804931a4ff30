/* Fibers: one stack and one saved place of execution for each thread of a kernel. */
#ifndef PRNN_FIBER_H
#define PRNN_FIBER_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of one stack. Kernels keep small arrays there; running over the end meets a guard page. */
#define FIBER_STACK_BYTES ((size_t)256 * 1024)

struct fiber {
    void *place;          /* stack pointer, or ucontext_t in the fallback */
    void *sanitizer;      /* of AddressSanitizer: the fiber's fake stack */
    unsigned char *stack; /* lowest byte */
};

/**
 * Make 'fiber' start in 'entry' when it is entered next. What it was doing before is forgotten.
 *
 * @param index  number of the stack; stacks are mapped on first use and kept
 * @param entry  never returns: its last act is fiber_leave(fiber, true)
 *
 * @return false: no memory for the stack
 */
bool fiber_start(struct fiber *fiber, size_t index, void (*entry)(void));

/* Run 'fiber' until it leaves. Only from outside all fibers. */
void fiber_enter(struct fiber *fiber);

/* Back to the caller of fiber_enter(). 'is_last': this fiber is not entered again. */
void fiber_leave(struct fiber *fiber, bool is_last);

#endif
