/* SPDX-License-Identifier: Apache-2.0 */
/* tokens — /-/tokens: API tokens for everyday use, made in two clicks, listed, revoked. Single permissions are chosen
 * at
 * /-/create-token (token.c); both make the same kind of token, and both are listed here. */
#include "site/tokens.h"

#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/url.h"
#include "site/actor.h"
#include "site/audit.h"
#include "site/internal.h"
#include "site/links.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/space/session.h"
#include "site/space/space.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define DAY 86400

static const struct life {
    int64_t days;
    const char *label;
} lives[] = {{1, "1 day"}, {7, "7 days"}, {30, "30 days"}, {90, "90 days"}, {365, "1 year"}, {0, "never"}};

static const enum action reading[] = {ACTION_VIEW_INSTANCE, ACTION_VIEW_DATABASE, ACTION_VIEW_TABLE, ACTION_VIEW_QUERY,
                                      ACTION_EXECUTE_SQL};
static const enum action writing[] = {ACTION_INSERT_ROW, ACTION_UPDATE_ROW, ACTION_DELETE_ROW};

/* ---- what it may ---- */

static void push_actions(struct value list, const enum action *actions, size_t count, enum action_level lowest)
{
    for (size_t i = 0; i < count; i++)
        if (action_rows[actions[i]].level >= lowest)
            value_push(list, value_cstr(action_rows[actions[i]].abbr));
}

/* The restrictions of "read" or "write" on a table, a database or everything; a token for one table may not run SQL,
 * which reads all of them. */
static struct value restrict_to(struct arena *a, str access, str db, str table)
{
    struct value list = value_list(a), d = value_dict(a), in_db = value_dict(a), by_db = value_dict(a);
    enum action_level lowest = table.n ? ACTION_LEVEL_TABLE : db.n ? ACTION_LEVEL_DATABASE : ACTION_LEVEL_GLOBAL;
    if (str_is(access, "all"))
        return d;
    push_actions(list, reading, ARRAY_LEN(reading), lowest);
    if (str_is(access, "write"))
        push_actions(list, writing, ARRAY_LEN(writing), lowest);
    if (table.n) {
        value_set(in_db, table, list);
        value_set(by_db, db, in_db);
        VALUE_SET(d, "r", by_db);
    } else if (db.n) {
        value_set(by_db, db, list);
        VALUE_SET(d, "d", by_db);
    } else {
        VALUE_SET(d, "a", list);
    }
    return d;
}

static bool is_one_of(enum action a, const enum action *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == a)
            return true;
    return false;
}

/* "read", "read and write", or the names of single actions. */
static str words(struct arena *a, struct value list)
{
    bool reads = true, rows = true, writes = false;
    str names = STR("");
    for (size_t i = 0; i < value_count(list); i++) {
        str name = value_to_str(a, value_at(list, i));
        enum action act = action_find(name);
        bool read = act != ACTION_NONE && is_one_of(act, reading, ARRAY_LEN(reading));
        bool write = act != ACTION_NONE && is_one_of(act, writing, ARRAY_LEN(writing));
        reads = reads && read;
        rows = rows && (read || write);
        writes = writes || write;
        names = ARENA_CAT(a, names, i ? STR(", ") : STR(""), act != ACTION_NONE ? str_of(action_rows[act].name) : name);
    }
    return reads ? STR("read") : rows && writes ? STR("read and write") : names;
}

static str add_words(struct arena *a, str so_far, str where, struct value list)
{
    if (!value_count(list))
        return so_far;
    return ARENA_CAT(a, so_far, so_far.n ? STR("; ") : STR(""), where, STR(": "), words(a, list));
}

static str may_text(struct arena *a, struct value restrictions)
{
    struct value dbs = VALUE_GET(restrictions, "d"), by_db = VALUE_GET(restrictions, "r");
    str text = add_words(a, STR(""), STR("everywhere"), VALUE_GET(restrictions, "a"));
    for (size_t i = 0; dbs.kind == VALUE_DICT && i < dbs.dict->count; i++)
        text = add_words(a, text, dbs.dict->entries[i].key, dbs.dict->entries[i].value);
    for (size_t i = 0; by_db.kind == VALUE_DICT && i < by_db.dict->count; i++) {
        struct value tables = by_db.dict->entries[i].value;
        for (size_t j = 0; tables.kind == VALUE_DICT && j < tables.dict->count; j++)
            text = add_words(a, text, ARENA_CAT(a, by_db.dict->entries[i].key, STR("/"), tables.dict->entries[j].key),
                             tables.dict->entries[j].value);
    }
    return text.n ? text : value_count(restrictions) ? STR("nothing") : STR("all that its owner may");
}

/* ---- the list ---- */

static bool may_see_all(const struct request *rq)
{
    return request_allowed(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0});
}

static void set_time(struct arena *a, struct value d, const char *key, struct value at)
{
    struct tm tm;
    time_t t = at.kind == VALUE_INT ? (time_t)at.i : 0;
    if (at.kind == VALUE_INT && gmtime_r(&t, &tm))
        value_set(d, str_of(key),
                  value_str(arena_printf(a, "%04d-%02d-%02d %02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                                         tm.tm_hour, tm.tm_min)));
}

static void describe(struct request *rq, struct value t)
{
    struct arena *a = rq->arena;
    struct value expires = VALUE_GET(t, "expires"), who = VALUE_GET(t, "actor");
    bool revoked = !value_is_null(VALUE_GET(t, "revoked"));
    bool over = expires.kind == VALUE_INT && expires.i <= clock_unix_s();
    struct value member = rq->space ? session_member(rq->space, a, who.s) : VALUE_NULL;
    str name = value_get_text(member, STR("name"));
    VALUE_SET(t, "may", value_str(may_text(a, VALUE_GET(t, "restrictions"))));
    VALUE_SET(t, "state", value_cstr(revoked ? "revoked" : over ? "expired" : "good"));
    VALUE_SET(t, "who", value_str(name.n ? name : who.s));
    set_time(a, t, "created_text", VALUE_GET(t, "created"));
    set_time(a, t, "expires_text", expires);
    set_time(a, t, "last_used_text", VALUE_GET(t, "last_used"));
}

static struct value lives_value(struct arena *a)
{
    struct value list = value_list(a);
    for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
        struct value pair = value_list(a);
        value_push(pair, value_str(arena_i64(a, lives[i].days)));
        value_push(pair, value_cstr(lives[i].label));
        value_push(list, pair);
    }
    return list;
}

static enum status respond_list(struct request *rq, bool all, struct value d, struct err *err)
{
    struct arena *a = rq->arena;
    struct value list;
    const str names[] = {STR("tokens.html")};
    enum status st = tokens_list(rq->site->shared->tokens, a, all ? (str){0} : actor_name(rq), &list, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < value_count(list); i++)
        describe(rq, value_at(list, i));
    VALUE_SET(d, "tokens", list);
    if (str_is(rq->format, "json")) {
        VALUE_SET(d, "ok", value_bool(true));
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    VALUE_SET(d, "all", value_bool(all));
    VALUE_SET(d, "may_see_all", value_bool(may_see_all(rq)));
    VALUE_SET(d, "lives", lives_value(a));
    VALUE_SET(d, "kept", value_bool(!internal_is_memory(rq->site->internal)));
    return page_respond(rq, 200, names, 1, d, false, err);
}

/* What the form asks for, and shows again. */
struct wish {
    str access, db, table, name;
    int64_t days;
};

static void show_wish(struct request *rq, const struct wish *w, struct value d)
{
    if (str_is(rq->format, "json"))
        return;
    VALUE_SET(d, "database", value_str_if(w->db.n > 0, w->db));
    VALUE_SET(d, "table", value_str_if(w->table.n > 0, w->table));
    VALUE_SET(d, "access", value_str(w->access));
    VALUE_SET(d, "name", value_str(w->name.p ? w->name : STR("")));
    VALUE_SET(d, "days", value_str(arena_i64(rq->arena, w->days)));
}

/* Names of what one may not see are as good as none. */
static enum status check_wish(struct request *rq, struct wish *w, struct err *err)
{
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(lives); i++)
        known = known || lives[i].days == w->days;
    if (!w->access.n)
        w->access = STR("read");
    if ((!str_is(w->access, "read") && !str_is(w->access, "write") && !str_is(w->access, "all")) || !known ||
        (w->db.n && str_is(w->access, "all")) || (w->table.n && !w->db.n))
        return err_set(err, STATUS_INVALID, "access must be read, write or all, and days one of those of the form");
    if (w->name.n > LIMIT_TOKEN_NAME)
        return err_set(err, STATUS_INVALID, "What it is for may be %d bytes long", LIMIT_TOKEN_NAME);
    bool sees = !w->db.n || (w->table.n ? request_allowed(rq, ACTION_VIEW_TABLE, w->db, w->table)
                                        : request_allowed(rq, ACTION_VIEW_DATABASE, w->db, (str){0}));
    if (!sees || (w->db.n && !site_find(rq->site, w->db)))
        return err_set(err, STATUS_NOT_FOUND, "There is no such database or table");
    return STATUS_OK;
}

static enum status create(struct request *rq, const struct args *form, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    struct wish w = {ARGS_GET(form, "access"), ARGS_GET(form, "database"), ARGS_GET(form, "table"),
                     str_trim(ARGS_GET(form, "name")), -1};
    if (!str_to_i64(ARGS_GET(form, "days"), &w.days))
        w.days = -1;
    str who = actor_name(rq), id;
    enum status st = check_wish(rq, &w, err);
    if (st != STATUS_OK)
        return st;
    struct value restrictions = restrict_to(a, w.access, w.db, w.table);
    const struct token_record record = {who, w.name, restrictions, w.days ? clock_unix_s() + w.days * DAY : 0};
    st = tokens_add(rq->site->shared->tokens, a, &record, &id, err);
    if (st != STATUS_OK)
        return st;
    audit_add(rq->site->internal, who, "token.make", id);
    str token = actor_make_token(a, rq->site->secret, who, id, w.days * DAY, restrictions);
    str path = w.table.n ? ARENA_CAT(a, link_table(rq, w.db, w.table), STR(".json"))
               : w.db.n  ? ARENA_CAT(a, link_database(rq, w.db), STR(".json"))
                         : link_path(rq, STR("/-/databases.json"));
    VALUE_SET(d, "token", value_str(token));
    VALUE_SET(d, "example_url", value_str(request_absolute_url(rq, path)));
    w.name = STR("");
    show_wish(rq, &w, d);
    return respond_list(rq, false, d, err);
}

static enum status revoke(struct request *rq, const struct args *form, struct err *err)
{
    bool all = may_see_all(rq);
    str id = ARGS_GET(form, "id"), who = actor_name(rq);
    enum status st = tokens_revoke(rq->site->shared->tokens, id, all ? (str){0} : who, who, err);
    if (st != STATUS_OK)
        return st;
    audit_add(rq->site->internal, who, "token.revoke", id);
    messages_add(rq, STR("The token is revoked: it is refused from now on"), MESSAGE_INFO);
    respond_redirect(rq, 303, link_path(rq, ARGS_GET(form, "all").n ? STR("-/tokens?all=1") : STR("-/tokens")));
    return STATUS_OK;
}

enum status view_tokens(struct request *rq, struct err *err)
{
    struct args form;
    struct value d = value_dict(rq->arena);
    enum status st = tokens_check_maker(rq, err);
    if (st != STATUS_OK)
        return st;
    if (rq->http->method == HTTP_POST) {
        st = form_parse(rq, &form, err);
        if (st != STATUS_OK)
            return st;
        if (str_is(ARGS_GET(&form, "action"), "create"))
            return create(rq, &form, err);
        if (str_is(ARGS_GET(&form, "action"), "revoke"))
            return revoke(rq, &form, err);
        return err_set(err, STATUS_INVALID, "action must be create or revoke");
    }
    struct wish w = {request_arg(rq, "access"), request_arg(rq, "database"), request_arg(rq, "table"), STR(""), 30};
    st = check_wish(rq, &w, err);
    if (st != STATUS_OK)
        return st;
    show_wish(rq, &w, d);
    bool all = request_flag(rq, "all", false);
    if (all)
        st = request_require(rq, ACTION_PERMISSIONS_DEBUG, (str){0}, (str){0}, "You may see your own tokens only", err);
    return st == STATUS_OK ? respond_list(rq, all, d, err) : st;
}
