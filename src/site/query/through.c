/* SPDX-License-Identifier: Apache-2.0 */
/* `_through={"table": T, "column": C, "value": V}`: our rows that some row of T with C = V points at.
 *
 * Datasette numbers these parameters from p0 again, so that together with a column filter both conditions read the last
 * value given and the page is wrong without saying so. Here the next free number is taken; alone, the SQL is the same.
 * Tests: test_filters.c, test_exec.c. */
#include "site/query/filters.h"

static enum status part(const struct value *through, const char *key, str *ret, struct err *err)
{
    struct value v = value_get(*through, str_of(key));
    if (!value_is_text(v))
        return err_set(
            err, STATUS_INVALID,
            "Invalid _through - \"%s\" must be text; write {\"table\": ..., \"column\": ..., \"value\": ...}", key);
    *ret = v.s;
    return STATUS_OK;
}

static enum status apply_one(struct query_draft *d, str json, struct err *err)
{
    struct value through, value;
    str table, column;
    if (value_from_json(d->a, json, &through, NULL) != STATUS_OK || through.kind != VALUE_DICT)
        return err_set(err, STATUS_INVALID,
                       "Invalid _through - not a JSON object; write {\"table\": ..., \"column\": ..., \"value\": ...}");
    enum status st = part(&through, "table", &table, err);
    if (st == STATUS_OK)
        st = part(&through, "column", &column, err);
    if (st != STATUS_OK)
        return st;
    value = VALUE_GET(through, "value");
    if (value.kind == VALUE_UNDEFINED || value.kind == VALUE_LIST || value.kind == VALUE_DICT)
        return err_set(err, STATUS_INVALID, "Invalid _through - \"value\" must be text, a number, true, false or null");

    const struct query_incoming *fk = NULL;
    for (size_t i = 0; i < d->table->incoming_count && !fk; i++)
        if (str_eq_nocase(d->table->incoming[i].table, table))
            fk = &d->table->incoming[i];
    if (!fk)
        return err_set(err, STATUS_INVALID, "Invalid _through - could not find corresponding foreign key");

    struct arena *a = d->a;
    str param = query_draft_next_param(d, value);
    VEC_PUSH(a, &d->where,
             ARENA_CAT(a, query_identifier(a, fk->other_column), STR(" in (select "), query_identifier(a, fk->column),
                       STR(" from "), query_identifier(a, table), STR(" where "), query_identifier(a, column),
                       STR(" = "), param, STR(")")));
    VEC_PUSH(a, &d->human, ARENA_CAT(a, table, STR("."), column, STR(" = \""), value_to_str(a, value), STR("\"")));
    return STATUS_OK;
}

enum status query_through_apply(struct query_draft *d, struct err *err)
{
    const struct arg *first;
    size_t count = args_all(&d->request->args, STR("_through"), &first);
    enum status st = STATUS_OK;
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = apply_one(d, first[i].value, err);
    return st;
}
