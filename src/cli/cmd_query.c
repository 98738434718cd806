/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_query — `vitrine query`, `rows` and `search`: rows of a database on standard output. */
#include "base/limits.h"
#include "cli/listing.h"
#include "codec/names.h"
#include "migrate/fts.h"

enum { OPT_PARAM, OPT_LIMIT, OPT_OFFSET, OPT_WHERE, OPT_ORDER, OPT_COLUMN, OPT_QUOTE };

static void take_parameters(struct listing *l)
{
    for (size_t i = 0; i < l->given.options.count; i++)
        if (l->given.options.items[i].id == OPT_PARAM) {
            VEC_PUSH(l->arena, &l->parameters.names, l->given.options.items[i].value[0]);
            VEC_PUSH(l->arena, &l->parameters.values, l->given.options.items[i].value[1]);
        }
}

/* ---- query ---- */

static const struct option query_options[] = {
    {"--param", 'p', OPTION_PAIR, "NAME VALUE", "The value of :NAME", OPT_PARAM},
    LISTING_FORMATS,
};

static enum status ask_query(struct listing *l, struct err *err)
{
    (void)err;
    take_parameters(l);
    VEC_PUSH(l->arena, &l->sql, l->words[0]);
    return STATUS_OK;
}

int cmd_query(int argc, char **argv)
{
    static const struct listing_command command = {"query [OPTIONS] DATABASE SQL",
                                                   NULL,
                                                   query_options,
                                                   ARRAY_LEN(query_options),
                                                   1,
                                                   1,
                                                   "an SQL statement",
                                                   ROWS_JSON,
                                                   false,
                                                   ask_query};
    return listing_command(&command, argc, argv);
}

/* ---- rows ---- */

static const struct option rows_options[] = {
    {"--limit", 0, OPTION_VALUE, "N", "At most N rows", OPT_LIMIT},
    {"--offset", 0, OPTION_VALUE, "N", "Without the first N", OPT_OFFSET},
    {"--where", 0, OPTION_VALUE, "SQL", "Those where this holds", OPT_WHERE},
    {"--param", 'p', OPTION_PAIR, "NAME VALUE", "The value of :NAME in --where", OPT_PARAM},
    {"--order", 'o', OPTION_VALUE, "SQL", "Sorted by this", OPT_ORDER},
    {"--column", 'c', OPTION_VALUE, "COLUMN", "This column; may be given again", OPT_COLUMN},
    LISTING_FORMATS,
};

static enum status check_numbers(const struct listing *l, struct err *err)
{
    static const int ids[] = {OPT_LIMIT, OPT_OFFSET};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        str value = given_text(&l->given, ids[i]);
        int64_t number;
        if (value.p && (!str_to_i64(value, &number) || number < 0))
            return err_set(err, STATUS_USAGE, "\"%.*s\" is no number of rows", STR_ARG(value));
    }
    return STATUS_OK;
}

/* "t"."a", "t"."b": a bare "name" that there is not would be taken for text. */
static str columns_of(struct listing *l, str table)
{
    size_t count;
    str *names = given_list(l->arena, &l->given, OPT_COLUMN, &count), all = STR("");
    for (size_t i = 0; i < count; i++)
        all = ARENA_CAT(l->arena, all, i ? STR(", ") : STR(""), name_quoted(l->arena, table), STR("."),
                        name_quoted(l->arena, names[i]));
    return count ? all : ARENA_CAT(l->arena, name_quoted(l->arena, table), STR(".*"));
}

static str limits_of(struct listing *l)
{
    str limit = given_text(&l->given, OPT_LIMIT), offset = given_text(&l->given, OPT_OFFSET);
    if (!limit.p && !offset.p)
        return STR("");
    return ARENA_CAT(l->arena, STR(" LIMIT "), limit.p ? limit : STR("-1"), STR(" OFFSET "),
                     offset.p ? offset : STR("0"));
}

static enum status ask_rows(struct listing *l, struct err *err)
{
    str table = l->words[0], where = given_text(&l->given, OPT_WHERE), order = given_text(&l->given, OPT_ORDER);
    enum status st = check_numbers(l, err);
    if (st != STATUS_OK)
        return st;
    take_parameters(l);
    VEC_PUSH(l->arena, &l->sql,
             ARENA_CAT(l->arena, STR("SELECT "), columns_of(l, table), STR(" FROM "), name_quoted(l->arena, table),
                       where.n ? STR(" WHERE ") : STR(""), where, order.n ? STR(" ORDER BY ") : STR(""), order,
                       limits_of(l)));
    return STATUS_OK;
}

int cmd_rows(int argc, char **argv)
{
    static const struct listing_command command = {"rows [OPTIONS] DATABASE TABLE",
                                                   NULL,
                                                   rows_options,
                                                   ARRAY_LEN(rows_options),
                                                   1,
                                                   1,
                                                   "a table",
                                                   ROWS_JSON,
                                                   false,
                                                   ask_rows};
    return listing_command(&command, argc, argv);
}

/* ---- search ---- */

static const struct option search_options[] = {
    {"--limit", 0, OPTION_VALUE, "N", "At most N rows", OPT_LIMIT},
    {"--order", 'o', OPTION_VALUE, "SQL", "Sorted by this (default: the best first)", OPT_ORDER},
    {"--column", 'c', OPTION_VALUE, "COLUMN", "This column; may be given again", OPT_COLUMN},
    {"--quote", 0, OPTION_FLAG, NULL, "The words are words, not a search expression", OPT_QUOTE},
    LISTING_FORMATS,
};

/* "a" "b": each word quoted. */
static str quoted_words(struct listing *l, str words)
{
    str all = STR(""), word, rest = str_trim(words);
    while (rest.n) {
        (void)str_cut(rest, ' ', &word, &rest);
        if (word.n)
            all = ARENA_CAT(l->arena, all, all.n ? STR(" ") : STR(""), name_quoted(l->arena, word));
    }
    return all;
}

static enum status ask_search(struct listing *l, struct err *err)
{
    str table, fts, order = given_text(&l->given, OPT_ORDER);
    bool fts5;
    enum status st = listing_table(l, l->words[0], &table, err);
    if (st == STATUS_OK)
        st = check_numbers(l, err);
    if (st == STATUS_OK)
        st = fts_find(l->arena, l->conn, table, &fts, &fts5, err);
    if (st != STATUS_OK)
        return st;
    if (!fts.n) {
        err_set(err, STATUS_NOT_FOUND, "\"%.*s\" has no search index", STR_ARG(table));
        return err_hint(err, "Make one with: vitrine enable-fts DATABASE TABLE COLUMN...");
    }
    str q = given_has(&l->given, OPT_QUOTE) ? quoted_words(l, l->words[1]) : l->words[1];
    str by = order.n ? order : fts5 ? ARENA_CAT(l->arena, name_quoted(l->arena, fts), STR(".rank")) : STR("");
    VEC_PUSH(l->arena, &l->sql,
             ARENA_CAT(l->arena, STR("SELECT "), columns_of(l, table), STR(" FROM "), name_quoted(l->arena, fts),
                       STR(" JOIN "), name_quoted(l->arena, table), STR(" ON "), name_quoted(l->arena, table),
                       STR(".rowid = "), name_quoted(l->arena, fts), STR(".rowid WHERE "), name_quoted(l->arena, fts),
                       STR(" MATCH "), text_quoted(l->arena, q), by.n ? STR(" ORDER BY ") : STR(""), by, limits_of(l)));
    return STATUS_OK;
}

int cmd_search(int argc, char **argv)
{
    static const struct listing_command command = {"search [OPTIONS] DATABASE TABLE WORDS",
                                                   "Prints the rows that a search index finds, the best first.",
                                                   search_options,
                                                   ARRAY_LEN(search_options),
                                                   2,
                                                   2,
                                                   "a table or what to search for",
                                                   ROWS_JSON,
                                                   false,
                                                   ask_search};
    return listing_command(&command, argc, argv);
}
