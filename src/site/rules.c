/* SPDX-License-Identifier: Apache-2.0 */
#include "site/rules.h"

#include <stdlib.h>

#include "codec/url.h"

#define REDIRECTS "datasette-redirects"
#define HTTPS     "datasette-redirect-to-https"
#define FORBIDDEN "datasette-redirect-forbidden"
#define BLOCK     "datasette-block"
#define REFERRER  "datasette-referrer-policy"

struct redirect {
    str from; /* without slashes at its ends */
    str to;
    int status;
};

struct rules {
    struct redirect *redirects; /* sorted by `from`, once each */
    size_t redirect_count;
    const struct value_list *blocked; /* of texts; NULL = none */
    bool https;
    struct value https_headers; /* UNDEFINED or empty: whatever did not come by https */
    str forbidden_to, referrer;
};

static enum status wrong(struct err *err, const char *plugin, const char *key, const char *must)
{
    err_set(err, STATUS_INVALID, "plugins.%s%s%s %s", plugin, *key ? "." : "", key, must);
    return STATUS_INVALID;
}

static str bare(str path)
{
    while (path.n && path.p[0] == '/')
        path = str_from(path, 1);
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    return path;
}

static int by_from(const void *x, const void *y)
{
    const struct redirect *a = x, *b = y;
    return str_cmp(a->from, b->from);
}

static enum status read_status(struct arena *a, struct rules *r, str key, struct value paths, size_t room,
                               struct err *err)
{
    int64_t status;
    if (!str_to_i64(key, &status) || status < 300 || status > 399 || status == 304)
        return wrong(err, REDIRECTS, arena_cstr(a, key), "is no status of a redirect: 301, 302, 303, 307 or 308");
    if (paths.kind != VALUE_DICT)
        return wrong(err, REDIRECTS, arena_cstr(a, key), "must be an object: paths and where they lead");
    for (size_t i = 0; i < value_count(paths); i++) {
        const struct value_entry *e = &paths.dict->entries[i];
        if (!value_is_text(e->value) || !e->value.s.n)
            return wrong(err, REDIRECTS, arena_cstr(a, e->key), "must be the path or the address it leads to");
        ASSERT(r->redirect_count < room);
        r->redirects[r->redirect_count++] = (struct redirect){bare(e->key), e->value.s, (int)status};
    }
    return STATUS_OK;
}

static enum status read_redirects(struct arena *a, struct rules *r, struct value v, struct err *err)
{
    size_t room = 0;
    if (value_is_null(v))
        return STATUS_OK;
    if (v.kind != VALUE_DICT)
        return wrong(err, REDIRECTS, "", "must be an object: statuses, each with its paths");
    for (size_t i = 0; i < value_count(v); i++)
        room += v.dict->entries[i].value.kind == VALUE_DICT ? value_count(v.dict->entries[i].value) : 0;
    r->redirects = ARENA_ARRAY(a, struct redirect, room + 1);
    enum status st = STATUS_OK;
    for (size_t i = 0; i < value_count(v) && st == STATUS_OK; i++)
        st = read_status(a, r, v.dict->entries[i].key, v.dict->entries[i].value, room, err);
    qsort(r->redirects, r->redirect_count, sizeof *r->redirects, by_from);
    for (size_t i = 1; i < r->redirect_count && st == STATUS_OK; i++)
        if (str_eq(r->redirects[i - 1].from, r->redirects[i].from))
            st = wrong(err, REDIRECTS, arena_cstr(a, r->redirects[i].from), "is there twice");
    return st;
}

static enum status read_block(struct rules *r, struct value v, struct err *err)
{
    struct value prefixes = VALUE_GET(v, "prefixes");
    if (value_is_null(prefixes))
        return STATUS_OK;
    if (prefixes.kind != VALUE_LIST)
        return wrong(err, BLOCK, "prefixes", "must be a list of paths");
    for (size_t i = 0; i < value_count(prefixes); i++)
        if (!value_is_text(value_at(prefixes, i)) || !value_at(prefixes, i).s.n)
            return wrong(err, BLOCK, "prefixes", "must be a list of paths");
    r->blocked = prefixes.list;
    return STATUS_OK;
}

static enum status read_https(struct rules *r, struct value v, struct err *err)
{
    r->https = v.kind == VALUE_DICT || (v.kind == VALUE_BOOL && v.b);
    r->https_headers = VALUE_GET(v, "if_headers");
    if (value_is_null(r->https_headers))
        return STATUS_OK;
    if (r->https_headers.kind != VALUE_DICT)
        return wrong(err, HTTPS, "if_headers", "must be an object: names of headers and their values");
    for (size_t i = 0; i < value_count(r->https_headers); i++)
        if (!value_is_text(r->https_headers.dict->entries[i].value))
            return wrong(err, HTTPS, "if_headers", "must be an object: names of headers and their values");
    return STATUS_OK;
}

static enum status read_text(struct value v, const char *plugin, const char *key, str *ret, struct err *err)
{
    struct value text = value_get(v, str_of(key));
    if (value_is_null(text))
        return STATUS_OK;
    if (!value_is_text(text) || !text.s.n)
        return wrong(err, plugin, key, "must be a text");
    *ret = text.s;
    return STATUS_OK;
}

static struct value plugin(const struct config *c, const char *name)
{
    return config_plugin(c, str_of(name), (str){0}, (str){0});
}

enum status rules_new(struct arena *a, const struct config *c, const struct rules **ret, struct err *err)
{
    struct rules *r = ARENA_NEW(a, struct rules);
    r->https_headers = VALUE_UNDEF;
    r->referrer = STR("no-referrer");
    struct value referrer = plugin(c, REFERRER);
    if (referrer.kind == VALUE_DICT) /* there, but without a policy: the plugin's own default */
        r->referrer = STR("strict-origin-when-cross-origin");
    enum status st = read_redirects(a, r, plugin(c, REDIRECTS), err);
    if (st == STATUS_OK)
        st = read_https(r, plugin(c, HTTPS), err);
    if (st == STATUS_OK)
        st = read_block(r, plugin(c, BLOCK), err);
    if (st == STATUS_OK)
        st = read_text(plugin(c, FORBIDDEN), FORBIDDEN, "redirect_to", &r->forbidden_to, err);
    if (st == STATUS_OK)
        st = read_text(referrer, REFERRER, "policy", &r->referrer, err);
    if (st == STATUS_OK)
        *ret = r;
    return st;
}

/* ---- asking ---------------------------------------------------------------------------------------------------------
 */

static bool wants_https(const struct rules *rules, const struct http_request *http, bool secure)
{
    if (!rules->https)
        return false;
    if (!value_count(rules->https_headers))
        return !secure;
    for (size_t i = 0; i < value_count(rules->https_headers); i++) {
        const struct value_entry *e = &rules->https_headers.dict->entries[i];
        if (str_eq(http_header(http, e->key), e->value.s))
            return true;
    }
    return false;
}

static void to_https(const struct http_request *http, struct http_response *r)
{
    if (http->method == HTTP_GET || http->method == HTTP_HEAD) {
        r->status = 301;
        response_header(r, STR("location"), ARENA_CAT(http->arena, STR("https://"), http->host, http->target));
        return;
    }
    r->status = 405; /* what was sent in the clear is not sent on */
    response_header(r, STR("content-type"), STR("text/plain; charset=utf-8"));
    response_body_text(r, STR("Use https for this address.\n"));
}

/* Names in paths are read with percent and with tilde escapes undone, so "/%70rivate" is no way around "/private". */
static bool is_blocked(const struct rules *rules, struct arena *a, str path)
{
    str percent = url_unquote(a, path), plain = tilde_decode(a, percent);
    for (size_t i = 0; rules->blocked && i < rules->blocked->count; i++) {
        str prefix = rules->blocked->items[i].s;
        if (str_starts(path, prefix) || str_starts(percent, prefix) || str_starts(plain, prefix))
            return true;
    }
    return false;
}

bool rules_has_gate(const struct rules *rules)
{
    return rules->blocked || rules->https;
}

bool rules_gate(const struct rules *rules, const struct http_request *http, str path, bool secure,
                struct http_response *r)
{
    if (is_blocked(rules, http->arena, path)) {
        r->status = 403;
        response_header(r, STR("content-type"), STR("text/plain"));
        response_body_text(r, STR("403 denied"));
        return true;
    }
    if (!wants_https(rules, http, secure) || !http->host.n || !str_starts(http->target, STR("/")))
        return false;
    to_https(http, r);
    return true;
}

str rules_redirect(const struct rules *rules, str path, int *ret_status)
{
    size_t low = 0, high = rules->redirect_count;
    path = bare(path);
    while (path.n && low < high) {
        size_t mid = low + (high - low) / 2;
        int order = str_cmp(rules->redirects[mid].from, path);
        if (order == 0) {
            *ret_status = rules->redirects[mid].status;
            return rules->redirects[mid].to;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return (str){NULL, 0};
}

str rules_forbidden_to(const struct rules *rules)
{
    return rules->forbidden_to;
}

str rules_referrer_policy(const struct rules *rules)
{
    return rules->referrer;
}
