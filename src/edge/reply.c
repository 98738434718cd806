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

static void begin(struct edge_request *r, int status)
{
    struct edge_exchange *x = r->x;
    sm_move(&r->sm, EDGE_REQUEST_REPLYING);
    if ((x->head.chunked || x->head.content_length > 0) && !x->request.ended)
        r->close_after = true; /* the rest of its body is not read */
    x->status = status;
    if (!x->started_us)
        x->started_us = loop_now_us(r->conn->worker->loop);
    buf_clear(&x->answer_head);
    buf_printf(&x->answer_head, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    edge_request_await_client(r);
}

static void end(struct edge_request *r, str type, str body)
{
    struct edge_exchange *x = r->x;
    struct buf *out = &x->answer_head;
    buf_printf(out, "Content-Type: %.*s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n", STR_ARG(type), body.n);
    if (x->status == 503 || x->status == 504)
        buf_puts(out, STR("Retry-After: 2\r\n"));
    if (x->status == 405)
        buf_puts(out, STR("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"));
    if (r->close_after)
        buf_puts(out, STR("Connection: close\r\n"));
    else if (x->head.minor == 0)
        buf_puts(out, STR("Connection: keep-alive\r\n"));
    buf_puts(out, STR("\r\n"));
    if (!str_is(x->head.method, "HEAD"))
        buf_puts(out, body);
    flow_init(&x->answer, H1_BODY_NONE, 0, false);
    flow_put(&x->answer, buf_str(out));
}

void reply_status(struct edge_request *r, int status, const char *text, const char *remedy)
{
    struct edge_exchange *x = r->x;
    struct edge_target *target = x->app ? edge_table_target(r->conn->worker->table, x->app) : NULL;
    str message = target && target->pause == EDGE_STOPPED ? target->message : STR("");
    struct buf page;
    buf_init(&page, LIMIT_EDGE_BLOCK / 2);
    bool html = wants_html(x);
    (html ? put_page : put_text)(&page, status, text, remedy, message);
    begin(r, status);
    end(r, html ? STR("text/html; charset=utf-8") : STR("text/plain; charset=utf-8"), buf_str(&page));
    buf_release(&page);
}

void reply_redirect(struct edge_request *r, const struct edge_route *route)
{
    struct edge_exchange *x = r->x;
    begin(r, route->redirect_status);
    buf_puts(&x->answer_head, STR("Location: "));
    buf_puts(&x->answer_head, route->redirect);
    buf_puts(&x->answer_head, x->target.path);
    if (x->target.has_query) {
        buf_putc(&x->answer_head, '?');
        buf_puts(&x->answer_head, x->target.query);
    }
    buf_puts(&x->answer_head, STR("\r\n"));
    end(r, STR("text/plain; charset=utf-8"), STR("This address has moved.\n"));
}

bool reply_step(struct edge_request *r)
{
    struct edge_exchange *x = r->x;
    if (r->write_blocked)
        return false;
    enum status st = client_write(r);
    if (st == STATUS_OK) {
        r->write_blocked = false;
        x->request.ended = true;
        edge_request_finish(r);
        return true;
    }
    r->write_blocked = st == STATUS_AGAIN;
    if (st != STATUS_AGAIN)
        client_lost(r);
    return false;
}
