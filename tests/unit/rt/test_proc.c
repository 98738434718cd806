/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rt/proc.h"
#include "test.h"

struct ended {
    struct proc *proc;
    int count, wait_status;
    bool free_it;
};

static void on_exit_child(void *arg, int wait_status)
{
    struct ended *e = arg;
    e->count++;
    e->wait_status = wait_status;
    if (e->free_it) {
        proc_free(e->proc);
        e->proc = NULL;
    }
}

static struct loop *make(void)
{
    struct loop *l;
    struct err err = ERR_INIT;
    CHECK_INT(loop_new(&l, &err), STATUS_OK);
    return l;
}

static enum status shell(struct loop *l, const char *script, const struct proc_fd *fds, size_t count, struct ended *e)
{
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, NULL};
    struct proc_config c = {.path = "sh", .argv = argv, .fds = fds, .fd_count = count, .new_group = true};
    struct err err = ERR_INIT;
    return proc_spawn(l, &c, on_exit_child, e, &e->proc, &err);
}

static void wait_end(struct loop *l, struct ended *e)
{
    struct err err = ERR_INIT;
    while (e->count == 0)
        CHECK_INT(loop_run_once(l, 5000, &err), STATUS_OK);
}

TEST(the_exit_is_told_once)
{
    struct loop *l = make();
    struct ended e = {0};
    CHECK_INT(shell(l, "exit 3", NULL, 0, &e), STATUS_OK);
    CHECK(proc_running(e.proc) && proc_pid(e.proc) > 0);
    wait_end(l, &e);
    char text[64];
    proc_describe(e.wait_status, text, sizeof(text));
    CHECK_STR(str_of(text), "exited with 3");
    CHECK(!proc_running(e.proc) && !proc_kill(e.proc, SIGTERM));
    proc_free(e.proc);
    loop_free(l);
}

TEST(the_child_starts_with_signals_open)
{
    struct loop *l = make();
    struct ended e = {.free_it = true};
    sigset_t all;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
    CHECK(signal(SIGTERM, SIG_IGN) != SIG_ERR);
    CHECK_INT(shell(l, "kill -TERM $$; sleep 5; exit 0", NULL, 0, &e), STATUS_OK);
    wait_end(l, &e);
    char text[64];
    proc_describe(e.wait_status, text, sizeof(text));
    CHECK_STR(str_of(text), "killed by SIGTERM (15)");
    loop_free(l);
}

TEST(descriptors_arrive_where_they_are_wanted)
{
    struct loop *l = make();
    struct ended e = {.free_it = true};
    int p[2], q[2];
    CHECK(pipe2(p, O_CLOEXEC) == 0 && pipe2(q, O_CLOEXEC) == 0);
    /* each other's numbers, on purpose */
    struct proc_fd fds[] = {{p[1], q[1]}, {q[1], p[1]}};
    char script[100];
    snprintf(script, sizeof(script), "echo P >&%d; echo Q >&%d", q[1], p[1]);
    CHECK_INT(shell(l, script, fds, 2, &e), STATUS_OK);
    wait_end(l, &e);
    CHECK_INT(e.wait_status, 0);
    char a[8], b[8];
    CHECK_INT(read(p[0], a, sizeof(a)), 2);
    CHECK_INT(read(q[0], b, sizeof(b)), 2);
    CHECK(a[0] == 'P' && b[0] == 'Q');
    close(p[0]), close(p[1]), close(q[0]), close(q[1]);
    loop_free(l);
}

TEST(nothing_else_is_inherited)
{
    struct loop *l = make();
    struct ended e = {.free_it = true};
    int p[2];
    CHECK(pipe2(p, O_CLOEXEC) == 0);
    struct proc_fd out = {p[1], 40};
    char script[200];
    snprintf(script, sizeof(script), "cd /proc/$$/fd && [ -e 40 ] && [ ! -e %d ] && [ ! -e %d ]", p[0], p[1]);
    CHECK_INT(shell(l, script, &out, 1, &e), STATUS_OK);
    wait_end(l, &e);
    CHECK_INT(e.wait_status, 0);
    close(p[0]), close(p[1]);
    loop_free(l);
}

TEST(a_missing_program_is_reported)
{
    struct loop *l = make();
    struct err err = ERR_INIT;
    struct proc *proc = NULL;
    char *argv[] = {(char *)(uintptr_t) "nothing", NULL};
    struct proc_config c = {.path = "/no/such/program", .argv = argv};
    CHECK_INT(proc_spawn(l, &c, on_exit_child, NULL, &proc, &err), STATUS_NOT_FOUND);
    CHECK(proc == NULL && strstr(err.text, "/no/such/program") != NULL);
    loop_free(l);
}

TEST(freeing_a_running_child_ends_it)
{
    struct loop *l = make();
    struct ended e = {0};
    CHECK_INT(shell(l, "sleep 60", NULL, 0, &e), STATUS_OK);
    pid_t pid = proc_pid(e.proc);
    proc_free(e.proc);
    CHECK(kill(pid, 0) < 0 && errno == ESRCH);
    CHECK_INT(e.count, 0);
    loop_free(l);
}
