/* SPDX-License-Identifier: Apache-2.0 */
/* lex — source text into tokens: literal text, {{ }}, {% %}, and what is inside them. Comments and raw blocks are dealt
 * with here; "-" at a delimiter trims white space of the text beside it. As in Jinja2, one newline at the very end is
 * dropped. */
#include "template/ast.h"

#include <stdlib.h>

#include "base/utf8.h"

struct lexer {
    struct arena *a;
    str name, src;
    size_t at;
    uint32_t line;
    bool trim_next; /* "-%}" came before: the next text loses its leading white space */
    VEC(struct token) out;
    struct err *err;
};

static enum status fail(struct lexer *l, const char *what)
{
    return err_set(l->err, STATUS_INVALID, "%.*s:%u: %s", STR_ARG(l->name), l->line, what);
}

static void push(struct lexer *l, struct token t)
{
    t.line = l->line;
    VEC_PUSH(l->a, &l->out, t);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static void count_lines(struct lexer *l, str s)
{
    for (size_t i = 0; i < s.n; i++)
        l->line += s.p[i] == '\n';
}

static void push_text(struct lexer *l, str text, bool trim_end)
{
    str whole = text;
    if (l->trim_next)
        while (text.n && is_space(text.p[0]))
            text = str_from(text, 1);
    l->trim_next = false;
    while (trim_end && text.n && is_space(text.p[text.n - 1]))
        text.n--;
    if (text.n)
        push(l, (struct token){.kind = TOK_TEXT, .s = text, .at = text.p});
    count_lines(l, whole);
}

static bool at_str(const struct lexer *l, const char *what)
{
    return str_starts(str_from(l->src, l->at), str_of(what));
}

/* ---- inside {{ }} and {% %} ---- */

static enum status lex_string(struct lexer *l)
{
    char quote = l->src.p[l->at++];
    char *out = arena_alloc_raw(l->a, l->src.n - l->at + 1);
    size_t n = 0;
    const char *at = l->src.p + l->at - 1;
    while (l->at < l->src.n && l->src.p[l->at] != quote) {
        char c = l->src.p[l->at++];
        if (c == '\n')
            l->line++;
        if (c != '\\' || l->at >= l->src.n) {
            out[n++] = c;
            continue;
        }
        c = l->src.p[l->at++];
        static const char from[] = "ntr\\'\"0bfv", to[] = "\n\t\r\\'\"\0\b\f\v";
        const char *simple = c ? strchr(from, c) : NULL;
        size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 0;
        if (simple) {
            out[n++] = to[simple - from];
        } else if (digits && l->src.n - l->at >= digits) {
            char hex[5] = {0};
            memcpy(hex, l->src.p + l->at, digits);
            n += utf8_encode((uint32_t)strtoul(hex, NULL, 16), out + n);
            l->at += digits;
        } else {
            out[n++] = '\\';
            out[n++] = c;
        }
    }
    if (l->at >= l->src.n)
        return fail(l, "a string has no end");
    l->at++;
    push(l, (struct token){.kind = TOK_STR, .s = str_make(out, n), .at = at});
    return STATUS_OK;
}

/* 0x1f, 0o17, 0b11 */
static bool lex_based(struct lexer *l)
{
    str rest = str_from(l->src, l->at);
    int64_t value = 0, base = 0;
    if (rest.n > 2 && rest.p[0] == '0')
        base = (rest.p[1] | 32) == 'x' ? 16 : (rest.p[1] | 32) == 'o' ? 8 : (rest.p[1] | 32) == 'b' ? 2 : 0;
    size_t n = 2;
    for (; base && n < rest.n && n < 18; n++) {
        char c = rest.p[n];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
        if (digit >= base || value > INT64_MAX / 16 - 1)
            break;
        value = value * base + digit;
    }
    if (!base || n == 2)
        return false;
    push(l, (struct token){.kind = TOK_INT, .i = value, .s = str_sub(rest, 0, n), .at = rest.p});
    l->at += n;
    return true;
}

static enum status lex_number(struct lexer *l)
{
    char text[64];
    size_t n = 0, start = l->at;
    bool real = false;
    if (lex_based(l))
        return STATUS_OK;
    while (l->at < l->src.n && n + 1 < sizeof text) {
        char c = l->src.p[l->at];
        bool digit = c >= '0' && c <= '9';
        bool dot =
            c == '.' && !real && l->at + 1 < l->src.n && l->src.p[l->at + 1] >= '0' && l->src.p[l->at + 1] <= '9';
        bool exp = (c == 'e' || c == 'E') && n;
        if (!digit && !dot && !exp && c != '_')
            break;
        if (c != '_')
            text[n++] = c;
        l->at++;
        if (exp && l->at < l->src.n && (l->src.p[l->at] == '-' || l->src.p[l->at] == '+'))
            text[n++] = l->src.p[l->at++];
        real |= dot || exp;
    }
    text[n] = 0;
    struct token t = {.at = l->src.p + start, .s = str_sub(l->src, start, l->at)};
    t.kind = !real && str_to_i64(str_make(text, n), &t.i) ? TOK_INT : TOK_FLOAT;
    if (t.kind == TOK_FLOAT)
        t.f = strtod(text, NULL);
    push(l, t);
    return STATUS_OK;
}

static bool is_name_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static enum status lex_operator(struct lexer *l)
{
    static const char *const ops[] = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<",
                                      ">",  "=",  "(",  ")",  "[",  "]",  "{", "}", ",", ".", ":", "|"};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        if (at_str(l, ops[i])) {
            push(l, (struct token){.kind = TOK_OP, .s = str_of(ops[i]), .at = l->src.p + l->at});
            l->at += strlen(ops[i]);
            return STATUS_OK;
        }
    }
    return err_set(l->err, STATUS_INVALID, "%.*s:%u: unexpected character '%c'", STR_ARG(l->name), l->line,
                   l->src.p[l->at]);
}

/* Everything up to `close` ("}}" or "%}"). Brackets are counted so that "}}" inside a dict is not the end. */
static enum status lex_inside(struct lexer *l, const char *close, enum token_kind end_kind)
{
    int depth = 0;
    for (;;) {
        while (l->at < l->src.n && is_space(l->src.p[l->at]))
            l->line += l->src.p[l->at++] == '\n';
        if (l->at >= l->src.n)
            return fail(l, strcmp(close, "}}") == 0 ? "{{ has no }}" : "{% has no %}");
        bool minus = l->src.p[l->at] == '-' && str_starts(str_from(l->src, l->at + 1), str_of(close));
        bool plus = l->src.p[l->at] == '+' && str_starts(str_from(l->src, l->at + 1), str_of(close));
        if (depth <= 0 && (minus || plus || at_str(l, close))) {
            push(l, (struct token){.kind = end_kind, .at = l->src.p + l->at});
            l->at += 2 + (minus || plus);
            l->trim_next = minus;
            return STATUS_OK;
        }
        unsigned char c = (unsigned char)l->src.p[l->at];
        enum status st = STATUS_OK;
        if (c == '"' || c == '\'') {
            st = lex_string(l);
        } else if (c >= '0' && c <= '9') {
            st = lex_number(l);
        } else if (is_name_start(c)) {
            size_t start = l->at;
            while (l->at < l->src.n && (is_name_start((unsigned char)l->src.p[l->at]) ||
                                        (l->src.p[l->at] >= '0' && l->src.p[l->at] <= '9')))
                l->at++;
            push(l, (struct token){.kind = TOK_NAME, .s = str_sub(l->src, start, l->at), .at = l->src.p + start});
        } else {
            depth += c == '{' || c == '(' || c == '[';
            depth -= c == '}' || c == ')' || c == ']';
            st = lex_operator(l);
        }
        if (st != STATUS_OK)
            return st;
    }
}

/* ---- the text around ---- */

static enum status skip_comment(struct lexer *l)
{
    size_t end = str_find(str_from(l->src, l->at), STR("#}"));
    if (end == STR_NPOS)
        return fail(l, "{# has no #}");
    str body = str_sub(l->src, l->at, l->at + end);
    count_lines(l, body);
    l->trim_next = body.n && body.p[body.n - 1] == '-';
    l->at += end + 2;
    return STATUS_OK;
}

/* {% raw %} ... {% endraw %}: true when one begins here. */
static bool raw_tag(const struct lexer *l, size_t from, const char *word, size_t *ret_end, bool *ret_trim_before,
                    bool *ret_trim_after)
{
    size_t i = from + 2;
    *ret_trim_before = i < l->src.n && l->src.p[i] == '-';
    if (i < l->src.n && (l->src.p[i] == '-' || l->src.p[i] == '+'))
        i++;
    while (i < l->src.n && is_space(l->src.p[i]))
        i++;
    if (!str_starts(str_from(l->src, i), str_of(word)))
        return false;
    i += strlen(word);
    while (i < l->src.n && is_space(l->src.p[i]))
        i++;
    *ret_trim_after = i < l->src.n && l->src.p[i] == '-';
    if (i < l->src.n && (l->src.p[i] == '-' || l->src.p[i] == '+'))
        i++;
    if (!str_starts(str_from(l->src, i), STR("%}")))
        return false;
    *ret_end = i + 2;
    return true;
}

static enum status lex_raw(struct lexer *l, size_t body)
{
    for (size_t i = body; i + 1 < l->src.n; i++) {
        size_t end;
        bool before, after;
        if (l->src.p[i] != '{' || l->src.p[i + 1] != '%' || !raw_tag(l, i, "endraw", &end, &before, &after))
            continue;
        push_text(l, str_sub(l->src, body, i), before);
        l->trim_next = after;
        l->at = end;
        return STATUS_OK;
    }
    return fail(l, "{% raw %} has no {% endraw %}");
}

static enum status lex_delimiter(struct lexer *l, char kind)
{
    size_t end;
    bool before, after;
    if (kind == '%' && raw_tag(l, l->at, "raw", &end, &before, &after)) {
        l->trim_next = after;
        return lex_raw(l, end);
    }
    const char *at = l->src.p + l->at;
    l->at += 2;
    if (l->at < l->src.n && (l->src.p[l->at] == '-' || l->src.p[l->at] == '+'))
        l->at++;
    if (kind == '#')
        return skip_comment(l);
    push(l, (struct token){.kind = kind == '{' ? TOK_VAR_BEGIN : TOK_TAG_BEGIN, .at = at});
    return kind == '{' ? lex_inside(l, "}}", TOK_VAR_END) : lex_inside(l, "%}", TOK_TAG_END);
}

enum status lex(struct arena *a, str name, str source, struct token **ret, size_t *ret_count, struct err *err)
{
    if (str_ends(source, STR("\n")))
        source.n -= str_ends(source, STR("\r\n")) ? 2 : 1;
    struct lexer l = {.a = a, .name = name, .src = source, .line = 1, .err = err};
    while (l.at < source.n) {
        size_t i = l.at;
        while (i + 1 < source.n &&
               !(source.p[i] == '{' && (source.p[i + 1] == '{' || source.p[i + 1] == '%' || source.p[i + 1] == '#')))
            i++;
        if (i + 1 >= source.n) {
            push_text(&l, str_from(source, l.at), false);
            break;
        }
        bool trim = i + 2 < source.n && source.p[i + 2] == '-';
        push_text(&l, str_sub(source, l.at, i), trim);
        l.at = i;
        enum status st = lex_delimiter(&l, source.p[i + 1]);
        if (st != STATUS_OK)
            return st;
    }
    push(&l, (struct token){.kind = TOK_END, .at = source.p + source.n});
    *ret = l.out.items;
    *ret_count = l.out.count;
    return STATUS_OK;
}
