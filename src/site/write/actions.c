/* SPDX-License-Identifier: Apache-2.0 */
#include "site/write/actions.h"

#include "codec/url.h"
#include "db/history.h"
#include "db/schema.h"
#include "site/history.h"
#include "site/links.h"
#include "site/queries.h"
#include "site/tokens.h"
#include "site/upload/store.h"
#include "site/write/new_database.h"

static void push(struct request *rq, struct value list, str base, const char *path, const char *label,
                 const char *description)
{
    struct value d = value_dict(rq->arena);
    VALUE_SET(d, "href", value_str(ARENA_CAT(rq->arena, base, str_of(path))));
    VALUE_SET(d, "label", value_cstr(label));
    VALUE_SET(d, "description", value_cstr(description));
    value_push(list, d);
}

static str upload_link(struct request *rq, str db, str table)
{
    struct url_pair pairs[] = {{STR("database"), db}, {STR("table"), table}};
    size_t n = table.p ? 2 : db.p ? 1 : 0;
    str path = link_path(rq, STR("/-/upload"));
    return n ? url_with_added(rq->arena, path, (str){0}, pairs, n) : path;
}

static void push_upload(struct request *rq, struct value list, str db, str table)
{
    push(rq, list, upload_link(rq, db, table), "", "Import a file",
         "CSV, JSON, Excel and more, packed or not; or cells pasted from a spreadsheet.");
}

static bool may(struct request *rq, enum action a, str child)
{
    return request_allowed(rq, a, rq->db->name, child);
}

struct value actions_of_database(struct request *rq)
{
    struct value list = value_list(rq->arena);
    if (!rq->db || !rq->db->writer)
        return list;
    str base = link_database(rq, rq->db->name);
    if (may(rq, ACTION_CREATE_TABLE, (str){0}) || may(rq, ACTION_INSERT_ROW, (str){0}))
        push_upload(rq, list, rq->db->name, (str){0});
    if (may(rq, ACTION_CREATE_TABLE, (str){0}))
        push(rq, list, base, "/-/create-table", "Create table", "Make a table with columns of your own.");
    if (may(rq, ACTION_EXECUTE_WRITE_SQL, (str){0}))
        push(rq, list, base, "/-/execute-write", "Execute write SQL",
             "Run SQL that changes data; each table asks for its permissions.");
    return list;
}

struct value actions_of_home(struct request *rq)
{
    struct value list = value_list(rq->arena);
    if (upload_may(rq))
        push_upload(rq, list, (str){0}, (str){0});
    if (new_database_may(rq, (str){0}))
        push(rq, list, link_path(rq, STR("/-/create-database")), "", "New database",
             "Make an empty database beside the others.");
    return list;
}

static const struct schema_table *table_of(struct request *rq)
{
    const struct schema_table *t =
        rq->db && rq->db->writer && rq->schema && rq->param_count > 1 ? schema_table(rq->schema, rq->params[1]) : NULL;
    return t && t->kind == SCHEMA_TABLE && !history_is_own_table(t->name) ? t : NULL;
}

/* Also for views and for files that nobody writes: a token may be for reading. */
static void push_tokens(struct request *rq, struct value list)
{
    if (!rq->db || rq->param_count < 2 || tokens_check_maker(rq, NULL) != STATUS_OK)
        return;
    const struct url_pair pairs[] = {{STR("database"), rq->db->name}, {STR("table"), rq->params[1]}};
    push(rq, list, url_with_added(rq->arena, link_path(rq, STR("/-/tokens")), (str){0}, pairs, ARRAY_LEN(pairs)), "",
         "API token for this table", "Let a program read it, or change its rows.");
}

struct value actions_of_table(struct request *rq)
{
    struct value list = value_list(rq->arena);
    const struct schema_table *t = table_of(rq);
    if (!t) {
        push_tokens(rq, list);
        return list;
    }
    str base = link_table(rq, rq->db->name, t->name);
    if (may(rq, ACTION_INSERT_ROW, t->name))
        push(rq, list, base, "/-/insert-row", "Insert row", "Add one row with a form.");
    if (may(rq, ACTION_INSERT_ROW, t->name))
        push_upload(rq, list, rq->db->name, t->name);
    if (may(rq, ACTION_ALTER_TABLE, t->name) && !t->module.n)
        push(rq, list, base, "/-/alter-table", "Alter table", "Add, rename, retype or drop columns; keys; its name.");
    if (may(rq, ACTION_DROP_TABLE, t->name))
        push(rq, list, base, "/-/drop-table", "Drop table", "Delete the table and all of its rows.");
    if (history_of(rq, t) || may(rq, ACTION_ALTER_TABLE, t->name))
        push(rq, list, base, "/-/history", "History", "Who changed which row, when, and from what to what.");
    push_tokens(rq, list);
    return list;
}

struct value actions_of_row(struct request *rq)
{
    struct value list = value_list(rq->arena);
    const struct schema_table *t = table_of(rq);
    if (!t || rq->param_count < 3)
        return list;
    str base = link_row(rq, rq->db->name, t->name, rq->params[2]);
    if (may(rq, ACTION_UPDATE_ROW, t->name))
        push(rq, list, base, "/-/edit-row", "Edit row", "Change the values of this row.");
    if (may(rq, ACTION_DELETE_ROW, t->name))
        push(rq, list, base, "/-/delete-row", "Delete row", "Remove this row.");
    return list;
}

struct value actions_of_query(struct request *rq)
{
    struct value list = value_list(rq->arena);
    bool stored = rq->db && rq->param_count > 1 && queries_exists(rq, rq->db->name, rq->params[1]);
    struct value q = stored ? queries_get(rq, rq->db->name, rq->params[1]) : VALUE_UNDEF;
    if (!stored || str_is(VALUE_GET(q, "source").s, "config"))
        return list;
    str base = link_table(rq, rq->db->name, rq->params[1]);
    if (may(rq, ACTION_UPDATE_QUERY, rq->params[1]))
        push(rq, list, base, "/-/edit", "Edit query", "Change its SQL, title or who may see it.");
    if (may(rq, ACTION_DELETE_QUERY, rq->params[1]))
        push(rq, list, base, "/-/delete", "Delete query", "Remove it for everybody.");
    return list;
}

/* Visitors who are not signed in are asked about on pages of a database and on the home page: elsewhere it would be a
 * look at every database for each page. */
str upload_link_of_page(struct request *rq)
{
    bool home = str_is(rq->path, "/") || str_is(rq->path, "/-/");
    if (str_starts(rq->path, STR("/-/upload")) || str_starts(rq->path, STR("/-/import/")))
        return (str){0};
    if (!rq->db)
        return (home || !value_is_null(rq->actor)) && upload_may(rq) ? upload_link(rq, (str){0}, (str){0}) : (str){0};
    if (!rq->db->writer)
        return (str){0};
    const struct schema_table *t = table_of(rq);
    if (t && may(rq, ACTION_INSERT_ROW, t->name))
        return upload_link(rq, rq->db->name, t->name);
    return may(rq, ACTION_CREATE_TABLE, (str){0}) ? upload_link(rq, rq->db->name, (str){0}) : (str){0};
}
