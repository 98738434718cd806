/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/mail.h"

#include "base/clock.h"
#include "base/limits.h"
#include "hub/sql.h"

enum status mail_add(struct conn *c, struct arena *a, str to, const char *kind, struct value vars, struct err *err)
{
    struct buf json;
    buf_init(&json, LIMIT_HUB_FORM);
    value_to_json(&json, vars, VALUE_JSON_UTF8);
    str text = arena_str(a, buf_str(&json));
    buf_release(&json);
    return SQL_RUN(c, err, "insert into mails (recipient, kind, vars, created_at) values (?1, ?2, ?3, ?4)", SQL_T(to),
                   SQL_T(str_of(kind)), SQL_T(text), SQL_I(clock_unix_s()));
}
