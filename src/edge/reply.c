/* SPDX-License-Identifier: Apache-2.0 */
/* reply — answers of the edge's own: redirects, and errors that say what happened and what to do. A browser gets a
 * small page, everybody else a line of text. */
#include "codec/html_escape.h"
#include "edge/worker_impl.h"
#include "http/accept.h"
#include "http/message.h"

static bool wants_html(const struct edge_exchange *x)
{
    return accept_names_type(http_headers_get(&x->head.headers, STR("accept")), STR("text/html"));
}

static void put_page(struct buf *out, int status, const char *text, const char *remedy, str message)
{
    buf_printf(out,
               "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%d %s</title>"
               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><style>"
               ":root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;"
               "margin:18vh auto 0;padding:0 1.5rem}h1{font-size:1.5rem}</style></head><body><h1>%s</h1>\n",
               status, http_reason(status), http_reason(status));
    if (message.n) {
        buf_puts(out, STR("<p>"));
        html_escape(out, message);
        buf_puts(out, STR("</p>\n"));
    }
    if (*text)
        buf_printf(out, "<p>%s</p>\n", text);
    if (*remedy)
        buf_printf(out, "<p>%s</p>\n", remedy);
    buf_puts(out, STR("</body></html>\n"));
}

static void put_text(struct buf *out, int status, const char *text, const char *remedy, str message)
{
    buf_printf(out, "%d %s", status, http_reason(status));
    if (message.n)
        buf_printf(out, "\n%.*s", STR_ARG(message));
    if (*text)
        buf_printf(out, "\n%s", text);
    if (*remedy)
        buf_printf(out, "\n%s", remedy);
    buf_putc(out, '\n');
}

/* `location` and `body` lie in x->up_in, or are static. */
static void reply(struct edge_request *r, int status, str type, str location, str body)
{
    struct edge_exchange *x = r->x;
    struct http_header *f = x->answer_fields;
    bool to_head = str_is(x->head.method, "HEAD");
    size_t n = 0;
    sm_move(&r->sm, EDGE_REQUEST_REPLYING);
    if ((x->head.chunked || x->head.content_length > 0) && !x->request.ended)
        r->close_after = true; /* the rest of its body is not read */
    x->status = status;
    if (!x->started_us)
        x->started_us = loop_now_us(r->conn->worker->loop);
    f[n++] = (struct http_header){STR("Content-Type"), type};
    f[n++] = (struct http_header){STR("Cache-Control"), STR("no-store")};
    if (location.n)
        f[n++] = (struct http_header){STR("Location"), location};
    if (status == 503 || status == 504)
        f[n++] = (struct http_header){STR("Retry-After"), STR("2")};
    if (status == 405)
        f[n++] = (struct http_header){STR("Allow"), STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")};
    x->answer_h = (struct h1_head){.status = status,
                                   .reason = str_of(http_reason(status)),
                                   .headers = {.items = f, .count = n},
                                   .content_length = (int64_t)body.n};
    struct rewrite_answer how = {.head = &x->answer_h,
                                 .body = to_head ? H1_BODY_NONE : H1_BODY_LENGTH,
                                 .close = r->close_after,
                                 .keep_alive = x->head.minor == 0 && !r->close_after};
    flow_init(&x->answer, H1_BODY_NONE, 0, false);
    bool fits = r->conn->client->head(r, &how);
    ASSERT(fits);
    if (!to_head)
        flow_put(&x->answer, body);
    edge_request_await_client(r);
}

void reply_status(struct edge_request *r, int status, const char *text, const char *remedy)
{
    struct edge_exchange *x = r->x;
    struct edge_target *target = x->app ? edge_table_target(r->conn->worker->table, x->app) : NULL;
    str message = target && target->pause == EDGE_STOPPED ? target->message : STR("");
    bool html = wants_html(x);
    buf_clear(&x->up_in);
    (html ? put_page : put_text)(&x->up_in, status, text, remedy, message);
    reply(r, status, html ? STR("text/html; charset=utf-8") : STR("text/plain; charset=utf-8"), STR(""),
          buf_str(&x->up_in));
}

void reply_redirect(struct edge_request *r, const struct edge_route *route)
{
    struct edge_exchange *x = r->x;
    buf_clear(&x->up_in);
    buf_puts(&x->up_in, route->redirect);
    buf_puts(&x->up_in, x->target.path);
    if (x->target.has_query) {
        buf_putc(&x->up_in, '?');
        buf_puts(&x->up_in, x->target.query);
    }
    reply(r, route->redirect_status, STR("text/plain; charset=utf-8"), buf_str(&x->up_in),
          STR("This address has moved.\n"));
}

bool reply_step(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    if (r->write_blocked)
        return false;
    enum status st = r->conn->client->write(r);
    if (st == STATUS_OK) {
        r->write_blocked = false;
        x->request.ended = true;
        edge_request_finish(r);
        return true;
    }
    r->write_blocked = st == STATUS_AGAIN;
    if (st != STATUS_AGAIN)
        r->conn->client->lost(r);
    return false;
}
