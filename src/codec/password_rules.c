/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/password_rules.h"

#include "base/limits.h"

#define FOLDED_MAX 64 /* nothing longer is common */
#define PERIOD_MAX 3  /* "abcabcabcabc" */
#define LOCAL_MIN  4  /* shorter names before "@" are in too many good passwords */

static const str common[] = {
#define X(text) {text, sizeof(text) - 1},
#include "codec/tbl/common_passwords.h"
#undef X
};

static size_t characters(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

/* What is left without the digits and signs at both ends: "12Summer2024!" -> "Summer". */
static str core(str s)
{
    while (s.n && !is_letter(s.p[0]))
        s = str_from(s, 1);
    while (s.n && !is_letter(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool listed(str s)
{
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (str_eq_nocase(s, common[i]))
            return true;
    return false;
}

/* One to three characters again and again, or each the next of the one before ("abcdefghij", "9876543210"). */
static bool is_pattern(str s)
{
    for (size_t period = 1; period <= PERIOD_MAX; period++)
        if (s.n > 2 * period && memcmp(s.p, s.p + period, s.n - period) == 0)
            return true;
    int step = s.n > 1 ? s.p[1] - s.p[0] : 0;
    for (size_t i = 2; i < s.n; i++)
        if (s.p[i] - s.p[i - 1] != step && !(s.p[i - 1] == '9' && s.p[i] == '0'))
            return false;
    return step == 1 || step == -1;
}

static bool is_common(str password)
{
    str word = core(password);
    if (is_pattern(password))
        return true;
    return password.n <= FOLDED_MAX && (listed(password) || (word.n * 2 >= password.n && listed(word)));
}

static bool is_own_address(str password, str email)
{
    size_t at = str_rfind_char(email, '@');
    str local = str_sub(email, 0, at), domain = str_from(email, at == STR_NPOS ? email.n : at + 1),
        word = core(password);
    return str_eq_nocase(password, email) || (domain.n && str_eq_nocase(password, domain)) ||
           (local.n >= LOCAL_MIN && (str_eq_nocase(password, local) || str_eq_nocase(word, local)));
}

enum status password_rules_check(str password, str email, struct err *err)
{
    size_t n = characters(password);
    if (n < PASSWORD_CHARACTERS_MIN) {
        err_set(err, STATUS_INVALID, "The password must have at least %d characters; this one has %zu",
                PASSWORD_CHARACTERS_MIN, n);
        err_hint(err, "Four or five words that do not belong together are easy to remember.");
        return STATUS_INVALID;
    }
    if (password.n > LIMIT_PASSWORD)
        return err_set(err, STATUS_INVALID, "The password is longer than %d bytes", LIMIT_PASSWORD);
    if (email.n && is_own_address(password, email)) {
        err_set(err, STATUS_INVALID, "The password is your e-mail address, or a part of it");
        err_hint(err, "Choose something that others do not know of you.");
        return STATUS_INVALID;
    }
    if (is_common(password)) {
        err_set(err, STATUS_INVALID, "The password is one of those that are tried first");
        err_hint(err, "Four or five words that do not belong together are easy to remember, and hard to guess.");
        return STATUS_INVALID;
    }
    return STATUS_OK;
}
