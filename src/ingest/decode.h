/* SPDX-License-Identifier: Apache-2.0 */
/* decode: a source as UTF-8 text, piece by piece. UTF-8 goes through untouched, straight into the caller's buffer. */
#ifndef VITRINE_INGEST_DECODE_H
#define VITRINE_INGEST_DECODE_H

#include "ingest/encoding.h"
#include "ingest/source.h"

struct decode;

/* encoding: not UNKNOWN. `iconv_name` is for ENCODING_ICONV. A byte order mark is skipped. Statuses: those of
 * unpack_new, INVALID (iconv does not know the name). */
enum status decode_new(const struct source *s, enum encoding encoding, const char *iconv_name, struct decode **ret,
                       struct err *err) MUST_USE;
void decode_free(struct decode *d); /* NULL is fine */
/* Up to `size` (at least 64) bytes that do not end inside of a character; 0 = end. *ret_ill_formed: what was read
 * holds bytes that are not UTF-8 (UTF8, UTF8_MIXED: they are given as they are). Other codes: what cannot be read
 * becomes U+FFFD and is counted. */
enum status decode_read(struct decode *d, char *p, size_t size, size_t *ret_n, bool *ret_ill_formed,
                        struct err *err) MUST_USE;
/* Goes on from there, perhaps inside of a character. False: packed, or in a code whose characters can only be told from
 * the start on. */
bool decode_seek(struct decode *d, uint64_t offset);
uint64_t decode_position(const struct decode *d); /* packed bytes of the source taken so far */
uint64_t decode_replaced(const struct decode *d); /* characters that became U+FFFD */

/* The first bytes as they are, unpacked. */
enum status decode_sample(struct arena *a, const struct source *s, size_t max, str *ret, struct err *err) MUST_USE;
/* Reads the whole source to tell what it is if it is not UTF-8. */
enum status decode_detect(const struct source *s, enum encoding *ret, struct err *err) MUST_USE;

#endif
