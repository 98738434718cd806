/* SPDX-License-Identifier: Apache-2.0 */
/* analyze — the authorizer as a witness.
 *
 * The statement is compiled with an authorizer that writes down instead of judging. What follows is judgement that the
 * raw list needs: dropping a table also reports a DELETE of its rows, and every change of the schema reports reads and
 * writes of sqlite_schema and calls of SQLite's own functions; these are marked internal, or no one could drop a table
 * without the right to delete rows. VACUUM reports nothing at all: it is found in the compiled program.
 *
 * Tests: tests/unit/db/test_analyze.c, the category write of tests/conformance. */
#include "db/analyze.h"

#include <sqlite3.h>

#include "db/authorizer.h"
#include "db/conn_impl.h"

#include "base/banned.h"

const char *const sql_verb_names[SQL_VERB_COUNT] = {
    [SQL_READ] = "read",     [SQL_INSERT] = "insert",     [SQL_UPDATE] = "update",       [SQL_DELETE] = "delete",
    [SQL_SELECT] = "select", [SQL_FUNCTION] = "function", [SQL_CREATE] = "create",       [SQL_ALTER] = "alter",
    [SQL_DROP] = "drop",     [SQL_TRANSACTION] = "begin", [SQL_SAVEPOINT] = "savepoint", [SQL_ATTACH] = "attach",
    [SQL_DETACH] = "detach", [SQL_PRAGMA] = "pragma",     [SQL_ANALYZE] = "analyze",     [SQL_REINDEX] = "reindex",
    [SQL_VACUUM] = "vacuum", [SQL_UNKNOWN] = "unknown",
};

/* Which argument of the callback names what. */
enum naming {
    NAME_FIRST,
    NAME_OF_TABLE /* a = thing, b = its table */,
    NAME_ALTER /* a = schema, b = table */,
    NAME_SECOND
};

static const struct {
    int action;
    enum sql_verb verb;
    enum sql_target target;
    enum naming naming;
} actions[] = {
    {SQLITE_READ, SQL_READ, SQL_ON_TABLE, NAME_FIRST},
    {SQLITE_INSERT, SQL_INSERT, SQL_ON_TABLE, NAME_FIRST},
    {SQLITE_UPDATE, SQL_UPDATE, SQL_ON_TABLE, NAME_FIRST},
    {SQLITE_DELETE, SQL_DELETE, SQL_ON_TABLE, NAME_FIRST},
    {SQLITE_CREATE_INDEX, SQL_CREATE, SQL_ON_INDEX, NAME_OF_TABLE},
    {SQLITE_CREATE_TEMP_INDEX, SQL_CREATE, SQL_ON_INDEX, NAME_OF_TABLE},
    {SQLITE_CREATE_TABLE, SQL_CREATE, SQL_ON_TABLE, NAME_FIRST},
    {SQLITE_CREATE_TEMP_TABLE, SQL_CREATE, SQL_ON_TABLE, NAME_FIRST},
    {SQLITE_CREATE_TRIGGER, SQL_CREATE, SQL_ON_TRIGGER, NAME_OF_TABLE},
    {SQLITE_CREATE_TEMP_TRIGGER, SQL_CREATE, SQL_ON_TRIGGER, NAME_OF_TABLE},
    {SQLITE_CREATE_VIEW, SQL_CREATE, SQL_ON_VIEW, NAME_FIRST},
    {SQLITE_CREATE_TEMP_VIEW, SQL_CREATE, SQL_ON_VIEW, NAME_FIRST},
    {SQLITE_CREATE_VTABLE, SQL_CREATE, SQL_ON_VIRTUAL, NAME_FIRST},
    {SQLITE_DROP_INDEX, SQL_DROP, SQL_ON_INDEX, NAME_OF_TABLE},
    {SQLITE_DROP_TEMP_INDEX, SQL_DROP, SQL_ON_INDEX, NAME_OF_TABLE},
    {SQLITE_DROP_TABLE, SQL_DROP, SQL_ON_TABLE, NAME_FIRST},
    {SQLITE_DROP_TEMP_TABLE, SQL_DROP, SQL_ON_TABLE, NAME_FIRST},
    {SQLITE_DROP_TRIGGER, SQL_DROP, SQL_ON_TRIGGER, NAME_OF_TABLE},
    {SQLITE_DROP_TEMP_TRIGGER, SQL_DROP, SQL_ON_TRIGGER, NAME_OF_TABLE},
    {SQLITE_DROP_VIEW, SQL_DROP, SQL_ON_VIEW, NAME_FIRST},
    {SQLITE_DROP_TEMP_VIEW, SQL_DROP, SQL_ON_VIEW, NAME_FIRST},
    {SQLITE_DROP_VTABLE, SQL_DROP, SQL_ON_VIRTUAL, NAME_FIRST},
    {SQLITE_ALTER_TABLE, SQL_ALTER, SQL_ON_TABLE, NAME_ALTER},
    {SQLITE_TRANSACTION, SQL_TRANSACTION, SQL_ON_NOTHING, NAME_FIRST},
    {SQLITE_SAVEPOINT, SQL_SAVEPOINT, SQL_ON_NOTHING, NAME_FIRST},
    {SQLITE_ATTACH, SQL_ATTACH, SQL_ON_NOTHING, NAME_FIRST},
    {SQLITE_DETACH, SQL_DETACH, SQL_ON_NOTHING, NAME_FIRST},
    {SQLITE_PRAGMA, SQL_PRAGMA, SQL_ON_NOTHING, NAME_FIRST},
    {SQLITE_ANALYZE, SQL_ANALYZE, SQL_ON_TABLE, NAME_FIRST},
    {SQLITE_REINDEX, SQL_REINDEX, SQL_ON_INDEX, NAME_FIRST},
    {SQLITE_SELECT, SQL_SELECT, SQL_ON_NOTHING, NAME_FIRST},
    {SQLITE_FUNCTION, SQL_FUNCTION, SQL_ON_NOTHING, NAME_SECOND},
};

struct witness {
    struct arena *a;
    VEC(struct sql_operation) list;
};

bool sql_verb_writes(enum sql_verb v)
{
    return v != SQL_READ && v != SQL_SELECT && v != SQL_FUNCTION;
}

static bool is_schema_table(str name)
{
    static const char *const names[] = {"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"};
    return str_is_any(name, names, ARRAY_LEN(names));
}

static bool is_same(const struct sql_operation *x, const struct sql_operation *y)
{
    return x->verb == y->verb && x->target == y->target && str_eq(x->schema, y->schema) && str_eq(x->table, y->table) &&
           str_eq(x->name, y->name) && (x->source.p != NULL) == (y->source.p != NULL) && str_eq(x->source, y->source);
}

static void record(struct witness *w, struct sql_operation o)
{
    for (size_t i = 0; i < w->list.count; i++)
        if (is_same(&w->list.items[i], &o))
            return;
    o.schema = arena_str(w->a, o.schema);
    o.table = arena_str(w->a, o.table);
    o.name = arena_str(w->a, o.name);
    if (o.source.p)
        o.source = arena_str(w->a, o.source);
    VEC_PUSH(w->a, &w->list, o);
}

static str or_empty(const char *s)
{
    return s ? str_of(s) : (str){0};
}

static int on_action(void *arg, int action, const char *a, const char *b, const char *schema, const char *source)
{
    struct witness *w = arg;
    size_t i = 0;
    if (action == SQLITE_RECURSIVE)
        return SQLITE_OK;
    while (i < ARRAY_LEN(actions) && actions[i].action != action)
        i++;
    if (i == ARRAY_LEN(actions)) {
        record(w, (struct sql_operation){.verb = SQL_UNKNOWN, .schema = or_empty(schema), .source = or_empty(source)});
        return SQLITE_OK;
    }
    struct sql_operation o = {.verb = actions[i].verb,
                              .target = actions[i].target,
                              .schema = or_empty(schema),
                              .table = or_empty(a),
                              .name = or_empty(a),
                              .source = or_empty(source)};
    if (actions[i].naming == NAME_OF_TABLE || actions[i].naming == NAME_SECOND)
        o.table = or_empty(b);
    if (actions[i].naming == NAME_SECOND)
        o.name = or_empty(b);
    if (actions[i].naming == NAME_ALTER) {
        o.schema = or_empty(a);
        o.table = o.name = or_empty(b);
    }
    if (o.verb <= SQL_DELETE && is_schema_table(o.table))
        o.target = SQL_ON_SCHEMA;
    record(w, o);
    return SQLITE_OK;
}

/* ---- judging ---- */

static bool changes_schema(const struct sql_operation *o)
{
    return (o->verb == SQL_CREATE || o->verb == SQL_ALTER || o->verb == SQL_DROP) && o->target != SQL_ON_NOTHING &&
           o->target != SQL_ON_SCHEMA;
}

static bool deletes_what_is_dropped(const struct witness *w, const struct sql_operation *o)
{
    if (o->verb != SQL_DELETE || o->target != SQL_ON_TABLE)
        return false;
    for (size_t i = 0; i < w->list.count; i++) {
        const struct sql_operation *d = &w->list.items[i];
        if (d->verb == SQL_DROP && (d->target == SQL_ON_TABLE || d->target == SQL_ON_VIEW) &&
            str_eq(d->schema, o->schema) && str_eq(d->table, o->table))
            return true;
    }
    return false;
}

static bool is_own_function(str name)
{
    static const char *const names[] = {"length",
                                        "like",
                                        "printf",
                                        "sqlite_drop_column",
                                        "sqlite_rename_column",
                                        "sqlite_rename_quotefix",
                                        "sqlite_rename_table",
                                        "sqlite_rename_test",
                                        "substr"};
    return str_is_any(name, names, ARRAY_LEN(names));
}

static void mark_internal(struct witness *w)
{
    bool schema = false, rows = false;
    for (size_t i = 0; i < w->list.count; i++) {
        const struct sql_operation *o = &w->list.items[i];
        schema = schema || changes_schema(o);
        rows = rows || (o->verb <= SQL_DELETE && o->target == SQL_ON_TABLE && !deletes_what_is_dropped(w, o));
    }
    for (size_t i = 0; i < w->list.count; i++) {
        struct sql_operation *o = &w->list.items[i];
        o->internal = deletes_what_is_dropped(w, o) ||
                      (schema && (o->target == SQL_ON_SCHEMA || o->verb == SQL_REINDEX ||
                                  (!rows && o->verb == SQL_FUNCTION && is_own_function(o->name))));
    }
}

/* ---- door ---- */

static void find_vacuum(struct witness *w, sqlite3_stmt *s)
{
    bool vacuum = false;
    while (sqlite3_step(s) == SQLITE_ROW)
        vacuum = vacuum || sqlite3_stricmp((const char *)sqlite3_column_text(s, 1), "Vacuum") == 0;
    record(w, (struct sql_operation){.verb = vacuum ? SQL_VACUUM : SQL_UNKNOWN, .schema = STR("main")});
}

enum status sql_analyze(struct conn *c, struct arena *a, str sql, struct sql_analysis *ret, struct err *err)
{
    struct witness w = {.a = a};
    sqlite3_stmt *s = NULL;
    str text = ARENA_CAT(a, STR("EXPLAIN "), sql);
    sqlite3_set_authorizer(c->sqlite, on_action, &w);
    enum status st = stmt_compile(c, text, &s, err);
    sqlite3_set_authorizer(c->sqlite, NULL, NULL);
    for (int i = 1; st == STATUS_OK && i <= sqlite3_bind_parameter_count(s); i++) {
        const char *name = sqlite3_bind_parameter_name(s, i);
        if (!name || name[0] == '?')
            st = err_set(err, STATUS_INVALID, "Use named parameters such as :name, not ?");
    }
    if (st == STATUS_OK && !w.list.count)
        find_vacuum(&w, s); /* EXPLAIN lists the program, it does not run it */
    sqlite3_finalize(s);
    authorizer_install(c);
    if (st != STATUS_OK)
        return st;
    mark_internal(&w);
    *ret = (struct sql_analysis){w.list.items, w.list.count};
    return STATUS_OK;
}
