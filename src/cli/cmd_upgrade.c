/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_upgrade — tells a running `vitrine serve` to hand over to a new process of the same command line, waits, and says
 * what came of it. The status file (upgrade.h) tells who serves; SIGUSR2 is the word. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "cli/command.h"
#include "cli/upgrade.h"
#include "site/state.h"

#define LOOK_MS 20

enum { OPT_PID, OPT_STATE, OPT_TIMEOUT, OPT_NO_WAIT, OPT_HELP };
static const struct option options[] = {
    {"--pid", 0, OPTION_VALUE, "PID", "The process (default: as the state folder says)", OPT_PID},
    {"--state", 0, OPTION_VALUE, "DIR", "Its state folder, where serve was given one", OPT_STATE},
    {"--timeout", 0, OPTION_VALUE, "SECONDS", "How long to wait (default 120)", OPT_TIMEOUT},
    {"--no-wait", 0, OPTION_FLAG, NULL, "Do not wait until the old process has ended", OPT_NO_WAIT},
    {"--help", 0, OPTION_FLAG, NULL, "Show this text", OPT_HELP},
};

struct wanted {
    struct arena *arena;
    struct state_options state;
    str path; /* status file; empty = none */
    int64_t pid, timeout_s;
    bool no_wait;
    struct upgrade_status before;
};

/* SIGUSR2 would kill a process that does not expect it: the number in an old file may be anybody's by now. */
static enum status check_process(struct arena *a, int64_t pid, struct err *err)
{
    str text, line;
    char path[64];
    snprintf(path, sizeof path, "/proc/%lld/status", (long long)pid);
    if (fs_read_file(path, 65536, a, &text, NULL) != STATUS_OK)
        return err_set(err, STATUS_NOT_FOUND, "process %lld is not running", (long long)pid);
    while (text.n) {
        str_cut(text, '\n', &line, &text);
        if (!str_starts(line, STR("SigBlk:")))
            continue;
        str digits = str_trim(str_from(line, 7));
        uint64_t mask = 0;
        for (size_t i = 0; i < digits.n; i++)
            mask = mask << 4 | (uint64_t)(digits.p[i] <= '9' ? digits.p[i] - '0' : (digits.p[i] | 32) - 'a' + 10);
        if (mask & UINT64_C(1) << (SIGUSR2 - 1))
            return STATUS_OK;
    }
    return err_set(err, STATUS_INVALID, "process %lld is no vitrine serve", (long long)pid);
}

static enum status find(struct wanted *w, struct err *err)
{
    struct state_paths paths;
    state_find(w->arena, &w->state, &paths);
    w->path = upgrade_status_path(w->arena, paths.folder);
    enum status st = w->path.n ? upgrade_read_status(w->arena, w->path, &w->before, err) : STATUS_NOT_FOUND;
    if (w->pid && (st != STATUS_OK || w->before.pid != w->pid)) {
        w->path = (str){0}; /* somebody else's */
        return check_process(w->arena, w->pid, err);
    }
    if (st != STATUS_OK) {
        err_set(err, STATUS_NOT_FOUND, "no running server is known here (%.*s)", STR_ARG(w->path));
        return err_hint(err, "Name what it serves as it was named to serve, or its --state, or its --pid.");
    }
    w->pid = w->before.pid;
    return check_process(w->arena, w->pid, err);
}

static bool has_ended(int pidfd, int wait_ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    return poll(&p, 1, wait_ms) > 0;
}

/* OK: it is done. */
static enum status wait_for(struct wanted *w, int pidfd, struct err *err)
{
    int64_t began_ms = clock_mono_ms();
    bool taken = false;
    while (clock_mono_ms() - began_ms < w->timeout_s * 1000) {
        bool ended = has_ended(pidfd, LOOK_MS);
        struct upgrade_status now = {0};
        bool known = w->path.n && upgrade_read_status(w->arena, w->path, &now, NULL) == STATUS_OK;
        if (known && now.pid == w->before.pid && now.failures != w->before.failures)
            return err_set(err, STATUS_CONFLICT, "%.*s", STR_ARG(now.failure));
        if (known && now.pid != w->before.pid && !taken) {
            printf("Process %lld (vitrine %.*s) took over from %lld (%.*s) after %lld ms\n", (long long)now.pid,
                   STR_ARG(now.version), (long long)w->pid, STR_ARG(w->before.version),
                   (long long)(clock_mono_ms() - began_ms));
            fflush(stdout);
            taken = true;
        }
        if (taken && w->no_wait)
            return STATUS_OK;
        if (ended && (taken || !w->path.n)) {
            printf("Process %lld has ended after %lld ms\n", (long long)w->pid,
                   (long long)(clock_mono_ms() - began_ms));
            return STATUS_OK;
        }
        if (ended && !known)
            return err_set(err, STATUS_CLOSED, "process %lld ended, and nobody took over", (long long)w->pid);
    }
    err_set(err, STATUS_TIMEOUT, "process %lld is still there after %lld s", (long long)w->pid,
            (long long)w->timeout_s);
    return err_hint(err, taken ? "The new process serves; the old one finishes what it began."
                               : "The log of the server tells more.");
}

static enum status upgrade(struct wanted *w, struct err *err)
{
    enum status st = find(w, err);
    if (st != STATUS_OK)
        return st;
    int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)w->pid, 0);
    if (pidfd < 0)
        return err_sys(err, STATUS_IO, errno, "process %lld", (long long)w->pid);
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGUSR2, NULL, 0) != 0)
        st = err_sys(err, STATUS_IO, errno, "process %lld cannot be told", (long long)w->pid);
    else
        st = wait_for(w, pidfd, err);
    close(pidfd);
    return st;
}

int cmd_upgrade(int argc, char **argv)
{
    struct option_reader r = {.options = options, .count = ARRAY_LEN(options), .argc = argc, .argv = argv};
    struct wanted w = {.arena = arena_new(0), .timeout_s = 120};
    struct err err = ERR_INIT;
    str value, second;
    enum status st;
    int id, code = -1;
    while (code < 0 && (st = option_next(&r, &id, &value, &second, &err)) == STATUS_AGAIN) {
        int64_t *number = id == OPT_PID ? &w.pid : id == OPT_TIMEOUT ? &w.timeout_s : NULL;
        if (id == OPT_HELP) {
            printf("Usage: vitrine upgrade [OPTIONS] [FILE]\n\n"
                   "Replaces a running vitrine serve by a new process of the same command line, without losing a\n"
                   "request: after the program was replaced, for example. FILE: what it serves, as it was named to\n"
                   "serve (the first one). When the new process does not become ready, the old one goes on, and\n"
                   "this says why.\n\nOptions:\n");
            option_print_help(options, ARRAY_LEN(options));
            code = 0;
        } else if (number && (!str_to_i64(value, number) || *number < 1 || *number > INT32_MAX)) {
            err_set(&err, STATUS_USAGE, "%s: %.*s is no valid number", options[id].name, STR_ARG(value));
            code = command_fail(&err);
        } else if (id == OPT_STATE) {
            w.state.folder = value;
        } else if (id == OPT_NO_WAIT) {
            w.no_wait = true;
        } else if (id < 0) {
            w.state.served = value;
        }
    }
    if (code < 0 && st == STATUS_OK)
        st = upgrade(&w, &err);
    if (code < 0)
        code = st == STATUS_OK ? 0 : command_fail(&err);
    arena_free(w.arena);
    return code;
}
