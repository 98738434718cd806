/* SPDX-License-Identifier: Apache-2.0 */
#include "site/trace.h"

#include "base/clock.h"
#include "base/limits.h"
#include "codec/html_escape.h"

struct trace {
    struct value list; /* of DICTs, in the order they ended */
    int64_t sum_us;
};

static bool asks(str query)
{
    str one, rest = query;
    while (rest.n) {
        str_cut(rest, '&', &one, &rest);
        if (str_is(one, "_trace=1"))
            return true;
    }
    return false;
}

void trace_begin(struct request *rq)
{
    if (!rq->site->config.settings.trace_debug || !asks(rq->query_string))
        return;
    rq->trace = ARENA_NEW(rq->arena, struct trace);
    rq->trace->list = value_list(rq->arena);
    rq->response_varies = true;
}

static struct value ms(int64_t us)
{
    return value_float((double)us / 1000.0);
}

void trace_sql(struct request *rq, str sql, const struct query_param *params, size_t param_count,
               int64_t started_mono_us, const char *error)
{
    struct arena *a = rq->arena;
    struct trace *t = rq->trace;
    if (!t || value_count(t->list) == (size_t)LIMIT_TRACE_STATEMENTS)
        return;
    int64_t now = clock_mono_us();
    struct value d = value_dict(a), named = value_dict(a);
    for (size_t i = 0; i < param_count; i++)
        value_set(named, params[i].name, params[i].value);
    VALUE_SET(d, "type", value_cstr("sql"));
    VALUE_SET(d, "start", value_float((double)(started_mono_us - rq->started_mono_us) / 1e6));
    VALUE_SET(d, "end", value_float((double)(now - rq->started_mono_us) / 1e6));
    VALUE_SET(d, "duration_ms", ms(now - started_mono_us));
    VALUE_SET(d, "database", rq->db ? value_str(rq->db->name) : VALUE_NULL);
    VALUE_SET(d, "sql", value_str(arena_str(a, str_trim(sql))));
    VALUE_SET(d, "params", named);
    if (error)
        VALUE_SET(d, "error", value_str(arena_str(a, str_of(error))));
    t->sum_us += now - started_mono_us;
    value_push(t->list, d);
}

static struct value summary(struct request *rq)
{
    struct value d = value_dict(rq->arena);
    VALUE_SET(d, "request_duration_ms", ms(clock_mono_us() - rq->started_mono_us));
    VALUE_SET(d, "sum_trace_duration_ms", ms(rq->trace->sum_us));
    VALUE_SET(d, "num_traces", value_int((int64_t)value_count(rq->trace->list)));
    VALUE_SET(d, "traces", rq->trace->list);
    return d;
}

/* body with `text` put in before its byte `at`. */
static void insert(struct request *rq, str body, size_t at, str text)
{
    struct buf b;
    buf_init(&b, body.n + text.n + 1);
    buf_puts(&b, str_sub(body, 0, at));
    buf_puts(&b, text);
    buf_puts(&b, str_from(body, at));
    response_body_take(rq->response, &b);
}

void trace_finish(struct request *rq)
{
    struct http_response *r = rq->response;
    struct arena *a = rq->arena;
    if (!rq->trace || (r->kind != HTTP_BODY_BUF && r->kind != HTTP_BODY_TEXT))
        return;
    str body = arena_str(a, r->kind == HTTP_BODY_BUF ? buf_str(&r->buf) : r->text);
    str type = http_headers_get(&r->headers, STR("content-type"));
    struct buf json;
    if (body.n > LIMIT_TRACE_BODY)
        return;
    buf_init(&json, LIMIT_JSON_OUTPUT);
    if (str_starts(type, STR("application/json")) && body.n && body.p[0] == '{' && str_ends(body, STR("}"))) {
        buf_puts(&json, body.n > 2 ? STR(", \"_trace\": ") : STR("\"_trace\": "));
        value_to_json(&json, summary(rq), 0);
        insert(rq, body, body.n - 1, buf_str(&json));
    } else if (str_starts(type, STR("text/html")) && str_find(body, STR("</body>")) != STR_NPOS) {
        value_to_json_indent(&json, summary(rq), VALUE_JSON_UTF8, 2);
        struct buf html;
        buf_init(&html, LIMIT_JSON_OUTPUT);
        buf_puts(&html, STR("<pre class=\"trace\">"));
        html_escape(&html, buf_str(&json));
        buf_puts(&html, STR("</pre>\n"));
        insert(rq, body, str_find(body, STR("</body>")), buf_str(&html));
        buf_release(&html);
    }
    buf_release(&json);
}
