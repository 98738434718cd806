/* SPDX-License-Identifier: Apache-2.0 */
/* jread: a pull reader for JSON (RFC 8259, strict): one token a call, no tree.
 *
 * Integers that fit are exact int64, other numbers doubles. Strings are decoded into the arena, or point into the text
 * when they hold no escape. Lone surrogates become U+FFFD; invalid UTF-8, trailing commas, comments, NaN and leading
 * zeros are errors that name line and column. Not thread-safe; one reader a text. */
#ifndef VITRINE_CODEC_JREAD_H
#define VITRINE_CODEC_JREAD_H

#include "base/arena.h"
#include "base/err.h"

enum jread_token {
    JREAD_END, /* the one value has been read whole and nothing follows */
    JREAD_OBJECT_BEGIN,
    JREAD_OBJECT_END,
    JREAD_ARRAY_BEGIN,
    JREAD_ARRAY_END,
    JREAD_KEY,
    JREAD_STRING,
    JREAD_INT,
    JREAD_FLOAT,
    JREAD_TRUE,
    JREAD_FALSE,
    JREAD_NULL
};

#define JREAD_DEPTH_MAX 256 /* nesting; deeper is INVALID */

struct jread {
    struct arena *arena;
    str text;
    size_t at;    /* offset of the next byte */
    size_t start; /* offset of the token returned last */
    size_t depth;
    uint8_t nesting[JREAD_DEPTH_MAX]; /* '{' or '[' a level */
    uint8_t want;
    str s; /* KEY, STRING */
    int64_t i;
    double f;
};

void jread_init(struct jread *r, struct arena *a, str text);
/* INVALID with "line L column C: what". After an error or END the reader must not be used. */
enum status jread_next(struct jread *r, enum jread_token *ret, struct err *err) MUST_USE;
/* 1-based line and column (in bytes) of an offset. */
void jread_place(const struct jread *r, size_t offset, size_t *ret_line, size_t *ret_column);

#endif
