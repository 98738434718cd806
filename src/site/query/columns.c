/* SPDX-License-Identifier: Apache-2.0 */
/* Which columns a page shows. Primary keys always stay (pages and links are made by them), rowid stands in for them in
 * tables without. Tests: test_columns.c. */
#include "site/query/columns.h"

#include "site/query/plan.h"

struct names {
    VEC(str) v;
};

static bool listed(const struct arg *first, size_t count, str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(first[i].value, name))
            return true;
    return false;
}

static void finish(struct arena *a, const struct query_table *table, const str *names, size_t count,
                   struct query_columns *ret)
{
    size_t extra = table->use_rowid ? 1 : 0;
    str *all = ARENA_ARRAY(a, str, count + extra + 1);
    str *quoted = ARENA_ARRAY(a, str, count + extra + 1);
    if (table->use_rowid)
        all[0] = STR("rowid");
    for (size_t i = 0; i < count; i++)
        all[extra + i] = names[i];
    for (size_t i = 0; i < count + extra; i++)
        quoted[i] = query_identifier(a, all[i]);
    ret->names = all;
    ret->count = count + extra;
    ret->sql = query_join(a, quoted, count + extra, STR(", "));
}

static enum status complain(struct arena *a, const char *option, const str *bad, size_t count, struct err *err)
{
    str list = query_join(a, bad, count, STR(", "));
    return err_set(err, STATUS_INVALID, "%s=" STR_FMT " - invalid columns", option, STR_ARG(list));
}

static enum status choose(struct arena *a, const struct query_table *table, const struct arg *cols, size_t count,
                          struct names *chosen, struct err *err)
{
    struct names bad = {0};
    for (size_t i = 0; i < table->pk_count; i++)
        VEC_PUSH(a, &chosen->v, table->pks[i]);
    for (size_t i = 0; i < count; i++) {
        if (!str_in(cols[i].value, table->columns, table->column_count))
            VEC_PUSH(a, &bad.v, cols[i].value);
        else if (!str_in(cols[i].value, chosen->v.items, chosen->v.count))
            VEC_PUSH(a, &chosen->v, cols[i].value);
    }
    return bad.v.count ? complain(a, "_col", bad.v.items, bad.v.count, err) : STATUS_OK;
}

static enum status leave_out(struct arena *a, const struct query_table *table, const struct arg *nocols, size_t count,
                             struct names *chosen, struct err *err)
{
    struct names bad = {0};
    for (size_t i = 0; i < count; i++) {
        str name = nocols[i].value;
        if (!str_in(name, table->columns, table->column_count) || str_in(name, table->pks, table->pk_count))
            VEC_PUSH(a, &bad.v, name);
    }
    if (bad.v.count)
        return complain(a, "_nocol", bad.v.items, bad.v.count, err);
    size_t kept = 0;
    for (size_t i = 0; i < chosen->v.count; i++)
        if (!listed(nocols, count, chosen->v.items[i]))
            chosen->v.items[kept++] = chosen->v.items[i];
    chosen->v.count = kept;
    return STATUS_OK;
}

enum status query_columns(struct arena *a, const struct query_table *table, const struct args *args,
                          struct query_columns *ret, struct err *err)
{
    struct names chosen = {0};
    const struct arg *first;
    size_t count = args_all(args, STR("_col"), &first);
    enum status st = STATUS_OK;
    if (count)
        st = choose(a, table, first, count, &chosen, err);
    else
        for (size_t i = 0; i < table->column_count; i++)
            VEC_PUSH(a, &chosen.v, table->columns[i]);
    if (st == STATUS_OK && (count = args_all(args, STR("_nocol"), &first)) > 0)
        st = leave_out(a, table, first, count, &chosen, err);
    if (st != STATUS_OK)
        return st;
    if (chosen.v.count == 0 && !table->use_rowid)
        return err_set(err, STATUS_INVALID, "_nocol leaves no column to show; keep at least one");
    finish(a, table, chosen.v.items, chosen.v.count, ret);
    return STATUS_OK;
}

void query_columns_all(struct arena *a, const struct query_table *table, struct query_columns *ret)
{
    finish(a, table, table->columns, table->column_count, ret);
}
