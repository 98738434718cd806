/* SPDX-License-Identifier: Apache-2.0 */
#include "die.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

bool die_says(void (*fn)(void), const char *text)
{
    static char said[65536];
    int pipe_fds[2], status;
    size_t n = 0;
    (void)fflush(NULL);
    if (pipe(pipe_fds) != 0)
        return false;
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        (void)dup2(pipe_fds[1], STDERR_FILENO);
        (void)close(pipe_fds[0]);
        (void)close(pipe_fds[1]);
        fn();
        _exit(0);
    }
    (void)close(pipe_fds[1]);
    for (ssize_t got; n < sizeof(said) - 1 && (got = read(pipe_fds[0], said + n, sizeof(said) - 1 - n)) > 0;)
        n += (size_t)got;
    (void)close(pipe_fds[0]);
    said[n] = '\0';
    if (waitpid(pid, &status, 0) != pid)
        return false;
    bool died = WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 0);
    bool ok = died && strstr(said, text);
    if (!ok)
        (void)fprintf(stderr, "# the child %s and said: %s\n", died ? "died" : "lived", said);
    return ok;
}
