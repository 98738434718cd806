/* SPDX-License-Identifier: Apache-2.0 */
/* url: percent and tilde encoding, query strings, links that change them.
 *
 * Results live in the arena, or are the input itself when nothing changes (then they live as long as the input). All
 * pure; any thread. */
#ifndef VITRINE_CODEC_URL_H
#define VITRINE_CODEC_URL_H

#include "base/arena.h"
#include "base/buf.h"

struct url_pair {
    str key, value; /* decoded */
};

/* Python's urllib.parse.quote and quote_plus: letters, digits, "_.-~" and the bytes of `safe` (ASCII) stay, others
 * become %XX in upper case; _plus: a space becomes "+". */
str url_quote(struct arena *a, str s, const char *safe);
str url_quote_plus(struct arena *a, str s);
/* "%41" -> "A"; malformed escapes stay as they are. Bytes are not checked for UTF-8. _plus: "+" is a space. */
str url_unquote(struct arena *a, str s);
str url_unquote_plus(struct arena *a, str s);

/* "a=1&b=" -> pairs as Python's parse_qsl(keep_blank_values=True) gives them: decoded, ill-formed UTF-8 repaired, empty
 * pieces skipped, "a" is a key with an empty value. Values have a non-NULL p. At most `max` pairs; false (outputs
 * untouched) when there are more. */
bool url_parse_query(struct arena *a, str query, size_t max, struct url_pair **ret, size_t *ret_count) MUST_USE;
/* urllib.parse.urlencode: quote_plus of each, "=" and "&" between. */
str url_encode(struct arena *a, const struct url_pair *pairs, size_t count);

/* Datasette's path_with_added_args, _replaced_args and _removed_args: path + "?" + query with some arguments changed.
 * All three drop arguments with blank values (as parse_qsl does by default), keep the others in order, quote everything
 * anew, and leave the "?" out when nothing remains. `query` comes without "?"; its length bounds the work. added each
 * argument is appended; one whose value.p is NULL instead removes every argument of that key replaced  every argument
 * with one of the keys is dropped, then those whose value.p is not NULL are appended removed   arguments with one of
 * the keys are dropped; where value.p is not NULL only those with that value */
str url_with_added(struct arena *a, str path, str query, const struct url_pair *args, size_t count);
str url_with_replaced(struct arena *a, str path, str query, const struct url_pair *args, size_t count);
str url_with_removed(struct arena *a, str path, str query, const struct url_pair *args, size_t count);

/* A URL without user name and password: for messages. */
str url_shown(struct arena *a, str url);

/* Datasette's names in paths: A-Za-z0-9_- as they are, space as "+", every other byte as ~XX. */
str tilde_encode(struct arena *a, str s);
str tilde_decode(struct arena *a, str s); /* "%" stays a "%"; bytes are not checked for UTF-8 */

#endif
