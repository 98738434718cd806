/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/types.h"

#include <math.h>
#include <stdlib.h>

#include "base/banned.h"

#define REAL_TEXT_MAX 400 /* bytes of a decimal number that is read; a longer one is text */
#define EXACT_POWER   22  /* 10^22 is the largest power of ten that a double holds exactly */
#define EXACT_DIGITS  15  /* digits whose number is below 2^53 whatever they are */

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exact in one rounding when digits and power are small (Clinger 1990); the C library for the rest. */
static bool real_value(str s, uint64_t mantissa, size_t digits, int64_t exponent, bool negative, double *ret)
{
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (digits <= EXACT_DIGITS && exponent >= -EXACT_POWER && exponent <= EXACT_POWER) {
        double f = (double)mantissa;
        f = exponent < 0 ? f / powers[-exponent] : f * powers[exponent];
        *ret = negative ? -f : f;
        return true;
    }
    char text[REAL_TEXT_MAX + 1];
    if (s.n > REAL_TEXT_MAX)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    double f = strtod(text, NULL); /* the process never leaves the locale "C" */
    if (!isfinite(f))
        return false;
    *ret = f;
    return true;
}

static enum number_kind real_parse(str s, size_t at, uint64_t mantissa, size_t digits, size_t whole, bool negative,
                                   double *ret_f)
{
    int64_t exponent = 0;
    size_t fraction = 0;
    if (at < s.n && s.p[at] == '.')
        for (at++; at < s.n && is_digit(s.p[at]); at++, fraction++) {
            if (digits || s.p[at] != '0')
                digits++;
            if (digits <= 19)
                mantissa = mantissa * 10 + (uint64_t)(s.p[at] - '0');
        }
    if (!whole && !fraction)
        return NUMBER_NONE;
    if (at < s.n && (s.p[at] | 32) == 'e') {
        bool minus = false;
        size_t from;
        if (++at < s.n && (s.p[at] == '-' || s.p[at] == '+'))
            minus = s.p[at++] == '-';
        for (from = at; at < s.n && is_digit(s.p[at]); at++)
            exponent = exponent < 100000 ? exponent * 10 + (s.p[at] - '0') : exponent;
        if (at == from)
            return NUMBER_NONE;
        exponent = minus ? -exponent : exponent;
    }
    if (at != s.n)
        return NUMBER_NONE;
    return real_value(s, mantissa, digits, exponent - (int64_t)fraction, negative, ret_f) ? NUMBER_REAL : NUMBER_NONE;
}

enum number_kind number_parse(str s, int64_t *ret_i, double *ret_f)
{
    if (s.n && (s.p[0] == ' ' || s.p[s.n - 1] == ' ')) {
        while (s.n && s.p[0] == ' ')
            s = str_from(s, 1);
        while (s.n && s.p[s.n - 1] == ' ')
            s.n--;
    }
    size_t at = 0;
    bool negative = s.n > 1 && s.p[0] == '-';
    at += negative;
    size_t from = at;
    if (at >= s.n || !(is_digit(s.p[at]) || s.p[at] == '.'))
        return NUMBER_NONE;
    uint64_t value = 0;
    for (; at < s.n && is_digit(s.p[at]); at++)
        if (at - from < 19)
            value = value * 10 + (uint64_t)(s.p[at] - '0');
    size_t whole = at - from;
    if (whole > 1 && s.p[from] == '0')
        return NUMBER_NONE;
    if (at < s.n || (negative && whole == 1 && value == 0)) {
        size_t digits = whole == 1 && value == 0 ? 0 : whole;
        return real_parse(s, at, value, digits, whole, negative, ret_f);
    }
    if (whole > 19 || value > (uint64_t)INT64_MAX + negative)
        return NUMBER_NONE;
    *ret_i = negative ? (int64_t)(0 - value) : (int64_t)value;
    return NUMBER_INT;
}

/* ---- dates ------------------------------------------------------------------------------------------------------ */

struct date {
    unsigned year, month, day, hour, minute, second;
    bool has_time, has_second;
};

/* One to `max` digits at *at. */
static bool take_digits(str s, size_t *at, size_t max, unsigned *ret, size_t *ret_count)
{
    size_t from = *at;
    unsigned v = 0;
    for (; *at < s.n && *at - from < max && is_digit(s.p[*at]); ++*at)
        v = v * 10 + (unsigned)(s.p[*at] - '0');
    *ret = v;
    *ret_count = *at - from;
    return *at > from && !(*at < s.n && is_digit(s.p[*at]));
}

static bool take_time(str s, size_t at, struct date *d)
{
    size_t n;
    if (at == s.n)
        return true;
    if (s.p[at] != ' ')
        return false;
    at++;
    if (!take_digits(s, &at, 2, &d->hour, &n) || at >= s.n || s.p[at++] != ':' ||
        !take_digits(s, &at, 2, &d->minute, &n) || n != 2)
        return false;
    d->has_time = true;
    if (at < s.n && s.p[at] == ':') {
        at++;
        if (!take_digits(s, &at, 2, &d->second, &n) || n != 2)
            return false;
        d->has_second = true;
    }
    return at == s.n && d->hour < 24 && d->minute < 60 && d->second < 60;
}

static bool day_exists(const struct date *d)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (d->year < 1000 || d->month < 1 || d->month > 12 || d->day < 1)
        return false;
    bool leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;
    return d->day <= days[d->month - 1] + (d->month == 2 && leap ? 1u : 0u);
}

static bool take_month_name(str s, size_t *at, unsigned *ret)
{
    static const char *const names[] = {"january", "february", "march",     "april",   "may",      "june",
                                        "july",    "august",   "september", "october", "november", "december"};
    size_t n = 0;
    while (*at + n < s.n && (s.p[*at + n] | 32) >= 'a' && (s.p[*at + n] | 32) <= 'z')
        n++;
    str word = str_sub(s, *at, *at + n);
    for (unsigned i = 0; i < 12; i++) {
        str whole = str_of(names[i]), brief = str_sub(whole, 0, 3);
        if (str_eq_nocase(word, whole) || str_eq_nocase(word, brief)) {
            *at += n;
            *ret = i + 1;
            return true;
        }
    }
    return false;
}

/* 31 Jan 2020, 31-Jan-2020 or January 31, 2020. */
static bool parse_named(str s, struct date *d)
{
    size_t at = 0, n;
    if (is_digit(s.p[0])) {
        if (!take_digits(s, &at, 2, &d->day, &n) || at >= s.n || (s.p[at] != ' ' && s.p[at] != '-'))
            return false;
        char separator = s.p[at++];
        if (!take_month_name(s, &at, &d->month) || at >= s.n || s.p[at++] != separator)
            return false;
    } else {
        if (!take_month_name(s, &at, &d->month) || at >= s.n || s.p[at++] != ' ' ||
            !take_digits(s, &at, 2, &d->day, &n))
            return false;
        if (at + 1 >= s.n || s.p[at] != ',' || s.p[at + 1] != ' ')
            return false;
        at += 2;
    }
    return take_digits(s, &at, 4, &d->year, &n) && n == 4 && take_time(s, at, d) && day_exists(d);
}

static unsigned parse(str s, unsigned wanted, struct date *ret)
{
    unsigned part[3], found = 0;
    size_t length[3], at = 0;
    struct date d = {0};
    char separator = 0;
    if (s.n < 8 || s.n > 32)
        return 0;
    if ((wanted & DATE_NAMED) && parse_named(s, &d)) {
        *ret = d;
        return DATE_NAMED;
    }
    if (!is_digit(s.p[0]))
        return 0;
    for (int i = 0; i < 3; i++) {
        if (!take_digits(s, &at, 4, &part[i], &length[i]))
            return 0;
        if (i == 2)
            break;
        if (at >= s.n || (s.p[at] != '/' && s.p[at] != '-' && s.p[at] != '.') || (separator && s.p[at] != separator))
            return 0;
        separator = s.p[at++];
    }
    static const struct {
        unsigned order;
        uint8_t year, month, day;
    } orders[] = {{DATE_YMD, 0, 1, 2}, {DATE_MDY, 2, 0, 1}, {DATE_DMY, 2, 1, 0}};
    d = (struct date){0};
    if (!take_time(s, at, &d))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        if (!(wanted & orders[i].order) || length[orders[i].year] != 4 || length[orders[i].month] > 2 ||
            length[orders[i].day] > 2)
            continue;
        d.year = part[orders[i].year];
        d.month = part[orders[i].month];
        d.day = part[orders[i].day];
        bool normal = separator == '-' && orders[i].order == DATE_YMD && length[1] == 2 && length[2] == 2;
        if (day_exists(&d) && !normal) {
            *ret = d;
            found |= orders[i].order;
        }
    }
    return found;
}

unsigned date_orders(str s, unsigned wanted)
{
    struct date d;
    return parse(s, wanted, &d);
}

size_t date_normalise(str s, enum date_order order, char out[DATE_TEXT_MAX])
{
    struct date d;
    if (!parse(s, order, &d))
        return 0;
    int n = snprintf(out, DATE_TEXT_MAX, "%04u-%02u-%02u", d.year % 10000, d.month % 100, d.day % 100);
    if (d.has_time)
        n += snprintf(out + n, DATE_TEXT_MAX - (size_t)n, d.has_second ? "T%02u:%02u:%02u" : "T%02u:%02u", d.hour % 100,
                      d.minute % 100, d.second % 100);
    return (size_t)n;
}
