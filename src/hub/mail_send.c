/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/mail_send.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "codec/letter.h"
#include "net/smtp.h"
#include "rt/proc.h"

#define ARGUMENTS_MAX 16
#define TEMPFAIL      75 /* EX_TEMPFAIL of sysexits.h: the program wants to be asked later */

static bool is_smtp(str send)
{
    return str_starts(send, STR("smtp://")) || str_starts(send, STR("smtps://"));
}

enum status mail_send_check(const struct mail_config *c, struct err *err)
{
    struct stat info;
    struct arena *a = arena_new(0);
    enum status st = letter_address(c->from, err);
    if (st != STATUS_OK) {
        err_prefix(err, "mail: from");
    } else if (is_smtp(c->url)) {
        st = smtp_check(c->url, err);
        if (st == STATUS_OK && c->ca_file.n && access(arena_cstr(a, c->ca_file), R_OK) != 0)
            st = err_sys(err, STATUS_CONFIG, errno, "mail: the certificates in %.*s", STR_ARG(c->ca_file));
    } else if (str_starts(c->url, STR("file:"))) {
        const char *folder = arena_cstr(a, str_from(c->url, 5));
        if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode))
            st = err_set(err, STATUS_CONFIG, "mail: \"%s\" is no folder", folder);
    } else if (!str_starts(c->url, STR("/"))) {
        st = err_set(err, STATUS_CONFIG, "mail: \"%.*s\" is no way to send e-mails", STR_ARG(c->url));
        err_hint(err,
                 "smtp://mail.example.org:587, smtps://mail.example.org, /usr/sbin/sendmail -i -t, or file:FOLDER.");
    }
    arena_free(a);
    return st == STATUS_OK ? STATUS_OK : STATUS_CONFIG;
}

/* ---- a folder ---- */

static enum status to_folder(const struct mail_config *c, struct arena *a, int64_t id, str message, struct err *err)
{
    str folder = str_from(c->url, 5);
    str path = arena_printf(a, "%.*s/%lld-%lld.eml", STR_ARG(folder), (long long)clock_unix_s(), (long long)id);
    return fs_write_atomic(path.p, message, 0600, err);
}

/* ---- a program ---- */

struct running {
    bool over;
    int status;
};

static void on_exit_of(void *arg, int wait_status)
{
    *(struct running *)arg = (struct running){true, wait_status};
}

/* Programs of this kind want the lines of this system. */
static enum status as_file(str message, int *ret_fd, struct err *err)
{
    struct buf b;
    buf_init(&b, LIMIT_LETTER);
    for (size_t i = 0; i < message.n; i++)
        if (message.p[i] != '\r')
            buf_putc(&b, message.p[i]);
    int fd = memfd_create("mail", MFD_CLOEXEC);
    enum status st = fd < 0 ? err_sys(err, STATUS_IO, errno, "no room for an e-mail") : STATUS_OK;
    if (st == STATUS_OK)
        st = fs_write_fd(fd, "an e-mail", buf_str(&b), err);
    buf_release(&b);
    if (st == STATUS_OK && lseek(fd, 0, SEEK_SET) == 0)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    return st;
}

static enum status wait_for(struct loop *loop, struct proc *p, struct running *r, const char *name, struct err *err)
{
    int64_t until = clock_mono_ms() + LIMIT_MAIL_MS;
    enum status st = STATUS_OK;
    while (st == STATUS_OK && !r->over) {
        int64_t left = until - clock_mono_ms();
        if (left <= 0) {
            (void)proc_kill_group(p, SIGKILL);
            return err_set(err, STATUS_TIMEOUT, "%s does not end", name);
        }
        st = loop_run_once(loop, (int)MIN(left, (int64_t)1000), err);
    }
    if (st != STATUS_OK || (WIFEXITED(r->status) && WEXITSTATUS(r->status) == 0))
        return st;
    char how[64];
    proc_describe(r->status, how, sizeof how);
    bool later = WIFEXITED(r->status) && WEXITSTATUS(r->status) == TEMPFAIL;
    return err_set(err, later ? STATUS_BUSY : STATUS_IO, "%s %s", name, how);
}

static enum status to_program(const struct mail_config *c, struct arena *a, str message, struct err *err)
{
    char *argv[ARGUMENTS_MAX + 1] = {NULL};
    size_t n = 0;
    str rest = c->url, word;
    while (rest.n && n < ARGUMENTS_MAX) {
        (void)str_cut(rest, ' ', &word, &rest);
        if (word.n)
            argv[n++] = arena_cstr(a, word);
    }
    struct loop *loop = NULL;
    struct proc *p = NULL;
    struct running r = {false, 0};
    int fd = -1;
    enum status st = as_file(message, &fd, err);
    if (st == STATUS_OK)
        st = loop_new(&loop, err);
    if (st == STATUS_OK) {
        const struct proc_fd fds[] = {{fd, 0}};
        const struct proc_config config = {
            .path = argv[0], .argv = argv, .fds = fds, .fd_count = 1, .new_group = true, .end_group = true};
        st = proc_spawn(loop, &config, on_exit_of, &r, &p, err);
    }
    if (st == STATUS_OK)
        st = wait_for(loop, p, &r, argv[0], err);
    proc_free(p);
    loop_free(loop);
    if (fd >= 0)
        close(fd);
    return st;
}

enum status mail_send(const struct mail_config *c, struct arena *a, int64_t id, str to, str message, struct err *err)
{
    if (!c->url.n) /* it waits for nobody */
        return err_set(err, STATUS_INVALID, "no way to send e-mails is configured (\"mail\" of hub.yaml)");
    if (str_starts(c->url, STR("file:")))
        return to_folder(c, a, id, message, err);
    if (!is_smtp(c->url))
        return to_program(c, a, message, err);
    const struct smtp s = {.url = c->url,
                           .user = c->user,
                           .password = c->password,
                           .ca_file = c->ca_file,
                           .name = c->host,
                           .timeout_ms = LIMIT_MAIL_MS};
    return smtp_send(a, &s, c->from, to, message, err);
}
