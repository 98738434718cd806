/* SPDX-License-Identifier: Apache-2.0 */
/* SQL that visitors write.
 *
 * The gate works on the text, as the reference does, so that its refusals read the same; it decides nothing about
 * safety: connections are read-only and their authorizer says what a statement may touch. Both scanners here know
 * comments; the one for parameters also knows strings and quoted identifiers. Bytes over 0x7f count as word characters,
 * as they do in SQLite's own tokenizer. Tests: test_sql.c. */
#include "site/query/sql.h"

#include "base/limits.h"

static const char *const allowed_pragmas[] = {
    "database_list",  "foreign_key_list", "function_list",  "index_info", "index_list",  "index_xinfo", "page_count",
    "max_page_count", "page_size",        "schema_version", "table_info", "table_xinfo", "table_list",
};

/* Word sequences a statement may begin with. */
static const char *const openings[][4] = {
    {"select"},
    {"with"},
    {"explain", "select"},
    {"explain", "with"},
    {"explain", "query", "plan", "select"},
    {"explain", "query", "plan", "with"},
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_' || u >= 0x80;
}

static str skip_space(str s)
{
    size_t i = 0;
    while (i < s.n && is_space(s.p[i]))
        i++;
    return str_from(s, i);
}

/* White space and comments off the front. An open comment is left standing: it then fails as "not a SELECT". */
static str skip_comments(str s)
{
    for (;;) {
        s = skip_space(s);
        size_t end;
        if (str_starts(s, STR("--")) && (end = str_find_char(s, '\n')) != STR_NPOS)
            s = str_from(s, end + 1);
        else if (str_starts(s, STR("/*")) && (end = str_find(str_from(s, 2), STR("*/"))) != STR_NPOS)
            s = str_from(s, end + 4);
        else
            return s;
    }
}

/* Without the lines that are only a `--` comment; ASCII letters in lower case. */
static str normalized(struct arena *a, str sql)
{
    char *out = arena_alloc_raw(a, sql.n + 1);
    size_t n = 0;
    str line, rest = sql;
    bool more;
    do {
        more = str_cut(rest, '\n', &line, &rest);
        if (str_starts(skip_space(line), STR("--")))
            continue;
        if (n)
            out[n++] = '\n';
        n += str_lower(out + n, line).n;
    } while (more);
    return str_make(out, n);
}

static bool opens_with(str s, const char *const words[4])
{
    for (size_t i = 0; i < 4 && words[i]; i++) {
        str word = str_of(words[i]);
        if (i > 0) {
            str after = skip_space(s);
            if (after.n == s.n)
                return false;
            s = after;
        }
        if (!str_starts(s, word) || (s.n > word.n && is_word(s.p[word.n])))
            return false;
        s = str_from(s, word.n);
    }
    return true;
}

static bool pragma_allowed(str after)
{
    for (size_t i = 0; i < ARRAY_LEN(allowed_pragmas); i++)
        if (str_starts(after, STR("_")) && str_starts(str_from(after, 1), str_of(allowed_pragmas[i])))
            return true;
    return false;
}

static enum status refuse_pragma(struct arena *a, struct err *err)
{
    str names[ARRAY_LEN(allowed_pragmas)];
    for (size_t i = 0; i < ARRAY_LEN(allowed_pragmas); i++)
        names[i] = arena_printf(a, "pragma_%s()", allowed_pragmas[i]);
    str list = query_join(a, names, ARRAY_LEN(names), STR(", "));
    return err_set(err, STATUS_INVALID,
                   "Statement contained a disallowed PRAGMA. Allowed pragma functions are " STR_FMT, STR_ARG(list));
}

enum status query_sql_validate(struct arena *a, str sql, struct err *err)
{
    str text = normalized(a, sql);
    str start = skip_comments(text);
    bool allowed = false;
    for (size_t i = 0; i < ARRAY_LEN(openings) && !allowed; i++)
        allowed = opens_with(start, openings[i]);
    if (!allowed)
        return err_set(err, STATUS_INVALID, "Statement must be a SELECT");
    for (str rest = text;;) {
        size_t at = str_find(rest, STR("pragma"));
        if (at == STR_NPOS)
            return STATUS_OK;
        rest = str_from(rest, at + 6);
        if (!pragma_allowed(rest))
            return refuse_pragma(a, err);
    }
}

/* Offset just past a quoted piece that begins at `i`; a doubled quote stands for itself. s.n + 1 when it never closes.
 */
static size_t quoted_end(str s, size_t i, char close)
{
    for (i++; i < s.n; i++) {
        if (s.p[i] != close)
            continue;
        if (close != ']' && i + 1 < s.n && s.p[i + 1] == close)
            i++;
        else
            return i + 1;
    }
    return s.n + 1;
}

/* Offset past the comment, string or quoted identifier at `i`, or `i` when there is none (also when it never closes).
 */
static size_t skip_piece(str s, size_t i)
{
    str rest = str_from(s, i);
    size_t end;
    if (str_starts(rest, STR("--"))) {
        end = str_find_char(rest, '\n');
        return end == STR_NPOS ? s.n : i + end;
    }
    if (str_starts(rest, STR("/*"))) {
        end = str_find(str_from(rest, 2), STR("*/"));
        return end == STR_NPOS ? s.n : i + end + 4;
    }
    char open = s.p[i];
    if (open != '\'' && open != '"' && open != '`' && open != '[')
        return i;
    end = quoted_end(s, i, open == '[' ? ']' : open);
    return end > s.n ? i : end;
}

void query_sql_parameters(struct arena *a, str sql, const str **ret_names, size_t *ret_count)
{
    VEC(str) names = {0};
    for (size_t i = 0; i < sql.n && names.count < LIMIT_QUERY_PARAMETERS;) {
        size_t past = skip_piece(sql, i);
        if (past > i) {
            i = past;
            continue;
        }
        if (sql.p[i++] != ':')
            continue;
        size_t from = i;
        while (i < sql.n && is_word(sql.p[i]))
            i++;
        str name = str_sub(sql, from, i);
        bool seen = name.n == 0;
        for (size_t k = 0; k < names.count && !seen; k++)
            seen = str_eq(names.items[k], name);
        if (!seen)
            VEC_PUSH(a, &names, name);
    }
    *ret_names = names.items;
    *ret_count = names.count;
}
