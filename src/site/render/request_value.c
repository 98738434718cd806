/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/request_value.h"

#include "site/links.h"
#include "site/render/functions.h"
#include "template/eval.h"

static enum status args_get_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct request *rq = self;
    str v = args_get(&rq->args, function_text(ev, args, 0, "key"));
    *ret = v.p ? value_str(v) : (args->count > 1 ? args->positional[1] : VALUE_NULL);
    return STATUS_OK;
}

static enum status args_getlist_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct request *rq = self;
    const struct arg *first;
    size_t n = args_all(&rq->args, function_text(ev, args, 0, "key"), &first);
    *ret = value_list(eval_arena(ev));
    for (size_t i = 0; i < n; i++)
        value_push(*ret, value_str(first[i].value));
    return STATUS_OK;
}

static enum status args_keys_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct request *rq = self;
    (void)args;
    *ret = value_list(eval_arena(ev));
    for (size_t i = 0; i < rq->args.count; i = args_next_key(&rq->args, i))
        value_push(*ret, value_str(rq->args.items[i].key));
    return STATUS_OK;
}

static const struct function args_functions[] = {
    {"keys", {.name = "method", .call = args_keys_call}},
    {"get", {.name = "method", .call = args_get_call}},
    {"getlist", {.name = "method", .call = args_getlist_call}},
};

static bool args_item(void *self, struct eval *ev, struct value key, struct value *ret)
{
    const struct request *rq = self;
    (void)ev;
    str v = value_is_text(key) ? args_get(&rq->args, key.s) : (str){0};
    if (v.p)
        *ret = value_str(v);
    return v.p != NULL;
}

static bool args_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    return function_find(args_functions, ARRAY_LEN(args_functions), self, name, ret) ||
           args_item(self, ev, value_str(name), ret);
}

static bool args_next_item(void *self, struct eval *ev, size_t i, struct value *ret)
{
    const struct request *rq = self;
    size_t at = 0;
    (void)ev;
    while (at < rq->args.count && i--)
        at = args_next_key(&rq->args, at);
    if (at >= rq->args.count)
        return false;
    *ret = value_str(rq->args.items[at].key);
    return true;
}

static bool args_truth(void *self)
{
    return ((const struct request *)self)->args.count > 0;
}

static int64_t args_length(void *self, struct eval *ev)
{
    const struct request *rq = self;
    int64_t n = 0;
    (void)ev;
    for (size_t i = 0; i < rq->args.count; i = args_next_key(&rq->args, i))
        n++;
    return n;
}

/* {key: first value} */
static struct value args_plain(void *self, struct arena *a)
{
    const struct request *rq = self;
    struct value d = value_dict(a);
    for (size_t i = 0; i < rq->args.count; i = args_next_key(&rq->args, i))
        value_set(d, rq->args.items[i].key, value_str(rq->args.items[i].value));
    return d;
}

static const struct value_class args_class = {.name = "args",
                                              .attr = args_attr,
                                              .item = args_item,
                                              .next = args_next_item,
                                              .length = args_length,
                                              .truth = args_truth,
                                              .plain = args_plain};

static struct value headers_dict(const struct request *rq, struct arena *a)
{
    struct value d = value_dict(a);
    for (size_t i = 0; i < rq->http->headers.count; i++) {
        const struct http_header *h = &rq->http->headers.items[i];
        value_set(d, arena_lower(a, h->name), value_str(h->value));
    }
    return d;
}

/* What of ASGI's scope templates can use. */
static struct value scope_dict(struct request *rq, struct arena *a)
{
    struct value d = value_dict(a), headers = value_list(a), route = value_dict(a);
    for (size_t i = 0; i < rq->http->headers.count; i++) {
        struct value pair = value_list(a);
        pair.tuple = true;
        value_push(pair, value_bytes(arena_lower(a, rq->http->headers.items[i].name)));
        value_push(pair, value_bytes(rq->http->headers.items[i].value));
        value_push(headers, pair);
    }
    VALUE_SET(route, "kwargs", request_url_vars(rq, a));
    VALUE_SET(d, "type", value_cstr("http"));
    VALUE_SET(d, "http_version", value_str(arena_printf(a, "1.%d", rq->http->minor)));
    VALUE_SET(d, "method", value_str(rq->http->method_text));
    VALUE_SET(d, "scheme", value_cstr(str_starts(request_origin(rq), STR("https:")) ? "https" : "http"));
    VALUE_SET(d, "path", value_str(link_path(rq, rq->path)));
    VALUE_SET(d, "raw_path", value_bytes(link_path(rq, rq->path)));
    VALUE_SET(d, "route_path", value_str(rq->path));
    VALUE_SET(d, "query_string", value_bytes(rq->query_string));
    VALUE_SET(d, "headers", headers);
    VALUE_SET(d, "actor", rq->actor);
    VALUE_SET(d, "url_route", route);
    return d;
}

static bool request_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    struct request *rq = self;
    struct arena *a = eval_arena(ev);
    if (str_is(name, "headers") || str_is(name, "cookies") || str_is(name, "scope"))
        rq->response_varies = true; /* what is read of one client must not be kept for the next */
    if (str_is(name, "path"))
        *ret = value_str(link_path(rq, rq->path));
    else if (str_is(name, "full_path"))
        *ret = value_str(request_full_path(rq));
    else if (str_is(name, "query_string"))
        *ret = value_str(rq->query_string);
    else if (str_is(name, "url"))
        *ret = value_str(request_absolute_url(rq, request_full_path(rq)));
    else if (str_is(name, "host"))
        *ret = value_str(rq->http->host);
    else if (str_is(name, "scheme"))
        *ret = value_str(str_starts(request_origin(rq), STR("https:")) ? STR("https") : STR("http"));
    else if (str_is(name, "method"))
        *ret = value_str(rq->http->method_text);
    else if (str_is(name, "args"))
        *ret = value_object(&args_class, rq);
    else if (str_is(name, "actor"))
        *ret = rq->actor;
    else if (str_is(name, "headers"))
        *ret = headers_dict(rq, a);
    else if (str_is(name, "cookies"))
        *ret = request_cookies(rq, a);
    else if (str_is(name, "scope"))
        *ret = scope_dict(rq, a);
    else if (str_is(name, "url_vars"))
        *ret = request_url_vars(rq, a);
    else
        return false;
    return true;
}

static const struct value_class request_class = {.name = "request", .attr = request_attr};

struct value request_value(struct request *rq)
{
    return value_object(&request_class, rq);
}

void request_shortcuts(struct request *rq, struct value vars)
{
    str q = request_arg(rq, "q");
    if (!value_has(vars, STR("args")))
        VALUE_SET(vars, "args", value_object(&args_class, rq));
    if (!value_has(vars, STR("path")))
        VALUE_SET(vars, "path", value_str(link_path(rq, rq->path)));
    if (q.p && !value_has(vars, STR("q")))
        VALUE_SET(vars, "q", value_str(q));
}
