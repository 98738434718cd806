/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/audit.h"

#include "base/clock.h"
#include "base/limits.h"

enum status hub_audit_of(struct conn *c, const struct hub_request *rq, str user, const char *action, str space_id,
                         str object, struct err *err)
{
    return SQL_RUN(c, err,
                   "insert into audit (at, user_id, action, space_id, object, address) values (?1, ?2, ?3, ?4, ?5, ?6)",
                   SQL_I(clock_unix_s()), SQL_T(user), SQL_T(str_of(action)), SQL_T(space_id), SQL_T(object),
                   SQL_T(rq ? rq->client : STR("")));
}

enum status hub_audit(struct conn *c, const struct hub_request *rq, const char *action, str space_id, str object,
                      struct err *err)
{
    return hub_audit_of(c, rq, hub_user_id(rq), action, space_id, object, err);
}

static const struct {
    const char *action, *words;
} all_words[] = {
#define X(action, words) {action, words},
#include "hub/tbl/audit_words.h"
#undef X
};

static str words_of(str action)
{
    for (size_t i = 0; i < ARRAY_LEN(all_words); i++)
        if (str_is(action, all_words[i].action))
            return str_of(all_words[i].words);
    return action; /* of a version of before, or after */
}

enum status hub_audit_rows(struct conn *c, struct arena *a, str space_id, int64_t before, struct value *ret,
                           int64_t *ret_before, struct err *err)
{
    struct value rows;
    enum status st =
        SQL_ROWS(c, a, &rows, err,
                 "select a.id, a.at, a.action, u.name as who, u.email, s.name as space, coalesce((select"
                 " email from users where id = a.object), (select email from invitations where id ="
                 " a.object), (select name from teams where id = a.object), a.object) as object from audit a"
                 " left join users u on u.id = a.user_id left join spaces s on s.id = a.space_id where (?1 ="
                 " '' or a.space_id = ?1) and (?2 = 0 or a.id < ?2) order by a.id desc limit ?3",
                 SQL_T(space_id), SQL_I(before), SQL_I(LIMIT_HUB_ADMIN_ROWS));
    if (st != STATUS_OK)
        return st;
    size_t n = value_count(rows);
    for (size_t i = 0; i < n; i++)
        VALUE_SET(value_at(rows, i), "words", value_str(words_of(VALUE_GET(value_at(rows, i), "action").s)));
    *ret_before = n == (size_t)LIMIT_HUB_ADMIN_ROWS ? VALUE_GET(value_at(rows, n - 1), "id").i : 0;
    *ret = rows;
    return STATUS_OK;
}
