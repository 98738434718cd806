/* SPDX-License-Identifier: Apache-2.0 */
/* csvread: records of CSV and its relatives out of blocks of text, as Python's csv.reader reads them: a quote counts
 * only at the start of a field, two of them inside are one, text after a closing quote is added as it is, and CR, LF
 * and CRLF all end a record. Lines without a field are no records.
 *
 * The caller owns the text and gives it block by block; a block is changed in place where quotes are undone. What the
 * encoding is does not matter as long as ASCII stands for itself (UTF-8, any 8-bit code). One thread at a time. */
#ifndef VITRINE_CODEC_CSVREAD_H
#define VITRINE_CODEC_CSVREAD_H

#include "base/err.h"
#include "codec/rows.h"

#define CSVREAD_PAD 64 /* bytes that may be read (not written) past the end of a block */

struct csvread {
    char delimiter;
    char quote;       /* '"'; 0 = no quoting */
    uint64_t line;    /* of the next record, from 1 */
    size_t cells_max; /* of one record; LIMIT_CSV_CELLS */
    /* Lines whose record is taken as it stands, quotes and all: recovery from quotes that nobody closes. Ascending. */
    const uint64_t *literal;
    size_t literal_count;
    uint64_t open_line; /* after INVALID: where the quote was opened; `line` is then where its record begins */
};

void csvread_init(struct csvread *r, char delimiter, char quote);
/* Appends the whole records of text[0..n) to `out` and says in *ret_used how many bytes they took: the rest is the
 * beginning of a record and comes again at the front of the next block. last = the text ends here: all is taken. At
 * least CSVREAD_PAD readable bytes must follow text + n.
 * Returns OK, INVALID (at the end: a quote is not closed; see open_line) or TOO_LARGE (a record of too many cells). */
enum status csvread_block(struct csvread *r, char *text, size_t n, bool last, struct rows *out, size_t *ret_used,
                          struct err *err) MUST_USE;

#endif
