/* SPDX-License-Identifier: Apache-2.0 */
/* letter: an e-mail as its bytes (RFC 5322, 2045-2047): headers, a text and, beside it, simple HTML. Whatever stands in
 * names, subject and texts, headers come from nobody but us: control characters become spaces, what is not ASCII is
 * encoded, and addresses are checked. Pure; any thread. */
#ifndef VITRINE_CODEC_LETTER_H
#define VITRINE_CODEC_LETTER_H

#include "base/arena.h"
#include "base/err.h"

struct letter {
    str from, from_name; /* the name may be empty */
    str to;
    str subject;
    str text, html; /* UTF-8, lines end with LF or CR LF; html may be empty */
    str id, domain; /* Message-ID: <id@domain>; the id is unique, of letters, digits, "-" and "." */
    int64_t date_unix_s;
};

/* name@host.domain of RFC 5321's plain form: ASCII, no quotes, no comments, no address in brackets; a host without a
 * dot only if it is "localhost". INVALID says what is wrong, for the person who typed it. */
enum status letter_address(str address, struct err *err) MUST_USE;
/* With CR LF everywhere and "Auto-Submitted: auto-generated" (RFC 3834). INVALID: an address. TOO_LARGE: more than
 * LIMIT_LETTER bytes. */
enum status letter_write(struct arena *a, const struct letter *l, str *ret, struct err *err) MUST_USE;

#endif
