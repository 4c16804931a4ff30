#include "file_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const file_fault_names[FILE_FAULT_KINDS] = {"none",  "EIO",         "ENOSPC", "EMFILE",
                                                        "EINTR", "short count", "signal"};

#ifdef __x86_64__

/* What a call may suffer. */
enum { OPENS = 1, FILLS = 2, WAITS = 4, MOVES = 8, GOES_ON = 16 /* is done all the same */ };
/* Where its path or file is. */
enum place { PATH_1, PATH_2, FILE_1, FILE_5, MEMORY };

static const struct operation {
    const char *name;
    long number;
    enum place place;
    int traits;
} operations[] = {
    {"open", SYS_open, PATH_1, OPENS | FILLS | WAITS},
    {"openat", SYS_openat, PATH_2, OPENS | FILLS | WAITS},
    {"creat", SYS_creat, PATH_1, OPENS | FILLS | WAITS},
    {"read", SYS_read, FILE_1, WAITS | MOVES},
    {"pread", SYS_pread64, FILE_1, WAITS | MOVES},
    {"write", SYS_write, FILE_1, FILLS | WAITS | MOVES},
    {"writev", SYS_writev, FILE_1, FILLS | WAITS},
    {"close", SYS_close, FILE_1, WAITS | GOES_ON},
    {"fsync", SYS_fsync, FILE_1, FILLS | WAITS | GOES_ON},
    {"fdatasync", SYS_fdatasync, FILE_1, FILLS | WAITS | GOES_ON},
    {"ftruncate", SYS_ftruncate, FILE_1, FILLS},
    {"fstat", SYS_fstat, FILE_1, 0},
    {"newfstatat", SYS_newfstatat, PATH_2, 0},
    {"stat", SYS_stat, PATH_1, 0},
    {"lstat", SYS_lstat, PATH_1, 0},
    {"lseek", SYS_lseek, FILE_1, 0},
    {"mmap", SYS_mmap, FILE_5, 0},
    {"memfd_create", SYS_memfd_create, MEMORY, OPENS | FILLS},
    {"fcntl", SYS_fcntl, FILE_1, 0},
    {"fchmod", SYS_fchmod, FILE_1, 0},
    {"access", SYS_access, PATH_1, 0},
    {"faccessat", SYS_faccessat, PATH_2, 0},
    {"rename", SYS_rename, PATH_1, FILLS},
    {"renameat", SYS_renameat, PATH_2, FILLS},
    {"renameat2", SYS_renameat2, PATH_2, FILLS},
    {"unlink", SYS_unlink, PATH_1, 0},
    {"unlinkat", SYS_unlinkat, PATH_2, 0},
    {"mkdir", SYS_mkdir, PATH_1, FILLS},
    {"mkdirat", SYS_mkdirat, PATH_2, FILLS},
    {"rmdir", SYS_rmdir, PATH_1, 0},
    {"getdents", SYS_getdents64, FILE_1, 0},
    {"utimensat", SYS_utimensat, PATH_2, 0},
};

static const int errors[FILE_FAULT_KINDS] = {[FILE_FAULT_EIO] = EIO,
                                             [FILE_FAULT_ENOSPC] = ENOSPC,
                                             [FILE_FAULT_EMFILE] = EMFILE,
                                             [FILE_FAULT_EINTR] = EINTR};

static bool applies(enum file_fault_kind kind, const struct operation *operation)
{
    static const int needed[FILE_FAULT_KINDS] = {[FILE_FAULT_ENOSPC] = FILLS,
                                                 [FILE_FAULT_EMFILE] = OPENS,
                                                 [FILE_FAULT_EINTR] = WAITS,
                                                 [FILE_FAULT_SHORT] = MOVES};
    return (operation->traits & needed[kind]) == needed[kind];
}

static bool is_inside(const char *path, const char *folder)
{
    const size_t length = strlen(folder);
    return (strncmp(path, folder, length) == 0 && (path[length] == '/' || !path[length])) ||
           strncmp(path, "/memfd:pararnnc", 15) == 0 || strncmp(path, "/proc/self/fd/", 14) == 0;
}

static bool is_file_inside(pid_t pid, long file, const char *folder)
{
    char link[64], path[4096];
    if (file < 0 && (int)file != AT_FDCWD)
        return false;
    if ((int)file == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    else
        snprintf(link, sizeof link, "/proc/%d/fd/%ld", (int)pid, file);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = 0;
    return is_inside(path, folder);
}

static bool is_path_inside(pid_t pid, long folder_file, unsigned long long address,
                           const char *folder)
{
    char path[512];
    const struct iovec own = {path, sizeof path - 1};
    /* As much as can be read without crossing into a page that may not be there. */
    size_t room = 4096 - address % 4096;
    room = room < own.iov_len ? room : own.iov_len;
    const struct iovec its = {(void *)(uintptr_t)address, room};
    const ssize_t length =
        address ? process_vm_readv(pid, &(struct iovec){path, room}, 1, &its, 1, 0) : 0;
    if (length <= 0)
        return address == 0 && is_file_inside(pid, folder_file, folder); /* futimens() */
    path[length] = 0;
    return path[0] == '/' ? is_inside(path, folder) : is_file_inside(pid, folder_file, folder);
}

static const struct operation *operation_find(pid_t pid, const struct user_regs_struct *regs,
                                              const char *folder)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        const struct operation *operation = &operations[i];
        if (operation->number != (long)regs->orig_rax)
            continue;
        bool counts = false;
        switch (operation->place) {
        case PATH_1:
            counts = is_path_inside(pid, AT_FDCWD, regs->rdi, folder);
            break;
        case PATH_2:
            counts = is_path_inside(pid, (int)regs->rdi, regs->rsi, folder);
            break;
        case FILE_1:
            counts = is_file_inside(pid, (int)regs->rdi, folder);
            break;
        case FILE_5:
            counts = is_file_inside(pid, (int)regs->r8, folder);
            break;
        case MEMORY:
            counts = true;
            break;
        }
        return counts ? operation : NULL;
    }
    return NULL;
}

bool file_fault_is_possible(void)
{
    const pid_t pid = fork();
    int status;
    if (pid == 0) {
        const bool is_traced = ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
        _exit(is_traced ? 0 : 1);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

struct file_fault_result file_fault_run(const struct file_fault *fault, int (*work)(void *),
                                        void *context)
{
    struct file_fault_result result = {0};
    struct user_regs_struct regs;
    bool is_entry = true, must_fail = false, is_counting = !fault->from_exec;
    int pass_on = 0, status = 0, applied = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        _exit(work(context));
    }
    waitpid(pid, &status, 0);
    ptrace(PTRACE_SETOPTIONS, pid, NULL,
           PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC);
    for (;;) {
        if (ptrace(PTRACE_SYSCALL, pid, NULL, pass_on) < 0)
            kill(pid, SIGKILL);
        pass_on = 0;
        if (waitpid(pid, &status, 0) < 0 || WIFEXITED(status) || WIFSIGNALED(status))
            break;
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
            is_counting = true;
            continue;
        }
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            pass_on = WSTOPSIG(status);
            continue;
        }
        if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
            continue;
        if (is_entry) {
            const struct operation *operation =
                is_counting ? operation_find(pid, &regs, fault->folder) : NULL;
            if (operation && applies(fault->kind, operation)) {
                result.operations++;
                if (fault->kind != FILE_FAULT_NONE && ++applied == fault->n) {
                    result.has_failed = true;
                    snprintf(result.name, sizeof result.name, "%s", operation->name);
                    if (fault->kind == FILE_FAULT_SIGNAL) {
                        kill(pid, fault->signal); /* delivered when the call is done */
                    } else if (fault->kind == FILE_FAULT_SHORT) {
                        regs.rdx = regs.rdx > 1 ? regs.rdx / 2 : regs.rdx;
                    } else {
                        must_fail = true;
                        if (!(operation->traits & GOES_ON))
                            regs.orig_rax = (unsigned long long)-1; /* no such call: not done */
                    }
                    ptrace(PTRACE_SETREGS, pid, NULL, &regs);
                }
            }
        } else if (must_fail) {
            must_fail = false;
            regs.rax = (unsigned long long)-errors[fault->kind];
            ptrace(PTRACE_SETREGS, pid, NULL, &regs);
        }
        is_entry = !is_entry;
    }
    result.wait_status = status;
    return result;
}

#else

bool file_fault_is_possible(void)
{
    return false;
}

struct file_fault_result file_fault_run(const struct file_fault *fault, int (*work)(void *),
                                        void *context)
{
    (void)fault, (void)work, (void)context;
    return (struct file_fault_result){0};
}

#endif
