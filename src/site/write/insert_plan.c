/* SPDX-License-Identifier: Apache-2.0 */
/* insert_plan — Datasette's rules for the bodies of /-/insert and /-/upsert, in its order and with its words. */
#include "site/query/plan.h"
#include "site/write/insert.h"
#include "site/write/write.h"

static const char *const options[] = {"return", "ignore", "replace", "alter"};
static const char *const known[] = {"row", "rows", "return", "ignore", "replace", "alter"};
static const str rowid_pk[] = {{"rowid", 5}};

bool insert_is_key(const struct insert_plan *p, str column)
{
    if (!p->table.pk_count)
        return str_is(column, "rowid");
    for (size_t i = 0; i < p->table.pk_count; i++)
        if (str_eq(p->table.pks[i], column))
            return true;
    return false;
}

static bool is_column(const struct insert_plan *p, str name)
{
    for (size_t i = 0; i < p->table.column_count; i++)
        if (str_eq(p->table.columns[i], name))
            return true;
    return insert_is_key(p, name);
}

/* "row" or "rows" -> p->rows. */
static enum status take_rows(struct arena *a, struct value body, struct insert_plan *p, struct err *err)
{
    struct value row = VALUE_GET(body, "row"), rows = VALUE_GET(body, "rows");
    bool one = row.kind != VALUE_UNDEFINED;
    if (!one && rows.kind == VALUE_UNDEFINED)
        return err_set(err, STATUS_INVALID, "JSON must have one or other of \"row\" or \"rows\"");
    if (one && rows.kind != VALUE_UNDEFINED)
        return err_set(err, STATUS_INVALID, "Cannot use \"row\" and \"rows\" at the same time");
    if (one && row.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "\"row\" must be a dictionary");
    if (one) {
        rows = value_list(a);
        value_push(rows, row);
    }
    if (rows.kind != VALUE_LIST)
        return err_set(err, STATUS_INVALID, "\"rows\" must be a list");
    for (size_t i = 0; i < value_count(rows); i++)
        if (value_at(rows, i).kind != VALUE_DICT)
            return err_set(err, STATUS_INVALID, "\"rows\" must be a list of dictionaries");
    p->rows = rows;
    p->give_rows = one || value_truth(VALUE_GET(body, "return"));
    return STATUS_OK;
}

static enum status take_options(struct arena *a, struct value body, struct insert_plan *p, struct err *err)
{
    str unknown = write_unknown_keys(a, body, known, ARRAY_LEN(known), STR("\", \""));
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Invalid parameter: \"%.*s\"", STR_ARG(unknown));
    bool *const fields[] = {&p->give_rows, &p->ignore, &p->replace, &p->alter};
    for (size_t i = 1; i < ARRAY_LEN(options); i++)
        *fields[i] = value_truth(value_get(body, str_of(options[i])));
    if (p->ignore && p->replace)
        return err_set(err, STATUS_INVALID, "Cannot use \"ignore\" and \"replace\" at the same time");
    return STATUS_OK;
}

/* Keys of the primary key that the row lacks (or has as null). */
static void check_key(struct arena *a, const struct insert_plan *p, size_t i, struct value row, bool null,
                      struct value errors)
{
    const str *pks = p->table.pk_count ? p->table.pks : rowid_pk;
    size_t n = p->table.pk_count ? p->table.pk_count : 1, bad = 0;
    str *names = ARENA_ARRAY(a, str, n);
    for (size_t k = 0; k < n; k++) {
        struct value v = value_get(row, pks[k]);
        if (v.kind == (null ? VALUE_NONE : VALUE_UNDEFINED))
            names[bad++] = pks[k];
    }
    if (bad)
        value_push(errors, value_str(arena_printf(a, "Row %zu %s primary key column(s): \"%.*s\"", i,
                                                  null ? "has null" : "is missing",
                                                  STR_ARG(write_join(a, names, bad, STR("\", \""))))));
}

static void check_columns(struct arena *a, const struct insert_plan *p, size_t i, struct value row, struct value errors)
{
    struct value unknown = value_dict(a);
    for (size_t k = 0; k < value_count(row); k++)
        if (!is_column(p, row.dict->entries[k].key))
            value_set(unknown, row.dict->entries[k].key, VALUE_NULL);
    if (!value_count(unknown))
        return;
    str names = write_unknown_keys(a, unknown, NULL, 0, STR(", "));
    value_push(errors, value_str(ARENA_CAT(a, arena_printf(a, "Row %zu has invalid columns: ", i), names)));
}

static enum status decode_rows(struct arena *a, struct insert_plan *p, struct err *err)
{
    struct value rows = value_list(a), row;
    for (size_t i = 0; i < value_count(p->rows); i++) {
        enum status st = write_decode_row(a, value_at(p->rows, i), &row, err);
        if (st != STATUS_OK)
            return st;
        value_push(rows, row);
    }
    p->rows = rows;
    return STATUS_OK;
}

enum status insert_plan_read(struct arena *a, struct value body, const struct insert_table *table, bool upsert,
                             int64_t max_rows, struct insert_plan *ret, struct value *ret_errors, struct err *err)
{
    struct insert_plan p = {.table = *table, .upsert = upsert};
    struct value errors = value_list(a);
    enum status st = take_rows(a, body, &p, err);
    if (st == STATUS_OK && (int64_t)value_count(p.rows) > max_rows)
        st = err_set(err, STATUS_INVALID, "Too many rows, maximum allowed is %lld", (long long)max_rows);
    if (st == STATUS_OK)
        st = take_options(a, body, &p, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(p.rows); i++) {
        struct value row = value_at(p.rows, i);
        if (upsert) {
            check_key(a, &p, i, row, false, errors);
            check_key(a, &p, i, row, true, errors);
        }
        if (!p.alter)
            check_columns(a, &p, i, row, errors);
    }
    *ret_errors = errors;
    if (st == STATUS_OK && value_count(errors))
        st = err_set(err, STATUS_INVALID, "%.*s", STR_ARG(value_at(errors, 0).s));
    if (st == STATUS_OK)
        st = decode_rows(a, &p, err);
    if (st == STATUS_OK && upsert && (p.ignore || p.replace))
        st = err_set(err, STATUS_INVALID, "Upsert does not support ignore or replace");
    if (st == STATUS_OK)
        *ret = p;
    return st;
}

/* ---- SQL ---- */

str insert_sql(struct arena *a, const struct insert_plan *p, struct value row)
{
    str verb = p->ignore    ? STR("insert or ignore into ")
               : p->replace ? STR("insert or replace into ")
                            : STR("insert into ");
    str table = query_quoted(a, p->table.name);
    size_t n = value_count(row);
    if (!n)
        return ARENA_CAT(a, verb, table, STR(" default values"));
    str *names = ARENA_ARRAY(a, str, n), *marks = ARENA_ARRAY(a, str, n);
    for (size_t i = 0; i < n; i++) {
        names[i] = query_quoted(a, row.dict->entries[i].key);
        marks[i] = STR("?");
    }
    return ARENA_CAT(a, verb, table, STR(" ("), write_join(a, names, n, STR(", ")), STR(") values ("),
                     write_join(a, marks, n, STR(", ")), STR(")"));
}

str insert_update_sql(struct arena *a, const struct insert_plan *p, struct value row)
{
    const str *pks = p->table.pk_count ? p->table.pks : rowid_pk;
    size_t pk_count = p->table.pk_count ? p->table.pk_count : 1, n = 0;
    str *sets = ARENA_ARRAY(a, str, value_count(row) + 1), *wheres = ARENA_ARRAY(a, str, pk_count);
    for (size_t i = 0; i < value_count(row); i++)
        if (!insert_is_key(p, row.dict->entries[i].key))
            sets[n++] = ARENA_CAT(a, query_quoted(a, row.dict->entries[i].key), STR(" = ?"));
    if (!n)
        return (str){0};
    for (size_t i = 0; i < pk_count; i++)
        wheres[i] = ARENA_CAT(a, query_quoted(a, pks[i]), STR(" = ?"));
    return ARENA_CAT(a, STR("update "), query_quoted(a, p->table.name), STR(" set "), write_join(a, sets, n, STR(", ")),
                     STR(" where "), write_join(a, wheres, pk_count, STR(" and ")));
}
