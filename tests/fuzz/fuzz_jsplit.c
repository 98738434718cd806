/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as records: the same records whether they come at once or byte by byte, and all of a list that is JSON. */
#include <stdlib.h>

#include "codec/jsplit.h"
#include "codec/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct feed {
    str text;
    size_t piece;
};

static enum status feed_read(void *arg, struct buf *to, bool *ret_end, struct err *err)
{
    struct feed *f = arg;
    (void)err;
    size_t n = MIN(f->piece, f->text.n);
    buf_puts(to, str_sub(f->text, 0, n));
    f->text = str_from(f->text, n);
    *ret_end = !f->text.n;
    return STATUS_OK;
}

static enum status split(str text, size_t piece, bool whole, struct buf *out, uint64_t *ret_count)
{
    struct feed f = {text, piece};
    struct jsplit s;
    struct err err = ERR_INIT;
    str record;
    enum status st;
    jsplit_init(&s, feed_read, &f, 1000, whole);
    while ((st = jsplit_next(&s, &record, &err)) == STATUS_AGAIN) {
        buf_puts(out, record);
        buf_putc(out, '|');
    }
    *ret_count = s.record;
    jsplit_release(&s);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_make((const char *)data, size);
    if (size > 20000)
        return 0;
    for (int whole = 0; whole < 2; whole++) {
        struct buf one, many;
        uint64_t count, again;
        buf_init(&one, 4 * size + 64);
        buf_init(&many, 4 * size + 64);
        enum status st = split(text, SIZE_MAX, whole, &one, &count);
        if (split(text, 1, whole, &many, &again) != st || count != again || !str_eq(buf_str(&one), buf_str(&many)))
            abort();
        struct arena *a = arena_new(0);
        struct value v;
        if (value_from_json(a, text, &v, NULL) == STATUS_OK && v.kind == VALUE_LIST && st != STATUS_TOO_LARGE &&
            (st != STATUS_OK || value_count(v) != count))
            abort();
        arena_free(a);
        buf_release(&one);
        buf_release(&many);
    }
    return 0;
}
