/* SPDX-License-Identifier: Apache-2.0 */
/* create — POST /DB/-/create: a table from a list of columns, or from rows (their values say the types); rows for a
 * table that exists are added to it. Refusals have Datasette's words, in its order. */
#include "site/write/create.h"

#include "base/limits.h"
#include "db/history.h"
#include "site/links.h"
#include "site/query/plan.h"
#include "site/view/view.h"
#include "site/write/def.h"
#include "site/write/insert.h"
#include "site/write/write.h"

/* ---- body -> plan ---- */

static enum status refuse(struct err *err, const char *text)
{
    return err_set(err, STATUS_INVALID, "%s", text);
}

static bool is_text_list(struct value v)
{
    for (size_t i = 0; i < value_count(v); i++)
        if (!value_is_text(value_at(v, i)))
            return false;
    return v.kind == VALUE_LIST;
}

static enum status read_default(struct arena *a, struct value column, struct def_column *c, const char *place,
                                struct err *err)
{
    struct value given = VALUE_GET(column, "default"), expression = VALUE_GET(column, "default_expr");
    if (given.kind != VALUE_UNDEFINED && expression.kind != VALUE_UNDEFINED)
        return err_set(err, STATUS_INVALID, "%s: Value error, default and default_expr cannot both be provided", place);
    if (expression.kind == VALUE_NONE)
        return err_set(err, STATUS_INVALID, "%s: Value error, default_expr cannot be null", place);
    if (expression.kind != VALUE_UNDEFINED) {
        c->default_sql = value_is_text(expression) ? def_default_expression(expression.s) : (str){0};
        if (!c->default_sql.p)
            return err_set(err, STATUS_INVALID,
                           "%s.default_expr: Input should be 'current_timestamp', 'current_date', 'current_time', "
                           "'current_unixtime' or 'current_unixtime_ms'",
                           place);
        return STATUS_OK;
    }
    c->default_sql = def_default_literal(a, given);
    return STATUS_OK;
}

static enum status read_column(struct arena *a, struct value column, size_t i, struct def_column *c, struct err *err)
{
    static const char *const known[] = {"name", "type", "fk_table", "fk_column", "not_null", "default", "default_expr"};
    char place[48];
    snprintf(place, sizeof place, "columns.%zu", i);
    str unknown = write_unknown_keys(a, column, known, ARRAY_LEN(known), STR(", "));
    struct value name = VALUE_GET(column, "name"), type = VALUE_GET(column, "type");
    struct value table = VALUE_GET(column, "fk_table"), other = VALUE_GET(column, "fk_column");
    struct value not_null = VALUE_GET(column, "not_null");
    *c = (struct def_column){.type = STR("TEXT")};
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "%s.%.*s: Extra inputs are not permitted", place, STR_ARG(unknown));
    if (!value_is_text(name) || !name.s.n)
        return refuse(err, "Column name is required");
    c->name = name.s;
    if (value_truth(type)) {
        const char *sql = value_is_text(type) ? def_type(type.s) : NULL;
        if (!sql)
            return err_set(err, STATUS_INVALID, "Unsupported column type: %.*s", STR_ARG(value_to_str(a, type)));
        c->type = str_of(sql);
    }
    if (!value_is_null(table) && !value_is_text(table))
        return err_set(err, STATUS_INVALID, "%s.fk_table: Input should be a valid string", place);
    if (!value_is_null(other) && !value_is_text(other))
        return err_set(err, STATUS_INVALID, "%s.fk_column: Input should be a valid string", place);
    c->fk_table = value_is_text(table) ? table.s : (str){0};
    c->fk_column = value_is_text(other) ? other.s : (str){0};
    if (c->fk_column.n && !c->fk_table.n)
        return err_set(err, STATUS_INVALID, "%s: fk_column requires fk_table", place);
    if (not_null.kind != VALUE_UNDEFINED && not_null.kind != VALUE_BOOL)
        return err_set(err, STATUS_INVALID, "%s.not_null: Input should be a valid boolean", place);
    c->not_null = value_truth(not_null);
    return read_default(a, column, c, place, err);
}

static enum status read_columns(struct arena *a, struct value columns, struct create_plan *p, struct err *err)
{
    for (size_t i = 0; i < value_count(columns); i++) {
        struct def_column c;
        enum status st = read_column(a, value_at(columns, i), i, &c, err);
        if (st != STATUS_OK)
            return st;
        VEC_PUSH(a, &p->def.columns, c);
    }
    struct value seen = value_dict(a);
    for (size_t i = 0; i < p->def.columns.count; i++) {
        str name = p->def.columns.items[i].name;
        if (value_has(seen, name))
            return err_set(err, STATUS_INVALID, "Duplicate column name: %.*s", STR_ARG(name));
        value_set(seen, name, VALUE_NULL);
    }
    return STATUS_OK;
}

static enum status check_keys(struct value body, struct value pk, struct value pks, struct err *err)
{
    if (!value_is_null(pk) && !value_is_text(pk))
        return refuse(err, "pk must be a string");
    if (value_truth(pk) && value_truth(pks))
        return refuse(err, "Cannot specify both pk and pks");
    if (!value_is_null(pks) && pks.kind != VALUE_LIST)
        return refuse(err, "pks must be a list");
    if (!value_is_null(pks) && !is_text_list(pks))
        return refuse(err, "pks must be a list of strings");
    if (value_truth(VALUE_GET(body, "ignore")) && value_truth(VALUE_GET(body, "replace")))
        return refuse(err, "ignore and replace are mutually exclusive");
    return STATUS_OK;
}

static enum status check_flags(struct value body, struct err *err)
{
    static const char *const flags[] = {"ignore", "replace", "alter"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        struct value v = value_get(body, str_of(flags[i]));
        if (!value_is_null(v) && v.kind != VALUE_BOOL)
            return err_set(err, STATUS_INVALID, "%s: Input should be a valid boolean", flags[i]);
    }
    return STATUS_OK;
}

static enum status check_content(struct value body, struct err *err)
{
    struct value columns = VALUE_GET(body, "columns"), rows = VALUE_GET(body, "rows"), row = VALUE_GET(body, "row");
    if (!value_truth(columns) && !value_truth(rows) && !value_truth(row))
        return refuse(err, "columns, rows or row is required");
    if (value_truth(rows) && value_truth(row))
        return refuse(err, "Cannot specify both rows and row");
    if (value_truth(columns) && (value_truth(rows) || value_truth(row)))
        return refuse(err, "Cannot specify columns with rows or row");
    return STATUS_OK;
}

static enum status check_rows(struct value rows, struct value row, struct err *err)
{
    if (!value_is_null(rows) && rows.kind != VALUE_LIST)
        return refuse(err, "rows must be a list");
    for (size_t i = 0; i < value_count(rows); i++)
        if (value_at(rows, i).kind != VALUE_DICT)
            return refuse(err, "rows must be a list of objects");
    if (value_truth(row) && row.kind != VALUE_DICT)
        return refuse(err, "row must be an object");
    return STATUS_OK;
}

static enum status decode_rows(struct arena *a, struct value rows, struct value row, struct create_plan *p,
                               struct err *err)
{
    struct value given = rows, out;
    if (value_truth(row)) {
        given = value_list(a);
        value_push(given, row);
    }
    p->rows = value_list(a);
    for (size_t i = 0; i < value_count(given); i++) {
        enum status st = write_decode_row(a, value_at(given, i), &out, err);
        if (st != STATUS_OK)
            return st;
        value_push(p->rows, out);
    }
    return STATUS_OK;
}

enum status create_plan_read(struct arena *a, struct value body, struct create_plan *p, struct err *err)
{
    static const char *const known[] = {"table", "rows", "row", "columns", "pk", "pks", "ignore", "replace", "alter"};
    struct value table = VALUE_GET(body, "table"), columns = VALUE_GET(body, "columns");
    struct value pk = VALUE_GET(body, "pk"), pks = VALUE_GET(body, "pks");
    str unknown = write_unknown_keys(a, body, known, ARRAY_LEN(known), STR(", "));
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Invalid keys: %.*s", STR_ARG(unknown));
    if (!value_is_null(columns) && columns.kind != VALUE_LIST)
        return refuse(err, "columns must be a list");
    for (size_t i = 0; i < value_count(columns); i++)
        if (value_at(columns, i).kind != VALUE_DICT)
            return refuse(err, "columns must be a list of objects");
    enum status st = read_columns(a, columns, p, err);
    if (st == STATUS_OK)
        st = check_flags(body, err);
    if (st != STATUS_OK)
        return st;
    if (!value_truth(table))
        return refuse(err, "Table is required");
    if (!value_is_text(table) || !def_table_name_is_valid(table.s))
        return refuse(err, "Invalid table name");
    st = check_content(body, err);
    if (st == STATUS_OK)
        st = check_rows(VALUE_GET(body, "rows"), VALUE_GET(body, "row"), err);
    if (st == STATUS_OK)
        st = check_keys(body, pk, pks, err);
    if (st != STATUS_OK)
        return st;
    bool from_rows = value_truth(VALUE_GET(body, "rows")) || value_truth(VALUE_GET(body, "row"));
    if (!value_is_null(VALUE_GET(body, "ignore")) || !value_is_null(VALUE_GET(body, "replace"))) {
        if (!from_rows)
            return refuse(err, "ignore and replace require row or rows");
        if (!value_truth(pk) && !value_truth(pks))
            return refuse(err, "ignore and replace require pk or pks");
    }
    p->table = p->def.name = table.s;
    p->ignore = value_truth(VALUE_GET(body, "ignore"));
    p->replace = value_truth(VALUE_GET(body, "replace"));
    p->alter = value_truth(VALUE_GET(body, "alter"));
    if (value_is_text(pk) && pk.s.n)
        VEC_PUSH(a, &p->def.pks, pk.s);
    for (size_t i = 0; i < value_count(pks); i++)
        VEC_PUSH(a, &p->def.pks, value_at(pks, i).s);
    return decode_rows(a, VALUE_GET(body, "rows"), VALUE_GET(body, "row"), p, err);
}

/* ---- writer's thread ---- */

/* Columns in order of appearance, each with the type that holds all its values. */
static void columns_of_rows(struct arena *a, struct create_plan *p)
{
    struct value seen = value_dict(a);
    for (size_t i = 0; i < value_count(p->rows); i++) {
        struct value row = value_at(p->rows, i);
        for (size_t k = 0; k < value_count(row); k++) {
            struct value t = value_get(seen, row.dict->entries[k].key);
            struct write_types types = {t.kind == VALUE_INT ? (unsigned)t.i : 0};
            write_types_add(&types, row.dict->entries[k].value);
            value_set(seen, row.dict->entries[k].key, value_int(types.seen));
        }
    }
    for (size_t i = 0; i < value_count(seen); i++) {
        struct write_types types = {(unsigned)seen.dict->entries[i].value.i};
        struct def_column c = {.name = seen.dict->entries[i].key, .type = str_of(write_types_name(types))};
        VEC_PUSH(a, &p->def.columns, c);
    }
}

/* A key that is no column yet becomes the first one. */
static void add_key_column(struct arena *a, struct table_def *d)
{
    if (d->pks.count != 1 || table_def_find(d, d->pks.items[0]))
        return;
    struct def_column c = {.name = d->pks.items[0], .type = STR("INTEGER")};
    VEC_PUSH(a, &d->columns, c);
    memmove(d->columns.items + 1, d->columns.items, (d->columns.count - 1) * sizeof *d->columns.items);
    d->columns.items[0] = c;
}

static enum status make_table(struct arena *a, struct conn *c, struct create_plan *p, struct err *err)
{
    struct table_def d = table_def_copy(a, &p->def); /* a second try starts from the plan again */
    add_key_column(a, &d);
    if (d.columns.count > LIMIT_WRITE_COLUMNS) {
        err_set(err, STATUS_INVALID, "too many columns: %zu, at most %d are possible", d.columns.count,
                LIMIT_WRITE_COLUMNS);
        return err_hint(err, "Put some of them into a table of their own, or into one column as JSON.");
    }
    for (size_t i = 0; i < d.columns.count; i++) {
        enum status st =
            d.columns.items[i].fk_table.n ? table_def_resolve_fk(a, c, d.name, &d.columns.items[i], err) : STATUS_OK;
        if (st != STATUS_OK)
            return st;
    }
    return write_run(c, table_def_sql(a, &d), NULL, 0, err);
}

enum status create_table_for_rows(struct arena *a, struct conn *c, str table, const str *pks, size_t pk_count,
                                  struct value rows, struct err *err)
{
    struct create_plan p = {.table = table, .rows = rows, .def = {.name = table}};
    if (!value_count(rows))
        return err_set(err, STATUS_INVALID, "there is no record to make columns of");
    for (size_t i = 0; i < pk_count; i++)
        VEC_PUSH(a, &p.def.pks, pks[i]);
    columns_of_rows(a, &p);
    for (size_t i = 0; i < pk_count; i++)
        if (!table_def_find(&p.def, pks[i]))
            return err_set(err, STATUS_INVALID, "no record has the key column \"%.*s\"", STR_ARG(pks[i]));
    return make_table(a, c, &p, err);
}

static enum status add_rows(struct arena *a, struct conn *c, const struct create_plan *p, struct err *err)
{
    struct insert_plan plan = {.table = {.name = p->table}, .ignore = p->ignore, .replace = p->replace};
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < value_count(p->rows); i++) {
        struct value row = value_at(p->rows, i);
        struct db_value *values = ARENA_ARRAY(a, struct db_value, value_count(row) + 1);
        for (size_t k = 0; k < value_count(row); k++)
            values[k] = write_db_value(a, row.dict->entries[k].value);
        st = write_run(c, insert_sql(a, &plan, row), values, value_count(row), err);
    }
    return st;
}

static enum status already_there(const struct create_plan *p, struct err *err)
{
    return err_set(err, STATUS_INVALID, "table \"%.*s\" already exists", STR_ARG(p->table));
}

enum status create_run(struct arena *a, struct conn *c, struct create_plan *p, str *ret_schema, struct err *err)
{
    str now;
    enum status st = write_schema_of(a, c, p->table, &now, err);
    if (st == STATUS_OK && now.n && !value_count(p->rows))
        st = already_there(p, err);
    if (st == STATUS_OK && !now.n)
        st = make_table(a, c, p, err);
    else if (st == STATUS_OK && p->alter)
        st = write_add_missing_columns(a, c, p->table, p->rows, err);
    if (st == STATUS_OK)
        st = add_rows(a, c, p, err);
    return st == STATUS_OK ? write_schema_of(a, c, p->table, ret_schema, err) : st;
}

static enum status create_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct create_plan *p = plan;
    struct arena *a = rq->arena;
    struct value d = value_dict(a);
    str schema = {0};
    enum status st = create_run(a, c, p, &schema, err);
    if (st != STATUS_OK)
        return st;
    str url = link_table(rq, p->db, p->table);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(p->db));
    VALUE_SET(d, "table", value_str(p->table));
    VALUE_SET(d, "table_url", value_str(request_absolute_url(rq, url)));
    VALUE_SET(d, "table_api_url", value_str(request_absolute_url(rq, link_with_format(rq, url, STR("json")))));
    VALUE_SET(d, "schema", value_str(schema));
    if (value_count(p->rows))
        VALUE_SET(d, "row_count", value_int((int64_t)value_count(p->rows)));
    respond_json(rq, 201, d);
    return STATUS_OK;
}

/* ---- worker ---- */

/* The key of a table that exists is not changed by what the body says. */
static enum status check_existing(const struct schema_table *t, const struct create_plan *p, struct err *err)
{
    bool bad = false;
    if (t->pk_count == 1 && p->def.pks.count == 1)
        bad = !str_eq(p->def.pks.items[0], t->pks[0]);
    if (t->pk_count > 1 && p->def.pks.count > 1) {
        bad = p->def.pks.count != t->pk_count;
        for (size_t i = 0; !bad && i < t->pk_count; i++)
            bad = !str_in(t->pks[i], p->def.pks.items, p->def.pks.count);
    }
    return bad ? refuse(err, "pk cannot be changed for existing table") : STATUS_OK;
}

/* Of the database; `table` not empty: of that table, which exists. */
static enum status check_actions(struct request *rq, const struct create_plan *p, str table, bool alters,
                                 struct err *err)
{
    str db = rq->db->name;
    enum status st = STATUS_OK;
    if (p->replace)
        st = write_require(rq, ACTION_UPDATE_ROW, db, table, "Permission denied: need update-row", err);
    if (st == STATUS_OK && value_count(p->rows))
        st = write_require(rq, ACTION_INSERT_ROW, db, table, "Permission denied: need insert-row", err);
    if (st == STATUS_OK && value_count(p->rows) && alters)
        st = write_require(rq, ACTION_ALTER_TABLE, db, table, "Permission denied: need alter-table", err);
    return st;
}

/* Datasette asks for the database alone; rows of a table that is there are those of its own rules too. */
static enum status check_permissions(struct request *rq, const struct create_plan *p, const struct schema_table *t,
                                     struct err *err)
{
    enum status st = check_actions(rq, p, (str){0}, t && p->alter, err);
    if (st == STATUS_OK && t && history_is_own_table(t->name))
        return err_set(err, STATUS_FORBIDDEN, "%.*s is part of a history, which nobody changes", STR_ARG(t->name));
    return st == STATUS_OK && t ? check_actions(rq, p, t->name, p->alter, err) : st;
}

static enum status plan_create(struct request *rq, struct err *err)
{
    struct value body;
    struct create_plan *p = ARENA_NEW(rq->arena, struct create_plan);
    enum status st = write_require(rq, ACTION_CREATE_TABLE, rq->db->name, (str){0}, "Permission denied", err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st == STATUS_OK)
        st = write_body_object(rq, &body, err);
    if (st == STATUS_OK)
        st = create_plan_read(rq->arena, body, p, err);
    if (st != STATUS_OK)
        return st;
    const struct schema_table *t = schema_table(rq->schema, p->table);
    if (t && (t->kind == SCHEMA_VIEW || !str_eq(t->name, p->table)))
        return already_there(p, err);
    st = check_permissions(rq, p, t, err);
    if (st == STATUS_OK && t)
        st = check_existing(t, p, err);
    if (st != STATUS_OK)
        return st;
    if (!t) {
        columns_of_rows(rq->arena, p);
        p->alter = false;
    }
    p->db = rq->db->name;
    return write_hand_over(rq, create_apply, NULL, p, err);
}

enum status view_create(struct request *rq, struct err *err)
{
    enum status st = request_open_database(rq, err);
    return st == STATUS_OK ? write_end(rq, plan_create(rq, err), err) : st;
}
