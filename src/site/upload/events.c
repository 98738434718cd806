/* SPDX-License-Identifier: Apache-2.0 */
/* events — /-/import/ID/events: how far an import is, as server-sent events (WHATWG HTML, section 9.2): a "message"
 * with the JSON of progress whenever it changed, "end" when the import is over. No worker waits between two events. The
 * stream ends by itself now and then, so that a server that stops or is replaced is not held up; browsers come back
 * by themselves, to whatever process answers then. Pages without it ask for .json. */
#include "base/clock.h"
#include "base/limits.h"
#include "site/upload/job.h"
#include "site/view/view.h"

#define LOOK_MS  200
#define QUIET_MS 5000 /* a comment is sent then, so that nothing on the way takes the connection for dead */

struct events {
    struct http_stream stream; /* first */
    struct site *site;         /* the exchange's arena holds it */
    str id;
    struct import_progress last;
    int64_t until_us, said_us;
};

static bool same(const struct import_progress *a, const struct import_progress *b)
{
    return a->phase && b->phase && str_eq(str_of(a->phase), str_of(b->phase)) && a->rows == b->rows &&
           a->position == b->position;
}

static void say(struct events *e, const struct import_progress *p, struct buf *out)
{
    struct arena *a = arena_new(0);
    buf_puts(out, STR("data: "));
    value_to_json(out, import_progress_json(a, p), VALUE_JSON_UTF8 | VALUE_JSON_COMPACT);
    buf_puts(out, STR("\n\n"));
    arena_free(a);
    e->last = *p;
}

static enum status events_pull(struct http_stream *stream, struct buf *out, struct err *err)
{
    struct events *e = (struct events *)stream;
    struct import_progress now = {.phase = "waiting"};
    int64_t at_us = clock_mono_us();
    bool here = import_progress(e->site, e->id, &now);
    (void)err;
    if (!here && !upload_is_locked(e->site, e->id)) {
        buf_puts(out, STR("event: end\ndata: {}\n\n"));
        return STATUS_OK;
    }
    if (!same(&now, &e->last)) {
        say(e, &now, out);
        e->said_us = at_us;
    } else if (at_us - e->said_us > QUIET_MS * 1000) {
        buf_puts(out, STR(":\n\n"));
        e->said_us = at_us;
    }
    e->stream.pause_ms = LOOK_MS;
    return at_us > e->until_us || atomic_load(&e->site->shared->draining) ? STATUS_OK : STATUS_AGAIN;
}

static void events_close(struct http_stream *stream)
{
    (void)stream; /* in the arena of the exchange */
}

enum status view_import_events(struct request *rq, struct err *err)
{
    struct upload u;
    enum status st = upload_find(rq, rq->params[0], &u, err);
    if (st != STATUS_OK)
        return st;
    struct events *e = ARENA_NEW(rq->arena, struct events);
    e->stream = (struct http_stream){.pull = events_pull, .close = events_close};
    e->site = rq->site;
    e->id = arena_str(rq->arena, u.id);
    e->until_us = clock_mono_us() + (int64_t)LIMIT_EVENTS_MS * 1000;
    e->said_us = clock_mono_us();
    rq->response->status = 200;
    response_header_set(rq->response, STR("content-type"), STR("text/event-stream; charset=utf-8"));
    response_header_set(rq->response, STR("cache-control"), STR("no-store"));
    response_header_set(rq->response, STR("x-accel-buffering"), STR("no")); /* nginx */
    response_body_stream(rq->response, &e->stream);
    return STATUS_OK;
}
