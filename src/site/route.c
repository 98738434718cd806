/* SPDX-License-Identifier: Apache-2.0 */
#include "site/route.h"

#include <pthread.h>

#include "codec/url.h"
#include "site/view/view.h"

const struct route routes[] = {
    {"/[.json]", ROUTE_GET, view_index, "Home page: all databases"},
    {"/-/[.json]", ROUTE_GET, view_index, "Home page with the built-in template"},
    {"/-", ROUTE_GET, view_redirect_internals, "Redirects to /-/"},
    {"/favicon.ico", ROUTE_GET | ROUTE_OPEN, view_favicon, "Icon"},
    {"/robots.txt", ROUTE_GET, view_robots, "Rules for crawlers"},
    {"/sitemap.xml", ROUTE_GET, view_sitemap, "Addresses for crawlers, from a query of the configuration"},
    {"/-/versions[.json]", ROUTE_GET, view_versions, "Versions of Vitrine, SQLite and OpenSSL"},
    {"/-/plugins[.json]", ROUTE_GET, view_plugins, "Installed plugins"},
    {"/-/settings[.json]", ROUTE_GET, view_settings, "Settings in force"},
    {"/-/config[.json]", ROUTE_GET, view_config, "Configuration with secrets hidden"},
    {"/-/metadata[.json]", ROUTE_GET, view_metadata,
     "Titles, descriptions, licences and sources, for clients of Datasette 0.65"},
    {"/-/databases[.json]", ROUTE_GET, view_databases, "Databases and their files"},
    {"/-/create-database", ROUTE_GET | ROUTE_WRITE | ROUTE_NO_CACHE, view_create_database, "Form to make a database"},
    {"/-/upload", ROUTE_GET | ROUTE_WRITE | ROUTE_ANY_METHOD | ROUTE_SPOOL, view_upload,
     "Form to upload a file; tus 1.0 uploads begin here"},
    {"/-/import/:id[.json]", ROUTE_GET | ROUTE_WRITE, view_import_file,
     "An uploaded file: preview, import with progress, what came of it"},
    {"/-/import/:id/events", ROUTE_GET | ROUTE_NO_CACHE, view_import_events,
     "How far an import is, as server-sent events"},
    {"/-/upload/:id", ROUTE_GET | ROUTE_NO_CACHE | ROUTE_ANY_METHOD | ROUTE_SPOOL | ROUTE_FILLS, view_upload_one,
     "One upload, as tus 1.0 has it: HEAD, PATCH, DELETE"},
    {"/-/actor[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_actor, "Who you are signed in as"},
    {"/-/actions[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_actions, "Actions that permissions know"},
    {"/-/threads[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_threads, "Threads and their state"},
    {"/-/health[.json]", ROUTE_GET | ROUTE_NO_CACHE | ROUTE_OPEN, view_health, "Answers ok while the process lives"},
    {"/-/ready[.json]", ROUTE_GET | ROUTE_NO_CACHE | ROUTE_OPEN, view_ready,
     "Answers 503 while requests should go elsewhere"},
    {"/-/imports[.json]", ROUTE_GET | ROUTE_CHANGE, view_imports, "Imports on a schedule (private)"},
    {"/-/api-log[.*]", ROUTE_GET | ROUTE_NO_CACHE, view_api_log, "Requests that were recorded (private)"},
    {"/-/metrics", ROUTE_GET | ROUTE_NO_CACHE | ROUTE_STATS, view_metrics, "Metrics for Prometheus (private)"},
    {"/-/jump[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_jump, "Search for databases, tables and views by name"},
    {"/-/search[.json]", ROUTE_GET | ROUTE_NO_CACHE | ROUTE_SLOW, view_search, "Search in all tables"},
    {"/-/schema[.*]", ROUTE_GET, view_instance_schema, "SQL schema of all databases"},
    {"/-/auth-token", ROUTE_GET | ROUTE_NO_CACHE, view_auth_token, "Signs in as root with a one-time token"},
    {"/-/login", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE | ROUTE_HASHES, view_login, "Signs in with a password"},
    {"/-/password-tool", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE | ROUTE_HASHES, view_password_tool,
     "Makes the hash of a password for the configuration"},
    {"/-/logout", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE | ROUTE_OPEN, view_logout, "Signs out"},
    {"/-/sign-on", ROUTE_GET | ROUTE_NO_CACHE | ROUTE_OPEN, view_sign_on, "Signs in with the hub (spaces)"},
    {"/-/allow-debug", ROUTE_GET | ROUTE_NO_CACHE, view_allow_debug, "Tries an actor against an allow block"},
    {"/-/check[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_check, "Explains one permission verdict"},
    {"/-/allowed[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_allowed, "Resources an action is allowed on"},
    {"/-/rules[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_rules, "Permission rules of an action"},
    {"/-/permissions", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE, view_permissions, "Permission playground"},
    {"/-/messages", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE, view_messages, "Tries flash messages"},
    {"/-/create-token", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE, view_create_token, "Makes an API token"},
    {"/-/tokens[.json]", ROUTE_GET | ROUTE_POST | ROUTE_NO_CACHE, view_tokens,
     "API tokens: made in two clicks, listed, revoked"},
    {"/-/queries[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_instance_queries, "Stored queries of all databases"},
    {"/-/share[.json]", ROUTE_GET | ROUTE_CHANGE | ROUTE_HASHES, view_share, "Who has access to something; sharing it"},
    {"/-/share/preview", ROUTE_GET | ROUTE_NO_CACHE, view_share_preview, "A page as others see it"},
    {"/-/shares[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_shares, "Everything that is shared"},
    {"/-/shares/:id[.json]", ROUTE_GET | ROUTE_CHANGE | ROUTE_HASHES, view_share_one,
     "One share: change it, withdraw it"},
    {"/-/s/:token[.*]", ROUTE_GET | ROUTE_CHANGE | ROUTE_HASHES, view_share_link, "What a shared link leads to"},
    {"/-/patterns", ROUTE_GET, view_patterns, "Style guide"},
    {"/-/api", ROUTE_GET, view_api, "API explorer"},
    {"/-/debug/autocomplete", ROUTE_GET, view_debug_autocomplete, "Tries the row autocomplete"},
    {"/:db.db", ROUTE_GET | ROUTE_NO_CACHE, view_download, "The SQLite file of an immutable database"},
    {"/:db[.*]", ROUTE_GET | ROUTE_POST_JSON | ROUTE_POST_SLOW, view_database,
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
    {"/:db/:query/-/delete", ROUTE_GET | ROUTE_CHANGE, view_query_delete, "Deletes a stored query"},
    {"/:db/:table/-/foreign-key-suggestions", ROUTE_GET | ROUTE_NO_CACHE, view_foreign_key_suggestions,
     "Tables that columns may point at"},
    {"/:db/-/create-table", ROUTE_GET | ROUTE_WRITE, view_create_table, "Form to make a table"},
    {"/:db/:table/-/insert-row", ROUTE_GET | ROUTE_WRITE, view_insert_row, "Form to add a row"},
    {"/:db/:table/:pks*/-/edit-row", ROUTE_GET | ROUTE_WRITE, view_edit_row, "Form to change a row"},
    {"/:db/:table/:pks*/-/delete-row", ROUTE_GET | ROUTE_CHANGE, view_delete_row, "Form to delete a row"},
    {"/:db/:table/-/alter-table", ROUTE_GET | ROUTE_WRITE, view_alter_table, "Form to change a table"},
    {"/:db/:table/-/drop-table", ROUTE_GET | ROUTE_CHANGE, view_drop_table, "Form to drop a table"},
    {"/:db/-/create", ROUTE_WRITE, view_create, "Makes a table"},
    {"/:db/:table/-/insert", ROUTE_WRITE, view_insert, "Adds rows"},
    {"/:db/:table/-/import", ROUTE_WRITE | ROUTE_SPOOL | ROUTE_POST_SLOW, view_import,
     "Adds or changes rows, record by record"},
    {"/:db/:table/-/upsert", ROUTE_WRITE, view_upsert, "Adds or changes rows by their primary key"},
    {"/:db/:table/-/alter", ROUTE_WRITE, view_alter, "Changes the columns, keys or name of a table"},
    {"/:db/:table/-/drop", ROUTE_CHANGE, view_drop, "Drops a table"},
    {"/:db/:table/-/set-column-type", ROUTE_WRITE, view_set_column_type, "Says what a column holds"},
    {"/:db/:table/:pks*/-/update", ROUTE_WRITE, view_row_update, "Changes one row"},
    {"/:db/:table/:pks*/-/delete", ROUTE_CHANGE, view_row_delete, "Deletes one row"},
    {"/:db/:table/-/history[.*]", ROUTE_GET | ROUTE_POST, view_history,
     "Changes of a table; POST {\"enabled\": true} begins to keep them"},
    {"/:db/:table/:pks*/-/history[.json]", ROUTE_GET, view_row_history, "Changes of one row, also of a deleted one"},
    {"/:db/:table/:pks*/-/revert", ROUTE_WRITE, view_row_revert, "Makes a row what it was before a change"},
    {"/:db/:table/-/schema[.*]", ROUTE_GET, view_table_schema, "SQL schema of a table or view"},
    {"/:db/:table/-/autocomplete[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_autocomplete,
     "Rows whose key or label match"},
    {"/:db/:table/-/fragment", ROUTE_GET, view_fragment, "The bare HTML table of a table page"},
    {"/:db/:query/-/definition[.json]", ROUTE_GET | ROUTE_NO_CACHE, view_query_definition, "A stored query as JSON"},
    {"/:db/:table[.*]", ROUTE_GET | ROUTE_POST | ROUTE_ANY_METHOD, view_table, "Table, view or stored query"},
    {"/:db/:table/:pks*[.*]", ROUTE_GET, view_row, "One row"},
};
const size_t route_count = ARRAY_LEN(routes);

/* ---- patterns and paths, cut into segments ---- */

#define SEGMENTS_MAX 5 /* of the longest pattern */

enum segment_kind { SEGMENT_LITERAL, SEGMENT_NAME, SEGMENT_RAW, SEGMENT_FILE };

struct pattern {
    struct {
        enum segment_kind kind;
        str text; /* of a literal */
    } segments[SEGMENTS_MAX];
    size_t count;
    str allowed; /* extension, or "*"; .p NULL = none */
};

struct path {
    str segments[SEGMENTS_MAX];
    size_t count;
    str stem, ext; /* of the last segment: before and after its last '.'; ext .p NULL = it has none */
};

static struct pattern patterns[ARRAY_LEN(routes)];
static pthread_once_t patterns_once = PTHREAD_ONCE_INIT;

/* False: it does not begin with '/', or has more segments than any pattern. */
static bool cut(str path, str segments[SEGMENTS_MAX], size_t *ret_count)
{
    size_t count = 0;
    bool more = path.n && path.p[0] == '/';
    if (!more)
        return false;
    for (str rest = str_from(path, 1); more; count++) {
        if (count == SEGMENTS_MAX)
            return false;
        more = str_cut(rest, '/', &segments[count], &rest);
    }
    *ret_count = count;
    return true;
}

static void pattern_cut(const char *text, struct pattern *ret)
{
    str s = str_of(text), segments[SEGMENTS_MAX];
    if (str_ends(s, STR("]"))) {
        size_t open = str_rfind_char(s, '[');
        ret->allowed = str_sub(s, open + 2, s.n - 1); /* past "[." */
        s = str_sub(s, 0, open);
    }
    bool ok = cut(s, segments, &ret->count);
    ASSERT(ok);
    for (size_t i = 0; i < ret->count; i++) {
        str segment = segments[i];
        ret->segments[i].text = segment;
        ret->segments[i].kind = !str_starts(segment, STR(":"))  ? SEGMENT_LITERAL
                                : str_ends(segment, STR("*"))   ? SEGMENT_RAW
                                : str_ends(segment, STR(".db")) ? SEGMENT_FILE
                                                                : SEGMENT_NAME;
    }
}

static void patterns_cut(void)
{
    for (size_t i = 0; i < route_count; i++)
        pattern_cut(routes[i].pattern, &patterns[i]);
}

/* ---- matching ---- */

static bool is_word(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'))
            return false;
    }
    return s.n > 0;
}

static bool path_cut(str text, struct path *ret)
{
    if (!cut(text, ret->segments, &ret->count))
        return false;
    str last = ret->segments[ret->count - 1];
    size_t dot = str_rfind_char(last, '.');
    ret->stem = dot == STR_NPOS ? last : str_sub(last, 0, dot);
    ret->ext = dot == STR_NPOS ? (str){NULL, 0} : str_from(last, dot + 1);
    return true;
}

static bool allows(const struct pattern *p, str ext)
{
    return is_word(ext) && (str_is(p->allowed, "*") || str_eq(p->allowed, ext));
}

/* A raw key has no extension before it has begun: ".json" is a key. */
static bool has_extension(const struct pattern *p, const struct path *path)
{
    return p->allowed.p && path->ext.p && (path->stem.n || p->segments[path->count - 1].kind != SEGMENT_RAW);
}

static str segment_of(const struct pattern *p, const struct path *path, size_t i)
{
    return has_extension(p, path) && i + 1 == path->count ? path->stem : path->segments[i];
}

static bool is_name(enum segment_kind kind, str s)
{
    if (kind == SEGMENT_FILE) {
        if (!str_ends(s, STR(".db")))
            return false;
        s.n -= 3;
    }
    return s.n && (kind == SEGMENT_RAW || str_find_char(s, '.') == STR_NPOS);
}

static bool matches(const struct pattern *p, const struct path *path)
{
    if (p->count != path->count || (has_extension(p, path) && !allows(p, path->ext)))
        return false;
    for (size_t i = p->count; i-- > 0;) { /* the last segments tell most patterns apart */
        enum segment_kind kind = p->segments[i].kind;
        str s = segment_of(p, path, i);
        if (kind == SEGMENT_LITERAL ? !str_eq(p->segments[i].text, s) : !is_name(kind, s))
            return false;
    }
    return true;
}

static void take_params(const struct pattern *p, const struct path *path, struct arena *a, struct route_match *m)
{
    for (size_t i = 0; i < p->count; i++) {
        enum segment_kind kind = p->segments[i].kind;
        str s = segment_of(p, path, i);
        if (kind == SEGMENT_FILE)
            s.n -= 3;
        if (kind != SEGMENT_LITERAL)
            m->params[m->param_count++] = kind == SEGMENT_RAW ? s : tilde_decode(a, s);
    }
    if (has_extension(p, path))
        m->format = path->ext;
}

struct route_match route_find(str text, struct arena *a)
{
    struct route_match m = {0};
    struct path path;
    pthread_once(&patterns_once, patterns_cut);
    if (!path_cut(text, &path))
        return m;
    for (size_t i = 0; i < route_count && !m.route; i++) {
        if (matches(&patterns[i], &path)) {
            m.route = &routes[i];
            take_params(&patterns[i], &path, a, &m);
        }
    }
    return m;
}
