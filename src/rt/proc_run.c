/* SPDX-License-Identifier: Apache-2.0 */
#include "rt/proc_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_MAX 8

struct running {
    struct loop *loop;
    struct proc *proc;
    struct loop_fd *watch;
    struct loop_timer timer;
    struct buf *output;
    int pipe; /* -1: none, or at its end */
    int wait_status;
    bool ended, late, group;
};

static void look(struct running *r)
{
    if (r->ended && r->pipe < 0)
        loop_stop(r->loop);
}

/* The last of it, when it does not fit. */
static void keep(struct buf *out, const char *piece, size_t n)
{
    if (n > out->max) {
        piece += n - out->max;
        n = out->max;
    }
    if (out->n + n > out->max)
        buf_consume(out, out->n + n - out->max);
    buf_put(out, piece, n);
}

static void on_exit_of(void *arg, int wait_status)
{
    struct running *r = arg;
    r->wait_status = wait_status;
    r->ended = true;
    if (r->pipe >= 0) { /* what it left running may hold the pipe: what is in it now is all */
        loop_remove_fd(r->loop, r->watch);
        char piece[4096];
        for (ssize_t n; (n = read(r->pipe, piece, sizeof piece)) > 0;)
            keep(r->output, piece, (size_t)n);
        close(r->pipe);
        r->pipe = -1;
    }
    look(r);
}

static void on_output(void *arg, unsigned events)
{
    struct running *r = arg;
    char piece[4096];
    (void)events;
    ssize_t n = read(r->pipe, piece, sizeof piece);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        keep(r->output, piece, (size_t)n);
        return;
    }
    loop_remove_fd(r->loop, r->watch);
    close(r->pipe);
    r->pipe = -1;
    look(r);
}

static void on_late(void *arg)
{
    struct running *r = arg;
    r->late = true;
    if (r->group)
        proc_kill_group(r->proc, SIGKILL);
    else
        proc_kill(r->proc, SIGKILL);
}

static enum status spawn(struct running *r, const struct proc_config *config, int write_end, struct err *err)
{
    struct proc_fd fds[FDS_MAX];
    struct proc_config c = *config;
    ASSERT(c.fd_count + 2 <= FDS_MAX);
    for (size_t i = 0; i < c.fd_count; i++)
        fds[i] = c.fds[i];
    if (write_end >= 0) {
        fds[c.fd_count++] = (struct proc_fd){write_end, 1};
        fds[c.fd_count++] = (struct proc_fd){write_end, 2};
    }
    c.fds = fds;
    return proc_spawn(r->loop, &c, on_exit_of, r, &r->proc, err);
}

enum status proc_run(const struct proc_config *config, int64_t timeout_ms, struct buf *output, struct err *err)
{
    struct running r = {.output = output, .pipe = -1, .group = config->new_group};
    int ends[2] = {-1, -1};
    enum status st = loop_new(&r.loop, err);
    if (st != STATUS_OK)
        return st;
    loop_timer_init(&r.timer, on_late, &r);
    if (output && pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        st = err_sys(err, STATUS_IO, errno, "no pipe");
    r.pipe = ends[0];
    if (st == STATUS_OK && output)
        st = loop_add_fd(r.loop, r.pipe, LOOP_READ, on_output, &r, &r.watch, err);
    if (ends[1] >= 0) /* the program's end blocks, as programs expect */
        (void)fcntl(ends[1], F_SETFL, 0);
    if (st == STATUS_OK)
        st = spawn(&r, config, ends[1], err);
    if (ends[1] >= 0)
        close(ends[1]);
    if (st == STATUS_OK && timeout_ms)
        loop_timer_after_ms(r.loop, &r.timer, timeout_ms);
    if (st == STATUS_OK)
        st = loop_run(r.loop, err);
    loop_timer_cancel(r.loop, &r.timer);
    proc_free(r.proc);
    if (r.pipe >= 0)
        close(r.pipe);
    loop_free(r.loop);
    if (st != STATUS_OK)
        return st;
    if (r.late)
        return err_set(err, STATUS_TIMEOUT, "%s took longer than %lld s", config->path, (long long)(timeout_ms / 1000));
    if (WIFEXITED(r.wait_status) && WEXITSTATUS(r.wait_status) == 0)
        return STATUS_OK;
    char text[64];
    proc_describe(r.wait_status, text, sizeof text);
    return err_set(err, STATUS_IO, "%s %s", config->path, text);
}
