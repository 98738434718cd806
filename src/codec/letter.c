/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/letter.h"

#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "codec/b64.h"

#include "base/banned.h"

#define WORD_BYTES   45  /* of text in an encoded word: 60 digits and the frame are under 75 (RFC 2047 section 2) */
#define LINE_BYTES   900 /* longer lines are not sent as they are: 998 is the limit (RFC 5322 section 2.1.1) */
#define PLAIN_HEADER 60  /* longer headers are encoded, for that can be folded anywhere */

/* ---- addresses ---- */

static bool is_letter_or_digit(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool is_dotted(str s, const char *others, size_t label_max)
{
    size_t label = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' ? label == 0 : !is_letter_or_digit(s.p[i]) && !(s.p[i] && strchr(others, s.p[i])))
            return false;
        label = s.p[i] == '.' ? 0 : label + 1;
        if (label > label_max)
            return false;
    }
    return label > 0;
}

enum status letter_address(str address, struct err *err)
{
    size_t at = str_rfind_char(address, '@');
    if (!address.n)
        return err_set(err, STATUS_INVALID, "an e-mail address is missing");
    if (address.n > LIMIT_LETTER_ADDRESS)
        return err_set(err, STATUS_INVALID, "an e-mail address is longer than %d characters", LIMIT_LETTER_ADDRESS);
    for (size_t i = 0; i < address.n; i++)
        if ((unsigned char)address.p[i] <= ' ' || (unsigned char)address.p[i] >= 127)
            return err_set(err, STATUS_INVALID,
                           "an e-mail address has only letters without accents, digits and punctuation");
    if (at == STR_NPOS || at == 0 || at + 1 == address.n)
        return err_set(err, STATUS_INVALID, "\"%.*s\" is no e-mail address: it needs name@host", STR_ARG(address));
    str name = str_sub(address, 0, at), host = str_from(address, at + 1);
    if (name.n > 64 || !is_dotted(name, "!#$%&'*+-/=?^_`{|}~", 64))
        return err_set(err, STATUS_INVALID, "\"%.*s\" is no e-mail address: what stands before the @ is not usual",
                       STR_ARG(address));
    bool has_dot = str_find_char(host, '.') != STR_NPOS || str_eq_nocase(host, STR("localhost"));
    if (!has_dot || !is_dotted(host, "-", 63))
        return err_set(err, STATUS_INVALID, "\"%.*s\" is no e-mail address: \"%.*s\" is no host", STR_ARG(address),
                       STR_ARG(host));
    return STATUS_OK;
}

/* ---- headers ---- */

static bool is_plain(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~')
            return false;
    return s.n <= PLAIN_HEADER && str_find(s, STR("=?")) == STR_NPOS;
}

/* Well-formed, and no control characters: what is shown, and nothing that could end a header. */
static str tame(struct arena *a, str s)
{
    str fixed = utf8_repair(a, str_trim(s));
    char *p = arena_cstr(a, fixed);
    for (size_t i = 0; i < fixed.n; i++)
        if ((unsigned char)p[i] < ' ' || p[i] == 127)
            p[i] = ' ';
    return str_trim(str_make(p, fixed.n));
}

/* =?UTF-8?B?...?=, as many as it takes, one a line; none ends inside of a character. */
static void put_words(struct arena *a, struct buf *out, str s)
{
    for (size_t at = 0; at < s.n;) {
        size_t n = MIN(s.n - at, (size_t)WORD_BYTES);
        while (at + n < s.n && n > 1 && ((unsigned char)s.p[at + n] & 0xC0) == 0x80)
            n--;
        str word = b64_encode_arena(a, str_sub(s, at, at + n));
        buf_printf(out, "%s=?UTF-8?B?%.*s?=", at ? "\r\n " : "", STR_ARG(word));
        at += n;
    }
}

static void put_subject(struct arena *a, struct buf *out, str subject)
{
    str s = tame(a, subject);
    buf_puts(out, STR("Subject: "));
    if (is_plain(s))
        buf_puts(out, s);
    else
        put_words(a, out, s);
    buf_puts(out, STR("\r\n"));
}

static void put_from(struct arena *a, struct buf *out, const struct letter *l)
{
    str name = tame(a, l->from_name);
    buf_puts(out, STR("From: "));
    if (name.n && is_plain(name)) {
        buf_putc(out, '"');
        for (size_t i = 0; i < name.n; i++) {
            if (name.p[i] == '"' || name.p[i] == '\\')
                buf_putc(out, '\\');
            buf_putc(out, name.p[i]);
        }
        buf_puts(out, STR("\"\r\n "));
    } else if (name.n) {
        put_words(a, out, name);
        buf_puts(out, STR("\r\n "));
    }
    buf_printf(out, "<%.*s>\r\n", STR_ARG(l->from));
}

static void put_date(struct buf *out, int64_t unix_s)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t t = (time_t)unix_s;
    struct tm tm;
    ASSERT(gmtime_r(&t, &tm));
    buf_printf(out, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d +0000\r\n", days + (size_t)tm.tm_wday * 3, tm.tm_mday,
               months + (size_t)tm.tm_mon * 3, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* ---- bodies ---- */

static bool is_7bit(str s)
{
    size_t line = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        line = c == '\n' ? 0 : line + 1;
        if (line > LINE_BYTES || c > '~' || (c < ' ' && c != '\n' && c != '\r' && c != '\t'))
            return false;
    }
    return true;
}

static bool ends_line(str s, size_t i)
{
    return i == s.n || s.p[i] == '\n' || (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] == '\n'));
}

static void put_quoted_line(struct buf *out, str line) /* RFC 2045 section 6.7 */
{
    size_t column = 0;
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        bool last_space = (c == ' ' || c == '\t') && i + 1 == line.n;
        bool as_it_is = ((c >= ' ' && c <= '~' && c != '=') || c == '\t') && !last_space;
        size_t n = as_it_is ? 1 : 3;
        if (column + n > 75) {
            buf_puts(out, STR("=\r\n"));
            column = 0;
        }
        if (as_it_is)
            buf_putc(out, (char)c);
        else
            buf_printf(out, "=%02X", c);
        column += n;
    }
}

static void put_part(struct arena *a, struct buf *out, const char *type, str text)
{
    str s = utf8_repair(a, text);
    bool plain = is_7bit(s);
    buf_printf(out, "Content-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n", type,
               plain ? "7bit" : "quoted-printable");
    for (size_t at = 0; at < s.n;) {
        size_t end = at;
        while (!ends_line(s, end))
            end++;
        str line = str_sub(s, at, end);
        if (plain) {
            for (size_t i = 0; i < line.n; i++)
                buf_putc(out, line.p[i] == '\r' ? ' ' : line.p[i]); /* no end of a line */
        } else {
            put_quoted_line(out, line);
        }
        buf_puts(out, STR("\r\n"));
        at = end + (end < s.n && s.p[end] == '\r') + 1;
    }
}

static bool is_id(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_letter_or_digit(s.p[i]) && !strchr("-.", s.p[i] ? s.p[i] : ' '))
            return false;
    return s.n && s.n <= 100;
}

enum status letter_write(struct arena *a, const struct letter *l, str *ret, struct err *err)
{
    struct buf b;
    enum status st = letter_address(l->from, err);
    if (st == STATUS_OK)
        st = letter_address(l->to, err);
    if (st != STATUS_OK)
        return st;
    ASSERT(is_id(l->id) && is_id(l->domain)); /* ours, never an outsider's */
    buf_init(&b, LIMIT_LETTER);
    put_from(a, &b, l);
    buf_printf(&b, "To: <%.*s>\r\n", STR_ARG(l->to));
    put_subject(a, &b, l->subject);
    put_date(&b, l->date_unix_s);
    buf_printf(&b, "Message-ID: <%.*s@%.*s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n", STR_ARG(l->id),
               STR_ARG(l->domain));
    if (l->html.n) {
        buf_printf(&b, "Content-Type: multipart/alternative; boundary=\"=_%.*s\"\r\n\r\n--=_%.*s\r\n", STR_ARG(l->id),
                   STR_ARG(l->id));
        put_part(a, &b, "text/plain", l->text);
        buf_printf(&b, "\r\n--=_%.*s\r\n", STR_ARG(l->id));
        put_part(a, &b, "text/html", l->html);
        buf_printf(&b, "\r\n--=_%.*s--\r\n", STR_ARG(l->id));
    } else {
        put_part(a, &b, "text/plain", l->text);
    }
    if (b.over)
        st = err_set(err, STATUS_TOO_LARGE, "an e-mail is larger than %d bytes", LIMIT_LETTER);
    else
        *ret = arena_str(a, buf_str(&b));
    buf_release(&b);
    return st;
}
