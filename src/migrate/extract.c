/* SPDX-License-Identifier: Apache-2.0 */
/* extract — the numbers are looked up while the table is rebuilt, by the UNIQUE index of the lookup table. */
#include "migrate/extract.h"

#include "base/limits.h"
#include "codec/names.h"

#include "base/banned.h"

struct extract {
    struct arena *a;
    struct conn *c;
    const struct extract_options *o;
    struct sql_log *log;
    struct table_def def;
    str table, fk;
};

static str name_of(const struct extract *x, size_t i)
{
    return x->o->names && x->o->names[i].n ? x->o->names[i] : x->o->columns[i];
}

static str joined(struct extract *x, bool of_lookup, str between, bool quote)
{
    str all = STR("");
    for (size_t i = 0; i < x->o->column_count; i++) {
        str name = of_lookup ? name_of(x, i) : x->o->columns[i];
        all = ARENA_CAT(x->a, all, i ? between : STR(""), quote ? name_quoted(x->a, name) : name);
    }
    return all;
}

static enum status check(struct extract *x, struct err *err)
{
    for (size_t i = 0; i < x->o->column_count; i++) {
        const struct def_column *c = table_def_find(&x->def, x->o->columns[i]);
        if (!c)
            return err_set(err, STATUS_INVALID, "the table \"%.*s\" has no column \"%.*s\"", STR_ARG(x->def.name),
                           STR_ARG(x->o->columns[i]));
        if (str_eq_nocase(name_of(x, i), STR("id")))
            return err_set(err, STATUS_CONFLICT, "\"id\" is the key of the lookup table: give the column another name");
        if (c->generated)
            return err_set(err, STATUS_INVALID, "\"%.*s\" is a generated column", STR_ARG(c->name));
    }
    const struct def_column *same = table_def_find(&x->def, x->fk);
    if (same && !str_in(same->name, x->o->columns, x->o->column_count))
        return err_set(err, STATUS_CONFLICT, "the table \"%.*s\" has a column \"%.*s\" already", STR_ARG(x->def.name),
                       STR_ARG(x->fk));
    if (str_eq_nocase(x->table, x->def.name))
        return err_set(err, STATUS_CONFLICT, "the lookup table would be \"%.*s\" itself: name another one",
                       STR_ARG(x->table));
    return STATUS_OK;
}

static enum status make_lookup(struct extract *x, struct err *err)
{
    struct table_def there, lookup = {.name = x->table};
    struct err why = ERR_INIT;
    enum status st = rebuild_read(x->a, x->c, x->table, &there, &why);
    if (st == STATUS_OK) {
        bool fits = table_def_find(&there, STR("id")) != NULL;
        for (size_t i = 0; i < x->o->column_count; i++)
            fits &= table_def_find(&there, name_of(x, i)) != NULL;
        return fits ? STATUS_OK
                    : err_set(err, STATUS_CONFLICT, "there is a table \"%.*s\" with other columns", STR_ARG(x->table));
    }
    if (st != STATUS_NOT_FOUND)
        return err_set(err, st, "%s", why.text);
    VEC_PUSH(x->a, &lookup.columns, (struct def_column){.name = STR("id"), .type = STR("INTEGER")});
    VEC_PUSH(x->a, &lookup.pks, STR("id"));
    for (size_t i = 0; i < x->o->column_count; i++) {
        struct def_column c = {.name = name_of(x, i), .type = table_def_find(&x->def, x->o->columns[i])->type};
        VEC_PUSH(x->a, &lookup.columns, c);
    }
    return rebuild_run(x->a, x->c, table_def_sql(x->a, &lookup), x->log, err);
}

/* idx_TABLE_a_b, as sqlite-utils calls it. */
static enum status fill_lookup(struct extract *x, struct err *err)
{
    str columns = joined(x, true, STR(", "), true), own = joined(x, false, STR(", "), true), same = STR("");
    for (size_t i = 0; i < x->o->column_count; i++)
        same = ARENA_CAT(x->a, same, i ? STR(" AND l.") : STR("l."), name_quoted(x->a, name_of(x, i)), STR(" IS t."),
                         name_quoted(x->a, x->o->columns[i]));
    str index = ARENA_CAT(x->a, STR("idx_"), x->table, STR("_"), joined(x, true, STR("_"), false));
    enum status st =
        rebuild_run_late(x->a, x->c,
                         ARENA_CAT(x->a, STR("CREATE UNIQUE INDEX IF NOT EXISTS "), name_quoted(x->a, index),
                                   STR(" ON "), name_quoted(x->a, x->table), STR(" ("), columns, STR(")")),
                         x->log, err);
    if (st != STATUS_OK)
        return st;
    return rebuild_run_late(x->a, x->c,
                            ARENA_CAT(x->a, STR("INSERT INTO "), name_quoted(x->a, x->table), STR(" ("), columns,
                                      STR(")\n   SELECT DISTINCT "), own, STR(" FROM "), name_quoted(x->a, x->def.name),
                                      STR(" AS t WHERE coalesce("), own,
                                      x->o->column_count == 1 ? STR(", NULL") : STR(""),
                                      STR(") IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "), name_quoted(x->a, x->table),
                                      STR(" AS l WHERE "), same, STR(")")),
                            x->log, err);
}

/* The number of a row: by min(), since a lookup table of the user's may hold the same values twice. */
static str number_sql(struct extract *x)
{
    str same = STR(""), own = joined(x, false, STR(", "), true), from = name_quoted(x->a, x->def.name);
    for (size_t i = 0; i < x->o->column_count; i++)
        same = ARENA_CAT(x->a, same, i ? STR(" AND l.") : STR("l."), name_quoted(x->a, name_of(x, i)), STR(" IS "),
                         from, STR("."), name_quoted(x->a, x->o->columns[i]));
    return ARENA_CAT(x->a, STR("CASE WHEN coalesce("), own, x->o->column_count == 1 ? STR(", NULL") : STR(""),
                     STR(") IS NOT NULL THEN (SELECT min(l.id) FROM "), name_quoted(x->a, x->table),
                     STR(" AS l WHERE "), same, STR(") END"));
}

static enum status put_number(struct extract *x, struct err *err)
{
    struct def_column fk = {.name = x->fk,
                            .type = STR("INTEGER"),
                            .is_new = true,
                            .fill = number_sql(x),
                            .fk_table = x->table,
                            .fk_column = STR("id")};
    struct def_column *first = table_def_find(&x->def, x->o->columns[0]);
    size_t at = (size_t)(first - x->def.columns.items);
    bool changed;
    enum status st = STATUS_OK;
    for (size_t i = 0; i < x->o->column_count && st == STATUS_OK; i++)
        if (table_def_find(&x->def, x->o->columns[i]))
            st = table_def_drop_column(x->a, &x->def, x->o->columns[i], err);
    if (st != STATUS_OK)
        return st;
    at = MIN(at, x->def.columns.count);
    VEC_PUSH(x->a, &x->def.columns, fk);
    memmove(x->def.columns.items + at + 1, x->def.columns.items + at, (x->def.columns.count - 1 - at) * sizeof fk);
    x->def.columns.items[at] = fk;
    return rebuild_table(x->a, x->c, &x->def, x->log, &changed, err);
}

enum status extract_columns(struct arena *a, struct conn *c, str table, const struct extract_options *o,
                            struct sql_log *log, struct err *err)
{
    struct extract x = {.a = a, .c = c, .o = o, .log = log};
    enum status st = rebuild_read(a, c, table, &x.def, err);
    if (st != STATUS_OK)
        return st;
    x.table = o->table.n ? o->table : joined(&x, false, STR("_"), false);
    x.fk = o->fk_column.n ? o->fk_column : ARENA_CAT(a, x.table, STR("_id"));
    st = check(&x, err);
    if (st == STATUS_OK)
        st = make_lookup(&x, err);
    if (st == STATUS_OK)
        st = fill_lookup(&x, err);
    return st == STATUS_OK ? put_number(&x, err) : st;
}
