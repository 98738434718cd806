/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml.h"

#include <math.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/map.h"

struct reader {
    struct arena *a;
    yaml_parser_t parser;
    struct map *anchors; /* name -> struct value in the arena */
    size_t nodes;
    struct err *err;
};

static enum status fail(struct reader *r, yaml_mark_t at, const char *what)
{
    return err_set(r->err, STATUS_INVALID, "line %zu column %zu: %s", at.line + 1, at.column + 1, what);
}

static enum status next_event(struct reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e))
        return STATUS_OK;
    return fail(r, r->parser.problem_mark, r->parser.problem ? r->parser.problem : "not YAML");
}

/* ---- plain scalars: the YAML 1.1 rules of PyYAML ---- */

static bool one_of(str s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(s, words[i]))
            return true;
    return false;
}

static bool parse_int(str s, int64_t *ret)
{
    char digits[80];
    size_t n = 0, i = 0;
    bool negative = false;
    int base = 10;
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
        negative = s.p[0] == '-';
        i = 1;
    }
    if (i >= s.n || s.n >= sizeof digits || s.p[i] < '0' || s.p[i] > '9')
        return false;
    if (s.p[i] == '0' && i + 1 < s.n) {
        char k = s.p[i + 1];
        base = k == 'x' ? 16 : k == 'b' ? 2 : 8;
        i += base == 8 ? 1 : 2;
    }
    for (; i < s.n; i++) {
        char c = s.p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : 99;
        if (c == '_')
            continue;
        if (d >= base)
            return false;
        digits[n++] = c;
    }
    if (!n)
        return false;
    digits[n] = 0;
    int64_t v = 0;
    for (size_t k = 0; k < n; k++) {
        char c = digits[k];
        int d = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *ret = negative ? -v : v;
    return true;
}

/* [-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)? and the forms that begin with a dot; .inf and .nan */
static bool parse_float(str s, double *ret)
{
    static const char *const inf[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"};
    static const char *const minus_inf[] = {"-.inf", "-.Inf", "-.INF"};
    static const char *const nan_words[] = {".nan", ".NaN", ".NAN"};
    if (one_of(s, inf, ARRAY_LEN(inf)) || one_of(s, minus_inf, ARRAY_LEN(minus_inf))) {
        *ret = s.p[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (one_of(s, nan_words, ARRAY_LEN(nan_words))) {
        *ret = (double)NAN;
        return true;
    }
    char text[80];
    size_t n = 0;
    bool dot = false, digit = false, exponent = false;
    for (size_t i = 0; i < s.n && n + 1 < sizeof text; i++) {
        char c = s.p[i];
        if (c == '_')
            continue;
        if (c == '.' && !dot && !exponent)
            dot = true;
        else if ((c == 'e' || c == 'E') && digit && dot && !exponent && i + 1 < s.n &&
                 (s.p[i + 1] == '-' || s.p[i + 1] == '+'))
            exponent = true;
        else if (c >= '0' && c <= '9')
            digit = true;
        else if (!((c == '-' || c == '+') && (i == 0 || s.p[i - 1] == 'e' || s.p[i - 1] == 'E')))
            return false;
        text[n++] = c;
    }
    text[n] = 0;
    if (!dot || !digit || s.n + 1 >= sizeof text)
        return false;
    *ret = strtod(text, NULL);
    return true;
}

static struct value resolve_plain(struct arena *a, str s)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const trues[] = {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
    static const char *const falses[] = {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
    int64_t i;
    double f;
    if (one_of(s, nulls, ARRAY_LEN(nulls)))
        return VALUE_NULL;
    if (one_of(s, trues, ARRAY_LEN(trues)))
        return value_bool(true);
    if (one_of(s, falses, ARRAY_LEN(falses)))
        return value_bool(false);
    if (parse_int(s, &i))
        return value_int(i);
    if (parse_float(s, &f))
        return value_float(f);
    return value_str(arena_str(a, s));
}

static struct value scalar(struct reader *r, const yaml_event_t *e)
{
    str s = str_make((const char *)e->data.scalar.value, e->data.scalar.length);
    const char *tag = (const char *)e->data.scalar.tag;
    bool quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (quoted || (tag && strcmp(tag, "tag:yaml.org,2002:str") == 0) || (tag && strcmp(tag, "!") == 0))
        return value_str(arena_str(r->a, s));
    return resolve_plain(r->a, s);
}

/* ---- nodes ---- */

static enum status read_node(struct reader *r, const yaml_event_t *e, int depth, struct value *ret);

static void remember(struct reader *r, const yaml_char_t *anchor, struct value v)
{
    if (!anchor)
        return;
    struct value *kept = ARENA_NEW(r->a, struct value);
    *kept = v;
    map_put(r->anchors, str_of((const char *)anchor), kept);
}

static size_t count_nodes(struct value v, size_t budget)
{
    size_t n = 1;
    if (v.kind == VALUE_LIST)
        for (size_t i = 0; i < v.list->count && n <= budget; i++)
            n += count_nodes(v.list->items[i], budget - MIN(n, budget));
    if (v.kind == VALUE_DICT)
        for (size_t i = 0; i < v.dict->count && n <= budget; i++)
            n += count_nodes(v.dict->entries[i].value, budget - MIN(n, budget));
    return n;
}

static enum status read_alias(struct reader *r, const yaml_event_t *e, struct value *ret)
{
    const struct value *kept = map_get(r->anchors, str_of((const char *)e->data.alias.anchor));
    if (!kept)
        return fail(r, e->start_mark, "an alias without its anchor");
    r->nodes += count_nodes(*kept, YAML_NODES_MAX);
    if (r->nodes > YAML_NODES_MAX)
        return err_set(r->err, STATUS_TOO_LARGE, "line %zu: aliases expand to too many values", e->start_mark.line + 1);
    *ret = *kept;
    return STATUS_OK;
}

static enum status read_sequence(struct reader *r, const yaml_event_t *start, int depth, struct value *ret)
{
    struct value list = value_list(r->a);
    for (;;) {
        yaml_event_t e;
        struct value item;
        enum status st = next_event(r, &e);
        if (st != STATUS_OK)
            return st;
        bool end = e.type == YAML_SEQUENCE_END_EVENT;
        if (!end)
            st = read_node(r, &e, depth + 1, &item);
        yaml_event_delete(&e);
        if (end || st != STATUS_OK) {
            remember(r, start->data.sequence_start.anchor, list);
            *ret = list;
            return st;
        }
        value_push(list, item);
    }
}

static void merge(struct value into, struct value from)
{
    if (from.kind == VALUE_LIST)
        for (size_t i = 0; i < from.list->count; i++)
            merge(into, from.list->items[i]);
    for (size_t i = 0; from.kind == VALUE_DICT && i < from.dict->count; i++)
        if (!value_has(into, from.dict->entries[i].key))
            value_set(into, from.dict->entries[i].key, from.dict->entries[i].value);
}

static enum status read_pair(struct reader *r, const yaml_event_t *key_event, int depth, struct value dict,
                             struct value merges)
{
    struct value key, item;
    yaml_event_t e;
    enum status st = read_node(r, key_event, depth + 1, &key);
    if (st == STATUS_OK && (key.kind == VALUE_LIST || key.kind == VALUE_DICT))
        return fail(r, key_event->start_mark, "a key must be a plain value");
    if (st == STATUS_OK)
        st = next_event(r, &e);
    if (st != STATUS_OK)
        return st;
    st = read_node(r, &e, depth + 1, &item);
    yaml_event_delete(&e);
    if (st != STATUS_OK)
        return st;
    bool plain = key_event->type == YAML_SCALAR_EVENT && key_event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && value_is_text(key) && str_is(key.s, "<<"))
        value_push(merges, item);
    else
        value_set(dict, arena_str(r->a, value_to_str(r->a, key)), item);
    return STATUS_OK;
}

static enum status read_mapping(struct reader *r, const yaml_event_t *start, int depth, struct value *ret)
{
    struct value dict = value_dict(r->a), merges = value_list(r->a);
    for (;;) {
        yaml_event_t e;
        enum status st = next_event(r, &e);
        if (st != STATUS_OK)
            return st;
        bool end = e.type == YAML_MAPPING_END_EVENT;
        if (!end)
            st = read_pair(r, &e, depth, dict, merges);
        yaml_event_delete(&e);
        if (end) {
            merge(dict, merges);
            remember(r, start->data.mapping_start.anchor, dict);
        }
        if (end || st != STATUS_OK) {
            *ret = dict;
            return st;
        }
    }
}

static enum status read_node(struct reader *r, const yaml_event_t *e, int depth, struct value *ret)
{
    if (depth > YAML_DEPTH_MAX)
        return fail(r, e->start_mark, "nested too deeply");
    if (++r->nodes > YAML_NODES_MAX)
        return err_set(r->err, STATUS_TOO_LARGE, "line %zu: too many values", e->start_mark.line + 1);
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        *ret = scalar(r, e);
        remember(r, e->data.scalar.anchor, *ret);
        return STATUS_OK;
    case YAML_SEQUENCE_START_EVENT:
        return read_sequence(r, e, depth, ret);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(r, e, depth, ret);
    case YAML_ALIAS_EVENT:
        return read_alias(r, e, ret);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        break;
    }
    return fail(r, e->start_mark, "a value was expected");
}

static enum status read_stream(struct reader *r, struct value *ret)
{
    bool have = false;
    *ret = VALUE_NULL;
    for (;;) {
        yaml_event_t e;
        enum status st = next_event(r, &e);
        if (st != STATUS_OK)
            return st;
        yaml_event_type_t type = e.type;
        bool structure =
            type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT || type == YAML_DOCUMENT_END_EVENT;
        if (type != YAML_STREAM_END_EVENT && !structure) {
            st = have ? fail(r, e.start_mark, "there must be one document only") : read_node(r, &e, 0, ret);
            have = true;
        }
        yaml_event_delete(&e);
        if (type == YAML_STREAM_END_EVENT || st != STATUS_OK)
            return st;
    }
}

enum status value_from_yaml(struct arena *a, str text, struct value *ret, struct err *err)
{
    struct reader r = {.a = a, .err = err};
    struct value v;
    ASSERT(yaml_parser_initialize(&r.parser));
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    r.anchors = map_new();
    enum status st = read_stream(&r, &v);
    map_free(r.anchors);
    yaml_parser_delete(&r.parser);
    if (st == STATUS_OK)
        *ret = v;
    return st;
}
