/* SPDX-License-Identifier: Apache-2.0 */
#include "site/share/terms.h"

#include <time.h>

#include "base/limits.h"
#include "base/utf8.h"

#define DAYS_MAX     3650
#define PASSWORD_MIN 8

static enum status bad_until(struct err *err, str text)
{
    err_set(err, STATUS_INVALID, "until: \"%.*s\" is no time to come", STR_ARG(str_sub(text, 0, MIN(text.n, 40))));
    return err_hint(err, "Write a number of days such as 7d, a day to come such as 2030-12-31, or never.");
}

static bool read_day(str text, int64_t *ret_s)
{
    int64_t year, month, day;
    if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-' || !str_all_digits(str_sub(text, 0, 4)) ||
        !str_all_digits(str_sub(text, 5, 7)) || !str_all_digits(str_sub(text, 8, 10)))
        return false;
    if (!str_to_i64(str_sub(text, 0, 4), &year) || !str_to_i64(str_sub(text, 5, 7), &month) ||
        !str_to_i64(str_sub(text, 8, 10), &day))
        return false;
    struct tm tm = {.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day};
    time_t t = timegm(&tm);
    if (tm.tm_year != year - 1900 || tm.tm_mon != month - 1 || tm.tm_mday != day) /* 31 February */
        return false;
    *ret_s = (int64_t)t + 86400;
    return true;
}

enum status terms_until(str text, int64_t now_s, int64_t *ret, struct err *err)
{
    int64_t days, at;
    text = str_trim(text);
    if (!text.n || str_is(text, "never")) {
        *ret = 0;
        return STATUS_OK;
    }
    if (str_ends(text, STR("d")) && str_all_digits(str_sub(text, 0, text.n - 1)) &&
        str_to_i64(str_sub(text, 0, text.n - 1), &days) && days >= 1 && days <= DAYS_MAX) {
        *ret = now_s + days * 86400;
        return STATUS_OK;
    }
    if (!read_day(text, &at) || at <= now_s)
        return bad_until(err, text);
    *ret = at;
    return STATUS_OK;
}

bool terms_is_address(str who)
{
    size_t at = str_find_char(who, '@');
    return at != STR_NPOS && at > 0 && at + 1 < who.n && str_find_char(str_from(who, at + 1), '@') == STR_NPOS &&
           str_find_char(str_from(who, at + 1), '.') != STR_NPOS;
}

enum status terms_who(str text, str *ret, struct err *err)
{
    text = str_trim(text);
    bool ok = text.n > 0 && text.n <= LIMIT_SHARE_WHO && utf8_valid(text);
    for (size_t i = 0; i < text.n && ok; i++) {
        unsigned char c = (unsigned char)text.p[i];
        ok = c > 0x20 && c != 0x7f && c != '<' && c != '>' && c != ',' && c != ';' && c != '"';
    }
    if (!ok) {
        err_set(err, STATUS_INVALID, "who: write one e-mail address, or the id of one person");
        return err_hint(err, "Share again for each further person.");
    }
    *ret = text;
    return STATUS_OK;
}

enum status terms_page(struct arena *a, str text, str *ret, struct err *err)
{
    bool ok = text.n <= LIMIT_SHARE_TEXT && (!text.n || text.p[0] == '?' || text.p[0] == '#');
    for (size_t i = 0; i < text.n && ok; i++) /* it goes into a Location header */
        ok = text.p[i] > 0x20 && text.p[i] < 0x7f && text.p[i] != '\\';
    if (!ok)
        return err_set(
            err, STATUS_INVALID,
            "page: write what stands behind the address of the page: \"?_sort=name\", percent-encoded, at most "
            "%d bytes",
            LIMIT_SHARE_TEXT);
    *ret = text.n == 1 ? STR("") : arena_str(a, text);
    return STATUS_OK;
}

enum status terms_password(str text, struct err *err)
{
    if (text.n >= PASSWORD_MIN && text.n <= LIMIT_PASSWORD)
        return STATUS_OK;
    err_set(err, STATUS_INVALID, "password: at least %d bytes, at most %d", PASSWORD_MIN, LIMIT_PASSWORD);
    return err_hint(err, "A few words that do not belong together are easy to tell and hard to guess.");
}

int terms_audience(str name)
{
    for (int i = 0; i < SHARE_AUDIENCES; i++)
        if (str_is(name, share_audience_names[i]))
            return i;
    return -1;
}
