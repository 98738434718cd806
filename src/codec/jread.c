/* SPDX-License-Identifier: Apache-2.0 */
/* jread — the grammar of RFC 8259 is kept in `want`, what may come next at this place:
 *
 *   VALUE          a value                         (start, after a key)
 *   VALUE_OR_END   a value or ']'                  (after '[')
 *   KEY_OR_END     a key or '}'                    (after '{')
 *   COMMA          ',' or the end of the container (after a value inside one)
 *   DONE           only white space                (after the outermost value)
 *
 * Invariants: (1) at <= text.n. (2) nesting[0..depth) names the open containers; no recursion, so depth costs a byte a
 * level. (3) a string is checked for UTF-8 before it is given out, and text decoded from escapes is well-formed because
 * utf8_encode makes only that. (4) decoding never grows: the shortest escape for N bytes of UTF-8 is longer than N.
 *
 * Tests: tests/unit/codec/test_json.c, tests/fuzz/fuzz_json.c. */
#include "codec/jread.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "codec/scan.h"

enum { WANT_VALUE, WANT_VALUE_OR_END, WANT_KEY_OR_END, WANT_COMMA, WANT_DONE };

void jread_init(struct jread *r, struct arena *a, str text)
{
    *r = (struct jread){.arena = a, .text = text};
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        r->at = 3;
}

void jread_place(const struct jread *r, size_t offset, size_t *ret_line, size_t *ret_column)
{
    size_t line = 1, from = 0;
    for (size_t i = 0; i < offset && i < r->text.n; i++) {
        if (r->text.p[i] == '\n') {
            line++;
            from = i + 1;
        }
    }
    *ret_line = line;
    *ret_column = offset - from + 1;
}

static enum status fail(const struct jread *r, size_t offset, const char *what, struct err *err)
{
    size_t line, column;
    jread_place(r, offset, &line, &column);
    return err_set(err, STATUS_INVALID, "line %zu column %zu: %s", line, column, what);
}

/* The next byte, -1 at the end. */
static int peek(const struct jread *r)
{
    return r->at < r->text.n ? (unsigned char)r->text.p[r->at] : -1;
}

static void skip_space(struct jread *r)
{
    int c = peek(r);
    while (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
        r->at++;
        c = peek(r);
    }
}

/* ---- strings ------------------------------------------------------------------------------------------------ */

static int hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)p[i], letter = (c | 32) - 'a';
        int d = c >= '0' && c <= '9' ? c - '0' : letter >= 0 && letter < 6 ? letter + 10 : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

/* \uXXXX, r->at on the 'u': one code point, of two escapes where they are a surrogate pair. */
static enum status read_unicode(struct jread *r, char *out, size_t *n, struct err *err)
{
    int unit = r->text.n - r->at < 5 ? -1 : hex4(r->text.p + r->at + 1);
    if (unit < 0)
        return fail(r, r->at - 1, "invalid \\u escape: four hex digits must follow", err);
    r->at += 5;
    uint32_t code = (uint32_t)unit;
    if (code >= 0xD800 && code < 0xDC00 && r->text.n - r->at >= 6 && memcmp(r->text.p + r->at, "\\u", 2) == 0) {
        int low = hex4(r->text.p + r->at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
            r->at += 6;
        }
    }
    *n += utf8_encode(code, out + *n);
    return STATUS_OK;
}

/* One escape, r->at past the backslash; writes its bytes. */
static enum status read_escape(struct jread *r, char *out, size_t *n, struct err *err)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    const char *simple = c > 0 ? strchr(from, c) : NULL;
    if (simple) {
        out[(*n)++] = to[simple - from];
        r->at++;
        return STATUS_OK;
    }
    return c == 'u' ? read_unicode(r, out, n, err) : fail(r, r->at - 1, "invalid escape", err);
}

/* Offset of the next quote, backslash or control byte from r->at on; text.n when there is none. */
static size_t find_special(const struct jread *r)
{
    size_t at = r->at;
    for (; at + 8 <= r->text.n; at += 8) {
        uint64_t w = scan_load(r->text.p + at);
        uint64_t found = scan_is(w, '"') | scan_is(w, '\\') | scan_below(w, 0x20);
        if (found)
            return at + scan_first(found);
    }
    for (; at < r->text.n; at++) {
        unsigned char c = (unsigned char)r->text.p[at];
        if (c == '"' || c == '\\' || c < 0x20)
            break;
    }
    return at;
}

/* Finds the closing quote, r->at past the opening one; *ret_escape = offset of the first backslash, or the quote's. */
static enum status find_quote(struct jread *r, size_t *ret_escape, struct err *err)
{
    size_t start = r->at, escape = STR_NPOS;
    for (;;) {
        r->at = find_special(r);
        int c = peek(r);
        if (c == '"')
            break;
        if (c < 0)
            return fail(r, start - 1, "this string has no closing quote", err);
        if (c != '\\')
            return fail(r, r->at, "control byte in a string: write it as an escape", err);
        if (escape == STR_NPOS)
            escape = r->at;
        r->at = MIN(r->at + 2, r->text.n);
    }
    *ret_escape = escape == STR_NPOS ? r->at : escape;
    return STATUS_OK;
}

static enum status decode_string(struct jread *r, str raw, size_t clean, struct err *err)
{
    size_t start = (size_t)(raw.p - r->text.p), end = start + raw.n, n = clean;
    char *out = arena_alloc_raw(r->arena, raw.n + 1);
    memcpy(out, raw.p, clean);
    for (r->at = start + clean; r->at < end;) {
        const char *p = r->text.p + r->at, *next = memchr(p, '\\', end - r->at);
        size_t run = next ? (size_t)(next - p) : end - r->at;
        memcpy(out + n, p, run);
        n += run;
        r->at += run + (next ? 1 : 0);
        enum status st = next ? read_escape(r, out, &n, err) : STATUS_OK;
        if (st != STATUS_OK)
            return st;
    }
    out[n] = 0;
    r->s = str_make(out, n);
    r->at = end + 1;
    return STATUS_OK;
}

static enum status read_string(struct jread *r, struct err *err)
{
    size_t start = ++r->at, escape;
    enum status st = find_quote(r, &escape, err);
    if (st != STATUS_OK)
        return st;
    str raw = str_sub(r->text, start, r->at);
    if (!utf8_valid(raw))
        return fail(r, start - 1, "this string is not UTF-8", err);
    if (escape < r->at)
        return decode_string(r, raw, escape - start, err);
    r->s = raw;
    r->at++;
    return STATUS_OK;
}

/* ---- numbers and words -------------------------------------------------------------------------------------- */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool skip_digits(struct jread *r)
{
    size_t from = r->at;
    while (is_digit(peek(r)))
        r->at++;
    return r->at > from;
}

/* The nearest double. strtod wants a NUL: numbers of usual length are copied to the stack. */
static double to_double(struct jread *r, str text)
{
    char copy[64];
    if (text.n >= sizeof(copy))
        return strtod(arena_cstr(r->arena, text), NULL);
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    return strtod(copy, NULL);
}

static enum status read_number(struct jread *r, enum jread_token *ret, struct err *err)
{
    size_t start = r->at;
    bool integer = true;
    if (peek(r) == '-')
        r->at++;
    size_t first = r->at;
    if (!skip_digits(r))
        return fail(r, start, "digits must follow the minus sign", err);
    if (r->text.p[first] == '0' && r->at - first > 1)
        return fail(r, start, "a number may not begin with 0", err);
    if (peek(r) == '.') {
        integer = false;
        r->at++;
        if (!skip_digits(r))
            return fail(r, r->at, "digits must follow the decimal point", err);
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        integer = false;
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        if (!skip_digits(r))
            return fail(r, r->at, "digits must follow the exponent", err);
    }
    str text = str_sub(r->text, start, r->at);
    if (integer && str_to_i64(text, &r->i)) {
        *ret = JREAD_INT;
        return STATUS_OK;
    }
    r->f = to_double(r, text);
    *ret = JREAD_FLOAT;
    return STATUS_OK;
}

static enum status read_word(struct jread *r, enum jread_token *ret, struct err *err)
{
    static const struct {
        str word;
        enum jread_token token;
    } words[] = {{{"true", 4}, JREAD_TRUE}, {{"false", 5}, JREAD_FALSE}, {{"null", 4}, JREAD_NULL}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_starts(str_from(r->text, r->at), words[i].word)) {
            r->at += words[i].word.n;
            *ret = words[i].token;
            return STATUS_OK;
        }
    }
    return fail(r, r->at, r->at < r->text.n ? "a value was expected" : "the text ends where a value was expected", err);
}

/* ---- structure ---------------------------------------------------------------------------------------------- */

static void after_value(struct jread *r)
{
    r->want = r->depth ? WANT_COMMA : WANT_DONE;
}

static enum status open_container(struct jread *r, int c, enum jread_token *ret, struct err *err)
{
    if (r->depth == LIMIT_JSON_DEPTH)
        return fail(r, r->at, "nested too deeply", err);
    r->nesting[r->depth++] = (uint8_t)c;
    r->at++;
    r->want = c == '{' ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    *ret = c == '{' ? JREAD_OBJECT_BEGIN : JREAD_ARRAY_BEGIN;
    return STATUS_OK;
}

static enum status close_container(struct jread *r, enum jread_token *ret)
{
    r->at++;
    *ret = r->nesting[--r->depth] == '{' ? JREAD_OBJECT_END : JREAD_ARRAY_END;
    after_value(r);
    return STATUS_OK;
}

static enum status read_value(struct jread *r, enum jread_token *ret, struct err *err)
{
    int c = peek(r);
    enum status st;
    if (c == '{' || c == '[')
        return open_container(r, c, ret, err);
    if (c == '"') {
        st = read_string(r, err);
        if (st == STATUS_OK)
            *ret = JREAD_STRING;
    } else if (c == '-' || is_digit(c)) {
        st = read_number(r, ret, err);
    } else {
        st = read_word(r, ret, err);
    }
    after_value(r);
    return st;
}

static enum status read_key(struct jread *r, enum jread_token *ret, struct err *err)
{
    if (peek(r) != '"')
        return fail(r, r->at, "a key in double quotes was expected", err);
    enum status st = read_string(r, err);
    if (st != STATUS_OK)
        return st;
    skip_space(r);
    if (peek(r) != ':')
        return fail(r, r->at, "':' was expected after the key", err);
    r->at++;
    r->want = WANT_VALUE;
    *ret = JREAD_KEY;
    return STATUS_OK;
}

static enum status read_next_item(struct jread *r, enum jread_token *ret, struct err *err)
{
    bool object = r->nesting[r->depth - 1] == '{';
    int c = peek(r);
    if (c == (object ? '}' : ']'))
        return close_container(r, ret);
    if (c != ',')
        return fail(r, r->at, object ? "',' or '}' was expected" : "',' or ']' was expected", err);
    r->at++;
    skip_space(r);
    r->start = r->at;
    return object ? read_key(r, ret, err) : read_value(r, ret, err);
}

enum status jread_next(struct jread *r, enum jread_token *ret, struct err *err)
{
    skip_space(r);
    r->start = r->at;
    int c = peek(r);
    switch (r->want) {
    case WANT_VALUE:
        return read_value(r, ret, err);
    case WANT_VALUE_OR_END:
        return c == ']' ? close_container(r, ret) : read_value(r, ret, err);
    case WANT_KEY_OR_END:
        return c == '}' ? close_container(r, ret) : read_key(r, ret, err);
    case WANT_COMMA:
        return read_next_item(r, ret, err);
    default:
        if (c >= 0)
            return fail(r, r->at, "text follows the value", err);
        *ret = JREAD_END;
        return STATUS_OK;
    }
}

enum status jread_skip(struct jread *r, enum jread_token first, struct err *err)
{
    if (first != JREAD_OBJECT_BEGIN && first != JREAD_ARRAY_BEGIN)
        return STATUS_OK;
    size_t outside = r->depth - 1;
    while (r->depth > outside) {
        enum jread_token t;
        enum status st = jread_next(r, &t, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}
