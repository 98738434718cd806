/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as JSON: what is accepted is written and read again, and must come back equal, in every style of writing.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "codec/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Infinities (numbers past 1.8e308) are the one thing that JSON cannot carry back; they are written as null. */
static bool is_finite(struct value v)
{
    if (v.kind == VALUE_FLOAT)
        return v.f - v.f == 0;
    if (v.kind == VALUE_LIST) {
        for (size_t i = 0; i < v.list->count; i++) {
            if (!is_finite(v.list->items[i]))
                return false;
        }
    }
    if (v.kind == VALUE_DICT) {
        for (size_t i = 0; i < v.dict->count; i++) {
            if (!is_finite(v.dict->entries[i].value))
                return false;
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned styles[] = {0, VALUE_JSON_COMPACT, VALUE_JSON_UTF8 | VALUE_JSON_HTML, VALUE_JSON_SORTED};
    struct arena *a = arena_new(0);
    struct err err = {0};
    struct value first, again;
    if (value_from_json(a, str_make((const char *)data, size), &first, &err) == STATUS_OK && is_finite(first)) {
        for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
            struct buf out;
            buf_init(&out, 64 * size + 4096);
            if (i == 3)
                value_to_json_indent(&out, first, styles[i], 2);
            else
                value_to_json(&out, first, styles[i]);
            if (out.over || value_from_json(a, buf_str(&out), &again, &err) != STATUS_OK || !value_equal(first, again))
                abort();
            buf_release(&out);
        }
    }
    arena_free(a);
    return 0;
}
