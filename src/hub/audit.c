/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/audit.h"

#include "base/clock.h"

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
