/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/account.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "hub/audit.h"

enum status account_name_check(str name, const char *what, struct err *err)
{
    bool ok = name.n > 0 && name.n <= LIMIT_HUB_NAME && utf8_valid(name);
    for (size_t i = 0; ok && i < name.n; i++)
        ok = (unsigned char)name.p[i] >= 0x20 && name.p[i] != 0x7f;
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

enum status account_link_add(struct conn *c, str hash, const char *kind, str user_id, str email, int64_t life_s,
                             struct err *err)
{
    int64_t now = clock_unix_s();
    struct db_value user = user_id.n ? SQL_T(user_id) : (struct db_value){.kind = DB_NULL};
    return SQL_RUN(
        c, err, "insert into links (hash, kind, user_id, email, created_at, ends_at) values (?1, ?2, ?3, ?4, ?5, ?6)",
        SQL_T(hash), SQL_T(str_of(kind)), user, SQL_T(email), SQL_I(now), SQL_I(now + life_s));
}

enum status account_link_find(struct conn *c, struct arena *a, str secret, const char *kind, struct value *ret,
                              struct err *err)
{
    *ret = VALUE_UNDEF;
    if (!secret.n || secret.n > 100)
        return STATUS_OK;
    return SQL_ROW(c, a, ret, err,
                   "select user_id, email from links where hash = ?1 and kind = ?2 and used_at = 0 and ends_at > ?3",
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
