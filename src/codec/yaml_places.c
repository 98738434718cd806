/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml_places.h"

#include <stdlib.h>
#include <yaml.h>

#include "base/mem.h"

#define DUPLICATES_PAIRS 2000 /* larger mappings are not compared pair by pair */

struct yaml_places {
    yaml_document_t document;
};

struct yaml_places *yaml_places_new(str text)
{
    yaml_parser_t parser;
    struct yaml_places *p = MEM_NEW(struct yaml_places);
    if (!yaml_parser_initialize(&parser)) {
        free(p);
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    bool ok = yaml_parser_load(&parser, &p->document);
    yaml_parser_delete(&parser);
    if (ok)
        return p;
    free(p);
    return NULL;
}

void yaml_places_free(struct yaml_places *p)
{
    if (!p)
        return;
    yaml_document_delete(&p->document);
    free(p);
}

static yaml_node_t *node_at(const struct yaml_places *p, int index)
{
    return yaml_document_get_node((yaml_document_t *)(uintptr_t)&p->document, index);
}

static str scalar(const yaml_node_t *n)
{
    if (!n || n->type != YAML_SCALAR_NODE)
        return (str){0};
    return str_make((const char *)n->data.scalar.value, n->data.scalar.length);
}

/* The child of `n` under `step`, and where to point at: the key, or the item. */
static const yaml_node_t *descend(const struct yaml_places *p, const yaml_node_t *n, str step, yaml_mark_t *mark)
{
    int64_t index;
    if (n->type == YAML_MAPPING_NODE) {
        const yaml_node_t *found = NULL;
        for (yaml_node_pair_t *pair = n->data.mapping.pairs.start; pair < n->data.mapping.pairs.top; pair++) {
            const yaml_node_t *key = node_at(p, pair->key);
            if (!str_eq(scalar(key), step))
                continue;
            *mark = key->start_mark;
            found = node_at(p, pair->value); /* the last one of a name counts */
        }
        return found;
    }
    if (n->type != YAML_SEQUENCE_NODE || !str_to_i64(step, &index) || index < 0)
        return NULL;
    yaml_node_item_t *item = n->data.sequence.items.start;
    if (index >= n->data.sequence.items.top - item)
        return NULL;
    const yaml_node_t *found = node_at(p, item[index]);
    if (found)
        *mark = found->start_mark;
    return found;
}

bool yaml_places_find(const struct yaml_places *p, const str *path, size_t depth, size_t *ret_line, size_t *ret_column)
{
    yaml_mark_t mark = {0};
    const yaml_node_t *n = p ? node_at(p, 1) : NULL;
    size_t found = 0;
    for (; n && found < depth; found++) {
        n = descend(p, n, path[found], &mark);
        if (!n)
            break;
    }
    if (!found)
        return false;
    *ret_line = mark.line + 1;
    *ret_column = mark.column + 1;
    return true;
}

void yaml_places_duplicates(const struct yaml_places *p, void (*fn)(void *arg, str key, size_t line, size_t column),
                            void *arg)
{
    if (!p)
        return;
    for (const yaml_node_t *n = p->document.nodes.start; n < p->document.nodes.top; n++) {
        if (n->type != YAML_MAPPING_NODE)
            continue;
        const yaml_node_pair_t *start = n->data.mapping.pairs.start, *top = n->data.mapping.pairs.top;
        if (top - start > DUPLICATES_PAIRS)
            continue;
        for (const yaml_node_pair_t *a = start; a < top; a++) {
            const yaml_node_t *key = node_at(p, a->key);
            bool twice = false;
            for (const yaml_node_pair_t *b = start; b < a && !twice; b++)
                twice = key && key->type == YAML_SCALAR_NODE && str_eq(scalar(key), scalar(node_at(p, b->key)));
            if (twice && !str_is(scalar(key), "<<"))
                fn(arg, scalar(key), key->start_mark.line + 1, key->start_mark.column + 1);
        }
    }
}
