/* SPDX-License-Identifier: Apache-2.0 */
/* url: percent and tilde encoding, query strings. Results live in the arena, or are the input itself when nothing
 * changes. */
#ifndef VITRINE_CODEC_URL_H
#define VITRINE_CODEC_URL_H

#include "base/arena.h"
#include "base/buf.h"

struct url_pair {
    str key, value;
};

/* Python's urllib.parse.quote (keeps letters, digits and "_.-~" and `safe`) and quote_plus (space as "+"). Upper-case
 * hex. */
str url_quote(struct arena *a, str s, const char *safe);
str url_quote_plus(struct arena *a, str s);
/* "%41" -> "A"; malformed escapes stay as they are. Bytes are not checked for UTF-8. _plus: "+" is a space. */
str url_unquote(struct arena *a, str s);
str url_unquote_plus(struct arena *a, str s);

/* "a=1&b=" -> pairs, decoded, invalid UTF-8 repaired, blank values kept; empty pieces are skipped. At most `max` pairs;
 * false when there are more. */
bool url_parse_query(struct arena *a, str query, size_t max, struct url_pair **ret, size_t *ret_count);
/* urllib.parse.urlencode */
str url_encode(struct arena *a, const struct url_pair *pairs, size_t count);

/* Datasette's names in paths: A-Za-z0-9_- as they are, space as "+", every other byte as ~XX. */
str tilde_encode(struct arena *a, str s);
str tilde_decode(struct arena *a, str s); /* "%" stays a "%" */

#endif
