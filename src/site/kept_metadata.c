/* SPDX-License-Identifier: Apache-2.0 */
#include "site/kept_metadata.h"

#include "db/stmt.h"

/* Level by level: names of database, table and column, empty where they do not apply; key, value. */
static const char all_sql[] =
    "SELECT '', '', '', key, value FROM metadata_instance UNION ALL "
    "SELECT database_name, '', '', key, value FROM metadata_databases UNION ALL "
    "SELECT database_name, resource_name, '', key, value FROM metadata_resources UNION ALL "
    "SELECT database_name, resource_name, column_name, key, value FROM metadata_columns WHERE key = 'description'";

/* dict[key], made when it is not there; UNDEFINED when something else than a DICT stands there. */
static struct value within(struct arena *a, struct value dict, str key)
{
    struct value v = value_get(dict, key);
    if (v.kind == VALUE_UNDEFINED && dict.kind == VALUE_DICT) {
        v = value_dict(a);
        value_set(dict, arena_str(a, key), v);
    }
    return v.kind == VALUE_DICT ? v : VALUE_UNDEF;
}

static void add_row(struct arena *a, struct value metadata, struct stmt *s)
{
    str db = stmt_column_text(s, 0), table = stmt_column_text(s, 1), column = stmt_column_text(s, 2),
        key = stmt_column_text(s, 3), text = stmt_column_text(s, 4);
    struct value at = metadata;
    if (db.n)
        at = within(a, within(a, at, STR("databases")), db);
    if (table.n)
        at = within(a, within(a, at, STR("tables")), table);
    if (column.n) {
        at = within(a, at, STR("columns"));
        key = column;
    }
    if (at.kind == VALUE_DICT && key.n && text.p && !value_has(at, key))
        value_set(at, arena_str(a, key), value_str(arena_str(a, text)));
}

enum status kept_metadata_add(struct internal *in, struct arena *a, struct value metadata, struct err *err)
{
    struct conn *c;
    struct stmt *s;
    enum status st = internal_read(in, &c, err);
    if (st != STATUS_OK)
        return st;
    st = conn_prepare_trusted(c, str_of(all_sql), &s, err);
    if (st == STATUS_OK) {
        while ((st = stmt_step(s, err)) == STATUS_AGAIN)
            add_row(a, metadata, s);
        stmt_done(s);
    }
    conn_release(c);
    return st == STATUS_OK ? st : err_prefix(err, "%.*s", STR_ARG(internal_path(in)));
}
