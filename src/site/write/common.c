/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/limits.h"
#include "codec/b64.h"
#include "codec/jread.h"
#include "db/db_value.h"
#include "db/history.h"
#include "db/writer.h"
#include "site/fetch.h"
#include "site/query/plan.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/resources.h"
#include "site/write/write.h"

/* ---- answers ---- */

/* Constraints and SQL errors are the client's business here: 400, as Datasette answers. */
static int http_status_of(const struct err *err)
{
    return err->status == STATUS_CONFLICT || err->status == STATUS_RANGE ? 400 : status_http(err->status);
}

enum status write_answer_failure(struct request *rq, const struct err *err)
{
    int code = http_status_of(err);
    struct value body = page_error_json(rq->arena, err, code), list = VALUE_GET(rq->error_extra, "errors");
    if (value_count(list)) {
        str *texts = ARENA_ARRAY(rq->arena, str, value_count(list));
        for (size_t i = 0; i < value_count(list); i++)
            texts[i] = value_at(list, i).s;
        VALUE_SET(body, "error", value_str(write_join(rq->arena, texts, value_count(list), STR("; "))));
        VALUE_SET(body, "errors", list);
    }
    if (err->hint[0] && code >= 500)
        VALUE_SET(body, "hint", value_str(arena_str(rq->arena, str_of(err->hint))));
    if (code == 503)
        response_header(rq->response, STR("retry-after"), STR("1"));
    respond_json(rq, code, body);
    page_cors(rq);
    return STATUS_OK;
}

enum status write_end(struct request *rq, enum status st, const struct err *err)
{
    return st == STATUS_OK || st == STATUS_AGAIN ? st : write_answer_failure(rq, err);
}

enum status write_errors(struct request *rq, struct value errors, struct err *err)
{
    if (!value_count(errors))
        return STATUS_OK;
    rq->error_extra = value_dict(rq->arena);
    VALUE_SET(rq->error_extra, "errors", errors);
    return err_set(err, STATUS_INVALID, "%.*s", STR_ARG(value_at(errors, 0).s));
}

void write_no_framing(struct request *rq)
{
    response_header_set(rq->response, STR("content-security-policy"), STR("frame-ancestors 'none'"));
    response_header_set(rq->response, STR("x-frame-options"), STR("DENY"));
}

/* ---- requests ---- */

/* A number written without point and exponent that became a double. */
static bool is_cut_integer(const struct jread *r)
{
    for (size_t i = r->start; i < r->at; i++)
        if (r->text.p[i] == '.' || r->text.p[i] == 'e' || r->text.p[i] == 'E')
            return false;
    return true;
}

static enum status check_integers(struct arena *a, str text, struct err *err)
{
    struct arena_mark mark = arena_mark(a);
    struct jread r;
    enum jread_token t = JREAD_NULL;
    enum status st = STATUS_OK;
    bool may_be = false; /* 19 digits in a row: cheap to look for, so most bodies are read once only */
    for (size_t i = 0, digits = 0; i < text.n && !may_be; i++) {
        digits = text.p[i] >= '0' && text.p[i] <= '9' ? digits + 1 : 0;
        may_be = digits >= 19;
    }
    if (!may_be)
        return STATUS_OK;
    jread_init(&r, a, text);
    while (st == STATUS_OK && t != JREAD_END) {
        st = jread_next(&r, &t, err);
        if (st == STATUS_OK && t == JREAD_FLOAT && is_cut_integer(&r)) {
            size_t line, column;
            jread_place(&r, r.start, &line, &column);
            st = err_set(err, STATUS_INVALID, "line %zu column %zu: the integer does not fit into 64 bits", line,
                         column);
        }
    }
    arena_rewind(a, mark);
    return st;
}

enum status write_json(struct arena *a, str text, struct value *ret, struct err *err)
{
    struct value v;
    enum status st = value_from_json(a, text, &v, err);
    if (st == STATUS_OK)
        st = check_integers(a, text, err);
    if (st == STATUS_INVALID)
        return err_prefix(err, "Invalid JSON");
    if (st == STATUS_OK)
        *ret = v;
    return st;
}

enum status write_body_object(struct request *rq, struct value *ret, struct err *err)
{
    struct value v;
    enum status st = request_body_check(rq, err);
    if (st == STATUS_OK)
        st = write_json(rq->arena, rq->http->body, &v, err);
    if (st != STATUS_OK)
        return st;
    if (v.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID, "JSON must be a dictionary");
    *ret = v;
    return STATUS_OK;
}

bool write_body_is_json(const struct request *rq)
{
    return str_starts(http_header(rq->http, STR("content-type")), STR("application/json"));
}

bool write_is_short_form(const struct request *rq)
{
    return str_starts(str_trim(rq->http->body), STR("{"));
}

enum status write_body_any(struct request *rq, struct value *ret, bool *ret_is_json, struct err *err)
{
    *ret_is_json = write_body_is_json(rq);
    if (*ret_is_json) {
        if (rq->http->body.n)
            return write_body_object(rq, ret, err);
        *ret = value_dict(rq->arena);
        return STATUS_OK;
    }
    struct args form;
    enum status st = form_parse(rq, &form, err);
    if (st != STATUS_OK)
        return st;
    struct value d = value_dict(rq->arena);
    for (size_t i = 0; i < form.count; i++) /* the last value of a key wins: a checkbox follows its hidden "0" */
        value_set(d, form.items[i].key, value_str(form.items[i].value));
    *ret = d;
    return STATUS_OK;
}

/* Who may neither see the table nor do `a` on it is refused before anything is looked up: the order of Datasette, where
 * a missing row or table is told first, would tell strangers which names and keys are there. */
enum status write_require_any(const struct request *rq, enum action a, struct err *err)
{
    str db = rq->db->name, table = rq->params[1];
    if (request_allowed(rq, ACTION_VIEW_TABLE, db, table) || request_allowed(rq, a, db, table))
        return STATUS_OK;
    return err_set(err, STATUS_FORBIDDEN, "Permission denied");
}

enum status write_open_table(struct request *rq, const struct schema_table **ret, struct err *err)
{
    enum status st = rq->conn ? STATUS_OK : request_open_database(rq, err);
    if (st != STATUS_OK)
        return st;
    const struct schema_table *t = schema_table(rq->schema, rq->params[1]);
    bool exists = t && str_eq(t->name, rq->params[1]);
    if (!exists && !request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, rq->params[1]))
        return err_set(err, STATUS_FORBIDDEN, "Permission denied");
    if (!exists)
        return err_set(err, STATUS_NOT_FOUND, "Table not found");
    if (t->kind == SCHEMA_VIEW)
        return err_set(err, STATUS_NOT_FOUND, "Table not found: %.*s", STR_ARG(t->name));
    if (history_is_own_table(t->name))
        return err_set(err, STATUS_FORBIDDEN, "%.*s is part of a history, which nobody changes", STR_ARG(t->name));
    *ret = t;
    return STATUS_OK;
}

enum status write_require(const struct request *rq, enum action a, str db, str table, const char *message,
                          struct err *err)
{
    return request_allowed(rq, a, db, table) ? STATUS_OK : err_set(err, STATUS_FORBIDDEN, "%s", message);
}

enum status write_require_mutable(const struct request *rq, struct err *err)
{
    return rq->db->writer ? STATUS_OK : err_set(err, STATUS_FORBIDDEN, "Database is immutable");
}

static int in_order(const void *x, const void *y)
{
    return str_cmp(*(const str *)x, *(const str *)y);
}

str write_join(struct arena *a, const str *items, size_t count, str between)
{
    str *parts = ARENA_ARRAY(a, str, count * 2 + 1);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (i)
            parts[n++] = between;
        parts[n++] = items[i];
    }
    return arena_concat(a, parts, n);
}

str write_unknown_keys(struct arena *a, struct value d, const char *const *known, size_t count, str between)
{
    str *found = ARENA_ARRAY(a, str, value_count(d) + 1);
    size_t n = 0;
    for (size_t i = 0; d.kind == VALUE_DICT && i < value_count(d); i++) {
        size_t k = 0;
        while (k < count && !str_is(d.dict->entries[i].key, known[k]))
            k++;
        if (k == count)
            found[n++] = d.dict->entries[i].key;
    }
    if (n)
        qsort(found, n, sizeof *found, in_order);
    return write_join(a, found, n, between);
}

/* ---- the writer ---- */

enum status write_hand_over(struct request *rq,
                            enum status (*apply)(struct request *rq, struct conn *c, void *plan, struct err *err),
                            enum status (*finish)(struct request *rq, void *plan, enum status st, struct err *err),
                            void *plan, struct err *err)
{
    enum status st = write_require_mutable(rq, err);
    if (st != STATUS_OK)
        return st;
    rq->write = (struct write_step){.apply = apply, .finish = finish, .plan = plan, .writer = rq->db->writer};
    return STATUS_AGAIN;
}

static enum status bind_all(struct stmt *s, const struct db_value *values, size_t count, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < count; i++) {
        if (values[i].kind == DB_TEXT)
            st = stmt_bind_text_static(s, (int)i + 1, values[i].s, err); /* of the request's arena: outlives the step */
        else
            st = stmt_bind(s, (int)i + 1, values[i], err);
    }
    return st;
}

enum status write_run(struct conn *c, str sql, const struct db_value *values, size_t count, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = conn_prepare_trusted(c, sql, &s, err);
    if (st == STATUS_OK)
        st = bind_all(s, values, count, err);
    if (st == STATUS_OK)
        while ((st = stmt_step(s, err)) == STATUS_AGAIN)
            continue;
    stmt_done(s);
    return st;
}

struct value write_row(struct arena *a, struct stmt *s)
{
    struct value d = value_dict(a);
    int n = stmt_column_count(s);
    for (int i = 0; i < n; i++) {
        struct db_value v = stmt_column_value(s, i);
        value_set(d, arena_str(a, stmt_column_name(s, i)), db_value_copy(a, &v));
    }
    return d;
}

enum status write_fetch(struct arena *a, struct conn *c, str sql, const struct db_value *values, size_t count,
                        size_t max_rows, struct value list, struct err *err)
{
    struct stmt *s = NULL;
    enum status st = conn_prepare_trusted(c, sql, &s, err);
    if (st == STATUS_OK)
        st = bind_all(s, values, count, err);
    if (st == STATUS_OK) {
        while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
            if (value_count(list) == max_rows || arena_over(a))
                break;
            value_push(list, write_row(a, s));
        }
        st = st == STATUS_AGAIN ? STATUS_OK : st;
    }
    stmt_done(s);
    return st;
}

enum status write_schema_of(struct arena *a, struct conn *c, str table, str *ret, struct err *err)
{
    struct value rows = value_list(a);
    struct db_value name = {.kind = DB_TEXT, .s = table};
    enum status st = write_fetch(a, c, STR("select sql from sqlite_master where type = 'table' and name = ?"), &name, 1,
                                 1, rows, err);
    if (st != STATUS_OK)
        return st;
    struct value sql = VALUE_GET(value_at(rows, 0), "sql");
    *ret = value_is_text(sql) ? sql.s : (str){0};
    return STATUS_OK;
}

/* ---- values of rows ---- */

enum status write_decode_cell(struct arena *a, struct value v, struct value *ret, struct err *err)
{
    *ret = v;
    if (v.kind != VALUE_DICT)
        return STATUS_OK;
    if (value_count(v) == 1 && value_has(v, STR("$raw"))) {
        *ret = VALUE_GET(v, "$raw");
        return STATUS_OK;
    }
    struct value marked = VALUE_GET(v, "$base64"), encoded = VALUE_GET(v, "encoded");
    if (value_count(v) != 2 || marked.kind != VALUE_BOOL || !marked.b || encoded.kind == VALUE_UNDEFINED)
        return STATUS_OK;
    str bytes;
    if (!value_is_text(encoded))
        return err_set(err, STATUS_INVALID, "$base64 encoded value must be a string");
    if (!b64_decode(a, encoded.s, &bytes))
        return err_set(err, STATUS_INVALID, "Invalid $base64 encoded value");
    *ret = value_bytes(bytes);
    return STATUS_OK;
}

enum status write_decode_row(struct arena *a, struct value row, struct value *ret, struct err *err)
{
    bool any = false;
    for (size_t i = 0; i < value_count(row); i++)
        any = any || row.dict->entries[i].value.kind == VALUE_DICT;
    *ret = row;
    if (!any)
        return STATUS_OK;
    struct value d = value_dict(a), cell;
    for (size_t i = 0; i < value_count(row); i++) {
        enum status st = write_decode_cell(a, row.dict->entries[i].value, &cell, err);
        if (st != STATUS_OK)
            return st;
        value_set(d, row.dict->entries[i].key, cell);
    }
    *ret = d;
    return STATUS_OK;
}

struct db_value write_db_value(struct arena *a, struct value v)
{
    if (v.kind != VALUE_LIST && v.kind != VALUE_DICT)
        return fetch_db_value(v);
    struct buf b;
    buf_init(&b, LIMIT_JSON_OUTPUT);
    value_to_json(&b, v, VALUE_JSON_UTF8);
    str text = arena_str(a, buf_str(&b));
    buf_release(&b);
    return (struct db_value){.kind = DB_TEXT, .s = text};
}

/* ---- types ---- */

enum { SEEN_INT = 1, SEEN_BOOL = 2, SEEN_FLOAT = 4, SEEN_TEXT = 8, SEEN_BYTES = 16 };

void write_types_add(struct write_types *t, struct value v)
{
    switch (v.kind) {
    case VALUE_BOOL:
        t->seen |= SEEN_BOOL;
        break;
    case VALUE_INT:
        t->seen |= SEEN_INT;
        break;
    case VALUE_FLOAT:
        t->seen |= SEEN_FLOAT;
        break;
    case VALUE_BYTES:
        t->seen |= SEEN_BYTES;
        break;
    case VALUE_STR:
    case VALUE_SAFE:
    case VALUE_LIST:
    case VALUE_DICT:
        t->seen |= SEEN_TEXT;
        break;
    case VALUE_UNDEFINED:
    case VALUE_NONE:
    case VALUE_OBJECT:
        break;
    }
}

const char *write_types_name(struct write_types t)
{
    if (!t.seen)
        return "TEXT";
    if (!(t.seen & ~(unsigned)(SEEN_INT | SEEN_BOOL)))
        return "INTEGER";
    if (!(t.seen & ~(unsigned)(SEEN_INT | SEEN_BOOL | SEEN_FLOAT)))
        return "REAL";
    if (!(t.seen & ~(unsigned)(SEEN_BYTES | SEEN_TEXT)) && (t.seen & SEEN_BYTES))
        return "BLOB";
    return "TEXT";
}

static bool has_name(struct value columns, str name)
{
    for (size_t i = 0; i < value_count(columns); i++)
        if (str_eq_nocase(VALUE_GET(value_at(columns, i), "name").s, name))
            return true;
    return false;
}

enum status write_add_missing_columns(struct arena *a, struct conn *c, str table, struct value rows, struct err *err)
{
    struct value columns = value_list(a), missing = value_dict(a);
    struct db_value name = {.kind = DB_TEXT, .s = table};
    enum status st = write_fetch(a, c, STR("select name from pragma_table_xinfo(?)"), &name, 1, SIZE_MAX, columns, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        struct value row = value_at(rows, i);
        for (size_t k = 0; k < value_count(row); k++) {
            str key = row.dict->entries[k].key;
            struct value seen = value_get(missing, key);
            if (seen.kind == VALUE_UNDEFINED && (str_is(key, "rowid") || has_name(columns, key)))
                continue;
            struct write_types t = {seen.kind == VALUE_INT ? (unsigned)seen.i : 0};
            write_types_add(&t, row.dict->entries[k].value);
            value_set(missing, key, value_int(t.seen));
        }
    }
    size_t count = value_count(columns) + value_count(missing); /* each one is a statement: see first */
    if (st == STATUS_OK && count > LIMIT_WRITE_COLUMNS)
        return err_set(err, STATUS_INVALID, "too many columns: %.*s would have %zu, at most %d are possible",
                       STR_ARG(table), count, LIMIT_WRITE_COLUMNS);
    for (size_t i = 0; st == STATUS_OK && i < value_count(missing); i++) {
        struct write_types t = {(unsigned)missing.dict->entries[i].value.i};
        str sql = ARENA_CAT(a, STR("alter table "), query_quoted(a, table), STR(" add column "),
                            query_quoted(a, missing.dict->entries[i].key), STR(" "), str_of(write_types_name(t)));
        st = write_run(c, sql, NULL, 0, err);
    }
    return st == STATUS_OK && value_count(missing) ? history_refresh(c, a, table, err) : st;
}
