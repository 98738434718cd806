/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/old_name.h"

#include "base/clock.h"
#include "base/limits.h"
#include "hub/request.h"
#include "hub/sql.h"

enum status old_name_keep(struct conn *c, str space_id, struct err *err)
{
    return SQL_RUN(c, err,
                   "insert or replace into old_names (name, space_id, owners, until_s) select name, id, (select"
                   " json_group_array(user_id) from members where space_id = id and role = 'owner'), ?2 from spaces"
                   " where id = ?1",
                   SQL_T(space_id), SQL_I(clock_unix_s() + LIMIT_HUB_OLD_NAME_S));
}

enum status old_name_take(struct conn *c, struct arena *a, str name, str space_id, str user_id, struct err *err)
{
    struct value row;
    enum status st =
        SQL_ROW(c, a, &row, err,
                "select until_s, space_id = ?2 or exists (select 1 from json_each(owners) where value = ?3)"
                " as theirs from old_names where name = ?1 and until_s > ?4",
                SQL_T(name), SQL_T(space_id), SQL_T(user_id), SQL_I(clock_unix_s()));
    if (st != STATUS_OK)
        return st;
    if (row.kind == VALUE_DICT && !VALUE_GET(row, "theirs").i) {
        err_set(err, STATUS_CONFLICT, "\"%.*s\" was the name of another space, and is kept for its owners.",
                STR_ARG(name));
        return err_hint(err, "Take another name. This one is free on %.*s.",
                        STR_ARG(hub_day(a, VALUE_GET(row, "until_s").i)));
    }
    return SQL_RUN(c, err, "delete from old_names where name = ?1", SQL_T(name));
}

enum status old_name_forget(struct conn *c, int64_t now_s, struct err *err)
{
    return SQL_RUN(c, err, "delete from old_names where until_s <= ?1", SQL_I(now_s));
}
