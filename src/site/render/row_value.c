/* SPDX-License-Identifier: Apache-2.0 */
#include "site/render/row_value.h"

#include "template/eval.h"

struct row {
    const struct rowset *rows;
    size_t index;
    bool labels;
};

/* An expanded foreign key is {value, label}, as in the JSON of the page. */
static struct value column_value(const struct row *r, struct arena *a, size_t column)
{
    const struct cell *c = rowset_cell(r->rows, r->index, column);
    if (!c->label.p || !r->labels)
        return cell_value(c);
    struct value d = value_dict(a);
    VALUE_SET(d, "value", cell_value(c));
    VALUE_SET(d, "label", value_str(c->label));
    return d;
}

static size_t find_column(const struct row *r, str name)
{
    size_t at = rowset_column(r->rows, name);
    for (size_t i = 0; at == (size_t)-1 && i < r->rows->column_count; i++)
        if (str_eq_nocase(r->rows->columns[i], name))
            at = i;
    return at;
}

static struct value column_names(const struct row *r, struct arena *a)
{
    struct value names = value_list(a);
    for (size_t i = 0; i < r->rows->column_count; i++)
        value_push(names, value_str(r->rows->columns[i]));
    return names;
}

/* ---- methods ---- */

#define ROW_METHOD(name)                                                                                               \
    static enum status row_##name(void *self, struct eval *ev, const struct value_args *args, struct value *ret)

ROW_METHOD(keys)
{
    (void)args;
    *ret = column_names(self, eval_arena(ev));
    return STATUS_OK;
}

ROW_METHOD(values_method)
{
    const struct row *r = self;
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_list(a);
    for (size_t i = 0; i < r->rows->column_count; i++)
        value_push(*ret, column_value(r, a, i));
    return STATUS_OK;
}

ROW_METHOD(items)
{
    const struct row *r = self;
    struct arena *a = eval_arena(ev);
    (void)args;
    *ret = value_list(a);
    for (size_t i = 0; i < r->rows->column_count; i++) {
        struct value pair = value_list(a);
        pair.tuple = true;
        value_push(pair, value_str(r->rows->columns[i]));
        value_push(pair, column_value(r, a, i));
        value_push(*ret, pair);
    }
    return STATUS_OK;
}

ROW_METHOD(get)
{
    const struct row *r = self;
    struct value key = eval_arg(args, 0, "key"), fallback = eval_arg(args, 1, "default");
    size_t at = value_is_text(key) ? find_column(r, key.s) : (size_t)-1;
    *ret = at != (size_t)-1                   ? column_value(r, eval_arena(ev), at)
           : fallback.kind == VALUE_UNDEFINED ? VALUE_NULL
                                              : fallback;
    return STATUS_OK;
}

static const struct {
    const char *name;
    struct value_class class;
} methods[] = {
    {"keys", {.name = "method", .call = row_keys}},
    {"items", {.name = "method", .call = row_items}},
    {"values", {.name = "method", .call = row_values_method}},
    {"get", {.name = "method", .call = row_get}},
};

static bool find_method(struct row *r, str name, struct value *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (str_is(name, methods[i].name)) {
            *ret = value_object(&methods[i].class, r);
            return true;
        }
    }
    return false;
}

/* ---- the two kinds ---- */

static bool row_item(void *self, struct eval *ev, struct value key, struct value *ret)
{
    const struct row *r = self;
    int64_t n = (int64_t)r->rows->column_count;
    if (key.kind == VALUE_INT && key.i >= -n && key.i < n) {
        *ret = column_value(r, eval_arena(ev), (size_t)(key.i < 0 ? key.i + n : key.i));
        return true;
    }
    size_t at = value_is_text(key) ? find_column(r, key.s) : (size_t)-1;
    if (at != (size_t)-1)
        *ret = column_value(r, eval_arena(ev), at);
    return at != (size_t)-1;
}

/* Of the methods only keys() goes before a column of that name, as with sqlite3.Row. */
static bool tuple_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    return (str_is(name, "keys") && find_method(self, name, ret)) || row_item(self, ev, value_str(name), ret) ||
           find_method(self, name, ret);
}

static bool dict_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    return find_method(self, name, ret) || row_item(self, ev, value_str(name), ret);
}

static bool tuple_next(void *self, struct eval *ev, size_t i, struct value *ret)
{
    const struct row *r = self;
    if (i >= r->rows->column_count)
        return false;
    *ret = column_value(r, eval_arena(ev), i);
    return true;
}

static bool dict_next(void *self, struct eval *ev, size_t i, struct value *ret)
{
    const struct row *r = self;
    (void)ev;
    if (i >= r->rows->column_count)
        return false;
    *ret = value_str(r->rows->columns[i]);
    return true;
}

static int64_t row_length(void *self, struct eval *ev)
{
    (void)ev;
    return (int64_t)((const struct row *)self)->rows->column_count;
}

static struct value row_plain(void *self, struct arena *a)
{
    const struct row *r = self;
    struct value d = value_dict(a);
    for (size_t i = 0; i < r->rows->column_count; i++)
        value_set(d, r->rows->columns[i], column_value(r, a, i));
    return d;
}

static struct value dict_text(void *self, struct eval *ev)
{
    return value_str(value_to_str(eval_arena(ev), row_plain(self, eval_arena(ev))));
}

static const struct value_class tuple_class = {
    .name = "row", .attr = tuple_attr, .item = row_item, .next = tuple_next, .length = row_length, .plain = row_plain};
static const struct value_class dict_class = {.name = "row",
                                              .attr = dict_attr,
                                              .item = row_item,
                                              .next = dict_next,
                                              .length = row_length,
                                              .text = dict_text,
                                              .plain = row_plain};

struct value row_values(struct arena *a, const struct rowset *rows, size_t count, enum row_kind kind)
{
    struct value list = value_list(a);
    struct row *all = ARENA_ARRAY(a, struct row, count + 1);
    for (size_t i = 0; i < count; i++) {
        all[i] = (struct row){rows, i, kind == ROW_DICT};
        value_push(list, value_object(kind == ROW_TUPLE ? &tuple_class : &dict_class, &all[i]));
    }
    return list;
}
