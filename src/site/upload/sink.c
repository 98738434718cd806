/* SPDX-License-Identifier: Apache-2.0 */
#include "site/upload/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "site/actor.h"
#include "site/csrf.h"
#include "site/route.h"
#include "site/space/disk.h"
#include "site/space/gate.h"
#include "site/view/view.h"
#include "site/visitors.h"
#include "site/write/import.h"

static enum status import_begin(struct body_sink *s, struct err *err)
{
    enum status st = import_admit(&s->rq, err);
    return st == STATUS_OK ? body_temporary(s->site, &s->fd, err) : st;
}

static const struct body_kind import_kind = {view_import, import_begin, NULL, NULL};
static const struct body_kind *const kinds[] = {&import_kind, &upload_kind, &upload_one_kind};

enum status body_temporary(struct site *s, int *ret_fd, struct err *err)
{
    struct arena *a = arena_new(0);
    char *path = arena_cstr(a, ARENA_CAT(a, s->shared->upload_folder, STR("/body-XXXXXX")));
    enum status st = fs_make_folders(str_of(path), 0700, err);
    int fd = st == STATUS_OK ? mkostemp(path, O_CLOEXEC) : -1;
    if (st == STATUS_OK && fd < 0) {
        err_sys(err, STATUS_IO, errno, "cannot make a file in %.*s", STR_ARG(s->shared->upload_folder));
        st = err_hint(err, "Name a folder with room for uploads with --state DIR.");
    }
    if (st == STATUS_OK) {
        unlink(path);
        *ret_fd = fd;
    }
    arena_free(a);
    return st;
}

static enum status begin(struct body_sink *s, struct err *err)
{
    struct request *rq = &s->rq;
    request_init(rq, s->site, s->exchange, &s->response);
    rq->note = s->note;
    enum status st = csrf_check(rq, err);
    if (st == STATUS_OK)
        st = actor_authenticate(rq, err);
    bool answered = false;
    if (st == STATUS_OK)
        st = gate_enter(rq, &answered, err);
    if (st == STATUS_OK && !answered)
        st = visitors_enter(rq->site->visitors, rq, &answered, err);
    if (st == STATUS_OK && answered) /* the view will answer it */
        st = err_set(err, STATUS_FORBIDDEN, "You are not signed in");
    if (st == STATUS_OK)
        st = space_disk_check(rq, err);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (rq->route && rq->route->view == kinds[i]->view)
            s->kind = kinds[i];
    ASSERT(s->kind); /* each view of a ROUTE_SPOOL has one */
    return st == STATUS_OK ? s->kind->begin(s, err) : st;
}

enum status body_write_file(struct body_sink *s, str bytes, struct err *err)
{
    enum status st = fs_write_fd(s->fd, "the file of this upload", bytes, err);
    if (st == STATUS_DISK_FULL)
        err_hint(err, "Nothing was imported. Try again when there is room on the server's disk.");
    return st;
}

/* A file without a name is in no folder: nobody who looks at the disk can count it. */
static bool has_no_name(int fd)
{
    struct stat now;
    return fd >= 0 && fstat(fd, &now) == 0 && now.st_nlink == 0;
}

static enum status take_room(struct body_sink *s, int64_t bytes, struct err *err)
{
    struct space_disk *d = s->site->shared->disk;
    bool hold = has_no_name(s->fd);
    if (!(hold ? space_disk_hold(d, s->rq.space, bytes) : space_disk_take(d, s->rq.space, bytes)))
        return space_disk_passed(s->rq.space, err);
    s->held += hold ? bytes : 0;
    return STATUS_OK;
}

static enum status sink_write(struct http_sink *base, str bytes, struct err *err)
{
    struct body_sink *s = (struct body_sink *)base;
    enum status st = s->admitted ? STATUS_OK : begin(s, err);
    s->admitted = true;
    if (st == STATUS_OK)
        st = take_room(s, (int64_t)bytes.n, err);
    if (st == STATUS_OK)
        st = s->kind->write ? s->kind->write(s, bytes, err) : body_write_file(s, bytes, err);
    return st;
}

static void sink_close(struct http_sink *base)
{
    struct body_sink *s = (struct body_sink *)base;
    if (s->kind && s->kind->close)
        s->kind->close(s);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (s->held)
        space_disk_let(s->site->shared->disk, s->held);
    s->held = 0;
}

struct http_sink *body_sink_new(struct site *s, struct http_exchange *x)
{
    struct arena *a = http_exchange_arena(x);
    struct body_sink *sink = ARENA_NEW(a, struct body_sink);
    sink->base = (struct http_sink){.write = sink_write, .close = sink_close};
    sink->site = s;
    sink->exchange = x;
    sink->note = access_note(s, http_exchange_request(x));
    sink->fd = -1;
    response_init(&sink->response, a);
    site_hold(s, a);
    return &sink->base;
}

enum status body_file(struct request *rq, int *ret_fd, struct err *err)
{
    struct body_sink *s = (struct body_sink *)rq->body;
    if (!s) {
        *ret_fd = -1;
        return STATUS_OK;
    }
    if (s->base.failed.status != STATUS_OK) {
        if (err)
            *err = s->base.failed;
        return s->base.failed.status;
    }
    if (s->fd >= 0 && lseek(s->fd, 0, SEEK_SET) != 0)
        return err_sys(err, STATUS_IO, errno, "cannot read the body again");
    *ret_fd = s->fd;
    return STATUS_OK;
}
