#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag.h"
#include "pipeline.h"

/* Read by the signal handler, hence global: the temporary file that is being written. */
static char temporary[4200];
static volatile sig_atomic_t has_temporary;

static void remove_temporary(int number)
{
    if (has_temporary)
        unlink(temporary);
    signal(number, SIG_DFL);
    raise(number);
}

void output_prepare(void)
{
    /* The descriptor of a closed standard output cannot be written to, so that the loss is seen. */
    static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd)
            _exit(3);
    /* Writing fails with an error instead, which has words and an exit code. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    static const int endings[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct sigaction action = {.sa_handler = remove_temporary};
        struct sigaction old;
        if (!sigaction(endings[i], NULL, &old) && old.sa_handler != SIG_IGN)
            sigaction(endings[i], &action, NULL);
    }
}

/* All bytes, in as many pieces as it takes. */
static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = ENOSPC;
        if (written <= 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

bool output_text(const char *text, size_t length)
{
    if (write_all(STDOUT_FILENO, text, length))
        return true;
    output_complain("cannot write to standard output: %s", strerror(errno));
    return false;
}

/* A new file under the name in 'temporary', whose last six of 'size' bytes are replaced. No signal
 * comes between the file and the handler's knowing of it. */
static int temporary_open(int size)
{
    sigset_t all, kept;
    int fd;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &kept);
    do {
        memcpy(temporary + size - 6, "XXXXXX", 7);
        fd = mkostemp(temporary, O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    has_temporary = fd >= 0;
    const int fault = errno;
    sigprocmask(SIG_SETMASK, &kept, NULL);
    errno = fault;
    return fd;
}

bool output_file(const char *path, const char *bytes, size_t length)
{
    if (!strcmp(path, "-"))
        return output_text(bytes, length);
    /* A device or a FIFO takes the bytes as they are; renaming over it would replace it. */
    struct stat target;
    const bool exists = !stat(path, &target);
    if (!exists && errno != ENOENT) {
        output_complain("cannot write '%s': %s", path, strerror(errno));
        return false;
    }
    if (exists && S_ISDIR(target.st_mode)) {
        output_complain("cannot write '%s': it is a directory", path);
        return false;
    }
    if (exists && !S_ISREG(target.st_mode)) {
        const int fd = open(path, O_WRONLY | O_CLOEXEC);
        const bool is_written = fd >= 0 && write_all(fd, bytes, length);
        if (!is_written)
            output_complain("cannot write '%s': %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return is_written;
    }
    if (exists && access(path, W_OK) < 0) {
        output_complain("cannot write '%s': %s", path, strerror(errno));
        return false;
    }
    const int size = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (size < 0 || (size_t)size >= sizeof temporary) {
        output_complain("cannot write '%s': %s", path, strerror(ENAMETOOLONG));
        return false;
    }
    int fault = 0;
    const int fd = temporary_open(size);
    if (fd < 0) {
        output_complain("cannot write '%s': %s", path, strerror(errno));
        return false;
    }
    const mode_t mask = umask(0);
    umask(mask);
    const mode_t mode = exists ? target.st_mode & 07777 : 0666 & ~mask;
    if (!write_all(fd, bytes, length) || fchmod(fd, mode) < 0)
        fault = errno;
    if (close(fd) < 0 && !fault)
        fault = errno;
    if (!fault && rename(temporary, path) < 0)
        fault = errno;
    if (fault)
        unlink(temporary);
    has_temporary = 0;
    if (fault)
        output_complain("cannot write '%s': %s", path, strerror(fault));
    return !fault;
}

void output_messages(const char *text, size_t length)
{
    output_progress("%s", "");
    write_all(STDERR_FILENO, text, length);
}

struct complaint {
    const char *text;
    size_t length;
};

/* File names and other words of the user must not steer the terminal. */
static void write_escaped(struct arena *arena, void *context)
{
    const struct complaint *complaint = context;
    struct textbuf out;
    textbuf_init(&out, arena);
    textbuf_add(&out, "pararnnc: ");
    diag_escape_controls(&out, complaint->text, complaint->length);
    textbuf_add(&out, "\n");
    output_messages(out.text, out.length);
}

void output_complain(const char *format, ...)
{
    char text[8192];
    va_list list;
    va_start(list, format);
    const int length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    struct complaint complaint = {text, length < 0                      ? 0
                                        : (size_t)length >= sizeof text ? sizeof text - 1
                                                                        : (size_t)length};
    if (pipeline_guard(NULL, write_escaped, &complaint) == PIPELINE_OK)
        return;
    static const char last_words[] = "pararnnc: memory has ended\n";
    output_messages(last_words, sizeof last_words - 1);
}

bool output_is_coloured(void)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return isatty(STDERR_FILENO) && !(no_colour && *no_colour) &&
           !(terminal && !strcmp(terminal, "dumb"));
}

void output_progress(const char *format, ...)
{
    static bool is_shown;
    if (!isatty(STDERR_FILENO))
        return;
    char text[160];
    va_list list;
    va_start(list, format);
    const int length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (is_shown)
        write_all(STDERR_FILENO, "\r\033[K", 4);
    is_shown = length > 0;
    if (is_shown)
        write_all(STDERR_FILENO, text, strlen(text));
}
