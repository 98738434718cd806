/* SPDX-License-Identifier: Apache-2.0 */
/* jwrite: JSON text straight into a buf, as Python's json.dumps writes it (", " and ": ", \uXXXX for all but printable
 * ASCII).
 *
 * Two levels: jwrite_put_* append one scalar and know nothing of commas; struct jwrite keeps track of them for a
 * document that is written as it goes, without a tree. Nothing fails: what does not fit sets out->over, looked at once
 * at the end. One thread at a time. */
#ifndef VITRINE_CODEC_JWRITE_H
#define VITRINE_CODEC_JWRITE_H

#include "base/buf.h"
#include "base/limits.h"

/* The same bits as enum value_json_flags (value.h). */
enum jwrite_flags {
    JWRITE_COMPACT = 1,  /* "," and ":" */
    JWRITE_UTF8 = 2,     /* non-ASCII and DEL as they are */
    JWRITE_HTML = 8,     /* < > & ' as \u00XX: safe inside <script> and in attributes */
    JWRITE_INFINITY = 16 /* Infinity, -Infinity, NaN as such, as json.dumps does; default null */
};

/* With the quotes. Ill-formed UTF-8 becomes U+FFFD, one for each maximal piece. */
void jwrite_put_string(struct buf *out, str s, unsigned flags);
/* Python's repr: the shortest digits that read back equal, nearest to f among those; "3.0", "1e+16", "1e-07", "-0.0";
 * "Infinity", "-Infinity" and "NaN" for those. */
void jwrite_put_double(struct buf *out, double f);
/* {"$base64": true, "encoded": "..."}: bytes as Datasette writes them. */
void jwrite_put_bytes(struct buf *out, str bytes, unsigned flags);

#define JWRITE_DOUBLE_MAX 32 /* bytes that jwrite_double may write */
/* jwrite_put_double into the caller's bytes; returns how many. No NUL. */
size_t jwrite_double(char out[JWRITE_DOUBLE_MAX], double f);

/* Nesting state of a document. Misuse (an end without its begin, deeper than LIMIT_JSON_DEPTH) is a bug: ASSERT. */
struct jwrite {
    struct buf *out; /* borrowed */
    unsigned flags;
    size_t depth;
    bool more[LIMIT_JSON_DEPTH + 1]; /* a comma is due before the next item of this level */
    bool after_key;
};

void jwrite_init(struct jwrite *w, struct buf *out, unsigned flags);
void jwrite_object_begin(struct jwrite *w);
void jwrite_object_end(struct jwrite *w);
void jwrite_array_begin(struct jwrite *w);
void jwrite_array_end(struct jwrite *w);
void jwrite_key(struct jwrite *w, str key);
void jwrite_string(struct jwrite *w, str s);
void jwrite_i64(struct jwrite *w, int64_t i);
void jwrite_f64(struct jwrite *w, double f); /* null for infinities and NaN unless JWRITE_INFINITY */
void jwrite_bool(struct jwrite *w, bool b);
void jwrite_null(struct jwrite *w);

#endif
