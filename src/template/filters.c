/* SPDX-License-Identifier: Apache-2.0 */
/* filters — of one value each: escaping, numbers, first and last, map and select; and the table of all. */
#include "template/filters.h"

#include <math.h>
#include <stdlib.h>

#include "codec/html_escape.h"
#include "codec/url.h"

/* A method of Python's str as a filter. */
enum status filter_by_method(struct eval *ev, struct value in, const char *name, const struct value_args *args,
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
    return filter_by_method(ev, in, "lower", args, ret);
}
F(upper)
{
    return filter_by_method(ev, in, "upper", args, ret);
}
F(title)
{
    return filter_by_method(ev, in, "title", args, ret);
}
F(capitalize)
{
    return filter_by_method(ev, in, "capitalize", args, ret);
}
F(trim)
{
    return filter_by_method(ev, in, "strip", args, ret);
}
F(replace)
{
    return filter_by_method(ev, in, "replace", args, ret);
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
struct value filter_path(struct eval *ev, struct value v, struct value path)
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
        parts[k++] = value_is_null(attr) ? value_at(list, i) : filter_path(ev, value_at(list, i), attr);
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
            v = filter_path(ev, value_at(list, i), attr);
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
        test = value_is_text(args->positional[skip]) ? env_test(args->positional[skip].s) : NULL;
        if (!test)
            return eval_fail(ev, STATUS_INVALID, "no test of that name");
    }
    struct value_args rest = {args->positional + skip + 1, args->count > skip ? args->count - skip - 1 : 0, NULL, 0};
    for (size_t i = 0; i < value_count(list); i++) {
        struct value item = value_at(list, i),
                     of = by_attr && args->count ? filter_path(ev, item, args->positional[0]) : item;
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

const struct named_filter builtin_filters[] = {
    {"abs", filter_abs},
    {"attr", filter_attr},
    {"batch", filter_batch},
    {"capitalize", filter_capitalize},
    {"center", filter_center},
    {"count", filter_length},
    {"d", filter_default},
    {"default", filter_default},
    {"dictsort", filter_dictsort},
    {"e", filter_escape},
    {"escape", filter_escape},
    {"filesizeformat", filter_filesizeformat},
    {"first", filter_first},
    {"float", filter_float},
    {"forceescape", filter_forceescape},
    {"format", filter_format},
    {"groupby", filter_groupby},
    {"indent", filter_indent},
    {"int", filter_int},
    {"items", filter_items},
    {"join", filter_join},
    {"last", filter_last},
    {"length", filter_length},
    {"list", filter_list},
    {"lower", filter_lower},
    {"map", filter_map},
    {"max", filter_max},
    {"min", filter_min},
    {"pprint", filter_pprint},
    {"random", filter_random},
    {"reject", filter_reject},
    {"rejectattr", filter_rejectattr},
    {"replace", filter_replace},
    {"reverse", filter_reverse},
    {"round", filter_round},
    {"safe", filter_safe},
    {"select", filter_select},
    {"selectattr", filter_selectattr},
    {"slice", filter_slice},
    {"sort", filter_sort},
    {"string", filter_string},
    {"striptags", filter_striptags},
    {"sum", filter_sum},
    {"title", filter_title},
    {"tojson", filter_tojson},
    {"trim", filter_trim},
    {"truncate", filter_truncate},
    {"unique", filter_unique},
    {"upper", filter_upper},
    {"urlencode", filter_urlencode},
    {"urlize", filter_urlize},
    {"wordcount", filter_wordcount},
    {"wordwrap", filter_wordwrap},
    {"xmlattr", filter_xmlattr},
};
const size_t builtin_filter_count = ARRAY_LEN(builtin_filters);
