/* SPDX-License-Identifier: Apache-2.0 */
#include "site/audit.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "site/internal.h"

void audit_add(struct internal *in, str actor, const char *what, str detail)
{
    const struct db_value row[] = {{.kind = DB_INT, .i = clock_unix_s()},
                                   {.kind = DB_TEXT, .s = actor.p ? actor : STR("")},
                                   {.kind = DB_TEXT, .s = str_of(what)},
                                   {.kind = DB_TEXT, .s = detail.p ? detail : STR("")}};
    const struct db_value most = {.kind = DB_INT, .i = LIMIT_AUDIT_ROWS};
    struct err err = ERR_INIT;
    enum status st = internal_run(in, "INSERT INTO audit (at, actor, what, detail) VALUES (?, ?, ?, ?)", row,
                                  ARRAY_LEN(row), NULL, &err);
    if (st == STATUS_OK)
        st = internal_run(in, "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", &most, 1, NULL, &err);
    if (st != STATUS_OK)
        LOG_WITH(LOG_ERROR, "audit", str_of(err.text), LOG_STR("actor", actor), LOG_STR("what", str_of(what)),
                 LOG_STR("detail", detail));
}
