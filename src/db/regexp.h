/* SPDX-License-Identifier: Apache-2.0 */
/* regexp: regular expressions in linear time, for the REGEXP operator.
 *
 *   abc . [a-z] [^a-z] \d \D \w \W \s \S \b \B ^ $ a|b (a) (?:a) a* a+ a? a{2} a{2,} a{2,5} \. \n \t \r \f \v \xHH
 * \uHHHH, and (?i) at the start (ASCII letters). Lazy forms: *? +? ??. POSIX
 * names in sets: [[:alpha:]]. No back-references and no look-around: they cannot be matched in linear time. Text is
 * UTF-8; a bad byte is U+FFFD. */
#ifndef VITRINE_DB_REGEXP_H
#define VITRINE_DB_REGEXP_H

#include "base/err.h"

struct regexp;

/* INVALID with the reason and the byte offset; TOO_LARGE (LIMIT_DB_REGEXP_*). */
enum status regexp_compile(str pattern, struct regexp **ret, struct err *err) MUST_USE;
void regexp_free(struct regexp *r); /* NULL is fine */
/* OK = found somewhere in text (*ret), CANCELLED = stop(arg) said so; stop may be NULL. One thread at a time (scratch
 * inside). Cost: bytes of text times states of the expression, at worst; no memory. */
enum status regexp_search(struct regexp *r, str text, bool (*stop)(void *arg), void *arg, bool *ret) MUST_USE;

struct regexp_span {
    size_t start, end; /* bytes of the text; end is past the match */
};
/* The leftmost match that begins at or after byte `from` (a character's first), as far as a back-tracking matcher would
 * take it: greedy repeats as long as they can, of alternatives the first that fits. ^ and \b see what stands before
 * `from`. Untouched *ret_span without a match. Otherwise as regexp_search. */
enum status regexp_find(struct regexp *r, str text, size_t from, bool (*stop)(void *arg), void *arg,
                        struct regexp_span *ret_span, bool *ret) MUST_USE;

#endif
