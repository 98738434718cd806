/* SPDX-License-Identifier: Apache-2.0 */
/* encoding: which code a text file is written in. Pure; any thread. */
#ifndef VITRINE_INGEST_ENCODING_H
#define VITRINE_INGEST_ENCODING_H

#include "base/err.h"

enum encoding {
    ENCODING_UNKNOWN, /* to be found out */
    ENCODING_UTF8,
    ENCODING_UTF8_MIXED, /* UTF-8 with ill-formed bytes here and there: rows that hold some are rejected */
    ENCODING_UTF16LE,
    ENCODING_UTF16BE,
    ENCODING_WINDOWS_1252,
    ENCODING_MAC_ROMAN,
    ENCODING_LATIN_1,
    ENCODING_ICONV, /* any other that iconv(3) knows, by name */
};

const char *encoding_name(enum encoding e); /* "UTF-8", ...; "" for UNKNOWN and ICONV */
/* A name as people and Python write it ("latin-1", "cp1252", "utf-8-sig", "utf16"); ICONV when only iconv may know it.
 */
enum encoding encoding_of_name(str name);
/* Code points of the bytes 0x80-0xFF; NULL when it is no 8-bit code with a table. */
const uint16_t *encoding_table(enum encoding e);

/* What is learnt of bytes that are not UTF-8: fed piece by piece. */
struct encoding_evidence {
    uint64_t multibyte;            /* well-formed UTF-8 sequences of two bytes and more */
    uint64_t ill_formed;           /* pieces that are none */
    int64_t score_1252, score_mac; /* how natural the bytes look in each code */
    unsigned char before;          /* the last byte of the piece before */
};
void encoding_feed(struct encoding_evidence *e, str piece);
/* The likeliest 8-bit code, or UTF8_MIXED when nearly all of it is UTF-8. */
enum encoding encoding_decide(const struct encoding_evidence *e);
/* By a byte order mark or by zero bytes in every second place of the first bytes: UTF16LE, UTF16BE; else UNKNOWN. */
enum encoding encoding_utf16(str sample);

#endif
