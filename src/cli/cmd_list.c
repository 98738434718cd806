/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_list — what a database has: `vitrine tables`, `views`, `indexes`, `triggers`, `schema`, `analyze-tables`. */
#include "cli/listing.h"

#include "codec/names.h"
#include "db/stmt.h"

enum { OPT_COUNTS, OPT_COLUMNS, OPT_SCHEMA, OPT_FTS4, OPT_FTS5, OPT_COLUMN, OPT_COMMON };

#define OWN_NAMES "name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_vitrine\\_%' ESCAPE '\\'"

/* ---- tables, views ---- */

static const struct option tables_options[] = {
    {"--counts", 0, OPTION_FLAG, NULL, "How many rows each has", OPT_COUNTS},
    {"--columns", 0, OPTION_FLAG, NULL, "Its columns, as a JSON list", OPT_COLUMNS},
    {"--schema", 0, OPTION_FLAG, NULL, "The SQL that made it", OPT_SCHEMA},
    {"--fts4", 0, OPTION_FLAG, NULL, "tables: FTS4 search indexes only", OPT_FTS4},
    {"--fts5", 0, OPTION_FLAG, NULL, "tables: FTS5 search indexes only", OPT_FTS5},
    LISTING_FORMATS,
};

/* One SELECT a table: names cannot be parameters. */
static enum status ask_names(struct listing *l, const char *type, struct err *err)
{
    str *names, filter = STR("");
    size_t count;
    if (given_has(&l->given, OPT_FTS4) || given_has(&l->given, OPT_FTS5))
        filter = ARENA_CAT(l->arena, STR(" AND sql LIKE 'create virtual table%using fts"),
                           given_has(&l->given, OPT_FTS4) ? STR("4") : STR("5"), STR("%'"));
    enum status st =
        conn_fetch_texts(l->conn, l->arena,
                         ARENA_CAT(l->arena, STR("SELECT name FROM sqlite_schema WHERE type = ?1 AND " OWN_NAMES),
                                   filter, STR(" ORDER BY name")),
                         str_of(type), &names, &count, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        str literal = text_quoted(l->arena, names[i]);
        str sql = ARENA_CAT(l->arena, STR("SELECT "), literal, STR(" AS \""), str_of(type), STR("\""));
        if (given_has(&l->given, OPT_COUNTS))
            sql = ARENA_CAT(l->arena, sql, STR(", (SELECT count(*) FROM "), name_quoted(l->arena, names[i]),
                            STR(") AS \"count\""));
        if (given_has(&l->given, OPT_COLUMNS))
            sql = ARENA_CAT(l->arena, sql, STR(", (SELECT json_group_array(name) FROM pragma_table_info("), literal,
                            STR(")) AS \"columns\""));
        if (given_has(&l->given, OPT_SCHEMA))
            sql = ARENA_CAT(l->arena, sql, STR(", (SELECT sql FROM sqlite_schema WHERE name = "), literal,
                            STR(") AS \"schema\""));
        VEC_PUSH(l->arena, &l->sql, sql);
    }
    if (st == STATUS_OK && !count)
        VEC_PUSH(l->arena, &l->sql, ARENA_CAT(l->arena, STR("SELECT NULL AS \""), str_of(type), STR("\" WHERE 0")));
    return st;
}

static enum status ask_tables(struct listing *l, struct err *err)
{
    return ask_names(l, "table", err);
}

static enum status ask_views(struct listing *l, struct err *err)
{
    return ask_names(l, "view", err);
}

int cmd_tables(int argc, char **argv)
{
    static const struct listing_command command = {"tables [OPTIONS] DATABASE",
                                                   NULL,
                                                   tables_options,
                                                   ARRAY_LEN(tables_options),
                                                   0,
                                                   0,
                                                   NULL,
                                                   ROWS_JSON,
                                                   true,
                                                   ask_tables};
    return listing_command(&command, argc, argv);
}

int cmd_views(int argc, char **argv)
{
    static const struct listing_command command = {"views [OPTIONS] DATABASE",
                                                   NULL,
                                                   tables_options,
                                                   ARRAY_LEN(tables_options),
                                                   0,
                                                   0,
                                                   NULL,
                                                   ROWS_JSON,
                                                   true,
                                                   ask_views};
    return listing_command(&command, argc, argv);
}

/* ---- indexes, triggers, schema ---- */

static const struct option list_options[] = {LISTING_FORMATS};

/* " AND column IN ('a', 'b')" for the tables that are named; each must be there. */
static enum status only_tables(struct listing *l, const char *column, str *ret, struct err *err)
{
    str all = STR("");
    for (size_t i = 0; i < l->word_count; i++) {
        str name;
        enum status st = listing_table(l, l->words[i], &name, err);
        if (st != STATUS_OK)
            return st;
        all = ARENA_CAT(l->arena, all, i ? STR(", ") : STR(""), text_quoted(l->arena, name));
    }
    *ret = l->word_count ? ARENA_CAT(l->arena, STR(" AND "), str_of(column), STR(" IN ("), all, STR(")")) : STR("");
    return STATUS_OK;
}

static enum status ask_indexes(struct listing *l, struct err *err)
{
    str only;
    enum status st = only_tables(l, "m.name", &only, err);
    if (st == STATUS_OK)
        VEC_PUSH(
            l->arena, &l->sql,
            ARENA_CAT(l->arena,
                      STR("SELECT m.name AS \"table\", i.name AS index_name, x.seqno, x.cid, x.name, x.\"desc\", "
                          "x.coll, x.\"key\", i.\"unique\", i.partial FROM sqlite_schema m JOIN "
                          "pragma_index_list(m.name) i JOIN pragma_index_xinfo(i.name) x WHERE m.type = 'table' AND "
                          "x.\"key\" = 1"),
                      only, STR(" ORDER BY 1, 2, 3")));
    return st;
}

static enum status ask_triggers(struct listing *l, struct err *err)
{
    str only;
    enum status st = only_tables(l, "tbl_name", &only, err);
    if (st == STATUS_OK)
        VEC_PUSH(l->arena, &l->sql,
                 ARENA_CAT(l->arena,
                           STR("SELECT name, tbl_name AS \"table\", sql FROM sqlite_schema WHERE type = 'trigger'"),
                           only, STR(" ORDER BY 2, 1")));
    return st;
}

static enum status ask_schema(struct listing *l, struct err *err)
{
    str only;
    enum status st = only_tables(l, "tbl_name", &only, err);
    if (st == STATUS_OK)
        VEC_PUSH(l->arena, &l->sql,
                 ARENA_CAT(l->arena,
                           STR("SELECT sql || ';' AS sql FROM sqlite_schema WHERE sql IS NOT NULL AND " OWN_NAMES),
                           only));
    return st;
}

int cmd_indexes(int argc, char **argv)
{
    static const struct listing_command command = {"indexes [OPTIONS] DATABASE [TABLE]...",
                                                   "A row for each column of each index.",
                                                   list_options,
                                                   ARRAY_LEN(list_options),
                                                   0,
                                                   1000,
                                                   NULL,
                                                   ROWS_JSON,
                                                   true,
                                                   ask_indexes};
    return listing_command(&command, argc, argv);
}

int cmd_triggers(int argc, char **argv)
{
    static const struct listing_command command = {"triggers [OPTIONS] DATABASE [TABLE]...",
                                                   NULL,
                                                   list_options,
                                                   ARRAY_LEN(list_options),
                                                   0,
                                                   1000,
                                                   NULL,
                                                   ROWS_JSON,
                                                   true,
                                                   ask_triggers};
    return listing_command(&command, argc, argv);
}

int cmd_schema(int argc, char **argv)
{
    static const struct listing_command command = {
        "schema [OPTIONS] DATABASE [TABLE]...",
        "Prints the SQL that made the database, or the tables that are named.",
        list_options,
        ARRAY_LEN(list_options),
        0,
        1000,
        NULL,
        ROWS_PLAIN,
        true,
        ask_schema};
    return listing_command(&command, argc, argv);
}

/* ---- analyze-tables ---- */

static const struct option analyze_options[] = {
    {"--column", 'c', OPTION_VALUE, "COLUMN", "This column; may be given again", OPT_COLUMN},
    {"--common-limit", 0, OPTION_VALUE, "N", "How many of the most common values (default 10)", OPT_COMMON},
    LISTING_FORMATS,
};

static void analyze_column(struct listing *l, str table, str column, str common)
{
    str t = name_quoted(l->arena, table), c = name_quoted(l->arena, column);
    VEC_PUSH(l->arena, &l->sql,
             ARENA_CAT(l->arena, STR("SELECT "), text_quoted(l->arena, table), STR(" AS \"table\", "),
                       text_quoted(l->arena, column),
                       STR(" AS \"column\", count(*) AS total_rows, count(*) - count(v) AS num_null, sum(v = '') AS "
                           "num_blank, count(DISTINCT v) AS num_distinct, (SELECT json_group_array(json_array(CASE "
                           "typeof(w) WHEN 'blob' THEN hex(w) ELSE w END, n)) FROM (SELECT "),
                       c, STR(" AS w, count(*) AS n FROM "), t, STR(" GROUP BY 1 ORDER BY n DESC, w LIMIT "), common,
                       STR(")) AS most_common FROM (SELECT "), c, STR(" AS v FROM "), t, STR(")")));
}

static enum status ask_analyze(struct listing *l, struct err *err)
{
    str *tables = NULL, common = given_text(&l->given, OPT_COMMON);
    size_t count = 0, wanted;
    int64_t number;
    const str *only = given_list(l->arena, &l->given, OPT_COLUMN, &wanted);
    if (common.p && (!str_to_i64(common, &number) || number < 0))
        return err_set(err, STATUS_USAGE, "--common-limit must be a number, not \"%.*s\"", STR_ARG(common));
    enum status st = conn_fetch_texts(
        l->conn, l->arena, STR("SELECT name FROM sqlite_schema WHERE type = 'table' AND " OWN_NAMES " ORDER BY name"),
        (str){0}, &tables, &count, err);
    for (size_t i = 0; i < l->word_count && st == STATUS_OK; i++) {
        str name;
        tables = i ? tables : ARENA_ARRAY(l->arena, str, l->word_count);
        st = listing_table(l, l->words[i], &name, err);
        if (st == STATUS_OK)
            tables[i] = name;
        count = l->word_count;
    }
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        str *columns;
        size_t n;
        st = conn_fetch_texts(l->conn, l->arena, STR("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden <> 1"),
                              tables[i], &columns, &n, err);
        for (size_t k = 0; k < n && st == STATUS_OK; k++)
            if (!wanted || str_in(columns[k], only, wanted))
                analyze_column(l, tables[i], columns[k], common.p ? common : STR("10"));
    }
    if (st == STATUS_OK && !l->sql.count)
        return err_set(err, STATUS_NOT_FOUND, "there is no such column");
    return st;
}

int cmd_analyze_tables(int argc, char **argv)
{
    static const struct listing_command command = {
        "analyze-tables [OPTIONS] DATABASE [TABLE]...",
        "A row for each column: how many rows, NULLs, empty texts and different values, and the most common values.",
        analyze_options,
        ARRAY_LEN(analyze_options),
        0,
        1000,
        NULL,
        ROWS_JSON,
        true,
        ask_analyze};
    return listing_command(&command, argc, argv);
}
