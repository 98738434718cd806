/* SPDX-License-Identifier: Apache-2.0 */
/* clock — the calendar is computed here (proleptic Gregorian, UTC): no locale, no time zone files, no shared buffers.
 */
#include "base/clock_jump.h"

#if defined(VITRINE_FAULTS) && VITRINE_FAULTS
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const volatile int64_t *wrong_by_s;

static void open_wrong(void)
{
    const char *path = getenv("VITRINE_CLOCK");
    int fd = path && *path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof *wrong_by_s, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        wrong_by_s = at;
}

static int64_t wrong_us(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ASSERT(pthread_once(&once, open_wrong) == 0);
    return wrong_by_s ? *wrong_by_s * 1000000 : 0;
}
#else
#define wrong_us() INT64_C(0)
#endif

#define SLACK_S 60 /* what a clock may be corrected by without having been set back */

static int64_t clock_us(clockid_t id)
{
    struct timespec ts;
    ASSERT(clock_gettime(id, &ts) == 0);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t clock_thread_cpu_us(void)
{
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_mono_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_boot_s(void)
{
    return clock_us(CLOCK_BOOTTIME) / 1000000;
}

int64_t clock_unix_us(void)
{
    return clock_us(CLOCK_REALTIME) + wrong_us();
}

int64_t clock_unix_s(void)
{
    return clock_unix_us() / 1000000;
}

int64_t clock_age_s(int64_t then_unix_s, int64_t now_unix_s)
{
    if (then_unix_s > now_unix_s + SLACK_S)
        return INT64_MAX;
    return MAX(0, now_unix_s - then_unix_s);
}

static const char week_days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const long_days[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct civil {
    int64_t year;
    unsigned month, day, hour, minute, second; /* month 1-12, day 1-31 */
    unsigned week_day;                         /* 0 = Sunday */
};

#define YEAR_0000 INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define YEAR_9999 INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* Days are counted from 1 March of year 0, where a year's leap day is its last day: then the month follows from the day
 * of the year by one linear formula. 719468 = days from there to 1970-01-01; 146097 = days of 400 years. */
static struct civil civil_of(int64_t unix_s)
{
    unix_s = unix_s < YEAR_0000 ? YEAR_0000 : unix_s > YEAR_9999 ? YEAR_9999 : unix_s;
    int64_t days = unix_s / 86400, rest = unix_s % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t from_march = days + 719468;
    int64_t era = (from_march >= 0 ? from_march : from_march - 146096) / 146097;
    int64_t day_of_era = from_march - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    struct civil c;
    c.day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    c.month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    c.year = year_of_era + era * 400 + (c.month <= 2);
    c.hour = (unsigned)(rest / 3600);
    c.minute = (unsigned)(rest / 60 % 60);
    c.second = (unsigned)(rest % 60);
    c.week_day = (unsigned)(((days + 4) % 7 + 7) % 7);
    return c;
}

static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, year_of_era = year - era * 400;
    int64_t shifted = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * shifted + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static char *put_digits(char *at, unsigned v, int width)
{
    for (int i = width - 1; i >= 0; i--, v /= 10)
        at[i] = (char)('0' + v % 10);
    return at + width;
}

static char *put_text(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}

static char *put_time(char *at, const struct civil *c)
{
    at = put_digits(at, c->hour, 2);
    *at++ = ':';
    at = put_digits(at, c->minute, 2);
    *at++ = ':';
    return put_digits(at, c->second, 2);
}

void clock_format_http(int64_t unix_s, char out[CLOCK_HTTP_LEN + 1])
{
    struct civil c = civil_of(unix_s);
    char *at = put_text(out, week_days[c.week_day], 3);
    at = put_digits(put_text(at, ", ", 2), c.day, 2);
    *at++ = ' ';
    at = put_text(at, months[c.month - 1], 3);
    *at++ = ' ';
    at = put_digits(at, (unsigned)c.year, 4);
    *at++ = ' ';
    put_text(put_time(at, &c), " GMT", 5);
}

void clock_format_iso_ms(int64_t unix_us, char out[CLOCK_ISO_LEN + 1])
{
    int64_t seconds = unix_us / 1000000, us = unix_us % 1000000;
    if (us < 0) {
        us += 1000000;
        seconds--;
    }
    struct civil c = civil_of(seconds);
    char *at = put_digits(out, (unsigned)c.year, 4);
    *at++ = '-';
    at = put_digits(at, c.month, 2);
    *at++ = '-';
    at = put_digits(at, c.day, 2);
    *at++ = 'T';
    at = put_time(at, &c);
    *at++ = '.';
    put_text(put_digits(at, (unsigned)us / 1000, 3), "Z", 2);
}

/* A cursor over the date text; every take_* says false when the text is not that. */
static bool take_text(str *s, const char *text)
{
    str want = str_of(text);
    if (!str_starts(*s, want))
        return false;
    *s = str_from(*s, want.n);
    return true;
}

static bool take_number(str *s, size_t digits, unsigned *ret)
{
    uint64_t v;
    if (s->n < digits || !str_to_u64(str_sub(*s, 0, digits), &v))
        return false;
    *ret = (unsigned)v;
    *s = str_from(*s, digits);
    return true;
}

static bool take_month(str *s, unsigned *ret)
{
    for (unsigned i = 0; i < 12; i++)
        if (take_text(s, months[i])) {
            *ret = i + 1;
            return true;
        }
    return false;
}

static bool take_time(str *s, struct civil *c)
{
    return take_number(s, 2, &c->hour) && take_text(s, ":") && take_number(s, 2, &c->minute) && take_text(s, ":") &&
           take_number(s, 2, &c->second);
}

static bool take_day_name(str *s, bool whole)
{
    for (unsigned i = 0; i < 7; i++)
        if (take_text(s, whole ? long_days[i] : week_days[i]))
            return true;
    return false;
}

static bool parse_imf_fixdate(str s, struct civil *c)
{
    unsigned year;
    if (!(take_day_name(&s, false) && take_text(&s, ", ") && take_number(&s, 2, &c->day) && take_text(&s, " ") &&
          take_month(&s, &c->month) && take_text(&s, " ") && take_number(&s, 4, &year) && take_text(&s, " ") &&
          take_time(&s, c) && take_text(&s, " GMT") && s.n == 0))
        return false;
    c->year = year;
    return true;
}

/* RFC 9110 section 5.6.7: a two-digit year that seems more than 50 years ahead is the most recent past one. */
static bool parse_rfc850(str s, struct civil *c)
{
    unsigned year;
    if (!(take_day_name(&s, true) && take_text(&s, ", ") && take_number(&s, 2, &c->day) && take_text(&s, "-") &&
          take_month(&s, &c->month) && take_text(&s, "-") && take_number(&s, 2, &year) && take_text(&s, " ") &&
          take_time(&s, c) && take_text(&s, " GMT") && s.n == 0))
        return false;
    int64_t now = civil_of(clock_unix_s()).year;
    c->year = now - now % 100 + year;
    if (c->year > now + 50)
        c->year -= 100;
    return true;
}

static bool parse_asctime(str s, struct civil *c)
{
    unsigned year;
    if (!(take_day_name(&s, false) && take_text(&s, " ") && take_month(&s, &c->month) && take_text(&s, " ") &&
          (take_text(&s, " ") ? take_number(&s, 1, &c->day) : take_number(&s, 2, &c->day)) && take_text(&s, " ") &&
          take_time(&s, c) && take_text(&s, " ") && take_number(&s, 4, &year) && s.n == 0))
        return false;
    c->year = year;
    return true;
}

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool clock_parse_http(str s, int64_t *ret_unix_s)
{
    static const unsigned char lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil c = {0};
    if (!parse_imf_fixdate(s, &c) && !parse_rfc850(s, &c) && !parse_asctime(s, &c))
        return false;
    unsigned length = lengths[c.month - 1] + (c.month == 2 && leap(c.year));
    if (c.day < 1 || c.day > length || c.hour > 23 || c.minute > 59 || c.second > 60) /* 60: a leap second */
        return false;
    *ret_unix_s = days_of(c.year, c.month, c.day) * 86400 + c.hour * 3600 + c.minute * 60 + MIN(c.second, 59u);
    return true;
}
