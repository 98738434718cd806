/* SPDX-License-Identifier: Apache-2.0 */
/* csvwrite: CSV as Python's csv.writer makes it by default (RFC 4180): "," between fields, CRLF after each record,
 * quotes only around fields that hold a comma, a quote, CR or LF, and around the one empty field of a record with no
 * other.
 *
 * csvwrite_field appends one field and knows nothing of commas; struct csvwrite counts fields. What does not fit sets
 * out->over. Text is written byte for byte: the caller repairs UTF-8 where that matters. One thread at a
 * time. */
#ifndef VITRINE_CODEC_CSVWRITE_H
#define VITRINE_CODEC_CSVWRITE_H

#include "base/buf.h"

void csvwrite_field(struct buf *out, str s);

struct csvwrite {
    struct buf *out; /* borrowed */
    size_t fields;   /* of the current record so far */
    bool blank;      /* nothing but one empty field so far */
};

void csvwrite_init(struct csvwrite *w, struct buf *out);
void csvwrite_text(struct csvwrite *w, str s);
void csvwrite_null(struct csvwrite *w); /* an empty field */
void csvwrite_i64(struct csvwrite *w, int64_t i);
void csvwrite_f64(struct csvwrite *w, double f); /* Python's repr: "1e+100", "inf", "nan" */
void csvwrite_end(struct csvwrite *w);           /* ends the record */

#endif
