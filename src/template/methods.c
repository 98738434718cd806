/* SPDX-License-Identifier: Apache-2.0 */
/* methods — what Python's str, dict and list offer to templates. */
#include "template/run.h"

#include "base/utf8.h"

static str arg_text(struct eval *ev, const struct value_args *args, size_t i)
{
    struct value v = eval_arg(args, i, NULL);
    return v.kind == VALUE_UNDEFINED ? (str){0} : value_text(ev, v);
}

static struct value like(struct value of, str s)
{
    of.s = s;
    return of;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static str strip(str s, str chars, bool left, bool right)
{
    while (left && s.n && (chars.p ? str_find_char(chars, s.p[0]) != STR_NPOS : is_space(s.p[0])))
        s = str_from(s, 1);
    while (right && s.n && (chars.p ? str_find_char(chars, s.p[s.n - 1]) != STR_NPOS : is_space(s.p[s.n - 1])))
        s.n--;
    return s;
}

static struct value split(struct eval *ev, struct value of, const struct value_args *args)
{
    struct value list = value_list(ev->arena), max_value = eval_arg(args, 1, "maxsplit");
    int64_t max = max_value.kind == VALUE_INT ? max_value.i : -1;
    struct value sep_value = eval_arg(args, 0, "sep");
    str rest = of.s;
    if (!value_is_text(sep_value) || !sep_value.s.n) {
        rest = strip(rest, (str){0}, true, false);
        while (rest.n) {
            size_t i = 0;
            while (i < rest.n && !is_space(rest.p[i]))
                i++;
            if (max >= 0 && (int64_t)value_count(list) >= max)
                i = rest.n;
            value_push(list, like(of, str_sub(rest, 0, i)));
            rest = strip(str_from(rest, i), (str){0}, true, false);
        }
        return list;
    }
    for (;;) {
        size_t at = max >= 0 && (int64_t)value_count(list) >= max ? STR_NPOS : str_find(rest, sep_value.s);
        if (at == STR_NPOS)
            break;
        value_push(list, like(of, str_sub(rest, 0, at)));
        rest = str_from(rest, at + sep_value.s.n);
    }
    value_push(list, like(of, rest));
    return list;
}

static str replace(struct eval *ev, str s, str from, str to, int64_t max)
{
    struct buf out;
    buf_init(&out, ev->out->max);
    while (s.n && from.n && max != 0) {
        size_t at = str_find(s, from);
        if (at == STR_NPOS)
            break;
        buf_puts(&out, str_sub(s, 0, at));
        buf_puts(&out, to);
        s = str_from(s, at + from.n);
        max--;
    }
    buf_puts(&out, s);
    str done = arena_str(ev->arena, buf_str(&out));
    buf_release(&out);
    return done;
}

static bool all_of(str s, bool (*test)(char c))
{
    for (size_t i = 0; i < s.n; i++)
        if (!test(s.p[i]))
            return false;
    return s.n > 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

static struct value text_join(struct eval *ev, struct value sep, struct value items)
{
    struct value list = iter_list(ev, items);
    size_t n = value_count(list);
    struct value *parts = ARENA_ARRAY(ev->arena, struct value, n * 2 + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (i)
            parts[k++] = sep;
        parts[k++] = value_at(list, i);
    }
    return op_concat(ev, parts, k);
}

static bool prefix_test(struct eval *ev, struct value of, struct value with, bool end)
{
    if (with.kind == VALUE_LIST) {
        for (size_t i = 0; i < value_count(with); i++)
            if (prefix_test(ev, of, value_at(with, i), end))
                return true;
        return false;
    }
    str w = value_text(ev, with);
    return end ? str_ends(of.s, w) : str_starts(of.s, w);
}

static size_t find_last(str s, str what)
{
    for (size_t i = s.n + 1; i-- > 0;)
        if (str_starts(str_from(s, i), what))
            return i;
    return STR_NPOS;
}

static struct value partition(struct eval *ev, struct value of, str sep, bool last)
{
    struct value t = value_list(ev->arena), empty = like(of, STR(""));
    size_t at = !sep.n ? STR_NPOS : last ? find_last(of.s, sep) : str_find(of.s, sep);
    t.tuple = true;
    if (at == STR_NPOS) {
        value_push(t, last ? empty : of);
        value_push(t, empty);
        value_push(t, last ? of : empty);
        return t;
    }
    value_push(t, like(of, str_sub(of.s, 0, at)));
    value_push(t, like(of, sep));
    value_push(t, like(of, str_from(of.s, at + sep.n)));
    return t;
}

#define PAD_MAX 1000 /* columns; wider is cut */

/* how: 'l' text left, 'r' right, 'c' in the middle */
static str pad(struct eval *ev, str s, int64_t width, struct value fill, char how)
{
    int64_t n = MIN(width, PAD_MAX) - (int64_t)utf8_count(s);
    if (n <= 0)
        return s;
    size_t left = how == 'l' ? 0 : how == 'r' ? (size_t)n : (size_t)n / 2;
    char *p = arena_alloc_raw(ev->arena, s.n + (size_t)n + 1);
    memset(p, value_is_text(fill) && fill.s.n ? fill.s.p[0] : ' ', s.n + (size_t)n);
    memcpy(p + left, s.p, s.n);
    return str_make(p, s.n + (size_t)n);
}

/* split from the right: at most once, or as split. */
static struct value rsplit(struct eval *ev, struct value of, str by, const struct value_args *args)
{
    size_t at = STR_NPOS;
    for (size_t i = of.s.n; by.n && i-- > 0 && at == STR_NPOS;)
        if (str_starts(str_from(of.s, i), by))
            at = i;
    struct value max = eval_arg(args, 1, "maxsplit");
    if (max.kind != VALUE_INT || max.i != 1 || at == STR_NPOS)
        return split(ev, of, args);
    struct value two = value_list(ev->arena);
    value_push(two, like(of, str_sub(of.s, 0, at)));
    value_push(two, like(of, str_from(of.s, at + by.n)));
    return two;
}

/* Methods that only change letters, or what stands at the ends. */
static bool edge_or_case_method(struct eval *ev, struct value of, str name, str what, struct value *ret)
{
    static const struct {
        const char *name;
        char how; /* of letters_case */
    } cases[] = {{"lower", 'l'},      {"upper", 'u'},    {"title", 't'},
                 {"capitalize", 'c'}, {"swapcase", 's'}, {"casefold", 'l'}};
    static const struct {
        const char *name;
        bool left, right;
    } strips[] = {{"strip", true, true}, {"lstrip", true, false}, {"rstrip", false, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (str_is(name, cases[i].name)) {
            *ret = like(of, letters_case(ev->arena, of.s, cases[i].how));
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(strips); i++) {
        if (str_is(name, strips[i].name)) {
            *ret = like(of, strip(of.s, what, strips[i].left, strips[i].right));
            return true;
        }
    }
    return false;
}

static bool text_method(struct eval *ev, struct value of, str name, const struct value_args *args, struct value *ret)
{
    str a0 = arg_text(ev, args, 0);
    if (str_is(name, "format"))
        return format_braces(ev, of.s, of.kind == VALUE_SAFE, args, ret);
    if (edge_or_case_method(ev, of, name, a0, ret))
        return true;
    if (str_is(name, "split"))
        *ret = split(ev, of, args);
    else if (str_is(name, "rsplit") && args->count >= 1)
        *ret = rsplit(ev, of, a0, args);
    else if (str_is(name, "splitlines")) {
        struct value_args nl = {.positional = &(struct value){.kind = VALUE_STR, .s = STR("\n")}, .count = 1};
        *ret = split(ev, like(of, str_ends(of.s, STR("\n")) ? str_sub(of.s, 0, of.s.n - 1) : of.s), &nl);
    } else if (str_is(name, "join"))
        *ret = text_join(ev, of, eval_arg(args, 0, NULL));
    else if (str_is(name, "replace")) {
        struct value to = eval_arg(args, 1, "new"), max = eval_arg(args, 2, "count");
        str with = of.kind == VALUE_SAFE ? value_html(ev, to) : value_text(ev, to);
        *ret = like(of, replace(ev, of.s, a0, with, max.kind == VALUE_INT ? max.i : -1));
    } else if (str_is(name, "startswith"))
        *ret = value_bool(prefix_test(ev, of, eval_arg(args, 0, NULL), false));
    else if (str_is(name, "endswith"))
        *ret = value_bool(prefix_test(ev, of, eval_arg(args, 0, NULL), true));
    else if (str_is(name, "find") || str_is(name, "index") || str_is(name, "rfind")) {
        size_t at = str_is(name, "rfind") ? find_last(of.s, a0) : str_find(of.s, a0);
        if (at == STR_NPOS && str_is(name, "index"))
            return run_fail(ev, ev->node, STATUS_INVALID, "the text does not hold it");
        *ret = value_int(at == STR_NPOS ? -1 : (int64_t)utf8_count(str_sub(of.s, 0, at)));
    } else if (str_is(name, "partition") || str_is(name, "rpartition")) {
        *ret = partition(ev, of, a0, str_is(name, "rpartition"));
    } else if (str_is(name, "removeprefix")) {
        *ret = like(of, str_starts(of.s, a0) ? str_from(of.s, a0.n) : of.s);
    } else if (str_is(name, "removesuffix")) {
        *ret = like(of, str_ends(of.s, a0) ? str_sub(of.s, 0, of.s.n - a0.n) : of.s);
    } else if (str_is(name, "ljust") || str_is(name, "rjust") || str_is(name, "center")) {
        struct value width = eval_arg(args, 0, NULL), fill = eval_arg(args, 1, NULL);
        *ret = like(of, pad(ev, of.s, width.kind == VALUE_INT ? width.i : 0, fill, name.p[0]));
    } else if (str_is(name, "islower") || str_is(name, "isupper")) {
        char how = str_is(name, "islower") ? 'l' : 'u', other = how == 'l' ? 'u' : 'l';
        *ret = value_bool(str_eq(of.s, letters_case(ev->arena, of.s, how)) &&
                          !str_eq(of.s, letters_case(ev->arena, of.s, other)));
    } else if (str_is(name, "encode")) {
        *ret = value_bytes(of.s);
    } else if (str_is(name, "count")) {
        int64_t n = 0;
        for (str s = of.s; a0.n && str_find(s, a0) != STR_NPOS; n++)
            s = str_from(s, str_find(s, a0) + a0.n);
        *ret = value_int(n);
    } else if (str_is(name, "isdigit"))
        *ret = value_bool(all_of(of.s, is_digit));
    else if (str_is(name, "isalpha"))
        *ret = value_bool(all_of(of.s, is_alpha));
    else if (str_is(name, "zfill")) {
        struct value w = eval_arg(args, 0, NULL);
        str s = of.s;
        for (int64_t i = (int64_t)utf8_count(s); w.kind == VALUE_INT && i < w.i && i < 1000; i++)
            s = ARENA_CAT(ev->arena, STR("0"), s);
        *ret = like(of, s);
    } else
        return false;
    return true;
}

static struct value pair(struct eval *ev, const struct value_entry *e)
{
    struct value t = value_list(ev->arena);
    t.tuple = true;
    value_push(t, value_str(e->key));
    value_push(t, e->value);
    return t;
}

static bool dict_method(struct eval *ev, struct value of, str name, const struct value_args *args, struct value *ret)
{
    const struct value_dict *d = of.dict;
    if (str_is(name, "get") || str_is(name, "pop") || str_is(name, "setdefault")) {
        str key = arg_text(ev, args, 0);
        struct value v = value_get(of, key), fallback = args->count > 1 ? args->positional[1] : VALUE_NULL;
        *ret = v.kind == VALUE_UNDEFINED ? fallback : v;
        if (str_is(name, "pop"))
            value_remove(of, key);
        if (str_is(name, "setdefault") && v.kind == VALUE_UNDEFINED)
            value_set(of, key, fallback);
        return true;
    }
    bool items = str_is(name, "items"), keys = str_is(name, "keys"), values = str_is(name, "values");
    if (items || keys || values) {
        *ret = value_list(ev->arena);
        for (size_t i = 0; i < d->count; i++)
            value_push(*ret, items  ? pair(ev, &d->entries[i])
                             : keys ? value_str(d->entries[i].key)
                                    : d->entries[i].value);
        return true;
    }
    if (str_is(name, "update")) {
        struct value other = eval_arg(args, 0, NULL);
        for (size_t i = 0; other.kind == VALUE_DICT && i < other.dict->count; i++)
            value_set(of, other.dict->entries[i].key, other.dict->entries[i].value);
        for (size_t i = 0; i < args->keyword_count; i++)
            value_set(of, args->keywords[i].key, args->keywords[i].value);
        *ret = VALUE_NULL;
        return true;
    }
    if (str_is(name, "copy")) {
        *ret = value_dict(ev->arena);
        for (size_t i = 0; i < d->count; i++)
            value_set(*ret, d->entries[i].key, d->entries[i].value);
        return true;
    }
    struct value member = value_get(of, name); /* a function kept in a dict */
    if (member.kind == VALUE_OBJECT && member.object.class->call)
        return member.object.class->call(member.object.self, ev, args, ret) == STATUS_OK;
    return false;
}

static bool list_method(struct eval *ev, struct value of, str name, const struct value_args *args, struct value *ret)
{
    struct value a0 = eval_arg(args, 0, NULL);
    (void)ev;
    *ret = VALUE_NULL;
    if (str_is(name, "append")) {
        value_push(of, a0);
    } else if (str_is(name, "extend")) {
        struct value other = iter_list(ev, a0);
        for (size_t i = 0, n = value_count(other); i < n; i++)
            value_push(of, value_at(other, i));
    } else if (str_is(name, "pop")) {
        if (!of.list->count)
            return run_fail(ev, ev->node, STATUS_INVALID, "pop from an empty list");
        size_t at =
            a0.kind == VALUE_INT && a0.i >= 0 && (size_t)a0.i < of.list->count ? (size_t)a0.i : of.list->count - 1;
        *ret = of.list->items[at];
        memmove(&of.list->items[at], &of.list->items[at + 1], (of.list->count - at - 1) * sizeof *of.list->items);
        of.list->count--;
    } else if (str_is(name, "insert") && a0.kind == VALUE_INT && args->count == 2) {
        size_t at = a0.i < 0 ? 0 : MIN((size_t)a0.i, of.list->count);
        value_push(of, VALUE_NULL);
        memmove(&of.list->items[at + 1], &of.list->items[at], (of.list->count - at - 1) * sizeof *of.list->items);
        of.list->items[at] = args->positional[1];
    } else if (str_is(name, "index") || str_is(name, "count")) {
        int64_t found = -1, n = 0;
        for (size_t i = 0; i < value_count(of); i++) {
            if (value_equal(value_at(of, i), a0)) {
                n++;
                found = found < 0 ? (int64_t)i : found;
            }
        }
        if (str_is(name, "index") && found < 0)
            return run_fail(ev, ev->node, STATUS_INVALID, "the value is not in the list");
        *ret = value_int(str_is(name, "index") ? found : n);
    } else {
        return false;
    }
    return true;
}

bool method_call(struct eval *ev, struct value of, str name, const struct value_args *args, struct value *ret,
                 bool *ret_found)
{
    *ret_found = true;
    if (str_is(name, "__len__") && op_length(ev, of) >= 0)
        *ret = value_int(op_length(ev, of));
    else if (value_is_text(of))
        *ret_found = text_method(ev, of, name, args, ret);
    else if (of.kind == VALUE_DICT)
        *ret_found = dict_method(ev, of, name, args, ret);
    else if (of.kind == VALUE_LIST)
        *ret_found = list_method(ev, of, name, args, ret);
    else
        *ret_found = false;
    return ev->status == STATUS_OK;
}
