/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox — two processes: we stay outside, wait and pass signals on; the child becomes the program, as number 1 of a
 * process namespace of its own, so that with it everything ends that it started.
 *
 *   parent                                    child
 *   ------                                    -----
 *   cgroup, folder, listening socket
 *   clone with new namespaces ------------->  in the cgroup; waits
 *   user and group map, "go" -------------->  root of its own (sandbox_root.c), limits, Landlock, no capabilities
 *                                             (sandbox_lock.c), seccomp (sandbox_calls.c)
 *   lets one execve through  <--------------  its listener, execve; or goes on as the program (sandbox_own.c)
 *   waits for its end, and says when it was for lack of memory; SIGTERM and the like are passed on
 *
 * Where namespaces are not to be had (no user namespaces for ordinary users, a container without CAP_SYS_ADMIN), the
 * next row of `attempts` is tried, down to none at all: then paths are the same, and Landlock and seccomp stand alone.
 * Any other failure is one: nothing is run with less because of a wrong path.
 *
 * Invariants
 *  1. Until the program starts, the child runs our code only; what it was told comes from the command line.
 *  2. The parent never looks at anything inside of the sandbox but a number and a wait status.
 *  3. When the parent dies the child dies (PR_SET_PDEATHSIG, set after the last change of identity, which clears it;
 *     a parent that died before then has closed its end of a pipe).
 *
 * A program that is number 1 of its namespace and does not handle a signal is not ended by it. So SIGTERM to such a
 * program becomes SIGKILL here, as if it were an ordinary process.
 *
 * Tests: tests/sandbox. */
#include "rt/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "rt/cgroup.h"
#include "rt/fdpass.h"
#include "rt/proc.h"
#include "rt/sandbox_impl.h"

#include "base/banned.h"

#define NICE_WITHOUT_GROUP 10 /* of a program whose processor time cannot be limited */

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static const struct attempt {
    unsigned long flags;
    bool root_only;
} attempts[] = {
    {CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP, false},
    {CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP, true},
    {0, false},
};

static const struct {
    enum sandbox_part part;
    const char *name, *remedy;
} parts[SANDBOX_PARTS] = {
    {SANDBOX_NAMESPACES, "namespaces",
     "Run it as root, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 (Debian), "
     "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces above 0; in a container, "
     "--security-opt seccomp=unconfined or --cap-add SYS_ADMIN."},
    {SANDBOX_LANDLOCK, "landlock", "It needs Linux 5.13 or later, and \"landlock\" in the kernel's option lsm=."},
    {SANDBOX_SECCOMP, "seccomp", "It needs a kernel with CONFIG_SECCOMP_FILTER, Linux 5.5 or later."},
    {SANDBOX_CGROUP, "cgroup",
     "Run it under a systemd unit with Delegate=yes (by hand: systemd-run --scope -p Delegate=yes vitrine ...), or in "
     "a container that may write to /sys/fs/cgroup."},
};

const char *sandbox_part_name(enum sandbox_part part)
{
    for (size_t i = 0; i < SANDBOX_PARTS; i++)
        if (parts[i].part == part)
            return parts[i].name;
    return "?";
}

void sandbox_missing_add(struct sandbox_missing *m, enum sandbox_part part, const char *fmt, ...)
{
    size_t n = strlen(m->text);
    char why[160];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    m->parts |= part;
    (void)snprintf(m->text + n, sizeof m->text - n, "%s%s%s%s%s", n ? ", " : "", part ? sandbox_part_name(part) : "",
                   part ? " (" : "", why, part ? ")" : "");
}

static enum status refuse(const struct sandbox_config *c, const struct sandbox_missing *m, struct err *err)
{
    for (size_t i = 0; i < SANDBOX_PARTS; i++) {
        if (!(c->require & m->parts & parts[i].part))
            continue;
        err_set(err, STATUS_CONFIG, "there is no isolation by %s: %s", parts[i].name, m->text);
        return err_hint(err, "%s", parts[i].remedy);
    }
    return STATUS_OK;
}

/* ---- what the program sees ---- */

void sandbox_binds_add(struct sandbox_binds *all, const char *path, enum sandbox_bind_kind kind, bool optional)
{
    if (all->count == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 32;
        all->items = mem_resize(all->items, all->cap, sizeof *all->items);
    }
    all->items[all->count++] = (struct sandbox_bind){path, kind, optional};
}

static void collect_binds(const struct sandbox_config *c, struct arena *a, struct sandbox_binds *all)
{
    static const struct {
        const char *path;
        enum sandbox_bind_kind kind;
        bool network; /* only with one */
    } system_paths[] = {
        {"/usr/lib", SANDBOX_RUN, false},
        {"/usr/lib64", SANDBOX_RUN, false},
        {"/usr/local/lib", SANDBOX_RUN, false},
        {"/lib", SANDBOX_RUN, false},
        {"/lib64", SANDBOX_RUN, false},
        {"/etc/ld.so.cache", SANDBOX_READ, false},
        {"/etc/ssl/certs", SANDBOX_READ, false},
        {"/etc/ssl/openssl.cnf", SANDBOX_READ, false},
        {"/usr/share/ca-certificates", SANDBOX_READ, false},
        {"/usr/share/zoneinfo", SANDBOX_READ, false},
        {"/etc/localtime", SANDBOX_READ, false},
        {"/etc/resolv.conf", SANDBOX_READ, true},
        {"/etc/hosts", SANDBOX_READ, true},
        {"/etc/nsswitch.conf", SANDBOX_READ, true},
        {"/etc/services", SANDBOX_READ, true},
        {"/dev/null", SANDBOX_WRITE, false},
        {"/dev/zero", SANDBOX_WRITE, false},
        {"/dev/full", SANDBOX_WRITE, false},
        {"/dev/random", SANDBOX_READ, false},
        {"/dev/urandom", SANDBOX_READ, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(system_paths); i++)
        if (!system_paths[i].network || c->network)
            sandbox_binds_add(all, system_paths[i].path, system_paths[i].kind, true);
    for (size_t i = 0; i < c->bind_count; i++)
        sandbox_binds_add(all, c->binds[i].path, c->binds[i].kind, c->binds[i].optional);
    if (c->folder)
        sandbox_binds_add(all, c->folder, SANDBOX_READ, false);
    for (size_t i = 0; c->folder && sandbox_folder_parts[i]; i++)
        sandbox_binds_add(all, arena_printf(a, "%s/%s", c->folder, sandbox_folder_parts[i]).p, SANDBOX_WRITE, false);
    sandbox_binds_add(all, c->program, SANDBOX_RUN, false); /* last: nothing lies over it */
}

/* ---- the child ---- */

struct birth {
    const struct sandbox_config *config;
    const struct sandbox_binds *binds;
    const struct attempt *attempt;
    struct sandbox_missing missing;
    int channel; /* to the parent: what goes wrong, the listener */
    int orders; /* a pipe from the parent: a byte is "go". Not the same socket: one that is closed with something unread
                   takes what was sent on it away */
    int listen;
    bool inside; /* of its cgroup; false: why, in `error` */
    int error;
    sigset_t mask; /* the program's */
    struct sandbox_own own;
    bool goes_on; /* as the program, in this process */
};

enum word_kind { WORD_LISTENER, WORD_NO_NAMESPACES, WORD_FAILED };
struct word {
    enum word_kind kind;
    struct err err;
};

static bool say(int channel, enum word_kind kind, const struct err *err, int fd)
{
    struct word w = {.kind = kind};
    if (err)
        w.err = *err;
    return fdpass_send(channel, str_make((const char *)&w, sizeof w), &fd, fd >= 0 ? 1 : 0, NULL) == STATUS_OK;
}

static NORETURN void give_up(const struct birth *b, enum word_kind kind, const struct err *err)
{
    (void)say(b->channel, kind, err, -1);
    _exit(127);
}

/* A root of its own, or at least another user. */
static enum status move_in(struct birth *b, struct err *err)
{
    const struct sandbox_config *c = b->config;
    unsigned long flags = b->attempt->flags;
    uid_t id = geteuid() != 0 && !(flags & CLONE_NEWUSER) ? (uid_t)-1 : c->user_id;
    if (flags & CLONE_NEWUSER)
        id = c->user_id ? SANDBOX_INNER_ID : (uid_t)-1;
    if (!(flags & CLONE_NEWNS))
        return c->user_id ? sandbox_become(c->user_id, err) : STATUS_OK;
    if (sethostname(c->name, strlen(c->name)) != 0) /* a container's own seccomp filter may refuse just this */
        sandbox_missing_add(&b->missing, 0, "no host name: %s", strerror(errno));
    return sandbox_root_enter(c, b->binds, flags & CLONE_NEWPID, id, &b->missing, err);
}

static char **environment(const struct sandbox_config *c, int listen, char *pid, size_t pid_size)
{
    static char one[] = "LISTEN_FDS=1";
    size_t n = 0, count = 0;
    while (c->envp[count])
        count++;
    char **env = mem_array(count + 3, sizeof *env);
    for (; n < count; n++)
        env[n] = c->envp[n];
    if (listen >= 0) {
        (void)snprintf(pid, pid_size, "LISTEN_PID=%d", (int)getpid());
        env[n++] = pid;
        env[n] = one;
    }
    return env;
}

static void default_signals(void)
{
    for (int signo = 1; signo < SIGRTMAX; signo++)
        if (signo != SIGKILL && signo != SIGSTOP)
            (void)signal(signo, SIG_DFL);
}

static NORETURN void child(struct birth *b)
{
    struct err err = ERR_INIT;
    char go;
    char pid[32];
    int listener = -1;
    if (read(b->orders, &go, 1) != 1) /* we are known */
        _exit(127);
    if (!b->inside) {
        err_sys(&err, STATUS_IO, b->error, "cannot put the program into its cgroup");
        give_up(b, WORD_FAILED, &err);
    }
    (void)setsid(); /* no terminal to push keys into */
    (void)umask(0077);
    if (move_in(b, &err) != STATUS_OK)
        give_up(b, b->attempt->flags && b->missing.parts & SANDBOX_NAMESPACES ? WORD_NO_NAMESPACES : WORD_FAILED, &err);
    char **env = environment(b->config, b->listen, pid, sizeof pid);
    if (b->listen >= 0 && b->listen != SANDBOX_LISTEN && dup2(b->listen, SANDBOX_LISTEN) < 0)
        b->listen = -1;
    unsigned first_closed = b->listen >= 0 ? SANDBOX_LISTEN + 1 : 3;
    if ((b->listen >= 0 && fcntl(SANDBOX_LISTEN, F_SETFD, 0) != 0) || (b->config->listen && b->listen < 0) ||
        close_range(first_closed, ~0u, CLOSE_RANGE_CLOEXEC) != 0) {
        err_sys(&err, STATUS_IO, errno, "cannot arrange descriptors");
        give_up(b, WORD_FAILED, &err);
    }
    sandbox_lock_files(b->config, b->binds, &b->missing); /* before limits, for it opens files */
    if (sandbox_lock_limits(b->config, &err) != STATUS_OK || sandbox_lock_capabilities(&err) != STATUS_OK)
        give_up(b, WORD_FAILED, &err);
    if (b->config->cpu_percent && b->missing.parts & SANDBOX_CGROUP) /* no bound; but the others come first */
        (void)setpriority(PRIO_PROCESS, 0, NICE_WITHOUT_GROUP);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        err_sys(&err, STATUS_IO, errno, "cannot bind the program's life to ours");
        give_up(b, WORD_FAILED, &err);
    }
    struct pollfd parent = {b->orders, POLLIN, 0};
    if (poll(&parent, 1, 0) != 0) /* it died before it was told of */
        _exit(127);
    default_signals();
    (void)sigprocmask(SIG_SETMASK, &b->mask, NULL);
    sandbox_calls_lock(b->config, !b->goes_on, &listener, &b->missing);
    if (refuse(b->config, &b->missing, &err) != STATUS_OK)
        give_up(b, WORD_FAILED, &err);
    if (b->missing.text[0])
        log_line(LOG_WARN, "sandbox", "%s runs without: %s", b->config->name, b->missing.text);
    if (b->goes_on) {
        (void)close_range(first_closed, ~0u, 0); /* the channel with it: so the parent reads that it runs */
        sandbox_own_start(&b->own, b->config, env);
    }
    if (listener >= 0 && !say(b->channel, WORD_LISTENER, NULL, listener))
        _exit(127);
    if (listener >= 0)
        close(listener);
    (void)execve(b->config->program, b->config->argv, env);
    err_sys(&err, STATUS_IO, errno, "cannot start '%s'", b->config->program);
    give_up(b, WORD_FAILED, &err);
}

/* ---- the parent ---- */

static bool write_map(pid_t pid, const char *file, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return done;
}

/* One user and one group are known inside. An ordinary user may map only itself, and must forswear setgroups first. */
static bool map_users(pid_t pid, uid_t id)
{
    char user[48], group[48];
    bool root = id != 0;
    (void)snprintf(user, sizeof user, "%d %u 1\n", SANDBOX_INNER_ID, root ? id : geteuid());
    (void)snprintf(group, sizeof group, "%d %u 1\n", SANDBOX_INNER_ID, root ? id : getegid());
    return (root || write_map(pid, "setgroups", "deny")) && write_map(pid, "gid_map", group) &&
           write_map(pid, "uid_map", user);
}

/* A listening socket at `path`, in the place of what a former run left there. */
static enum status make_listener(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof sa.sun_path)
        return err_set(err, STATUS_INVALID, "'%s': a socket's path has at most %zu bytes", path,
                       sizeof sa.sun_path - 1);
    (void)snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || chmod(path, 0666) != 0 ||
        listen(fd, LIMIT_LISTEN_BACKLOG) != 0) {
        err_sys(err, STATUS_IO, errno, "cannot listen at '%s'", path);
        if (fd >= 0)
            close(fd);
        return err ? err->status : STATUS_IO;
    }
    *ret_fd = fd;
    return STATUS_OK;
}

/* Until the program runs (OK), or the child says why it does not. */
static enum status accompany(int channel, bool *ret_no_namespaces, struct err *err)
{
    int listener = -1;
    enum status st = STATUS_OK;
    for (;;) {
        struct pollfd fds[2] = {{channel, POLLIN, 0}, {listener, POLLIN, 0}};
        struct word w = {0};
        int got[LIMIT_FDPASS_FDS];
        size_t count = 0;
        str bytes = {0};
        if (poll(fds, 2, -1) < 0 && errno == EINTR)
            continue;
        if (fds[1].revents) {
            (void)sandbox_calls_let_start(listener);
            close(listener);
            listener = -1;
            continue;
        }
        enum status had = fdpass_receive(channel, (char *)&w, sizeof w, &bytes, got, &count, NULL);
        if (had == STATUS_AGAIN)
            continue;
        if (had != STATUS_OK || bytes.n != sizeof w)
            break;
        if (w.kind == WORD_LISTENER && count == 1) {
            listener = got[0];
            continue;
        }
        *ret_no_namespaces = w.kind == WORD_NO_NAMESPACES;
        st = w.err.status;
        if (err)
            *err = w.err;
    }
    if (listener >= 0)
        close(listener);
    return st;
}

static enum status give_birth(struct birth *b, const struct cgroup *g, pid_t *ret_pid, bool *ret_no_namespaces,
                              struct err *err)
{
    int channel[2], orders[2];
    unsigned long flags = b->attempt->flags & ~(b->config->network ? (unsigned long)CLONE_NEWNET : 0);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0)
        return err_sys(err, STATUS_IO, errno, "no channel to the sandbox");
    if (pipe2(orders, O_CLOEXEC) != 0) {
        close(channel[0]);
        close(channel[1]);
        return err_sys(err, STATUS_IO, errno, "no channel to the sandbox");
    }
    bool inside;
    pid_t pid = cgroup_clone(g, flags, &inside);
    int error = errno;
    if (pid == 0) {
        close(channel[0]);
        close(orders[1]);
        b->channel = fcntl(channel[1], F_DUPFD_CLOEXEC, 16);
        b->orders = fcntl(orders[0], F_DUPFD_CLOEXEC, 16);
        b->inside = inside;
        b->error = error;
        child(b);
    }
    close(channel[1]);
    close(orders[0]);
    enum status st = STATUS_OK;
    if (pid < 0) {
        *ret_no_namespaces = flags != 0;
        st = err_sys(err, STATUS_IO, error, "cannot start a process in namespaces of its own");
    } else if ((flags & CLONE_NEWUSER) && !map_users(pid, b->config->user_id)) {
        *ret_no_namespaces = true;
        st = err_sys(err, STATUS_IO, errno, "cannot write the users of the sandbox");
    } else {
        (void)write_map(pid, "oom_score_adj", "500"); /* when memory runs out, a space goes before who serves all */
        (void)!write(orders[1], "", 1);
        st = accompany(channel[0], ret_no_namespaces, err);
    }
    close(channel[0]);
    close(orders[1]);
    if (st != STATUS_OK && pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    *ret_pid = pid;
    return st;
}

bool sandbox_has_namespaces(void)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        bool had = false;
        for (size_t i = 0; i < ARRAY_LEN(attempts) && attempts[i].flags && !had; i++)
            had = unshare((int)attempts[i].flags) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        _exit(had ? 0 : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* False: its default action, which number 1 of a namespace is spared. */
static bool is_handled(pid_t pid, int signo)
{
    static const char *const fields[] = {"SigBlk:\t", "SigIgn:\t", "SigCgt:\t"};
    struct arena *a = arena_new(0);
    char path[48];
    str text = {0};
    bool handled = false;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (fs_read_file(path, 65536, a, &text, NULL) != STATUS_OK)
        handled = true;
    for (size_t i = 0; i < ARRAY_LEN(fields) && !handled; i++) {
        size_t at = str_find(text, str_of(fields[i]));
        if (at != STR_NPOS)
            handled = strtoull(text.p + at + strlen(fields[i]), NULL, 16) >> (signo - 1) & 1;
    }
    arena_free(a);
    return handled;
}

/* The log says it, and whoever started us reads it from the status. */
static bool out_of_memory(const struct sandbox_config *c, const struct cgroup *g, int signo)
{
    enum cgroup_end how = cgroup_end(g);
    if (how == CGROUP_FINE)
        return false;
    log_line(LOG_ERROR, "sandbox", "%s: %s was ended for lack of memory: %s (--memory, %llu MB)", c->name,
             signo == SIGKILL ? "the program" : "a process of it",
             how == CGROUP_FULL ? "it used up what it may have"
                                : "the machine had none left, though it kept to its limit",
             (unsigned long long)(c->memory_bytes >> 20));
    return signo == SIGKILL;
}

static int wait_for_end(const struct sandbox_config *c, const struct cgroup *g, pid_t pid, const sigset_t *wanted)
{
    int status = 0, ended_by = 0;
    for (;;) {
        pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == pid)
            break;
        int signo = sigwaitinfo(wanted, NULL);
        if (signo <= 0 || signo == SIGCHLD)
            continue;
        bool spared = !is_handled(pid, signo);
        ended_by = spared ? signo : 0;
        (void)kill(pid, spared ? SIGKILL : signo);
    }
    int signo = ended_by ? ended_by : WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (out_of_memory(c, g, signo))
        return PROC_EXIT_MEMORY;
    if (!signo)
        return WEXITSTATUS(status);
    if (signo == SIGSYS)
        log_line(LOG_ERROR, "sandbox", "the program was ended: it made a system call that is not allowed");
    return 128 + signo;
}

static enum status run(struct birth *b, const struct cgroup *g, const sigset_t *wanted, int *ret_exit, struct err *err)
{
    const struct sandbox_config *c = b->config;
    const struct sandbox_missing before = b->missing;
    enum status st = STATUS_OK;
    struct err why = ERR_INIT; /* of the attempt before */
    for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
        bool no_namespaces = false;
        pid_t pid = -1;
        struct err fault = ERR_INIT;
        if (attempts[i].root_only && geteuid() != 0)
            continue;
        b->attempt = &attempts[i];
        b->missing = before;
        if (!attempts[i].flags)
            sandbox_missing_add(&b->missing, SANDBOX_NAMESPACES, "%s", why.text);
        st = refuse(c, &b->missing, err);
        if (st != STATUS_OK)
            return st;
        st = give_birth(b, g, &pid, &no_namespaces, &fault);
        if (st == STATUS_OK) {
            *ret_exit = wait_for_end(c, g, pid, wanted);
            return STATUS_OK;
        }
        if (err)
            *err = fault;
        if (!no_namespaces)
            return st;
        why = fault;
    }
    return st;
}

static void make_group(const struct sandbox_config *c, struct cgroup *ret, struct sandbox_missing *missing)
{
    const struct cgroup_limits limits = {c->memory_bytes, c->cpu_percent, c->processes};
    struct err err = ERR_INIT;
    if ((limits.memory_bytes || limits.cpu_percent || limits.processes) &&
        cgroup_make(c->name, &limits, ret, &err) != STATUS_OK)
        sandbox_missing_add(missing, SANDBOX_CGROUP, "%s", err.text);
}

enum status sandbox_run(const struct sandbox_config *c, int *ret_exit, struct err *err)
{
    struct arena *a = arena_new(0);
    struct sandbox_binds binds = {0};
    struct cgroup group = CGROUP_NONE;
    struct birth b = {.config = c, .binds = &binds, .listen = -1};
    sigset_t wanted;
    enum status st = STATUS_OK;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        sigaddset(&wanted, passed_on[i]);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, children would not be waited for */
    (void)sigprocmask(SIG_BLOCK, &wanted, &b.mask);
    collect_binds(c, a, &binds);
    b.goes_on = c->own && sandbox_own_find(&b.own);
    if (c->folder)
        st = sandbox_folder_prepare(c->folder, c->user_id ? c->user_id : (uid_t)-1, err);
    if (st == STATUS_OK && c->listen)
        st = make_listener(c->listen, &b.listen, err);
    if (st == STATUS_OK) {
        make_group(c, &group, &b.missing);
        st = run(&b, &group, &wanted, ret_exit, err);
        cgroup_remove(&group);
    }
    if (b.listen >= 0) {
        close(b.listen);
        (void)unlink(c->listen);
    }
    free(binds.items);
    arena_free(a);
    (void)sigprocmask(SIG_SETMASK, &b.mask, NULL);
    return st;
}
