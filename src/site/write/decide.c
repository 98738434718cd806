/* SPDX-License-Identifier: Apache-2.0 */
#include "site/write/decide.h"

#include "db/history.h"
#include "db/schema.h"
#include "site/query/sql.h"
#include "site/tables.h"
#include "site/write/write.h"

#define ROW_CHANGES                                                                                                    \
    {                                                                                                                  \
        ACTION_INSERT_ROW, ACTION_UPDATE_ROW, ACTION_DELETE_ROW                                                        \
    }

/* First row that fits decides; what fits none is unsupported. */
static const struct {
    enum sql_verb verb;
    enum sql_target target;
    bool of_table;
    size_t count;
    enum action actions[3];
} rules[] = {
    {SQL_READ, SQL_ON_TABLE, true, 1, {ACTION_VIEW_TABLE}},
    {SQL_INSERT, SQL_ON_TABLE, true, 3, ROW_CHANGES},
    {SQL_UPDATE, SQL_ON_TABLE, true, 3, ROW_CHANGES},
    {SQL_DELETE, SQL_ON_TABLE, true, 1, {ACTION_DELETE_ROW}},
    {SQL_CREATE, SQL_ON_TABLE, false, 1, {ACTION_CREATE_TABLE}},
    {SQL_CREATE, SQL_ON_VIEW, false, 1, {ACTION_CREATE_VIEW}},
    {SQL_DROP, SQL_ON_VIEW, true, 1, {ACTION_DROP_VIEW}},
    {SQL_ALTER, SQL_ON_TABLE, true, 1, {ACTION_ALTER_TABLE}},
    {SQL_DROP, SQL_ON_TABLE, true, 1, {ACTION_DROP_TABLE}},
    {SQL_CREATE, SQL_ON_INDEX, true, 1, {ACTION_ALTER_TABLE}},
    {SQL_DROP, SQL_ON_INDEX, true, 1, {ACTION_ALTER_TABLE}},
};

struct sql_decision decide_operation(const struct sql_operation *o, const struct schema *schema)
{
    bool changes_rows = o->verb == SQL_INSERT || o->verb == SQL_UPDATE || o->verb == SQL_DELETE;
    const struct schema_table *t = changes_rows ? schema_table(schema, o->table) : NULL;
    bool temporary = o->verb == SQL_READ && o->target == SQL_ON_TABLE && !o->schema.n && /* "with x as (...)" */
                     !schema_table(schema, o->table);
    if (o->internal || o->verb == SQL_SELECT || o->verb == SQL_FUNCTION || temporary)
        return (struct sql_decision){.kind = DECIDE_IGNORE};
    if (o->verb == SQL_VACUUM)
        return (struct sql_decision){.kind = DECIDE_REJECT, .message = "VACUUM is not allowed in user-supplied SQL"};
    if (t && t->kind == SCHEMA_VIRTUAL)
        return (struct sql_decision){.kind = DECIDE_REJECT,
                                     .message = "Writes to virtual tables are not allowed in user-supplied SQL"};
    if (t && t->is_shadow)
        return (struct sql_decision){.kind = DECIDE_REJECT,
                                     .message = "Writes to shadow tables are not allowed in user-supplied SQL"};
    if (sql_verb_writes(o->verb) && history_is_own_table(o->table)) /* its triggers write to it on behalf of anybody */
        return o->source.p && history_is_own_table(o->source)
                   ? (struct sql_decision){.kind = DECIDE_IGNORE}
                   : (struct sql_decision){.kind = DECIDE_REJECT, .message = "Histories may not be changed by SQL"};
    if (o->verb == SQL_READ && o->source.p && history_is_own_table(o->source))
        return (struct sql_decision){.kind = DECIDE_IGNORE};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (rules[i].verb != o->verb || rules[i].target != o->target)
            continue;
        struct sql_decision d = {.kind = DECIDE_REQUIRE, .action_count = rules[i].count, .of_table = rules[i].of_table};
        memcpy(d.actions, rules[i].actions, sizeof d.actions);
        return d;
    }
    return (struct sql_decision){.kind = DECIDE_UNSUPPORTED};
}

bool decide_is_write(const struct sql_analysis *an)
{
    for (size_t i = 0; i < an->count; i++)
        if (sql_verb_writes(an->items[i].verb))
            return true;
    return false;
}

/* The rows of a table are those of its history too. */
static bool owner_allowed(struct request *rq, const struct sql_operation *o, str *ret_owner)
{
    *ret_owner = history_owner(rq->schema, o->table);
    return !ret_owner->n || request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, *ret_owner);
}

/* A view may read any table, and whoever sees it is not asked for those: so it is made by who may read them by SQL. */
static bool may_define(struct request *rq, const struct sql_operation *o)
{
    return o->verb != SQL_CREATE || o->target != SQL_ON_VIEW ||
           request_allowed(rq, ACTION_EXECUTE_SQL, rq->db->name, (str){0});
}

static bool allowed(struct request *rq, const struct sql_operation *o, const struct sql_decision *d)
{
    str owner;
    if (!owner_allowed(rq, o, &owner) || !may_define(rq, o))
        return false;
    for (size_t i = 0; i < d->action_count; i++)
        if (!request_allowed(rq, d->actions[i], rq->db->name, d->of_table ? o->table : (str){0}))
            return false;
    return true;
}

static struct value required(struct arena *a, const struct sql_decision *d)
{
    str names[3];
    for (size_t i = 0; i < d->action_count; i++)
        names[i] = str_of(action_rows[d->actions[i]].name);
    return value_str(d->kind == DECIDE_REQUIRE ? write_join(a, names, d->action_count, STR(", ")) : STR(""));
}

/* SQLite names no schema where no column of a table is read: select count(*) from t. */
static bool is_main(const struct sql_operation *o)
{
    return str_is(o->schema, "main") || (o->verb == SQL_READ && !o->schema.n);
}

/* BEGIN, COMMIT and ROLLBACK are one verb to the analysis. */
static const char *verb_name(const struct sql_operation *o)
{
    static const char *const transactions[] = {"begin", "commit", "rollback"};
    for (size_t i = 0; o->verb == SQL_TRANSACTION && i < ARRAY_LEN(transactions); i++)
        if (str_eq_nocase(o->table, str_of(transactions[i])))
            return transactions[i];
    return sql_verb_names[o->verb];
}

struct value decide_rows(struct request *rq, const struct sql_analysis *an, bool with_allowed)
{
    struct arena *a = rq->arena;
    struct value list = value_list(a);
    bool is_write = decide_is_write(an);
    for (size_t i = 0; i < an->count; i++) {
        const struct sql_operation *o = &an->items[i];
        struct sql_decision d = decide_operation(o, rq->schema);
        if (d.kind == DECIDE_IGNORE)
            continue;
        struct value row = value_dict(a), database = is_main(o) ? value_str(rq->db->name) : value_str(o->schema);
        str table = o->verb == SQL_VACUUM ? rq->db->name : o->table.n ? o->table : o->name;
        VALUE_SET(row, "operation", value_cstr(verb_name(o)));
        VALUE_SET(row, "database", is_main(o) || o->schema.n ? database : VALUE_NULL);
        VALUE_SET(row, "table", table.n ? value_str(table) : VALUE_NULL);
        VALUE_SET(row, "required_permission", required(a, &d));
        VALUE_SET(row, "source", o->source.p ? value_str(o->source) : VALUE_NULL);
        if (with_allowed)
            VALUE_SET(row, "allowed",
                      d.kind == DECIDE_REQUIRE ? value_bool(is_main(o) && allowed(rq, o, &d))
                      : is_write               ? value_bool(false)
                                               : VALUE_NULL);
        value_push(list, row);
    }
    return list;
}

static const char *target_name(const struct sql_operation *o)
{
    static const char *const names[] = {
        [SQL_ON_NOTHING] = "statement",    [SQL_ON_TABLE] = "table", [SQL_ON_SCHEMA] = "schema",
        [SQL_ON_INDEX] = "index",          [SQL_ON_VIEW] = "view",   [SQL_ON_TRIGGER] = "trigger",
        [SQL_ON_VIRTUAL] = "virtual-table"};
    static const char *const verbs[SQL_VERB_COUNT] = {[SQL_TRANSACTION] = "transaction",
                                                      [SQL_SAVEPOINT] = "transaction",
                                                      [SQL_ATTACH] = "database",
                                                      [SQL_DETACH] = "database",
                                                      [SQL_PRAGMA] = "pragma"};
    return verbs[o->verb] ? verbs[o->verb] : names[o->target];
}

enum status decide_check(struct request *rq, const struct sql_analysis *an, bool *ret_rejected, struct err *err)
{
    for (size_t i = 0; i < an->count; i++) {
        const struct sql_operation *o = &an->items[i];
        struct sql_decision d = decide_operation(o, rq->schema);
        if (d.kind == DECIDE_IGNORE)
            continue;
        if (d.kind == DECIDE_REJECT) {
            if (ret_rejected)
                *ret_rejected = true;
            return err_set(err, STATUS_FORBIDDEN, "%s", d.message);
        }
        if (d.kind == DECIDE_UNSUPPORTED)
            return err_set(err, STATUS_FORBIDDEN, "Unsupported SQL operation: %s %s", verb_name(o), target_name(o));
        if (!is_main(o))
            return err_set(err, STATUS_FORBIDDEN, "Writable queries may not access attached databases");
        str owner;
        if (!owner_allowed(rq, o, &owner))
            return err_set(err, STATUS_FORBIDDEN, "Permission denied: need view-table on %.*s/%.*s",
                           STR_ARG(rq->db->name), STR_ARG(owner));
        if (!may_define(rq, o))
            return err_set(err, STATUS_FORBIDDEN, "Permission denied: need execute-sql on %.*s to define a view",
                           STR_ARG(rq->db->name));
        for (size_t k = 0; k < d.action_count; k++) {
            if (request_allowed(rq, d.actions[k], rq->db->name, d.of_table ? o->table : (str){0}))
                continue;
            return err_set(err, STATUS_FORBIDDEN, "Permission denied: need %s on %.*s%s%.*s",
                           action_rows[d.actions[k]].name, STR_ARG(rq->db->name), d.of_table ? "/" : "",
                           d.of_table ? (int)o->table.n : 0, o->table.p ? o->table.p : "");
        }
    }
    return STATUS_OK;
}

enum status decide_parameters(struct arena *a, str sql, const str **ret_names, size_t *ret_count, struct err *err)
{
    query_sql_parameters(a, sql, ret_names, ret_count);
    for (size_t i = 0; i < *ret_count; i++)
        if (str_starts((*ret_names)[i], STR("_")))
            return err_set(err, STATUS_INVALID, "Magic parameters are not allowed");
    return STATUS_OK;
}

static bool any_refused(struct value rows)
{
    for (size_t i = 0; i < value_count(rows); i++) {
        struct value v = VALUE_GET(value_at(rows, i), "allowed");
        if (v.kind == VALUE_BOOL && !v.b)
            return true;
    }
    return false;
}

struct findings {
    struct value parameters, rows;
    bool is_write;
    struct err err;
};

static void find_out(struct request *rq, str sql, struct findings *f)
{
    const str *names = NULL;
    size_t n = 0;
    struct sql_analysis an = {0};
    f->parameters = value_list(rq->arena);
    f->rows = value_list(rq->arena);
    enum status st = decide_parameters(rq->arena, sql, &names, &n, &f->err);
    if (st != STATUS_OK)
        return;
    f->parameters = str_list(rq->arena, names, n);
    st = sql_analyze(rq->conn, rq->arena, sql, &an, &f->err);
    if (st != STATUS_OK)
        return;
    f->is_write = decide_is_write(&an);
    f->rows = decide_rows(rq, &an, true);
}

static const char *disabled_reason(str sql, const struct findings *f)
{
    if (!str_trim(sql).n)
        return "Enter writable SQL before executing.";
    if (f->err.status != STATUS_OK)
        return f->err.text;
    return any_refused(f->rows) ? "You do not have permission for every operation listed above." : NULL;
}

struct value decide_execute_data(struct request *rq, str sql)
{
    struct findings *f = ARENA_NEW(rq->arena, struct findings);
    struct value d = value_dict(rq->arena);
    f->parameters = value_list(rq->arena);
    f->rows = value_list(rq->arena);
    if (sql.n)
        find_out(rq, sql, f);
    if (sql.n && f->err.status == STATUS_OK && !f->is_write) {
        f->rows = value_list(rq->arena);
        err_set(&f->err, STATUS_INVALID, "Use /-/query for read-only SQL; this endpoint only executes writes");
    }
    const char *reason = disabled_reason(sql, f);
    VALUE_SET(d, "ok", value_bool(f->err.status == STATUS_OK));
    VALUE_SET(d, "parameters", f->parameters);
    VALUE_SET(d, "analysis_error", f->err.status == STATUS_OK ? VALUE_NULL : value_cstr(f->err.text));
    VALUE_SET(d, "analysis_rows", f->rows);
    VALUE_SET(d, "execute_disabled", value_bool(reason != NULL));
    VALUE_SET(d, "execute_disabled_reason", value_cstr(reason));
    return d;
}

struct value decide_store_data(struct request *rq, str sql)
{
    struct findings *f = ARENA_NEW(rq->arena, struct findings);
    struct value d = value_dict(rq->arena);
    bool has_sql = str_trim(sql).n > 0;
    f->parameters = value_list(rq->arena);
    f->rows = value_list(rq->arena);
    if (has_sql)
        find_out(rq, sql, f);
    VALUE_SET(d, "ok", value_bool(f->err.status == STATUS_OK));
    VALUE_SET(d, "parameters", f->parameters);
    VALUE_SET(d, "analysis_error", f->err.status == STATUS_OK ? VALUE_NULL : value_cstr(f->err.text));
    VALUE_SET(d, "analysis_rows", f->rows);
    VALUE_SET(d, "has_sql", value_bool(has_sql));
    VALUE_SET(d, "analysis_is_write", value_bool(f->is_write));
    VALUE_SET(d, "save_disabled", value_bool(!has_sql || f->err.status != STATUS_OK || any_refused(f->rows)));
    return d;
}
