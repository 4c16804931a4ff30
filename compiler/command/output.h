/* The only code that writes to the terminal and to files. */
#ifndef PRNN_OUTPUT_H
#define PRNN_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Once, first of all: closed standard descriptors are taken, so that no file opened later gets
 * their numbers; a broken pipe becomes an error of write(); SIGINT and SIGTERM remove the temporary
 * file of output_file() before they end the process. */
void output_prepare(void);

/* Write to standard output. False, with the reason on standard error, when it is closed or full. */
bool output_text(const char *text, size_t length);

/* Write a whole file: to a temporary name beside it, then renamed, so that an old file stays whole
 * when anything goes wrong. "-" is standard output. False with the reason on standard error. */
bool output_file(const char *path, const char *bytes, size_t length);

/* "pararnnc: ..." and a newline on standard error. */
void output_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Text as it is on standard error. */
void output_messages(const char *text, size_t length);
/* Whether standard error takes colour: a terminal, and NO_COLOR is not set. */
bool output_is_coloured(void);

/* One line on a terminal that shows what is being done; "" removes it. Nothing elsewhere. */
void output_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
