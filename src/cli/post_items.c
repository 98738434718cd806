/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/post_items.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "codec/jsplit.h"
#include "ingest/source.h"

#include "base/banned.h"

struct place {
    uint64_t offset, line;
};

struct post_items {
    struct source source;
    struct unpack *unpack;
    struct jsplit split;
    bool reverse;
    FILE *copy; /* backwards: the objects one behind the other */
    struct place *places;
    size_t count, cap;
    struct buf text;
    uint64_t end;
};

static enum status read_more(void *arg, struct buf *to, bool *ret_end, struct err *err)
{
    struct post_items *p = arg;
    size_t n = 0;
    char *at = buf_reserve(to, 65536);
    if (!at)
        return err_set(err, STATUS_TOO_LARGE, "an item is too large");
    enum status st = unpack_read(p->unpack, at, 65536, &n, err);
    to->n += n;
    *ret_end = n < 65536;
    return st;
}

static enum status add_place(struct post_items *p, str record, struct err *err)
{
    if (p->count == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 1024;
        p->places = mem_resize(p->places, p->cap, sizeof *p->places);
    }
    p->places[p->count++] = (struct place){p->end, p->split.line};
    p->end += record.n;
    return fwrite(record.p, 1, record.n, p->copy) == record.n
               ? STATUS_OK
               : err_sys(err, STATUS_IO, errno, "cannot write the temporary file for --reverse");
}

static enum status copy_all(struct post_items *p, struct err *err)
{
    str record;
    enum status st;
    p->copy = tmpfile();
    if (!p->copy)
        return err_sys(err, STATUS_IO, errno, "cannot make the temporary file for --reverse");
    while ((st = jsplit_next(&p->split, &record, err)) == STATUS_AGAIN) {
        st = add_place(p, record, err);
        if (st != STATUS_OK)
            return st;
    }
    if (st == STATUS_OK && fflush(p->copy) != 0)
        st = err_sys(err, STATUS_IO, errno, "cannot write the temporary file for --reverse");
    return st;
}

enum status post_items_open(struct arena *a, str file, bool reverse, struct post_items **ret, struct err *err)
{
    struct post_items *p = MEM_NEW(struct post_items);
    p->reverse = reverse;
    buf_init(&p->text, LIMIT_IMPORT_RECORD + 1);
    jsplit_init(&p->split, read_more, p, LIMIT_IMPORT_RECORD, false);
    enum status st = source_open(a, file, STR(""), NULL, &p->source, err);
    if (st == STATUS_OK && p->source.kind != SOURCE_STREAM) {
        err_set(err, STATUS_INVALID, "%.*s holds no JSON", STR_ARG(p->source.name));
        st = err_hint(err, "Export it first, for example: vitrine rows DB TABLE --nl | vitrine post - URL");
    }
    if (st == STATUS_OK)
        st = unpack_new(&p->source, &p->unpack, err);
    if (st == STATUS_OK && reverse)
        st = copy_all(p, err);
    if (st != STATUS_OK) {
        post_items_close(p);
        return st;
    }
    *ret = p;
    return STATUS_OK;
}

void post_items_close(struct post_items *p)
{
    if (!p)
        return;
    if (p->copy)
        fclose(p->copy);
    unpack_free(p->unpack);
    jsplit_release(&p->split);
    buf_release(&p->text);
    free(p->places);
    free(p);
}

static enum status next_backwards(struct post_items *p, struct post_item *ret, struct err *err)
{
    if (!p->count)
        return STATUS_OK;
    struct place at = p->places[--p->count];
    size_t n = (size_t)(p->end - at.offset), done = 0;
    buf_clear(&p->text);
    char *to = buf_reserve(&p->text, n + 1);
    while (to && done < n) {
        ssize_t got = pread(fileno(p->copy), to + done, n - done, (off_t)(at.offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_sys(err, STATUS_IO, errno, "cannot read the temporary file for --reverse");
        done += (size_t)got;
    }
    p->text.n = n;
    p->end = at.offset;
    *ret = (struct post_item){buf_str(&p->text), p->count, at.line};
    return STATUS_AGAIN;
}

enum status post_items_next(struct post_items *p, struct post_item *ret, struct err *err)
{
    if (p->reverse)
        return next_backwards(p, ret, err);
    enum status st = jsplit_next(&p->split, &ret->text, err);
    ret->at = p->split.record - 1;
    ret->line = p->split.line;
    return st;
}

void post_items_progress(const struct post_items *p, uint64_t *ret_position, uint64_t *ret_size)
{
    uint64_t all = p->reverse && p->copy ? (uint64_t)ftello(p->copy) : p->source.size_bytes;
    *ret_size = all;
    *ret_position = p->reverse ? all - MIN(p->end, all) : unpack_position(p->unpack);
}
