/* SPDX-License-Identifier: Apache-2.0 */
/* jread — the grammar is kept in `want`, what may come next at this place:
 *
 *   VALUE          a value                         (start, after ':' or ',' in an array)
 *   VALUE_OR_END   a value or ']'                  (after '[')
 *   KEY_OR_END     a key or '}'                    (after '{')
 *   KEY            a key                           (after ',' in an object)
 *   COMMA          ',' or the end of the container (after a value inside one)
 *   DONE           only white space                (after the outermost value) */
#include "codec/jread.h"

#include <errno.h>
#include <stdlib.h>

#include "base/utf8.h"

enum { WANT_VALUE, WANT_VALUE_OR_END, WANT_KEY_OR_END, WANT_KEY, WANT_COMMA, WANT_DONE };

void jread_init(struct jread *r, struct arena *a, str text)
{
    memset(r, 0, sizeof *r);
    r->arena = a;
    r->text = text;
    if (text.n >= 3 && memcmp(text.p, "\xEF\xBB\xBF", 3) == 0)
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

/* ---- strings ---- */

static int hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

/* One escape at r->at (past the backslash); writes its bytes. */
static enum status read_escape(struct jread *r, char *out, size_t *n, struct err *err)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = peek(r);
    const char *simple = c > 0 ? strchr(from, c) : NULL;
    if (simple && *simple) {
        out[(*n)++] = to[simple - from];
        r->at++;
        return STATUS_OK;
    }
    if (c != 'u' || r->text.n - r->at < 5)
        return fail(r, r->at, "invalid escape", err);
    int unit = hex4(r->text.p + r->at + 1);
    if (unit < 0)
        return fail(r, r->at, "invalid \\u escape", err);
    r->at += 5;
    uint32_t code = (uint32_t)unit;
    if (unit >= 0xD800 && unit < 0xDC00 && r->text.n - r->at >= 6 && r->text.p[r->at] == '\\' &&
        r->text.p[r->at + 1] == 'u') {
        int low = hex4(r->text.p + r->at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
            r->at += 6;
        }
    }
    *n += utf8_encode(code, out + *n);
    return STATUS_OK;
}

static enum status read_string(struct jread *r, struct err *err)
{
    size_t start = ++r->at, first_escape = 0;
    bool escaped = false;
    while (r->at < r->text.n && r->text.p[r->at] != '"') {
        unsigned char c = (unsigned char)r->text.p[r->at];
        if (c < 0x20)
            return fail(r, r->at, "control character in a string", err);
        if (c == '\\') {
            if (!escaped)
                first_escape = r->at;
            escaped = true;
            r->at++;
        }
        r->at++;
    }
    if (r->at >= r->text.n)
        return fail(r, start - 1, "unterminated string", err);
    str raw = str_sub(r->text, start, r->at);
    size_t end = r->at++;
    if (!utf8_valid(raw))
        return fail(r, start, "invalid UTF-8 in a string", err);
    if (!escaped) {
        r->s = raw;
        return STATUS_OK;
    }
    char *out = arena_alloc_raw(r->arena, raw.n + 1); /* decoding never grows */
    size_t n = first_escape - start;
    memcpy(out, raw.p, n);
    r->at = first_escape;
    while (r->at < end) {
        if (r->text.p[r->at] != '\\') {
            out[n++] = r->text.p[r->at++];
            continue;
        }
        r->at++;
        enum status st = read_escape(r, out, &n, err);
        if (st != STATUS_OK)
            return st;
    }
    r->at = end + 1;
    out[n] = 0;
    r->s = str_make(out, n);
    return STATUS_OK;
}

/* ---- numbers and words ---- */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static enum status read_number(struct jread *r, enum jread_token *ret, struct err *err)
{
    size_t start = r->at;
    bool integer = true;
    if (peek(r) == '-')
        r->at++;
    if (peek(r) == '0') {
        r->at++;
        if (is_digit(peek(r)))
            return fail(r, start, "a number with a leading zero", err);
    } else if (is_digit(peek(r))) {
        while (is_digit(peek(r)))
            r->at++;
    } else {
        return fail(r, start, "invalid number", err);
    }
    if (peek(r) == '.') {
        integer = false;
        r->at++;
        if (!is_digit(peek(r)))
            return fail(r, r->at, "digits must follow the decimal point", err);
        while (is_digit(peek(r)))
            r->at++;
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        integer = false;
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        if (!is_digit(peek(r)))
            return fail(r, r->at, "digits must follow the exponent", err);
        while (is_digit(peek(r)))
            r->at++;
    }
    str text = str_sub(r->text, start, r->at);
    if (integer && str_to_i64(text, &r->i)) {
        *ret = JREAD_INT;
        return STATUS_OK;
    }
    r->f = strtod(arena_cstr(r->arena, text), NULL);
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
    return fail(r, r->at, r->at < r->text.n ? "a value was expected" : "the text ends in the middle of a value", err);
}

/* ---- structure ---- */

static void after_value(struct jread *r)
{
    r->want = r->depth ? WANT_COMMA : WANT_DONE;
}

static enum status open_container(struct jread *r, int c, enum jread_token *ret, struct err *err)
{
    if (r->depth == JREAD_DEPTH_MAX)
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
    enum status st = STATUS_OK;
    if (c == '{' || c == '[')
        return open_container(r, c, ret, err);
    if (c == '"') {
        *ret = JREAD_STRING;
        st = read_string(r, err);
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

enum status jread_next(struct jread *r, enum jread_token *ret, struct err *err)
{
    skip_space(r);
    r->start = r->at;
    int c = peek(r), closer = r->depth ? (r->nesting[r->depth - 1] == '{' ? '}' : ']') : 0;
    switch (r->want) {
    case WANT_VALUE:
        return read_value(r, ret, err);
    case WANT_VALUE_OR_END:
        return c == ']' ? close_container(r, ret) : read_value(r, ret, err);
    case WANT_KEY_OR_END:
        return c == '}' ? close_container(r, ret) : read_key(r, ret, err);
    case WANT_KEY:
        return read_key(r, ret, err);
    case WANT_COMMA:
        if (c == closer)
            return close_container(r, ret);
        if (c != ',')
            return fail(r, r->at, closer == '}' ? "',' or '}' was expected" : "',' or ']' was expected", err);
        r->at++;
        r->want = closer == '}' ? WANT_KEY : WANT_VALUE;
        return jread_next(r, ret, err);
    default:
        if (c >= 0)
            return fail(r, r->at, "text follows the value", err);
        *ret = JREAD_END;
        return STATUS_OK;
    }
}
