/* The words of errors: one text per thread, read by prnn_last_error(). */
#ifndef PRNN_STATUS_H
#define PRNN_STATUS_H

#include <pararnnc/pararnnc.h>

/* Remember the words of 'status' and return it. The words are lower case, without a full stop, and
 * say what, which argument, found and needed. Cut at STATUS_TEXT_BYTES. */
prnn_status status_set(prnn_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#ifdef __clang_analyzer__
/* It looks at one file at a time: what comes back is the first argument. */
#define status_set(status, ...) ((void)status_set(status, __VA_ARGS__), (status))
#endif

/* The words of the last status_set() of this thread; never NULL. */
const char *status_text(void);

enum { STATUS_TEXT_BYTES = 16384 }; /* room for the log of a compiler */

#endif
