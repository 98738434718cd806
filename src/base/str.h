/* SPDX-License-Identifier: Apache-2.0 */
/* str: a borrowed slice of bytes, passed by value. Never owns, never NUL-terminated by contract. */
#ifndef VITRINE_BASE_STR_H
#define VITRINE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"

typedef struct str {
    const char *p; /* may be NULL only when n is 0 */
    size_t n;      /* bytes */
} str;

#define STR(literal) ((str){("" literal), sizeof(literal) - 1})
#define STR_FMT      "%.*s"
#define STR_ARG(s)   ((int)(s).n), ((s).n ? (s).p : "")

static inline str str_of(const char *cstr)
{
    return (str){cstr, cstr ? strlen(cstr) : 0};
}
static inline str str_make(const char *p, size_t n)
{
    return (str){p, n};
}
static inline bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_is(str a, const char *cstr)
{
    return str_eq(a, str_of(cstr));
}
/* Bytes from `from` (clamped) to the end. */
static inline str str_from(str s, size_t from)
{
    return from >= s.n ? (str){s.p ? s.p + s.n : NULL, 0} : (str){s.p + from, s.n - from};
}
/* Bytes [from, to), both clamped. */
static inline str str_sub(str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return (str){s.p ? s.p + from : NULL, to - from};
}
/* ASCII letters in lower case, all other bytes as they are: what HTTP, DNS and SQLite's lower() mean by case. */
static inline char str_lower_char(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}
str str_lower(char *out, str s);  /* writes s.n bytes to out, which may be s.p; returns them. arena_lower copies */
bool str_eq_nocase(str a, str b); /* ASCII case only */
int str_cmp(str a, str b);        /* memcmp order, shorter first */
int str_cmp_nocase(str a, str b); /* str_cmp of both in lower case */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
#define STR_NPOS ((size_t)-1)
size_t str_find(str s, str needle);                /* offset or STR_NPOS */
bool str_in(str s, const str *list, size_t count); /* is one of them */
bool str_in_nocase(str s, const str *list, size_t count);
bool str_is_any(str s, const char *const *list, size_t count);
size_t str_find_char(str s, char c);  /* offset or STR_NPOS */
size_t str_rfind_char(str s, char c); /* offset or STR_NPOS */
str str_trim(str s);                  /* ASCII white space off both ends */
/* Cuts at the first `c`: left of it to *ret_left, right of it to *ret_right. False (left = s, right = empty) when
 * absent. */
bool str_cut(str s, char c, str *ret_left, str *ret_right);
uint64_t str_hash(str s);
#define STR_I64_MAX 21 /* bytes that str_write_i64 and str_write_u64 may write */
/* Decimal digits without a NUL; how many bytes. */
size_t str_write_i64(char out[STR_I64_MAX], int64_t v);
size_t str_write_u64(char out[STR_I64_MAX], uint64_t v);
/* Whole-string decimal integers; false on empty, junk, or overflow. str_to_i64 takes a leading '-' only. */
bool str_to_i64(str s, int64_t *ret) MUST_USE;
bool str_to_u64(str s, uint64_t *ret) MUST_USE;
bool str_all_digits(str s); /* at least one, all 0-9 */

#endif
