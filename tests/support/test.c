/* SPDX-License-Identifier: Apache-2.0 */
/* test — the runner behind test.h.
 *
 *   test_base            runs every test
 *   test_base arena map  runs those whose name contains one of the words
 *   test_base --list     names only
 *   test_base --no-fork  runs in this process, for a debugger (a failed test then ends the run)
 *
 * Each test is a forked child with its own process group, TEST_TIMEOUT_S seconds (environment VITRINE_TEST_TIMEOUT
 * overrides), and at its end must have the open descriptors it began with. What a test starts and leaves running is
 * killed. Output is TAP 13; what failed is told on stderr before the "not ok" line. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEST_TIMEOUT_S 120 /* a hang, not a time: sanitizers on a busy machine are slow */

static struct test *tests; /* newest first while registering; sorted by name before the run */
static bool test_forked = true;

void test_register(struct test *t)
{
    struct test **at = &tests;
    while (*at && strcmp((*at)->name, t->name) < 0)
        at = &(*at)->next;
    t->next = *at;
    *at = t;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    (void)fflush(stdout);
    (void)fprintf(stderr, "# %s:%d: ", file, line);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    (void)fflush(stderr);
    _exit(1); /* no leak check: a failed test has freed nothing */
}

static void print_bytes(const char *label, str s)
{
    (void)fprintf(stderr, "#   %s (%zu bytes): \"", label, s.n);
    for (size_t i = 0; i < s.n && i < 2000; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            (void)fprintf(stderr, "\\%c", c);
        else if (c == '\n')
            (void)fputs("\\n", stderr);
        else if (c < 0x20 || c == 0x7F)
            (void)fprintf(stderr, "\\x%02x", c);
        else
            (void)fputc(c, stderr);
    }
    (void)fputs(s.n > 2000 ? "\"...\n" : "\"\n", stderr);
}

void test_check_str(const char *file, int line, str got, str want)
{
    if (str_eq(got, want))
        return;
    size_t at = 0;
    while (at < got.n && at < want.n && got.p[at] == want.p[at])
        at++;
    print_bytes("got ", got);
    print_bytes("want", want);
    test_fail(file, line, "texts differ at byte %zu", at);
}

/* Open descriptors as a bit set of the first 1024, without the one that lists them. */
static void open_fds(bool *set)
{
    memset(set, 0, 1024 * sizeof(*set));
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));) {
        uint64_t fd;
        if (str_to_u64(str_of(e->d_name), &fd) && fd < 1024 && fd != (uint64_t)dirfd(dir))
            set[fd] = true;
    }
    (void)closedir(dir);
}

static void run_in_child(const struct test *t)
{
    static bool before[1024], after[1024];
    open_fds(before);
    t->fn();
    open_fds(after);
    for (int fd = 0; fd < 1024; fd++) {
        if (before[fd] == after[fd])
            continue;
        char link[64], target[256];
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        test_fail(t->name, 0, "descriptor %d was %s (%s)", fd, after[fd] ? "left open" : "closed", target);
    }
}

static unsigned timeout_s(void)
{
    uint64_t seconds;
    const char *text = getenv("VITRINE_TEST_TIMEOUT");
    return text && str_to_u64(str_of(text), &seconds) && seconds > 0 && seconds < 3600 ? (unsigned)seconds
                                                                                       : TEST_TIMEOUT_S;
}

/* Waits for the child, at most timeout_s(). Returns false with the reason in `why`. SIGCHLD is blocked, so that
 * sigtimedwait wakes as soon as it ends. */
static bool wait_child(pid_t pid, char *why, size_t size)
{
    struct timespec begin, now;
    sigset_t chld;
    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    unsigned limit = timeout_s();
    for (;;) {
        int status;
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid && WIFEXITED(status)) {
            (void)snprintf(why, size, "exit status %d", WEXITSTATUS(status));
            return WEXITSTATUS(status) == 0;
        }
        if (got == pid) {
            int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
            (void)snprintf(why, size, "killed by signal %d (%s)", sig, sigabbrev_np(sig) ? sigabbrev_np(sig) : "?");
            return false;
        }
        if (got < 0 && errno != EINTR) {
            (void)snprintf(why, size, "waitpid: error %d", errno);
            return false;
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - begin.tv_sec >= (time_t)limit) {
            (void)kill(-pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            (void)snprintf(why, size, "took longer than %u s", limit);
            return false;
        }
        struct timespec step = {.tv_nsec = 100000000};
        (void)sigtimedwait(&chld, NULL, &step);
    }
}

/* Ends what the test left running, in whatever session: orphans come to this process (PR_SET_CHILD_SUBREAPER). They
 * would hold our stdout open, and whoever reads it would wait for them. */
static void end_orphans(void)
{
    char text[4096];
    for (int round = 0; round < 100; round++) {
        FILE *file = fopen("/proc/thread-self/children", "re");
        size_t n = file ? fread(text, 1, sizeof(text), file) : 0;
        if (file)
            (void)fclose(file);
        str rest = str_make(text, n), word;
        if (str_trim(rest).n == 0)
            return;
        while (str_trim(rest).n) {
            uint64_t pid;
            (void)str_cut(rest, ' ', &word, &rest);
            if (str_to_u64(word, &pid) && kill((pid_t)pid, SIGKILL) == 0)
                (void)waitpid((pid_t)pid, NULL, 0);
        }
    }
}

static bool run_test(const struct test *t, const sigset_t *mask)
{
    char why[128] = "";
    if (!test_forked) {
        run_in_child(t);
        return true;
    }
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        (void)fprintf(stderr, "# fork failed: error %d\n", errno);
        return false;
    }
    if (pid == 0) {
        (void)setpgid(0, 0);
        (void)sigprocmask(SIG_SETMASK, mask, NULL);
        run_in_child(t);
        (void)fflush(NULL);
        exit(0); /* through atexit: the leak check of the sanitizer */
    }
    (void)setpgid(pid, pid);
    bool ok = wait_child(pid, why, sizeof(why));
    (void)kill(-pid, SIGKILL);
    end_orphans();
    if (!ok)
        (void)fprintf(stderr, "# %s: %s\n", t->name, why);
    return ok;
}

static bool wanted(const struct test *t, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        if (strstr(t->name, argv[i]))
            return true;
        any = true;
    }
    return !any;
}

int main(int argc, char **argv)
{
    bool list = false;
    sigset_t chld, mask;
    size_t count = 0, number = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            list = true;
        } else if (strcmp(argv[i], "--no-fork") == 0) {
            test_forked = false;
        } else if (argv[i][0] == '-') {
            (void)fprintf(stderr, "usage: %s [--list] [--no-fork] [part of a name]...\n", argv[0]);
            return 64;
        }
    }
    for (const struct test *t = tests; t; t = t->next)
        count += wanted(t, argc, argv);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &chld, &mask);
    if (!list)
        (void)printf("TAP version 13\n1..%zu\n", count);
    for (const struct test *t = tests; t; t = t->next) {
        if (!wanted(t, argc, argv))
            continue;
        if (list) {
            (void)puts(t->name);
            continue;
        }
        bool ok = run_test(t, &mask);
        failed += !ok;
        (void)printf("%s %zu - %s\n", ok ? "ok" : "not ok", ++number, t->name);
        (void)fflush(stdout);
    }
    if (count == 0)
        (void)fprintf(stderr, "# no test has a name like that\n");
    return failed || count == 0;
}
