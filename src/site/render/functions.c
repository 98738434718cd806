/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/functions.h"

#include "assets/assets.h"
#include "codec/url.h"
#include "site/accounts.h"
#include "site/links.h"
#include "site/render/cell_html.h"
#include "site/render/cell_show.h"
#include "site/render/messages.h"
#include "site/render/request_value.h"
#include "site/render/sql_function.h"
#include "site/render/urls.h"
#include "site/searchable.h"
#include "site/space/session.h"
#include "site/space/space.h"
#include "site/tokens.h"
#include "site/visitors.h"
#include "site/write/actions.h"
#include "template/eval.h"

str function_text(struct eval *ev, const struct value_args *args, size_t i, const char *keyword)
{
    struct value v = eval_arg(args, i, keyword);
    return value_is_null(v) ? (str){0} : value_to_str(eval_arena(ev), v);
}

bool function_find(const struct function *table, size_t count, void *self, str name, struct value *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is(name, table[i].name)) {
            *ret = value_object(&table[i].class, self);
            return true;
        }
    }
    return false;
}

#define PAGE_FUNCTION(name)                                                                                            \
    static enum status fn_##name(void *self, struct eval *ev, const struct value_args *args, struct value *ret)

/* static(path): a file of the program, with its hash; static(path, mount="m"): of --static m:...; plugin="p" likewise.
 */
PAGE_FUNCTION(static)
{
    struct arena *a = eval_arena(ev);
    str path = function_text(ev, args, 0, "path"), plugin = function_text(ev, args, 1, "plugin");
    str mount = function_text(ev, args, 2, "mount");
    if (plugin.n && mount.n)
        return eval_fail(ev, STATUS_INVALID, "static(): use either plugin= or mount=, not both");
    if (mount.n) {
        while (mount.n && mount.p[0] == '/')
            mount = str_from(mount, 1);
        *ret = value_str(link_path(self, ARENA_CAT(a, mount, STR("/"), path)));
        return STATUS_OK;
    }
    if (plugin.n) {
        *ret = value_str(link_path(self, ARENA_CAT(a, STR("-/static-plugins/"), plugin, STR("/"), path)));
        return STATUS_OK;
    }
    const struct asset *asset = asset_find(ARENA_CAT(a, STR("static/"), path));
    str link = link_path(self, ARENA_CAT(a, STR("-/static/"), path));
    *ret = value_str(asset ? ARENA_CAT(a, link, STR("?_hash="), str_make(asset->etag, 12)) : link);
    return STATUS_OK;
}

static void crumb(struct value list, struct arena *a, str href, str label)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "href", value_str(href));
    VALUE_SET(d, "label", value_str(label));
    value_push(list, d);
}

PAGE_FUNCTION(crumb_items)
{
    struct request *rq = self;
    struct arena *a = eval_arena(ev);
    str table = function_text(ev, args, 1, "table"), db = function_text(ev, args, 2, "database");
    if (table.n && !db.n)
        return eval_fail(ev, STATUS_INVALID, "crumb_items(): table= needs database=");
    *ret = value_list(a);
    if (request_allowed(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0}))
        crumb(*ret, a, link_path(rq, STR("")), STR("home"));
    if (db.n && request_allowed(rq, ACTION_VIEW_DATABASE, db, (str){0}))
        crumb(*ret, a, link_database(rq, db), db);
    if (db.n && table.n && request_allowed(rq, ACTION_VIEW_TABLE, db, table))
        crumb(*ret, a, link_table(rq, db, table), table);
    return STATUS_OK;
}

PAGE_FUNCTION(menu_links)
{
    struct request *rq = self;
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_list(a);
    if (rq->space && !value_is_null(rq->actor)) {
        enum role role = permit_role(&rq->space->people, rq->actor);
        str settings = ARENA_CAT(a, rq->space->hub, STR("/spaces/"), rq->space->name);
        if (role != ROLE_NONE)
            crumb(*ret, a, ARENA_CAT(a, settings, STR("/members")), STR("People of this space"));
        if (role == ROLE_OWNER)
            crumb(*ret, a, settings, STR("Settings of this space"));
        crumb(*ret, a, ARENA_CAT(a, rq->space->hub, STR("/")), STR("All spaces"));
        crumb(*ret, a, ARENA_CAT(a, rq->space->hub, STR("/-/account")), STR("Account"));
    }
    if (accounts_configured(rq->site->accounts) && value_is_null(rq->actor))
        crumb(*ret, a, link_path(rq, STR("-/login")), STR("Log in"));
    if (value_is_null(rq->actor) && visitors_sign_in(rq->site->visitors, rq).n)
        crumb(*ret, a, visitors_sign_in(rq->site->visitors, rq), STR("Log in"));
    if (tokens_check_maker(rq, NULL) == STATUS_OK)
        crumb(*ret, a, link_path(rq, STR("-/tokens")), STR("API tokens"));
    if (searchable_any(rq))
        crumb(*ret, a, link_path(rq, STR("-/search")), STR("Search all tables"));
    return STATUS_OK;
}

/* name_of(id): who that is, for whoever is a member of the same space; else the id. */
PAGE_FUNCTION(name_of)
{
    struct request *rq = self;
    struct arena *a = eval_arena(ev);
    str id = function_text(ev, args, 0, "id");
    bool member = rq->space && permit_role(&rq->space->people, rq->actor) != ROLE_NONE;
    str name = member ? value_get_text(session_member(rq->space, a, id), STR("name")) : (str){0};
    *ret = value_str(name.n ? name : id);
    return STATUS_OK;
}

PAGE_FUNCTION(upload_page)
{
    str link = upload_link_of_page(self);
    (void)ev;
    (void)args;
    *ret = value_str_if(link.p != NULL, link);
    return STATUS_OK;
}

#define ACTIONS_FUNCTION(name)                                                                                         \
    PAGE_FUNCTION(actions_##name)                                                                                      \
    {                                                                                                                  \
        (void)ev;                                                                                                      \
        (void)args;                                                                                                    \
        *ret = actions_of_##name(self);                                                                                \
        return STATUS_OK;                                                                                              \
    }
ACTIONS_FUNCTION(database)
ACTIONS_FUNCTION(table)
ACTIONS_FUNCTION(query)

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
    struct value actor = eval_arg(args, 0, "actor");
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
    struct value *lists = ARENA_ARRAY(a, struct value, args->count + 1);
    size_t shortest = args->count ? SIZE_MAX : 0;
    (void)self;
    *ret = value_list(a);
    for (size_t i = 0; i < args->count; i++) {
        lists[i] = eval_list(ev, args->positional[i]);
        if (lists[i].kind != VALUE_LIST)
            return eval_fail(ev, STATUS_INVALID, "zip() takes lists");
        shortest = MIN(shortest, value_count(lists[i]));
    }
    for (size_t r = 0; r < shortest; r++) {
        struct value t = value_list(a);
        t.tuple = true;
        for (size_t i = 0; i < args->count; i++)
            value_push(t, value_at(lists[i], r));
        value_push(*ret, t);
    }
    return STATUS_OK;
}

PAGE_FUNCTION(format_bytes)
{
    struct value v = eval_arg(args, 0, "bytes");
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
    str url = function_text(ev, args, 0, "url"), query = function_text(ev, args, 1, "querystring");
    (void)self;
    *ret = value_str(ARENA_CAT(a, url, str_find_char(url, '?') == STR_NPOS ? STR("?") : STR("&"), query));
    return STATUS_OK;
}

/* This page with the arguments of `dropped` left out, and those of `added` that are not none at the end. */
/* An option of the page without a value ("_search=" of an empty box) says nothing: links need not carry it along. A
 * filter without one looks for the empty text. */
static bool is_idle(const struct arg *arg)
{
    return !arg->value.n && str_starts(arg->key, STR("_")) && str_find(arg->key, STR("__")) == STR_NPOS;
}

static struct value changed_path(struct request *rq, struct value dropped, struct value added)
{
    struct arena *a = rq->arena;
    VEC(struct url_pair) kept = {0};
    for (size_t i = 0; i < rq->args.count; i++)
        if (!value_has(dropped, rq->args.items[i].key) && !is_idle(&rq->args.items[i]))
            VEC_PUSH(a, &kept, (struct url_pair){rq->args.items[i].key, rq->args.items[i].value});
    for (size_t i = 0; i < value_count(added); i++) {
        const struct value_entry *e = &added.dict->entries[i];
        if (!value_is_null(e->value))
            VEC_PUSH(a, &kept, (struct url_pair){e->key, value_to_str(a, e->value)});
    }
    str query = url_encode(a, kept.items, kept.count);
    str path = link_path(rq, rq->path); /* fix_path() puts the prefix in front again, as in Datasette */
    return value_str(query.n ? ARENA_CAT(a, path, STR("?"), query) : path);
}

/* path_with_replaced_args(request, {key: value or none}): these arguments in place of those of that key. */
PAGE_FUNCTION(path_with_replaced_args)
{
    struct value dict = eval_arg(args, 1, "args");
    if (dict.kind != VALUE_DICT)
        return eval_fail(ev, STATUS_INVALID, "path_with_replaced_args() takes the request and a dict");
    *ret = changed_path(self, dict, dict);
    return STATUS_OK;
}

/* path_with_added_args(request, {key: value}): these too; none drops the key. */
PAGE_FUNCTION(path_with_added_args)
{
    struct value dict = eval_arg(args, 1, "args"), dropped = value_dict(eval_arena(ev));
    if (dict.kind != VALUE_DICT)
        return eval_fail(ev, STATUS_INVALID, "path_with_added_args() takes the request and a dict");
    for (size_t i = 0; i < value_count(dict); i++)
        if (value_is_null(dict.dict->entries[i].value))
            value_set(dropped, dict.dict->entries[i].key, VALUE_NULL);
    *ret = changed_path(self, dropped, dict);
    return STATUS_OK;
}

/* path_with_removed_args(request, [key, ...] or {key: ...}): without these. */
PAGE_FUNCTION(path_with_removed_args)
{
    struct value keys = eval_list(ev, eval_arg(args, 1, "args")), dropped = value_dict(eval_arena(ev));
    if (keys.kind != VALUE_LIST)
        return eval_fail(ev, STATUS_INVALID, "path_with_removed_args() takes the request and a list of names");
    for (size_t i = 0; i < value_count(keys); i++)
        value_set(dropped, value_to_str(eval_arena(ev), value_at(keys, i)), VALUE_NULL);
    *ret = changed_path(self, dropped, VALUE_UNDEF);
    return STATUS_OK;
}

/* fix_path(path): base_url in front. Where a proxy took base_url off the address, it is in the path already. */
PAGE_FUNCTION(fix_path)
{
    const struct request *rq = self;
    str path = function_text(ev, args, 0, "path"), base = rq->site->config.settings.base_url;
    bool there = !str_starts(rq->http->path, base) && str_starts(path, base);
    *ret = value_str(there ? path : link_path(rq, path));
    return STATUS_OK;
}

/* render_markdown(text, extensions=[...], extra_tags=[...], extra_attrs={...}) */
PAGE_FUNCTION(render_markdown)
{
    struct arena *a = eval_arena(ev);
    struct html_extra extra;
    (void)self;
    unsigned flags = cell_html_options(a, eval_arg(args, 1, "extensions"), eval_arg(args, 2, "extra_tags"),
                                       eval_arg(args, 3, "extra_attrs"), &extra);
    *ret = cell_html_markdown(a, function_text(ev, args, 0, "value"), &extra, flags);
    return STATUS_OK;
}

#define PAGE_ROW(id, fn)                                                                                               \
    {                                                                                                                  \
        id,                                                                                                            \
        {                                                                                                              \
            .name = "function", .call = fn                                                                             \
        }                                                                                                              \
    }
static const struct function page_functions[] = {
    PAGE_ROW("static", fn_static),
    PAGE_ROW("crumb_items", fn_crumb_items),
    PAGE_ROW("menu_links", fn_menu_links),
    PAGE_ROW("name_of", fn_name_of),
    PAGE_ROW("upload_page", fn_upload_page),
    PAGE_ROW("csrftoken", fn_empty_text),
    PAGE_ROW("display_actor", fn_display_actor),
    PAGE_ROW("zip", fn_zip),
    PAGE_ROW("format_bytes", fn_format_bytes),
    PAGE_ROW("show_messages", fn_show_messages),
    PAGE_ROW("append_querystring", fn_append_querystring),
    PAGE_ROW("path_with_replaced_args", fn_path_with_replaced_args),
    PAGE_ROW("path_with_added_args", fn_path_with_added_args),
    PAGE_ROW("path_with_removed_args", fn_path_with_removed_args),
    PAGE_ROW("fix_path", fn_fix_path),
    PAGE_ROW("render_markdown", fn_render_markdown),
    PAGE_ROW("sql", sql_function),
    /* slots and action menus of the pages: filled by plugins and by what the actor may do */
    PAGE_ROW("actions", fn_actions_table),
    PAGE_ROW("database_actions", fn_actions_database),
    PAGE_ROW("query_actions", fn_actions_query),
    PAGE_ROW("top_homepage", fn_empty_text),
    PAGE_ROW("top_database", fn_empty_text),
    PAGE_ROW("top_table", fn_empty_text),
    PAGE_ROW("top_row", fn_empty_text),
    PAGE_ROW("top_query", fn_empty_text),
    PAGE_ROW("top_stored_query", fn_empty_text),
};

void functions_add(struct request *rq, struct value vars)
{
    VALUE_SET(vars, "urls", urls_value(rq));
    VALUE_SET(vars, "request", request_value(rq));
    request_shortcuts(rq, vars);
    for (size_t i = 0; i < ARRAY_LEN(page_functions); i++)
        if (!value_has(vars, str_of(page_functions[i].name)))
            value_set(vars, str_of(page_functions[i].name), value_object(&page_functions[i].class, rq));
}
