/* SPDX-License-Identifier: Apache-2.0 */
/* alter — POST /DB/TABLE/-/alter.
 *
 * SQLite itself can add, rename and drop a column and rename a table. Everything else is done the way its manual says:
 * a new table is made, the rows are copied, the old one is dropped, the new one takes its name, indexes and triggers
 * are made again; all of it within the transaction of the writer, so that it happens whole or not at all.
 *
 * Nothing may get lost on the way: a table with parts that a struct table_def does not hold (CHECK, COLLATE, generated
 * columns, AUTOINCREMENT, triggers) is changed by SQLite's own ALTER where that can do it, and refused where it cannot.
 * The name is given with legacy_alter_table on, as the manual says: else views that name the table make it fail. */
#include "site/write/alter.h"

#include <sys/random.h>

#include "site/links.h"
#include "site/query/plan.h"
#include "site/view/view.h"
#include "site/write/write.h"

struct alter_job {
    struct alter_plan plan;
    str table, db;
};

struct rebuild {
    struct arena *a;
    struct conn *c;
    str table;
    str sql; /* as it was */
    struct table_def def;
    struct value indexes, triggers; /* LIST of {name, sql} */
    const char *special;            /* what a table_def cannot hold; NULL = nothing */
    bool copies_rowid;              /* the old table has one */
};

static enum status fetch_about(struct rebuild *r, str sql, struct value *ret, struct err *err)
{
    struct db_value name = {.kind = DB_TEXT, .s = r->table};
    *ret = value_list(r->a);
    return write_fetch(r->a, r->c, sql, &name, 1, SIZE_MAX, *ret, err);
}

/* The four types that the API knows are written its way; others stay as they were declared. */
static str type_again(str type)
{
    static const char *const same[] = {"TEXT", "INTEGER", "REAL", "BLOB"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        if (str_eq_nocase(type, str_of(same[i])))
            return str_of(same[i]);
    return str_eq_nocase(type, STR("FLOAT")) ? STR("REAL") : type;
}

/* ---- the table as it is ---- */

static enum status read_columns(struct rebuild *r, struct err *err)
{
    struct value rows;
    enum status st = fetch_about(r, STR("select * from pragma_table_xinfo(?)"), &rows, err);
    int64_t keys = 0;
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        struct value row = value_at(rows, i), standard = VALUE_GET(row, "dflt_value");
        struct def_column c = {.name = value_get_text(row, STR("name")), .was = value_get_text(row, STR("name"))};
        c.type = type_again(value_get_text(row, STR("type")));
        c.not_null = VALUE_GET(row, "notnull").i != 0;
        if (value_is_text(standard))
            c.default_sql = def_default_again(r->a, standard.s);
        if (VALUE_GET(row, "hidden").i)
            r->special = "generated columns";
        keys = MAX(keys, VALUE_GET(row, "pk").i);
        VEC_PUSH(r->a, &r->def.columns, c);
    }
    for (int64_t k = 1; k <= keys; k++)
        for (size_t i = 0; i < value_count(rows); i++)
            if (VALUE_GET(value_at(rows, i), "pk").i == k)
                VEC_PUSH(r->a, &r->def.pks, value_get_text(value_at(rows, i), STR("name")));
    return st;
}

static str fk_actions(struct arena *a, struct value row)
{
    str on_update = value_get_text(row, STR("on_update")), on_delete = value_get_text(row, STR("on_delete")),
        s = STR("");
    if (!str_is(on_update, "NO ACTION"))
        s = ARENA_CAT(a, s, STR(" ON UPDATE "), on_update);
    if (!str_is(on_delete, "NO ACTION"))
        s = ARENA_CAT(a, s, STR(" ON DELETE "), on_delete);
    return s;
}

static enum status read_fks(struct rebuild *r, struct err *err)
{
    struct value rows;
    enum status st = fetch_about(r, STR("select * from pragma_foreign_key_list(?) order by id desc, seq"), &rows, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++) {
        struct value row = value_at(rows, i);
        bool compound =
            VALUE_GET(row, "seq").i > 0 || (i + 1 < value_count(rows) && VALUE_GET(value_at(rows, i + 1), "seq").i > 0);
        struct def_column *c = table_def_find(&r->def, value_get_text(row, STR("from")));
        if (compound) {
            r->special = "foreign keys of several columns";
        } else if (c) {
            c->fk_table = value_get_text(row, STR("table"));
            c->fk_column = value_get_text(row, STR("to"));
            c->fk_actions = fk_actions(r->a, row);
        }
    }
    return st;
}

static enum status read_unique(struct rebuild *r, str index, struct err *err)
{
    struct value rows = value_list(r->a);
    struct db_value name = {.kind = DB_TEXT, .s = index};
    enum status st = write_fetch(r->a, r->c, STR("select name from pragma_index_info(?) order by seqno"), &name, 1,
                                 SIZE_MAX, rows, err);
    if (st != STATUS_OK)
        return st;
    if (value_count(rows) != 1) {
        r->special = "UNIQUE constraints of several columns";
        return STATUS_OK;
    }
    struct def_column *c = table_def_find(&r->def, value_get_text(value_at(rows, 0), STR("name")));
    if (c)
        c->unique = true;
    return STATUS_OK;
}

static enum status read_indexes(struct rebuild *r, struct err *err)
{
    struct value rows;
    enum status st = fetch_about(r, STR("select name, origin from pragma_index_list(?) order by seq desc"), &rows, err);
    for (size_t i = 0; st == STATUS_OK && i < value_count(rows); i++)
        if (str_is(value_get_text(value_at(rows, i), STR("origin")), "u"))
            st = read_unique(r, value_get_text(value_at(rows, i), STR("name")), err);
    if (st == STATUS_OK)
        st = fetch_about(
            r, STR("select name, sql from sqlite_master where type = 'index' and tbl_name = ? and sql is not null"),
            &r->indexes, err);
    if (st == STATUS_OK)
        st = fetch_about(r, STR("select name, sql from sqlite_master where type = 'trigger' and tbl_name = ?"),
                         &r->triggers, err);
    return st;
}

static enum status read_table(struct rebuild *r, struct err *err)
{
    static const struct {
        const char *word, *what;
    } words[] = {{"CHECK", "CHECK constraints"},     {"COLLATE", "COLLATE"},       {"GENERATED", "generated columns"},
                 {"AUTOINCREMENT", "AUTOINCREMENT"}, {"DEFERRABLE", "DEFERRABLE"}, {"CONFLICT", "ON CONFLICT"}};
    struct value rows;
    r->def = (struct table_def){.name = r->table};
    r->special = NULL;
    enum status st = write_schema_of(r->a, r->c, r->table, &r->sql, err);
    if (st == STATUS_OK && !r->sql.n)
        st = err_set(err, STATUS_NOT_FOUND, "Table not found");
    for (size_t i = 0; st == STATUS_OK && i < ARRAY_LEN(words); i++)
        if (alter_sql_has_word(r->sql, words[i].word))
            r->special = words[i].what;
    if (st == STATUS_OK)
        st = read_columns(r, err);
    if (st == STATUS_OK)
        st = read_fks(r, err);
    if (st == STATUS_OK)
        st = read_indexes(r, err);
    if (st == STATUS_OK)
        st = fetch_about(r, STR("select wr, strict from pragma_table_list(?) where schema = 'main'"), &rows, err);
    if (st == STATUS_OK && value_count(rows)) {
        r->def.without_rowid = VALUE_GET(value_at(rows, 0), "wr").i != 0;
        r->def.strict = VALUE_GET(value_at(rows, 0), "strict").i != 0;
    }
    if (st == STATUS_OK && str_starts(r->sql, STR("CREATE VIRTUAL")))
        return err_set(err, STATUS_INVALID, "Table \"%.*s\" is virtual and cannot be altered", STR_ARG(r->table));
    return st;
}

/* ---- rebuilding ---- */

static str random_name(struct arena *a, str table)
{
    unsigned char bytes[6] = {0};
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        bytes[0] = 1; /* a name that is taken makes CREATE TABLE fail, which undoes everything */
    return arena_printf(a, "%.*s_new_%02x%02x%02x%02x%02x%02x", STR_ARG(table), bytes[0], bytes[1], bytes[2], bytes[3],
                        bytes[4], bytes[5]);
}

/* Rows without a key of their own keep their rowid: search indexes and links use it. */
static bool keeps_rowid(const struct table_def *d)
{
    if (d->without_rowid)
        return false;
    for (size_t i = 0; i < d->columns.count; i++) {
        const struct def_column *c = &d->columns.items[i];
        if (str_eq_nocase(c->name, STR("rowid")) || str_eq_nocase(c->was, STR("rowid")))
            return false;
        if (d->pks.count == 1 && str_eq_nocase(d->pks.items[0], c->name) && str_eq_nocase(c->type, STR("INTEGER")))
            return false;
    }
    return true;
}

static str copy_sql(struct arena *a, const struct table_def *d, str from, bool rowid)
{
    size_t n = 0;
    str *to = ARENA_ARRAY(a, str, d->columns.count + 1), *what = ARENA_ARRAY(a, str, d->columns.count + 1);
    if (rowid) {
        to[n] = STR("rowid");
        what[n++] = STR("rowid");
    }
    for (size_t i = 0; i < d->columns.count; i++) {
        const struct def_column *c = &d->columns.items[i];
        if (!c->was.n)
            continue;
        to[n] = query_quoted(a, c->name);
        what[n] = query_quoted(a, c->was);
        if (c->text_to_number)
            what[n] = ARENA_CAT(a, STR("nullif("), what[n], STR(", '')"));
        n++;
    }
    return ARENA_CAT(a, STR("insert into "), query_quoted(a, d->name), STR(" ("), write_join(a, to, n, STR(", ")),
                     STR(") select "), write_join(a, what, n, STR(", ")), STR(" from "), query_quoted(a, from));
}

static enum status run_again(struct rebuild *r, struct value list, struct err *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < value_count(list); i++)
        st = write_run(r->c, value_get_text(value_at(list, i), STR("sql")), NULL, 0, err);
    return st;
}

/* An index on a column that goes away or changes its name would be another index. */
static enum status check_indexes(struct rebuild *r, struct err *err)
{
    for (size_t i = 0; i < value_count(r->indexes); i++) {
        str name = value_get_text(value_at(r->indexes, i), STR("name"));
        struct db_value v = {.kind = DB_TEXT, .s = name};
        struct value rows = value_list(r->a);
        enum status st =
            write_fetch(r->a, r->c, STR("select name from pragma_index_info(?)"), &v, 1, SIZE_MAX, rows, err);
        for (size_t k = 0; st == STATUS_OK && k < value_count(rows); k++) {
            str column = value_get_text(value_at(rows, k), STR("name"));
            struct def_column *c = table_def_find(&r->def, column);
            if (column.n && !(c && str_eq_nocase(c->was, column)))
                st = err_set(err, STATUS_INVALID,
                             "Index '%.*s' is on column '%.*s', which is being renamed or dropped: drop the index "
                             "first",
                             STR_ARG(name), STR_ARG(column));
        }
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static enum status swap(struct rebuild *r, str made, struct err *err)
{
    struct arena *a = r->a;
    enum status st = write_run(r->c, ARENA_CAT(a, STR("drop table "), query_quoted(a, r->table)), NULL, 0, err);
    if (st != STATUS_OK)
        return st;
    st = conn_execute(r->c, STR("PRAGMA legacy_alter_table=ON"), err);
    if (st == STATUS_OK)
        st = write_run(
            r->c,
            ARENA_CAT(a, STR("alter table "), query_quoted(a, made), STR(" rename to "), query_quoted(a, r->table)),
            NULL, 0, err);
    enum status off = conn_execute(r->c, STR("PRAGMA legacy_alter_table=OFF"), st == STATUS_OK ? err : NULL);
    return st == STATUS_OK ? off : st;
}

static enum status rebuild(struct rebuild *r, struct err *err)
{
    struct arena *a = r->a;
    struct table_def made = r->def;
    made.name = random_name(a, r->table);
    enum status st = check_indexes(r, err);
    for (size_t i = 0; st == STATUS_OK && i < made.columns.count; i++)
        if (made.columns.items[i].fk_table.n)
            st = write_resolve_fk(a, r->c, r->table, &made.columns.items[i], err);
    if (st == STATUS_OK)
        st = write_run(r->c, table_def_sql(a, &made), NULL, 0, err);
    if (st == STATUS_OK)
        st = write_run(r->c, copy_sql(a, &made, r->table, keeps_rowid(&made) && r->copies_rowid), NULL, 0, err);
    if (st == STATUS_OK)
        st = swap(r, made.name, err);
    if (st == STATUS_OK)
        st = run_again(r, r->indexes, err);
    return st == STATUS_OK ? run_again(r, r->triggers, err) : st;
}

/* ---- SQLite's own ALTER ---- */

static bool is_native(const struct alter_step *s)
{
    return s->op == ALTER_RENAME_COLUMN || s->op == ALTER_DROP_COLUMN || s->op == ALTER_RENAME_TABLE ||
           (s->op == ALTER_ADD_COLUMN && !(s->has_default && !s->not_null));
}

static enum status alter_natively(struct rebuild *r, const struct alter_plan *p, const char *why, struct err *err)
{
    struct arena *a = r->a;
    str head = ARENA_CAT(a, STR("alter table "), query_quoted(a, r->table));
    enum status st = STATUS_OK;
    for (size_t i = 0; i < p->steps.count; i++)
        if (!is_native(&p->steps.items[i]))
            return err_set(err, STATUS_INVALID,
                           "Table \"%.*s\" has %s, which this change would lose: only adding, renaming and dropping "
                           "columns is possible here",
                           STR_ARG(r->table), why);
    for (size_t i = 0; st == STATUS_OK && i < p->steps.count; i++) {
        const struct alter_step *s = &p->steps.items[i];
        if (s->op == ALTER_RENAME_COLUMN)
            st = write_run(r->c,
                           ARENA_CAT(a, head, STR(" rename column "), query_quoted(a, s->name), STR(" to "),
                                     query_quoted(a, s->to)),
                           NULL, 0, err);
        if (s->op == ALTER_DROP_COLUMN && table_def_find(&r->def, s->name))
            st = write_run(r->c, ARENA_CAT(a, head, STR(" drop column "), query_quoted(a, s->name)), NULL, 0, err);
    }
    return st;
}

static enum status alter_table(struct rebuild *r, const struct alter_plan *p, struct err *err)
{
    bool changed = false;
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < p->steps.count; i++)
        if (p->steps.items[i].op == ALTER_ADD_COLUMN)
            st = write_run(r->c, alter_add_column_sql(r->a, r->table, &p->steps.items[i]), NULL, 0, err);
    if (st == STATUS_OK)
        st = read_table(r, err);
    if (st != STATUS_OK)
        return st;
    r->copies_rowid = !r->def.without_rowid;
    const char *special = r->special ? r->special : value_count(r->triggers) ? "triggers" : NULL;
    struct rebuild before = *r;
    st = alter_apply(r->a, p, &r->def, &changed, err);
    if (st != STATUS_OK || !changed)
        return st;
    if (special) {
        st = read_table(&before, err);
        return st == STATUS_OK ? alter_natively(&before, p, special, err) : st;
    }
    return rebuild(r, err);
}

/* ---- endpoint ---- */

static enum status alter_run(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct alter_job *job = plan;
    struct arena *a = rq->arena;
    struct rebuild r = {.a = a, .c = c, .table = job->table};
    str before, after, name = job->table;
    enum status st = write_schema_of(a, c, name, &before, err);
    if (st == STATUS_OK)
        st = alter_table(&r, &job->plan, err);
    if (st == STATUS_OK && job->plan.rename_to.n && !str_eq(job->plan.rename_to, name)) {
        st = write_run(c,
                       ARENA_CAT(a, STR("alter table "), query_quoted(a, name), STR(" rename to "),
                                 query_quoted(a, job->plan.rename_to)),
                       NULL, 0, err);
        name = job->plan.rename_to;
    }
    if (st == STATUS_OK)
        st = write_schema_of(a, c, name, &after, err);
    if (st != STATUS_OK)
        return st;
    struct value d = value_dict(a);
    str url = link_table(rq, job->db, name);
    VALUE_SET(d, "ok", value_bool(true));
    VALUE_SET(d, "database", value_str(job->db));
    VALUE_SET(d, "table", value_str(name));
    VALUE_SET(d, "table_url", value_str(request_absolute_url(rq, url)));
    VALUE_SET(d, "table_api_url", value_str(request_absolute_url(rq, link_with_format(rq, url, STR("json")))));
    VALUE_SET(d, "altered", value_bool(!str_eq(before, after)));
    VALUE_SET(d, "schema", value_str(after));
    VALUE_SET(d, "before_schema", value_str(before));
    VALUE_SET(d, "operations_applied", value_int((int64_t)job->plan.steps.count));
    respond_json(rq, 200, d);
    return STATUS_OK;
}

static enum status plan_alter(struct request *rq, struct err *err)
{
    const struct schema_table *t;
    struct value body;
    struct alter_job *job = ARENA_NEW(rq->arena, struct alter_job);
    enum status st = write_open_table(rq, &t, err);
    if (st == STATUS_OK)
        st = write_require(rq, ACTION_ALTER_TABLE, rq->db->name, t->name, "Permission denied: need alter-table", err);
    if (st == STATUS_OK)
        st = write_require_mutable(rq, err);
    if (st == STATUS_OK)
        st = write_body_object(rq, &body, err);
    if (st == STATUS_OK)
        st = alter_plan_read(rq->arena, body, &job->plan, err);
    if (st != STATUS_OK)
        return st;
    job->table = t->name;
    job->db = rq->db->name;
    return write_hand_over(rq, alter_run, NULL, job, err);
}

enum status view_alter(struct request *rq, struct err *err)
{
    return write_end(rq, plan_alter(rq, err), err);
}
