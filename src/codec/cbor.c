/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/cbor.h"

#include "base/limits.h"

bool cbor_next(str *text, struct cbor_item *ret)
{
    if (!text->n)
        return false;
    unsigned char head = (unsigned char)text->p[0];
    unsigned info = head & 31;
    size_t more = info < 24 ? 0 : info < 28 ? (size_t)1 << (info - 24) : SIZE_MAX; /* 28-30 reserved, 31 indefinite */
    if (more > text->n - 1)
        return false;
    struct cbor_item item = {.type = (enum cbor_type)(head >> 5), .n = info};
    if (more)
        item.n = 0;
    for (size_t i = 0; i < more; i++)
        item.n = item.n << 8 | (unsigned char)text->p[1 + i];
    *text = str_from(*text, 1 + more);
    if (item.type == CBOR_BYTES || item.type == CBOR_TEXT) {
        if (item.n > text->n)
            return false;
        item.s = str_sub(*text, 0, item.n);
        *text = str_from(*text, item.n);
    }
    *ret = item;
    return true;
}

bool cbor_skip(str *text)
{
    uint64_t left[LIMIT_CBOR_DEPTH] = {1}; /* items still to come, a level */
    for (size_t depth = 0;;) {
        struct cbor_item item;
        if (!left[depth]) {
            if (depth-- == 0)
                return true;
            continue;
        }
        left[depth]--;
        if (!cbor_next(text, &item))
            return false;
        uint64_t inside = item.type == CBOR_ARRAY ? item.n
                          : item.type == CBOR_TAG ? 1
                          : item.type == CBOR_MAP ? item.n * 2
                                                  : 0;
        if (item.type == CBOR_MAP && item.n > text->n) /* each pair takes bytes: also keeps item.n * 2 from wrapping */
            return false;
        if (!inside)
            continue;
        if (++depth == LIMIT_CBOR_DEPTH)
            return false;
        left[depth] = inside;
    }
}

bool cbor_is_int(const struct cbor_item *item, int64_t *ret)
{
    if ((item->type != CBOR_UINT && item->type != CBOR_NEGATIVE) || item->n > INT64_MAX)
        return false;
    *ret = item->type == CBOR_UINT ? (int64_t)item->n : -1 - (int64_t)item->n;
    return true;
}
