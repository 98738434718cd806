/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/account.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "hub/audit.h"
#include "hub/session.h"
#include "hub/space.h"
#include "rt/fault.h"

/* Ends a line, is not seen, or turns the text around it: a name with it could pass for another one, or for two. The
 * joiners (200C, 200D) and the marks of direction (200E, 200F) stay: languages and emoji need them. */
static bool is_plain(uint32_t code)
{
    static const uint32_t bad[][2] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},
                                      {0x200b, 0x200b}, {0x2028, 0x202e}, {0x2060, 0x2069},
                                      {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (code >= bad[i][0] && code <= bad[i][1])
            return false;
    return true;
}

enum status account_name_check(str name, const char *what, struct err *err)
{
    bool ok = name.n > 0 && name.n <= LIMIT_HUB_NAME && utf8_valid(name);
    for (size_t at = 0, len = 0; ok && at < name.n; at += len)
        ok = is_plain(utf8_decode(str_from(name, at), &len));
    if (ok)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "%s must have 1 to %d bytes of plain text.", what, LIMIT_HUB_NAME);
}

enum status account_add(struct conn *c, const struct hub_request *rq, str id, str email, str name, str password_hash,
                        bool verified, struct err *err)
{
    int64_t now = clock_unix_s();
    enum status st = SQL_RUN(
        c, err,
        "insert into users (id, email, name, password, verified_at, created_at) values (?1, ?2, ?3, ?4, ?5, ?6)",
        SQL_T(id), SQL_T(email), SQL_T(name), SQL_T(password_hash), SQL_I(verified ? now : 0), SQL_I(now));
    return st == STATUS_OK ? hub_audit(c, rq, "account.made", STR(""), email, err) : st;
}

enum status account_closed(const struct hub_request *rq, struct err *err)
{
    err_set(err, STATUS_FORBIDDEN, "This account is closed.");
    return err_hint(err, "Ask whoever runs %.*s why, and to open it again.", STR_ARG(rq->hub->config.domain));
}

enum status account_link_add(struct conn *c, str hash, const char *kind, str user_id, str email, int64_t life_s,
                             struct err *err)
{
    int64_t now = clock_unix_s();
    struct db_value user = user_id.n ? SQL_T(user_id) : (struct db_value){.kind = DB_NULL};
    return SQL_RUN(
        c, err, "insert into links (hash, kind, user_id, email, created_at, ends_at) values (?1, ?2, ?3, ?4, ?5, ?6)",
        SQL_T(hash), SQL_T(str_of(kind)), user, SQL_T(email), SQL_I(now), SQL_I(now + life_s));
}

enum status account_link_of_browser(struct conn *c, str hash, str browser, struct err *err)
{
    return SQL_RUN(c, err, "update links set data = json_set(data, '$.browser', ?2) where hash = ?1", SQL_T(hash),
                   SQL_T(browser));
}

enum status account_link_of_password(struct conn *c, str hash, str password_hash, struct err *err)
{
    return SQL_RUN(c, err, "update links set data = json_set(data, '$.password', ?2) where hash = ?1", SQL_T(hash),
                   SQL_T(password_hash));
}

enum status account_link_of_identity(struct conn *c, str hash, int64_t identity, struct err *err)
{
    return SQL_RUN(c, err, "update links set data = json_set(data, '$.identity', ?2) where hash = ?1", SQL_T(hash),
                   SQL_I(identity));
}

enum status account_link_find(struct conn *c, struct arena *a, str secret, const char *kind, struct value *ret,
                              struct err *err)
{
    *ret = VALUE_UNDEF;
    if (!secret.n || secret.n > 100)
        return STATUS_OK;
    return SQL_ROW(c, a, ret, err,
                   "select user_id, email, coalesce(data ->> 'browser', '') as browser,"
                   " coalesce(data ->> 'password', '') as password,"
                   " coalesce(data ->> 'identity', 0) as identity from links where hash = ?1 and kind = ?2 and used_at "
                   "= 0 and ends_at > ?3",
                   SQL_T(hub_hash(a, secret)), SQL_T(str_of(kind)), SQL_I(clock_unix_s()));
}

enum status account_link_use(struct conn *c, struct arena *a, str secret, const char *kind, struct err *err)
{
    int64_t changed = 0;
    const struct db_value args[] = {SQL_T(hub_hash(a, secret)), SQL_T(str_of(kind)), SQL_I(clock_unix_s())};
    enum status st = sql_change(c,
                                "update links set used_at = ?3 where hash = ?1 and kind = ?2 and used_at = 0 and"
                                " ends_at > ?3",
                                args, ARRAY_LEN(args), &changed, err);
    if (st != STATUS_OK || changed)
        return st;
    err_set(err, STATUS_CONFLICT, "This link was used already, or its time is over.");
    return err_hint(err, "Ask for a new one.");
}

enum status account_void_links(struct conn *c, str user_id, struct err *err)
{
    return SQL_RUN(
        c, err,
        "update links set used_at = ?2 where user_id = ?1 and kind in ('reset', 'handed', 'second', 'address') and"
        " used_at = 0",
        SQL_T(user_id), SQL_I(clock_unix_s()));
}

enum status account_proven(struct conn *c, struct arena *a, str user_id, struct err *err)
{
    static const char *const claims[] = {
        "delete from passkeys where user_id = ?1", "delete from identities where user = ?1",
        "delete from devices where user_id = ?1", "update users set password = '' where id = ?1"};
    const struct db_value args[] = {SQL_T(user_id), SQL_I(clock_unix_s())};
    int64_t changes = 0;
    enum status st =
        sql_change(c, "update users set verified_at = ?2 where id = ?1 and verified_at = 0", args, 2, &changes, err);
    if (st != STATUS_OK || !changes)
        return st;
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(claims); i++)
        st = sql_change(c, claims[i], args, 1, NULL, err);
    if (st == STATUS_OK)
        st = account_void_links(c, user_id, err);
    return st == STATUS_OK ? hub_session_end_others(c, a, user_id, STR(""), err) : st;
}

/* ---- leaving ---- */

enum status account_alone(struct conn *c, struct arena *a, str user_id, struct value *ret, struct err *err)
{
    return SQL_ROWS(c, a, ret, err,
                    "select s.name, s.title from members m join spaces s on s.id = m.space_id where m.user_id = ?1 and"
                    " m.role = 'owner' and s.state <> 'deleted' and not exists (select 1 from members o join users u on"
                    " u.id = o.user_id where o.space_id = s.id and o.role = 'owner' and o.user_id <> ?1 and"
                    " u.deletes_at = 0 and u.disabled_at = 0) order by s.name",
                    SQL_T(user_id));
}

struct purge {
    struct arena *a;
    int64_t now, gone;
    bool verify; /* addresses are to be confirmed */
};

static enum status purge_one(struct conn *c, struct purge *p, str id, struct err *err)
{
    struct value alone;
    enum status st = account_alone(c, p->a, id, &alone, err);
    if (st != STATUS_OK || value_count(alone))
        return st;
    st = hub_session_end_others(c, p->a, id, STR(""), err);
    if (st == STATUS_OK)
        st = space_changed_of(c, id, err);
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "insert into audit (at, action, object) values (?1, 'account.gone', ?2)", SQL_I(p->now),
                     SQL_T(id));
    if (st == STATUS_OK)
        st = SQL_RUN(c, err, "delete from users where id = ?1", SQL_T(id));
    p->gone += st == STATUS_OK;
    return st;
}

/* Accounts of which nobody ever showed that the address is theirs, and that nobody was ever signed in to: they would be
 * in the way of whoever it belongs to. */
#define UNUSED                                                                                                         \
    "verified_at = 0 and seen_at = 0 and created_at < ?2 and is_admin = 0 and not exists (select 1 from identities i"  \
    " where i.user = users.id)"

static enum status purge(struct conn *c, void *arg, struct err *err)
{
    struct purge *p = arg;
    struct value rows;
    p->gone = 0;
    enum status st = SQL_ROWS(c, p->a, &rows, err,
                              "select id from users where deletes_at between 1 and ?1 or (?3 and " UNUSED ") limit 100",
                              SQL_I(p->now), SQL_I(p->now - LIMIT_HUB_UNVERIFIED_S), SQL_I(p->verify));
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++)
        st = purge_one(c, p, VALUE_GET(value_at(rows, i), "id").s, err);
    return st;
}

enum status account_purge(struct hub *h, int64_t now_s, struct err *err)
{
    struct purge p = {.a = arena_new(0), .now = now_s, .verify = h->config.verify};
    enum status st = store_write(h->store, purge, &p, err);
    if (p.gone)
        (void)FAULT("hub.account.gone");
    arena_free(p.a);
    if (st == STATUS_OK && p.gone) {
        log_line(LOG_INFO, "hub", "%lld deleted account%s gone", (long long)p.gone, p.gone == 1 ? " is" : "s are");
        space_tell(h);
    }
    return st;
}
