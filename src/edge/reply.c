/* SPDX-License-Identifier: Apache-2.0 */
/* reply — answers of the edge's own: redirects, and errors that say what happened and what to do (page.h). */
#include <stdio.h>

#include "base/clock.h"
#include "edge/page.h"
#include "edge/worker_impl.h"
#include "http/message.h"

#define RETRY_S 2 /* when nobody knows better */

/* `location` and `body` lie in x->up_in, or are static. */
static void reply(struct edge_request *r, int status, str type, str location, str body, int64_t retry_s)
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
    if (status == 429 || status == 503 || status == 504) {
        int wrote = snprintf(x->retry_after, sizeof(x->retry_after), "%lld", (long long)(retry_s ? retry_s : RETRY_S));
        f[n++] = (struct http_header){STR("Retry-After"), str_make(x->retry_after, (size_t)wrote)};
    }
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

static void reply_page(struct edge_request *r, const struct edge_page *p)
{
    struct edge_exchange *x = r->x;
    enum page_form form = page_form_for(http_headers_get(&x->head.headers, STR("accept")));
    buf_clear(&x->up_in);
    page_put(&x->up_in, p, form, clock_unix_s());
    reply(r, p->status, page_type(form), STR(""), buf_str(&x->up_in), p->retry_s);
}

void reply_status(struct edge_request *r, int status, const char *text, const char *remedy)
{
    reply_page(r, &(struct edge_page){.status = status, .text = text, .remedy = remedy});
}

void reply_nowhere(struct edge_request *r)
{
    reply_page(r, &(struct edge_page){.status = 404,
                                      .title = "There is no site here",
                                      .text = "Nothing answers for this address.",
                                      .remedy = "It may be mistyped, or what was here has moved."});
}

void reply_stopped(struct edge_request *r, const struct edge_target *target)
{
    reply_page(r, &(struct edge_page){.status = 503,
                                      .title = "This site is stopped",
                                      .text = target->message.n ? "" : "Whoever runs it has stopped it for now.",
                                      .remedy = "",
                                      .message = target->message,
                                      .since_unix_s = target->since_unix_s});
}

void reply_trouble(struct edge_request *r, const struct edge_target *target)
{
    static const struct {
        const char *title, *text;
    } what[] = {[EDGE_WELL] = {"", ""},
                [EDGE_CRASHED] = {"This site has stopped working", "It ended unexpectedly and is being started again."},
                [EDGE_OUT_OF_MEMORY] = {"This site has run out of memory",
                                        "It needed more than it may have, and is being started again."},
                [EDGE_NOT_STARTED] = {"This site could not be started", "Each try to start it has failed so far."}};
    int64_t left_us = target->again_us - loop_now_us(r->conn->worker->loop);
    reply_page(r, &(struct edge_page){.status = 503,
                                      .title = what[target->trouble].title,
                                      .text = what[target->trouble].text,
                                      .remedy = "Nothing of your request was carried out. If it stays so, tell whoever "
                                                "runs this site.",
                                      .since_unix_s = target->since_unix_s,
                                      .retry_s = MAX(1, (left_us + 999999) / 1000000)});
}

void reply_late(struct edge_request *r, const char *text)
{
    reply_page(r, &(struct edge_page){.status = 503,
                                      .title = "This site is busy",
                                      .text = text,
                                      .remedy = "Nothing of your request was carried out.",
                                      .retry_s = RETRY_S});
}

void reply_too_many(struct edge_request *r, int64_t after_ms)
{
    count_add(&r->x->app->shares[r->conn->worker->config.index].counts[EDGE_RATED], 1);
    reply_page(r, &(struct edge_page){.status = 429,
                                      .title = "Too many requests",
                                      .text = "This site gets more requests than it may answer.",
                                      .remedy = "Nothing of your request was carried out.",
                                      .retry_s = MAX(1, (after_ms + 999) / 1000)});
}

void reply_token(struct edge_request *r, str text)
{
    reply(r, 200, STR("application/octet-stream"), STR(""), text, 0);
}

/* To the same address by TLS. The host as the route has it; of a wildcard as the client said it. */
void reply_https(struct edge_request *r, const struct edge_route *route)
{
    struct edge_exchange *x = r->x;
    str host = route->host, rest;
    if (!host.n || host.p[0] == '*')
        str_cut(x->host, ':', &host, &rest);
    buf_clear(&x->up_in);
    buf_printf(&x->up_in, "https://%.*s", STR_ARG(host));
    if (route->https_port != 443)
        buf_printf(&x->up_in, ":%u", route->https_port);
    buf_puts(&x->up_in, x->target.path);
    if (x->target.has_query) {
        buf_putc(&x->up_in, '?');
        buf_puts(&x->up_in, x->target.query);
    }
    reply(r, 308, STR("text/plain; charset=utf-8"), buf_str(&x->up_in), STR("This address is served by https.\n"), 0);
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
          STR("This address has moved.\n"), 0);
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
