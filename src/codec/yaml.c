/* SPDX-License-Identifier: Apache-2.0 */
/* yaml — libyaml's events to a value tree; what plain scalars mean is in yaml_scalar.c.
 *
 * Aliases share: an alias gives the handle of the value that its anchor stands for, so the tree is a graph without
 * cycles (an anchor is known only when its value has been read whole) and memory stays in proportion to the text.
 * Whoever walks the tree later meets the shared parts again and again, therefore both limits count as if they were
 * copied: `values` of an anchor is its whole size, `height` how far it reaches down.
 *
 * Keys: the text as written, so that a table called "no" or "1" can be configured without quotes; a key given by an
 * alias is the text of its value.
 *
 * Merge keys, as PyYAML has them: "<<: *a" or "<<: [*a, *b]" (a wins over b; of several "<<" the last wins); the merged
 * entries come first, in place and order, then the mapping's own, which win.
 *
 * Recursion is bounded by LIMIT_YAML_DEPTH. Events are freed by whoever got them from next_event. */
#include "codec/yaml.h"

#include <yaml.h>

#include "base/map.h"
#include "codec/b64.h"
#include "codec/yaml_scalar.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

struct node {
    struct value value;
    size_t values; /* with everything below, aliases put in */
    int height;    /* levels below: 0 for a scalar */
};

struct reader {
    struct arena *a;
    str text;
    yaml_parser_t parser;
    struct map *anchors; /* name -> struct node in the arena */
    size_t values;       /* so far, aliases put in */
    struct err *err;
};

static enum status fail(struct reader *r, yaml_mark_t at, const char *what)
{
    return err_set(r->err, STATUS_INVALID, "line %zu column %zu: %s", at.line + 1, at.column + 1, what);
}

/* Errors below the grammar (not UTF-8, control bytes) have an offset instead of a mark. */
static yaml_mark_t offset_mark(const struct reader *r, size_t offset)
{
    yaml_mark_t at = {0};
    for (size_t i = 0; i < offset && i < r->text.n; i++) {
        at.column++;
        if (r->text.p[i] == '\n') {
            at.line++;
            at.column = 0;
        }
    }
    return at;
}

static enum status next_event(struct reader *r, yaml_event_t *e)
{
    const yaml_parser_t *p = &r->parser;
    if (yaml_parser_parse(&r->parser, e))
        return STATUS_OK;
    const char *what = p->problem ? p->problem : "not YAML";
    if (p->error == YAML_READER_ERROR)
        return fail(r, offset_mark(r, p->problem_offset), what);
    if (!p->context || !p->context_mark.line)
        return fail(r, p->problem_mark, what);
    return err_set(r->err, STATUS_INVALID, "line %zu column %zu: %s %s (begun at line %zu)", p->problem_mark.line + 1,
                   p->problem_mark.column + 1, p->context, what, p->context_mark.line + 1);
}

static enum status count_values(struct reader *r, size_t n, yaml_mark_t at)
{
    r->values += MIN(n, LIMIT_YAML_NODES + 1);
    if (r->values <= LIMIT_YAML_NODES)
        return STATUS_OK;
    return err_set(r->err, STATUS_TOO_LARGE, "line %zu column %zu: more than %d values, aliases put in", at.line + 1,
                   at.column + 1, LIMIT_YAML_NODES);
}

static str text_of(const yaml_char_t *s)
{
    return str_of((const char *)s);
}

/* ---- scalars ------------------------------------------------------------------------------------------------ */

static bool read_tagged(struct reader *r, str tag, str s, struct value *ret)
{
    bool b;
    str bytes;
    if (str_eq(tag, STR("str")) || str_eq(tag, STR("timestamp"))) {
        *ret = value_str(arena_str(r->a, s));
        return true;
    }
    if (str_eq(tag, STR("null"))) {
        *ret = VALUE_NULL;
        return yaml_scalar_null(s);
    }
    if (str_eq(tag, STR("int")))
        return yaml_scalar_int(s, ret);
    if (str_eq(tag, STR("float")) && yaml_scalar_int(s, ret)) {
        *ret = value_float(ret->kind == VALUE_INT ? (double)ret->i : ret->f);
        return true;
    }
    if (str_eq(tag, STR("float")))
        return yaml_scalar_float(s, ret);
    if (str_eq(tag, STR("bool")) && yaml_scalar_bool(s, &b)) {
        *ret = value_bool(b);
        return true;
    }
    if (!str_eq(tag, STR("binary")))
        return false;
    char *packed = arena_alloc_raw(r->a, s.n + 1); /* lines of base64 */
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\n' && s.p[i] != '\r' && s.p[i] != ' ')
            packed[n++] = s.p[i];
    if (!b64_decode(r->a, str_make(packed, n), &bytes))
        return false;
    *ret = value_bytes(bytes);
    return true;
}

static enum status read_scalar(struct reader *r, const yaml_event_t *e, struct value *ret)
{
    str s = str_make((const char *)e->data.scalar.value, e->data.scalar.length), tag = text_of(e->data.scalar.tag);
    bool bare = str_eq(tag, STR("!")); /* PyYAML takes it as "resolve this", quoted or not */
    if (bare || (!tag.n && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)) {
        *ret = yaml_scalar_resolve(r->a, s);
    } else if (!tag.n) {
        *ret = value_str(arena_str(r->a, s));
    } else if (!str_starts(tag, STR(TAG_PREFIX)) || !read_tagged(r, str_from(tag, sizeof(TAG_PREFIX) - 1), s, ret)) {
        char what[160];
        (void)snprintf(what, sizeof(what), "the tag %.60s is not known, or does not fit its value", tag.p);
        return fail(r, e->start_mark, what);
    }
    return STATUS_OK;
}

/* ---- lists and mappings ------------------------------------------------------------------------------------- */

static enum status read_node(struct reader *r, const yaml_event_t *e, int depth, struct node *ret);

static void remember(struct reader *r, const yaml_char_t *anchor, const struct node *node)
{
    if (!anchor)
        return;
    struct node *kept = ARENA_NEW(r->a, struct node);
    *kept = *node;
    (void)map_put(r->anchors, text_of(anchor), kept);
}

static void add_below(struct node *node, const struct node *part)
{
    node->values += part->values;
    node->height = MAX(node->height, part->height + 1);
}

static enum status read_alias(struct reader *r, const yaml_event_t *e, int depth, struct node *ret)
{
    const struct node *kept = map_get(r->anchors, text_of(e->data.alias.anchor));
    if (!kept)
        return fail(r, e->start_mark, "an alias whose anchor does not end before it");
    if (depth + kept->height > LIMIT_YAML_DEPTH)
        return fail(r, e->start_mark, "nested too deeply through aliases");
    enum status st = count_values(r, kept->values - 1, e->start_mark); /* the alias itself is counted already */
    if (st == STATUS_OK)
        *ret = *kept;
    return st;
}

static enum status check_collection_tag(struct reader *r, const yaml_event_t *e, const yaml_char_t *tag,
                                        const char *own)
{
    str s = text_of(tag);
    if (!s.n || str_eq(s, STR("!")) ||
        (str_starts(s, STR(TAG_PREFIX)) && str_is(str_from(s, sizeof(TAG_PREFIX) - 1), own)))
        return STATUS_OK;
    char what[160];
    (void)snprintf(what, sizeof(what), "the tag %.60s is not known here", s.p);
    return fail(r, e->start_mark, what);
}

/* Reads the node that the next event begins; *ret_end instead when that event ends the collection. */
static enum status read_item(struct reader *r, yaml_event_type_t end, int depth, bool *ret_end, struct node *ret)
{
    yaml_event_t e;
    enum status st = next_event(r, &e);
    if (st != STATUS_OK)
        return st;
    *ret_end = e.type == end;
    if (!*ret_end)
        st = read_node(r, &e, depth, ret);
    yaml_event_delete(&e);
    return st;
}

static enum status read_sequence(struct reader *r, const yaml_event_t *start, int depth, struct node *ret)
{
    struct node list = {value_list(r->a), 1, 0}, item;
    enum status st = check_collection_tag(r, start, start->data.sequence_start.tag, "seq");
    bool end = false;
    while (st == STATUS_OK && !end) {
        st = read_item(r, YAML_SEQUENCE_END_EVENT, depth + 1, &end, &item);
        if (st == STATUS_OK && !end) {
            value_push(list.value, item.value);
            add_below(&list, &item);
        }
    }
    remember(r, start->data.sequence_start.anchor, &list);
    *ret = list;
    return st;
}

struct mapping {
    struct node node; /* the mapping's own entries; with merges also counts theirs */
    struct value merged;
};

static void merge_dict(struct value into, struct value from)
{
    for (size_t i = 0; i < from.dict->count; i++)
        value_set(into, from.dict->entries[i].key, from.dict->entries[i].value);
}

/* The value of one "<<". Of a list the first wins, so it is set last. */
static bool merge(struct value into, struct value from)
{
    if (from.kind == VALUE_DICT) {
        merge_dict(into, from);
        return true;
    }
    if (from.kind != VALUE_LIST)
        return false;
    for (size_t i = from.list->count; i-- > 0;) {
        if (from.list->items[i].kind != VALUE_DICT)
            return false;
        merge_dict(into, from.list->items[i]);
    }
    return true;
}

/* The text of a key and whether it is "<<" written plainly. */
static enum status read_key(struct reader *r, const yaml_event_t *e, int depth, str *ret, bool *ret_merge)
{
    struct node key;
    *ret_merge = false;
    enum status st = read_node(r, e, depth, &key); /* for its anchor, its tag, and the count */
    if (st != STATUS_OK)
        return st;
    if (key.value.kind == VALUE_LIST || key.value.kind == VALUE_DICT)
        return fail(r, e->start_mark, "a key must be a single value, not a list or mapping");
    if (e->type != YAML_SCALAR_EVENT) {
        *ret = value_to_str(r->a, key.value);
        return STATUS_OK;
    }
    str s = str_make((const char *)e->data.scalar.value, e->data.scalar.length);
    *ret_merge = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !e->data.scalar.tag && str_eq(s, STR("<<"));
    *ret = arena_str(r->a, s);
    return STATUS_OK;
}

static enum status read_pair(struct reader *r, const yaml_event_t *key_event, int depth, struct mapping *m)
{
    str key;
    bool merges, end;
    struct node item;
    enum status st = read_key(r, key_event, depth, &key, &merges);
    if (st == STATUS_OK)
        st = read_item(r, YAML_NO_EVENT, depth, &end, &item);
    if (st != STATUS_OK)
        return st;
    add_below(&m->node, &item);
    if (!merges) {
        value_set(m->node.value, key, item.value);
        return STATUS_OK;
    }
    if (m->merged.kind != VALUE_DICT)
        m->merged = value_dict(r->a);
    return merge(m->merged, item.value) ? STATUS_OK
                                        : fail(r, key_event->start_mark, "<< wants a mapping or a list of mappings");
}

static enum status read_mapping(struct reader *r, const yaml_event_t *start, int depth, struct node *ret)
{
    struct mapping m = {{value_dict(r->a), 1, 0}, VALUE_UNDEF};
    enum status st = check_collection_tag(r, start, start->data.mapping_start.tag, "map");
    for (bool end = false; st == STATUS_OK && !end;) {
        yaml_event_t e;
        st = next_event(r, &e);
        if (st != STATUS_OK)
            break;
        end = e.type == YAML_MAPPING_END_EVENT;
        if (!end)
            st = read_pair(r, &e, depth + 1, &m);
        yaml_event_delete(&e);
    }
    if (m.merged.kind == VALUE_DICT) {
        merge_dict(m.merged, m.node.value);
        m.node.value = m.merged;
    }
    remember(r, start->data.mapping_start.anchor, &m.node);
    *ret = m.node;
    return st;
}

static enum status read_node(struct reader *r, const yaml_event_t *e, int depth, struct node *ret)
{
    if (depth > LIMIT_YAML_DEPTH)
        return fail(r, e->start_mark, "nested too deeply");
    enum status st = count_values(r, 1, e->start_mark);
    if (st != STATUS_OK)
        return st;
    if (e->type == YAML_SEQUENCE_START_EVENT)
        return read_sequence(r, e, depth, ret);
    if (e->type == YAML_MAPPING_START_EVENT)
        return read_mapping(r, e, depth, ret);
    if (e->type == YAML_ALIAS_EVENT)
        return read_alias(r, e, depth, ret);
    ASSERT(e->type == YAML_SCALAR_EVENT); /* libyaml's grammar has nothing else here */
    *ret = (struct node){VALUE_NULL, 1, 0};
    st = read_scalar(r, e, &ret->value);
    remember(r, e->data.scalar.anchor, ret);
    return st;
}

static enum status read_stream(struct reader *r, struct node *ret)
{
    bool have = false;
    for (;;) {
        yaml_event_t e;
        enum status st = next_event(r, &e);
        if (st != STATUS_OK)
            return st;
        yaml_event_type_t type = e.type;
        if (type == YAML_DOCUMENT_START_EVENT && have)
            st = fail(r, e.start_mark, "a second document begins; one is wanted");
        else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                 type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT)
            st = read_node(r, &e, 0, ret);
        have = have || type == YAML_DOCUMENT_START_EVENT;
        yaml_event_delete(&e);
        if (type == YAML_STREAM_END_EVENT || st != STATUS_OK)
            return st;
    }
}

enum status value_from_yaml(struct arena *a, str text, struct value *ret, struct err *err)
{
    struct reader r = {.a = a, .text = text, .err = err};
    struct node root = {VALUE_NULL, 1, 0};
    ASSERT(yaml_parser_initialize(&r.parser)); /* fails without memory only */
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    r.anchors = map_new();
    enum status st = read_stream(&r, &root);
    map_free(r.anchors);
    yaml_parser_delete(&r.parser);
    if (st == STATUS_OK)
        *ret = root.value;
    return st;
}
