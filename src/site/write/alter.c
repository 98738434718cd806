/* SPDX-License-Identifier: Apache-2.0 */
/* alter — POST /DB/TABLE/-/alter: columns are added by SQLite, all other changes are made to the table as data, which
 * is then rebuilt (migrate/rebuild.h); within the transaction of the writer, so that it happens whole or not at all. */
#include "site/write/alter.h"

#include "db/history.h"
#include "migrate/rebuild.h"
#include "site/links.h"
#include "site/query/plan.h"
#include "site/view/view.h"
#include "site/write/write.h"

struct alter_job {
    struct alter_plan plan;
    str table, db;
};

/* The four types that the API knows are written its way; others stay as they were declared. */
static str type_again(str type)
{
    static const char *const same[] = {"TEXT", "INTEGER", "REAL", "BLOB"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        if (str_eq_nocase(type, str_of(same[i])))
            return str_of(same[i]);
    return str_eq_nocase(type, STR("FLOAT")) ? STR("REAL") : type;
}

/* A foreign key that was there may point nowhere: it stays as it is. */
static enum status resolve_fk(struct arena *a, struct conn *c, struct table_def *was, struct def_column *column,
                              struct err *err)
{
    const struct def_column *old = table_def_find(was, column->name);
    bool same = old && str_eq(old->fk_table, column->fk_table) && str_eq(old->fk_column, column->fk_column);
    if (!column->fk_table.n)
        return STATUS_OK;
    enum status st = table_def_resolve_fk(a, c, was->name, column, same ? NULL : err);
    return same ? STATUS_OK : st;
}

static enum status alter_table(struct arena *a, struct conn *c, str table, const struct alter_plan *p, struct err *err)
{
    struct table_def was, def;
    bool changed;
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < p->steps.count; i++)
        if (p->steps.items[i].op == ALTER_ADD_COLUMN)
            st = write_run(c, alter_add_column_sql(a, table, &p->steps.items[i]), NULL, 0, err);
    if (st == STATUS_OK)
        st = rebuild_read(a, c, table, &was, err);
    if (st != STATUS_OK)
        return st;
    def = table_def_copy(a, &was);
    st = alter_apply(a, p, &def, err);
    for (size_t i = 0; st == STATUS_OK && i < def.columns.count; i++)
        st = resolve_fk(a, c, &was, &def.columns.items[i], err);
    if (st != STATUS_OK)
        return st;
    if (table_def_differs(a, &was, &def)) /* types alone are no reason */
        for (size_t i = 0; i < def.columns.count; i++)
            def.columns.items[i].type = type_again(def.columns.items[i].type);
    return rebuild_table(a, c, &def, NULL, &changed, err);
}

enum status alter_table_run(struct arena *a, struct conn *c, str table, const struct alter_plan *p, struct err *err)
{
    enum status st = alter_table(a, c, table, p, err);
    if (st == STATUS_OK && p->rename_to.n && !str_eq(p->rename_to, table)) {
        st = write_run(c,
                       ARENA_CAT(a, STR("alter table "), query_quoted(a, table), STR(" rename to "),
                                 query_quoted(a, p->rename_to)),
                       NULL, 0, err);
        table = p->rename_to;
    }
    return st == STATUS_OK ? history_refresh(c, a, table, err) : st;
}

/* ---- endpoint ---- */

static enum status alter_run(struct request *rq, struct conn *c, void *plan, struct err *err)
{
    struct alter_job *job = plan;
    struct arena *a = rq->arena;
    str before, after, name = job->plan.rename_to.n ? job->plan.rename_to : job->table;
    enum status st = write_schema_of(a, c, job->table, &before, err);
    if (st == STATUS_OK)
        st = alter_table_run(a, c, job->table, &job->plan, err);
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
