/* Runs a function in a process of its own, so that a failure of Check's, a crash or a hang is a
 * result and not the end. */
#ifndef PRNN_ISOLATED_H
#define PRNN_ISOLATED_H

#include <stddef.h>

/**
 * @param seconds      after which the process is ended
 * @param shared       memory that the function may change for the caller; from isolated_memory()
 * @param[out] message "" if the function returned; else what went wrong
 *
 * @return 0, or 1 when it went wrong
 */
int isolated_run(void (*function)(void *shared), void *shared, int seconds, char *message,
                 size_t room);

/* Zeroed memory that both processes see; aborts when there is none. */
void *isolated_memory(size_t bytes);

#endif
