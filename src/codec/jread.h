/* SPDX-License-Identifier: Apache-2.0 */
/* jread: a pull reader for JSON (RFC 8259, strict): one token a call, no tree.
 *
 * Integers that fit are exact int64; other numbers are the nearest double, which is an infinity past 1.8e308. Lone
 * surrogates in \u escapes become U+FFFD; ill-formed UTF-8, raw control bytes in strings, trailing commas, comments,
 * NaN and leading zeros are errors that name line and column. A byte order mark at the start is skipped (RFC 8259
 * section 8.1). Cost: one pass over the text, 8 bytes a step inside strings. One thread at a time. */
#ifndef VITRINE_CODEC_JREAD_H
#define VITRINE_CODEC_JREAD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"

enum jread_token {
    JREAD_END, /* the one value has been read whole and nothing follows */
    JREAD_OBJECT_BEGIN,
    JREAD_OBJECT_END,
    JREAD_ARRAY_BEGIN,
    JREAD_ARRAY_END,
    JREAD_KEY,    /* .s */
    JREAD_STRING, /* .s */
    JREAD_INT,    /* .i */
    JREAD_FLOAT,  /* .f */
    JREAD_TRUE,
    JREAD_FALSE,
    JREAD_NULL
};

struct jread {
    struct arena *arena;               /* decoded strings go here */
    str text;                          /* borrowed; must outlive the reader and the strings it gave */
    size_t at;                         /* offset of the next byte */
    size_t start;                      /* offset of the token returned last */
    size_t depth;                      /* containers open now */
    uint8_t nesting[LIMIT_JSON_DEPTH]; /* '{' or '[' a level */
    uint8_t want;
    str s; /* KEY, STRING: points into `text` when it holds no escape, else into the arena; well-formed UTF-8 */
    int64_t i;
    double f;
};

void jread_init(struct jread *r, struct arena *a, str text);
/* Returns OK or INVALID ("line L column C: what"; nesting past LIMIT_JSON_DEPTH too). After an error or END the reader
 * must not be used. */
enum status jread_next(struct jread *r, enum jread_token *ret, struct err *err) MUST_USE;
/* Reads on to the end of the value whose first token was `first` (nothing to do for a scalar): for members that do not
 * matter. Everything in it is still checked. */
enum status jread_skip(struct jread *r, enum jread_token first, struct err *err) MUST_USE;
/* 1-based line and column (in bytes) of an offset. Cost: a scan from the start. */
void jread_place(const struct jread *r, size_t offset, size_t *ret_line, size_t *ret_column);

#endif
