/* How large files may become. */
#ifndef PRNN_FILE_LIMIT_H
#define PRNN_FILE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a file may grow to so many bytes; errno is EFBIG if not. A write beyond RLIMIT_FSIZE
 * sends SIGXFSZ, which ends a host program that has not thought of it, so it is asked first. That
 * goes for memory files too. */
bool file_limit_allows(uint64_t bytes);

#endif
