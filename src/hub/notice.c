/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/notice.h"

#include "base/clock.h"
#include "hub/device.h"
#include "hub/mail.h"

enum status notice_add(struct conn *c, struct hub_request *rq, str user_id, const char *kind, const char *key,
                       struct value text, struct err *err)
{
    struct arena *a = rq->a;
    struct value row, vars = value_dict(a);
    if (!hub_sends_mail(&rq->hub->config))
        return STATUS_OK;
    enum status st =
        SQL_ROW(c, a, &row, err, "select email from users where id = ?1 and verified_at > 0", SQL_T(user_id));
    if (st != STATUS_OK || row.kind != VALUE_DICT)
        return st;
    VALUE_SET(vars, "when", value_str(hub_day(a, clock_unix_s())));
    VALUE_SET(vars, "device", value_str(device_name(a, http_header(rq->http, STR("user-agent")))));
    VALUE_SET(vars, "address", value_str(device_place(a, rq->client)));
    VALUE_SET(vars, "url", value_str(ARENA_CAT(a, rq->hub->config.origin, STR("/-/account/sessions"))));
    if (key)
        value_set(vars, str_of(key), text);
    return mail_add(c, a, rq->hub->secret, VALUE_GET(row, "email").s, kind, vars, err);
}
