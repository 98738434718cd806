/* SPDX-License-Identifier: Apache-2.0 */
/* redeclare — the only place that writes sqlite_schema by hand. SQLite has no ALTER TABLE for the type of a column; the
 * way around (a new table, all rows copied) costs what loading them has cost. DEFENSIVE is off for the one statement.
 * writable_schema = RESET makes this connection read the schema anew; others see the cookie of the CREATE TABLE when
 * the transaction ends. */
#include "db/redeclare.h"

#include <sqlite3.h>

#include "db/stmt.h"

#include "base/banned.h"

static enum status write_sql(struct conn *c, str table, str sql, struct err *err)
{
    struct stmt *s;
    enum status st = conn_execute(c, STR("PRAGMA writable_schema = ON"), err);
    if (st == STATUS_OK)
        st = conn_prepare_trusted(c, STR("UPDATE main.sqlite_schema SET sql = ?1 WHERE type = 'table' AND name = ?2"),
                                  &s, err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, sql, err);
    if (st == STATUS_OK)
        st = stmt_bind_text(s, 2, table, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    return st;
}

enum status conn_redeclare(struct conn *c, str table, str sql, struct err *err)
{
    sqlite3_db_config(conn_sqlite(c), SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    enum status st = write_sql(c, table, sql, err);
    enum status reset = conn_execute(c, STR("PRAGMA writable_schema = RESET"), st == STATUS_OK ? err : NULL);
    sqlite3_db_config(conn_sqlite(c), SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return st == STATUS_OK ? reset : st;
}
