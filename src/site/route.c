/* SPDX-License-Identifier: Apache-2.0 */
#include "site/route.h"

#include "codec/url.h"
#include "site/view/view.h"

const struct route routes[] = {
    {"/[.json]", ROUTE_GET, view_index, "Home page: all databases"},
    {"/-/[.json]", ROUTE_GET, view_index, "Home page with the built-in template"},
    {"/-", ROUTE_GET, view_redirect_internals, "Redirects to /-/"},
    {"/favicon.ico", ROUTE_GET, view_favicon, "Icon"},
    {"/robots.txt", ROUTE_GET, view_robots, "Rules for crawlers"},
    {"/-/versions[.json]", ROUTE_GET, view_versions, "Versions of Vitrine, SQLite and OpenSSL"},
    {"/-/plugins[.json]", ROUTE_GET, view_plugins, "Installed plugins"},
    {"/-/settings[.json]", ROUTE_GET, view_settings, "Settings in force"},
    {"/-/config[.json]", ROUTE_GET, view_config, "Configuration with secrets hidden"},
    {"/-/metadata[.json]", ROUTE_GET, view_metadata, "Titles, descriptions, licences and sources"},
    {"/-/databases[.json]", ROUTE_GET, view_databases, "Databases and their files"},
    {"/-/actor[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_actor, "Who you are signed in as"},
    {"/-/actions[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_actions, "Actions that permissions know"},
    {"/-/threads[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_threads, "Threads and their state"},
    {"/-/health[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_health, "Answers ok while the process lives"},
    {"/-/ready[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_ready, "Answers 503 while requests should go elsewhere"},
    {"/-/metrics", ROUTE_GET | ROUTE_NO_CACHE | ROUTE_STATS, view_metrics, "Metrics for Prometheus (private)"},
    {"/-/jump[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_jump, "Search for databases, tables and views by name"},
    {"/-/search[.json]", ROUTE_GET | ROUTE_NO_CACHE | ROUTE_SLOW, view_search, "Search in all tables"},
    {"/-/schema[.*]", ROUTE_GET, view_instance_schema, "SQL schema of all databases"},
    {"/-/auth-token", ROUTE_GET | ROUTE_NO_CACHE, view_auth_token, "Signs in as root with a one-time token"},
    {"/-/login", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE | ROUTE_HASHES, view_login, "Signs in with a password"},
    {"/-/password-tool", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE | ROUTE_HASHES, view_password_tool,
     "Makes the hash of a password for the configuration"},
    {"/-/logout", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE, view_logout, "Signs out"},
    {"/-/allow-debug", ROUTE_GET | ROUTE_NO_CACHE, view_allow_debug, "Tries an actor against an allow block"},
    {"/-/check[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_check, "Explains one permission verdict"},
    {"/-/allowed[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_allowed, "Resources an action is allowed on"},
    {"/-/rules[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_rules, "Permission rules of an action"},
    {"/-/permissions", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE, view_permissions, "Permission playground"},
    {"/-/messages", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE, view_messages, "Tries flash messages"},
    {"/-/create-token", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE, view_create_token, "Makes an API token"},
    {"/-/queries[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_instance_queries, "Stored queries of all databases"},
    {"/-/patterns", ROUTE_GET, view_patterns, "Style guide"},
    {"/-/api", ROUTE_GET, view_api, "API explorer"},
    {"/-/debug/autocomplete", ROUTE_GET, view_debug_autocomplete, "Tries the row autocomplete"},
    {"/:db.db", ROUTE_GET | ROUTE_NO_CACHE, view_download, "The SQLite file of an immutable database"},
    {"/:db[.*]", ROUTE_GET | ROUTE_POST | ROUTE_POST_SLOW, view_database,
     "Database page: tables, views, queries; POST {\"sql\": ...} to .json runs a query"},
    {"/:db/-/query/parameters", ROUTE_GET, view_query_parameters, "Named parameters of a statement"},
    {"/:db/-/query[.*]", ROUTE_GET | ROUTE_SLOW, view_query, "Custom SQL"},
    {"/:db/-/queries[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_database_queries, "Stored queries of a database"},
    {"/:db/-/foreign-key-targets", ROUTE_GET | ROUTE_NO_CACHE, view_foreign_key_targets,
     "Columns a foreign key may point at"},
    {"/:db/-/schema[.*]", ROUTE_GET, view_database_schema, "SQL schema of a database"},
    {"/:db/-/queries/analyze", ROUTE_GET | ROUTE_NO_CACHE, view_query_analyze, "What a query to be stored would do"},
    {"/:db/-/queries/store", ROUTE_GET | ROUTE_WRITE, view_query_store, "Stores a query"},
    {"/:db/-/execute-write/analyze", ROUTE_GET | ROUTE_NO_CACHE, view_execute_write_analyze,
     "What SQL that writes would do"},
    {"/:db/-/execute-write", ROUTE_GET | ROUTE_WRITE, view_execute_write, "Runs SQL that writes"},
    {"/:db/:query/-/update", ROUTE_WRITE, view_query_update, "Changes a stored query"},
    {"/:db/:query/-/edit", ROUTE_GET | ROUTE_WRITE, view_query_edit, "Form to change a stored query"},
    {"/:db/:query/-/delete", ROUTE_GET | ROUTE_WRITE, view_query_delete, "Deletes a stored query"},
    {"/:db/:table/-/foreign-key-suggestions", ROUTE_GET | ROUTE_NO_CACHE, view_foreign_key_suggestions,
     "Tables that columns may point at"},
    {"/:db/-/create-table", ROUTE_GET | ROUTE_WRITE, view_create_table, "Form to make a table"},
    {"/:db/:table/-/insert-row", ROUTE_GET | ROUTE_WRITE, view_insert_row, "Form to add a row"},
    {"/:db/:table/:pks*/-/edit-row", ROUTE_GET | ROUTE_WRITE, view_edit_row, "Form to change a row"},
    {"/:db/:table/:pks*/-/delete-row", ROUTE_GET | ROUTE_WRITE, view_delete_row, "Form to delete a row"},
    {"/:db/-/create", ROUTE_WRITE, view_create, "Makes a table"},
    {"/:db/:table/-/insert", ROUTE_WRITE, view_insert, "Adds rows"},
    {"/:db/:table/-/import", ROUTE_WRITE | ROUTE_SPOOL, view_import, "Adds or changes rows, record by record"},
    {"/:db/:table/-/upsert", ROUTE_WRITE, view_upsert, "Adds or changes rows by their primary key"},
    {"/:db/:table/-/alter", ROUTE_WRITE, view_alter, "Changes the columns, keys or name of a table"},
    {"/:db/:table/-/drop", ROUTE_WRITE, view_drop, "Drops a table"},
    {"/:db/:table/-/set-column-type", ROUTE_WRITE, view_set_column_type, "Says what a column holds"},
    {"/:db/:table/:pks*/-/update", ROUTE_WRITE, view_row_update, "Changes one row"},
    {"/:db/:table/:pks*/-/delete", ROUTE_WRITE, view_row_delete, "Deletes one row"},
    {"/:db/:table/-/schema[.*]", ROUTE_GET, view_table_schema, "SQL schema of a table or view"},
    {"/:db/:table/-/autocomplete[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_autocomplete,
     "Rows whose key or label match"},
    {"/:db/:table/-/fragment", ROUTE_GET, view_fragment, "The bare HTML table of a table page"},
    {"/:db/:query/-/definition[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_query_definition, "A stored query as JSON"},
    {"/:db/:table[.*]", ROUTE_GET | ROUTE_POST | ROUTE_ANY_METHOD, view_table, "Table, view or stored query"},
    {"/:db/:table/:pks*[.*]", ROUTE_GET, view_row, "One row"},
};
const size_t route_count = ARRAY_LEN(routes);

static bool is_word(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'))
            return false;
    }
    return s.n > 0;
}

/* Takes "[.json]" or "[.*]" off the pattern and the extension off the path; false when the path's extension does not
 * fit. */
static bool take_format(str *pattern, str *path, str *ret_format)
{
    if (!str_ends(*pattern, STR("]"))) {
        *ret_format = (str){0};
        return true;
    }
    size_t open = str_rfind_char(*pattern, '[');
    str allowed = str_sub(*pattern, open + 2, pattern->n - 1); /* past "[." */
    *pattern = str_sub(*pattern, 0, open);
    *ret_format = (str){0};
    size_t dot = str_rfind_char(*path, '.');
    size_t slash = str_rfind_char(*path, '/');
    if (dot == STR_NPOS || dot < slash)
        return true;
    str ext = str_from(*path, dot + 1);
    if (!is_word(ext) || !(str_is(allowed, "*") || str_eq(allowed, ext)))
        return false;
    *ret_format = ext;
    *path = str_sub(*path, 0, dot);
    return true;
}

static bool match(const struct route *r, str path, struct arena *a, struct route_match *m)
{
    str pattern = str_of(r->pattern);
    m->param_count = 0;
    if (!take_format(&pattern, &path, &m->format))
        return false;
    while (pattern.n) {
        str want, have, want_rest, have_rest;
        if (pattern.p[0] != '/' || !path.n || path.p[0] != '/')
            return false;
        bool more_want = str_cut(str_from(pattern, 1), '/', &want, &want_rest);
        bool more_have = str_cut(str_from(path, 1), '/', &have, &have_rest);
        if (str_is(want, "*"))
            return true;
        if (want.n && want.p[0] == ':') {
            bool raw = str_ends(want, STR("*"));
            if (str_ends(want, STR(".db"))) {
                if (!str_ends(have, STR(".db")))
                    return false;
                have.n -= 3;
            }
            if (!have.n || (!raw && str_find_char(have, '.') != STR_NPOS))
                return false;
            m->params[m->param_count++] = raw ? have : tilde_decode(a, have);
        } else if (!str_eq(want, have)) {
            return false;
        }
        if (more_want != more_have)
            return false;
        if (!more_want)
            return true;
        pattern = str_make(want_rest.p - 1, want_rest.n + 1);
        path = str_make(have_rest.p - 1, have_rest.n + 1);
    }
    return !path.n;
}

struct route_match route_find(str path, struct arena *a)
{
    struct route_match m = {0};
    for (size_t i = 0; i < route_count; i++) {
        if (match(&routes[i], path, a, &m)) {
            m.route = &routes[i];
            return m;
        }
    }
    return (struct route_match){0};
}
