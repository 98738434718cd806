/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/sql.h"

#include "base/limits.h"
#include "db/db_value.h"

static enum status prepare(struct conn *c, const char *sql, const struct db_value *args, size_t count,
                           struct stmt **ret, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(c, str_of(sql), &s, err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; st == STATUS_OK && i < count; i++)
        st = stmt_bind(s, (int)i + 1, args[i], err);
    if (st != STATUS_OK)
        stmt_done(s);
    else
        *ret = s;
    return st;
}

static enum status fetch(struct conn *c, struct arena *a, const char *sql, const struct db_value *args, size_t count,
                         size_t max, struct value *ret, struct err *err)
{
    struct stmt *s;
    struct value rows = value_list(a);
    enum status st = prepare(c, sql, args, count, &s, err);
    if (st != STATUS_OK)
        return st;
    while (value_count(rows) < max && (st = stmt_step(s, err)) == STATUS_AGAIN) {
        struct value row = value_dict(a);
        for (int i = 0; i < stmt_column_count(s); i++) {
            struct db_value cell = stmt_column_value(s, i);
            value_set(row, arena_str(a, stmt_column_name(s, i)), db_value_copy(a, &cell));
        }
        value_push(rows, row);
    }
    stmt_done(s);
    if (st == STATUS_OK || st == STATUS_AGAIN)
        *ret = rows;
    return st == STATUS_AGAIN ? STATUS_OK : st;
}

enum status sql_rows(struct conn *c, struct arena *a, const char *sql, const struct db_value *args, size_t count,
                     struct value *ret, struct err *err)
{
    struct value rows;
    enum status st = fetch(c, a, sql, args, count, (size_t)LIMIT_HUB_ROWS + 1, &rows, err);
    if (st == STATUS_OK && value_count(rows) > (size_t)LIMIT_HUB_ROWS)
        return err_set(err, STATUS_TOO_LARGE, "more than %d rows of the hub's database at once", LIMIT_HUB_ROWS);
    if (st == STATUS_OK)
        *ret = rows;
    return st;
}

enum status sql_row(struct conn *c, struct arena *a, const char *sql, const struct db_value *args, size_t count,
                    struct value *ret, struct err *err)
{
    struct value rows;
    enum status st = fetch(c, a, sql, args, count, 1, &rows, err);
    if (st == STATUS_OK)
        *ret = value_count(rows) ? value_at(rows, 0) : VALUE_UNDEF;
    return st;
}

enum status sql_change(struct conn *c, const char *sql, const struct db_value *args, size_t count, int64_t *ret_changes,
                       struct err *err)
{
    struct stmt *s;
    struct err own = ERR_INIT;
    enum status st = prepare(c, sql, args, count, &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, &own)) == STATUS_AGAIN)
        continue;
    stmt_done(s);
    if (st == STATUS_SQL && str_find(str_of(own.text), STR("UNIQUE constraint")) != STR_NPOS)
        st = own.status = STATUS_CONFLICT;
    if (st != STATUS_OK && err)
        *err = own;
    if (st == STATUS_OK && ret_changes)
        *ret_changes = conn_changes(c);
    return st;
}
