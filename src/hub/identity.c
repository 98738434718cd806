/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/identity.h"

#include "base/clock.h"
#include "base/limits.h"
#include "hub/sql.h"

/* What a page shows: "Octo", "ana@example.org", or the subject. */
static str who(const struct identity_person *p)
{
    return p->login.n ? p->login : p->email.n ? p->email : p->name.n ? p->name : p->subject;
}

enum status identity_find(struct conn *c, struct arena *a, const struct identity_person *p, str *ret_user,
                          int64_t *ret_id, struct err *err)
{
    struct value row;
    enum status st = SQL_ROW(c, a, &row, err, "select id, user from identities where issuer = ?1 and subject = ?2",
                             SQL_T(p->issuer), SQL_T(p->subject));
    if (st == STATUS_OK && row.kind != VALUE_DICT)
        return err_set(err, STATUS_NOT_FOUND, "No account here is linked to it.");
    if (st == STATUS_OK)
        *ret_user = VALUE_GET(row, "user").s;
    if (st == STATUS_OK && ret_id)
        *ret_id = VALUE_GET(row, "id").i;
    return st;
}

enum status identity_used(struct conn *c, const struct identity_person *p, struct err *err)
{
    return SQL_RUN(c, err, "update identities set used_at = ?3, who = ?4 where issuer = ?1 and subject = ?2",
                   SQL_T(p->issuer), SQL_T(p->subject), SQL_I(clock_unix_s()), SQL_T(who(p)));
}

enum status identity_count(struct conn *c, str user, int64_t *ret, struct err *err)
{
    struct arena *a = arena_new(0);
    struct value row = VALUE_UNDEF;
    enum status st = SQL_ROW(c, a, &row, err, "select count(*) as n from identities where user = ?1", SQL_T(user));
    if (st == STATUS_OK)
        *ret = VALUE_GET(row, "n").i;
    arena_free(a);
    return st;
}

enum status identity_link(struct conn *c, struct arena *a, str user, str provider, const struct identity_person *p,
                          struct err *err)
{
    int64_t n = 0;
    str other = {0};
    struct err no = ERR_INIT;
    enum status st = identity_find(c, a, p, &other, NULL, &no);
    if (st == STATUS_OK && str_eq(other, user))
        return STATUS_OK;
    if (st == STATUS_OK) {
        err_set(err, STATUS_CONFLICT, "It is linked to another account here.");
        err_hint(err, "Sign in with it, or unlink it there first.");
        return STATUS_CONFLICT;
    }
    st = st == STATUS_NOT_FOUND ? identity_count(c, user, &n, err) : st;
    if (st == STATUS_OK && n >= LIMIT_IDENTITIES)
        return err_set(err, STATUS_TOO_LARGE, "An account has at most %d ways to sign in by others.", LIMIT_IDENTITIES);
    if (st == STATUS_OK)
        st = SQL_RUN(c, err,
                     "insert into identities (user, provider, issuer, subject, who, created_at, used_at)"
                     " values (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                     SQL_T(user), SQL_T(provider), SQL_T(p->issuer), SQL_T(p->subject), SQL_T(who(p)),
                     SQL_I(clock_unix_s()));
    return st;
}

enum status identity_unlink(struct conn *c, str user, int64_t id, struct err *err)
{
    int64_t changes = 0;
    const struct db_value key[] = {SQL_T(user), SQL_I(id)};
    enum status st = sql_change(c, "delete from identities where user = ?1 and id = ?2", key, 2, &changes, err);
    if (st == STATUS_OK && !changes)
        st = err_set(err, STATUS_NOT_FOUND, "It is not linked to your account any more.");
    return st;
}

enum status identity_list(struct conn *c, struct arena *a, str user, struct value *ret, struct err *err)
{
    return SQL_ROWS(c, a, ret, err,
                    "select id, provider, issuer, who, created_at, used_at from identities where user = ?1 order by id",
                    SQL_T(user));
}

enum status identity_use_try(struct conn *c, str state, int64_t until_s, struct err *err)
{
    int64_t changes = 0;
    const struct db_value row[] = {SQL_T(state), SQL_I(until_s)};
    enum status st = SQL_RUN(c, err, "delete from used_tries where until_s < ?1", SQL_I(clock_unix_s()));
    if (st == STATUS_OK)
        st = sql_change(c, "insert or ignore into used_tries (state, until_s) values (?1, ?2)", row, 2, &changes, err);
    if (st == STATUS_OK && !changes) {
        err_set(err, STATUS_CONFLICT, "This try to sign in has had its answer.");
        err_hint(err, "Begin again on the sign-in page.");
        return STATUS_CONFLICT;
    }
    return st;
}
