/* SPDX-License-Identifier: Apache-2.0 */
/* Column filters. One table of operators makes the SQL, the human text and the filter form.
 *
 * Invariants:
 *  1. Values never enter the SQL text: each is bound to :pN, numbered in the order of the sorted (key, value) pairs.
 *  2. Column names do enter it, from the address bar, in double quotes with quotes doubled (brackets only when the
 *     name holds no `]`): a name can at worst be unknown. Unknown names are not refused: SQLite reads "nope" as a
 *     string, so such a filter finds nothing; clients rely on getting an empty page.
 *  3. `%` and `_` in values are not escaped: `contains=%` is everything, as ever.
 *
 * In templates $c is the quoted column, $b the [table].[column] pair, $p the parameter; in human texts $c and $v are
 * raw, $q is the value in quotes unless it is a number.
 *
 * Not here: whole fragments (where.c), searches (search.c). Tests: test_filters.c, test_exec.c. */
#include "site/query/filters.h"

#include <stdlib.h>

enum op_flag {
    OP_NUMERIC = 1,     /* a value of digits only is bound as an integer */
    OP_NO_ARGUMENT = 2, /* takes no value */
    OP_LIST = 4,        /* in, notin: one parameter an item */
};

struct op {
    struct query_op public;
    const char *sql;
    const char *human;
    const char *before, *after; /* put around the value: "%" of like */
    unsigned flags;
};

#define OP(key, display, sql, human, before, after, flags)                                                             \
    {                                                                                                                  \
        {key, display, ((flags)&OP_NO_ARGUMENT) != 0}, sql, human, before, after, flags                                \
    }

static const struct op ops[] = {
    OP("exact", "=", "$c = $p", "$c = $q", "", "", 0),
    OP("not", "!=", "$c != $p", "$c != $q", "", "", 0),
    OP("contains", "contains", "$c like $p", "$c contains \"$v\"", "%", "%", 0),
    OP("notcontains", "does not contain", "$c not like $p", "$c does not contain \"$v\"", "%", "%", 0),
    OP("endswith", "ends with", "$c like $p", "$c ends with \"$v\"", "%", "", 0),
    OP("startswith", "starts with", "$c like $p", "$c starts with \"$v\"", "", "%", 0),
    OP("gt", ">", "$c > $p", "$c > $v", "", "", OP_NUMERIC),
    OP("gte", "\u2265", "$c >= $p", "$c \u2265 $v", "", "", OP_NUMERIC),
    OP("lt", "<", "$c < $p", "$c < $v", "", "", OP_NUMERIC),
    OP("lte", "\u2264", "$c <= $p", "$c \u2264 $v", "", "", OP_NUMERIC),
    OP("like", "like", "$c like $p", "$c like \"$v\"", "", "", 0),
    OP("notlike", "not like", "$c not like $p", "$c not like \"$v\"", "", "", 0),
    OP("glob", "glob", "$c glob $p", "$c glob \"$v\"", "", "", 0),
    OP("in", "in", " in (", "$c in ", "", "", OP_LIST),
    OP("notin", "not in", " not in (", "$c not in ", "", "", OP_LIST),
    OP("arraycontains", "array contains", "$p in (select value from json_each($b))", "$c contains \"$v\"", "", "", 0),
    OP("arraynotcontains", "array does not contain", "$p not in (select value from json_each($b))",
       "$c does not contain \"$v\"", "", "", 0),
    OP("date", "date", "date($c) = $p", "\"$c\" is on date $v", "", "", 0),
    OP("isnull", "is null", "$c is null", "$c is null", "", "", OP_NO_ARGUMENT),
    OP("notnull", "is not null", "$c is not null", "$c is not null", "", "", OP_NO_ARGUMENT),
    OP("isblank", "is blank", "($c is null or $c = \"\")", "$c is blank", "", "", OP_NO_ARGUMENT),
    OP("notblank", "is not blank", "($c is not null and $c != \"\")", "$c is not blank", "", "", OP_NO_ARGUMENT),
};

static const struct op *find(str key)
{
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (str_is(key, ops[i].public.key))
            return &ops[i];
    return NULL;
}

const struct query_op *query_op_at(size_t i)
{
    return i < ARRAY_LEN(ops) ? &ops[i].public : NULL;
}

struct slots {
    str c, b, p, v, q;
};

/* Fills the $x of a template. Cost: one copy. */
static str expand(struct arena *a, const char *template, struct slots s)
{
    VEC(str) parts = {0};
    for (str rest = str_of(template); rest.n;) {
        size_t at = str_find_char(rest, '$');
        if (at == STR_NPOS) {
            VEC_PUSH(a, &parts, rest);
            break;
        }
        VEC_PUSH(a, &parts, str_sub(rest, 0, at));
        char which = rest.p[at + 1];
        VEC_PUSH(a, &parts, which == 'c' ? s.c : which == 'b' ? s.b : which == 'p' ? s.p : which == 'q' ? s.q : s.v);
        rest = str_from(rest, at + 2);
    }
    return arena_concat(a, parts.items, parts.count);
}

static int compare_args(const void *left, const void *right)
{
    const struct arg *x = left, *y = right;
    int order = str_cmp(x->key, y->key);
    return order ? order : str_cmp(x->value, y->value);
}

void query_selections(struct arena *a, const struct args *args, struct query_selection **ret, size_t *ret_count)
{
    struct arg *pairs = ARENA_ARRAY(a, struct arg, args->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < args->count; i++)
        if (!args_is_special(args->items[i].key))
            pairs[count++] = args->items[i];
    if (count > 1)
        qsort(pairs, count, sizeof(*pairs), compare_args);
    struct query_selection *out = ARENA_ARRAY(a, struct query_selection, count + 1);
    for (size_t i = 0; i < count; i++) {
        str key = pairs[i].key;
        size_t at = key.n;
        while (at >= 2 && !(key.p[at - 1] == '_' && key.p[at - 2] == '_'))
            at--;
        bool has_op = at >= 2;
        out[i] = (struct query_selection){has_op ? str_sub(key, 0, at - 2) : key,
                                          has_op ? str_from(key, at) : STR("exact"), pairs[i].value};
    }
    *ret = out;
    *ret_count = count;
}

/* The items of in= and notin=: a JSON list, or a comma list with the spaces taken off. */
static enum status list_items(struct arena *a, const struct query_selection *s, struct value *ret, struct err *err)
{
    if (str_starts(s->value, STR("["))) {
        struct value items;
        if (value_from_json(a, s->value, &items, err) != STATUS_OK) {
            err_prefix(err, STR_FMT "__" STR_FMT " is not a JSON list", STR_ARG(s->column), STR_ARG(s->op));
            if (err)
                err->status = STATUS_INVALID;
            return STATUS_INVALID;
        }
        *ret = items;
        return STATUS_OK;
    }
    *ret = value_list(a);
    str item, rest = s->value;
    bool more;
    do {
        more = str_cut(rest, ',', &item, &rest);
        value_push(*ret, value_str(str_trim(item)));
    } while (more);
    return STATUS_OK;
}

static enum status apply_list(struct query_draft *d, const struct op *op, const struct query_selection *s,
                              struct err *err)
{
    struct value items;
    enum status st = list_items(d->a, s, &items, err);
    if (st != STATUS_OK)
        return st;
    size_t count = value_count(items);
    str *names = ARENA_ARRAY(d->a, str, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct value v = value_at(items, i);
        if (v.kind == VALUE_LIST || v.kind == VALUE_DICT)
            return err_set(err, STATUS_INVALID,
                           STR_FMT "__" STR_FMT ": item %zu of the list is itself a list or an object",
                           STR_ARG(s->column), STR_ARG(s->op), i + 1);
        names[i] = query_draft_next_param(d, v);
    }
    VEC_PUSH(d->a, &d->where,
             ARENA_CAT(d->a, query_identifier(d->a, s->column), str_of(op->sql),
                       query_join(d->a, names, count, STR(", ")), STR(")")));
    return STATUS_OK;
}

static enum status bound_value(struct query_draft *d, const struct op *op, const struct query_selection *s,
                               struct value *ret, struct err *err)
{
    if ((op->flags & OP_NUMERIC) && str_all_digits(s->value)) {
        int64_t number;
        if (!str_to_i64(s->value, &number))
            return err_set(err, STATUS_INVALID, STR_FMT "__" STR_FMT "=" STR_FMT " is too large for a 64-bit integer",
                           STR_ARG(s->column), STR_ARG(s->op), STR_ARG(s->value));
        *ret = value_int(number);
        return STATUS_OK;
    }
    if (op->before[0] == '\0' && op->after[0] == '\0')
        *ret = value_str(s->value);
    else
        *ret = value_str(ARENA_CAT(d->a, str_of(op->before), s->value, str_of(op->after)));
    return STATUS_OK;
}

/* The column as json_each() wants it. */
static str table_column(struct arena *a, str table, str column)
{
    if (str_find_char(table, ']') == STR_NPOS && str_find_char(column, ']') == STR_NPOS)
        return ARENA_CAT(a, STR("["), table, STR("].["), column, STR("]"));
    return ARENA_CAT(a, query_quoted(a, table), STR("."), query_quoted(a, column));
}

static enum status apply_one(struct query_draft *d, const struct op *op, const struct query_selection *s,
                             struct err *err)
{
    if (op->flags & OP_LIST)
        return apply_list(d, op, s, err);
    str param = STR("");
    if (!(op->flags & OP_NO_ARGUMENT)) {
        struct value v;
        enum status st = bound_value(d, op, s, &v, err);
        if (st != STATUS_OK)
            return st;
        param = query_draft_next_param(d, v);
    }
    VEC_PUSH(d->a, &d->where,
             expand(d->a, op->sql,
                    (struct slots){.c = query_quoted(d->a, s->column),
                                   .b = table_column(d->a, d->table->name, s->column),
                                   .p = param}));
    return STATUS_OK;
}

enum status query_filters_apply(struct query_draft *d, struct err *err)
{
    for (size_t i = 0; i < d->selection_count; i++) {
        const struct op *op = find(d->selections[i].op);
        enum status st = op ? apply_one(d, op, &d->selections[i], err) : STATUS_OK;
        if (st != STATUS_OK)
            return st;
        if (arena_over(d->a))
            return err_set(err, STATUS_TOO_LARGE, "The filters of this request need too much memory");
    }
    return STATUS_OK;
}

/* Digits as they are, anything else in quotes. */
static str shown_value(struct arena *a, str value)
{
    return str_all_digits(value) ? value : ARENA_CAT(a, STR("\""), value, STR("\""));
}

bool query_selection_human(struct arena *a, const struct query_selection *s, str *ret)
{
    const struct op *op = find(s->op);
    if (!op)
        return false;
    if (op->flags & OP_LIST) {
        struct value items;
        if (list_items(a, s, &items, NULL) != STATUS_OK)
            return false;
        str head = expand(a, op->human, (struct slots){.c = s->column});
        *ret = ARENA_CAT(a, head, query_json(a, items));
        return true;
    }
    *ret = expand(a, op->human, (struct slots){.c = s->column, .v = s->value, .q = shown_value(a, s->value)});
    return true;
}
