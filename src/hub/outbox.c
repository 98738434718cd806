/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "codec/letter.h"
#include "codec/value.h"
#include "hub/mail.h"

#include "base/banned.h"

/* ---- what is in a file ---- */

static enum status words(struct arena *a, struct value v, const char *name, str *ret, struct err *err)
{
    str s = str_trim(value_get_text(v, str_of(name)));
    if (!s.n || s.n > LIMIT_MAIL_WORD)
        return err_set(err, STATUS_INVALID, "\"%s\" is not a text of 1 to %d bytes", name, LIMIT_MAIL_WORD);
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
            return err_set(err, STATUS_INVALID, "\"%s\" is more than a line of text", name);
    *ret = utf8_repair(a, s);
    return STATUS_OK;
}

static enum status check_url(str url, str origin, struct err *err)
{
    if (!str_starts(url, origin) || url.n <= origin.n || url.p[origin.n] != '/')
        return err_set(err, STATUS_INVALID, "\"url\" does not lead to the space");
    if (url.n > LIMIT_OUTBOX_URL)
        return err_set(err, STATUS_INVALID, "\"url\" is longer than %d bytes", LIMIT_OUTBOX_URL);
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || (unsigned char)url.p[i] >= 127 || strchr("\"<>\\^`{|}", url.p[i]))
            return err_set(err, STATUS_INVALID, "\"url\" holds what is not for an address");
    return STATUS_OK;
}

enum status outbox_read(struct arena *a, str json, str origin, struct outbox_mail *ret, struct err *err)
{
    struct value v;
    struct outbox_mail m = {0};
    enum status st = value_from_json(a, json, &v, err);
    if (st != STATUS_OK)
        return st;
    if (!str_is(value_get_text(v, STR("kind")), "share"))
        return err_set(err, STATUS_INVALID, "\"kind\" is not \"share\"");
    m.to = arena_str(a, value_get_text(v, STR("to")));
    m.url = arena_str(a, value_get_text(v, STR("url")));
    st = letter_address(m.to, err);
    if (st == STATUS_OK)
        st = check_url(m.url, origin, err);
    if (st == STATUS_OK)
        st = words(a, v, "what", &m.what, err);
    if (st == STATUS_OK)
        st = words(a, v, "by", &m.by, err);
    if (mail_is_like_a_link(m.what))
        m.what = STR("a page");
    if (st == STATUS_OK)
        *ret = m;
    return st;
}

/* ---- the files ---- */

struct round {
    str id, origin;
    int dir;
    enum status (*put)(void *arg, str id, const struct outbox_mail *mail, struct err *err);
    void *arg;
};

static int open_beneath(int dir, const char *name, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
}

static void refuse(const struct round *r, const char *name, const char *why)
{
    log_line(LOG_WARN, "outbox", "space %.*s: a file is refused: %s", STR_ARG(r->id), why);
    if (unlinkat(r->dir, name, 0) != 0 && errno == EISDIR)
        (void)unlinkat(r->dir, name, AT_REMOVEDIR);
}

/* INVALID: nobody will ever take it. */
static enum status read_file(const struct round *r, struct arena *a, const char *name, str *ret, struct err *err)
{
    struct stat info;
    int fd = open_beneath(r->dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_sys(err, STATUS_INVALID, errno, "it cannot be read");
    enum status st = STATUS_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1)
        st = err_set(err, STATUS_INVALID, "it is no plain file");
    else if (info.st_size > LIMIT_OUTBOX_FILE)
        st = err_set(err, STATUS_INVALID, "it is larger than %d bytes", LIMIT_OUTBOX_FILE);
    else if (fs_read_fd(fd, "a file of the outbox", LIMIT_OUTBOX_FILE, a, ret, err) != STATUS_OK)
        st = STATUS_INVALID;
    close(fd);
    return st;
}

static enum status take_file(const struct round *r, const char *name, size_t *count, struct err *err)
{
    struct arena *a = arena_new(0);
    struct outbox_mail mail;
    str text;
    enum status st = read_file(r, a, name, &text, err);
    if (st == STATUS_OK)
        st = outbox_read(a, text, r->origin, &mail, err);
    if (st == STATUS_OK) {
        st = r->put(r->arg, r->id, &mail, err);
        *count += st == STATUS_OK;
        if (st == STATUS_OK && unlinkat(r->dir, name, 0) != 0)
            st = err_sys(err, STATUS_IO, errno, "a file of the outbox cannot be removed"); /* it would go out again */
    }
    if (st == STATUS_INVALID) {
        refuse(r, name, err->text);
        err_clear(err);
        st = STATUS_OK;
    }
    arena_free(a);
    return st;
}

enum status outbox_collect(int spaces_fd, str id, str origin,
                           enum status (*put)(void *arg, str id, const struct outbox_mail *mail, struct err *err),
                           void *arg, size_t *ret_count, struct err *err)
{
    char path[64];
    struct err local = ERR_INIT;
    struct round r = {.id = id, .origin = origin, .put = put, .arg = arg};
    size_t count = 0, seen = 0;
    err = err ? err : &local;
    (void)snprintf(path, sizeof path, "%.*s/outbox", STR_ARG(id));
    int fd = open_beneath(spaces_fd, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR || errno == EXDEV))
        return err_set(err, STATUS_FORBIDDEN, "the outbox of space %.*s is no folder of its own", STR_ARG(id));
    if (fd < 0)
        return err_sys(err, STATUS_IO, errno, "the outbox of space %.*s", STR_ARG(id)); /* NOT_FOUND too */
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return err_sys(err, STATUS_IO, errno, "the outbox of space %.*s", STR_ARG(id));
    }
    r.dir = fd;
    enum status st = STATUS_OK;
    for (struct dirent *e; st == STATUS_OK && seen < LIMIT_OUTBOX_ROUND && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' || !str_ends(str_of(e->d_name), STR(".json")))
            continue; /* being written */
        seen++;
        st = take_file(&r, e->d_name, &count, err);
    }
    closedir(d);
    *ret_count = count;
    return st;
}
