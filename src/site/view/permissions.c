/* SPDX-License-Identifier: Apache-2.0 */
/* permissions — the pages that show what the permission rules do: explain one verdict, list what is allowed, list the
 * rules, try an allow block. */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/url.h"
#include "site/links.h"
#include "site/render/page.h"
#include "site/view/explain.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define PAGE_SIZE     50
#define PAGE_SIZE_MAX 200

static enum status require_debug(const struct request *rq, bool instance_too, struct err *err)
{
    enum status st = STATUS_OK;
    if (instance_too)
        st = request_require(rq, ACTION_VIEW_INSTANCE, (str){0}, (str){0}, NULL, err);
    return st == STATUS_OK ? request_require(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0}, NULL, err) : st;
}

static enum status respond_page(struct request *rq, const char *template, struct value d, bool may_debug,
                                struct err *err)
{
    const str names[] = {str_of(template)};
    VALUE_SET(d, "has_debug_permission", value_bool(may_debug));
    return page_respond(rq, 200, names, 1, d, false, err);
}

static bool is_json(const struct request *rq)
{
    return str_is(rq->format, "json");
}

/* By full name only: abbreviations belong to tokens. */
static enum status action_by_name(str name, enum action *ret, struct err *err)
{
    enum action a = action_find(name);
    if (!name.n)
        return err_set(err, STATUS_INVALID, "action parameter is required");
    if (a == ACTION_NONE || !str_is(name, action_rows[a].name))
        return err_set(err, STATUS_NOT_FOUND, "Unknown action: %.*s", STR_ARG(name));
    *ret = a;
    return STATUS_OK;
}

static int by_cstr(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static const char **sorted_actions(struct arena *a)
{
    const char **names = ARENA_ARRAY(a, const char *, ACTION_COUNT);
    for (size_t i = 0; i < ACTION_COUNT; i++)
        names[i] = action_rows[i].name;
    qsort(names, ACTION_COUNT, sizeof *names, by_cstr);
    return names;
}

static str json_text(struct arena *a, struct value v, int indent)
{
    struct buf b;
    buf_init(&b, LIMIT_TEMPLATE_OUTPUT);
    value_to_json_indent(&b, v, 0, indent);
    str out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}

/* ---- pages of a list ---- */

struct listing {
    struct request *rq;
    enum action action;
    int64_t page, page_size;
    size_t from, to; /* places of the page in the whole list, which has `total` */
    size_t total;
};

static enum status listing_arguments(struct listing *l, struct err *err)
{
    enum status st = page_number_arg(l->rq, &l->page, err);
    return st == STATUS_OK ? page_size_arg(l->rq, PAGE_SIZE, PAGE_SIZE_MAX, &l->page_size, err) : st;
}

static void listing_cut(struct listing *l, size_t total)
{
    int64_t skip;
    l->total = total;
    if (__builtin_mul_overflow(l->page - 1, l->page_size, &skip) || skip > (int64_t)total)
        skip = (int64_t)total;
    l->from = (size_t)skip;
    l->to = MIN(total, l->from + (size_t)l->page_size);
}

static struct value page_url(const struct listing *l, int64_t page)
{
    struct request *rq = l->rq;
    struct arena *a = rq->arena;
    struct url_pair *pairs = ARENA_ARRAY(a, struct url_pair, rq->args.count + 2);
    size_t n = 0;
    for (size_t i = 0; i < rq->args.count; i++)
        if (!str_is(rq->args.items[i].key, "_page") && !str_is(rq->args.items[i].key, "_size"))
            pairs[n++] = (struct url_pair){rq->args.items[i].key, rq->args.items[i].value};
    pairs[n++] = (struct url_pair){STR("_page"), arena_printf(a, "%lld", (long long)page)};
    pairs[n++] = (struct url_pair){STR("_size"), arena_printf(a, "%lld", (long long)l->page_size)};
    return value_str(ARENA_CAT(a, link_path(rq, rq->path), STR("?"), url_encode(a, pairs, n)));
}

static enum status respond_listing(const struct listing *l, struct value items)
{
    struct request *rq = l->rq;
    struct value d = value_dict(rq->arena), id = VALUE_GET(rq->actor, "id");
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "action", value_cstr(action_rows[l->action].name));
    VALUE_SET(d, "actor_id", id.kind == VALUE_UNDEFINED ? VALUE_NULL : id);
    VALUE_SET(d, "page", value_int(l->page));
    VALUE_SET(d, "page_size", value_int(l->page_size));
    VALUE_SET(d, "total", value_int((int64_t)l->total));
    VALUE_SET(d, "items", items);
    if (l->to < l->total)
        VALUE_SET(d, "next_url", page_url(l, l->page + 1));
    if (l->page > 1)
        VALUE_SET(d, "previous_url", page_url(l, l->page - 1));
    respond_json(rq, 200, d);
    return STATUS_OK;
}

static struct value resource_dict(struct arena *a, str parent, str child)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "parent", text_or_none(parent));
    VALUE_SET(d, "child", text_or_none(child));
    VALUE_SET(d, "resource", value_str(resource_path(a, parent, child)));
    return d;
}

/* ---- what is allowed ---- */

/* The actions people look for first, then the others by name. */
static struct value actions_for_form(struct arena *a)
{
    static const char *const first[] = {"view-instance", "view-database", "view-table", "view-query",
                                        "execute-sql",   "insert-row",    "update-row", "delete-row"};
    const char **sorted = sorted_actions(a);
    struct value list = value_list(a);
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        value_push(list, value_cstr(first[i]));
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        bool listed = false;
        for (size_t k = 0; k < ARRAY_LEN(first); k++)
            listed |= strcmp(first[k], sorted[i]) == 0;
        if (!listed)
            value_push(list, value_cstr(sorted[i]));
    }
    return list;
}

static enum status allowed_json(struct request *rq, bool may_debug, struct err *err)
{
    struct arena *a = rq->arena;
    struct listing l = {.rq = rq};
    struct resource *items = NULL;
    struct explained_rule *rules = NULL;
    size_t n = 0, kept = 0, rule_count = 0;
    str parent = request_arg(rq, "parent"), child = request_arg(rq, "child");
    enum status st = action_by_name(request_arg(rq, "action"), &l.action, err);
    if (st == STATUS_OK && child.n && !parent.n)
        return err_set(err, STATUS_INVALID, "parent must be provided when child is specified");
    if (st == STATUS_OK)
        st = listing_arguments(&l, err);
    if (st == STATUS_OK)
        st = resources_allowed(rq, l.action, parent, &items, &n, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < n; i++)
        if (!child.n || str_eq(items[i].child, child))
            items[kept++] = items[i];
    listing_cut(&l, kept);
    if (may_debug)
        rule_count = explain_rules(rq, rq->actor, l.action, &rules);
    struct value list = value_list(a);
    for (size_t i = l.from; i < l.to; i++) {
        struct value d = resource_dict(a, items[i].parent, items[i].child);
        if (may_debug)
            VALUE_SET(d, "reason", explain_allow_reasons(a, rules, rule_count, items[i].parent, items[i].child));
        value_push(list, d);
    }
    return respond_listing(&l, list);
}

enum status view_allowed(struct request *rq, struct err *err)
{
    bool may_debug = request_allowed(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0});
    if (is_json(rq))
        return allowed_json(rq, may_debug, err);
    struct value d = value_dict(rq->arena);
    VALUE_SET(d, "supported_actions", actions_for_form(rq->arena));
    return respond_page(rq, "debug_allowed.html", d, may_debug, err);
}

/* ---- rules ---- */

/* Allows before denies, then everything before databases before resources, by name. */
static int as_listed(const void *x, const void *y)
{
    const struct explained_rule *a = x, *b = y;
    if (a->rule.allow != b->rule.allow)
        return a->rule.allow ? -1 : 1;
    int order = str_cmp(a->rule.parent, b->rule.parent);
    if (!order)
        order = str_cmp(a->rule.child, b->rule.child);
    if (order)
        return order;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static enum status rules_json(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct listing l = {.rq = rq};
    struct explained_rule *rules;
    enum status st = action_by_name(request_arg(rq, "action"), &l.action, err);
    if (st == STATUS_OK)
        st = listing_arguments(&l, err);
    if (st != STATUS_OK)
        return st;
    size_t n = explain_rules(rq, rq->actor, l.action, &rules);
    qsort(rules, n, sizeof *rules, as_listed);
    listing_cut(&l, n);
    struct value list = value_list(a);
    for (size_t i = l.from; i < l.to; i++) {
        struct value d = resource_dict(a, rules[i].rule.parent, rules[i].rule.child);
        VALUE_SET(d, "allow", value_int(rules[i].rule.allow));
        VALUE_SET(d, "reason", value_str(rules[i].reason));
        VALUE_SET(d, "source_plugin", value_cstr(EXPLAIN_SOURCE));
        value_push(list, d);
    }
    return respond_listing(&l, list);
}

enum status view_rules(struct request *rq, struct err *err)
{
    enum status st = require_debug(rq, true, err);
    if (st != STATUS_OK)
        return st;
    if (is_json(rq))
        return rules_json(rq, err);
    const char **sorted = sorted_actions(rq->arena);
    struct value d = value_dict(rq->arena), list = value_list(rq->arena);
    for (size_t i = 0; i < ACTION_COUNT; i++)
        value_push(list, value_cstr(sorted[i]));
    VALUE_SET(d, "sorted_actions", list);
    return respond_page(rq, "debug_rules.html", d, true, err);
}

/* ---- one verdict ---- */

static struct value action_dict(struct arena *a, enum action action)
{
    const struct action_row *r = &action_rows[action];
    struct value d = value_dict(a);
    VALUE_SET(d, "name", value_cstr(r->name));
    VALUE_SET(d, "abbr", value_cstr(r->abbr));
    VALUE_SET(d, "description", value_cstr(r->description));
    VALUE_SET(d, "takes_parent", value_bool(r->level >= ACTION_LEVEL_DATABASE));
    VALUE_SET(d, "takes_child", value_bool(r->level >= ACTION_LEVEL_TABLE));
    VALUE_SET(d, "also_requires",
              r->also_requires == ACTION_NONE ? VALUE_NULL : value_cstr(action_rows[r->also_requires].name));
    return d;
}

static enum status actor_from_json(struct arena *a, str text, struct value *ret, struct err *err)
{
    struct value v;
    enum status st = value_from_json(a, text, &v, err);
    if (st != STATUS_OK) {
        err_prefix(err, "Invalid actor JSON");
        return st;
    }
    if (v.kind != VALUE_NONE && v.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "actor must be a JSON object or null");
    *ret = v;
    return STATUS_OK;
}

static enum status check(struct request *rq, struct value actor, str action, str parent, str child, struct err *err)
{
    enum action a;
    enum status st = action_by_name(action, &a, err);
    if (st == STATUS_OK && child.n && !parent.n)
        return err_set(err, STATUS_INVALID, "parent is required when child is provided");
    if (st == STATUS_OK)
        respond_json(rq, 200, explain_check(rq, actor, a, parent, child));
    return st;
}

static enum status check_json(struct request *rq, struct err *err)
{
    struct value actor = rq->actor;
    str action = request_arg(rq, "action"), text = request_arg(rq, "actor");
    if (!action.n)
        return err_set(err, STATUS_INVALID, "action parameter is required");
    if (text.p) {
        enum status st = actor_from_json(rq->arena, text, &actor, err);
        if (st != STATUS_OK)
            return st;
    }
    return check(rq, actor, action, request_arg(rq, "parent"), request_arg(rq, "child"), err);
}

enum status view_check(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    enum status st = require_debug(rq, false, err);
    if (st != STATUS_OK)
        return st;
    if (is_json(rq))
        return check_json(rq, err);
    const char **sorted = sorted_actions(a);
    struct value d = value_dict(a), list = value_list(a);
    for (size_t i = 0; i < ACTION_COUNT; i++)
        value_push(list, action_dict(a, action_find(str_of(sorted[i]))));
    str actor = request_arg(rq, "actor");
    VALUE_SET(d, "actions", list);
    VALUE_SET(d, "actor_json", value_str(actor.n ? actor : json_text(a, rq->actor, 2)));
    return respond_page(rq, "debug_check.html", d, true, err);
}

/* ---- the playground ---- */

static enum status simulate(struct request *rq, struct err *err)
{
    struct args form;
    struct value actor;
    enum status st = form_parse(rq, &form, err);
    if (st == STATUS_OK && !ARGS_GET(&form, "actor").n)
        return err_set(err, STATUS_INVALID, "actor is required: a JSON object or null");
    if (st == STATUS_OK)
        st = actor_from_json(rq->arena, ARGS_GET(&form, "actor"), &actor, err);
    if (st != STATUS_OK)
        return st;
    return check(rq, actor, ARGS_GET(&form, "permission"), ARGS_GET(&form, "resource_1"), ARGS_GET(&form, "resource_2"),
                 err);
}

enum status view_permissions(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct err local = ERR_INIT;
    enum status st = require_debug(rq, true, err);
    if (st != STATUS_OK)
        return st;
    if (rq->http->method == HTTP_POST)
        return simulate(rq, &local) == STATUS_OK ? STATUS_OK : respond_error_json(rq, &local);
    struct value d = value_dict(a), list = value_list(a);
    for (int i = 0; i < ACTION_OWN; i++)
        value_push(list, action_dict(a, (enum action)i));
    str filter = request_arg(rq, "filter");
    VALUE_SET(d, "permissions", list);
    VALUE_SET(d, "permission_checks", value_list(a));
    VALUE_SET(d, "filter", value_str(filter.n ? filter : STR("all")));
    return respond_page(rq, "debug_permissions_playground.html", d, true, err);
}

/* ---- allow blocks ---- */

/* Reads one of the two JSON inputs; *text becomes its indented form. */
static bool read_input(struct request *rq, const char *name, const char *label, const char *fallback, str *text,
                       struct value *ret, struct buf *errors)
{
    struct err err = ERR_INIT;
    str given = request_arg(rq, name);
    *text = given.n ? given : str_of(fallback);
    if (value_from_json(rq->arena, *text, ret, &err) == STATUS_OK) {
        *text = json_text(rq->arena, *ret, 4);
        return true;
    }
    buf_printf(errors, "%s%s JSON error: %s", errors->n ? "\n\n" : "", label, err.text);
    return false;
}

enum status view_allow_debug(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a), actor, allow;
    str actor_text, allow_text;
    struct buf errors;
    buf_init(&errors, 4 * ERR_TEXT_MAX);
    bool actor_ok = read_input(rq, "actor", "Actor", "{\"id\": \"root\"}", &actor_text, &actor, &errors);
    bool allow_ok = read_input(rq, "allow", "Allow", "{\"id\": \"*\"}", &allow_text, &allow, &errors);
    VALUE_SET(d, "result", VALUE_NULL);
    if (actor_ok && allow_ok)
        VALUE_SET(d, "result", value_cstr(permit_matches_allow(actor, allow) ? "True" : "False"));
    VALUE_SET(d, "error", value_str(arena_str(a, buf_str(&errors))));
    VALUE_SET(d, "actor_input", value_str(actor_text));
    VALUE_SET(d, "allow_input", value_str(allow_text));
    buf_release(&errors);
    return respond_page(rq, "allow_debug.html", d, request_allowed(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0}),
                        err);
}
