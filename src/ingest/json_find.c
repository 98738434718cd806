/* SPDX-License-Identifier: Apache-2.0 */
/* json_find — which list of a JSON document is the table: the one that --path leads to, or the only one of objects. */
#include "base/buf.h"
#include "base/limits.h"
#include "codec/jread.h"
#include "ingest/json_impl.h"

#include "base/banned.h"

/* Where in the document the wanted array begins: right behind its bracket. */
struct finder {
    struct jread reader;
    str path;  /* what is left of --path */
    str found; /* keys of members that are lists of objects */
    size_t offset, count;
    bool collection;
};

static enum status look_into_member(struct finder *f, struct arena *a, str key, enum jread_token token, struct err *err)
{
    if (token == JREAD_STRING && str_is(key, "type"))
        f->collection = str_is(f->reader.s, "FeatureCollection");
    if (token != JREAD_ARRAY_BEGIN)
        return jread_skip(&f->reader, token, err);
    size_t behind = f->reader.at;
    enum jread_token first;
    enum status st = jread_next(&f->reader, &first, err);
    if (st != STATUS_OK)
        return st;
    if (first == JREAD_OBJECT_BEGIN) {
        f->found = f->count ? ARENA_CAT(a, f->found, STR(", "), key) : arena_str(a, key);
        f->offset = f->count++ ? f->offset : behind;
    }
    while (st == STATUS_OK && first != JREAD_ARRAY_END) {
        st = jread_skip(&f->reader, first, err);
        if (st == STATUS_OK)
            st = jread_next(&f->reader, &first, err);
    }
    return st;
}

static enum status no_path(const struct json_input *j, str part, struct err *err)
{
    return err_set(err, STATUS_USAGE, "%.*s: --path: there is no list at \"%.*s\"", STR_ARG(j->base.source->name),
                   STR_ARG(part));
}

static enum status walk(struct json_input *j, struct finder *f, enum jread_token token, struct err *err)
{
    str key, wanted = {0};
    bool by_path = f->path.n > 0;
    if (by_path)
        str_cut(f->path, '.', &wanted, &f->path);
    if (token != JREAD_OBJECT_BEGIN)
        return no_path(j, wanted, err);
    for (;;) {
        enum status st = jread_next(&f->reader, &token, err);
        if (st != STATUS_OK)
            return st;
        if (token == JREAD_OBJECT_END)
            return by_path ? no_path(j, wanted, err) : STATUS_OK;
        key = f->reader.s;
        st = jread_next(&f->reader, &token, err);
        if (st == STATUS_OK && by_path && str_eq(key, wanted)) {
            if (f->path.n)
                return walk(j, f, token, err); /* as deep as --path has parts */
            if (token != JREAD_ARRAY_BEGIN)
                return no_path(j, wanted, err);
            f->offset = f->reader.at;
            f->count = 1;
            return STATUS_OK;
        }
        if (st == STATUS_OK)
            st = by_path ? jread_skip(&f->reader, token, err) : look_into_member(f, j->base.arena, key, token, err);
        if (st != STATUS_OK)
            return st;
    }
}

static enum status read_document(struct json_input *j, struct buf *text, struct err *err)
{
    struct decode *d = NULL;
    size_t n = 1;
    bool ill_formed;
    enum status st = decode_new(j->base.source, j->encoding, NULL, &d, err);
    while (st == STATUS_OK && n) {
        char *room = buf_reserve(text, LIMIT_INGEST_BLOCK);
        if (!room) {
            st = err_set(err, STATUS_TOO_LARGE, "%.*s: a JSON document of more than %d bytes has to be a list",
                         STR_ARG(j->base.source->name), LIMIT_INGEST_RECORD);
            break;
        }
        st = decode_read(d, room, LIMIT_INGEST_BLOCK, &n, &ill_formed, err);
        text->n += st == STATUS_OK ? n : 0;
    }
    decode_free(d);
    return st;
}

/* The document is an object: the list in it that is meant. */
enum status json_find_list(struct json_input *j, struct err *err)
{
    struct arena *scratch = arena_new(0);
    struct buf text;
    struct finder f = {.path = j->options->path};
    enum jread_token token;
    buf_init(&text, LIMIT_INGEST_RECORD + LIMIT_INGEST_BLOCK);
    enum status st = read_document(j, &text, err);
    jread_init(&f.reader, scratch, buf_str(&text));
    if (st == STATUS_OK)
        st = jread_next(&f.reader, &token, err);
    if (st == STATUS_OK)
        st = walk(j, &f, token, err);
    if (st == STATUS_INVALID)
        err_prefix(err, "%.*s", STR_ARG(j->base.source->name));
    if (st == STATUS_OK && f.count > 1) {
        st = err_set(err, STATUS_USAGE, "%.*s holds several lists: %.*s", STR_ARG(j->base.source->name),
                     STR_ARG(f.found));
        err_hint(err, "Choose one with --path NAME.");
    }
    j->cut = f.count ? CUT_ARRAY : CUT_ONE;
    j->offset = f.count ? f.offset : 0;
    j->geojson |= f.collection && f.count;
    buf_release(&text);
    arena_free(scratch);
    return st;
}
