/* SPDX-License-Identifier: Apache-2.0 */
/* jwrite: JSON text straight into a buf, as Python's json.dumps writes it (", " and ": ", \uXXXX for non-ASCII).
 *
 * Two levels: jwrite_put_* append one scalar; struct jwrite keeps track of commas for a streaming document. */
#ifndef VITRINE_CODEC_JWRITE_H
#define VITRINE_CODEC_JWRITE_H

#include "base/buf.h"

enum jwrite_flags {
    JWRITE_COMPACT = 1, /* "," and ":" */
    JWRITE_UTF8 = 2,    /* non-ASCII as it is */
    JWRITE_HTML = 8     /* < > & ' as \u00XX */
};

/* Invalid UTF-8 becomes U+FFFD. */
void jwrite_put_string(struct buf *out, str s, unsigned flags);
/* Python's repr: shortest text that reads back equal; "Infinity", "-Infinity" and "NaN" for those. */
void jwrite_put_double(struct buf *out, double f);

#define JWRITE_DEPTH_MAX 256

struct jwrite {
    struct buf *out;
    unsigned flags;
    size_t depth;
    bool more[JWRITE_DEPTH_MAX]; /* a comma is due before the next item of this level */
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
void jwrite_f64(struct jwrite *w, double f); /* null for infinities and NaN */
void jwrite_bool(struct jwrite *w, bool b);
void jwrite_null(struct jwrite *w);
void jwrite_raw(struct jwrite *w, str json); /* one value that is JSON already */

#endif
