/* SPDX-License-Identifier: Apache-2.0 */
/* cookie: the Cookie field in, the Set-Cookie field out (RFC 6265). Pure; any thread. */
#ifndef VITRINE_HTTP_COOKIE_H
#define VITRINE_HTTP_COOKIE_H

#include "codec/value.h"

/* Value of the cookie `name` in a Cookie field, or empty with p == NULL. A value in double quotes is unquoted with
 * \ooo and \c undone, as Python's http.cookies does it; else it is borrowed from `field`. The first of equal names
 * wins. */
str cookie_find(struct arena *a, str field, str name);
/* The same, but empty when there are several of the name: nobody can tell whose the others are. */
str cookie_find_only(struct arena *a, str field, str name);
/* DICT of all cookies, values as above; at most LIMIT_HTTP_COOKIES, pairs without "=" are left out. */
struct value cookie_parse(struct arena *a, str field);

enum cookie_flags { COOKIE_HTTP_ONLY = 1, COOKIE_SECURE = 2, COOKIE_LAX = 4, COOKIE_STRICT = 8 };
/* "name=value; Path=/; Max-Age=...; HttpOnly; Secure; SameSite=lax". max_age_s < 0: no Max-Age (session); path empty:
 * "/". Empty result when the name is no token or value or path hold a byte that a cookie may not. */
str cookie_format(struct arena *a, str name, str value, str path, int64_t max_age_s, unsigned flags);

#endif
