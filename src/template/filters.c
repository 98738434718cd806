/* SPDX-License-Identifier: Apache-2.0 */
#include "template/run.h"

#include <math.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "codec/html_escape.h"
#include "codec/url.h"

#define F(name)                                                                                                        \
    static enum status f_##name(struct eval *ev, struct value in, const struct value_args *args, struct value *ret)
#define UNUSED (void)ev, (void)in, (void)args

/* A method of Python's str as a filter. */
static enum status by_method(struct eval *ev, struct value in, const char *name, const struct value_args *args,
                             struct value *ret)
{
    bool found;
    if (!value_is_text(in))
        in = value_str(value_text(ev, in));
    method_call(ev, in, str_of(name), args, ret, &found);
    return ev->status;
}

F(lower)
{
    return by_method(ev, in, "lower", args, ret);
}
F(upper)
{
    return by_method(ev, in, "upper", args, ret);
}
F(title)
{
    return by_method(ev, in, "title", args, ret);
}
F(capitalize)
{
    return by_method(ev, in, "capitalize", args, ret);
}
F(trim)
{
    return by_method(ev, in, "strip", args, ret);
}
F(replace)
{
    return by_method(ev, in, "replace", args, ret);
}

F(abs)
{
    UNUSED;
    *ret = in.kind == VALUE_INT ? value_int(in.i < 0 ? -in.i : in.i)
                                : value_float(fabs(in.kind == VALUE_FLOAT ? in.f : 0));
    return STATUS_OK;
}

F(default)
{
    UNUSED;
    struct value fallback = eval_arg(args, 0, "default_value"), falsy = eval_arg(args, 1, "boolean");
    bool use = in.kind == VALUE_UNDEFINED || (value_truth(falsy) && !value_truth(in));
    *ret = use ? (fallback.kind == VALUE_UNDEFINED ? value_str(STR("")) : fallback) : in;
    return STATUS_OK;
}

F(length)
{
    UNUSED;
    int64_t n = op_length(ev, in);
    if (n < 0)
        return eval_fail(ev, STATUS_INVALID, "this value has no length");
    *ret = value_int(n);
    return STATUS_OK;
}

F(list)
{
    UNUSED;
    struct value list = iter_list(ev, in);
    *ret = value_list(ev->arena);
    for (size_t i = 0; i < value_count(list); i++)
        value_push(*ret, value_at(list, i));
    return ev->status;
}

F(first)
{
    UNUSED;
    *ret = value_at(iter_list(ev, in), 0);
    return ev->status;
}

F(last)
{
    UNUSED;
    struct value list = iter_list(ev, in);
    *ret = value_at(list, value_count(list) - 1);
    return ev->status;
}

F(reverse)
{
    UNUSED;
    struct value list = iter_list(ev, in), out = value_list(ev->arena);
    for (size_t i = value_count(list); i-- > 0;)
        value_push(out, value_at(list, i));
    *ret = value_is_text(in) ? op_concat(ev, out.list->items, value_count(out)) : out;
    return ev->status;
}

F(string)
{
    UNUSED;
    *ret = value_is_text(in) ? in : value_str(value_text(ev, in));
    return STATUS_OK;
}

F(safe)
{
    UNUSED;
    *ret = value_safe(value_text(ev, in));
    return STATUS_OK;
}

F(escape)
{
    UNUSED;
    *ret = value_safe(value_html(ev, in));
    return STATUS_OK;
}

F(forceescape)
{
    UNUSED;
    *ret = value_safe(html_escape_arena(ev->arena, value_text(ev, in)));
    return STATUS_OK;
}

/* "a.b.0" as map(attribute=...) takes it */
static struct value one_path(struct eval *ev, struct value v, struct value path)
{
    if (path.kind == VALUE_INT) {
        struct value out = VALUE_UNDEF;
        op_item(ev, v, path, &out);
        return out;
    }
    str rest = path.s, part;
    while (rest.n) {
        struct value out = VALUE_UNDEF;
        int64_t i;
        str_cut(rest, '.', &part, &rest);
        if (str_to_i64(part, &i))
            op_item(ev, v, value_int(i), &out);
        else if (!op_attr(ev, v, part, &out))
            op_item(ev, v, value_str(part), &out);
        v = out;
    }
    return v;
}

/* "a.b" of v; "a,b.c" a list of several, to sort by one after the other. */
static struct value attr_path(struct eval *ev, struct value v, struct value path)
{
    if (!value_is_text(path) || str_find_char(path.s, ',') == STR_NPOS)
        return one_path(ev, v, path);
    struct value list = value_list(ev->arena);
    for (str rest = path.s, part; rest.n;) {
        str_cut(rest, ',', &part, &rest);
        value_push(list, one_path(ev, v, value_str(part)));
    }
    return list;
}

F(join)
{
    struct value sep = eval_arg(args, 0, "d"), attr = eval_arg(args, 1, "attribute");
    struct value list = iter_list(ev, in);
    size_t n = value_count(list), k = 0;
    struct value *parts = ARENA_ARRAY(ev->arena, struct value, n * 2 + 1);
    for (size_t i = 0; i < n; i++) {
        if (i && !value_is_null(sep))
            parts[k++] = sep;
        parts[k++] = value_is_null(attr) ? value_at(list, i) : attr_path(ev, value_at(list, i), attr);
    }
    *ret = op_concat(ev, parts, k);
    return ev->status;
}

F(int)
{
    struct value fallback = eval_arg(args, 0, "default");
    char *end;
    *ret = value_is_null(fallback) ? value_int(0) : fallback;
    if (in.kind == VALUE_INT || in.kind == VALUE_BOOL)
        *ret = value_int(in.kind == VALUE_INT ? in.i : in.b);
    else if (in.kind == VALUE_FLOAT && fabs(in.f) < 9e18)
        *ret = value_int((int64_t)in.f);
    else if (value_is_text(in)) {
        str s = str_trim(in.s);
        int64_t i;
        double f = strtod(arena_cstr(ev->arena, s), &end);
        if (str_to_i64(s, &i))
            *ret = value_int(i);
        else if (s.n && !*end && fabs(f) < 9e18)
            *ret = value_int((int64_t)f);
    }
    return STATUS_OK;
}

F(float)
{
    struct value fallback = eval_arg(args, 0, "default");
    char *end;
    *ret = value_is_null(fallback) ? value_float(0) : fallback;
    if (in.kind == VALUE_INT || in.kind == VALUE_BOOL)
        *ret = value_float(in.kind == VALUE_INT ? (double)in.i : in.b);
    else if (in.kind == VALUE_FLOAT)
        *ret = in;
    else if (value_is_text(in) && str_trim(in.s).n) {
        double f = strtod(arena_cstr(ev->arena, str_trim(in.s)), &end);
        if (!*end)
            *ret = value_float(f);
    }
    return STATUS_OK;
}

F(round)
{
    UNUSED;
    struct value places = eval_arg(args, 0, "precision"), method = eval_arg(args, 1, "method");
    double f = in.kind == VALUE_INT ? (double)in.i : in.kind == VALUE_FLOAT ? in.f : 0;
    double scale = pow(10, places.kind == VALUE_INT ? (double)places.i : 0);
    if (value_is_text(method) && str_is(method.s, "ceil"))
        f = ceil(f * scale) / scale;
    else if (value_is_text(method) && str_is(method.s, "floor"))
        f = floor(f * scale) / scale;
    else
        f = strtod(
            arena_printf(ev->arena, "%.*f", places.kind == VALUE_INT && places.i > 0 ? (int)MIN(places.i, 30) : 0, f).p,
            NULL);
    *ret = in.kind == VALUE_INT && scale >= 1 ? in : value_float(f);
    return STATUS_OK;
}

F(tojson)
{
    struct value indent = eval_arg(args, 0, "indent");
    struct buf b;
    buf_init(&b, ev->out->max);
    unsigned flags = VALUE_JSON_SORTED | VALUE_JSON_HTML;
    in = value_plain(ev->arena, in);
    if (indent.kind == VALUE_INT && indent.i > 0)
        value_to_json_indent(&b, in, flags, (int)MIN(indent.i, 16));
    else
        value_to_json(&b, in, flags);
    *ret = value_safe(arena_str(ev->arena, buf_str(&b)));
    buf_release(&b);
    return STATUS_OK;
}

F(urlencode)
{
    UNUSED;
    struct arena *a = ev->arena;
    if (in.kind != VALUE_DICT && in.kind != VALUE_LIST) {
        *ret = value_str(url_quote(a, value_text(ev, in), "/"));
        return STATUS_OK;
    }
    VEC(struct url_pair) pairs = {0};
    for (size_t i = 0; i < value_count(in); i++) {
        struct value k = in.kind == VALUE_DICT ? value_str(in.dict->entries[i].key) : value_at(value_at(in, i), 0);
        struct value v = in.kind == VALUE_DICT ? in.dict->entries[i].value : value_at(value_at(in, i), 1);
        VEC_PUSH(a, &pairs, (struct url_pair){value_text(ev, k), value_text(ev, v)});
    }
    *ret = value_str(url_encode(a, pairs.items, pairs.count));
    return STATUS_OK;
}

F(format)
{
    struct value list = value_list(ev->arena);
    list.tuple = true;
    for (size_t i = 0; i < args->count; i++)
        value_push(list, args->positional[i]);
    if (args->keyword_count && !args->count) {
        list = value_dict(ev->arena);
        for (size_t i = 0; i < args->keyword_count; i++)
            value_set(list, args->keywords[i].key, args->keywords[i].value);
    }
    format_percent(ev, value_text(ev, in), in.kind == VALUE_SAFE, list, ret);
    return ev->status;
}

/* Applies a filter by name, or picks an attribute. */
F(map)
{
    struct value attr = eval_arg(args, (size_t)-1, "attribute"), fallback = eval_arg(args, (size_t)-1, "default");
    struct value list = iter_list(ev, in);
    *ret = value_list(ev->arena);
    template_filter_fn *fn = NULL;
    if (value_is_null(attr)) {
        fn = args->count && value_is_text(args->positional[0]) ? env_filter(ev->env, args->positional[0].s) : NULL;
        if (!fn)
            return eval_fail(ev, STATUS_INVALID, "map() needs attribute= or the name of a filter");
    }
    struct value_args rest = {args->positional + 1, args->count ? args->count - 1 : 0, args->keywords,
                              args->keyword_count};
    for (size_t i = 0; i < value_count(list); i++) {
        struct value v = VALUE_UNDEF;
        if (fn && fn(ev, value_at(list, i), &rest, &v) != STATUS_OK)
            return ev->status;
        if (!fn)
            v = attr_path(ev, value_at(list, i), attr);
        value_push(*ret, v.kind == VALUE_UNDEFINED && fallback.kind != VALUE_UNDEFINED ? fallback : v);
    }
    return ev->status;
}

static enum status pick(struct eval *ev, struct value in, const struct value_args *args, bool by_attr, bool keep,
                        struct value *ret)
{
    struct value list = iter_list(ev, in);
    size_t skip = by_attr ? 1 : 0;
    template_test_fn *test = NULL;
    *ret = value_list(ev->arena);
    if (args->count > skip) {
        test = value_is_text(args->positional[skip]) ? env_test(ev->env, args->positional[skip].s) : NULL;
        if (!test)
            return eval_fail(ev, STATUS_INVALID, "no test of that name");
    }
    struct value_args rest = {args->positional + skip + 1, args->count > skip ? args->count - skip - 1 : 0, NULL, 0};
    for (size_t i = 0; i < value_count(list); i++) {
        struct value item = value_at(list, i),
                     of = by_attr && args->count ? attr_path(ev, item, args->positional[0]) : item;
        bool is = value_truth(of);
        if (test && test(ev, of, &rest, &is) != STATUS_OK)
            return ev->status;
        if (is == keep)
            value_push(*ret, item);
    }
    return ev->status;
}

F(select)
{
    return pick(ev, in, args, false, true, ret);
}
F(reject)
{
    return pick(ev, in, args, false, false, ret);
}
F(selectattr)
{
    return pick(ev, in, args, true, true, ret);
}
F(rejectattr)
{
    return pick(ev, in, args, true, false, ret);
}

/* ---- sorting ---- */

struct sortable {
    struct value key, item;
    bool nocase, reverse;
    size_t at;
};

static int by_key(const void *x, const void *y)
{
    const struct sortable *a = x, *b = y;
    bool comparable;
    int c;
    if (a->nocase && value_is_text(a->key) && value_is_text(b->key)) {
        c = 0;
        for (size_t i = 0; !c && i < a->key.s.n && i < b->key.s.n; i++) {
            unsigned char p = (unsigned char)a->key.s.p[i], q = (unsigned char)b->key.s.p[i];
            p = p >= 'A' && p <= 'Z' ? p + 32 : p;
            q = q >= 'A' && q <= 'Z' ? q + 32 : q;
            c = p - q;
        }
        if (!c)
            c = a->key.s.n < b->key.s.n ? -1 : a->key.s.n > b->key.s.n;
    } else {
        c = op_order(a->key, b->key, &comparable);
    }
    if (a->reverse)
        c = -c;
    return c ? c : a->at < b->at ? -1 : 1;
}

static struct value sort_list(struct eval *ev, struct value list, struct value attr, bool nocase, bool reverse)
{
    size_t n = value_count(list);
    struct sortable *s = ARENA_ARRAY(ev->arena, struct sortable, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct value item = value_at(list, i);
        s[i] = (struct sortable){value_is_null(attr) ? item : attr_path(ev, item, attr), item, nocase, reverse, i};
    }
    qsort(s, n, sizeof *s, by_key);
    struct value out = value_list(ev->arena);
    for (size_t i = 0; i < n; i++)
        value_push(out, s[i].item);
    return out;
}

F(sort)
{
    struct value reverse = eval_arg(args, 0, "reverse"), sensitive = eval_arg(args, 1, "case_sensitive");
    *ret =
        sort_list(ev, iter_list(ev, in), eval_arg(args, 2, "attribute"), !value_truth(sensitive), value_truth(reverse));
    return ev->status;
}

F(dictsort)
{
    struct value by = eval_arg(args, 1, "by"), items;
    bool found, by_value = value_is_text(by) && str_is(by.s, "value");
    struct value_args none = {0};
    if (in.kind != VALUE_DICT)
        return eval_fail(ev, STATUS_INVALID, "dictsort needs a dict");
    method_call(ev, in, STR("items"), &none, &items, &found);
    *ret = sort_list(ev, items, value_int(by_value), !value_truth(eval_arg(args, 0, "case_sensitive")),
                     value_truth(eval_arg(args, 2, "reverse")));
    return ev->status;
}

/* (grouper, list), by place and by name. */
struct group {
    struct value pair[2];
};

static bool group_next(void *self, struct eval *ev, size_t i, struct value *ret)
{
    (void)ev;
    if (i < 2)
        *ret = ((const struct group *)self)->pair[i];
    return i < 2;
}

static bool group_item(void *self, struct eval *ev, struct value key, struct value *ret)
{
    return key.kind == VALUE_INT && key.i >= 0 && group_next(self, ev, (size_t)key.i, ret);
}

static bool group_attr(void *self, struct eval *ev, str name, struct value *ret)
{
    bool grouper = str_is(name, "grouper");
    return (grouper || str_is(name, "list")) && group_next(self, ev, !grouper, ret);
}

static int64_t group_length(void *self, struct eval *ev)
{
    (void)self, (void)ev;
    return 2;
}

static const struct value_class group_class = {
    .name = "group", .next = group_next, .item = group_item, .attr = group_attr, .length = group_length};

F(groupby)
{
    struct value attr = eval_arg(args, 0, "attribute"), sorted = sort_list(ev, iter_list(ev, in), attr, true, false);
    struct value fallback = eval_arg(args, 1, "default");
    *ret = value_list(ev->arena);
    struct group *group = NULL;
    for (size_t i = 0; i < value_count(sorted); i++) {
        struct value item = value_at(sorted, i), key = attr_path(ev, item, attr);
        if (key.kind == VALUE_UNDEFINED)
            key = fallback;
        if (!group || !value_equal(key, group->pair[0])) {
            group = ARENA_NEW(ev->arena, struct group);
            *group = (struct group){{key, value_list(ev->arena)}};
            value_push(*ret, value_object(&group_class, group));
        }
        value_push(group->pair[1], item);
    }
    return ev->status;
}

/* By printed form and kind, upper and lower case alike: no search through all that came before. */
F(unique)
{
    struct value sensitive = eval_arg(args, 0, "case_sensitive"), attr = eval_arg(args, 1, "attribute");
    struct value list = iter_list(ev, in), seen = value_dict(ev->arena);
    *ret = value_list(ev->arena);
    for (size_t i = 0; i < value_count(list) && run_step(ev, ev->node); i++) {
        struct value item = value_at(list, i), key = value_is_null(attr) ? item : attr_path(ev, item, attr);
        str text = value_to_str(ev->arena, key);
        if (value_is_text(key) && !value_truth(sensitive))
            text = letters_case(ev->arena, text, 'l');
        text = ARENA_CAT(ev->arena, value_is_text(key) ? STR("s") : STR("v"), text);
        if (value_has(seen, text))
            continue;
        value_set(seen, text, VALUE_NULL);
        value_push(*ret, item);
    }
    return ev->status;
}

static enum status extreme(struct eval *ev, struct value in, const struct value_args *args, bool max, struct value *ret)
{
    struct value sorted = sort_list(ev, iter_list(ev, in), eval_arg(args, 1, "attribute"), true, false);
    *ret = value_at(sorted, max ? value_count(sorted) - 1 : 0);
    return ev->status;
}

F(min)
{
    return extreme(ev, in, args, false, ret);
}
F(max)
{
    return extreme(ev, in, args, true, ret);
}

F(sum)
{
    struct value attr = eval_arg(args, 0, "attribute"), start = eval_arg(args, 1, "start"), list = iter_list(ev, in);
    *ret = value_is_null(start) ? value_int(0) : start;
    for (size_t i = 0; i < value_count(list); i++) {
        struct value item = value_is_null(attr) ? value_at(list, i) : attr_path(ev, value_at(list, i), attr);
        if (!op_binary(ev, ev->node, OP_ADD, *ret, item, ret))
            return ev->status;
    }
    return ev->status;
}

F(batch)
{
    struct value size = eval_arg(args, 0, "linecount"), fill = eval_arg(args, 1, "fill_with"), list = iter_list(ev, in);
    *ret = value_list(ev->arena);
    if (size.kind != VALUE_INT || size.i < 1)
        return eval_fail(ev, STATUS_INVALID, "batch() needs a size");
    struct value line = VALUE_UNDEF;
    for (size_t i = 0; i < value_count(list); i++) {
        if (i % (size_t)size.i == 0) {
            line = value_list(ev->arena);
            value_push(*ret, line);
        }
        value_push(line, value_at(list, i));
    }
    while (line.kind == VALUE_LIST && !value_is_null(fill) && (int64_t)value_count(line) < MIN(size.i, 10000))
        value_push(line, fill);
    return ev->status;
}

F(items)
{
    bool found;
    struct value_args none = {0};
    (void)args;
    *ret = value_list(ev->arena);
    if (in.kind == VALUE_DICT)
        method_call(ev, in, STR("items"), &none, ret, &found);
    return ev->status;
}

F(attr)
{
    *ret = VALUE_UNDEF;
    struct value name = eval_arg(args, 0, "name");
    if (value_is_text(name) && in.kind == VALUE_OBJECT)
        op_attr(ev, in, name.s, ret);
    return STATUS_OK;
}

/* ---- text ---- */

F(truncate)
{
    struct value length = eval_arg(args, 0, "length"), kill = eval_arg(args, 1, "killwords");
    struct value end = eval_arg(args, 2, "end"), leeway = eval_arg(args, 3, "leeway");
    str s = value_text(ev, in), tail = value_is_text(end) ? end.s : STR("...");
    int64_t n = length.kind == VALUE_INT ? length.i : 255, slack = leeway.kind == VALUE_INT ? leeway.i : 5;
    *ret = in.kind == VALUE_SAFE ? in : value_str(s);
    if ((int64_t)utf8_count(s) <= n + slack)
        return STATUS_OK;
    int64_t keep = n - (int64_t)utf8_count(tail);
    str cut = str_sub(s, 0, utf8_offset(s, keep > 0 ? (size_t)keep : 0));
    size_t space = str_rfind_char(cut, ' ');
    if (!value_truth(kill) && space != STR_NPOS)
        cut = str_sub(cut, 0, space);
    struct value both[2] = {in.kind == VALUE_SAFE ? value_safe(cut) : value_str(cut), value_str(tail)};
    *ret = op_concat(ev, both, 2);
    return STATUS_OK;
}

F(wordcount)
{
    struct value words;
    bool found;
    struct value_args none = {0};
    (void)args;
    method_call(ev, value_str(value_text(ev, in)), STR("split"), &none, &words, &found);
    *ret = value_int((int64_t)value_count(words));
    return ev->status;
}

F(center)
{
    struct value width = eval_arg(args, 0, "width");
    struct value_args one = {.positional = &in, .count = 1};
    str fmt = arena_printf(ev->arena, "{:^%lld}", (long long)(width.kind == VALUE_INT ? MIN(width.i, 1000) : 80));
    in = value_str(value_text(ev, in));
    format_braces(ev, fmt, false, &one, ret);
    return ev->status;
}

F(indent)
{
    struct value width = eval_arg(args, 0, "width"), first = eval_arg(args, 1, "first"),
                 blank = eval_arg(args, 2, "blank");
    str s = value_text(ev, in), line;
    struct buf b;
    buf_init(&b, ev->out->max);
    bool start = true;
    while (s.n || start) {
        bool more = str_cut(s, '\n', &line, &s);
        if ((!start || value_truth(first)) && (line.n || value_truth(blank)))
            for (int64_t i = 0; i < (width.kind == VALUE_INT ? MIN(width.i, 200) : 4); i++)
                buf_putc(&b, ' ');
        buf_puts(&b, line);
        if (more)
            buf_putc(&b, '\n');
        start = false;
    }
    *ret = in.kind == VALUE_SAFE ? value_safe(arena_str(ev->arena, buf_str(&b)))
                                 : value_str(arena_str(ev->arena, buf_str(&b)));
    buf_release(&b);
    return STATUS_OK;
}

F(filesizeformat)
{
    bool binary = value_truth(eval_arg(args, 0, "binary"));
    static const char *const decimal[] = {"kB", "MB", "GB", "TB", "PB"}, *const bin[] = {"KiB", "MiB", "GiB", "TiB",
                                                                                         "PiB"};
    double n = in.kind == VALUE_INT ? (double)in.i : in.kind == VALUE_FLOAT ? in.f : 0, base = binary ? 1024 : 1000;
    if (n < base) {
        *ret = value_str(arena_printf(ev->arena, n == 1 ? "1 Byte" : "%.0f Bytes", n));
        return STATUS_OK;
    }
    size_t unit = 0;
    n /= base;
    while (n >= base && unit + 1 < ARRAY_LEN(decimal)) {
        n /= base;
        unit++;
    }
    *ret = value_str(arena_printf(ev->arena, "%.1f %s", n, binary ? bin[unit] : decimal[unit]));
    return STATUS_OK;
}

F(xmlattr)
{
    struct buf b;
    (void)args;
    buf_init(&b, ev->out->max);
    for (size_t i = 0; in.kind == VALUE_DICT && i < in.dict->count; i++) {
        if (value_is_null(in.dict->entries[i].value))
            continue;
        buf_putc(&b, ' ');
        html_escape(&b, in.dict->entries[i].key);
        buf_puts(&b, STR("=\""));
        buf_puts(&b, value_html(ev, in.dict->entries[i].value));
        buf_putc(&b, '"');
    }
    *ret = value_safe(arena_str(ev->arena, buf_str(&b)));
    buf_release(&b);
    return STATUS_OK;
}

const struct named_filter builtin_filters[] = {
    {"abs", f_abs},
    {"attr", f_attr},
    {"batch", f_batch},
    {"capitalize", f_capitalize},
    {"center", f_center},
    {"count", f_length},
    {"d", f_default},
    {"default", f_default},
    {"dictsort", f_dictsort},
    {"e", f_escape},
    {"escape", f_escape},
    {"filesizeformat", f_filesizeformat},
    {"first", f_first},
    {"float", f_float},
    {"forceescape", f_forceescape},
    {"format", f_format},
    {"groupby", f_groupby},
    {"indent", f_indent},
    {"int", f_int},
    {"items", f_items},
    {"join", f_join},
    {"last", f_last},
    {"length", f_length},
    {"list", f_list},
    {"lower", f_lower},
    {"map", f_map},
    {"max", f_max},
    {"min", f_min},
    {"pprint", filter_pprint},
    {"random", filter_random},
    {"reject", f_reject},
    {"rejectattr", f_rejectattr},
    {"replace", f_replace},
    {"reverse", f_reverse},
    {"round", f_round},
    {"safe", f_safe},
    {"select", f_select},
    {"selectattr", f_selectattr},
    {"slice", filter_slice},
    {"sort", f_sort},
    {"string", f_string},
    {"striptags", filter_striptags},
    {"sum", f_sum},
    {"title", f_title},
    {"tojson", f_tojson},
    {"trim", f_trim},
    {"truncate", f_truncate},
    {"unique", f_unique},
    {"upper", f_upper},
    {"urlencode", f_urlencode},
    {"urlize", filter_urlize},
    {"wordcount", f_wordcount},
    {"wordwrap", filter_wordwrap},
    {"xmlattr", f_xmlattr},
};
const size_t builtin_filter_count = ARRAY_LEN(builtin_filters);

/* ---- tests ---- */

#define T(name, expression)                                                                                            \
    static enum status t_##name(struct eval *ev, struct value in, const struct value_args *args, bool *ret)            \
    {                                                                                                                  \
        struct value arg = eval_arg(args, 0, NULL);                                                                    \
        bool comparable;                                                                                               \
        (void)ev, (void)arg, (void)comparable;                                                                         \
        *ret = (expression);                                                                                           \
        return STATUS_OK;                                                                                              \
    }
T(defined, in.kind != VALUE_UNDEFINED)
T(undefined, in.kind == VALUE_UNDEFINED)
T(none, in.kind == VALUE_NONE)
T(boolean, in.kind == VALUE_BOOL)
T(true, in.kind == VALUE_BOOL && in.b)
T(false, in.kind == VALUE_BOOL && !in.b)
T(integer, in.kind == VALUE_INT)
T(float, in.kind == VALUE_FLOAT)
T(number, in.kind == VALUE_INT || in.kind == VALUE_FLOAT || in.kind == VALUE_BOOL)
T(string, value_is_text(in))
T(mapping, in.kind == VALUE_DICT)
T(sequence, in.kind == VALUE_LIST || in.kind == VALUE_DICT || value_is_text(in))
T(iterable, in.kind == VALUE_LIST || in.kind == VALUE_DICT || value_is_text(in) ||
                (in.kind == VALUE_OBJECT && in.object.class->next))
T(callable, in.kind == VALUE_OBJECT && in.object.class->call)
T(escaped, in.kind == VALUE_SAFE)
T(even, in.kind == VALUE_INT && in.i % 2 == 0)
T(odd, in.kind == VALUE_INT && in.i % 2 != 0)
T(divisibleby, in.kind == VALUE_INT && arg.kind == VALUE_INT && arg.i && in.i % arg.i == 0)
T(eq, value_equal(in, arg))
T(ne, !value_equal(in, arg))
T(lt, op_order(in, arg, &comparable) < 0)
T(le, op_order(in, arg, &comparable) <= 0)
T(gt, op_order(in, arg, &comparable) > 0)
T(ge, op_order(in, arg, &comparable) >= 0)
T(in, op_contains(ev, arg, in))
T(sameas, in.kind == arg.kind && value_equal(in, arg))
T(lower, value_is_text(in) &&
             str_eq(by_method(ev, in, "lower", &(struct value_args){0}, &arg) == STATUS_OK ? arg.s : in.s, in.s))
T(upper, value_is_text(in) &&
             str_eq(by_method(ev, in, "upper", &(struct value_args){0}, &arg) == STATUS_OK ? arg.s : in.s, in.s))

const struct named_test builtin_tests[] = {
    {"defined", t_defined},
    {"undefined", t_undefined},
    {"none", t_none},
    {"boolean", t_boolean},
    {"true", t_true},
    {"false", t_false},
    {"integer", t_integer},
    {"float", t_float},
    {"number", t_number},
    {"string", t_string},
    {"mapping", t_mapping},
    {"sequence", t_sequence},
    {"iterable", t_iterable},
    {"callable", t_callable},
    {"escaped", t_escaped},
    {"even", t_even},
    {"odd", t_odd},
    {"divisibleby", t_divisibleby},
    {"eq", t_eq},
    {"equalto", t_eq},
    {"==", t_eq},
    {"ne", t_ne},
    {"lt", t_lt},
    {"lessthan", t_lt},
    {"le", t_le},
    {"gt", t_gt},
    {"greaterthan", t_gt},
    {"ge", t_ge},
    {"in", t_in},
    {"sameas", t_sameas},
    {"lower", t_lower},
    {"upper", t_upper},
};
const size_t builtin_test_count = ARRAY_LEN(builtin_tests);
