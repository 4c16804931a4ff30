#!/bin/sh
# imports.sh LIBRARY: what the shared library takes from others. It never prints, never ends the process,
# starts no shell, reads the environment by secure_getenv() alone and leaves signals, locale and folder
# of the process as they are (threads of its own start with all signals blocked: pthread_sigmask()). Ends with 77 where there is no nm.
set -u
command -v nm >/dev/null || {
    echo "skipped: nm is not found"
    exit 77
}
found=$(nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $2); print $2 }') || exit 1
# The list is read: a library that takes nothing would pass for the wrong reason.
echo "$found" | grep -qx secure_getenv || {
    echo "secure_getenv is not among the imports of $1"
    exit 1
}
status=0
for name in \
    printf vprintf puts putchar perror psignal fputs fputc fprintf vfprintf __printf_chk __fprintf_chk \
    __vfprintf_chk fwrite syslog \
    exit _exit _Exit quick_exit __assert_fail err errx warn warnx \
    system popen execl execlp execle execv execvp execvpe execve posix_spawnp wordexp \
    getenv setenv putenv unsetenv clearenv \
    signal sigaction sigprocmask setlocale uselocale chdir fchdir umask \
    gets sprintf vsprintf strcat tmpnam tempnam mktemp tmpfile \
    rand srand random; do
    if echo "$found" | grep -qx "$name"; then
        echo "the library takes $name"
        status=1
    fi
done
exit $status
