/* SPDX-License-Identifier: Apache-2.0 */
/* token — makes signed API tokens: for the abilities of who is signed in, or for fewer of them. */
#include "base/clock.h"
#include "codec/sign.h"
#include "codec/url.h"
#include "site/actor.h"
#include "site/audit.h"
#include "site/render/page.h"
#include "site/tokens.h"
#include "site/view/resources.h"
#include "site/view/view.h"

#define PREFIX "dstok_"

/* ---- the form ---- */

static struct value actions_from_level(struct arena *a, enum action_level lowest)
{
    struct value list = value_list(a);
    for (size_t i = 0; i < ACTION_COUNT; i++)
        if (action_rows[i].level >= lowest)
            value_push(list, value_cstr(action_rows[i].name));
    return list;
}

static struct value named(struct arena *a, str name)
{
    struct value d = value_dict(a);
    VALUE_SET(d, "name", value_str(name));
    VALUE_SET(d, "encoded", value_str(tilde_encode(a, name)));
    return d;
}

static enum status form_vars(struct request *rq, struct value d, struct err *err)
{
    struct arena *a = rq->arena;
    struct resource *dbs = NULL, *tables = NULL;
    size_t db_count = 0, table_count = 0, t = 0;
    enum status st = resources_allowed(rq, ACTION_VIEW_DATABASE, (str){0}, &dbs, &db_count, err);
    if (st == STATUS_OK)
        st = resources_allowed(rq, ACTION_VIEW_TABLE, (str){0}, &tables, &table_count, err);
    if (st != STATUS_OK)
        return st;
    struct value list = value_list(a);
    for (size_t i = 0; i < db_count; i++) {
        str db = dbs[i].parent;
        struct value e = named(a, db), in_db = value_list(a);
        while (t < table_count && str_cmp(tables[t].parent, db) < 0)
            t++;
        for (; t < table_count && str_eq(tables[t].parent, db); t++)
            value_push(in_db, named(a, tables[t].child));
        VALUE_SET(e, "tables", in_db);
        if (!str_is(db, "_memory"))
            value_push(list, e);
    }
    VALUE_SET(d, "all_actions", actions_from_level(a, ACTION_LEVEL_GLOBAL));
    VALUE_SET(d, "database_actions", actions_from_level(a, ACTION_LEVEL_DATABASE));
    VALUE_SET(d, "child_actions", actions_from_level(a, ACTION_LEVEL_TABLE));
    VALUE_SET(d, "database_with_tables", list);
    return STATUS_OK;
}

static enum status respond_form(struct request *rq, struct value d, struct err *err)
{
    const str names[] = {STR("create_token.html")};
    enum status st = form_vars(rq, d, err);
    return st == STATUS_OK ? page_respond(rq, 200, names, 1, d, false, err) : st;
}

/* ---- making one ---- */

/* Seconds, 0 = never; a mistake is a line for the form, not an error page. */
static int64_t lifetime(const struct args *form, struct value errors)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"minutes", 60}, {"hours", 3600}, {"days", 86400}};
    str unit = ARGS_GET(form, "expire_type"), text = ARGS_GET(form, "expire_duration");
    int64_t n, seconds;
    if (!unit.n)
        return 0;
    if (!str_all_digits(text) || !str_to_i64(text, &n) || n <= 0) {
        value_push(errors, value_cstr("Invalid expire duration"));
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!str_is(unit, units[i].name))
            continue;
        if (!__builtin_mul_overflow(n, units[i].seconds, &seconds))
            return seconds;
        value_push(errors, value_cstr("Invalid expire duration"));
        return 0;
    }
    value_push(errors, value_cstr("Invalid expire duration unit"));
    return 0;
}

/* The dict (or list) under a key, made when it is not there. */
static struct value within(struct value dict, str key, struct value empty)
{
    struct value v = value_get(dict, key);
    if (v.kind != VALUE_UNDEFINED)
        return v;
    value_set(dict, key, empty);
    return empty;
}

static struct value short_action(str name)
{
    enum action a = action_find(name);
    return a == ACTION_NONE ? value_str(name) : value_cstr(action_rows[a].abbr);
}

/* One checkbox: "all:ACTION", "database:DB:ACTION", "resource:DB:TABLE:ACTION"; names are tilde-encoded. */
static void restrict_to(struct arena *a, struct value all, struct value dbs, struct value resources, str key)
{
    str parts[4], rest = key;
    size_t n = 0;
    bool more = true;
    while (more && n < ARRAY_LEN(parts))
        more = str_cut(rest, ':', &parts[n++], &rest);
    if (more)
        return;
    if (n == 2 && str_is(parts[0], "all"))
        value_push(all, short_action(parts[1]));
    if (n == 3 && str_is(parts[0], "database"))
        value_push(within(dbs, tilde_decode(a, parts[1]), value_list(a)), short_action(parts[2]));
    if (n == 4 && str_is(parts[0], "resource")) {
        struct value db = within(resources, tilde_decode(a, parts[1]), value_dict(a));
        value_push(within(db, tilde_decode(a, parts[2]), value_list(a)), short_action(parts[3]));
    }
}

static struct value restrictions(struct arena *a, const struct args *form)
{
    struct value d = value_dict(a), all = value_list(a), dbs = value_dict(a), resources = value_dict(a);
    for (size_t i = 0; i < form->count; i = args_next_key(form, i))
        restrict_to(a, all, dbs, resources, form->items[i].key);
    if (value_count(all))
        VALUE_SET(d, "a", all);
    if (value_count(dbs))
        VALUE_SET(d, "d", dbs);
    if (value_count(resources))
        VALUE_SET(d, "r", resources);
    return d;
}

/* A mistake in the duration still makes a token, one without expiry, beside the message: as Datasette does, so that
 * scripts that post this form see what they know. */
static enum status create(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct args form;
    struct value d = value_dict(a), errors = value_list(a), bits;
    enum status st = form_parse(rq, &form, err);
    if (st != STATUS_OK)
        return st;
    int64_t seconds = lifetime(&form, errors);
    str who = actor_name(rq), id, secret = rq->site->secret;
    const struct token_record record = {who, (str){0}, restrictions(a, &form), seconds ? clock_unix_s() + seconds : 0};
    st = tokens_add(rq->site->shared->tokens, a, &record, &id, err);
    if (st != STATUS_OK)
        return st;
    audit_add(rq->site->internal, who, "token.make", id);
    str token = actor_make_token(a, secret, who, id, seconds, record.restrictions);
    st = sign_loads(a, secret, STR("token"), str_from(token, sizeof PREFIX - 1), &bits, err);
    if (st != STATUS_OK)
        return st;
    VALUE_SET(d, "errors", errors);
    VALUE_SET(d, "token", value_str(token));
    VALUE_SET(d, "token_bits", bits);
    return respond_form(rq, d, err);
}

enum status view_create_token(struct request *rq, struct err *err)
{
    enum status st = tokens_check_maker(rq, err);
    if (st != STATUS_OK)
        return st;
    return rq->http->method == HTTP_POST ? create(rq, err) : respond_form(rq, value_dict(rq->arena), err);
}
