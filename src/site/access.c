/* SPDX-License-Identifier: Apache-2.0 */
#include "site/access.h"

#include "base/log.h"
#include "site/app.h"
#include "site/metrics.h"
#include "site/route.h"

/* splitmix64: each state gives another number, and the first one is random. */
static uint64_t next_id(struct site *s)
{
    uint64_t z = s->shared->id_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct request_note *access_note(struct site *s, const struct http_request *http)
{
    struct request_note *n = ARENA_NEW(http->arena, struct request_note);
    struct trace_context trace;
    str id = http_header(http, STR("x-request-id"));
    if (trace_context_find(&http->headers, &trace)) {
        n->trace_id = trace.trace_id;
        n->parent_id = trace.parent_id;
        trace_span_format(next_id(s), n->span_id);
    }
    if (!request_id_ok(id)) {
        trace_span_format(next_id(s), n->made_id);
        id = str_make(n->made_id, TRACE_SPAN_HEX);
    }
    n->id = id;
    return n;
}

str access_client(const struct site *s, const struct http_request *http, struct request_note *note)
{
    if (!note->has_client)
        forwarded_find(&s->proxies, &http->headers, http->peer, &note->from);
    note->has_client = true;
    return str_of(note->from.client);
}

void access_headers(const struct site *s, const struct request_note *note, int64_t render_us, struct http_response *r)
{
    response_header(r, STR("x-request-id"), note->id);
    if (!s->config.settings.server_timing)
        return;
    str text = STR("cache;desc=hit");
    if (render_us >= 0)
        text = arena_printf(r->arena, "sql;dur=%lld.%03lld, render;dur=%lld.%03lld, cache;desc=miss",
                            (long long)note->sql_us / 1000, (long long)note->sql_us % 1000, (long long)render_us / 1000,
                            (long long)render_us % 1000);
    response_header(r, STR("server-timing"), text);
}

static str route_text(unsigned label)
{
    static const char *const names[] = {"refused", "static", "none"};
    return str_of(label < METRICS_ROUTES ? names[label] : routes[label - METRICS_ROUTES].pattern);
}

void access_log(const struct site *s, const struct http_access *a)
{
    static const struct request_note none;
    const struct http_request *http = a->request;
    const struct request_note *n = a->note ? a->note : &none;
    struct forwarded from;
    if (n->has_client)
        from = n->from;
    else
        forwarded_find(&s->proxies, &http->headers, a->peer, &from);
    const struct log_field texts[] = {
        LOG_STR("request_id", n->id),
        LOG_STR("client", str_of(from.client)),
        LOG_STR("peer", a->peer),
        LOG_STR("method", http->method_text),
        LOG_STR("target", http->target),
        LOG_STR("route", route_text(a->label)),
        LOG_STR("cache", n->cached ? STR("hit") : STR("miss")),
        LOG_STR("complete", a->complete ? STR("yes") : STR("no")),
        LOG_STR("actor", n->actor),
        LOG_STR("reason", n->reason),
        LOG_STR("trace_id", n->trace_id),
        LOG_STR("parent_id", n->parent_id),
        LOG_STR("span_id", str_of(n->span_id)),
        LOG_STR("user_agent", http_header(http, STR("user-agent"))),
        LOG_STR("referer", http_header(http, STR("referer"))),
    };
    struct log_field f[ARRAY_LEN(texts) + 4] = {
        LOG_I64("status", a->status),
        LOG_I64("bytes", a->sent_bytes),
        LOG_I64("us", a->duration_us),
        LOG_I64("sql_us", n->sql_us),
    };
    size_t count = 4;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) /* what is not there is left out */
        if (texts[i].s.n)
            f[count++] = texts[i];
    log_fields(LOG_INFO, "access", STR("request"), f, count);
}
