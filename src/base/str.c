/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

str str_lower(char *out, str s)
{
    for (size_t i = 0; i < s.n; i++)
        out[i] = str_lower_char(s.p[i]);
    return str_make(out, s.n);
}

bool str_eq_nocase(str a, str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (str_lower_char(a.p[i]) != str_lower_char(b.p[i]))
            return false;
    return true;
}

int str_cmp(str a, str b)
{
    size_t n = MIN(a.n, b.n);
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

int str_cmp_nocase(str a, str b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        int order = (unsigned char)str_lower_char(a.p[i]) - (unsigned char)str_lower_char(b.p[i]);
        if (order)
            return order;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(str s, str prefix)
{
    return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool str_ends(str s, str suffix)
{
    return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

size_t str_find(str s, str needle)
{
    if (needle.n == 0)
        return 0;
    const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? (size_t)(at - s.p) : STR_NPOS;
}

bool str_in(str s, const str *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i], s))
            return true;
    return false;
}

bool str_in_nocase(str s, const str *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq_nocase(list[i], s))
            return true;
    return false;
}

bool str_is_any(str s, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(s, list[i]))
            return true;
    return false;
}

size_t str_find_char(str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : STR_NPOS;
}

size_t str_rfind_char(str s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : STR_NPOS;
}

static bool white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

str str_trim(str s)
{
    while (s.n && white(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && white(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_cut(str s, char c, str *ret_left, str *ret_right)
{
    size_t at = str_find_char(s, c);
    bool found = at != STR_NPOS;
    *ret_left = found ? str_sub(s, 0, at) : s;
    *ret_right = found ? str_from(s, at + 1) : (str){s.p ? s.p + s.n : NULL, 0};
    return found;
}

/* str_hash: 128-bit multiply-and-fold over 16-byte steps (the construction of wyhash), keyed with a secret that is
 * drawn once a process, so that an outsider who picks keys cannot pick collisions. Never stored, never shown. */
static uint64_t hash_key[2];

__attribute__((constructor(101))) static void hash_key_init(void)
{
    if (getrandom(hash_key, sizeof(hash_key), GRND_NONBLOCK) != (ssize_t)sizeof(hash_key)) {
        hash_key[0] = (uint64_t)clock_unix_us() * UINT64_C(0x9E3779B97F4A7C15);
        hash_key[1] = (uint64_t)clock_mono_us() * UINT64_C(0xD6E8FEB86659FD93) ^ (uint64_t)getpid();
    }
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t read64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Up to 8 bytes as a number, without reading past the end. */
static uint64_t read_tail(const char *p, size_t n)
{
    uint64_t v = 0;
    if (n)
        memcpy(&v, p, n);
    return v;
}

uint64_t str_hash(str s)
{
    const uint64_t a = UINT64_C(0xA0761D6478BD642F), b = UINT64_C(0xE7037ED1A0B428DB);
    uint64_t h = hash_key[0] ^ fold(s.n ^ a, hash_key[1] ^ b);
    const char *p = s.p;
    size_t n = s.n;
    for (; n > 16; p += 16, n -= 16)
        h = fold(read64(p) ^ hash_key[1], read64(p + 8) ^ h);
    uint64_t lo = n >= 8 ? read64(p) : read_tail(p, n);
    uint64_t hi = n > 8 ? read_tail(p + 8, n - 8) : 0;
    return fold(a ^ h, fold(lo ^ hash_key[1], hi ^ h ^ b));
}

bool str_to_u64(str s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_to_i64(str s, int64_t *ret)
{
    uint64_t v;
    bool negative = s.n && s.p[0] == '-';
    if (!str_to_u64(negative ? str_from(s, 1) : s, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool str_all_digits(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

/* ---- numbers ---- */

static const char digit_pairs[201] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                     "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                     "8081828384858687888990919293949596979899";

/* Writes v right-aligned before `end`; returns the first digit. Two digits a step. */
static char *u64_digits(uint64_t v, char *end)
{
    while (v >= 100) {
        size_t pair = (size_t)(v % 100) * 2;
        v /= 100;
        *--end = digit_pairs[pair + 1];
        *--end = digit_pairs[pair];
    }
    if (v >= 10) {
        *--end = digit_pairs[v * 2 + 1];
        *--end = digit_pairs[v * 2];
    } else {
        *--end = (char)('0' + v);
    }
    return end;
}

static size_t write_digits(char *out, bool minus, uint64_t v)
{
    char text[STR_I64_MAX], *end = text + sizeof(text), *p = u64_digits(v, end);
    if (minus)
        *--p = '-';
    memcpy(out, p, (size_t)(end - p));
    return (size_t)(end - p);
}

size_t str_write_u64(char out[STR_I64_MAX], uint64_t v)
{
    return write_digits(out, false, v);
}

size_t str_write_i64(char out[STR_I64_MAX], int64_t v)
{
    return write_digits(out, v < 0, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}
