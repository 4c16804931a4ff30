/* Figures of one test program for the table of the trust programme. Counters are shared with the
 * processes that a test forks. */
#ifndef PRNN_FAULT_FIGURES_H
#define PRNN_FAULT_FIGURES_H

/* A line "what<TAB>reached<TAB>goal". */
struct figure {
    const char *what;
    _Atomic long reached, goal;
};

/**
 * Counters in shared memory, zero, and an empty file.
 *
 * @param path  of the file that figures_write() fills
 * @param what  names of the figures; NULL ends
 */
struct figure *figures_begin(const char *path, const char *const *what);
/* Write every figure whose goal is not 0. */
void figures_write(void);

#endif
