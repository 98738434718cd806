/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_scalar — the regular expressions of PyYAML's resolver.py, by hand:
 *
 *   int    [-+]? ( 0b[01_]+ | 0[0-7_]+ | 0x[0-9a-fA-F_]+ | 0 | [1-9][0-9_]* | [1-9][0-9_]*(:[0-5]?[0-9])+ )
 *   float  [-+]? [0-9][0-9_]* \. [0-9_]* ([eE][-+][0-9]+)?          |  \. [0-9][0-9_]* ([eE][-+][0-9]+)?
 *          [-+]? [0-9][0-9_]* (:[0-5]?[0-9])+ \. [0-9_]*            |  [-+]? \.(inf|Inf|INF)  |  \.(nan|NaN|NAN)
 *
 * "1:30" counts in base 60 (90). "_" is nothing. An exponent needs its sign and the number a point, so 1e3 is text. */
#include "codec/yaml_scalar.h"

#include <math.h>
#include <stdlib.h>

#define NUMBER_MAX 128 /* bytes of a number; longer ones are text */

bool yaml_scalar_null(str s)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    return str_is_any(s, words, ARRAY_LEN(words));
}

bool yaml_scalar_bool(str s, bool *ret)
{
    static const char *const yes[] = {"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
    static const char *const no[] = {"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
    bool is_yes = str_is_any(s, yes, ARRAY_LEN(yes));
    if (!is_yes && !str_is_any(s, no, ARRAY_LEN(no)))
        return false;
    *ret = is_yes;
    return true;
}

static bool cut_sign(str *s)
{
    bool minus = s->n && s->p[0] == '-';
    if (minus || (s->n && s->p[0] == '+'))
        *s = str_from(*s, 1);
    return minus;
}

static int digit_of(char c)
{
    int letter = (c | 32) - 'a';
    return c >= '0' && c <= '9' ? c - '0' : letter >= 0 && letter < 6 ? letter + 10 : 99;
}

/* A number as it is read: kept negative, because INT64_MIN has no positive twin, and as a double (nearly) for when it
 * is too large. */
struct number {
    int64_t negative;
    double f;
    bool large;
};

static void number_add(struct number *n, int base, int digit)
{
    n->f = n->f * base + digit;
    n->large = n->large || __builtin_mul_overflow(n->negative, base, &n->negative) ||
               __builtin_sub_overflow(n->negative, digit, &n->negative);
}

static bool read_digits(str s, int base, struct number *n)
{
    size_t digits = 0;
    for (size_t i = 0; i < s.n; i++) {
        int d = digit_of(s.p[i]);
        if (s.p[i] == '_')
            continue;
        if (d >= base)
            return false;
        digits++;
        number_add(n, base, d);
    }
    return digits > 0;
}

/* (:[0-5]?[0-9])+ */
static bool read_sixties(str s, struct number *n)
{
    while (s.n) {
        str part;
        if (s.p[0] != ':')
            return false;
        size_t end = str_find_char(str_from(s, 1), ':');
        part = str_sub(s, 1, end == STR_NPOS ? s.n : end + 1);
        s = str_from(s, part.n + 1);
        if (part.n < 1 || part.n > 2 || !str_all_digits(part) || (part.n == 2 && part.p[0] > '5'))
            return false;
        number_add(n, 60, part.n == 2 ? (part.p[0] - '0') * 10 + part.p[1] - '0' : part.p[0] - '0');
    }
    return true;
}

static bool read_int(str s, struct number *n)
{
    if (!s.n || s.p[0] < '0' || s.p[0] > '9')
        return false;
    if (s.p[0] == '0' && s.n > 1) {
        bool binary = s.p[1] == 'b', hex = s.p[1] == 'x';
        return read_digits(str_from(s, binary || hex ? 2 : 0), binary ? 2 : hex ? 16 : 8, n);
    }
    size_t colon = str_find_char(s, ':');
    if (colon == STR_NPOS)
        return read_digits(s, 10, n);
    return read_digits(str_sub(s, 0, colon), 10, n) && read_sixties(str_from(s, colon), n);
}

/* [0-9_]* from `at` on; copies the digits. */
static size_t copy_digits(str s, size_t at, char *out, size_t *n)
{
    for (; at < s.n && ((s.p[at] >= '0' && s.p[at] <= '9') || s.p[at] == '_'); at++)
        if (s.p[at] != '_')
            out[(*n)++] = s.p[at];
    return at;
}

/* Decimal digits as a double, rounded once; number.f is rounded at every digit. */
static double nearest(str s)
{
    char text[NUMBER_MAX + 1];
    size_t n = 0;
    (void)copy_digits(s, 0, text, &n);
    text[n] = 0;
    return strtod(text, NULL);
}

bool yaml_scalar_int(str s, struct value *ret)
{
    struct number n = {0};
    bool minus = cut_sign(&s);
    if (s.n > NUMBER_MAX || !read_int(s, &n))
        return false;
    if (!n.large && (minus || n.negative != INT64_MIN)) {
        *ret = value_int(minus ? n.negative : -n.negative);
        return true;
    }
    double f = s.p[0] == '0' || str_find_char(s, ':') != STR_NPOS ? n.f : nearest(s);
    *ret = value_float(minus ? -f : f);
    return true;
}

static bool read_special(str s, double *ret)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF"}, *const nans[] = {".nan", ".NaN", ".NAN"};
    if (str_is_any(s, nans, ARRAY_LEN(nans))) {
        *ret = (double)NAN;
        return true;
    }
    bool minus = cut_sign(&s);
    if (!str_is_any(s, infinities, ARRAY_LEN(infinities)))
        return false;
    *ret = minus ? -(double)INFINITY : (double)INFINITY;
    return true;
}

static bool starts_with_digit(str s, size_t at)
{
    return at < s.n && s.p[at] >= '0' && s.p[at] <= '9';
}

/* digits [. digits [e+digits]]; s has no sign. */
static bool read_decimal(str s, double *ret)
{
    char text[NUMBER_MAX + 2];
    size_t n = 0, at = 0;
    if (starts_with_digit(s, 0))
        at = copy_digits(s, 0, text, &n);
    else if (!(s.n > 1 && s.p[0] == '.' && starts_with_digit(s, 1)))
        return false;
    if (at == s.n || s.p[at] != '.')
        return false;
    text[n++] = '.';
    at = copy_digits(s, at + 1, text, &n);
    if (at + 2 < s.n && (s.p[at] | 32) == 'e' && (s.p[at + 1] == '-' || s.p[at + 1] == '+') &&
        str_all_digits(str_from(s, at + 2))) {
        memcpy(text + n, s.p + at, s.n - at);
        n += s.n - at;
        at = s.n;
    }
    text[n] = 0;
    *ret = strtod(text, NULL);
    return at == s.n;
}

/* 1:30.5 */
static bool read_sixties_float(str s, double *ret)
{
    size_t colon = str_find_char(s, ':'), dot = str_find_char(s, '.');
    struct number n = {0};
    char text[NUMBER_MAX + 2] = "0.";
    size_t length = 2;
    if (colon == STR_NPOS || dot == STR_NPOS || dot < colon || !starts_with_digit(s, 0))
        return false;
    if (!read_digits(str_sub(s, 0, colon), 10, &n) || !read_sixties(str_sub(s, colon, dot), &n))
        return false;
    if (copy_digits(s, dot + 1, text, &length) != s.n)
        return false;
    text[length] = 0;
    *ret = n.f + strtod(text, NULL);
    return true;
}

bool yaml_scalar_float(str s, struct value *ret)
{
    double f;
    if (s.n > NUMBER_MAX)
        return false;
    if (!read_special(s, &f)) {
        bool dot_first = s.n && s.p[0] == '.', minus = cut_sign(&s);
        if (!dot_first && s.n && s.p[0] == '.')
            return false; /* "-.5" is text to PyYAML */
        if (!read_decimal(s, &f) && !read_sixties_float(s, &f))
            return false;
        f = minus ? -f : f;
    }
    *ret = value_float(f);
    return true;
}

struct value yaml_scalar_resolve(struct arena *a, str s)
{
    struct value v;
    bool b;
    if (yaml_scalar_null(s))
        return VALUE_NULL;
    if (yaml_scalar_bool(s, &b))
        return value_bool(b);
    if (yaml_scalar_int(s, &v) || yaml_scalar_float(s, &v))
        return v;
    return value_str(arena_str(a, s));
}
