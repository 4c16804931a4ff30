#include "isolated.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void (*current)(void *shared);
static void *current_shared;

START_TEST(the_function)
{
    (void)_i;
    current(current_shared);
}
END_TEST

/* Check alone catches its own failures: a runner without fork, for one test. */
static void child(int out)
{
    TCase *tcase = tcase_create("isolated");
    tcase_add_test(tcase, the_function);
    Suite *suite = suite_create("isolated");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    if (srunner_ntests_failed(runner)) {
        TestResult **failure = srunner_failures(runner);
        const char *text = tr_msg(failure[0]);
        dprintf(out, "%s:%d: %s", strrchr(tr_lfile(failure[0]), '/') + 1, tr_lno(failure[0]), text);
    }
    _exit(srunner_ntests_failed(runner) ? 1 : 0);
}

int isolated_run(void (*function)(void *shared), void *shared, int seconds, char *message,
                 size_t room)
{
    int ends[2], status;
    size_t length = 0;
    ssize_t got;
    message[0] = 0;
    if (pipe(ends)) {
        perror("pipe");
        abort();
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        current = function;
        current_shared = shared;
        alarm((unsigned)seconds);
        child(ends[1]);
    }
    close(ends[1]);
    while (pid > 0 && length + 1 < room &&
           (got = read(ends[0], message + length, room - 1 - length)) > 0)
        length += (size_t)got;
    message[length] = 0;
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("fork");
        abort();
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(message, room, "not done after %d seconds", seconds);
    else if (WIFSIGNALED(status))
        snprintf(message, room, "ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) && !length)
        snprintf(message, room, "ended with status %d", WEXITSTATUS(status));
    return status != 0;
}

void *isolated_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        abort();
    }
    return memory;
}
