/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/urls.h"

#include "assets/assets.h"
#include "codec/digest.h"
#include "codec/url.h"
#include "site/links.h"
#include "site/render/cells.h"
#include "site/render/messages.h"
#include "template/eval.h"

/* i-th positional argument, else the keyword, else UNDEFINED. */
static struct value arg(const struct value_args *args, size_t i, const char *keyword)
{
    if (i < args->count)
        return args->positional[i];
    for (size_t k = 0; k < args->keyword_count; k++)
        if (str_is(args->keywords[k].key, keyword))
            return args->keywords[k].value;
    return VALUE_UNDEF;
}

static str text_arg(struct eval *ev, const struct value_args *args, size_t i, const char *keyword)
{
    struct value v = arg(args, i, keyword);
    return value_is_null(v) ? (str){0} : value_to_str(eval_arena(ev), v);
}

static struct value with_format(struct request *rq, str path, struct eval *ev, const struct value_args *args, size_t i)
{
    str format = text_arg(ev, args, i, "format");
    return value_safe(format.n ? link_with_format(rq, path, format) : path);
}

/* ---- urls.* -------------------------------------------------------------------------------------------------------
 */

#define URL_FUNCTION(name)                                                                                             \
    static enum status url_##name(void *self, struct eval *ev, const struct value_args *args, struct value *ret)

URL_FUNCTION(path)
{
    *ret = with_format(self, link_path(self, text_arg(ev, args, 0, "path")), ev, args, 1);
    return STATUS_OK;
}

URL_FUNCTION(instance)
{
    *ret = with_format(self, link_path(self, STR("")), ev, args, 0);
    return STATUS_OK;
}

URL_FUNCTION(static)
{
    *ret = value_safe(link_path(self, ARENA_CAT(eval_arena(ev), STR("-/static/"), text_arg(ev, args, 0, "path"))));
    return STATUS_OK;
}

URL_FUNCTION(static_plugins)
{
    *ret =
        value_safe(link_path(self, ARENA_CAT(eval_arena(ev), STR("-/static-plugins/"), text_arg(ev, args, 0, "plugin"),
                                             STR("/"), text_arg(ev, args, 1, "path"))));
    return STATUS_OK;
}

URL_FUNCTION(logout)
{
    (void)ev;
    (void)args;
    *ret = value_safe(link_path(self, STR("-/logout")));
    return STATUS_OK;
}

URL_FUNCTION(database)
{
    *ret = with_format(self, link_database(self, text_arg(ev, args, 0, "database")), ev, args, 1);
    return STATUS_OK;
}

URL_FUNCTION(database_query)
{
    str link = link_query(self, text_arg(ev, args, 0, "database"), text_arg(ev, args, 1, "sql"));
    *ret = with_format(self, link, ev, args, 2);
    return STATUS_OK;
}

URL_FUNCTION(table)
{
    str link = link_table(self, text_arg(ev, args, 0, "database"), text_arg(ev, args, 1, "table"));
    *ret = with_format(self, link, ev, args, 2);
    return STATUS_OK;
}

URL_FUNCTION(query)
{
    str link = link_table(self, text_arg(ev, args, 0, "database"), text_arg(ev, args, 1, "query"));
    *ret = with_format(self, link, ev, args, 2);
    return STATUS_OK;
}

URL_FUNCTION(row)
{
    str link = link_row(self, text_arg(ev, args, 0, "database"), text_arg(ev, args, 1, "table"),
                        text_arg(ev, args, 2, "row_path"));
    *ret = with_format(self, link, ev, args, 3);
    return STATUS_OK;
}

URL_FUNCTION(row_blob)
{
    *ret = value_safe(link_blob(self, text_arg(ev, args, 0, "database"), text_arg(ev, args, 1, "table"),
                                text_arg(ev, args, 2, "row_path"), text_arg(ev, args, 3, "column")));
    return STATUS_OK;
}

struct named_class {
    const char *name;
    struct value_class class;
};
#define URL_ROW(id)                                                                                                    \
    {                                                                                                                  \
#id,                                                                                                           \
        {                                                                                                              \
            .name = "function", .call = url_##id                                                                       \
        }                                                                                                              \
    }
static const struct named_class url_functions[] = {
    URL_ROW(path),   URL_ROW(instance), URL_ROW(static),         URL_ROW(static_plugins),
    URL_ROW(logout), URL_ROW(database), URL_ROW(database_query), URL_ROW(table),
    URL_ROW(query),  URL_ROW(row),      URL_ROW(row_blob)};

static bool find_function(const struct named_class *table, size_t count, void *self, str name, struct value *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(name, table[i].name)) {
            *ret = value_object(&table[i].class, self);
            return true;
        }
    }
    return false;
}

static bool urls_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    (void)ev;
    return find_function(url_functions, ARRAY_LEN(url_functions), self, name, ret);
}

static const struct value_class urls_class = {.name = "urls", .attr = urls_attr};

/* ---- request.* ------------------------------------------------------------------------------------------------------
 */

static enum status args_get_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct request *rq = self;
    str v = args_get(&rq->args, text_arg(ev, args, 0, "key"));
    *ret = v.p ? value_str(v) : (args->count > 1 ? args->positional[1] : VALUE_NULL);
    return STATUS_OK;
}

static enum status args_getlist_call(void *self, struct eval *ev, const struct value_args *args, struct value *ret)
{
    const struct request *rq = self;
    const struct arg *first;
    size_t n = args_all(&rq->args, text_arg(ev, args, 0, "key"), &first);
    *ret = value_list(eval_arena(ev));
    for (size_t i = 0; i < n; i++)
        value_push(*ret, value_str(first[i].value));
    return STATUS_OK;
}

static const struct named_class args_functions[] = {
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
    return find_function(args_functions, ARRAY_LEN(args_functions), self, name, ret) ||
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

static const struct value_class args_class = {
    .name = "args", .attr = args_attr, .item = args_item, .next = args_next_item, .truth = args_truth};

static struct value headers_dict(const struct request *rq, struct arena *a)
{
    struct value d = value_dict(a);
    for (size_t i = 0; i < rq->http->headers.count; i++) {
        const struct http_header *h = &rq->http->headers.items[i];
        char *lower = arena_cstr(a, h->name);
        for (size_t k = 0; k < h->name.n; k++)
            if (lower[k] >= 'A' && lower[k] <= 'Z')
                lower[k] = (char)(lower[k] + 32);
        value_set(d, str_make(lower, h->name.n), value_str(h->value));
    }
    return d;
}

static bool request_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    struct request *rq = self;
    struct arena *a = eval_arena(ev);
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
    else if (str_is(name, "url_vars"))
        *ret = request_url_vars(rq, a);
    else
        return false;
    return true;
}

static const struct value_class request_class = {.name = "request", .attr = request_attr};

/* ---- functions ------------------------------------------------------------------------------------------------------
 */

#define PAGE_FUNCTION(name)                                                                                            \
    static enum status fn_##name(void *self, struct eval *ev, const struct value_args *args, struct value *ret)

PAGE_FUNCTION(static)
{
    struct arena *a = eval_arena(ev);
    str path = text_arg(ev, args, 0, "path");
    const struct asset *asset = asset_find(ARENA_CAT(a, STR("static/"), path));
    str link = link_path(self, ARENA_CAT(a, STR("-/static/"), path));
    *ret = value_safe(asset ? ARENA_CAT(a, link, STR("?_hash="), str_make(asset->etag, 12)) : link);
    return STATUS_OK;
}

static void crumb(struct value list, struct arena *a, str href, str label)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "href", value_safe(href));
    VALUE_SET(d, "label", value_str(label));
    value_push(list, d);
}

PAGE_FUNCTION(crumb_items)
{
    struct request *rq = self;
    struct arena *a = eval_arena(ev);
    str db = text_arg(ev, args, 1, "database"), table = text_arg(ev, args, 2, "table");
    *ret = value_list(a);
    if (request_allowed(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0}))
        crumb(*ret, a, link_path(rq, STR("")), STR("home"));
    if (db.n && request_allowed(rq, ACTION_VIEW_DATABASE, db, (str){0}))
        crumb(*ret, a, link_database(rq, db), db);
    if (db.n && table.n && request_allowed(rq, ACTION_VIEW_TABLE, db, table))
        crumb(*ret, a, link_table(rq, db, table), table);
    return STATUS_OK;
}

PAGE_FUNCTION(empty_list)
{
    (void)self;
    (void)args;
    *ret = value_list(eval_arena(ev));
    return STATUS_OK;
}

PAGE_FUNCTION(empty_text)
{
    (void)self;
    (void)args;
    (void)ev;
    *ret = value_safe(STR(""));
    return STATUS_OK;
}

PAGE_FUNCTION(display_actor)
{
    static const char *const keys[] = {"display", "name", "username", "login", "id"};
    struct value actor = arg(args, 0, "actor");
    (void)self;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct value v = value_get(actor, str_of(keys[i]));
        if (value_truth(v)) {
            *ret = value_str(value_to_str(eval_arena(ev), v));
            return STATUS_OK;
        }
    }
    *ret = value_str(value_to_str(eval_arena(ev), actor));
    return STATUS_OK;
}

PAGE_FUNCTION(zip)
{
    struct arena *a = eval_arena(ev);
    size_t shortest = (size_t)-1;
    (void)self;
    *ret = value_list(a);
    for (size_t i = 0; i < args->count; i++)
        shortest = MIN(shortest, args->positional[i].kind == VALUE_LIST ? value_count(args->positional[i]) : 0);
    for (size_t r = 0; args->count && r < shortest; r++) {
        struct value t = value_list(a);
        t.tuple = true;
        for (size_t i = 0; i < args->count; i++)
            value_push(t, value_at(args->positional[i], r));
        value_push(*ret, t);
    }
    return STATUS_OK;
}

PAGE_FUNCTION(format_bytes)
{
    struct value v = arg(args, 0, "bytes");
    (void)self;
    *ret = value_str(format_bytes(eval_arena(ev), v.kind == VALUE_INT ? v.i : 0));
    return STATUS_OK;
}

PAGE_FUNCTION(show_messages)
{
    (void)args;
    *ret = messages_take(self, eval_arena(ev));
    return STATUS_OK;
}

PAGE_FUNCTION(append_querystring)
{
    struct arena *a = eval_arena(ev);
    str url = text_arg(ev, args, 0, "url"), query = text_arg(ev, args, 1, "querystring");
    (void)self;
    *ret = value_str(ARENA_CAT(a, url, str_find_char(url, '?') == STR_NPOS ? STR("?") : STR("&"), query));
    return STATUS_OK;
}

/* path_with_replaced_args(request, {key: value or none}): this page with these arguments in place of theirs. */
PAGE_FUNCTION(path_with_replaced_args)
{
    struct request *rq = self;
    struct arena *a = eval_arena(ev);
    struct value dict = arg(args, 1, "args");
    if (dict.kind != VALUE_DICT)
        return eval_fail(ev, STATUS_INVALID, "path_with_replaced_args() takes the request and a dict");
    VEC(struct url_pair) kept = {0};
    for (size_t i = 0; i < rq->args.count; i++)
        if (!value_has(dict, rq->args.items[i].key))
            VEC_PUSH(a, &kept, (struct url_pair){rq->args.items[i].key, rq->args.items[i].value});
    for (size_t i = 0; i < dict.dict->count; i++)
        if (!value_is_null(dict.dict->entries[i].value))
            VEC_PUSH(a, &kept,
                     (struct url_pair){dict.dict->entries[i].key, value_to_str(a, dict.dict->entries[i].value)});
    str query = url_encode(a, kept.items, kept.count);
    str path = link_path(rq, rq->path); /* fix_path() puts the prefix in front again, as in Datasette */
    *ret = value_str(query.n ? ARENA_CAT(a, path, STR("?"), query) : path);
    return STATUS_OK;
}

PAGE_FUNCTION(fix_path)
{
    *ret = value_str(link_path(self, text_arg(ev, args, 0, "path")));
    return STATUS_OK;
}

#define PAGE_ROW(id, fn)                                                                                               \
    {                                                                                                                  \
        id,                                                                                                            \
        {                                                                                                              \
            .name = "function", .call = fn                                                                             \
        }                                                                                                              \
    }
static const struct named_class page_functions[] = {
    PAGE_ROW("static", fn_static),
    PAGE_ROW("crumb_items", fn_crumb_items),
    PAGE_ROW("menu_links", fn_empty_list),
    PAGE_ROW("csrftoken", fn_empty_text),
    PAGE_ROW("display_actor", fn_display_actor),
    PAGE_ROW("zip", fn_zip),
    PAGE_ROW("format_bytes", fn_format_bytes),
    PAGE_ROW("show_messages", fn_show_messages),
    PAGE_ROW("append_querystring", fn_append_querystring),
    PAGE_ROW("path_with_replaced_args", fn_path_with_replaced_args),
    PAGE_ROW("fix_path", fn_fix_path),
    /* slots and action menus of the pages: filled by plugins and by what the actor may do */
    PAGE_ROW("actions", fn_empty_list),
    PAGE_ROW("database_actions", fn_empty_list),
    PAGE_ROW("query_actions", fn_empty_list),
    PAGE_ROW("top_homepage", fn_empty_text),
    PAGE_ROW("top_database", fn_empty_text),
    PAGE_ROW("top_table", fn_empty_text),
    PAGE_ROW("top_row", fn_empty_text),
    PAGE_ROW("top_query", fn_empty_text),
    PAGE_ROW("top_stored_query", fn_empty_text),
};

void urls_add(struct request *rq, struct value vars)
{
    VALUE_SET(vars, "urls", value_object(&urls_class, rq));
    VALUE_SET(vars, "request", value_object(&request_class, rq));
    for (size_t i = 0; i < ARRAY_LEN(page_functions); i++)
        if (!value_has(vars, str_of(page_functions[i].name)))
            value_set(vars, str_of(page_functions[i].name), value_object(&page_functions[i].class, rq));
}
