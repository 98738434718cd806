/* SPDX-License-Identifier: Apache-2.0 */
/* jsplit: a long text of JSON records cut into one text a record, read piece by piece: a JSON array of values, or lines
 * of values (NDJSON). Only the ends of records are looked for; whether a record is JSON is for who reads it. Memory is
 * one record. One thread at a time. */
#ifndef VITRINE_CODEC_JSPLIT_H
#define VITRINE_CODEC_JSPLIT_H

#include "base/buf.h"
#include "base/err.h"

struct jsplit {
    /* Appends some bytes to `to`; *ret_end when there are no more. */
    enum status (*read)(void *arg, struct buf *to, bool *ret_end, struct err *err);
    void *arg;
    struct buf buf;
    size_t at;             /* of buf: the next byte */
    size_t most;           /* bytes of one record */
    uint64_t line, record; /* of the last record, both from 1 */
    uint64_t lines;        /* line ends passed */
    bool end, array, whole, begun, finished, after_comma;
};

/* whole: a text that begins with { is one record, however many lines it has. */
void jsplit_init(struct jsplit *s, enum status (*read)(void *arg, struct buf *to, bool *ret_end, struct err *err),
                 void *arg, size_t most, bool whole);
void jsplit_release(struct jsplit *s);
/* AGAIN: *ret is the next record, valid until the next call. OK: there are no more. INVALID ("line L: what") and
 * TOO_LARGE: nothing more can be read. Statuses of read(). */
enum status jsplit_next(struct jsplit *s, str *ret, struct err *err) MUST_USE;

#endif
