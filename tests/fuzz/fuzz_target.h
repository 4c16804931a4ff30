/* What every harness has: the entry that libFuzzer, AFL++ and replay.c call, and a way to say that
 * a promise was broken which all three count as a crash. */
#ifndef PRNN_FUZZ_TARGET_H
#define PRNN_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The promise stands in the message, so that a find tells what was broken. */
#define FUZZ_PROMISE(condition, promise)                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "broken promise: %s (%s:%d)\n", promise, __FILE__, __LINE__);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
