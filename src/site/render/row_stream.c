/* SPDX-License-Identifier: Apache-2.0 */
/* row_stream — answers that are written row by row, at once or page by page.
 *
 * A stream has its own arena, its own connection (conn_open_private: it moves between workers) and its own request
 * copy; each pull fetches one page of max_returned_rows rows by key and appends its text. Nothing is held while the
 * client is slow: no snapshot, no statement. So a stream costs one connection and one page of memory, whatever the size
 * of the table; rows that are inserted behind the reader appear, as they do when a person pages through.
 *
 * Before each further page the reader is asked for anew: a member who was removed, a session that was ended or a share
 * that was withdrawn meanwhile reads no more than the page in hand.
 *
 * Once the headers are out an error can only end the body: the connection is closed without the final chunk, so that
 * clients notice. Tests: tests/site/test_csv.py, test_formats.py. */
#include "site/render/row_stream.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/metric.h"
#include "site/actor.h"
#include "site/budget.h"
#include "site/labels.h"
#include "site/render/page.h"
#include "site/share/guest.h"
#include "site/space/space.h"
#include "site/tables.h"

static bool *expanded_columns(struct table_page *p)
{
    bool *e = ARENA_ARRAY(p->rq->arena, bool, p->rows.column_count + 1);
    for (size_t i = 0; p->labels_on && i < p->rows.column_count; i++)
        e[i] = labels_is_expanded(p->table, p->rows.columns[i], p->labels_only, p->labels_only_count);
    return e;
}

/* ---- at once ---- */

static enum status respond_once(struct row_text *t, const struct row_format *f, str name, struct err *err)
{
    struct request *rq = t->rq;
    struct buf out;
    size_t max = MIN(f->max_bytes ? f->max_bytes(rq) : SIZE_MAX, (size_t)LIMIT_CSV_PAGE);
    enum status st = f->check ? f->check(t, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    buf_init(&out, max);
    t->out = &out;
    if (f->begin)
        f->begin(t);
    f->rows(t);
    if (f->end)
        f->end(t);
    if (out.over && !f->overflow) {
        buf_release(&out);
        err_set(err, STATUS_TOO_LARGE, "The answer is larger than %d MB", LIMIT_CSV_PAGE >> 20);
        return err_hint(err, "Ask for fewer rows with _size, or for fewer columns with _col.");
    }
    if (out.over) {
        out.max += 256;
        out.over = false;
        f->overflow(max, &out);
    }
    rq->response->status = 200;
    f->headers(rq, name);
    response_body_take(rq->response, &out);
    return STATUS_OK;
}

enum status row_stream_rows(struct request *rq, const struct rowset *rows, str name, const struct schema_table *table,
                            const struct row_format *f, struct err *err)
{
    struct row_text t = {.rq = rq, .rows = rows, .row_count = rows->row_count, .table = table};
    return respond_once(&t, f, name, err);
}

/* ---- streams ---- */

struct row_stream {
    struct http_stream super;
    struct site *site;
    struct request request; /* a copy on its own arena */
    struct http_response response;
    struct table_page page;
    struct arena *keep; /* lives as long as the stream: request texts, the page token */
    struct arena *work; /* reset for each page */
    char *next;         /* token of the page to fetch; NULL = first page */
    struct buf text;    /* the page being sent, in pieces; the first is fetched before the headers go out */
    size_t at, sent;    /* bytes of the text handed out; bytes of all pages */
    const struct row_format *format;
    size_t written; /* rows */
    bool began, finished;
};

static struct row_text text_of(struct row_stream *s)
{
    return (struct row_text){.rq = &s->request,
                             .out = &s->text,
                             .rows = &s->page.rows,
                             .row_count = s->page.rows.row_count,
                             .table = s->page.table,
                             .written = s->written};
}

/* What comes before the first row, once. */
static enum status begin(struct row_stream *s, struct row_text *t, struct err *err)
{
    const struct row_format *f = s->format;
    if (s->began)
        return STATUS_OK;
    enum status st = f->check ? f->check(t, err) : STATUS_OK;
    if (st == STATUS_OK && f->begin)
        f->begin(t);
    s->began = st == STATUS_OK;
    return st;
}

/* One row, while SQLite has it. */
static void write_row(void *arg)
{
    struct row_stream *s = arg;
    struct row_text t = text_of(s);
    if (begin(s, &t, NULL) == STATUS_OK)
        s->format->rows(&t);
    s->written++;
}

/* The rows that were kept, and what follows the last one of all. */
static enum status write_page(struct row_stream *s, struct err *err)
{
    const struct row_format *f = s->format;
    struct row_text t = text_of(s);
    t.row_count = MIN(t.row_count, s->page.row_count);
    t.expanded = expanded_columns(&s->page);
    enum status st = begin(s, &t, err);
    if (st != STATUS_OK)
        return st;
    if (t.row_count)
        f->rows(&t);
    s->written += t.row_count;
    if (f->end && !s->page.next.has)
        f->end(&t);
    return STATUS_OK;
}

static enum status pull_page(struct row_stream *s, struct err *err)
{
    struct request *rq = &s->request;
    const struct schema_table *t;
    enum status st = schema_get(rq->conn, &rq->schema, err);
    if (st != STATUS_OK)
        return st;
    st = tables_open(rq, rq->params[1], &t, err);
    if (st == STATUS_OK)
        st = table_page_init(&s->page, rq, t, err);
    if (st == STATUS_OK && s->next)
        s->page.query_request.next = str_of(s->next);
    if (s->format->by_row) {
        s->page.each = write_row;
        s->page.each_arg = s;
    }
    if (st == STATUS_OK)
        st = table_page_fetch(&s->page, false, err);
    if (st == STATUS_OK)
        st = write_page(s, err);
    if (st == STATUS_OK) {
        free(s->next);
        s->next = s->page.next.has ? mem_cstr(s->page.next.token) : NULL;
        s->finished = !s->next;
    }
    return st;
}

/* Who reads may not be who they were when the stream began. */
static enum status still_allowed(struct row_stream *s, struct err *err)
{
    struct request *rq = &s->request;
    struct guest *guest = rq->guest;
    enum status st = STATUS_OK;
    shares_look(rq->site->shares);
    if (rq->space && !guest->preview) { /* the hub may have changed the space, and the cookie says who it was */
        rq->space = space_cell_borrow(rq->site->shared->space, rq->arena);
        rq->policy.hub = &rq->space->people;
        rq->actor = VALUE_NULL; /* it was of the page before */
        st = actor_authenticate(rq, err);
        rq->guest = guest;
    }
    if (st == STATUS_OK && rq->space && rq->space->suspended)
        st = err_set(err, STATUS_BUSY, "This space is suspended.");
    return st == STATUS_OK ? request_require(rq, ACTION_VIEW_TABLE, rq->db->name, rq->params[1], NULL, err) : st;
}

static enum status fetch_page(struct row_stream *s, struct err *err)
{
    struct request *rq = &s->request;
    buf_clear(&s->text);
    s->at = 0;
    arena_reset(s->work);
    rq->arena = s->work;
    enum status st = s->next ? still_allowed(s, err) : STATUS_OK;
    if (st == STATUS_OK)
        st = pull_page(s, err);
    schema_unref(rq->schema);
    rq->schema = NULL;
    if (st != STATUS_OK)
        return st;
    if (s->text.over) {
        err_set(err, STATUS_TOO_LARGE, "A page of this %s is larger than %d bytes", s->format->name, LIMIT_CSV_PAGE);
        return err_hint(err, "Ask for fewer columns with _col, or set max_returned_rows lower.");
    }
    s->sent += s->text.n;
    size_t max = s->format->max_bytes ? s->format->max_bytes(rq) : SIZE_MAX;
    if (s->sent > max) {
        s->text.n -= MIN(s->text.n, s->sent - max);
        s->format->overflow(max, &s->text);
        s->finished = true;
    }
    return STATUS_OK;
}

static enum status pull(struct http_stream *super, struct buf *out, struct err *err)
{
    struct row_stream *s = (struct row_stream *)super;
    uint64_t sql_us = metric_mine(METRIC_SQL_SECONDS);
    enum status st = s->at == s->text.n && !s->finished ? fetch_page(s, err) : STATUS_OK;
    budget_charge(s->request.site, s->request.note, (int64_t)(metric_mine(METRIC_SQL_SECONDS) - sql_us));
    if (st != STATUS_OK)
        return st;
    size_t n = MIN(s->text.n - s->at, (size_t)LIMIT_HTTP_STREAM_PIECE / 2);
    buf_puts(out, str_make(s->text.p + s->at, n));
    s->at += n;
    return s->finished && s->at == s->text.n ? STATUS_OK : STATUS_AGAIN;
}

static void close_stream(struct http_stream *super)
{
    struct row_stream *s = (struct row_stream *)super;
    conn_close(s->request.conn);
    buf_release(&s->text);
    free(s->next);
    arena_free(s->work);
    arena_free(s->keep);
    free(s);
}

/* The exchange, and with it the client's "gone" flag, is the server's once the headers are out; the message itself
 * lives until the stream is closed. */
static struct row_stream *stream_new(struct request *rq, const struct row_format *f)
{
    struct row_stream *s = mem_alloc(sizeof *s);
    s->super.pull = pull;
    s->super.close = close_stream;
    s->format = f;
    buf_init(&s->text, LIMIT_CSV_PAGE);
    s->keep = arena_new(LIMIT_REQUEST_ARENA);
    s->work = arena_new(LIMIT_REQUEST_ARENA);
    s->request = (struct request){.site = rq->site,
                                  .http = rq->http,
                                  .arena = s->keep,
                                  .route = rq->route,
                                  .db = rq->db,
                                  .note = rq->note,
                                  .space = rq->space,
                                  .policy = rq->policy};
    s->request.path = arena_str(s->keep, rq->path);
    s->request.query_string = ARENA_CAT(s->keep, rq->query_string, rq->query_string.n ? STR("&") : STR(""),
                                        STR("_nofacet=1&_nocount=1&_size=max"));
    s->request.format = arena_str(s->keep, rq->format);
    s->request.param_count = rq->param_count;
    for (size_t i = 0; i < rq->param_count; i++)
        s->request.params[i] = arena_str(s->keep, rq->params[i]);
    s->request.actor = value_copy(s->keep, rq->actor);
    s->request.guest = guest_copy(s->keep, rq->guest);
    s->request.started_mono_us = rq->started_mono_us;
    s->request.response = &s->response;
    return s;
}

static enum status respond_stream(struct request *rq, const struct row_format *f, struct err *err)
{
    if (!rq->site->config.settings.allow_csv_stream)
        return err_set(err, STATUS_INVALID, "%s streaming is disabled", f->name);
    if (request_arg(rq, "_next").n)
        return err_set(err, STATUS_INVALID, "_next not allowed for %s streaming", f->name);
    struct row_stream *s = stream_new(rq, f);
    enum status st = args_parse(s->keep, s->request.query_string, &s->request.args, err);
    if (st == STATUS_OK)
        st = conn_open_private(rq->db->database, CONN_READ, &s->request.conn, err);
    /* The first page is fetched now, so that errors still have a status of their own. */
    if (st == STATUS_OK)
        st = fetch_page(s, err);
    if (st != STATUS_OK) {
        rq->error_title = s->request.error_title;
        close_stream(&s->super);
        return st;
    }
    rq->response->status = 200;
    f->headers(rq, rq->params[1]);
    if (s->finished) {
        response_body_take(rq->response, &s->text);
        close_stream(&s->super);
    } else {
        response_body_stream(rq->response, &s->super);
    }
    return STATUS_OK;
}

enum status row_stream_table(struct table_page *p, const struct row_format *f, struct err *err)
{
    struct request *rq = p->rq;
    if (request_arg(rq, "_stream").n)
        return respond_stream(rq, f, err);
    enum status st = table_page_fetch(p, false, err);
    if (st != STATUS_OK)
        return st;
    struct row_text t = {.rq = rq, .rows = &p->rows, .row_count = p->row_count, .table = p->table};
    t.expanded = expanded_columns(p);
    return respond_once(&t, f, p->table->name, err);
}
