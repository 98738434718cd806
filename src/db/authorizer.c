/* SPDX-License-Identifier: Apache-2.0 */
/* authorizer — the read-only policy, as a table of SQLite's actions.
 *
 * It is one of three fences (mode=ro, query_only): this one is for clear messages, and for what a read-only connection
 * could do all the same: ATTACH another file, change the connection by PRAGMA, read raw pages with deleted rows
 * (sqlite_dbpage), see other visitors' statements (sqlite_stmt).
 *
 * What has to pass although it looks wrong:
 *  - R-Tree and Geopoly compile INSERT and DELETE on their shadow tables (X_node, X_rowid, X_parent) when a table of
 *    theirs is first used, even for reading (rtreeSqlInit). They never run: the connection is read-only, and DEFENSIVE
 *    refuses such statements to visitors at compile time.
 *  - FTS reads its shadow tables with SELECT, and asks PRAGMA page_size (FTS3/4) and PRAGMA data_version (FTS5).
 * Tests: tests/unit/db/test_conn.c */
#include "db/authorizer.h"

#include <sqlite3.h>

#include "db/conn_impl.h"

#include "base/banned.h"

enum rule { ALLOW, DENY, DENY_WRITE, DENY_SHADOW_OK, ASK_READ, ASK_PRAGMA, ASK_FUNCTION };

struct action_row {
    int action;
    enum rule rule;
    const char *verb; /* "... would VERB x" */
};

static const struct action_row action_rows[] = {
    {SQLITE_SELECT, ALLOW, NULL},
    {SQLITE_RECURSIVE, ALLOW, NULL},
    {SQLITE_READ, ASK_READ, NULL},
    {SQLITE_FUNCTION, ASK_FUNCTION, NULL},
    {SQLITE_PRAGMA, ASK_PRAGMA, NULL},
    {SQLITE_INSERT, DENY_SHADOW_OK, "insert into"},
    {SQLITE_DELETE, DENY_SHADOW_OK, "delete from"},
    {SQLITE_UPDATE, DENY_SHADOW_OK, "update"},
    {SQLITE_ATTACH, DENY, "ATTACH is not allowed"},
    {SQLITE_DETACH, DENY, "DETACH is not allowed"},
    {SQLITE_TRANSACTION, DENY, "transactions are not allowed"},
    {SQLITE_SAVEPOINT, DENY, "savepoints are not allowed"},
    {SQLITE_ANALYZE, DENY_WRITE, "analyze"},
    {SQLITE_REINDEX, DENY_WRITE, "reindex"},
    {SQLITE_ALTER_TABLE, DENY_WRITE, "alter"},
    {SQLITE_CREATE_INDEX, DENY_WRITE, "create the index"},
    {SQLITE_CREATE_TABLE, DENY_WRITE, "create the table"},
    {SQLITE_CREATE_TEMP_INDEX, DENY_WRITE, "create the index"},
    {SQLITE_CREATE_TEMP_TABLE, DENY_WRITE, "create the table"},
    {SQLITE_CREATE_TEMP_TRIGGER, DENY_WRITE, "create the trigger"},
    {SQLITE_CREATE_TEMP_VIEW, DENY_WRITE, "create the view"},
    {SQLITE_CREATE_TRIGGER, DENY_WRITE, "create the trigger"},
    {SQLITE_CREATE_VIEW, DENY_WRITE, "create the view"},
    {SQLITE_CREATE_VTABLE, DENY_WRITE, "create the virtual table"},
    {SQLITE_DROP_INDEX, DENY_WRITE, "drop the index"},
    {SQLITE_DROP_TABLE, DENY_WRITE, "drop the table"},
    {SQLITE_DROP_TEMP_INDEX, DENY_WRITE, "drop the index"},
    {SQLITE_DROP_TEMP_TABLE, DENY_WRITE, "drop the table"},
    {SQLITE_DROP_TEMP_TRIGGER, DENY_WRITE, "drop the trigger"},
    {SQLITE_DROP_TEMP_VIEW, DENY_WRITE, "drop the view"},
    {SQLITE_DROP_TRIGGER, DENY_WRITE, "drop the trigger"},
    {SQLITE_DROP_VIEW, DENY_WRITE, "drop the view"},
    {SQLITE_DROP_VTABLE, DENY_WRITE, "drop the virtual table"},
};

struct pragma_row {
    const char *name;
    bool takes_argument; /* else an argument would set it */
};

/* Datasette's list, and what virtual tables ask for. */
static const struct pragma_row pragma_rows[] = {
    {"database_list", true}, {"foreign_key_list", true}, {"function_list", true}, {"index_info", true},
    {"index_list", true},    {"index_xinfo", true},      {"page_count", false},   {"max_page_count", false},
    {"page_size", false},    {"schema_version", false},  {"table_info", true},    {"table_xinfo", true},
    {"table_list", true},    {"data_version", false}, /* FTS5 */
};

static const struct pragma_row *pragma_find(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(pragma_rows); i++)
        if (str_eq_nocase(name, str_of(pragma_rows[i].name)))
            return &pragma_rows[i];
    return NULL;
}

static int refuse(struct conn *c, const char *before, const char *name, const char *after)
{
    if (!c->reason[0])
        snprintf(c->reason, sizeof c->reason, "%s%s%s", before, name ? name : "", after);
    return SQLITE_DENY;
}

static bool is_rtree_shadow(const char *table)
{
    str name = str_of(table);
    return str_ends(name, STR("_node")) || str_ends(name, STR("_rowid")) || str_ends(name, STR("_parent"));
}

static int ask_read(struct conn *c, const char *table)
{
    static const char *const closed[] = {"sqlite_dbpage", "sqlite_stmt"};
    for (size_t i = 0; i < ARRAY_LEN(closed); i++)
        if (table && sqlite3_stricmp(table, closed[i]) == 0)
            return refuse(c, "the table ", table, " may not be read");
    return SQLITE_OK;
}

static int ask_pragma(struct conn *c, const char *name, const char *argument)
{
    const struct pragma_row *row = pragma_find(str_of(name));
    if (!row)
        return refuse(c, "PRAGMA ", name, " is not allowed");
    if (argument && !row->takes_argument)
        return refuse(c, "PRAGMA ", name, " may not be set");
    return SQLITE_OK;
}

/* SQL of others on a connection that may write: it runs inside a transaction that it shares (writer.c), and on a
 * connection that others use after it. */
static int ask_write(struct conn *c, int action, const char *a, const char *b)
{
    switch (action) {
    case SQLITE_TRANSACTION:
        return refuse(c, "transactions are not allowed: each write has its own", NULL, "");
    case SQLITE_SAVEPOINT:
        return refuse(c, "savepoints are not allowed", NULL, "");
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return refuse(c, "ATTACH and DETACH are not allowed", NULL, "");
    case SQLITE_PRAGMA:
        if (sqlite3_stricmp(a, "user_version") == 0 || sqlite3_stricmp(a, "application_id") == 0)
            return SQLITE_OK;
        return ask_pragma(c, a, b);
    default:
        return SQLITE_OK;
    }
}

/* Code from files; addresses of functions in memory (SQLite itself gives none, unless it is told to). Nobody needs
 * them, so they are closed to us too. */
static bool is_closed_function(const char *name)
{
    static const char *const closed[] = {"load_extension", "fts3_tokenizer"};
    for (size_t i = 0; i < ARRAY_LEN(closed); i++)
        if (sqlite3_stricmp(name, closed[i]) == 0)
            return true;
    return false;
}

static int on_action(void *arg, int action, const char *a, const char *b, const char *schema, const char *inner)
{
    struct conn *c = arg;
    (void)schema;
    (void)inner;
    if (action == SQLITE_FUNCTION && b && is_closed_function(b))
        return refuse(c, "the function ", b, "() is not allowed");
    if (c->trusted)
        return SQLITE_OK;
    if (c->mode == CONN_WRITE)
        return ask_write(c, action, a, b);
    const struct action_row *row = NULL;
    for (size_t i = 0; i < ARRAY_LEN(action_rows) && !row; i++)
        if (action_rows[i].action == action)
            row = &action_rows[i];
    if (!row)
        return refuse(c, "this kind of statement is not allowed", NULL, "");
    char before[96];
    switch (row->rule) {
    case ALLOW:
    case ASK_FUNCTION:
        return SQLITE_OK;
    case ASK_READ:
        return ask_read(c, a);
    case ASK_PRAGMA:
        return ask_pragma(c, a, b);
    case DENY:
        return refuse(c, row->verb, NULL, "");
    case DENY_SHADOW_OK:
        if (is_rtree_shadow(a))
            return SQLITE_OK;
        __attribute__((fallthrough));
    case DENY_WRITE:
        snprintf(before, sizeof before, "the database is read-only here, and the statement would %s ", row->verb);
        return refuse(c, before, a, "");
    }
    return SQLITE_DENY;
}

void authorizer_install(struct conn *c)
{
    sqlite3_set_authorizer(c->sqlite, on_action, c);
}
