/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/when.h"

#define MINUTES_PER_DAY 1440

/* Days since 0000-03-01 of the Gregorian calendar: months from March on, so that leap days come last. */
static int64_t day_number(int year, int month, int day)
{
    int64_t y = year - (month < 3), m = (month + 9) % 12;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1;
}

static void from_day_number(int64_t n, struct when *w)
{
    int64_t y = (10000 * n + 14780) / 3652425;
    int64_t rest = n - (365 * y + y / 4 - y / 100 + y / 400);
    if (rest < 0) {
        y--;
        rest = n - (365 * y + y / 4 - y / 100 + y / 400);
    }
    int64_t m = (100 * rest + 52) / 3060;
    w->month = (int)((m + 2) % 12 + 1);
    w->year = (int)(y + (m + 2) / 12);
    w->day = (int)(rest - (m * 306 + 5) / 10 + 1);
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_digits(str *s, size_t count, int *ret)
{
    if (s->n < count)
        return false;
    int v = 0;
    for (size_t i = 0; i < count; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_from(*s, count);
    *ret = v;
    return true;
}

static bool take_char(str *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = str_from(*s, 1);
    return true;
}

static bool take_time(str *s, struct when *w)
{
    int ignored;
    if (!take_digits(s, 2, &w->hour) || !take_char(s, ':') || !take_digits(s, 2, &w->minute))
        return false;
    if (take_char(s, ':')) {
        if (!take_digits(s, 2, &w->second))
            return false;
        if (take_char(s, '.')) {
            if (!take_digits(s, 1, &ignored))
                return false;
            while (take_digits(s, 1, &ignored)) {
            }
        }
    }
    w->has_time = true;
    if (w->second == 60)
        w->second = 59;
    return w->hour < 24 && w->minute < 60 && w->second < 60;
}

static bool take_zone(str *s, struct when *w)
{
    int hours = 0, minutes = 0;
    while (take_char(s, ' ')) {
    }
    if (!s->n)
        return true;
    w->has_zone = true;
    if (str_is(*s, "Z") || str_is(*s, "z") || str_is(*s, "UTC") || str_is(*s, "GMT")) {
        *s = (str){0};
        return true;
    }
    int sign = take_char(s, '+') ? 1 : take_char(s, '-') ? -1 : 0;
    if (!sign || !take_digits(s, 2, &hours))
        return false;
    (void)take_char(s, ':');
    if (s->n && !take_digits(s, 2, &minutes))
        return false;
    w->zone_minutes = sign * (hours * 60 + minutes);
    return !s->n && hours < 24 && minutes < 60;
}

bool when_parse(str text, struct when *ret)
{
    struct when w = {0};
    str s = str_trim(text);
    if (!take_digits(&s, 4, &w.year) || !take_char(&s, '-') || !take_digits(&s, 2, &w.month) || !take_char(&s, '-') ||
        !take_digits(&s, 2, &w.day))
        return false;
    if (w.year < 1 || w.month < 1 || w.month > 12 || w.day < 1 || w.day > days_in(w.year, w.month))
        return false;
    if (s.n &&
        (!(take_char(&s, 'T') || take_char(&s, 't') || take_char(&s, ' ')) || !take_time(&s, &w) || !take_zone(&s, &w)))
        return false;
    *ret = w;
    return true;
}

static int64_t minutes_utc(const struct when *w)
{
    return day_number(w->year, w->month, w->day) * MINUTES_PER_DAY + w->hour * 60 + w->minute - w->zone_minutes;
}

int when_compare(const struct when *a, const struct when *b)
{
    int64_t x = minutes_utc(a) * 60 + a->second, y = minutes_utc(b) * 60 + b->second;
    return x < y ? -1 : x > y;
}

void when_rfc3339(struct buf *out, const struct when *w)
{
    int zone = w->zone_minutes < 0 ? -w->zone_minutes : w->zone_minutes;
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", w->year, w->month, w->day, w->hour, w->minute, w->second);
    if (zone)
        buf_printf(out, "%c%02d:%02d", w->zone_minutes < 0 ? '-' : '+', zone / 60, zone % 60);
    else
        buf_putc(out, 'Z');
}

void when_ical(struct buf *out, const struct when *w, bool local)
{
    struct when u = *w;
    if (!local && w->has_time) {
        int64_t minutes = minutes_utc(w);
        from_day_number(minutes / MINUTES_PER_DAY, &u);
        u.hour = (int)(minutes % MINUTES_PER_DAY / 60);
        u.minute = (int)(minutes % 60);
    }
    buf_printf(out, "%04d%02d%02d", u.year, u.month, u.day);
    if (w->has_time)
        buf_printf(out, "T%02d%02d%02d%s", u.hour, u.minute, u.second, local ? "" : "Z");
}
