/* SPDX-License-Identifier: Apache-2.0 */
/* start — the way in: a file first, an account afterwards.
 *
 *   POST /-/start       the file, from a plain form; who is not signed in goes on to sign up
 *   GET /-/start        "your file is here": the form that makes a space of it
 *   POST /-/start/keep  the space is made, with the file in it, or not at all: then the file still waits
 *   POST /-/start/drop  it is not wanted any more
 *
 * The form is taken apart while it comes in (http/multipart.h) on the lane HUB_BODY: the file goes to the disk
 * (waiting.h), nothing of it to memory. What is refused ends the receiving, and the view says why. A file that did
 * not come whole is gone with its sink; after a crash, with the next round of upkeep. Tests: tests/hub/test_start.py.
 */
#include "hub/view/start.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "http/multipart.h"
#include "hub/account.h"
#include "hub/fill.h"
#include "hub/room.h"
#include "hub/session.h"
#include "hub/space.h"
#include "hub/view/view.h"
#include "hub/waiting.h"
#include "rt/fault.h"

#define PATH          "/-/start"
#define PARTS_MAX     8
#define FORM_EXTRA    65536 /* bytes of a form beside its file */
#define FILE_NAME_MAX 200   /* bytes; longer: its end is kept, where the ending stands */
#define HEAD          16

static const struct throttle_rule per_client = {10, 30000};

/* ---- coming in ---- */

struct start {
    struct http_sink base;
    struct hub *hub;
    struct http_exchange *exchange;
    struct hub_request *rq; /* from the first piece on */
    struct multipart *parser;
    struct multipart_sink events;
    bool in_file; /* the present part is the file */
    bool kept;
    str secret, hash, name;
    int64_t bytes;
    char head[HEAD];
    int fd; /* -1: none yet */
};

int64_t start_most_bytes(const struct hub *h)
{
    int64_t quota = h->config.quota.disk_bytes;
    return quota && quota < LIMIT_HUB_START_BYTES ? quota : LIMIT_HUB_START_BYTES;
}

static enum status too_large(const struct hub *h, struct err *err)
{
    bool small = start_most_bytes(h) < 1000000;
    err_set(err, STATUS_TOO_LARGE, "The file is larger than %lld %s.",
            (long long)(start_most_bytes(h) / (small ? 1000 : 1000000)), small ? "kB" : "MB");
    return err_hint(err, "Sign up first and make a space: there it can be larger. Or pack it with gzip.");
}

static str bare_name(struct arena *a, str file)
{
    size_t slash = str_rfind_char(file, '/'), back = str_rfind_char(file, '\\');
    file = slash != STR_NPOS ? str_from(file, slash + 1) : back != STR_NPOS ? str_from(file, back + 1) : file;
    file = utf8_repair(a, file.n > FILE_NAME_MAX ? str_from(file, file.n - FILE_NAME_MAX) : file);
    char *out = arena_cstr(a, file);
    for (char *p = out; *p; p++)
        *p = (unsigned char)*p < ' ' || *p == 127 ? ' ' : *p;
    return str_trim(str_of(out));
}

static enum status part_begin(void *arg, const struct multipart_part *part, struct err *err)
{
    struct start *s = arg;
    s->in_file = part->filename.p && part->filename.n && s->fd < 0;
    if (!s->in_file)
        return STATUS_OK;
    s->name = bare_name(s->rq->a, part->filename);
    return fill_name_check(s->name, err);
}

static int64_t announced(const struct start *s)
{
    int64_t n;
    if (str_to_i64(http_header(s->rq->http, STR("content-length")), &n) && n >= 0)
        return n;
    return start_most_bytes(s->hub);
}

static enum status part_data(void *arg, str bytes, struct err *err)
{
    struct start *s = arg;
    enum status st = STATUS_OK;
    if (!s->in_file || !bytes.n)
        return STATUS_OK;
    if (s->fd < 0) {
        s->secret = hub_secret(s->rq->a, &s->hash);
        st = waiting_begin(s->hub, s->rq->a, s->hash, MIN(announced(s), start_most_bytes(s->hub)), &s->fd, err);
    }
    if (st == STATUS_OK && s->bytes + (int64_t)bytes.n > start_most_bytes(s->hub))
        st = too_large(s->hub, err);
    if (st == STATUS_OK)
        st = fs_write_fd(s->fd, "the file", bytes, err);
    if (st == STATUS_OK && s->bytes < HEAD)
        memcpy(s->head + s->bytes, bytes.p, MIN(bytes.n, (size_t)(HEAD - s->bytes)));
    s->bytes += (int64_t)bytes.n;
    return st;
}

static enum status part_end(void *arg, struct err *err)
{
    (void)err;
    ((struct start *)arg)->in_file = false;
    return STATUS_OK;
}

static enum status admit(struct start *s, struct err *err)
{
    struct hub_request *rq = s->rq;
    str boundary = multipart_boundary(http_header(rq->http, STR("content-type")));
    if (!hub_same_origin(rq)) {
        err_set(err, STATUS_FORBIDDEN, "This form was sent by a page of another site.");
        return err_hint(err, "Open the first page of %.*s and bring the file there.", STR_ARG(s->hub->config.domain));
    }
    enum status st = hub_session_find(rq, err);
    hub_conn_release(rq);
    if (st != STATUS_OK)
        return st;
    if (s->hub->config.sign_up != SIGN_UP_OPEN && value_is_null(rq->user)) {
        err_set(err, STATUS_FORBIDDEN, "Only people who have an account here can bring files.");
        return err_hint(err, "Sign in first, or ask somebody who has a space here to invite you.");
    }
    int64_t wait =
        throttle_take(s->hub->throttle, ARENA_CAT(rq->a, STR("start "), rq->crowd), per_client, clock_mono_ms());
    if (wait) {
        err_set(err, STATUS_RATE, "Too many files at once. Wait %lld second%s, then try again.", (long long)wait,
                wait == 1 ? "" : "s");
        return STATUS_RATE;
    }
    if (!boundary.p)
        return err_set(err, STATUS_INVALID, "The file must be sent as multipart/form-data, in a field \"file\".");
    if (announced(s) > start_most_bytes(s->hub) + FORM_EXTRA)
        return too_large(s->hub, err);
    s->events = (struct multipart_sink){s, part_begin, part_data, part_end};
    s->parser = multipart_new(boundary, PARTS_MAX, &s->events);
    return STATUS_OK;
}

static enum status sink_write(struct http_sink *base, str bytes, struct err *err)
{
    struct start *s = (struct start *)base;
    enum status st = STATUS_OK;
    if (!s->rq) {
        s->rq = hub_request_new(s->hub, s->exchange);
        st = admit(s, err);
    }
    return st == STATUS_OK ? multipart_feed(s->parser, bytes, err) : st;
}

static void sink_close(struct http_sink *base)
{
    struct start *s = (struct start *)base;
    multipart_free(s->parser);
    if (s->fd < 0)
        return;
    if (!s->kept)
        waiting_remove(s->hub, s->rq->a, s->hash);
    close(s->fd);
}

bool start_is_upload(const struct http_request *http)
{
    return http->method == HTTP_POST && str_is(http->path, PATH);
}

struct http_sink *start_sink_new(struct hub *h, struct http_exchange *x)
{
    struct start *s = ARENA_NEW(http_exchange_arena(x), struct start);
    *s = (struct start){.base = {.write = sink_write, .close = sink_close}, .hub = h, .exchange = x, .fd = -1};
    return &s->base;
}

/* The whole body is here, or what went wrong on its way. */
static enum status take(struct hub_request *rq, struct start *s, struct err *err)
{
    if (s->base.failed.status != STATUS_OK) {
        *err = s->base.failed;
        return err->status;
    }
    enum status st = s->parser ? multipart_finish(s->parser, err) : STATUS_OK;
    if (st == STATUS_OK && s->fd < 0) {
        err_set(err, STATUS_INVALID, "No file came, or an empty one.");
        return err_hint(err, "Choose a file that has something in it.");
    }
    if (st == STATUS_OK)
        st = fill_head_check(s->name, str_make(s->head, (size_t)MIN(s->bytes, HEAD)), err);
    if (st == STATUS_OK)
        st = waiting_keep(rq, s->hash, s->name, s->bytes, s->fd, err);
    s->kept = st == STATUS_OK;
    return st;
}

/* ---- pages ---- */

static enum status bring(struct hub_request *rq, struct err *err)
{
    struct value vars = value_dict(rq->a);
    struct err why = ERR_INIT;
    struct start *s = (struct start *)http_exchange_take_sink(rq->exchange);
    enum status st = s ? take(rq, s, &why) : err_set(&why, STATUS_INVALID, "No file came.");
    if (st == STATUS_OK)
        hub_cookie(rq, WAITING_COOKIE, s->secret, LIMIT_HUB_START_S);
    if (s)
        sink_close(&s->base);
    if (st == STATUS_OK)
        return hub_go(rq, value_is_null(rq->user) ? STR("/-/sign-up?to=" PATH) : STR(PATH), NULL);
    if (status_http(st) >= 500 && st != STATUS_BUSY && st != STATUS_DISK_FULL) {
        *err = why;
        return st;
    }
    st = hub_room_or(rq->hub, st, &why);
    hub_put_error(rq, vars, &why);
    rq->wrong = "file";
    VALUE_SET(vars, "most_bytes", value_int(start_most_bytes(rq->hub)));
    return hub_page(rq, status_http(st), "landing.html", vars, err);
}

static enum status page(struct hub_request *rq, struct value file, const struct err *why, struct err *err)
{
    struct value vars = value_dict(rq->a);
    str title = hub_is_post(rq) ? hub_field(rq, "title") : fill_title(rq->a, VALUE_GET(file, "name").s);
    hub_put_error(rq, vars, why);
    VALUE_SET(vars, "file", file);
    VALUE_SET(vars, "title", value_str(title));
    return hub_page(rq, why ? status_http(why->status) : 200, "start.html", vars, err);
}

enum status hub_view_start(struct hub_request *rq, struct err *err)
{
    struct value file;
    if (hub_is_post(rq))
        return bring(rq, err);
    enum status st = waiting_find(rq, &file, err);
    if (st != STATUS_OK)
        return st;
    if (file.kind != VALUE_DICT) /* as after confirming an address */
        return hub_go(rq, STR("/"), str_is(hub_arg(rq, "note"), "verified") ? "verified" : NULL);
    return value_is_null(rq->user) ? hub_go(rq, STR("/-/sign-up?to=" PATH), NULL) : page(rq, file, NULL, err);
}

/* ---- into a space ---- */

struct contents {
    str hash, name;
    int fd;
};

static enum status put(struct hub_request *rq, str space_id, void *arg, struct err *err)
{
    const struct contents *c = arg;
    enum status st = fill_space(rq->hub, rq->a, space_id, c->fd, c->name, err);
    (void)FAULT("hub.start.filled");
    return st;
}

static enum status kept(struct conn *c, void *arg, struct err *err)
{
    return waiting_forget(c, ((const struct contents *)arg)->hash, err);
}

/* A name that nobody has: of the title, else with some letters behind it. Another one may still be quicker. */
static enum status free_name(struct hub_request *rq, str title, str *ret, struct err *err)
{
    struct conn *c;
    struct value row;
    str name = space_name_from(rq->a, title);
    enum status st = hub_conn(rq, &c, err);
    if (st == STATUS_OK && name.n)
        st = SQL_ROW(c, rq->a, &row, err,
                     "select 1 as one from spaces where name = ?1 union all select 1 from old_names where name = ?1",
                     SQL_T(name));
    if (st != STATUS_OK)
        return st;
    if (!name.n || row.kind == VALUE_DICT) {
        str start = name.n ? str_sub(name, 0, MIN(name.n, LIMIT_HUB_SPACE_NAME - 5)) : STR("data");
        while (start.n && start.p[start.n - 1] == '-')
            start.n--;
        name = ARENA_CAT(rq->a, start, STR("-"), str_sub(hub_id(rq->a, 's'), 1, 5));
    }
    *ret = name;
    return STATUS_OK;
}

static enum status make(struct hub_request *rq, struct value file, str *ret_url, struct err *err)
{
    struct contents c = {VALUE_GET(file, "hash").s, VALUE_GET(file, "name").s, -1};
    str title = hub_field(rq, "title"), name, id;
    enum status st = hub_of_field(rq, "title", account_name_check(title, "The title", err));
    if (st == STATUS_OK)
        st = free_name(rq, title, &name, err);
    hub_conn_release(rq);
    if (st == STATUS_OK)
        st = waiting_open(rq->hub, rq->a, c.hash, &c.fd, err);
    if (st != STATUS_OK)
        return st;
    st = space_make(rq, name, title, &(struct space_contents){put, kept, &c}, &id, err);
    (void)FAULT("hub.start.made");
    if (st == STATUS_OK)
        waiting_remove(rq->hub, rq->a, c.hash);
    close(c.fd);
    if (st != STATUS_OK)
        return st;
    str database = fill_database(rq->a, c.name), origin = hub_space_origin(rq->a, &rq->hub->config, name);
    *ret_url = fill_is_database(c.name) ? ARENA_CAT(rq->a, origin, STR("/"), database)
                                        : ARENA_CAT(rq->a, origin, STR("/"), database, STR("/"), database);
    return STATUS_OK;
}

enum status hub_view_start_keep(struct hub_request *rq, struct err *err)
{
    struct value file;
    struct err why = ERR_INIT;
    str url;
    enum status st = waiting_find(rq, &file, err);
    if (st == STATUS_OK && file.kind != VALUE_DICT) {
        err_set(err, STATUS_NOT_FOUND, "No file of yours waits here.");
        st = err_hint(err, "Look at your spaces, or bring it again.");
    }
    if (st != STATUS_OK)
        return st;
    st = make(rq, file, &url, &why);
    if (st == STATUS_OK) {
        hub_cookie(rq, WAITING_COOKIE, STR(""), 0);
        return hub_go_outside(rq, url);
    }
    if (status_http(st) < 500 || st == STATUS_BUSY || st == STATUS_DISK_FULL)
        return page(rq, file, &why, err);
    *err = why;
    return st;
}

static enum status write_drop(struct conn *c, void *arg, struct err *err)
{
    return waiting_forget(c, *(const str *)arg, err);
}

enum status hub_view_start_drop(struct hub_request *rq, struct err *err)
{
    struct value file;
    enum status st = waiting_find(rq, &file, err);
    hub_conn_release(rq);
    if (st == STATUS_OK && file.kind == VALUE_DICT) {
        str hash = VALUE_GET(file, "hash").s;
        st = store_write(rq->hub->store, write_drop, &hash, err);
        (void)FAULT("hub.waiting.dropped");
        if (st == STATUS_OK)
            waiting_remove(rq->hub, rq->a, hash);
    }
    if (st != STATUS_OK)
        return st;
    hub_cookie(rq, WAITING_COOKIE, STR(""), 0);
    return hub_go(rq, STR("/"), "file-dropped");
}
