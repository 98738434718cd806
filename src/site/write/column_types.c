/* SPDX-License-Identifier: Apache-2.0 */
/* column_types — the types, their checks, and POST /DB/TABLE/-/set-column-type. */
#include "site/write/column_types.h"

#include "site/kept.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/write.h"

/* ---- checks: empty and null always pass ---- */

static bool is_empty(struct value v)
{
    return value_is_null(v) || (value_is_text(v) && !v.s.n);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ^[^@\s]+@[^@\s]+\.[^@\s]+$ */
static const char *check_email(struct arena *a, struct value v)
{
    (void)a;
    if (is_empty(v))
        return NULL;
    if (!value_is_text(v))
        return "Email must be a string";
    str s = str_trim(v.s);
    size_t at = str_find_char(s, '@'), dot = str_rfind_char(s, '.');
    bool ok = at != STR_NPOS && at > 0 && dot != STR_NPOS && dot > at + 1 && dot + 1 < s.n;
    for (size_t i = 0; ok && i < s.n; i++)
        ok = !is_space(s.p[i]) && (s.p[i] != '@' || i == at);
    return ok ? NULL : "Invalid email address";
}

/* ^https?://\S+$ */
static const char *check_url(struct arena *a, struct value v)
{
    (void)a;
    if (is_empty(v))
        return NULL;
    if (!value_is_text(v))
        return "URL must be a string";
    str s = str_trim(v.s);
    size_t start = str_starts(s, STR("https://")) ? 8 : str_starts(s, STR("http://")) ? 7 : 0;
    bool ok = start && s.n > start;
    for (size_t i = start; ok && i < s.n; i++)
        ok = !is_space(s.p[i]);
    return ok ? NULL : "Invalid URL";
}

static const char *check_json(struct arena *a, struct value v)
{
    struct value parsed;
    if (is_empty(v) || !value_is_text(v) || value_from_json(a, v.s, &parsed, NULL) == STATUS_OK)
        return NULL;
    return "Invalid JSON";
}

const struct column_type column_type_rows[] = {
    {"email", "Email address", check_email},
    {"json", "JSON data", check_json},
    {"textarea", "Multiline text", NULL},
    {"url", "URL", check_url},
};
const size_t column_type_count = ARRAY_LEN(column_type_rows);

const struct column_type *column_type_find(str name)
{
    for (size_t i = 0; i < column_type_count; i++)
        if (str_is(name, column_type_rows[i].name))
            return &column_type_rows[i];
    return NULL;
}

/* SQLite's rules of affinity, section 3.1 of datatype3.html. */
const char *column_sqlite_type(str declared)
{
    static const struct {
        const char *part, *type;
    } rows[] = {{"INT", "INTEGER"}, {"CHAR", "TEXT"}, {"CLOB", "TEXT"}, {"TEXT", "TEXT"},
                {"BLOB", "BLOB"},   {"REAL", "REAL"}, {"FLOA", "REAL"}, {"DOUB", "REAL"}};
    str s = str_trim(declared);
    if (!s.n)
        return "BLOB";
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t n = strlen(rows[i].part);
        for (size_t k = 0; k + n <= s.n; k++)
            if (str_eq_nocase(str_sub(s, k, k + n), str_make(rows[i].part, n)))
                return rows[i].type;
    }
    return "NUMERIC";
}

/* ---- of a table ---- */

static struct value entry(struct arena *a, struct value t)
{
    struct value d = value_dict(a), config = VALUE_GET(t, "config");
    VALUE_SET(d, "type", value_is_text(t) ? t : VALUE_GET(t, "type"));
    VALUE_SET(d, "config", value_is_null(config) ? VALUE_NULL : config);
    return d;
}

static void add(struct arena *a, const struct schema_table *t, struct value types, struct value out)
{
    for (size_t i = 0; i < value_count(types); i++) {
        const struct value_entry *e = &types.dict->entries[i];
        const struct schema_column *column = schema_column(t, e->key);
        struct value d = entry(a, e->value), name = VALUE_GET(d, "type");
        bool fits = column && strcmp(column_sqlite_type(column->type), "TEXT") == 0;
        if (fits && value_is_text(name) && column_type_find(name.s))
            value_set(out, e->key, d);
    }
}

struct value column_types_of(struct request *rq, const struct schema_table *t)
{
    struct value out = value_dict(rq->arena);
    add(rq->arena, t, VALUE_GET(config_table(&rq->site->config, rq->db->name, t->name), "column_types"), out);
    add(rq->arena, t, kept_column_types(rq->site->kept, rq->arena, rq->db->name, t->name), out);
    return out;
}

void column_types_wrong(struct arena *a, struct value types, struct value row, struct value errors)
{
    for (size_t k = 0; k < value_count(types); k++) {
        const struct value_entry *e = &types.dict->entries[k];
        struct value v = value_get(row, e->key);
        const struct column_type *type = column_type_find(VALUE_GET(e->value, "type").s);
        const char *wrong = v.kind != VALUE_UNDEFINED && type->check ? type->check(a, v) : NULL;
        if (wrong)
            value_push(errors, value_str(ARENA_CAT(a, e->key, STR(": "), str_of(wrong))));
    }
}

enum status column_types_check(struct request *rq, str table, struct value rows, struct err *err)
{
    const struct schema_table *t = schema_table(rq->schema, table);
    struct arena *a = rq->arena;
    struct value errors = value_list(a), types = t ? column_types_of(rq, t) : value_dict(a);
    for (size_t i = 0; value_count(types) && i < value_count(rows); i++)
        column_types_wrong(a, types, value_at(rows, i), errors);
    return write_errors(rq, errors, err);
}

/* ---- setting one ---- */

struct setting {
    str column, type; /* type empty = none */
    struct value config;
};

static enum status read_type(struct arena *a, struct value given, struct setting *s, struct err *err)
{
    static const char *const known[] = {"type", "config"};
    s->type = (str){0};
    s->config = VALUE_NULL;
    if (given.kind == VALUE_NONE)
        return STATUS_OK;
    if (given.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "\"column_type\" must be an object or null");
    str unknown = write_unknown_keys(a, given, known, ARRAY_LEN(known), STR("\", \""));
    struct value type = VALUE_GET(given, "type"), config = VALUE_GET(given, "config");
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Invalid column_type parameter: \"%.*s\"", STR_ARG(unknown));
    if (type.kind == VALUE_UNDEFINED)
        return err_set(err, STATUS_INVALID, "\"column_type.type\" is required");
    if (!value_is_text(type))
        return err_set(err, STATUS_INVALID, "\"column_type.type\" must be a string");
    if (!value_is_null(config) && config.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "\"column_type.config\" must be a dictionary");
    if (!column_type_find(type.s))
        return err_set(err, STATUS_INVALID, "Unknown column type: %.*s", STR_ARG(type.s));
    s->type = type.s;
    s->config = value_is_null(config) ? VALUE_NULL : config;
    return STATUS_OK;
}

static enum status read_setting(struct request *rq, const struct schema_table *t, struct setting *s, struct err *err)
{
    static const char *const known[] = {"column", "column_type"};
    struct value body;
    enum status st = write_body_object(rq, &body, err);
    if (st != STATUS_OK)
        return st;
    str unknown = write_unknown_keys(rq->arena, body, known, ARRAY_LEN(known), STR("\", \""));
    struct value column = VALUE_GET(body, "column"), type = VALUE_GET(body, "column_type");
    if (unknown.n)
        return err_set(err, STATUS_INVALID, "Invalid parameter: \"%.*s\"", STR_ARG(unknown));
    if (column.kind == VALUE_UNDEFINED)
        return err_set(err, STATUS_INVALID, "\"column\" is required");
    if (!value_is_text(column))
        return err_set(err, STATUS_INVALID, "\"column\" must be a string");
    if (type.kind == VALUE_UNDEFINED)
        return err_set(err, STATUS_INVALID, "\"column_type\" is required");
    const struct schema_column *c = schema_column(t, column.s);
    if (!c || !str_eq(c->name, column.s))
        return err_set(err, STATUS_INVALID, "Column not found: %.*s", STR_ARG(column.s));
    st = read_type(rq->arena, type, s, err);
    const char *actual = column_sqlite_type(c->type);
    if (st == STATUS_OK && s->type.n && strcmp(actual, "TEXT") != 0)
        return err_set(
            err, STATUS_INVALID,
            "Column type '%.*s' is only applicable to SQLite types TEXT but %.*s.%.*s.%.*s has SQLite type %s",
            STR_ARG(s->type), STR_ARG(rq->db->name), STR_ARG(t->name), STR_ARG(column.s), actual);
    s->column = c->name;
    return st;
}

static enum status set_column_type(struct request *rq, struct err *err)
{
    struct arena *a = rq->arena;
    const struct schema_table *t;
    struct setting s;
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = write_require_any(rq, ACTION_SET_COLUMN_TYPE, err);
    if (st == STATUS_OK)
        st = tables_find(rq, rq->params[1], &t, err);
    if (st == STATUS_OK)
        st = write_require(rq, ACTION_SET_COLUMN_TYPE, rq->db->name, t->name, "Permission denied", err);
    if (st == STATUS_OK)
        st = read_setting(rq, t, &s, err);
    if (st == STATUS_OK)
        st = kept_set_column_type(rq->site->kept, rq->db->name, t->name, s.column, s.type, s.config, err);
    if (st != STATUS_OK)
        return st;
    struct value d = value_dict(a), type = value_dict(a);
    VALUE_SET(type, "type", value_str(s.type));
    VALUE_SET(type, "config", s.config);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "table", value_str(t->name));
    VALUE_SET(d, "column", value_str(s.column));
    VALUE_SET(d, "column_type", s.type.n ? type : VALUE_NULL);
    respond_json(rq, 200, d);
    return STATUS_OK;
}

enum status view_set_column_type(struct request *rq, struct err *err)
{
    return write_end(rq, set_column_type(rq, err), err);
}
