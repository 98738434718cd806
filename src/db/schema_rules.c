/* SPDX-License-Identifier: Apache-2.0 */
/* schema_rules — what Datasette concludes from a schema: which FTS table searches a table, which tables are hidden,
 * which column labels a row. The conditions follow its SQL (LIKE patterns over sqlite_master.sql), so that the same
 * file gives the same pages. Tests: tests/unit/db/test_schema.c */
#include "db/conn_impl.h"
#include "db/schema_impl.h"
#include "db/stmt.h"

#include "base/banned.h"

size_t find_nocase(str s, str needle, size_t from)
{
    if (needle.n == 0 || s.n < needle.n)
        return STR_NPOS;
    char first = needle.p[0] | 0x20; /* a candidate filter only: letters in either case, others roughly */
    for (size_t i = from; i + needle.n <= s.n; i++)
        if ((s.p[i] | 0x20) == first && str_eq_nocase(str_sub(s, i, i + needle.n), needle))
            return i;
    return STR_NPOS;
}

/* ---- options of CREATE TABLE ---- */

/* Length of the token at p: a string or quoted name, a comment, white space, a word, or one character. */
static size_t token(const char *p, const char *end)
{
    char c = *p, close = c == '[' ? ']' : c;
    const char *q = p + 1;
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
        for (; q < end; q++) {
            if (*q != close)
                continue;
            if (c != '[' && q + 1 < end && q[1] == close)
                q++;
            else
                return (size_t)(q + 1 - p);
        }
        return (size_t)(end - p);
    }
    if (c == '-' && q < end && *q == '-') {
        while (q < end && *q != '\n')
            q++;
        return (size_t)(q - p);
    }
    if (c == '/' && q < end && *q == '*') {
        for (q++; q + 1 < end; q++)
            if (q[0] == '*' && q[1] == '/')
                return (size_t)(q + 2 - p);
        return (size_t)(end - p);
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        while (q < end && ((*q >= 'a' && *q <= 'z') || (*q >= 'A' && *q <= 'Z')))
            q++;
        return (size_t)(q - p);
    }
    return 1;
}

void schema_table_options(str sql, bool *ret_without_rowid, bool *ret_strict)
{
    const char *p = sql.p, *end = sql.p + sql.n;
    int depth = 0;
    bool after = false, without = false;
    *ret_without_rowid = *ret_strict = false;
    while (p < end) {
        size_t n = token(p, end);
        str word = str_make(p, n);
        if (*p == '(')
            depth++;
        else if (*p == ')' && --depth == 0)
            after = true;
        else if (after && depth == 0 && str_eq_nocase(word, STR("STRICT")))
            *ret_strict = true;
        else if (after && depth == 0 && str_eq_nocase(word, STR("WITHOUT")))
            without = true;
        else if (after && depth == 0 && without && str_eq_nocase(word, STR("ROWID")))
            *ret_without_rowid = true;
        p += n;
    }
}

/* ---- full-text search ---- */

static size_t fts_clause(str sql)
{
    size_t at = find_nocase(sql, STR("VIRTUAL TABLE"), 0);
    return at == STR_NPOS ? STR_NPOS : find_nocase(sql, STR("USING FTS"), at);
}

static void set_fts(struct schema_table *t, str fts)
{
    if (t && !t->fts_table.n) /* the first in sqlite_schema wins */
        t->fts_table = fts;
}

static void find_fts(struct schema_snapshot *n)
{
    for (size_t i = 0; i < n->schema.table_count; i++) {
        struct schema_table *t = &n->tables[i];
        size_t at = t->kind == SCHEMA_VIRTUAL ? fts_clause(t->sql) : STR_NPOS;
        if (at == STR_NPOS)
            continue;
        t->is_fts = true;
        set_fts(t, t->name);
        while ((at = find_nocase(t->sql, STR("content="), at)) != STR_NPOS) {
            t->hidden = true;
            at += 8;
            char open = at < t->sql.n ? t->sql.p[at] : '\0';
            if (open != '"' && open != '[' && open != '\'') /* Datasette knows the first two; SQLite takes all three */
                continue;
            str rest = str_from(t->sql, at + 1);
            size_t close = str_find_char(rest, open == '[' ? ']' : open);
            if (close != STR_NPOS)
                set_fts(snapshot_find(n, str_sub(rest, 0, close)), t->name);
        }
    }
}

/* ---- hidden tables ---- */

struct module_row {
    const char *module;
    const char *suffixes[6];
};

static const struct module_row module_rows[] = {
    {"fts5", {"_data", "_idx", "_content", "_docsize", "_config", NULL}},
    {"fts4", {"_content", "_segments", "_segdir", "_docsize", "_stat", NULL}},
    {"fts3", {"_content", "_segments", "_segdir", "_docsize", "_stat", NULL}},
    {"rtree", {"_node", "_rowid", "_parent", NULL}},
    {"rtree_i32", {"_node", "_rowid", "_parent", NULL}},
    {"geopoly", {"_node", "_rowid", "_parent", NULL}},
};

static bool mark_shadows_of(struct schema_snapshot *n, const struct schema_table *t)
{
    for (size_t m = 0; m < ARRAY_LEN(module_rows); m++) {
        if (!str_is(t->module, module_rows[m].module))
            continue;
        for (const char *const *suffix = module_rows[m].suffixes; *suffix; suffix++) {
            struct schema_table *s = snapshot_find(n, ARENA_CAT(n->arena, t->name, str_of(*suffix)));
            if (s && s->kind == SCHEMA_TABLE)
                s->is_shadow = s->hidden = true;
        }
        return true;
    }
    return false;
}

/* Modules of loaded extensions: SQLite knows their shadow tables. */
static enum status ask_shadows(struct conn *c, struct schema_snapshot *n, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(
        c, STR("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"), &s, err);
    if (st != STATUS_OK)
        return st;
    while ((st = stmt_step(s, err)) == STATUS_AGAIN) {
        struct schema_table *t = snapshot_find(n, stmt_column_text(s, 0));
        if (t)
            t->is_shadow = t->hidden = true;
    }
    stmt_done(s);
    return st;
}

static void hide_spatialite(struct schema_snapshot *n)
{
    static const char *const names[] = {
        "ElementaryGeometries",
        "SpatialIndex",
        "geometry_columns",
        "spatial_ref_sys",
        "spatialite_history",
        "sql_statements_log",
        "sqlite_sequence",
        "views_geometry_columns",
        "virts_geometry_columns",
        "data_licenses",
        "KNN",
        "KNN2",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct schema_table *t = snapshot_find(n, str_of(names[i]));
        if (t)
            t->hidden = true;
    }
    for (size_t i = 0; i < n->schema.table_count; i++)
        if (n->tables[i].kind != SCHEMA_VIEW && str_eq_nocase(str_sub(n->tables[i].name, 0, 4), STR("idx_")))
            n->tables[i].hidden = true;
}

static enum status find_hidden(struct conn *c, struct schema_snapshot *n, struct err *err)
{
    bool unknown = false;
    for (size_t i = 0; i < n->schema.table_count; i++) {
        struct schema_table *t = &n->tables[i];
        bool stat =
            str_starts(t->name, STR("sqlite_stat")) && t->name.n == 12 && t->name.p[11] >= '1' && t->name.p[11] <= '4';
        if (stat || (t->name.n && t->name.p[0] == '_'))
            t->hidden = true;
        if (t->kind == SCHEMA_VIRTUAL && !mark_shadows_of(n, t))
            unknown = true;
    }
    n->schema.is_spatialite = snapshot_find(n, STR("geometry_columns")) && snapshot_find(n, STR("spatial_ref_sys"));
    if (n->schema.is_spatialite)
        hide_spatialite(n);
    return unknown && c->db->extension_count ? ask_shadows(c, n, err) : STATUS_OK;
}

/* ---- label column ---- */

/* sqlite-utils' column_affinity(): what counts as text. */
static bool is_text_type(str type)
{
    if (find_nocase(type, STR("INT"), 0) != STR_NPOS)
        return false;
    return find_nocase(type, STR("CHAR"), 0) != STR_NPOS || find_nocase(type, STR("CLOB"), 0) != STR_NPOS ||
           find_nocase(type, STR("TEXT"), 0) != STR_NPOS;
}

static bool is_unique_alone(const struct schema_table *t, str column)
{
    for (size_t i = 0; i < t->index_count; i++)
        if (t->indexes[i].unique && t->indexes[i].column_count == 1 && str_eq(t->indexes[i].columns[0], column))
            return true;
    return false;
}

static str label_of(const struct schema_table *t)
{
    str unique = STR("");
    size_t unique_count = 0;
    for (size_t i = 0; i < t->column_count; i++) {
        const struct schema_column *c = &t->columns[i];
        if (c->hidden == 0 && is_text_type(c->type) && is_unique_alone(t, c->name)) {
            unique = c->name;
            unique_count++;
        }
    }
    if (unique_count == 1)
        return unique;
    for (size_t i = 0; i < t->column_name_count; i++)
        if (str_eq_nocase(t->column_names[i], STR("name")) || str_eq_nocase(t->column_names[i], STR("title")))
            return t->column_names[i];
    if (t->column_name_count == 2) {
        const str *n = t->column_names;
        bool first = str_is(n[0], "id") || str_is(n[0], "pk"), second = str_is(n[1], "id") || str_is(n[1], "pk");
        if (first != second)
            return first ? n[1] : n[0];
    }
    return STR("");
}

enum status schema_rules(struct conn *c, struct schema_snapshot *n, struct err *err)
{
    find_fts(n);
    for (size_t i = 0; i < n->schema.table_count; i++)
        n->tables[i].label_column = label_of(&n->tables[i]);
    return find_hidden(c, n, err);
}
