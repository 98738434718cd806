/* SPDX-License-Identifier: Apache-2.0 */
/* alter_form — /DB/TABLE/-/alter-table: the columns of a table as a plain form. What was changed in it becomes the
 * operations of /-/alter and takes their way; what was left alone becomes nothing, so that a type or a default that the
 * form has no words for stays as it is. Columns that go take their values with them: the form is shown again, says what
 * would be lost, and asks. */
#include "base/limits.h"
#include "codec/jwrite.h"
#include "db/history.h"
#include "site/links.h"
#include "site/query/plan.h"
#include "site/render/messages.h"
#include "site/render/page.h"
#include "site/view/view.h"
#include "site/write/alter.h"
#include "site/write/column_rows.h"
#include "site/write/def.h"
#include "site/write/write.h"

#define NEW_ROWS 2

struct alter_form {
    const struct schema_table *table;
    struct table_def def;
    struct value typed;  /* DICT; UNDEFINED before the first POST */
    struct value losses; /* LIST of sentences: what goes, when it is done */
    str message;
    int http_status;
    struct alter_plan plan;
};

/* ---- a column as the form has it ---- */

/* The word of the API for a declared type; empty = it has none. */
static str api_type(str declared)
{
    static const char *const words[] = {"text", "integer", "float", "blob"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(declared, str_of(def_type(str_of(words[i])))))
            return str_of(words[i]);
    return STR("");
}

/* 'text' without its quotes; numbers and expressions as they are. */
static str shown_default(struct arena *a, str sql)
{
    if (!sql.p)
        return STR("");
    if (sql.n < 2 || sql.p[0] != '\'' || sql.p[sql.n - 1] != '\'')
        return sql;
    char *out = arena_alloc_raw(a, sql.n);
    size_t n = 0;
    for (size_t i = 1; i + 1 < sql.n; i++) {
        out[n++] = sql.p[i];
        i += sql.p[i] == '\'' && sql.p[i + 1] == '\'';
    }
    return str_make(out, n);
}

static struct value row_of(struct arena *a, const struct table_def *d, size_t i)
{
    const struct def_column *c = &d->columns.items[i];
    struct value row = value_dict(a);
    VALUE_SET(row, "index", value_int((int64_t)i));
    VALUE_SET(row, "name", value_str(c->name));
    VALUE_SET(row, "type", value_str(api_type(c->type)));
    VALUE_SET(row, "not_null", value_bool(c->not_null));
    VALUE_SET(row, "default", value_str(shown_default(a, c->default_sql)));
    VALUE_SET(row, "fk_table", value_str(c->fk_table));
    VALUE_SET(row, "is_pk", value_bool(table_def_is_key(d, c->name)));
    VALUE_SET(row, "place", value_int((int64_t)i + 1));
    return row;
}

/* What is fixed of it: the name it has now, and what of it the form has no words for. */
static void add_present(struct value row, const struct table_def *d, size_t i)
{
    const struct def_column *c = &d->columns.items[i];
    VALUE_SET(row, "was", value_str(c->name));
    VALUE_SET(row, "declared", value_str_if(!api_type(c->type).n, c->type.n ? c->type : STR("no type")));
    VALUE_SET(row, "fk_now", value_str_if(c->fk_table.n, c->fk_table));
}

static struct value rows_of(struct request *rq, const struct alter_form *f)
{
    struct arena *a = rq->arena;
    struct value rows = value_list(a);
    bool typed = f->typed.kind == VALUE_DICT;
    size_t there = f->def.columns.count, n = MIN(column_rows_count(f->typed, there + NEW_ROWS), LIMIT_FORM_COLUMNS);
    for (size_t i = 0; i < n; i++) {
        struct value row = typed || i >= there ? column_row(a, f->typed, i) : row_of(a, &f->def, i);
        if (i < there)
            add_present(row, &f->def, i);
        if (typed) {
            VALUE_SET(row, "place", value_str(column_row_field(a, f->typed, "place", i)));
            VALUE_SET(row, "drop", value_bool(column_row_field(a, f->typed, "drop", i).n));
        }
        value_push(rows, row);
    }
    return rows;
}

static enum status respond_form(struct request *rq, const struct alter_form *f, struct err *err)
{
    struct arena *a = rq->arena;
    struct value d = value_dict(a), name = VALUE_GET(f->typed, "table");
    str url = link_table(rq, rq->db->name, f->table->name);
    bool may_drop = request_allowed(rq, ACTION_DROP_TABLE, rq->db->name, f->table->name);
    VALUE_SET(d, "database", value_str(rq->db->name));
    VALUE_SET(d, "database_color", value_cstr(rq->db->color));
    VALUE_SET(d, "table", value_str(f->table->name));
    VALUE_SET(d, "table_name", value_is_text(name) ? name : value_str(f->table->name));
    VALUE_SET(d, "table_url", value_str(url));
    VALUE_SET(d, "drop_url", value_str_if(may_drop, ARENA_CAT(a, url, STR("/-/drop-table"))));
    VALUE_SET(d, "columns", rows_of(rq, f));
    VALUE_SET(d, "key_tables", column_key_tables(rq));
    VALUE_SET(d, "losses", f->losses.kind == VALUE_LIST ? f->losses : value_list(a));
    VALUE_SET(d, "message", f->message.n ? value_str(f->message) : VALUE_NULL);
    const str names[] = {STR("alter_table.html")};
    return page_respond(rq, f->http_status ? f->http_status : 200, names, 1, d, false, err);
}

/* ---- what was changed, as operations ---- */

struct difference {
    struct arena *a;
    const struct alter_form *form;
    struct value operations; /* LIST */
    struct value last;       /* LIST: after all others, when every column is there */
};

static struct value push(struct arena *a, struct value list, enum alter_op op)
{
    struct value operation = value_dict(a), args = value_dict(a);
    VALUE_SET(operation, "op", value_cstr(alter_op_names[op]));
    VALUE_SET(operation, "args", args);
    value_push(list, operation);
    return args;
}

static str typed(const struct difference *d, const char *field, size_t i)
{
    str s = column_row_field(d->a, d->form->typed, field, i);
    return s.p ? s : STR("");
}

static bool is_dropped(const struct difference *d, size_t i)
{
    return i < d->form->def.columns.count && typed(d, "drop", i).n;
}

static void set_default(struct difference *d, struct value args, str text)
{
    struct arena *a = d->a;
    for (size_t i = 0; i < def_expression_count; i++)
        if (str_eq_nocase(text, str_of(def_expression_names[i]))) {
            VALUE_SET(args, "default_expr", value_cstr(def_expression_names[i]));
            return;
        }
    VALUE_SET(args, "default", text.n ? value_str(arena_str(a, text)) : VALUE_NULL);
}

static void compare_fk(struct difference *d, size_t i, str name, str now)
{
    str wanted = typed(d, "fk_table", i);
    if (str_eq_nocase(wanted, now))
        return;
    struct value args = push(d->a, d->last, wanted.n ? ALTER_ADD_FOREIGN_KEY : ALTER_DROP_FOREIGN_KEY);
    VALUE_SET(args, "column", value_str(name));
    if (wanted.n)
        VALUE_SET(args, "fk_table", value_str(wanted));
}

static void compare_column(struct difference *d, size_t i)
{
    const struct def_column *c = &d->form->def.columns.items[i];
    str name = str_trim(typed(d, "name", i)), type = typed(d, "type", i), standard = typed(d, "default", i);
    struct value args = value_dict(d->a);
    bool not_null = typed(d, "not_null", i).n;
    if (type.n && !str_eq(type, api_type(c->type)))
        VALUE_SET(args, "type", value_str(type));
    if (not_null != c->not_null)
        VALUE_SET(args, "not_null", value_bool(not_null));
    if (!str_eq(standard, shown_default(d->a, c->default_sql)))
        set_default(d, args, standard);
    if (value_count(args)) {
        struct value all = push(d->a, d->operations, ALTER_ALTER_COLUMN);
        VALUE_SET(all, "name", value_str(c->name));
        for (size_t k = 0; k < value_count(args); k++)
            value_set(all, args.dict->entries[k].key, args.dict->entries[k].value);
    }
    compare_fk(d, i, c->name, c->fk_table);
    if (!str_eq(name, c->name)) {
        args = push(d->a, d->last, ALTER_RENAME_COLUMN);
        VALUE_SET(args, "name", value_str(c->name));
        VALUE_SET(args, "to", value_str(name));
    }
}

static void add_column(struct difference *d, size_t i, str name)
{
    struct value args = push(d->a, d->operations, ALTER_ADD_COLUMN);
    str standard = typed(d, "default", i);
    VALUE_SET(args, "name", value_str(name));
    VALUE_SET(args, "type", value_str(typed(d, "type", i)));
    VALUE_SET(args, "not_null", value_bool(typed(d, "not_null", i).n));
    if (standard.n)
        set_default(d, args, standard);
    compare_fk(d, i, name, STR(""));
}

static void compare_key(struct difference *d, size_t n)
{
    const struct table_def *def = &d->form->def;
    struct value wanted = value_list(d->a);
    bool same = true;
    for (size_t i = 0; i < n; i++) {
        bool there = i < def->columns.count, key = typed(d, "pk", i).n && !is_dropped(d, i);
        str name = there ? def->columns.items[i].name : str_trim(typed(d, "name", i));
        if (key && name.n)
            value_push(wanted, value_str(name));
        same = same && (key && name.n) == (there && table_def_is_key(def, name) && !is_dropped(d, i));
    }
    if (!same)
        VALUE_SET(push(d->a, d->last, ALTER_SET_PRIMARY_KEY), "columns", wanted);
}

/* Columns by the number that was typed for their place; those that say the same keep their order. */
static void compare_order(struct difference *d)
{
    size_t n = d->form->def.columns.count, count = 0;
    int64_t *places = ARENA_ARRAY(d->a, int64_t, n + 1), place;
    size_t *order = ARENA_ARRAY(d->a, size_t, n + 1);
    bool moved = false;
    for (size_t i = 0; i < n; i++) {
        if (is_dropped(d, i))
            continue;
        places[i] = str_to_i64(str_trim(typed(d, "place", i)), &place) ? place : (int64_t)i + 1;
        size_t at = count++;
        for (; at && places[order[at - 1]] > places[i]; at--)
            order[at] = order[at - 1];
        moved = moved || at + 1 != count;
        order[at] = i;
    }
    if (!moved)
        return;
    struct value names = value_list(d->a);
    for (size_t i = 0; i < count; i++)
        value_push(names, value_str(d->form->def.columns.items[order[i]].name));
    VALUE_SET(push(d->a, d->last, ALTER_REORDER_COLUMNS), "columns", names);
}

/* The body of /-/alter; its list is empty when nothing was changed. */
static struct value body_of(struct arena *a, const struct alter_form *f)
{
    struct difference d = {.a = a, .form = f, .operations = value_list(a), .last = value_list(a)};
    struct value body = value_dict(a), drops = value_list(a), table = VALUE_GET(f->typed, "table");
    size_t there = f->def.columns.count, n = column_rows_count(f->typed, 0);
    for (size_t i = 0; i < n; i++) {
        str name = str_trim(typed(&d, "name", i));
        if (i >= there && name.n)
            add_column(&d, i, name);
        else if (is_dropped(&d, i))
            VALUE_SET(push(a, drops, ALTER_DROP_COLUMN), "name", value_str(f->def.columns.items[i].name));
        else if (i < there)
            compare_column(&d, i);
    }
    compare_key(&d, n);
    compare_order(&d);
    for (size_t i = 0; i < value_count(d.last); i++)
        value_push(d.operations, value_at(d.last, i));
    for (size_t i = 0; i < value_count(drops); i++)
        value_push(d.operations, value_at(drops, i));
    if (value_is_text(table) && str_trim(table.s).n && !str_eq(str_trim(table.s), f->table->name))
        VALUE_SET(push(a, d.operations, ALTER_RENAME_TABLE), "to", value_str(str_trim(table.s)));
    VALUE_SET(body, "operations", d.operations);
    return body;
}

/* ---- what would be lost ---- */

static str loss_of(struct request *rq, const struct alter_form *f, str column)
{
    struct arena *a = rq->arena;
    int64_t n, limit = rq->site->config.settings.sql_time_limit_ms;
    str sql =
        ARENA_CAT(a, STR("select count("), query_quoted(a, column), STR(") from "), query_quoted(a, f->table->name));
    struct err why = ERR_INIT;
    if (fetch_integer(rq, rq->conn, sql, NULL, 0, limit, &n, &why) != STATUS_OK || n < 0)
        return arena_printf(a, "The column %.*s goes, with everything in it", STR_ARG(column));
    return arena_printf(a, "The column %.*s goes: %lld row%s %s a value there", STR_ARG(column), (long long)n,
                        n == 1 ? "" : "s", n == 1 ? "has" : "have");
}

static struct value losses_of(struct request *rq, const struct alter_form *f)
{
    struct value list = value_list(rq->arena);
    for (size_t i = 0; i < f->plan.steps.count; i++)
        if (f->plan.steps.items[i].op == ALTER_DROP_COLUMN)
            value_push(list, value_str(loss_of(rq, f, f->plan.steps.items[i].name)));
    return list;
}

/* ---- writing ---- */

static enum status respond_again(struct request *rq, struct alter_form *f, const struct err *why, struct err *err)
{
    int code = status_http(why->status);
    str text = arena_str(rq->arena, str_of(why->text));
    size_t colon = str_starts(text, STR("operations.")) ? str_find(text, STR(": ")) : STR_NPOS;
    f->message = colon == STR_NPOS ? text : str_from(text, colon + 2); /* the place in a body that nobody sees */
    f->http_status = code >= 500 ? code : 400;
    return respond_form(rq, f, err);
}

static enum status form_apply(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct alter_form *f = plan;
    return alter_table_run(rq->arena, c, f->table->name, &f->plan, err);
}

static enum status form_finish(struct request *rq, void *plan, enum status st, struct err *err)
{
    struct alter_form *f = plan;
    struct err why = *err;
    str name = f->plan.rename_to.n ? f->plan.rename_to : f->table->name;
    if (st != STATUS_OK) {
        err_clear(err);
        st = request_connect(rq, err);
        return st == STATUS_OK ? respond_again(rq, f, &why, err) : st;
    }
    messages_add(rq, ARENA_CAT(rq->arena, STR("Table "), name, STR(" changed")), MESSAGE_INFO);
    respond_redirect(rq, 302, link_table(rq, rq->db->name, name));
    return STATUS_OK;
}

static enum status check_names(const struct alter_form *f, struct arena *a, struct err *err)
{
    size_t n = f->def.columns.count;
    for (size_t i = 0; i < n; i++) {
        str was = column_row_field(a, f->typed, "was", i), name = column_row_field(a, f->typed, "name", i);
        if (!str_eq(was, f->def.columns.items[i].name))
            return err_set(err, STATUS_CONFLICT, "The columns of this table were changed meanwhile: begin again");
        if (!str_trim(name).n && !column_row_field(a, f->typed, "drop", i).n)
            return err_set(err, STATUS_INVALID, "The column %.*s needs a name", STR_ARG(was));
    }
    return STATUS_OK;
}

static enum status post(struct request *rq, struct alter_form *f, struct err *err)
{
    struct err why = ERR_INIT;
    bool is_json;
    enum status st = write_body_any(rq, &f->typed, &is_json, err);
    if (st == STATUS_OK && is_json)
        return err_set(err, STATUS_INVALID, "This page takes a form; use /-/alter for JSON");
    if (st != STATUS_OK)
        return st;
    if (column_rows_more(f->typed))
        return respond_form(rq, f, err);
    struct value body = body_of(rq->arena, f);
    st = check_names(f, rq->arena, &why);
    if (st == STATUS_CONFLICT)
        f->typed = VALUE_UNDEF;
    if (st == STATUS_OK && !value_count(VALUE_GET(body, "operations")))
        st = err_set(&why, STATUS_INVALID, "Nothing was changed");
    if (st == STATUS_OK)
        st = alter_plan_read(rq->arena, body, &f->plan, &why);
    if (st != STATUS_OK)
        return respond_again(rq, f, &why, err);
    f->losses = losses_of(rq, f);
    struct value sure = VALUE_GET(f->typed, "sure");
    if (value_count(f->losses) && !(value_is_text(sure) && sure.s.n))
        return respond_form(rq, f, err);
    return write_hand_over(rq, form_apply, form_finish, f, err);
}

static enum status read_table(struct request *rq, struct alter_form *f, struct err *err)
{
    if (f->table->module.n || history_is_own_table(f->table->name))
        return err_set(err, STATUS_INVALID, "%.*s cannot be changed here: it is no table of rows",
                       STR_ARG(f->table->name));
    if (f->table->column_count + NEW_ROWS > LIMIT_FORM_COLUMNS) {
        err_set(err, STATUS_TOO_LARGE, "%.*s has too many columns for a form", STR_ARG(f->table->name));
        return err_hint(err, "Send the changes to /-/alter as JSON.");
    }
    return table_def_parse(rq->arena, f->table->sql, &f->def, err);
}

enum status view_alter_table(struct request *rq, struct err *err)
{
    struct alter_form *f = ARENA_NEW(rq->arena, struct alter_form);
    enum status st = write_open_table(rq, &f->table, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_ALTER_TABLE, rq->db->name, f->table->name, NULL, err);
    if (st == STATUS_OK)
        st = request_require(rq, ACTION_VIEW_TABLE, rq->db->name, f->table->name, NULL, err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st == STATUS_OK)
        st = read_table(rq, f, err);
    if (st != STATUS_OK)
        return st;
    return rq->http->method == HTTP_POST ? post(rq, f, err) : respond_form(rq, f, err);
}
