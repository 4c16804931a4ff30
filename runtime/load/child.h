/* Run another program to its end: no shell, no inherited files, a time limit. */
#ifndef PRNN_CHILD_H
#define PRNN_CHILD_H

#include <stdbool.h>
#include <stddef.h>

struct child_run {
    const char *const *argv; /* argv[0] is the absolute path of the program; ends with NULL */
    const void *input;       /* what it reads from its standard input; NULL: nothing */
    size_t input_size;
    const char *temporary; /* its TMPDIR; NULL: that of this process */
    unsigned seconds;      /* then it is killed, with all processes it has started */
};

enum child_end {
    CHILD_EXITED,  /* code: its exit status */
    CHILD_KILLED,  /* code: the signal */
    CHILD_TOOLONG, /* killed by the limit */
    CHILD_UNKNOWN, /* it has ended, but this process ignores SIGCHLD and the status is lost */
    CHILD_FAILED   /* could not be started; code: errno */
};

struct child_result {
    enum child_end end;
    int code;
    double seconds;
    char *output; /* malloc'd: the first bytes of its stdout and stderr together; may be NULL */
};

#define CHILD_OUTPUT_MAX (64u << 10)

struct child_result child_run(const struct child_run *run);

/* A memory file above the standard descriptors with the bytes in it, at its start, or -1 with
 * errno. With 'is_sealed' nobody can change it any more. */
int child_memory_file(const void *data, size_t size, bool is_sealed);

#endif
