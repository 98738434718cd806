/* SPDX-License-Identifier: Apache-2.0 */
/* Full-text search. `_search` looks in all columns through the key column that joins table and FTS table (fts_pk, else
 * rowid); `_search_COL` looks in one, always through rowid. Text goes through escape_fts() unless the mode is raw.
 * Tests: test_search.c. */
#include "site/query/search.h"

static str first_text(str x, str y, str z)
{
    return x.n ? x : y.n ? y : z;
}

static bool is_raw(const struct query_draft *d)
{
    str mode = ARGS_GET(&d->request->args, "_searchmode");
    if (str_is(mode, "escaped"))
        return false;
    return str_is(mode, "raw") || str_is(value_get_text(d->table->config, STR("searchmode")), "raw");
}

static str match_clause(struct arena *a, str name, bool raw)
{
    return raw ? ARENA_CAT(a, STR(":"), name) : ARENA_CAT(a, STR("escape_fts(:"), name, STR(")"));
}

/* Remembers the last condition as one that can lead instead of being looked up: the first search only. */
static void found(struct query_draft *d, str from)
{
    if (d->found_sql.n)
        return;
    d->found_sql = ARENA_CAT(d->a, STR("select rowid as " QUERY_FOUND " from "), from);
    d->found_where = d->where.count - 1;
}

/* Which column of the table holds the rowid of the search table; a view has no rowid of its own. */
static str key_of_found(const struct query_draft *d)
{
    /* An `_fts_pk=` that is present but blank is taken as given, as by the reference: it then fails as SQL. */
    str pk = ARGS_GET(&d->request->args, "_fts_pk");
    if (!pk.p)
        pk = value_get_text(d->table->config, STR("fts_pk"));
    return pk.p ? pk : STR("rowid");
}

static void search_all(struct query_draft *d, str text, bool raw)
{
    struct arena *a = d->a;
    str pk = key_of_found(d), fts = query_identifier(a, d->fts_table);
    VEC_PUSH(a, &d->where,
             ARENA_CAT(a, query_identifier(a, pk), STR(" in (select rowid from "), fts, STR(" where "), fts,
                       STR(" match "), match_clause(a, STR("search"), raw), STR(")")));
    if (str_eq_nocase(pk, STR("rowid")))
        found(d, ARENA_CAT(a, fts, STR(" where "), fts, STR(" match "), match_clause(a, STR("search"), raw)));
    VEC_PUSH(a, &d->human, ARENA_CAT(a, STR("search matches \""), text, STR("\"")));
    query_draft_param(d, STR("search"), value_str(text));
    d->search = text;
}

static enum status search_column(struct query_draft *d, str column, str text, size_t number, bool raw, struct err *err)
{
    struct arena *a = d->a;
    const str *columns = NULL;
    size_t count = d->table->columns_of ? d->table->columns_of(d->table->self, d->fts_table, &columns) : 0;
    if (!str_in(column, columns, count))
        return err_set(err, STATUS_INVALID, "Cannot search by that column");
    str name = arena_printf(a, "search_%zu", number);
    VEC_PUSH(a, &d->where,
             ARENA_CAT(a, d->table->has_rowid ? STR("rowid") : query_identifier(a, key_of_found(d)),
                       STR(" in (select rowid from "), query_identifier(a, d->fts_table), STR(" where "),
                       query_identifier(a, column), STR(" match "), match_clause(a, name, raw), STR(")")));
    found(d, ARENA_CAT(a, query_identifier(a, d->fts_table), STR(" where "), query_identifier(a, column),
                       STR(" match "), match_clause(a, name, raw)));
    VEC_PUSH(a, &d->human, ARENA_CAT(a, STR("search column \""), column, STR("\" matches \""), text, STR("\"")));
    query_draft_param(d, name, value_str(text));
    d->search = text;
    return STATUS_OK;
}

enum status query_search_apply(struct query_draft *d, struct err *err)
{
    const struct args *args = &d->request->args;
    d->fts_table = first_text(ARGS_GET(args, "_fts_table"), value_get_text(d->table->config, STR("fts_table")),
                              d->table->fts_table);
    if (d->fts_table.n == 0)
        return STATUS_OK;
    bool raw = is_raw(d);
    str all = ARGS_GET(args, "_search");
    if (all.p) {
        search_all(d, all, raw);
        return STATUS_OK;
    }
    size_t number = 0;
    enum status st = STATUS_OK;
    for (size_t i = 0; i < args->count && st == STATUS_OK; i = args_next_key(args, i)) {
        str key = args->items[i].key;
        if (str_starts(key, STR("_search")) && !str_is(key, "_searchmode")) {
            str column = str_starts(key, STR("_search_")) ? str_from(key, 8) : STR("");
            st = search_column(d, column, args->items[i].value, number++, raw, err);
        }
    }
    return st;
}
