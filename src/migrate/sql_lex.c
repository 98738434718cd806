/* SPDX-License-Identifier: Apache-2.0 */
/* sql_lex — tokens of SQL. Tests: tests/unit/migrate, fuzz target sql_def. */
#include "migrate/sql_lex.h"

#include "base/banned.h"

static bool is_word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '$' ||
           (c & 0x80);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

/* Behind the closing quote; a doubled one does not close (brackets cannot be doubled). */
static size_t end_of_quote(str s, size_t at)
{
    char close = s.p[at] == '[' ? ']' : s.p[at];
    for (at++; at < s.n; at++) {
        if (s.p[at] != close)
            continue;
        if (close == ']' || at + 1 >= s.n || s.p[at + 1] != close)
            return at + 1;
        at++;
    }
    return s.n;
}

static size_t end_of_comment(str s, size_t at)
{
    size_t end;
    if (s.p[at] == '-') {
        end = str_find_char(str_from(s, at), '\n');
        return end == STR_NPOS ? s.n : at + end;
    }
    end = str_find(str_from(s, at + 2), STR("*/"));
    return end == STR_NPOS ? s.n : at + 2 + end + 2;
}

static enum token_kind quote_kind(char c)
{
    return c == '\'' ? TOKEN_STRING : TOKEN_NAME;
}

struct token sql_lex(str s, size_t *at)
{
    size_t i = *at;
    while (i < s.n && is_space(s.p[i]))
        i++;
    struct token t = {TOKEN_END, i, i};
    if (i >= s.n) {
        *at = i;
        return t;
    }
    char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : '\0';
    t.kind = TOKEN_OTHER;
    t.end = i + 1;
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
        t.kind = quote_kind(c);
        t.end = end_of_quote(s, i);
    } else if ((c == '-' && next == '-') || (c == '/' && next == '*')) {
        t.kind = TOKEN_COMMENT;
        t.end = end_of_comment(s, i);
    } else if ((c == 'x' || c == 'X') && next == '\'') {
        t.end = end_of_quote(s, i + 1);
    } else if ((c >= '0' && c <= '9') || (c == '.' && next >= '0' && next <= '9')) {
        while (t.end < s.n && (is_word_byte(s.p[t.end]) || s.p[t.end] == '.' ||
                               ((s.p[t.end] == '+' || s.p[t.end] == '-') && (s.p[t.end - 1] | 0x20) == 'e')))
            t.end++;
    } else if (is_word_byte(c)) {
        t.kind = TOKEN_WORD;
        while (t.end < s.n && is_word_byte(s.p[t.end]))
            t.end++;
    } else if (c == '(' || c == ')' || c == ',') {
        t.kind = c == '(' ? TOKEN_OPEN : c == ')' ? TOKEN_CLOSE : TOKEN_COMMA;
    }
    *at = t.end;
    return t;
}

bool token_is(str text, struct token t, const char *word)
{
    return t.kind == TOKEN_WORD && str_eq_nocase(str_sub(text, t.start, t.end), str_of(word));
}

str token_name(struct arena *a, str text, struct token t)
{
    str s = str_sub(text, t.start, t.end);
    if (t.kind != TOKEN_NAME && t.kind != TOKEN_STRING)
        return s;
    char close = s.p[0] == '[' ? ']' : s.p[0], *out = arena_alloc_raw(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == close) {
            if (close == ']' || i + 1 >= s.n || s.p[i + 1] != close)
                break;
            i++;
        }
        out[n++] = s.p[i];
    }
    return str_make(out, n);
}
