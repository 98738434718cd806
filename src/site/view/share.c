/* SPDX-License-Identifier: Apache-2.0 */
/* view/share — the share dialog and its API: what is shared with whom, sharing it, changing that, taking it back.
 *
 *   GET  /-/share?database=D&table=T       who has access to one thing; the dialog
 *   POST /-/share                          shares it
 *   GET  /-/shares                         everything that is shared
 *   GET, POST /-/shares/ID                 one share: change, new link, withdraw, restore
 *   GET  /-/share/preview                  a page as others see it
 *
 * Only who is signed in and may `share` in the database, and only what the rules let them see themselves: what somebody
 * got by a share is not theirs to pass on. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "codec/digest.h"
#include "codec/password.h"
#include "codec/url.h"
#include "site/actor.h"
#include "site/links.h"
#include "site/queries.h"
#include "site/render/functions.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/share/guest.h"
#include "site/share/outbox.h"
#include "site/share/terms.h"
#include "site/tables.h"
#include "site/view/explain.h"
#include "site/view/view.h"
#include "site/write/stored.h"
#include "site/write/write.h"

#define LOG_SHOWN 50
#define UNDO_S    3600

struct target {
    enum share_kind kind;
    str database, name, page;
    str sql; /* of a query */
};

/* ---- who may ---- */

static enum status require_share(const struct request *rq, str database, struct err *err)
{
    if (value_is_null(rq->actor)) {
        err_set(err, STATUS_FORBIDDEN, "Sign in to share");
        return STATUS_FORBIDDEN;
    }
    return request_require(rq, ACTION_SHARE, database, (str){0}, "You do not have permission to share here", err);
}

static enum status find_query(struct request *rq, struct target *t, struct err *err)
{
    struct value q;
    if (!request_allowed_by_rules(rq, ACTION_VIEW_QUERY, t->database, t->name))
        return err_set(err, STATUS_FORBIDDEN, "You do not have permission to view this query");
    if (!queries_exists(rq, t->database, t->name))
        return err_set(err, STATUS_NOT_FOUND, "There is no such query");
    q = queries_get(rq, t->database, t->name);
    if (value_truth(VALUE_GET(q, "is_write")))
        return err_set(err, STATUS_INVALID, "A query that changes data cannot be shared");
    t->sql = value_get_text(q, STR("sql"));
    return stored_query_may_run(rq, q, NULL, err);
}

static enum status find_table(struct request *rq, const struct target *t, struct err *err)
{
    const struct schema_table *found;
    enum status st = request_connect(rq, err);
    if (st == STATUS_OK)
        st = tables_open(rq, t->name, &found, err);
    if (st == STATUS_OK && !request_allowed_by_rules(rq, ACTION_VIEW_TABLE, t->database, t->name))
        st = err_set(err, STATUS_FORBIDDEN, "You do not have permission to view this table");
    request_release_conn(rq);
    return st;
}

/* From the arguments of an address or a body: database, table or query, page. */
static enum status find_target(struct request *rq, struct value from, struct target *t, struct err *err)
{
    str table = value_get_text(from, STR("table")), query = value_get_text(from, STR("query"));
    *t = (struct target){.database = value_get_text(from, STR("database"))};
    if (!t->database.n || (table.n && query.n))
        return err_set(err, STATUS_INVALID,
                       "Name what is to be shared: database, or database and table, or database and query");
    enum status st = require_share(rq, t->database, err);
    if (st != STATUS_OK)
        return st;
    t->kind = table.n ? SHARE_TABLE : query.n ? SHARE_QUERY : SHARE_DATABASE;
    t->name = table.n ? table : query;
    rq->db = site_find(rq->site, t->database);
    if (!rq->db)
        return err_set(err, STATUS_NOT_FOUND, "Database not found");
    if (!request_allowed_by_rules(rq, ACTION_VIEW_DATABASE, t->database, (str){0}) && t->kind == SHARE_DATABASE)
        return err_set(err, STATUS_FORBIDDEN, "You do not have permission to view this database");
    st = terms_page(rq->arena, value_get_text(from, STR("page")), &t->page, err);
    if (st != STATUS_OK || t->kind == SHARE_DATABASE)
        return st;
    return t->kind == SHARE_TABLE ? find_table(rq, t, err) : find_query(rq, t, err);
}

static struct value args_dict(const struct request *rq)
{
    struct value d = value_dict(rq->arena);
    for (size_t i = 0; i < rq->args.count; i = args_next_key(&rq->args, i))
        value_set(d, rq->args.items[i].key, value_str(rq->args.items[i].value));
    return d;
}

/* ---- as values ---- */

static struct value day_and_time(struct request *rq, int64_t unix_s)
{
    char iso[CLOCK_ISO_LEN + 1];
    if (!unix_s)
        return VALUE_NULL;
    clock_format_iso_ms(unix_s * 1000000, iso);
    return value_str(ARENA_CAT(rq->arena, str_make(iso, 19), STR("Z")));
}

static str thing_url(struct request *rq, enum share_kind kind, str database, str name, str page)
{
    const struct share s = {.kind = kind, .database = database, .name = name, .page = page};
    return share_address(rq, &s);
}

static str dialog_url(struct request *rq, enum share_kind kind, str database, str name, str page)
{
    struct url_pair pairs[3] = {{STR("database"), database}};
    size_t n = 1;
    if (kind != SHARE_DATABASE)
        pairs[n++] = (struct url_pair){str_of(share_kind_names[kind]), name};
    if (page.n)
        pairs[n++] = (struct url_pair){STR("page"), page};
    return ARENA_CAT(rq->arena, link_path(rq, STR("-/share?")), url_encode(rq->arena, pairs, n));
}

static bool was_changed(struct request *rq, const struct share *s)
{
    char digest[DIGEST_HEX_MAX];
    if (s->kind != SHARE_QUERY || !queries_exists(rq, s->database, s->name))
        return false;
    digest_sha256_hex(value_get_text(queries_get(rq, s->database, s->name), STR("sql")), digest);
    return !str_is(s->sql_digest, digest);
}

static struct value share_value(struct request *rq, const struct share *s)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    str token = shares_token(rq->site->shares, a, s);
    str link = token.n ? ARENA_CAT(a, request_origin(rq), link_path(rq, STR("-/s/")), token) : (str){0};
    bool holds = share_holds(s, clock_unix_s());
    VALUE_SET(d, "id", value_str(s->id));
    VALUE_SET(d, "kind", value_cstr(share_kind_names[s->kind]));
    VALUE_SET(d, "database", value_str(s->database));
    VALUE_SET(d, "name", value_str_if(s->name.n > 0, s->name));
    VALUE_SET(d, "page", value_str(s->page));
    VALUE_SET(d, "address", value_str(request_absolute_url(rq, share_address(rq, s))));
    VALUE_SET(d, "audience", value_cstr(share_audience_names[s->audience]));
    VALUE_SET(d, "who", value_str_if(s->who.n > 0, s->who));
    VALUE_SET(d, "state", value_cstr(s->withdrawn_at ? "withdrawn" : holds ? "open" : "ended"));
    VALUE_SET(d, "by", value_str(s->maker));
    VALUE_SET(d, "by_name", value_str(s->maker_name));
    VALUE_SET(d, "made_at", day_and_time(rq, s->made_at));
    VALUE_SET(d, "until", day_and_time(rq, s->until));
    VALUE_SET(d, "has_password", value_bool(s->password.n > 0));
    VALUE_SET(d, "used_at", day_and_time(rq, s->used_at));
    VALUE_SET(d, "uses", value_int(s->uses));
    VALUE_SET(d, "changed", value_bool(was_changed(rq, s)));
    VALUE_SET(d, "url", value_str_if(link.n && holds, link));
    VALUE_SET(d, "embed_url",
              value_str_if(link.n && holds && !s->password.n && s->kind != SHARE_DATABASE,
                           ARENA_CAT(a, link, STR("?_embed=1"))));
    return d;
}

/* A share holds its link, and may be opened further: both are for who may see the thing without it, as making it is. */
static bool is_for_them(const struct request *rq, const struct share *s)
{
    return request_allowed_by_rules(rq, share_actions[s->kind], s->database, s->name);
}

static struct value share_values(struct request *rq, const struct share *shares, size_t count)
{
    struct value list = value_list(rq->arena);
    for (size_t i = 0; i < count; i++)
        if (is_for_them(rq, &shares[i]))
            value_push(list, share_value(rq, &shares[i]));
    return list;
}

/* What the rules say of everybody, and of which rule that comes. */
static struct value everybody(struct request *rq, const struct target *t)
{
    struct value d = value_dict(rq->arena), why;
    enum action a = share_actions[t->kind];
    struct explained_rule *rules;
    size_t count = explain_rules(rq, VALUE_NULL, a, &rules);
    bool by_rules = site_allowed(rq->site, &rq->policy, VALUE_NULL, a, t->database, t->name);
    why = explain_allow_reasons(rq->arena, rules, count, t->database, t->name);
    VALUE_SET(d, "allowed", value_bool(request_allows(rq, VALUE_NULL, a, t->database, t->name)));
    VALUE_SET(d, "by_rules", value_bool(by_rules));
    VALUE_SET(d, "why", by_rules ? why : value_list(rq->arena));
    return d;
}

/* ---- the dialog ---- */

static struct value of_target(struct request *rq, const struct target *t)
{
    struct value d = value_dict(rq->arena);
    VALUE_SET(d, "kind", value_cstr(share_kind_names[t->kind]));
    VALUE_SET(d, "database", value_str(t->database));
    VALUE_SET(d, "name", value_str_if(t->name.n > 0, t->name));
    VALUE_SET(d, "page", value_str(t->page));
    VALUE_SET(d, "address", value_str(request_absolute_url(rq, thing_url(rq, t->kind, t->database, t->name, t->page))));
    return d;
}

/* Those that hold, and those withdrawn a moment ago, so that it can be undone. */
static size_t shown_count(struct share *shares, size_t count)
{
    int64_t now = clock_unix_s();
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (share_holds(&shares[i], now) || shares[i].withdrawn_at > now - UNDO_S)
            shares[kept++] = shares[i];
    return kept;
}

static enum status respond_dialog(struct request *rq, const struct target *t, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    struct share *shares, *around = NULL;
    size_t count, around_count = 0;
    shares_list(rq->site->shares, a, t->database, t->name.p ? t->name : STR(""), true, &shares, &count);
    count = shown_count(shares, count);
    if (t->kind != SHARE_DATABASE)
        shares_list(rq->site->shares, a, t->database, STR(""), false, &around, &around_count);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "what", of_target(rq, t));
    VALUE_SET(d, "everybody", everybody(rq, t));
    VALUE_SET(d, "shares", share_values(rq, shares, count));
    VALUE_SET(d, "shares_of_database", share_values(rq, around, around_count));
    if (str_is(rq->format, "json")) {
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    str dialog = dialog_url(rq, t->kind, t->database, t->name, t->page), path, query;
    str_cut(dialog, '?', &path, &query);
    VALUE_SET(d, "share_action", value_str(path));
    VALUE_SET(d, "shares_action", value_str(link_path(rq, STR("-/shares"))));
    VALUE_SET(d, "dialog_url", value_str(dialog));
    VALUE_SET(d, "back_url", value_str(thing_url(rq, t->kind, t->database, t->name, t->page)));
    VALUE_SET(d, "preview_url", value_str(ARENA_CAT(a, path, STR("/preview?"), query)));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    const str names[] = {STR("share.html")};
    write_no_framing(rq);
    return page_respond(rq, 200, names, 1, d, false, err);
}

/* ---- sharing ---- */

static str maker_name(struct request *rq)
{
    static const char *const keys[] = {"display", "name", "username", "login", "id"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct value v = value_get(rq->actor, str_of(keys[i]));
        if (value_is_text(v) && v.s.n)
            return utf8_cut(v.s, LIMIT_SHARE_WHO);
    }
    return actor_name(rq);
}

static enum status hash_password(struct request *rq, str password, str *ret, struct err *err)
{
    enum status st = terms_password(password, err);
    return st == STATUS_OK ? password_hash(rq->arena, password, PASSWORD_ARGON2ID, ret, err) : st;
}

static enum status read_share(struct request *rq, struct value body, const struct target *t, struct share *s,
                              struct err *err)
{
    char digest[DIGEST_HEX_MAX];
    str password = value_get_text(body, STR("password"));
    int audience = terms_audience(value_get_text(body, STR("audience")));
    str until = value_get_text(body, STR("day")); /* of the form: a day of one's own */
    if (!until.n || !str_is(value_get_text(body, STR("until")), "day"))
        until = value_get_text(body, STR("until"));
    *s = (struct share){.kind = t->kind, .database = t->database, .name = t->name, .page = t->page};
    if (audience < 0)
        return err_set(err, STATUS_INVALID, "audience: write link, person or public");
    s->audience = (enum share_audience)audience;
    s->maker = actor_name(rq);
    s->maker_name = maker_name(rq);
    if (t->kind == SHARE_QUERY) {
        digest_sha256_hex(t->sql, digest);
        s->sql_digest = arena_str(rq->arena, str_of(digest));
    }
    enum status st = terms_until(until, clock_unix_s(), &s->until, err);
    if (st == STATUS_OK && s->audience == SHARE_PERSON)
        st = terms_who(value_get_text(body, STR("who")), &s->who, err);
    if (st == STATUS_OK && password.n && s->audience != SHARE_LINK)
        st = err_set(err, STATUS_INVALID, "password: only a link has one");
    if (st == STATUS_OK && password.n)
        st = hash_password(rq, password, &s->password, err);
    return st;
}

/* A form comes back to the dialog, with what went wrong as a message. */
static enum status back_to(struct request *rq, str url, str text, enum message_type type)
{
    messages_add(rq, text, type);
    respond_redirect(rq, 303, url);
    return STATUS_OK;
}

/* In a space the hub writes to whoever has an address; a mail that cannot be asked for is no reason not to share. */
static bool ask_for_mail(struct request *rq, const struct share *s)
{
    struct err err = ERR_INIT;
    str outbox = rq->site->shared->outbox, what = s->name.n ? s->name : s->database;
    if (!outbox.n || s->audience != SHARE_PERSON || !terms_is_address(s->who))
        return false;
    if (outbox_share(outbox, s->id, s->who, what, request_absolute_url(rq, share_address(rq, s)), s->maker, &err) ==
        STATUS_OK)
        return true;
    log_line(LOG_WARN, "share", "no mail is sent: %s", err.text);
    return false;
}

static str what_happened(struct request *rq, const struct share *s, bool mailed)
{
    if (s->audience == SHARE_PUBLIC)
        return STR("Everybody can see this now");
    if (s->audience == SHARE_LINK)
        return STR("The link is ready");
    if (mailed)
        return ARENA_CAT(rq->arena, s->who, STR(" can see this now, and gets a mail that says so"));
    return ARENA_CAT(rq->arena, s->who,
                     STR(" can see this now. Send them the address of the page: they sign in to see it"));
}

/* Where a form was: the list, the page itself, or else the dialog. */
static str back_url(struct request *rq, struct value body, const struct share *s)
{
    if (str_is(value_get_text(body, STR("back")), "shares"))
        return link_path(rq, STR("-/shares"));
    if (str_is(value_get_text(body, STR("back")), "page"))
        return share_address(rq, s);
    return dialog_url(rq, s->kind, s->database, s->name, s->page);
}

static enum status make(struct request *rq, struct err *err)
{
    struct value body, d = value_dict(rq->arena);
    struct target t;
    struct share s, kept;
    bool is_json;
    enum status st = write_body_any(rq, &body, &is_json, err);
    if (st == STATUS_OK)
        st = find_target(rq, body, &t, err);
    if (st != STATUS_OK)
        return is_json || str_is(rq->format, "json") ? write_end(rq, st, err) : st;
    is_json = is_json || str_is(rq->format, "json");
    st = read_share(rq, body, &t, &s, err);
    if (st == STATUS_OK)
        st = shares_add(rq->site->shares, rq->arena, &s, err);
    bool mailed = st == STATUS_OK && ask_for_mail(rq, &s);
    str back = back_url(rq, body, &s);
    if (st != STATUS_OK && (is_json || status_http(st) >= 500))
        return write_end(rq, st, err);
    if (st != STATUS_OK)
        return back_to(rq, back, arena_printf(rq->arena, "%s%s%s", err->text, err->hint[0] ? ". " : "", err->hint),
                       MESSAGE_ERROR);
    if (!is_json)
        return back_to(rq, back, what_happened(rq, &s, mailed), MESSAGE_INFO);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "mailed", value_bool(mailed));
    VALUE_SET(d, "share", share_value(rq, shares_get(rq->site->shares, rq->arena, s.id, &kept) ? &kept : &s));
    respond_json(rq, 201, d);
    return STATUS_OK;
}

enum status view_share(struct request *rq, struct err *err)
{
    struct target t;
    if (rq->http->method == HTTP_POST)
        return make(rq, err);
    enum status st = find_target(rq, args_dict(rq), &t, err);
    return st == STATUS_OK ? respond_dialog(rq, &t, err) : st;
}

/* ---- one share ---- */

static enum status find_share(struct request *rq, str id, struct share *ret, struct err *err)
{
    if (value_is_null(rq->actor))
        return require_share(rq, STR(""), err);
    bool found = shares_get(rq->site->shares, rq->arena, id, ret);
    if (found && request_allowed(rq, ACTION_SHARE, ret->database, (str){0}) && is_for_them(rq, ret))
        return STATUS_OK;
    return err_set(err, STATUS_NOT_FOUND, "There is no such share");
}

static enum status read_change(struct request *rq, struct value body, const struct share *s, struct share_change *c,
                               struct err *err)
{
    static const char *const known[] = {"withdraw", "restore", "new-link", "change"};
    str what = value_get_text(body, STR("action")), until = value_get_text(body, STR("until"));
    str password = value_get_text(body, STR("password"));
    enum status st = STATUS_OK;
    *c = (struct share_change){.who = actor_name(rq)};
    c->withdraw = str_is(what, known[0]);
    c->restore = str_is(what, known[1]);
    c->new_link = str_is(what, known[2]);
    if (!c->withdraw && !c->restore && !c->new_link && !str_is(what, known[3]))
        return err_set(err, STATUS_INVALID, "action: write withdraw, restore, new-link or change");
    if (c->new_link && s->audience != SHARE_LINK)
        return err_set(err, STATUS_INVALID, "This share has no link");
    if (!str_is(what, known[3]))
        return STATUS_OK;
    if (str_is(until, "day"))
        until = value_get_text(body, STR("day"));
    c->set_until = value_has(body, STR("until")) && !str_is(until, "keep");
    if (c->set_until)
        st = terms_until(until, clock_unix_s(), &c->until, err);
    bool clear = value_truth(VALUE_GET(body, "no_password"));
    c->set_password = clear || password.n;
    if (st == STATUS_OK && c->set_password && s->audience != SHARE_LINK)
        return err_set(err, STATUS_INVALID, "password: only a link has one");
    if (st == STATUS_OK && password.n && !clear)
        st = hash_password(rq, password, &c->password, err);
    if (st == STATUS_OK && !c->set_until && !c->set_password)
        return err_set(err, STATUS_INVALID, "Nothing to change: give until, password or no_password");
    return st;
}

static enum status change(struct request *rq, const struct share *s, struct err *err)
{
    struct value body, d = value_dict(rq->arena);
    struct share_change c;
    struct share kept;
    bool is_json;
    enum status st = write_body_any(rq, &body, &is_json, err);
    if (st != STATUS_OK)
        return write_end(rq, st, err);
    is_json = is_json || str_is(rq->format, "json");
    st = read_change(rq, body, s, &c, err);
    if (st == STATUS_OK)
        st = shares_change(rq->site->shares, s->id, &c, err);
    if (st != STATUS_OK && (is_json || status_http(st) >= 500))
        return write_end(rq, st, err);
    if (st != STATUS_OK)
        return back_to(rq, back_url(rq, body, s), arena_str(rq->arena, str_of(err->text)), MESSAGE_ERROR);
    if (!is_json)
        return back_to(rq, back_url(rq, body, s),
                       c.withdraw   ? STR("Withdrawn")
                       : c.restore  ? STR("Shared again")
                       : c.new_link ? STR("There is a new link; the old one leads nowhere")
                                    : STR("Changed"),
                       MESSAGE_INFO);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "share", shares_get(rq->site->shares, rq->arena, s->id, &kept) ? share_value(rq, &kept) : VALUE_NULL);
    respond_json(rq, 200, d);
    return STATUS_OK;
}

enum status view_share_one(struct request *rq, struct err *err)
{
    struct share s;
    struct value d = value_dict(rq->arena);
    bool json = str_is(rq->format, "json") || write_body_is_json(rq);
    enum status st = find_share(rq, rq->params[0], &s, err);
    if (st != STATUS_OK)
        return json ? write_end(rq, st, err) : st;
    if (rq->http->method == HTTP_POST)
        return change(rq, &s, err);
    if (!str_is(rq->format, "json")) {
        respond_redirect(rq, 302, dialog_url(rq, s.kind, s.database, s.name, s.page));
        return STATUS_OK;
    }
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "share", share_value(rq, &s));
    respond_json(rq, 200, d);
    return STATUS_OK;
}

/* ---- all of them ---- */

/* Shares of one thing together, the newest first. */
static int by_thing(const void *x, const void *y)
{
    const struct share *a = x, *b = y;
    int c = str_cmp(a->name, b->name);
    if (!c && a->made_at != b->made_at)
        c = a->made_at < b->made_at ? 1 : -1;
    return c ? c : str_cmp(a->id, b->id);
}

enum status view_shares(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a), list = value_list(a), log = value_list(a), part;
    bool ended = request_flag(rq, "ended", false), any = false;
    str only = request_arg(rq, "database");
    enum status st = value_is_null(rq->actor) ? require_share(rq, STR(""), err) : STATUS_OK;
    for (size_t i = 0; i < rq->site->published_count && st == STATUS_OK; i++) {
        str db = rq->site->published[i]->name;
        struct share *shares;
        size_t count;
        if ((only.n && !str_eq(only, db)) || !request_allowed(rq, ACTION_SHARE, db, (str){0}))
            continue;
        any = true;
        shares_list(rq->site->shares, a, db, (str){0}, ended, &shares, &count);
        if (count)
            qsort(shares, count, sizeof *shares, by_thing);
        for (size_t k = 0; k < count; k++) {
            if (!is_for_them(rq, &shares[k]))
                continue;
            struct value one = share_value(rq, &shares[k]);
            VALUE_SET(one, "dialog_thing",
                      value_str(ARENA_CAT(a, db, STR("/"), shares[k].name, STR("/"),
                                          str_of(share_kind_names[shares[k].kind]))));
            VALUE_SET(one, "dialog_url", value_str(dialog_url(rq, shares[k].kind, db, shares[k].name, shares[k].page)));
            value_push(list, one);
        }
        st = shares_log(rq->site->shares, a, db, LOG_SHOWN, &part, err);
        for (size_t k = 0; st == STATUS_OK && k < value_count(part); k++) {
            struct value line = value_at(part, k);
            VALUE_SET(line, "database", value_str(db));
            VALUE_SET(line, "at", day_and_time(rq, VALUE_GET(line, "at").i));
            value_push(log, line);
        }
    }
    if (st != STATUS_OK)
        return st;
    if (!any)
        return err_set(err, STATUS_FORBIDDEN, "You do not have permission to share here");
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "shares", list);
    VALUE_SET(d, "log", log);
    if (str_is(rq->format, "json")) {
        respond_json(rq, 200, d);
        return STATUS_OK;
    }
    VALUE_SET(d, "ended", value_bool(ended));
    VALUE_SET(d, "shares_action", value_str(link_path(rq, STR("-/shares"))));
    write_no_framing(rq);
    const str names[] = {STR("shares.html")};
    return page_respond(rq, 200, names, 1, d, false, err);
}

/* ---- as others see it ---- */

/* The page is made for an actor that nobody is: what it asks of the database can name nobody's id. Rights are those
 * that both have, for looking only. */
enum status view_share_preview(struct request *rq, struct err *err)
{
    struct guest *g = rq->guest;
    struct share s;
    struct target t;
    str id = request_arg(rq, "share");
    enum status st = id.n ? find_share(rq, id, &s, err) : find_target(rq, args_dict(rq), &t, err);
    if (st != STATUS_OK)
        return st;
    if (!id.n)
        s = (struct share){
            .kind = t.kind, .database = t.database, .name = t.name, .page = t.page, .audience = SHARE_PUBLIC};
    request_disconnect(rq);
    rq->db = NULL;
    g->seen.id[0] = g->first.id[0] = 0;
    g->pass_count = 0;
    g->preview = true;
    g->viewer = rq->actor;
    rq->actor = VALUE_NULL;
    if (id.n && s.audience == SHARE_LINK)
        guest_admit(rq, &s, false);
    if (s.audience == SHARE_PERSON) {
        g->audience = value_dict(rq->arena);
        value_set(g->audience, terms_is_address(s.who) ? STR("email") : STR("id"), value_str(s.who));
    }
    rq->format = STR("html");
    rq->query_string = STR("");
    return guest_forward(rq, &s, false, err);
}
