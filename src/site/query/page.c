/* SPDX-License-Identifier: Apache-2.0 */
/* Paging by key.
 *
 * A page ends with a token made of the last row shown; the next page asks for what comes after it, so its cost does not
 * grow with the page number and rows inserted meanwhile neither repeat nor hide others.
 *   no order:  "K1,K2"        where ((a > :p0) or (a = :p0 and b > :p1))
 *   by column: "VALUE,K1,K2"  where c > :p or (c = :p and KEYS)         ascending
 *                             where c < :p or c is null or (...)        descending: NULLs come last
 *              "$null,K1,K2"  where c is not null or (c is null and KEYS)   ascending: NULLs came first
 *                             where c is null and KEYS                      descending
 *   view:      an OFFSET, there is no key.
 * Each part is tilde-encoded, so that commas and a text "$null" in the data are told from ours
 * (~24null).
 *
 * Invariants:
 *  1. Parts are bound as text; the affinity of the column turns them back into numbers. Where it cannot - a number in
 *     a column without affinity, a blob, an infinite number - the part says what it is: $n1.5, $x00ff. So does an empty
 *     text, $t, since an empty token would be the first page again. Tokens of that form never come out of Datasette,
 *     whose own are taken everywhere.
 *  2. A token with the wrong number of parts is ignored (the first page again), but refused on a sorted page.
 *  3. Both conditions hold for the sort column and the keys of one row: equal sort values are told apart by key.
 * Not here: the order itself (sort.c). Tests: test_page.c (round trips through SQLite over random tables in
 * test_exec.c). */
#include "site/query/page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "codec/url.h"
#include "site/query/links.h"

#define NULL_TOKEN   "$null"
#define NUMBER_TOKEN "$n"
#define BLOB_TOKEN   "$x"
#define EMPTY_TOKEN  "$t"

enum status query_size(str text, const char *name, int64_t fallback, int64_t maximum, int64_t *ret, struct err *err)
{
    int64_t size = fallback;
    if (str_is(text, "max"))
        size = maximum;
    else if (text.n && (!args_integer(text, &size) || size < 0))
        return err_set(err, STATUS_INVALID, "%s must be a positive integer", name);
    if (text.n && size > maximum)
        return err_set(err, STATUS_INVALID, "%s must be <= %" PRId64, name, maximum);
    *ret = size;
    return STATUS_OK;
}

enum status query_page_size(const struct query_table *table, const struct query_settings *settings,
                            const struct args *args, int64_t *ret, struct err *err)
{
    str asked = ARGS_GET(args, "_size");
    int64_t fallback = MIN(settings->default_page_size, settings->max_returned_rows);
    struct value configured = VALUE_GET(table->config, "size");
    if (asked.n == 0 && value_is_text(configured))
        asked = configured.s;
    if (asked.n == 0 && configured.kind == VALUE_INT && configured.i != 0) {
        if (configured.i < 0)
            return err_set(err, STATUS_INVALID, "_size must be a positive integer");
        if (configured.i > settings->max_returned_rows)
            return err_set(err, STATUS_INVALID, "_size must be <= %" PRId64, settings->max_returned_rows);
        fallback = configured.i;
    }
    return query_size(asked, "_size", fallback, settings->max_returned_rows, ret, err);
}

struct token {
    VEC(struct value) parts; /* keys */
    struct value value;      /* of the sort column; NONE = it was NULL */
};

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_blob(struct arena *a, str hex, struct value *ret)
{
    char *bytes = arena_alloc_raw(a, hex.n / 2 + 1);
    if (hex.n % 2)
        return false;
    for (size_t i = 0; i < hex.n; i += 2) {
        int high = hex_digit(hex.p[i]), low = hex_digit(hex.p[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (char)(high << 4 | low);
    }
    *ret = value_bytes(str_make(bytes, hex.n / 2));
    return true;
}

/* "-9", "2.5", "1e999": what part_write() writes and nothing else. */
static bool read_number(struct arena *a, str text, struct value *ret)
{
    int64_t i;
    for (size_t k = 0; k < text.n; k++)
        if (!strchr("0123456789+-.e", text.p[k]))
            return false;
    if (args_integer(text, &i)) {
        *ret = value_int(i);
        return true;
    }
    char *end, *number = arena_cstr(a, text);
    double d = strtod(number, &end);
    *ret = value_float(d);
    return text.n && *end == 0;
}

/* A part that looks like ours but is not is a text as any other. */
static struct value part_read(struct arena *a, str part)
{
    struct value v;
    if (str_is(part, NULL_TOKEN))
        return VALUE_NULL;
    if (str_is(part, EMPTY_TOKEN))
        return value_str(STR(""));
    if (str_starts(part, STR(NUMBER_TOKEN)) && read_number(a, str_from(part, 2), &v))
        return v;
    if (str_starts(part, STR(BLOB_TOKEN)) && read_blob(a, str_from(part, 2), &v))
        return v;
    return value_str(tilde_decode(a, part));
}

static str blob_part(struct arena *a, str bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_alloc_raw(a, bytes.n * 2 + 2);
    memcpy(text, BLOB_TOKEN, 2);
    for (size_t i = 0; i < bytes.n; i++) {
        text[2 + i * 2] = digits[(unsigned char)bytes.p[i] >> 4];
        text[3 + i * 2] = digits[(unsigned char)bytes.p[i] & 15];
    }
    return str_make(text, bytes.n * 2 + 2);
}

static bool is_untyped(const struct query_table *table, str column)
{
    for (size_t i = 0; table->untyped && i < table->column_count; i++)
        if (str_eq(table->columns[i], column))
            return table->untyped[i];
    return false;
}

static str part_write(struct arena *a, const struct query_table *table, str column, struct value v)
{
    if (v.kind == VALUE_BYTES)
        return blob_part(a, v.s);
    if (v.kind == VALUE_FLOAT && isinf(v.f))
        return v.f > 0 ? STR(NUMBER_TOKEN "1e999") : STR(NUMBER_TOKEN "-1e999");
    if ((v.kind == VALUE_FLOAT || v.kind == VALUE_INT) && is_untyped(table, column))
        return ARENA_CAT(a, STR(NUMBER_TOKEN), value_to_str(a, v));
    return tilde_encode(a, value_to_str(a, v));
}

static void token_read(struct arena *a, str text, bool sorted, struct token *t)
{
    str part, rest = text;
    bool more;
    do {
        more = str_cut(rest, ',', &part, &rest);
        VEC_PUSH(a, &t->parts, part_read(a, part));
    } while (more);
    if (sorted && t->parts.count > 1) {
        t->value = t->parts.items[0];
        t->parts.items++;
        t->parts.count--;
        t->parts.cap--;
    }
}

/* "((a > :p0)\n  or\n(a = :p0 and b > :p1))": rows after the key, in key order. */
static str after_keys(struct arena *a, const str *pks, const str *params, size_t count)
{
    str *ors = ARENA_ARRAY(a, str, count);
    str *ands = ARENA_ARRAY(a, str, count);
    for (size_t last = 0; last < count; last++) {
        for (size_t i = 0; i <= last; i++)
            ands[i] = ARENA_CAT(a, query_identifier(a, pks[i]), i == last ? STR(" > ") : STR(" = "), params[i]);
        ors[last] = ARENA_CAT(a, STR("("), query_join(a, ands, last + 1, STR(" and ")), STR(")"));
    }
    return ARENA_CAT(a, STR("("), query_join(a, ors, count, STR("\n  or\n")), STR(")"));
}

/* The condition on the keys; false when the token does not fit them. */
static bool keys_condition(struct query_draft *d, const struct token *t, str *ret)
{
    const struct query_table *table = d->table;
    if (table->use_rowid) {
        d->page_param = query_draft_next_param(d, t->parts.items[0]);
        *ret = ARENA_CAT(d->a, STR("rowid > "), d->page_param);
        return true;
    }
    if (t->parts.count != table->pk_count || table->pk_count == 0)
        return false;
    str *params = ARENA_ARRAY(d->a, str, t->parts.count);
    for (size_t i = 0; i < t->parts.count; i++)
        params[i] = query_draft_next_param(d, t->parts.items[i]);
    *ret = after_keys(d->a, table->pks, params, table->pk_count);
    d->page_param = params[0];
    return true;
}

static str sorted_condition(struct query_draft *d, const struct query_sort *sort, const struct token *t, str keys)
{
    struct arena *a = d->a;
    bool desc = sort->sort_desc.n > 0;
    str c = query_identifier(a, desc ? sort->sort_desc : sort->sort);
    if (value_is_null(t->value))
        return desc ? ARENA_CAT(a, STR("("), c, STR(" is null and "), keys, STR(")"))
                    : ARENA_CAT(a, STR("("), c, STR(" is not null or ("), c, STR(" is null and "), keys, STR("))"));
    str p = query_draft_next_param(d, t->value);
    return ARENA_CAT(a, STR("("), c, desc ? STR(" < ") : STR(" > "), p, desc ? STR(" or ") : STR(""),
                     desc ? c : STR(""), desc ? STR(" is null") : STR(""), STR(" or ("), c, STR(" = "), p, STR(" and "),
                     keys, STR("))"));
}

enum status query_page_apply(struct query_draft *d, const struct query_sort *sort, bool *ret_paged, int64_t *ret_offset,
                             struct err *err)
{
    str next = d->request->next.n ? d->request->next : ARGS_GET(&d->request->args, "_next");
    *ret_paged = false;
    *ret_offset = 0;
    if (next.n == 0)
        return STATUS_OK;
    if (d->table->is_view) {
        int64_t offset;
        if (!args_integer(next, &offset) || offset < 0 || offset == INT64_MAX)
            return err_set(err, STATUS_INVALID, "_next must be a row number for a view, it is \"" STR_FMT "\"",
                           STR_ARG(next));
        *ret_offset = offset;
        *ret_paged = true;
        return STATUS_OK;
    }
    bool sorted = sort->sort.n || sort->sort_desc.n;
    struct token t = {0};
    str keys;
    token_read(d->a, next, sorted, &t);
    if (!keys_condition(d, &t, &keys))
        return sorted ? err_set(err, STATUS_INVALID,
                                "_next does not fit the primary key of this table; take it from next_url")
                      : STATUS_OK;
    VEC_PUSH(d->a, &d->where, sorted ? sorted_condition(d, sort, &t, keys) : keys);
    *ret_paged = true;
    return STATUS_OK;
}

str query_row_path(struct arena *a, const struct value *keys, size_t count)
{
    str *parts = ARENA_ARRAY(a, str, count + 1);
    for (size_t i = 0; i < count; i++)
        parts[i] = tilde_encode(a, value_to_str(a, keys[i]));
    return query_join(a, parts, count, STR(","));
}

static struct value cell(const struct query_plan *plan, const struct value *cells, str column)
{
    for (size_t i = 0; i < plan->column_count; i++)
        if (str_eq(plan->columns[i], column))
            return cells[i];
    return VALUE_UNDEF;
}

static str last_row_keys(struct arena *a, const struct query_plan *plan, const struct value *last)
{
    const struct query_table *table = plan->table;
    if (table->use_rowid)
        return query_row_path(a, &last[0], 1);
    str *keys = ARENA_ARRAY(a, str, table->pk_count + 1);
    for (size_t i = 0; i < table->pk_count; i++)
        keys[i] = part_write(a, table, table->pks[i], cell(plan, last, table->pks[i]));
    return query_join(a, keys, table->pk_count, STR(","));
}

void query_next(struct arena *a, const struct query_plan *plan, int64_t row_count, const struct value *last,
                struct value sort_value, struct query_next *ret)
{
    *ret = (struct query_next){false, STR(""), STR("")};
    if (plan->page_size == 0 || row_count <= plan->page_size)
        return;
    struct arg set[2];
    size_t count = 1;
    if (plan->table->is_view) {
        ret->token = arena_printf(a, "%" PRId64, plan->offset + plan->page_size);
    } else {
        ret->token = last_row_keys(a, plan, last);
        str by = plan->sort.n ? plan->sort : plan->sort_desc;
        if (by.n) {
            struct value v = plan->sort_lookup_sql.n ? sort_value : cell(plan, last, by);
            str prefix = value_is_null(v) ? STR(NULL_TOKEN) : part_write(a, plan->table, by, v);
            ret->token = ARENA_CAT(a, prefix, STR(","), ret->token);
            set[1] = (struct arg){plan->sort.n ? STR("_sort") : STR("_sort_desc"), by};
            count = 2;
        }
        if (!ret->token.n)
            ret->token = STR(EMPTY_TOKEN);
    }
    set[0] = (struct arg){STR("_next"), ret->token};
    ret->url = query_link_absolute(a, plan->request, query_link_replaced(a, plan->request, set, count), true);
    ret->has = true;
}
