/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/xlsx_value.h"

#include <math.h>
#include <stdio.h>

#include "base/utf8.h"

#include "base/banned.h"

#define DAY_MS   INT64_C(86400000)
#define LAST_DAY 2958466.0 /* the day after 9999-12-31, as Excel counts */

unsigned xlsx_format_builtin(int64_t id)
{
    static const struct {
        uint8_t from, to;
        unsigned show;
    } known[] = {{14, 17, XLSX_DATE}, {18, 21, XLSX_TIME},    {22, 22, XLSX_DATE | XLSX_TIME},
                 {27, 31, XLSX_DATE}, {32, 35, XLSX_TIME},    {36, 36, XLSX_DATE},
                 {45, 45, XLSX_TIME}, {46, 46, XLSX_ELAPSED}, {47, 47, XLSX_TIME},
                 {50, 54, XLSX_DATE}, {55, 56, XLSX_TIME},    {57, 58, XLSX_DATE}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (id >= known[i].from && id <= known[i].to)
            return known[i].show;
    return 0;
}

/* What stands in brackets: a colour, a condition, a language, or a count of hours past 24. */
static bool is_elapsed(str inside)
{
    for (size_t i = 0; i < inside.n; i++)
        if (!strchr("hHmMsS", inside.p[i]))
            return false;
    return inside.n > 0;
}

/* Only the first section counts: the others are for negative numbers and text. "m" is a month unless hours or seconds
 * stand beside it; with both a date and a time it does not matter. */
unsigned xlsx_format_code(str code)
{
    bool day = false, month = false, time = false, elapsed = false;
    if (str_eq_nocase(code, STR("General")))
        return 0;
    for (size_t i = 0; i < code.n && code.p[i] != ';'; i++) {
        char c = code.p[i];
        if (c == '"') {
            size_t end = str_find_char(str_from(code, i + 1), '"');
            i = end == STR_NPOS ? code.n : i + 1 + end;
        } else if (c == '[') {
            size_t end = str_find_char(str_from(code, i + 1), ']');
            if (end == STR_NPOS)
                break;
            elapsed |= is_elapsed(str_sub(code, i + 1, i + 1 + end));
            i += 1 + end;
        } else if (c == '\\' || c == '_' || c == '*') {
            i++;
        } else if (c == '0' || c == '#' || c == '?') {
            if (!time && !elapsed) /* digits come in dates only as parts of seconds */
                return 0;
        } else {
            day |= strchr("dDyY", c) != NULL;
            month |= c == 'm' || c == 'M';
            time |= strchr("hHsS", c) != NULL;
        }
    }
    if (elapsed)
        return XLSX_ELAPSED;
    return (day || (month && !time) ? XLSX_DATE : 0) | (time ? XLSX_TIME : 0);
}

/* Days since 1970-01-01 to a date; the algorithm of Hinnant's civil_from_days. */
static void civil(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    days += 719468;
    int64_t era = days / 146097, doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = (int)(yoe + era * 400 + (*ret_month <= 2));
}

static size_t put_time(char *out, size_t max, int64_t ms)
{
    int n = snprintf(out, max, "%02lld:%02d:%02d", (long long)(ms / 3600000), (int)(ms / 60000 % 60),
                     (int)(ms / 1000 % 60));
    if (ms % 1000)
        n += snprintf(out + n, max - (size_t)n, ".%03d", (int)(ms % 1000));
    return (size_t)n;
}

size_t xlsx_date(double serial, unsigned show, bool date1904, char out[XLSX_DATE_MAX])
{
    if (!(serial >= 0 && serial < LAST_DAY))
        return 0;
    int64_t ms = llround(serial * (double)DAY_MS), day = ms / DAY_MS;
    if (show & XLSX_ELAPSED || (show == XLSX_TIME && day == 0))
        return put_time(out, XLSX_DATE_MAX, ms);
    int year, month, dom;
    if (date1904)
        day += 1462;
    else if (day < 60) /* 1900 was no leap year, but Excel has a day 60 in it */
        day++;
    else if (day == 60)
        return 0;
    if (day >= (int64_t)LAST_DAY)
        return 0;
    civil(day - 25569, &year, &month, &dom);
    int n = snprintf(out, XLSX_DATE_MAX, "%04d-%02d-%02d", year, month, dom);
    if (!(show & XLSX_TIME) && ms % DAY_MS == 0)
        return (size_t)n;
    out[n++] = 'T';
    return (size_t)n + put_time(out + n, XLSX_DATE_MAX - (size_t)n, ms % DAY_MS);
}

bool xlsx_reference(str reference, uint32_t *ret_column, uint64_t *ret_row)
{
    uint32_t column = 0;
    size_t i = 0;
    for (; i < reference.n && i < 4; i++) {
        char c = (char)(reference.p[i] & ~32);
        if (c < 'A' || c > 'Z')
            break;
        column = column * 26 + (uint32_t)(c - 'A' + 1);
    }
    if (!column || column > 16384 || !str_to_u64(str_from(reference, i), ret_row))
        return false;
    *ret_column = column - 1;
    return true;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

size_t xlsx_unescape(char *p, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n;) {
        uint32_t code = 0;
        bool escape = n - i >= 7 && p[i] == '_' && p[i + 1] == 'x' && p[i + 6] == '_';
        for (size_t k = 2; escape && k < 6; k++) {
            escape = hex(p[i + k]) >= 0;
            code = code * 16 + (escape ? (uint32_t)hex(p[i + k]) : 0);
        }
        if (escape && code && (code < 0xd800 || code > 0xdfff)) { /* at most 3 bytes for 7 */
            to += utf8_encode(code, p + to);
            i += 7;
        } else {
            p[to++] = p[i++];
        }
    }
    return to;
}
