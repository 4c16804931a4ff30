#include "fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#if (defined __x86_64__ || defined __aarch64__) && !defined PRNN_SHIM_UCONTEXT
#define FIBER_ASSEMBLY 1
#else
#define FIBER_ASSEMBLY 0
#include <ucontext.h>
#endif

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#if defined __SANITIZE_ADDRESS__
#define FIBER_ASAN 1
#endif
#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

enum { GUARD_BYTES = 4096, GROUP_STACKS = 256 };

/* The side that called fiber_enter(). */
static struct {
    void *place;
    void *sanitizer;
    const void *stack;
    size_t stack_bytes;
} outside;

static unsigned char **groups; /* mappings of GROUP_STACKS stacks each */
static size_t group_count;

/* The stack with this number; below it stands a page that no one may touch. */
static unsigned char *stack_at(size_t index)
{
    const size_t stride = FIBER_STACK_BYTES + GUARD_BYTES;
    const size_t group = index / GROUP_STACKS;
    while (group_count <= group) {
        unsigned char **larger = realloc(groups, (group_count + 1) * sizeof *larger);
        if (!larger)
            return NULL;
        groups = larger;
        unsigned char *mapping = mmap(NULL, stride * GROUP_STACKS, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapping == MAP_FAILED)
            return NULL;
        for (size_t i = 0; i < GROUP_STACKS; i++)
            if (mprotect(mapping + i * stride, GUARD_BYTES, PROT_NONE) != 0)
                return NULL;
        groups[group_count++] = mapping;
    }
    return groups[group] + (index % GROUP_STACKS) * stride + GUARD_BYTES;
}

#if FIBER_ASSEMBLY

/* fiber_swap(void **save, void *load): push what the callee must keep, swap stacks, pop. */
void fiber_swap(void **save, void *load) __asm__("prnn_fiber_swap");

#ifdef __x86_64__
__asm__(".text\n"
        ".p2align 4\n"
        ".type prnn_fiber_swap, @function\n"
        "prnn_fiber_swap:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size prnn_fiber_swap, .-prnn_fiber_swap\n");

/* Six registers, the address to return to, and a word so that the entry finds its stack as after
 * a call. */
static void *first_frame(unsigned char *top, void (*entry)(void))
{
    uintptr_t *sp = (uintptr_t *)(void *)top;
    *--sp = 0;
    *--sp = (uintptr_t)entry;
    for (int i = 0; i < 6; i++)
        *--sp = 0;
    return sp;
}
#else
__asm__(".text\n"
        ".p2align 4\n"
        ".type prnn_fiber_swap, %function\n"
        "prnn_fiber_swap:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size prnn_fiber_swap, .-prnn_fiber_swap\n");

static void *first_frame(unsigned char *top, void (*entry)(void))
{
    uintptr_t *sp = (uintptr_t *)(void *)(top - 160);
    for (int i = 0; i < 20; i++)
        sp[i] = 0;
    sp[11] = (uintptr_t)entry; /* x30 */
    return sp;
}
#endif

static bool place_make(struct fiber *fiber, size_t index, void (*entry)(void))
{
    /* Frames of neighbouring fibers begin at different lines of a page, else they would all fall
     * into the same few sets of the first-level cache. */
    unsigned char *top = fiber->stack + FIBER_STACK_BYTES - 64 - (index % 30) * 128;
    fiber->place = first_frame(top, entry);
    return true;
}

#else

static void fiber_swap(void **save, void *load)
{
    swapcontext(*save, load);
}

static bool place_make(struct fiber *fiber, size_t index, void (*entry)(void))
{
    (void)index;
    ucontext_t *context = fiber->place ? fiber->place : malloc(sizeof *context);
    if (!outside.place)
        outside.place = malloc(sizeof(ucontext_t));
    if (!context || !outside.place || getcontext(context) != 0)
        return false;
    context->uc_stack.ss_sp = fiber->stack;
    context->uc_stack.ss_size = FIBER_STACK_BYTES;
    context->uc_link = NULL;
    makecontext(context, entry, 0);
    fiber->place = context;
    return true;
}

#endif

#ifdef FIBER_ASAN
static void before_swap(void **fake, const void *stack, size_t bytes)
{
    __sanitizer_start_switch_fiber(fake, stack, bytes);
}

static void after_swap(void *fake, const void **stack, size_t *bytes)
{
    __sanitizer_finish_switch_fiber(fake, stack, bytes);
}
#else
static void before_swap(void **fake, const void *stack, size_t bytes)
{
    (void)fake, (void)stack, (void)bytes;
}

static void after_swap(void *fake, const void **stack, size_t *bytes)
{
    (void)fake, (void)stack, (void)bytes;
}
#endif

static void (*starting_entry)(void);

/* First function on every fiber's stack. */
static void begin(void)
{
    void (*entry)(void) = starting_entry;
    after_swap(NULL, &outside.stack, &outside.stack_bytes);
    entry();
    abort(); /* the entry has promised not to return */
}

bool fiber_start(struct fiber *fiber, size_t index, void (*entry)(void))
{
    fiber->stack = stack_at(index);
    if (!fiber->stack)
        return false;
    fiber->sanitizer = NULL;
    starting_entry = entry;
#ifdef FIBER_ASAN
    ASAN_UNPOISON_MEMORY_REGION(fiber->stack, FIBER_STACK_BYTES);
#endif
    return place_make(fiber, index, begin);
}

void fiber_enter(struct fiber *fiber)
{
    before_swap(&outside.sanitizer, fiber->stack, FIBER_STACK_BYTES);
    fiber_swap(&outside.place, fiber->place);
    after_swap(outside.sanitizer, NULL, NULL);
}

void fiber_leave(struct fiber *fiber, bool is_last)
{
    before_swap(is_last ? NULL : &fiber->sanitizer, outside.stack, outside.stack_bytes);
    fiber_swap(&fiber->place, outside.place);
    after_swap(fiber->sanitizer, &outside.stack, &outside.stack_bytes);
}
