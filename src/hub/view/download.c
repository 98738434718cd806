/* SPDX-License-Identifier: Apache-2.0 */
/* download — a space as one file: a tar archive of its databases and files, copied first and then sent piece by piece.
 * The copies go away with the answer, whoever ends it. Before each piece it is looked whether the one who asked is
 * still signed in and still an owner (two look-ups by key for 64 KiB): else it ends, as a cut connection. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/tar.h"
#include "hub/audit.h"
#include "hub/copies.h"
#include "hub/space.h"
#include "hub/view/view.h"

#define PIECE 65536

struct download {
    struct http_stream stream; /* first */
    struct arena *own;         /* what the copies are named by */
    struct copies copies;
    struct hub *hub;
    str space, user, session; /* of what, by whom */
    str name;                 /* folder in the archive */
    size_t next;
    int fd; /* of copy next - 1; -1: none */
    int64_t left;
};

static enum status next_file(struct download *d, struct buf *out, struct err *err)
{
    const struct tree_entry *e = &d->copies.tree.entries[d->next];
    struct tar_entry head = {.name = ARENA_CAT(d->own, d->name, STR("/"), e->path),
                             .folder = e->kind == TREE_FOLDER,
                             .mode = e->mode & 0777,
                             .size = e->bytes,
                             .mtime_s = e->mtime_ns / 1000000000};
    enum status st = head.folder ? STATUS_OK : copies_open(&d->copies, d->next, &d->fd, err);
    if (st != STATUS_OK)
        return st;
    d->left = e->bytes;
    d->next++;
    tar_head(out, &head);
    return STATUS_OK;
}

static enum status piece(struct download *d, struct buf *out, struct err *err)
{
    size_t want = (size_t)MIN(d->left, PIECE);
    char *to = want ? buf_reserve(out, want) : NULL;
    ssize_t n = to ? read(d->fd, to, want) : 0;
    if (n < 0 && errno == EINTR)
        return STATUS_OK;
    if (n < 0 || (n == 0 && d->left))
        return err_sys(err, STATUS_IO, n < 0 ? errno : EIO, "cannot read a copy");
    out->n += (size_t)n;
    d->left -= n;
    if (d->left)
        return STATUS_OK;
    tar_pad(out, d->copies.tree.entries[d->next - 1].bytes);
    close(d->fd);
    d->fd = -1;
    return STATUS_OK;
}

static enum status still_theirs(struct download *d, struct err *err)
{
    struct arena *a = arena_new(0);
    struct conn *c = NULL;
    struct value row = VALUE_UNDEF;
    bool owns = false;
    enum status st = store_read(d->hub->store, &c, err);
    if (st == STATUS_OK)
        st = SQL_ROW(c, a, &row, err, "select 1 as one from sessions where id = ?1 and ends_at > ?2", SQL_T(d->session),
                     SQL_I(clock_unix_s()));
    if (st == STATUS_OK && row.kind == VALUE_DICT)
        st = space_is_owned_by(c, a, d->space, d->user, &owns, err);
    conn_release(c);
    arena_free(a);
    return st == STATUS_OK && !owns ? err_set(err, STATUS_FORBIDDEN, "who asked owns the space no more") : st;
}

static enum status pull(struct http_stream *stream, struct buf *out, struct err *err)
{
    struct download *d = (struct download *)stream;
    enum status st = still_theirs(d, err);
    if (st != STATUS_OK)
        return st;
    if (d->fd < 0 && d->next == d->copies.tree.count) {
        tar_end(out);
        return STATUS_OK;
    }
    if (d->fd < 0)
        st = next_file(d, out, err);
    if (st == STATUS_OK && d->fd >= 0)
        st = piece(d, out, err);
    return st == STATUS_OK ? STATUS_AGAIN : st;
}

static void download_close(struct http_stream *stream)
{
    struct download *d = (struct download *)stream;
    if (d->fd >= 0)
        close(d->fd);
    copies_release(&d->copies);
    arena_free(d->own);
    free(d);
}

struct downloaded {
    struct hub_request *rq;
    str space;
};

static enum status write_downloaded(struct conn *c, void *arg, struct err *err)
{
    const struct downloaded *d = arg;
    return hub_audit(c, d->rq, "space.downloaded", d->space, STR(""), err);
}

enum status hub_view_download(struct hub_request *rq, struct err *err)
{
    static const struct throttle_rule rule = {10, 60000}; /* each costs as much disk as the space */
    struct value space;
    enum status st = space_find_for(rq, rq->params[0], ROLE_OWNER, &space, err);
    if (st != STATUS_OK)
        return st;
    if (str_is(VALUE_GET(space, "state").s, "deleted") || str_is(VALUE_GET(space, "state").s, "making"))
        return err_set(err, STATUS_CONFLICT, "The space is not open: bring it back before you download it.");
    int64_t wait =
        throttle_take(rq->hub->throttle, ARENA_CAT(rq->a, STR("download "), hub_user_id(rq)), rule, clock_mono_ms());
    if (wait)
        return err_set(err, STATUS_RATE, "Too many downloads in a short time. Wait %lld seconds.", (long long)wait);
    struct downloaded note = {rq, VALUE_GET(space, "id").s};
    hub_conn_release(rq);
    struct download *d = mem_alloc(sizeof *d);
    *d = (struct download){.stream = {pull, download_close, 0}, .own = arena_new(0), .fd = -1};
    d->copies.lock = d->copies.shelf = -1;
    d->hub = rq->hub;
    d->space = arena_str(d->own, note.space);
    d->user = arena_str(d->own, hub_user_id(rq));
    d->session = arena_str(d->own, rq->session);
    d->name = arena_str(d->own, rq->params[0]);
    st = copies_take(rq->hub, d->own, note.space, &d->copies, err);
    if (st == STATUS_OK)
        st = store_write(rq->hub->store, write_downloaded, &note, err);
    if (st != STATUS_OK) {
        download_close(&d->stream);
        return st;
    }
    response_header_set(&rq->response, STR("content-type"), STR("application/x-tar"));
    response_header_set(&rq->response, STR("cache-control"), STR("no-store"));
    response_header_set(&rq->response, STR("x-content-type-options"), STR("nosniff"));
    response_header_set(&rq->response, STR("content-disposition"),
                        arena_printf(rq->a, "attachment; filename=\"%.*s.tar\"", STR_ARG(d->name)));
    response_body_stream(&rq->response, &d->stream);
    return STATUS_OK;
}
