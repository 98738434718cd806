/* SPDX-License-Identifier: Apache-2.0 */
/* cbor: a pull reader for CBOR (RFC 8949) as authenticators write it: definite lengths only. One head a call; no tree,
 * no memory, nothing is ever reserved for a length that the text only claims. Any thread. */
#ifndef VITRINE_CODEC_CBOR_H
#define VITRINE_CODEC_CBOR_H

#include "base/str.h"

enum cbor_type { /* major types (section 3.1) */
                 CBOR_UINT,
                 CBOR_NEGATIVE, /* the number is -1 - n */
                 CBOR_BYTES,    /* .s */
                 CBOR_TEXT,     /* .s; whether it is UTF-8 is not checked */
                 CBOR_ARRAY,    /* n items follow */
                 CBOR_MAP,      /* n pairs follow */
                 CBOR_TAG,      /* one item follows */
                 CBOR_SIMPLE,   /* false, true, null, or the bits of a float */
};

struct cbor_item {
    enum cbor_type type;
    uint64_t n;
    str s; /* into the text read */
};

/* Each takes what it read off the front of *text. False (*text is then anywhere within) when the text ends early, an
 * indefinite length or a reserved head is found, or (skip) nesting is deeper than LIMIT_CBOR_DEPTH. */
bool cbor_next(str *text, struct cbor_item *ret) MUST_USE;
bool cbor_skip(str *text) MUST_USE; /* one item with all in it */
/* An integer of either sign that fits. */
bool cbor_is_int(const struct cbor_item *item, int64_t *ret) MUST_USE;

#endif
