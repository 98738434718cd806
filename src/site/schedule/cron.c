/* SPDX-License-Identifier: Apache-2.0 */
#include "site/schedule/cron.h"

#include <time.h>

#include "base/limits.h"

#define DAY_S    86400
#define MAX_DAYS (8 * 366) /* 29 February comes within eight years */

static const struct field {
    const char *name;
    unsigned min, max;
} fields[] = {{"minute", 0, 59}, {"hour", 0, 23}, {"day", 1, 31}, {"month", 1, 12}, {"weekday", 0, 7}};

static enum status wrong(str text, const char *what, struct err *err)
{
    err_set(err, STATUS_INVALID, "\"%.*s\" is no schedule: %s", STR_ARG(text), what);
    return err_hint(err, "Write \"every 15m\" (or h, d), or five fields as in cron: \"0 6 * * *\" is six o'clock UTC.");
}

static enum status parse_every(str text, str rest, struct cron *ret, struct err *err)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'m', 60}, {'h', 3600}, {'d', DAY_S}};
    int64_t n;
    rest = str_trim(rest);
    for (size_t i = 0; rest.n > 1 && i < ARRAY_LEN(units); i++) {
        if (rest.p[rest.n - 1] != units[i].unit)
            continue;
        if (!str_to_i64(str_trim(str_sub(rest, 0, rest.n - 1)), &n) || n < 1 ||
            n > LIMIT_SCHEDULE_DAYS * (DAY_S / units[i].seconds))
            return wrong(text, "between 1m and 366d is possible", err);
        *ret = (struct cron){.every_s = n * units[i].seconds};
        return STATUS_OK;
    }
    return wrong(text, "a number and m, h or d must follow \"every\"", err);
}

static bool parse_number(str s, const struct field *f, unsigned *ret)
{
    int64_t n;
    if (!str_all_digits(s) || !str_to_i64(s, &n) || n < f->min || n > f->max)
        return false;
    *ret = (unsigned)n;
    return true;
}

/* "1-5/2", "*", "7" */
static bool parse_item(str item, const struct field *f, uint64_t *bits)
{
    str range, step_text, low, high;
    unsigned from = f->min, to = f->max, step = 1;
    bool stepped = str_cut(item, '/', &range, &step_text);
    static const struct field steps = {"step", 1, 59};
    if (stepped && !parse_number(step_text, &steps, &step))
        return false;
    if (!str_is(range, "*")) {
        bool two = str_cut(range, '-', &low, &high);
        if (!parse_number(low, f, &from))
            return false;
        to = two || !stepped ? from : f->max;
        if (two && (!parse_number(high, f, &to) || to < from))
            return false;
    }
    for (unsigned i = from; i <= to; i += step)
        *bits |= UINT64_C(1) << i;
    return true;
}

static bool parse_field(str text, const struct field *f, uint64_t *ret)
{
    str item, rest = text;
    *ret = 0;
    do {
        bool more = str_cut(rest, ',', &item, &rest);
        if (!parse_item(item, f, ret))
            return false;
        if (!more)
            return true;
    } while (rest.n);
    return false; /* ends with a comma */
}

enum status cron_parse(str text, struct cron *ret, struct err *err)
{
    uint64_t bits[ARRAY_LEN(fields)];
    str word, all = str_trim(text), rest = all;
    bool any[ARRAY_LEN(fields)];
    size_t n = 0;
    if (str_starts(all, STR("every ")))
        return parse_every(text, str_from(all, 6), ret, err);
    while (rest.n) {
        str_cut(rest, ' ', &word, &rest);
        rest = str_trim(rest);
        if (n == ARRAY_LEN(fields))
            return wrong(text, "it has more than five fields", err);
        if (!parse_field(word, &fields[n], &bits[n])) {
            char what[96];
            snprintf(what, sizeof what, "the %s must be from %u to %u, *, a list or a range", fields[n].name,
                     fields[n].min, fields[n].max);
            return wrong(text, what, err);
        }
        any[n++] = word.p[0] == '*';
    }
    if (n != ARRAY_LEN(fields))
        return wrong(text, "it needs five fields", err);
    *ret = (struct cron){.minutes = bits[0],
                         .hours = (uint32_t)bits[1],
                         .days = (uint32_t)bits[2],
                         .months = (uint32_t)bits[3],
                         .weekdays = (uint32_t)(bits[4] | (bits[4] >> 7 & 1)), /* Sunday is 0 and 7 */
                         .any_day = any[2],
                         .any_weekday = any[4]};
    return STATUS_OK;
}

static bool day_fits(const struct cron *c, const struct tm *tm)
{
    bool day = c->days >> tm->tm_mday & 1, weekday = c->weekdays >> tm->tm_wday & 1;
    if (!(c->months >> (tm->tm_mon + 1) & 1))
        return false;
    return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

int64_t cron_next(const struct cron *c, int64_t after)
{
    if (c->every_s)
        return after + c->every_s;
    int64_t first = (after / 60 + 1) * 60, day = first - first % DAY_S;
    for (int i = 0; i < MAX_DAYS; i++, day += DAY_S) {
        struct tm tm;
        time_t t = (time_t)day;
        if (!gmtime_r(&t, &tm) || !day_fits(c, &tm))
            continue;
        for (int64_t minute = i ? 0 : (first - day) / 60; minute < 1440; minute++)
            if ((c->hours >> minute / 60 & 1) && (c->minutes >> minute % 60 & 1))
                return day + minute * 60;
    }
    return 0;
}
