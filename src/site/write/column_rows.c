/* SPDX-License-Identifier: Apache-2.0 */
#include "site/write/column_rows.h"

#include "base/limits.h"

#define MORE_ROWS 4

str column_row_field(struct arena *a, struct value typed, const char *field, size_t i)
{
    struct value v = value_get(typed, arena_printf(a, "%s.%zu", field, i));
    return value_is_text(v) ? v.s : (str){0};
}

bool column_rows_more(struct value typed)
{
    struct value action = VALUE_GET(typed, "action");
    return value_is_text(action) && str_is(action.s, "more");
}

size_t column_rows_count(struct value typed, size_t least)
{
    char key[32];
    size_t n = 0;
    while (n < LIMIT_FORM_COLUMNS && typed.kind == VALUE_DICT) {
        int length = snprintf(key, sizeof(key), "name.%zu", n);
        if (!value_has(typed, str_make(key, (size_t)length)))
            break;
        n++;
    }
    n = MAX(n, least) + (column_rows_more(typed) ? MORE_ROWS : 0);
    return MIN(n, LIMIT_FORM_COLUMNS);
}

struct value column_row(struct arena *a, struct value typed, size_t i)
{
    struct value row = value_dict(a);
    VALUE_SET(row, "index", value_int((int64_t)i));
    VALUE_SET(row, "name", value_str(column_row_field(a, typed, "name", i)));
    VALUE_SET(row, "type", value_str(column_row_field(a, typed, "type", i)));
    VALUE_SET(row, "not_null", value_bool(column_row_field(a, typed, "not_null", i).n));
    VALUE_SET(row, "default", value_str(column_row_field(a, typed, "default", i)));
    VALUE_SET(row, "fk_table", value_str(column_row_field(a, typed, "fk_table", i)));
    VALUE_SET(row, "is_pk", value_bool(column_row_field(a, typed, "pk", i).n));
    return row;
}

struct value column_key_tables(struct request *rq)
{
    struct value list = value_list(rq->arena);
    for (size_t i = 0; i < rq->schema->table_count; i++) {
        const struct schema_table *t = &rq->schema->tables[i];
        if (t->kind == SCHEMA_TABLE && t->pk_count == 1 && !t->hidden &&
            request_allowed(rq, ACTION_VIEW_TABLE, rq->db->name, t->name))
            value_push(list, value_str(t->name));
    }
    return list;
}
