#include "hostile_run.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

int hostile_allowance(void)
{
#ifdef __SANITIZE_ADDRESS__
    return 8;
#else
    return 1;
#endif
}

static _Noreturn void child(const char *folder, char *const argv[], int out, int err)
{
    const rlim_t stack = (rlim_t)hostile_allowance() << 20;
    setrlimit(RLIMIT_STACK, &(struct rlimit){stack, stack});
    setrlimit(RLIMIT_CPU, &(struct rlimit){20, 20});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (chdir(folder) || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    execv(argv[0], argv);
    _exit(127);
}

/* What is ready, kept as far as there is room. False: the other side is closed. */
static bool take(int file, char *words, size_t *length)
{
    char bytes[65536];
    const ssize_t count = read(file, bytes, sizeof bytes);
    if (count <= 0)
        return false;
    size_t kept = (size_t)count;
    if (kept > HOSTILE_WORDS - 1 - *length)
        kept = HOSTILE_WORDS - 1 - *length;
    memcpy(words + *length, bytes, kept);
    *length += kept;
    words[*length] = '\0';
    return true;
}

void hostile_run(struct hostile_run *run, const char *folder, char *const argv[])
{
    int out[2], err[2], status = 0;
    size_t out_length = 0, err_length = 0;
    struct rusage usage;
    *run = (struct hostile_run){.exit_code = -1};
    if (pipe(out) || pipe(err))
        abort();
    const pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0)
        child(folder, argv, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    struct pollfd files[] = {{.fd = out[0], .events = POLLIN}, {.fd = err[0], .events = POLLIN}};
    while (files[0].fd >= 0 || files[1].fd >= 0) {
        poll(files, 2, -1);
        if (files[0].revents && !take(out[0], run->out, &out_length))
            files[0].fd = -1;
        if (files[1].revents && !take(err[0], run->err, &err_length))
            files[1].fd = -1;
    }
    close(out[0]);
    close(err[0]);
    if (wait4(pid, &status, 0, &usage) != pid)
        abort();
    run->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    run->seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                   1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    run->kilobytes = usage.ru_maxrss;
}

bool hostile_write(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return false;
    const bool is_written = fwrite(bytes, 1, size, file) == size;
    return fclose(file) == 0 && is_written;
}
