#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "file_limit.h"

/* A file of two places that loses nothing: the children write to it and need no reader. */
int child_memory_file(const void *data, size_t size, bool is_sealed)
{
    const unsigned char *bytes = data;
    int low = -1;
    if (file_limit_allows(size))
        low = memfd_create("pararnnc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (low < 0)
        return -1;
    /* Where standard descriptors are closed, the new one may be 0, 1 or 2, which dup2 overwrites.
     */
    int file = low > 2 ? low : fcntl(low, F_DUPFD_CLOEXEC, 3);
    int error = file < 0 ? errno : 0;
    if (file != low)
        close(low);
    while (file >= 0 && size > 0) {
        ssize_t done = write(file, bytes, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            error = done < 0 ? errno : ENOSPC;
            goto fail;
        }
        bytes += done;
        size -= (size_t)done;
    }
    if (file >= 0 && lseek(file, 0, SEEK_SET) == 0 &&
        (!is_sealed ||
         fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0))
        return file;
    error = error ? error : errno;
fail:
    if (file >= 0)
        close(file);
    errno = error;
    return -1;
}

/* The environment of this process with words of the C locale and, if given, another TMPDIR. The
 * array is malloc'd; the strings of this process are borrowed. */
static char **environment_make(char *temporary)
{
    static char locale[] = "LC_ALL=C";
    size_t count = 0, kept = 0;
    while (environ && environ[count])
        count++;
    char **made = malloc((count + 3) * sizeof *made);
    if (!made)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "LC_ALL=", 7) != 0 &&
            !(temporary && strncmp(environ[i], "TMPDIR=", 7) == 0))
            made[kept++] = environ[i];
    made[kept++] = locale;
    if (temporary)
        made[kept++] = temporary;
    made[kept] = NULL;
    return made;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int start(pid_t *pid, const struct child_run *run, int input, int output)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char *temporary = NULL, **made = NULL;
    int error = ENOMEM;

    if (run->temporary) {
        size_t size = strlen(run->temporary) + sizeof "TMPDIR=";
        if (!(temporary = malloc(size)))
            return error;
        memcpy(temporary, "TMPDIR=", 7);
        memcpy(temporary + 7, run->temporary, size - 7);
    }
    if (!(made = environment_make(temporary)))
        goto done;
    if ((error = posix_spawn_file_actions_init(&files)) != 0)
        goto done;
    if ((error = posix_spawnattr_init(&attributes)) != 0)
        goto files_done;
    sigemptyset(&none);
    sigfillset(&all);
    /* A group of its own, so that the limit also ends what a compiler driver has started; signals
     * as a new program expects them, whatever the host has blocked or ignored. */
    if ((error = posix_spawn_file_actions_adddup2(&files, input, 0)) == 0 &&
        (error = posix_spawn_file_actions_adddup2(&files, output, 1)) == 0 &&
        (error = posix_spawn_file_actions_adddup2(&files, output, 2)) == 0 &&
#if __GLIBC_PREREQ(2, 34)
        (error = posix_spawn_file_actions_addclosefrom_np(&files, 3)) == 0 &&
#endif
        (error = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
        (error = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
        (error = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
        (error =
             posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETSIGDEF)) == 0)
        error = posix_spawn(pid, run->argv[0], &files, &attributes, (char *const *)run->argv, made);
    posix_spawnattr_destroy(&attributes);
files_done:
    posix_spawn_file_actions_destroy(&files);
done:
    free(made);
    free(temporary);
    return error;
}

/* Wait by asking: signals and their handlers belong to the host program. */
static void wait_for(struct child_result *result, pid_t pid, double begin, unsigned seconds)
{
    long pause = 500000; /* ns; grows to 8 ms */
    int status = 0;
    for (;;) {
        pid_t got = waitpid(pid, &status, result->end == CHILD_TOOLONG ? 0 : WNOHANG);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && result->end != CHILD_TOOLONG)
            result->end = CHILD_UNKNOWN;
        if (got != 0)
            break;
        if (now() - begin > (double)seconds) {
            result->end = CHILD_TOOLONG;
            kill(-pid, SIGKILL);
            continue;
        }
        nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
        pause = pause < 8000000 ? 2 * pause : pause;
    }
    if (result->end == CHILD_EXITED && WIFEXITED(status))
        result->code = WEXITSTATUS(status);
    else if (result->end == CHILD_EXITED) {
        result->end = CHILD_KILLED;
        result->code = WTERMSIG(status);
        kill(-pid, SIGKILL);
    }
}

static char *output_read(int file)
{
    char *text = malloc(CHILD_OUTPUT_MAX + 1);
    size_t have = 0;
    while (text && have < CHILD_OUTPUT_MAX) {
        ssize_t got = pread(file, text + have, CHILD_OUTPUT_MAX - have, (off_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    if (text)
        text[have] = 0;
    return text;
}

struct child_result child_run(const struct child_run *run)
{
    struct child_result result = {.end = CHILD_EXITED};
    const double begin = now();
    pid_t pid = -1;
    int input = child_memory_file(run->input, run->input ? run->input_size : 0, true);
    int error = input < 0 ? errno : 0;
    int output = error ? -1 : child_memory_file(NULL, 0, false);
    if (!error)
        error = output < 0 ? errno : start(&pid, run, input, output);
    if (error) {
        result.end = CHILD_FAILED;
        result.code = error;
    } else {
        wait_for(&result, pid, begin, run->seconds);
        result.output = output_read(output);
    }
    if (input >= 0)
        close(input);
    if (output >= 0)
        close(output);
    result.seconds = now() - begin;
    return result;
}
