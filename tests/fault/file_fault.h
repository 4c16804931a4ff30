/* Run work in a child process whose file operations are counted, and of which the n-th fails or
 * comes short. Done from outside, system call by system call, so that the C library's own calls
 * (streams, folders, the loader) fail as well. */
#ifndef PRNN_FILE_FAULT_H
#define PRNN_FILE_FAULT_H

#include <stdbool.h>

enum file_fault_kind {
    FILE_FAULT_NONE,
    FILE_FAULT_EIO,    /* of any operation */
    FILE_FAULT_ENOSPC, /* of what makes or fills files */
    FILE_FAULT_EMFILE, /* of what opens */
    FILE_FAULT_EINTR,  /* of what may wait: open, read, write, close, sync */
    FILE_FAULT_SHORT,  /* read and write move half of what they could */
    FILE_FAULT_SIGNAL, /* a signal arrives just behind it */
    FILE_FAULT_KINDS
};

extern const char *const file_fault_names[FILE_FAULT_KINDS];

struct file_fault {
    const char *folder; /* only operations on paths and files in it, and on memory files, count */
    enum file_fault_kind kind;
    int n;          /* the n-th operation to which the kind applies, from 1 */
    int signal;     /* of FILE_FAULT_SIGNAL */
    bool from_exec; /* counted from the child's execve() on */
};

struct file_fault_result {
    int wait_status; /* of the child, as waitpid() gives it */
    int operations;  /* counted */
    bool has_failed; /* the n-th was reached */
    char name[32];   /* of the operation that was made to fail */
};

/* Whether this machine lets a process be traced, and how calls look on it is known. */
bool file_fault_is_possible(void);
/* Run work(context) in a forked child; its value is the child's exit code. It may exec. */
struct file_fault_result file_fault_run(const struct file_fault *fault, int (*work)(void *),
                                        void *context);

#endif
