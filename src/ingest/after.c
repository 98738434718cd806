/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/after.h"

#include "codec/names.h"
#include "migrate/extract.h"
#include "migrate/fts.h"

#include "base/banned.h"

static bool has_column(const struct table *t, const struct plan *p, str name)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_eq_nocase(p->columns[i].name, name))
            return true;
    for (size_t i = 0; t->exists && i < t->column_count; i++)
        if (str_eq_nocase(t->columns[i].name, name))
            return true;
    return false;
}

enum status after_check(const struct table *t, const struct plan *p, const struct ingest_options *o, struct err *err)
{
    const struct {
        const char *option;
        const str *names;
        size_t count;
    } lists[] = {{"--index", o->indexes, o->index_count},
                 {"--fts", o->fts, o->fts_count},
                 {"--extract", o->extracts, o->extract_count}};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t k = 0; k < lists[i].count; k++)
            if (!has_column(t, p, lists[i].names[k]))
                return err_set(err, STATUS_USAGE, "%s: there is no column \"%.*s\"", lists[i].option,
                               STR_ARG(lists[i].names[k]));
    if (t->exists && o->extract_count) {
        err_set(err, STATUS_CONFLICT, "--extract makes lookup tables for a new table, and \"%.*s\" is there already",
                STR_ARG(t->name));
        return err_hint(err, "Import first, then use vitrine extract; or make the table anew with --replace-table.");
    }
    return STATUS_OK;
}

static enum status exists(struct conn *c, str name, bool *ret, struct err *err)
{
    struct stmt *s;
    enum status st = conn_prepare_trusted(
        c, STR("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE"), &s, err);
    if (st != STATUS_OK)
        return st;
    st = stmt_bind_text(s, 1, name, err);
    if (st == STATUS_OK)
        st = stmt_step(s, err);
    stmt_done(s);
    *ret = st == STATUS_AGAIN;
    return st == STATUS_AGAIN ? STATUS_OK : st;
}

static enum status extract(struct arena *a, struct conn *c, str table, str column, struct undo *u, struct err *err)
{
    struct extract_options o = {.columns = &column, .column_count = 1};
    bool there;
    enum status st = exists(c, column, &there, err);
    if (st == STATUS_OK)
        st = extract_columns(a, c, table, &o, NULL, err);
    if (st == STATUS_OK && u && !there)
        st = undo_made(u, "table", column, err);
    return st;
}

static enum status make_index(struct arena *a, struct conn *c, str table, str column, struct err *err)
{
    return conn_execute(c,
                        ARENA_CAT(a, STR("CREATE INDEX IF NOT EXISTS "),
                                  name_quoted(a, ARENA_CAT(a, STR("idx_"), table, STR("_"), column)), STR(" ON "),
                                  name_quoted(a, table), STR(" ("), name_quoted(a, column), STR(")")),
                        err);
}

enum status after_load(struct arena *a, struct conn *c, const struct table *t, const struct ingest_options *o,
                       struct undo *u, struct err *err)
{
    struct fts_options fts = {.columns = o->fts, .column_count = o->fts_count, .triggers = true, .replace = true};
    enum status st = STATUS_OK;
    for (size_t i = 0; i < o->extract_count && st == STATUS_OK; i++)
        st = extract(a, c, t->name, o->extracts[i], u, err);
    for (size_t i = 0; i < o->index_count && st == STATUS_OK; i++)
        st = make_index(a, c, t->name,
                        str_in(o->indexes[i], o->extracts, o->extract_count) ? ARENA_CAT(a, o->indexes[i], STR("_id"))
                                                                             : o->indexes[i],
                        err);
    return st == STATUS_OK && o->fts_count ? fts_enable(a, c, t->name, &fts, NULL, err) : st;
}
