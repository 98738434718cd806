/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/sql_split.h"

#include "base/banned.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

str sql_trim(str s)
{
    for (;;) {
        size_t end;
        while (s.n && is_space(s.p[0]))
            s = str_from(s, 1);
        if (str_starts(s, STR("--")))
            end = str_find_char(s, '\n');
        else if (str_starts(s, STR("/*")))
            end = str_find(str_from(s, 2), STR("*/"));
        else
            return s;
        if (end == STR_NPOS)
            return str_from(s, s.n);
        s = str_from(s, end + (s.p[0] == '-' ? 1 : 4));
    }
}

bool sql_word_is(str statement, size_t n, const char *word)
{
    str s = statement, found = {0};
    for (size_t i = 0; i <= n; i++) {
        while (s.n && is_space(s.p[0]))
            s = str_from(s, 1);
        found = s;
        found.n = 0;
        while (found.n < s.n && is_word(s.p[found.n]))
            found.n++;
        s = str_from(s, found.n);
    }
    return str_eq_nocase(found, str_of(word));
}

static bool is_trigger(str statement)
{
    str s = sql_trim(statement);
    bool temporary = sql_word_is(s, 1, "temp") || sql_word_is(s, 1, "temporary");
    return sql_word_is(s, 0, "create") && sql_word_is(s, temporary ? 2 : 1, "trigger");
}

/* Statements of a trigger end with semicolons too; it ends with "; END;". `before`: up to its last semicolon. */
static bool ends_trigger(str before)
{
    before = str_trim(before);
    if (before.n < 4 || !str_eq_nocase(str_from(before, before.n - 3), STR("end")))
        return false;
    before = str_trim(str_sub(before, 0, before.n - 3));
    return str_ends(before, STR(";"));
}

/* Inside of a quote or comment: past its end, or as far as there is text. */
static bool skip_inside(struct sql_split *s, str text, bool ended)
{
    if (s->state == '*') {
        size_t end = str_find(str_from(text, s->at), STR("*/"));
        s->at = end != STR_NPOS ? s->at + end + 2 : text.n > s->at + 1 ? text.n - 1 : s->at;
        s->state = end != STR_NPOS ? 0 : s->state;
        if (end == STR_NPOS && ended)
            s->at = text.n;
        return end != STR_NPOS;
    }
    char closes = s->state == '-' ? '\n' : s->state;
    const char *found = memchr(text.p + s->at, closes, text.n - s->at);
    s->at = found ? (size_t)(found - text.p) + 1 : text.n;
    s->state = found ? 0 : s->state;
    return found != NULL;
}

bool sql_split(struct sql_split *s, str text, bool ended, size_t *ret_length)
{
    while (s->at < text.n) {
        if (s->state) {
            if (!skip_inside(s, text, ended))
                break;
            continue;
        }
        char c = text.p[s->at];
        if ((c == '-' || c == '/') && s->at + 1 == text.n && !ended)
            return false; /* the next piece says whether it is a comment */
        char next = s->at + 1 < text.n ? text.p[s->at + 1] : 0;
        bool comment = (c == '-' && next == '-') || (c == '/' && next == '*');
        s->state = comment ? next : c == '\'' || c == '"' || c == '`' ? c : c == '[' ? ']' : 0;
        s->at += comment ? 2 : 1;
        if (c == ';' && (!is_trigger(text) || ends_trigger(str_sub(text, 0, s->at - 1)))) {
            *ret_length = s->at;
            return true;
        }
    }
    if (!ended)
        return false;
    *ret_length = text.n;
    return true;
}
