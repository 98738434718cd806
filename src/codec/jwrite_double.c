/* SPDX-License-Identifier: Apache-2.0 */
/* jwrite_double — the shortest decimal text that reads back as the same double, laid out as Python's repr.
 *
 * Four ways, the quick ones first:
 *
 *   whole       integers below 1e16 are printed as such with ".0".
 *   short       Nearly all stored decimals have at most 15 significant digits. Scaled by the power of ten that makes a
 *               15-digit integer of it, and rounded, the value W is the only candidate: a decimal D that reads as f is
 *               nearer than 2^-53 relative, scaling adds as much again, together under 0.23 of a unit of W, so rounding
 *               gives D. W and 10^p (p <= 22) are exact doubles and a division rounds once, therefore W / 10^p == f
 *               says exactly "this text reads as f". No two decimals of 15 digits read as one normal double, so with
 * its trailing zeros cut W is the shortest. exact       From about 1e-6 to 1e16 the scaled value is m * 5^p / 2^k with
 * m * 5^p below 2^105: rounded to 16, then to 17 digits in whole numbers. The distance to f is compared with half the
 * gap between doubles, which is 5^p / 2 in the same units, with equality allowed for an even m as strtod rounds ties to
 * even. searched    the rest: printf with rising precision until strtod agrees; 17 digits always do. Doubles below
 * DBL_MIN have less precision, so there the search starts at one digit.
 *
 * At powers of two the doubles below are twice as dense as those above: the nearest 16-digit decimal may read as the
 * neighbour below while the next one up reads as f.
 *
 * About 5, 60, 170 and 2000 ns. The C library is used in the "C" locale only: nothing here may call setlocale. Tests:
 * tests/unit/codec/test_golden.c holds what Python prints for many doubles. */
#include <float.h>
#include <math.h>

#include "codec/jwrite.h"

#define DIGITS_MAX 17 /* significant digits that tell any two doubles apart */

/* 0.d1d2d3... has its point after `exponent` + 1 digits: 1.5 is {"15", 2, 0}, 0.01 is {"1", 1, -2}. */
struct decimal {
    char digits[STR_I64_MAX]; /* at most DIGITS_MAX of them */
    int count, exponent;
};

static char *put_u64(char *at, uint64_t v)
{
    return at + str_write_u64(at, v);
}

#define PLACES_MAX 22 /* 10^22 is the largest power of ten that is exact as a double */

/* A number at most one below log10(f) rounded down, from f < 2^binary; 1233 / 4096 is log10(2). */
static int lowest_exponent(int binary)
{
    return (binary - 1) * 1233 >> 12;
}

/* Inline, so that the division is by a constant. */
static inline void cut_zeros(uint64_t *whole, int *places, uint64_t power, int zeros)
{
    while (*whole % power == 0) {
        *whole /= power;
        *places -= zeros;
    }
}

/* whole / 10^places without its trailing zeros; whole > 0. */
static void take_whole(uint64_t whole, int places, struct decimal *ret)
{
    cut_zeros(&whole, &places, 100000000, 8);
    cut_zeros(&whole, &places, 10000, 4);
    cut_zeros(&whole, &places, 100, 2);
    cut_zeros(&whole, &places, 10, 1);
    ret->count = (int)(put_u64(ret->digits, whole) - ret->digits);
    ret->exponent = ret->count - 1 - places;
}

static bool find_short(double f, struct decimal *ret)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int binary;
    (void)frexp(f, &binary);
    int places = 14 - lowest_exponent(binary);
    if (places > 0 && places <= PLACES_MAX + 1 && f * tens[places - 1] >= 1e14)
        places--;
    if (places < 0 || places > PLACES_MAX)
        return false;
    uint64_t whole = (uint64_t)(f * tens[places] + 0.5);
    if ((double)whole / tens[places] != f)
        return false;
    take_whole(whole, places, ret);
    return true;
}

__extension__ typedef unsigned __int128 wide;

/* Whether q / 10^places reads as f = mantissa * 2^e: n = mantissa * five, q and n in units of 2^-shift. */
static bool reads_back(uint64_t q, wide n, uint64_t five, uint64_t mantissa, int shift)
{
    wide at = (wide)q << shift, off = at < n ? n - at : at - n, gap = five;
    if (mantissa == UINT64_C(1) << 52 && at < n)
        return 4 * off <= gap;
    return 2 * off < gap || (2 * off == gap && mantissa % 2 == 0);
}

static bool find_exact(double f, struct decimal *ret)
{
    static const uint64_t fives[PLACES_MAX + 1] = {UINT64_C(1),
                                                   UINT64_C(5),
                                                   UINT64_C(25),
                                                   UINT64_C(125),
                                                   UINT64_C(625),
                                                   UINT64_C(3125),
                                                   UINT64_C(15625),
                                                   UINT64_C(78125),
                                                   UINT64_C(390625),
                                                   UINT64_C(1953125),
                                                   UINT64_C(9765625),
                                                   UINT64_C(48828125),
                                                   UINT64_C(244140625),
                                                   UINT64_C(1220703125),
                                                   UINT64_C(6103515625),
                                                   UINT64_C(30517578125),
                                                   UINT64_C(152587890625),
                                                   UINT64_C(762939453125),
                                                   UINT64_C(3814697265625),
                                                   UINT64_C(19073486328125),
                                                   UINT64_C(95367431640625),
                                                   UINT64_C(476837158203125),
                                                   UINT64_C(2384185791015625)};
    int binary;
    uint64_t mantissa = (uint64_t)ldexp(frexp(f, &binary), 53);
    uint64_t limit = UINT64_C(10000000000000000);
    int places = 15 - lowest_exponent(binary);
    for (int count = 16; count <= DIGITS_MAX; count++, places++, limit *= 10) {
        for (;; places--) {
            int shift = 53 - binary - places;
            if (places < 0 || places > PLACES_MAX || shift < 1)
                return false;
            wide n = (wide)mantissa * fives[places], half = (wide)1 << (shift - 1), rest = n & (2 * half - 1);
            uint64_t q = (uint64_t)(n >> shift);
            if (q >= limit) /* one digit too many: the exponent was the higher of the two */
                continue;
            q += rest > half || (rest == half && q % 2 == 1);
            if (!reads_back(q, n, fives[places], mantissa, shift)) {
                if (mantissa != UINT64_C(1) << 52 || !reads_back(++q, n, fives[places], mantissa, shift))
                    break;
            }
            take_whole(q, places, ret);
            return true;
        }
    }
    return false;
}

/* "d.ddde-XX" without its point. */
static void take_printed(const char *text, struct decimal *ret)
{
    ret->count = 0;
    for (; *text != 'e'; text++)
        if (*text != '.')
            ret->digits[ret->count++] = *text;
    ret->exponent = (int)strtol(text + 1, NULL, 10);
    while (ret->count > 1 && ret->digits[ret->count - 1] == '0')
        ret->count--;
}

/* Adds one to the last of the printed digits; false when that carries through all of them. */
static bool one_more(char *text)
{
    char *p = strchr(text, 'e');
    while (--p >= text) {
        if (*p == '.')
            continue;
        if (*p != '9') {
            ++*p;
            return true;
        }
        *p = '0';
    }
    return false;
}

static void find_searched(double f, struct decimal *ret)
{
    char text[40];
    int binary;
    bool power = frexp(f, &binary) == 0.5;
    for (int count = f < DBL_MIN ? 1 : 15;; count++) {
        (void)snprintf(text, sizeof(text), "%.*e", count - 1, f);
        if (count == DIGITS_MAX || strtod(text, NULL) == f)
            break;
        if (power && one_more(text) && strtod(text, NULL) == f)
            break;
    }
    take_printed(text, ret);
}

static char *put_zeros(char *at, int n)
{
    if (n > 0)
        memset(at, '0', (size_t)n);
    return at + MAX(n, 0);
}

static char *put_digits(char *at, const struct decimal *d, int from, int to)
{
    memcpy(at, d->digits + from, (size_t)(to - from));
    return at + (to - from);
}

/* Python's float_repr_style "short": an exponent where it is under -4 or from 16 on. */
static char *lay_out(char *at, const struct decimal *d)
{
    int x = d->exponent;
    if (x < -4 || x >= 16) {
        *at++ = d->digits[0];
        if (d->count > 1) {
            *at++ = '.';
            at = put_digits(at, d, 1, d->count);
        }
        *at++ = 'e';
        *at++ = x < 0 ? '-' : '+';
        x = x < 0 ? -x : x;
        at = put_zeros(at, x < 10);
        return put_u64(at, (uint64_t)x);
    }
    if (x < 0) {
        *at++ = '0';
        *at++ = '.';
        at = put_zeros(at, -x - 1);
        return put_digits(at, d, 0, d->count);
    }
    int left = MIN(d->count, x + 1);
    at = put_digits(at, d, 0, left);
    at = put_zeros(at, x + 1 - left);
    *at++ = '.';
    if (left == d->count)
        return put_zeros(at, 1);
    return put_digits(at, d, left, d->count);
}

static size_t put_word(char *out, str word)
{
    memcpy(out, word.p, word.n);
    return word.n;
}

size_t jwrite_double(char out[JWRITE_DOUBLE_MAX], double f)
{
    char *at = out;
    if (isnan(f))
        return put_word(out, STR("NaN"));
    if (signbit(f)) {
        *at++ = '-';
        f = -f;
    }
    if (isinf(f))
        return (size_t)(at - out) + put_word(at, STR("Infinity"));
    if (f < 1e16 && f == (double)(uint64_t)f) {
        at = put_u64(at, (uint64_t)f);
        return (size_t)(at - out) + put_word(at, STR(".0"));
    }
    struct decimal d;
    if (!find_short(f, &d) && !find_exact(f, &d))
        find_searched(f, &d);
    return (size_t)(lay_out(at, &d) - out);
}

void jwrite_put_double(struct buf *out, double f)
{
    char text[JWRITE_DOUBLE_MAX];
    buf_put(out, text, jwrite_double(text, f));
}
