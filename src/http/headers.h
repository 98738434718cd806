/* SPDX-License-Identifier: Apache-2.0 */
/* headers: an ordered list of header fields; names compare without regard to ASCII case, repeated names are kept.
 *
 * Names and values are borrowed: they live as long as whoever added them says. Nothing that could break out of a header
 * line gets in: http_headers_add refuses it. Threads: one at a time. */
#ifndef VITRINE_HTTP_HEADERS_H
#define VITRINE_HTTP_HEADERS_H

#include "base/arena.h"

struct http_header {
    str name;
    str value; /* no white space at either end when it came off the wire */
};
struct http_headers {
    struct http_header *items; /* in an arena, or a fixed array of `cap` when none is given */
    size_t count, cap;
};

/* First value of `name`, or empty with p == NULL. */
str http_headers_get(const struct http_headers *h, str name);
bool http_headers_has(const struct http_headers *h, str name);
size_t http_headers_count(const struct http_headers *h, str name);
/* All values of `name` joined by ", " (RFC 9110 section 5.3); no copy when there is only one. */
str http_headers_join(const struct http_headers *h, str name, struct arena *a);
/* Adds at the end. False, and nothing added, when the name is no token, the value holds a control byte other than tab
 * (CR, LF and NUL above all), or the list is full (LIMIT_HTTP_RESPONSE_HEADERS). */
bool http_headers_add(struct http_headers *h, struct arena *a, str name, str value);
/* Replaces the first one and drops the others, or adds. False as above. */
bool http_headers_set(struct http_headers *h, struct arena *a, str name, str value);
size_t http_headers_remove(struct http_headers *h, str name); /* how many went */

bool http_token_ok(str s);        /* RFC 9110 section 5.6.2: at least one tchar, nothing else */
bool http_header_value_ok(str s); /* RFC 9110 section 5.5: VCHAR, obs-text, SP, HTAB */
/* Takes the next non-empty element off a comma-separated list; knows quoted strings. False at the end. */
bool http_list_next(str *rest, str *ret_item);
bool http_list_has(str list, str token); /* element equal to token, ASCII case aside */

#endif
