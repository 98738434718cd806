/* SPDX-License-Identifier: Apache-2.0 */
/* row_form — pages to insert, edit and delete one row: plain forms, no JavaScript needed. They run the same statements
 * as the API, with the same permissions and checks.
 *
 * A text field cannot say null: beside each one that may be null is a box that does. An empty field of a new row leaves
 * the column out where it has a default or may be null. Of an edited row only what was changed is written, so that a
 * number that was stored as text stays one. Blobs are shown, not edited. */
#include "codec/url.h"
#include "db/history.h"
#include "site/extras.h"
#include "site/labels.h"
#include "site/links.h"
#include "site/query/plan.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/tables.h"
#include "site/view/view.h"
#include "site/write/column_types.h"
#include "site/write/write.h"

#define VALUE_PREFIX "v."
#define NULL_PREFIX  "n."
#define LONG_TEXT    60 /* bytes; longer values get a field of several lines */

enum form_kind { FORM_INSERT, FORM_EDIT, FORM_DELETE };

struct row_form {
    enum form_kind kind;
    const struct schema_table *table;
    const str *pks;
    size_t pk_count;
    struct db_value *key; /* edit, delete */
    str where, row_path;
    struct value row;     /* as it is: DICT; insert: UNDEFINED */
    struct value typed;   /* DICT of the form; UNDEFINED before */
    struct value changes; /* DICT column -> value to write */
    str message;          /* what went wrong */
    int http_status;
    int64_t rowid; /* of the new row */
};

static const str rowid_pk[] = {{"rowid", 5}};

/* ---- the row ---- */

static enum status read_key(struct request *rq, struct row_form *f, struct err *err)
{
    struct arena *a = rq->arena;
    const struct schema_table *t = f->table;
    str rest = rq->params[2], part;
    size_t n = 1;
    for (size_t i = 0; i < rest.n; i++)
        n += rest.p[i] == ',';
    f->pks = t->pk_count ? t->pks : rowid_pk;
    f->pk_count = t->pk_count ? t->pk_count : 1;
    if (n != f->pk_count)
        return err_set(err, STATUS_INVALID, "URL row identifier does not match the primary key for this table");
    f->key = ARENA_ARRAY(a, struct db_value, n);
    str *wheres = ARENA_ARRAY(a, str, n);
    for (size_t i = 0; i < n; i++) {
        str_cut(rest, ',', &part, &rest);
        f->key[i] = (struct db_value){.kind = DB_TEXT, .s = tilde_decode(a, part)};
        wheres[i] = ARENA_CAT(a, t->pk_count ? query_quoted(a, t->pks[i]) : STR("rowid"), STR(" = ?"));
    }
    f->where = write_join(a, wheres, n, STR(" and "));
    f->row_path = rq->params[2];
    return STATUS_OK;
}

static enum status fetch_row(struct request *rq, struct row_form *f, struct err *err)
{
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    str sql = ARENA_CAT(a, STR("select * from "), query_quoted(a, f->table->name), STR(" where "), f->where);
    enum status st = write_fetch(a, rq->conn, sql, f->key, f->pk_count, 1, list, err);
    if (st == STATUS_OK && !value_count(list))
        return err_set(err, STATUS_NOT_FOUND, "Row not found");
    f->row = value_at(list, 0);
    return st;
}

static enum status open_form(struct request *rq, struct row_form *f, enum action a, struct err *err)
{
    enum status st = request_open_database(rq, err);
    if (st == STATUS_OK)
        st = tables_find(rq, rq->params[1], &f->table, err);
    if (st == STATUS_OK && (f->table->kind != SCHEMA_TABLE || history_is_own_table(f->table->name)))
        return err_set(err, STATUS_NOT_FOUND, "Rows of %.*s cannot be changed here", STR_ARG(rq->params[1]));
    if (st == STATUS_OK)
        st = request_require(rq, a, rq->db->name, f->table->name, NULL, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_VIEW_TABLE, rq->db->name, f->table->name, NULL, err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st != STATUS_OK || f->kind == FORM_INSERT)
        return st;
    st = read_key(rq, f, err);
    return st == STATUS_OK ? fetch_row(rq, f, err) : st;
}

/* ---- the page ---- */

static bool is_auto_key(const struct schema_table *t, const struct schema_column *c)
{
    return t->pk_count == 1 && c->pk && t->has_rowid && str_eq_nocase(c->type, STR("integer"));
}

static bool may_be_left_out(const struct schema_table *t, const struct schema_column *c)
{
    return !c->notnull || c->default_value.p || is_auto_key(t, c);
}

static struct value typed_value(struct request *rq, const struct row_form *f, str column, bool *ret_null)
{
    struct arena *a = rq->arena;
    struct value v;
    if (f->typed.kind == VALUE_DICT) {
        *ret_null = value_truth(value_get(f->typed, ARENA_CAT(a, STR(NULL_PREFIX), column)));
        v = value_get(f->typed, ARENA_CAT(a, STR(VALUE_PREFIX), column));
        return value_is_text(v) ? v : value_cstr("");
    }
    v = f->row.kind == VALUE_DICT ? value_get(f->row, column) : VALUE_UNDEF;
    str asked = request_arg(rq, arena_cstr(a, column));
    if (f->kind == FORM_INSERT && asked.p) /* a link may fill the form */
        v = value_str(asked);
    *ret_null = f->kind != FORM_INSERT && value_is_null(v);
    return value_is_null(v) ? value_cstr("") : value_str(value_to_str(a, v));
}

static struct value field_json(struct request *rq, const struct row_form *f, const struct schema_column *c,
                               struct value types)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a), type = VALUE_GET(value_get(types, c->name), "type");
    bool null = false, number = false,
         is_blob = f->row.kind == VALUE_DICT && value_get(f->row, c->name).kind == VALUE_BYTES;
    struct value text = typed_value(rq, f, c->name, &null);
    const char *sqlite_type = column_sqlite_type(c->type);
    const struct schema_fk *fk = schema_fk_on(f->table, c->name);
    number = strcmp(sqlite_type, "INTEGER") == 0 || strcmp(sqlite_type, "REAL") == 0;
    bool lines = value_is_text(type) && (str_is(type.s, "textarea") || str_is(type.s, "json"));
    lines = lines || (!number && (text.s.n > LONG_TEXT || str_find_char(text.s, '\n') != STR_NPOS));
    VALUE_SET(d, "name", value_str(c->name));
    VALUE_SET(d, "field", value_str(ARENA_CAT(a, STR(VALUE_PREFIX), c->name)));
    VALUE_SET(d, "null_field", value_str(ARENA_CAT(a, STR(NULL_PREFIX), c->name)));
    VALUE_SET(d, "value", text);
    VALUE_SET(d, "is_null", value_bool(null));
    VALUE_SET(d, "nullable", value_bool(!c->notnull && !c->pk));
    VALUE_SET(d, "is_pk", value_bool(c->pk > 0));
    VALUE_SET(d, "type", value_str(c->type));
    VALUE_SET(d, "column_type", value_is_text(type) ? type : VALUE_NULL);
    VALUE_SET(d, "is_blob", value_bool(is_blob));
    VALUE_SET(d, "is_number", value_bool(number));
    VALUE_SET(d, "lines", value_bool(lines));
    VALUE_SET(d, "automatic", value_bool(f->kind == FORM_INSERT && is_auto_key(f->table, c)));
    VALUE_SET(d, "default", c->default_value.p ? value_str(c->default_value) : VALUE_NULL);
    const struct schema_table *other = fk ? schema_table(rq->schema, fk->other_table) : NULL;
    bool by_key = other && fk->count == 1 && other->pk_count == 1 &&
                  str_eq_nocase(other->pks[0], fk->other_columns[0]) &&
                  request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, other->name);
    VALUE_SET(d, "keys_url",
              value_str_if(by_key,
                           by_key ? ARENA_CAT(a, link_table(rq, rq->db->name, other->name), STR("/-/autocomplete.json"))
                                  : (str){0}));
    VALUE_SET(d, "other_table", fk ? value_str(fk->other_table) : VALUE_NULL);
    VALUE_SET(d, "other_url", fk ? value_str(link_table(rq, rq->db->name, fk->other_table)) : VALUE_NULL);
    return d;
}

static str title_of(struct request *rq, const struct row_form *f)
{
    struct arena *a = rq->arena;
    str *parts = ARENA_ARRAY(a, str, f->pk_count + 1);
    for (size_t i = 0; i < f->pk_count; i++)
        parts[i] = f->key[i].s;
    return write_join(a, parts, f->pk_count, STR(", "));
}

static enum status respond_form(struct request *rq, const struct row_form *f, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a), fields = value_list(a), types = column_types_of(rq, f->table);
    for (size_t i = 0; i < f->table->column_count; i++)
        if (!f->table->columns[i].hidden)
            value_push(fields, field_json(rq, f, &f->table->columns[i], types));
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "table", value_str(f->table->name));
    VALUE_SET(d, "table_url", value_str(link_table(rq, rq->db->name, f->table->name)));
    VALUE_SET(d, "row_url",
              f->kind == FORM_INSERT ? VALUE_NULL : value_str(link_row(rq, rq->db->name, f->table->name, f->row_path)));
    VALUE_SET(d, "row_title", f->kind == FORM_INSERT ? VALUE_NULL : value_str(title_of(rq, f)));
    VALUE_SET(d, "kind", value_cstr(f->kind == FORM_INSERT ? "insert" : f->kind == FORM_EDIT ? "edit" : "delete"));
    VALUE_SET(d, "action_url", value_str(link_path(rq, rq->path)));
    VALUE_SET(d, "fields", fields);
    VALUE_SET(d, "message", f->message.n ? value_str(f->message) : VALUE_NULL);
    const str names[] = {STR("row_form.html")};
    return page_respond(rq, f->http_status ? f->http_status : 200, names, 1, d, false, err);
}

static enum status respond_again(struct request *rq, struct row_form *f, struct err *err)
{
    struct value errors = VALUE_GET(rq->error_extra, "errors");
    str *texts = ARENA_ARRAY(rq->arena, str, value_count(errors) + 1);
    for (size_t i = 0; i < value_count(errors); i++)
        texts[i] = value_at(errors, i).s;
    f->message = value_count(errors) ? write_join(rq->arena, texts, value_count(errors), STR("; "))
                                     : arena_str(rq->arena, str_of(err->text));
    int code = status_http(err->status);
    f->http_status = code >= 500 || code == 404 ? code : 400;
    rq->error_extra = VALUE_UNDEF;
    err_clear(err);
    return respond_form(rq, f, err);
}

/* ---- writing ---- */

/* From the form: what to write. */
static void collect(struct request *rq, struct row_form *f)
{
    struct arena *a = rq->arena;
    f->changes = value_dict(a);
    for (size_t i = 0; i < f->table->column_count; i++) {
        const struct schema_column *c = &f->table->columns[i];
        struct value text = value_get(f->typed, ARENA_CAT(a, STR(VALUE_PREFIX), c->name));
        bool null = value_truth(value_get(f->typed, ARENA_CAT(a, STR(NULL_PREFIX), c->name)));
        if (c->hidden || (!value_is_text(text) && !null))
            continue;
        struct value now = f->kind == FORM_EDIT ? value_get(f->row, c->name) : VALUE_UNDEF;
        if (f->kind == FORM_INSERT && !null && !text.s.n && may_be_left_out(f->table, c))
            continue;
        if (f->kind == FORM_EDIT && null && value_is_null(now))
            continue;
        if (f->kind == FORM_EDIT && !null && !value_is_null(now) && str_eq(value_to_str(a, now), text.s))
            continue;
        value_set(f->changes, c->name, null ? VALUE_NULL : text);
    }
}

static enum status form_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct row_form *f = plan;
    struct arena *a = rq->arena;
    size_t n = value_count(f->changes), k = 0;
    str table = query_quoted(a, f->table->name), sql;
    struct db_value *values = ARENA_ARRAY(a, struct db_value, n + f->pk_count + 1);
    str *names = ARENA_ARRAY(a, str, n + 1), *marks = ARENA_ARRAY(a, str, n + 1);
    for (; k < n; k++) {
        const struct value_entry *e = &f->changes.dict->entries[k];
        names[k] = f->kind == FORM_EDIT ? ARENA_CAT(a, query_quoted(a, e->key), STR(" = ?")) : query_quoted(a, e->key);
        marks[k] = STR("?");
        values[k] = write_db_value(a, e->value);
    }
    for (size_t i = 0; f->kind != FORM_INSERT && i < f->pk_count; i++)
        values[n++] = f->key[i];
    if (f->kind == FORM_DELETE)
        sql = ARENA_CAT(a, STR("delete from "), table, STR(" where "), f->where);
    else if (f->kind == FORM_EDIT)
        sql = ARENA_CAT(a, STR("update "), table, STR(" set "), write_join(a, names, k, STR(", ")), STR(" where "),
                        f->where);
    else if (k)
        sql = ARENA_CAT(a, STR("insert into "), table, STR(" ("), write_join(a, names, k, STR(", ")), STR(") values ("),
                        write_join(a, marks, k, STR(", ")), STR(")"));
    else
        sql = ARENA_CAT(a, STR("insert into "), table, STR(" default values"));
    if (f->kind == FORM_EDIT && !k)
        return STATUS_OK;
    enum status st = write_run(c, sql, values, n, err);
    if (st == STATUS_OK && !conn_changes(c))
        return err_set(err, STATUS_NOT_FOUND, "Row not found");
    f->rowid = conn_last_rowid(c);
    return st;
}

/* Where the row is now: its key may have been written. */
static str new_path(struct request *rq, const struct row_form *f)
{
    struct arena *a = rq->arena;
    const struct schema_table *t = f->table;
    str *parts = ARENA_ARRAY(a, str, t->pk_count + 1);
    if (!t->pk_count)
        return f->kind == FORM_INSERT ? arena_printf(a, "%lld", (long long)f->rowid) : f->row_path;
    for (size_t i = 0; i < t->pk_count; i++) {
        struct value v = value_get(f->changes, t->pks[i]);
        const struct schema_column *c = schema_column(t, t->pks[i]);
        if (v.kind != VALUE_UNDEFINED)
            parts[i] = tilde_encode(a, value_to_str(a, v));
        else if (f->kind == FORM_EDIT)
            parts[i] = tilde_encode(a, f->key[i].s);
        else if (c && is_auto_key(t, c))
            parts[i] = arena_printf(a, "%lld", (long long)f->rowid);
        else
            return (str){0}; /* a default made the key */
    }
    return write_join(a, parts, t->pk_count, STR(","));
}

static enum status form_finish(struct request *rq, void *plan, enum status st, struct err *err)
{
    static const char *const done[] = {"Inserted row", "Updated row", "Deleted row"};
    struct row_form *f = plan;
    struct arena *a = rq->arena;
    struct err why = *err;
    if (st != STATUS_OK) {
        err_clear(err);
        st = request_connect(rq, err);
        return st == STATUS_OK ? respond_again(rq, f, &why) : st;
    }
    str path = f->kind == FORM_DELETE ? (str){0} : new_path(rq, f);
    str told = f->kind == FORM_DELETE ? title_of(rq, f) : tilde_decode(a, path);
    messages_add(rq, ARENA_CAT(a, str_of(done[f->kind]), STR(" "), told), MESSAGE_INFO);
    respond_redirect(rq, 302,
                     path.n ? link_row(rq, rq->db->name, f->table->name, path)
                            : link_table(rq, rq->db->name, f->table->name));
    return STATUS_OK;
}

static enum status post(struct request *rq, struct row_form *f, struct err *err)
{
    bool is_json = false;
    enum status st = write_body_any(rq, &f->typed, &is_json, err);
    if (st == STATUS_OK && is_json)
        return err_set(err, STATUS_INVALID, "This page takes a form; use /-/insert, /-/update and /-/delete for JSON");
    if (st != STATUS_OK)
        return st;
    f->changes = value_dict(rq->arena);
    if (f->kind != FORM_DELETE) {
        struct value rows = value_list(rq->arena);
        collect(rq, f);
        value_push(rows, f->changes);
        st = column_types_check(rq, f->table->name, rows, err);
    }
    if (st != STATUS_OK)
        return respond_again(rq, f, err);
    return write_hand_over(rq, form_apply, form_finish, f, err);
}

static enum status form_view(struct request *rq, enum form_kind kind, enum action a, struct err *err)
{
    struct row_form *f = ARENA_NEW(rq->arena, struct row_form);
    f->kind = kind;
    enum status st = open_form(rq, f, a, err);
    if (st != STATUS_OK)
        return st;
    return rq->http->method == HTTP_POST ? post(rq, f, err) : respond_form(rq, f, err);
}

enum status view_insert_row(struct request *rq, struct err *err)
{
    return form_view(rq, FORM_INSERT, ACTION_INSERT_ROW, err);
}

enum status view_edit_row(struct request *rq, struct err *err)
{
    return form_view(rq, FORM_EDIT, ACTION_UPDATE_ROW, err);
}

enum status view_delete_row(struct request *rq, struct err *err)
{
    return form_view(rq, FORM_DELETE, ACTION_DELETE_ROW, err);
}
