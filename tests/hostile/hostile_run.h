/* A program run on hostile input, and what it cost: exit code, words, processor time, memory. */
#ifndef PRNN_HOSTILE_RUN_H
#define PRNN_HOSTILE_RUN_H

#include <stdbool.h>
#include <stddef.h>

enum { HOSTILE_WORDS = 1 << 16 };

struct hostile_run {
    int exit_code;  /* -signal when it was killed */
    double seconds; /* of processor time: a busy machine changes nothing */
    long kilobytes; /* at most resident */
    char out[HOSTILE_WORDS], err[HOSTILE_WORDS]; /* the first bytes of each, with a NUL */
};

/* Run 'argv' (its first word is a path) in 'folder' with a stack of 1 MiB. */
void hostile_run(struct hostile_run *run, const char *folder, char *const argv[]);

/* Write a file; false when it cannot be. */
bool hostile_write(const char *path, const char *bytes, size_t size);

/* How much slower and larger a build with sanitizers may be; 1 for any other. */
int hostile_allowance(void);

#endif
