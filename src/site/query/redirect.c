/* SPDX-License-Identifier: Apache-2.0 */
/* The filter form sends _filter_column/_filter_op/_filter_value, and the same with _1, _2, .. for further rows; the
 * page answers with a redirect to `column__op=value`. An operator that needs no value comes as `isnull__1`: its value
 * inside. Tests: test_redirect.c and test_recorded.c. */
#include "site/query/redirect.h"

#include "site/query/links.h"

struct pairs {
    VEC(struct arg) v;
};

#define COLUMN_FIELD "_filter_column"
#define REMOVED      ((str){NULL, 0})

static void add_filter(struct arena *a, struct pairs *out, str column, str op, str value)
{
    size_t at = str_find(op, STR("__"));
    if (at != STR_NPOS) {
        value = str_from(op, at + 2);
        op = str_sub(op, 0, at);
    }
    if (column.n == 0)
        return;
    if (!value.p)
        value = STR("");
    VEC_PUSH(a, &out->v, (struct arg){ARENA_CAT(a, column, STR("__"), op), value});
}

static void remove_fields(struct arena *a, struct pairs *out, str suffix)
{
    static const char *const names[] = {COLUMN_FIELD, "_filter_op", "_filter_value"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        VEC_PUSH(a, &out->v, (struct arg){ARENA_CAT(a, str_of(names[i]), suffix), REMOVED});
}

static str field(struct arena *a, const struct args *args, const char *name, str suffix)
{
    return args_get(args, ARENA_CAT(a, str_of(name), suffix));
}

static bool filter_fields(struct arena *a, const struct args *args, struct pairs *out)
{
    bool plain = ARGS_HAS(args, COLUMN_FIELD) || ARGS_HAS(args, "_filter_op") || ARGS_HAS(args, "_filter_value");
    if (plain) {
        add_filter(a, out, ARGS_GET(args, COLUMN_FIELD), ARGS_GET(args, "_filter_op"), ARGS_GET(args, "_filter_value"));
        remove_fields(a, out, STR(""));
    }
    bool any = plain;
    for (size_t i = 0; i < args->count; i = args_next_key(args, i)) {
        str key = args->items[i].key;
        if (!str_starts(key, STR(COLUMN_FIELD "_")) || !str_all_digits(str_from(key, sizeof(COLUMN_FIELD))))
            continue;
        str suffix = str_from(key, sizeof(COLUMN_FIELD) - 1);
        str op = field(a, args, "_filter_op", suffix);
        add_filter(a, out, args->items[i].value, op.n ? op : STR("exact"), field(a, args, "_filter_value", suffix));
        remove_fields(a, out, suffix);
        any = true;
    }
    return any;
}

bool query_redirect(struct arena *a, const struct query_request *request, str *ret_location)
{
    struct pairs out = {0};
    if (!filter_fields(a, &request->args, &out)) {
        if (!ARGS_HAS(&request->args, "_sort_by_desc"))
            return false;
        VEC_PUSH(a, &out.v, (struct arg){STR("_sort_desc"), ARGS_GET(&request->args, "_sort")});
        VEC_PUSH(a, &out.v, (struct arg){STR("_sort_by_desc"), REMOVED});
        VEC_PUSH(a, &out.v, (struct arg){STR("_sort"), REMOVED});
    }
    *ret_location = query_link_path(a, request, query_link_changed(a, request, out.v.items, out.v.count));
    return true;
}
