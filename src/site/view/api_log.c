/* SPDX-License-Identifier: Apache-2.0 */
/* view/api_log — /-/api-log: requests that were recorded, newest first; .ndjson: all of them, oldest first, as `vitrine
 * replay` reads them. For those who may see how the site is run (permissions-debug): bodies are the visitors' own. */
#include "base/limits.h"
#include "codec/jwrite.h"
#include "db/stmt.h"
#include "site/internal.h"
#include "site/links.h"
#include "site/render/page.h"
#include "site/view/view.h"
#include "site/write/write.h"

#define PAGE_SIZE 100

static const char columns[] =
    "select id, at, method, path, actor, headers, body, body_cut, status, answer_type, answer,"
    " answer_cut, duration_ms from api_log where ";

/* "headers" is a document, the rest as stored. */
static struct value row_value(struct arena *a, struct stmt *s)
{
    struct value row = write_row(a, s), headers;
    if (value_from_json(a, VALUE_GET(row, "headers").s, &headers, NULL) == STATUS_OK)
        VALUE_SET(row, "headers", headers);
    VALUE_SET(row, "body_cut", value_bool(VALUE_GET(row, "body_cut").i != 0));
    VALUE_SET(row, "answer_cut", value_bool(VALUE_GET(row, "answer_cut").i != 0));
    return row;
}

static enum status open_log(struct request *rq, const char *rest, str text, struct conn **ret_conn,
                            struct stmt **ret_stmt, struct err *err)
{
    enum status st = internal_read(rq->site->internal, ret_conn, err);
    if (st == STATUS_OK)
        st = conn_prepare_trusted(*ret_conn, ARENA_CAT(rq->arena, str_of(columns), str_of(rest)), ret_stmt, err);
    if (st == STATUS_OK && text.n)
        st = stmt_bind_text(*ret_stmt, 1, text, err);
    return st;
}

static enum status respond_as_lines(struct request *rq, struct err *err)
{
    struct conn *c = NULL;
    struct stmt *s = NULL;
    struct buf out;
    str since = request_arg(rq, "since");
    enum status st = open_log(rq, "at >= ?1 order by id", since.n ? since : STR("0"), &c, &s, err);
    buf_init(&out, LIMIT_JSON_OUTPUT);
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        struct arena_mark mark = arena_mark(rq->arena);
        value_to_json(&out, row_value(rq->arena, s), VALUE_JSON_UTF8);
        buf_putc(&out, '\n');
        arena_rewind(rq->arena, mark);
        st = out.over ? err_set(err, STATUS_TOO_LARGE, "The log is larger than %d MB; use ?since= for a part of it",
                                LIMIT_JSON_OUTPUT >> 20)
                      : STATUS_OK;
    }
    stmt_done(s);
    conn_release(c);
    if (st != STATUS_OK)
        buf_release(&out);
    else
        respond_buf(rq, 200, "application/x-ndjson; charset=utf-8", &out);
    return st;
}

static enum status fetch_page(struct request *rq, struct value list, int64_t *ret_next, struct err *err)
{
    struct conn *c = NULL;
    struct stmt *s = NULL;
    int64_t below = INT64_MAX, last = 0;
    str next = request_arg(rq, "_next");
    size_t n = 0;
    if (next.n && !str_to_i64(next, &below))
        return err_set(err, STATUS_INVALID, "_next must be a number");
    enum status st = open_log(rq, "id < ?1 order by id desc", (str){0}, &c, &s, err);
    if (st == STATUS_OK)
        st = stmt_bind_i64(s, 1, below, err);
    *ret_next = 0;
    while (st == STATUS_OK && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        st = STATUS_OK;
        if (n++ == PAGE_SIZE) {
            *ret_next = last;
            break;
        }
        last = stmt_column_i64(s, 0);
        value_push(list, row_value(rq->arena, s));
    }
    stmt_done(s);
    conn_release(c);
    return st;
}

static enum status respond_page(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a), list = value_list(a);
    int64_t next;
    enum status st = fetch_page(rq, list, &next, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "enabled", value_bool(rq->site->config.settings.api_log));
    VALUE_SET(d, "requests", list);
    VALUE_SET(d, "next", next ? value_int(next) : VALUE_NULL);
    if (str_is(rq->format, "json")) {
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    VALUE_SET(d, "next_url",
              next ? value_str(link_this_replaced(rq, "_next", arena_printf(a, "%lld", (long long)next).p))
                   : VALUE_NULL);
    VALUE_SET(d, "log_url", value_str(link_path(rq, STR("-/api-log"))));
    const str names[] = {STR("api_log.html")};
    return page_respond(rq, 200, names, 1, d, false, err);
}

enum status view_api_log(struct request *rq, struct err *err)
{
    enum status st = request_require(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0}, NULL, err);
    if (st != STATUS_OK)
        return st;
    if (str_is(rq->format, "ndjson"))
        return respond_as_lines(rq, err);
    if (!str_is(rq->format, "html") && !str_is(rq->format, "json"))
        return err_set(err, STATUS_NOT_FOUND, "Invalid format: %.*s", STR_ARG(rq->format));
    return respond_page(rq, err);
}
