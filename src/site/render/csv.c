/* SPDX-License-Identifier: Apache-2.0 */
/* csv — rows as RFC 4180 text, the way Python's csv module writes it.
 *
 * Streams. A stream has its own arena, its own connection (conn_open_private: it moves between workers) and its own
 * request copy; each pull fetches one page of max_returned_rows rows by key and appends its text. Nothing is held while
 * the client is slow: no snapshot, no statement. So a stream costs one connection and one page of memory, whatever the
 * size of the table; rows that are inserted behind the reader appear, as they do when a person pages through.
 *
 * Once the headers are out an error can only end the body: its text becomes the last line and the connection is closed
 * without the final chunk, so that clients notice. Tests: tests/site/test_csv.py. */
#include "site/render/csv.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "codec/csvwrite.h"
#include "codec/digest.h"
#include "codec/url.h"
#include "site/labels.h"
#include "site/links.h"
#include "site/render/page.h"
#include "site/tables.h"

struct csv_writer {
    struct request *rq;
    struct buf *out;
    const struct rowset *rows;
    const struct schema_table *table; /* NULL for queries */
    const bool *expanded;             /* a column: has a label column behind it */
};

static void put_text(struct csv_writer *w, str s, bool *first)
{
    if (!*first)
        buf_putc(w->out, ',');
    *first = false;
    csvwrite_field(w->out, s);
}

static str blob_url(struct csv_writer *w, size_t row, size_t column)
{
    struct request *rq = w->rq;
    struct arena *a = rq->arena;
    str name = w->rows->columns[column];
    if (w->table) {
        str path = row_path(a, w->rows, row, w->table->pks, w->table->pk_count);
        return request_absolute_url(rq, link_blob(rq, rq->db->name, w->table->name, path, name));
    }
    char hash[DIGEST_HEX_MAX];
    digest_sha256_hex(rowset_cell(w->rows, row, column)->s, hash);
    const struct arg extra[] = {{STR("_blob_column"), name}, {STR("_blob_hash"), str_of(hash)}};
    return request_absolute_url(rq, link_this_format(rq, STR("blob"), extra, 2));
}

static void put_cell(struct csv_writer *w, size_t row, size_t column, bool *first)
{
    const struct cell *c = rowset_cell(w->rows, row, column);
    if (!*first)
        buf_putc(w->out, ',');
    *first = false;
    switch (c->kind) {
    case CELL_NULL:
        break;
    case CELL_INT:
        buf_put_i64(w->out, c->i);
        break;
    case CELL_FLOAT:
        csvwrite_field(w->out, value_to_str(w->rq->arena, value_float(c->f)));
        break;
    case CELL_TEXT:
        csvwrite_field(w->out, c->s);
        break;
    case CELL_BLOB:
        csvwrite_field(w->out, blob_url(w, row, column));
        break;
    }
    if (w->expanded && w->expanded[column])
        put_text(w, c->label.p ? c->label : STR(""), first);
}

static void end_record(struct csv_writer *w, size_t start)
{
    if (w->out->n == start)
        buf_puts(w->out, STR("\"\"")); /* a record of one empty field: an empty line would be no record */
    buf_puts(w->out, STR("\r\n"));
}

static void put_header(struct csv_writer *w)
{
    bool first = true;
    size_t start = w->out->n;
    for (size_t i = 0; i < w->rows->column_count; i++) {
        put_text(w, w->rows->columns[i], &first);
        if (w->expanded && w->expanded[i])
            put_text(w, ARENA_CAT(w->rq->arena, w->rows->columns[i], STR("_label")), &first);
    }
    end_record(w, start);
}

static void put_rows(struct csv_writer *w, size_t row_count)
{
    for (size_t r = 0; r < row_count; r++) {
        bool first = true;
        size_t start = w->out->n;
        for (size_t i = 0; i < w->rows->column_count; i++)
            put_cell(w, r, i, &first);
        end_record(w, start);
    }
}

static size_t max_bytes(const struct request *rq)
{
    int64_t mb = rq->site->config.settings.max_csv_mb;
    return mb ? (size_t)mb << 20 : SIZE_MAX;
}

static void overflow_line(const struct request *rq, struct buf *out)
{
    buf_printf(out, "CSV contains more than %lld bytes", (long long)(rq->site->config.settings.max_csv_mb << 20));
}

static void headers(struct request *rq, str name)
{
    struct arena *a = rq->arena;
    bool download = request_arg(rq, "_dl").n > 0;
    rq->response->status = 200;
    response_header(rq->response, STR("content-type"),
                    download ? STR("text/csv; charset=utf-8") : STR("text/plain; charset=utf-8"));
    if (download)
        response_header(rq->response, STR("content-disposition"),
                        ARENA_CAT(a, STR("attachment; filename=\""), tilde_encode(a, name), STR(".csv\"")));
}

static bool wants_header(const struct request *rq)
{
    return !str_is(request_arg(rq, "_header"), "off");
}

static enum status respond_once(struct csv_writer *w, size_t row_count, str name)
{
    struct request *rq = w->rq;
    struct buf out;
    buf_init(&out, MIN(max_bytes(rq), (size_t)LIMIT_CSV_PAGE));
    w->out = &out;
    if (wants_header(rq))
        put_header(w);
    put_rows(w, row_count);
    if (out.over) {
        out.max += 256;
        out.over = false;
        overflow_line(rq, &out);
    }
    headers(rq, name);
    response_body_take(rq->response, &out);
    return STATUS_OK;
}

enum status csv_respond_rows(struct request *rq, const struct rowset *rows, str name, const struct schema_table *table,
                             struct err *err)
{
    struct csv_writer w = {.rq = rq, .rows = rows, .table = table};
    (void)err;
    return respond_once(&w, rows->row_count, name);
}

/* ---- streams ---- */

struct csv_stream {
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
    bool header_done, finished;
};

static bool *expanded_columns(struct table_page *p)
{
    bool *e = ARENA_ARRAY(p->rq->arena, bool, p->rows.column_count + 1);
    for (size_t i = 0; p->labels_on && i < p->rows.column_count; i++)
        e[i] = labels_is_expanded(p->table, p->rows.columns[i], p->labels_only, p->labels_only_count);
    return e;
}

static void write_page(struct csv_stream *s, struct buf *out)
{
    struct csv_writer w = {.rq = &s->request, .out = out, .rows = &s->page.rows, .table = s->page.table};
    w.expanded = expanded_columns(&s->page);
    if (!s->header_done && wants_header(&s->request))
        put_header(&w);
    s->header_done = true;
    put_rows(&w, s->page.row_count);
}

static enum status pull_page(struct csv_stream *s, struct buf *out, struct err *err)
{
    struct request *rq = &s->request;
    const struct schema_table *t;
    enum status st = schema_get(rq->conn, &rq->schema, err);
    if (st != STATUS_OK)
        return st;
    st = tables_find(rq, rq->params[1], &t, err);
    if (st == STATUS_OK)
        st = table_page_init(&s->page, rq, t, err);
    if (st == STATUS_OK && s->next)
        s->page.query_request.next = str_of(s->next);
    if (st == STATUS_OK)
        st = table_page_fetch(&s->page, false, err);
    if (st == STATUS_OK)
        write_page(s, out);
    if (st == STATUS_OK) {
        free(s->next);
        s->next = s->page.next.has ? mem_cstr(s->page.next.token) : NULL;
        s->finished = !s->next;
    }
    return st;
}

static enum status fetch_page(struct csv_stream *s, struct err *err)
{
    struct request *rq = &s->request;
    buf_clear(&s->text);
    s->at = 0;
    arena_reset(s->work);
    rq->arena = s->work;
    enum status st = pull_page(s, &s->text, err);
    schema_unref(rq->schema);
    rq->schema = NULL;
    if (st != STATUS_OK)
        return st;
    if (s->text.over)
        return err_set(err, STATUS_TOO_LARGE, "A page of this CSV is larger than %d bytes", LIMIT_CSV_PAGE);
    s->sent += s->text.n;
    size_t max = max_bytes(rq);
    if (s->sent > max) {
        s->text.n -= MIN(s->text.n, s->sent - max);
        overflow_line(rq, &s->text);
        s->finished = true;
    }
    return STATUS_OK;
}

static enum status pull(struct http_stream *super, struct buf *out, struct err *err)
{
    struct csv_stream *s = (struct csv_stream *)super;
    enum status st = s->at == s->text.n && !s->finished ? fetch_page(s, err) : STATUS_OK;
    if (st != STATUS_OK)
        return st;
    size_t n = MIN(s->text.n - s->at, (size_t)LIMIT_HTTP_STREAM_PIECE / 2);
    buf_puts(out, str_make(s->text.p + s->at, n));
    s->at += n;
    return s->finished && s->at == s->text.n ? STATUS_OK : STATUS_AGAIN;
}

static void close_stream(struct http_stream *super)
{
    struct csv_stream *s = (struct csv_stream *)super;
    conn_close(s->request.conn);
    buf_release(&s->text);
    free(s->next);
    arena_free(s->work);
    arena_free(s->keep);
    free(s);
}

/* The exchange, and with it the client's "gone" flag, is the server's once the headers are out; the message itself
 * lives until the stream is closed. */
static struct csv_stream *stream_new(struct request *rq)
{
    struct csv_stream *s = mem_alloc(sizeof *s);
    s->super.pull = pull;
    s->super.close = close_stream;
    buf_init(&s->text, LIMIT_CSV_PAGE);
    s->keep = arena_new(LIMIT_REQUEST_ARENA);
    s->work = arena_new(LIMIT_REQUEST_ARENA);
    s->request = (struct request){
        .site = rq->site, .http = rq->http, .arena = s->keep, .route = rq->route, .db = rq->db, .note = rq->note};
    s->request.path = arena_str(s->keep, rq->path);
    s->request.query_string = ARENA_CAT(s->keep, rq->query_string, rq->query_string.n ? STR("&") : STR(""),
                                        STR("_nofacet=1&_nocount=1&_size=max"));
    s->request.format = STR("csv");
    s->request.param_count = rq->param_count;
    for (size_t i = 0; i < rq->param_count; i++)
        s->request.params[i] = arena_str(s->keep, rq->params[i]);
    s->request.actor = value_copy(s->keep, rq->actor);
    s->request.started_mono_us = rq->started_mono_us;
    s->request.response = &s->response;
    return s;
}

static enum status respond_stream(struct request *rq, struct err *err)
{
    if (!rq->site->config.settings.allow_csv_stream)
        return err_set(err, STATUS_INVALID, "CSV streaming is disabled");
    if (request_arg(rq, "_next").n)
        return err_set(err, STATUS_INVALID, "_next not allowed for CSV streaming");
    struct csv_stream *s = stream_new(rq);
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
    headers(rq, rq->params[1]);
    if (s->finished) {
        response_body_take(rq->response, &s->text);
        close_stream(&s->super);
    } else {
        response_body_stream(rq->response, &s->super);
    }
    return STATUS_OK;
}

enum status csv_respond_table(struct table_page *p, struct err *err)
{
    struct request *rq = p->rq;
    if (request_arg(rq, "_stream").n)
        return respond_stream(rq, err);
    enum status st = table_page_fetch(p, false, err);
    if (st != STATUS_OK)
        return st;
    struct csv_writer w = {.rq = rq, .rows = &p->rows, .table = p->table, .expanded = expanded_columns(p)};
    return respond_once(&w, p->row_count, p->table->name);
}
