/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/names.h"

#include <stdlib.h>

#include "base/banned.h"

/* Datasette's reserved_words, sorted: SQLite has a few more keywords, which it takes as bare names. */
static const char *const reserved_words[] = {
    "abort",      "action",    "add",         "after",        "all",          "alter",
    "analyze",    "and",       "as",          "asc",          "attach",       "autoincrement",
    "before",     "begin",     "between",     "by",           "cascade",      "case",
    "cast",       "check",     "collate",     "column",       "commit",       "conflict",
    "constraint", "create",    "cross",       "current_date", "current_time", "current_timestamp",
    "database",   "default",   "deferrable",  "deferred",     "delete",       "desc",
    "detach",     "distinct",  "drop",        "each",         "else",         "end",
    "escape",     "except",    "exclusive",   "exists",       "explain",      "fail",
    "for",        "foreign",   "from",        "full",         "glob",         "group",
    "having",     "if",        "ignore",      "immediate",    "in",           "index",
    "indexed",    "initially", "inner",       "insert",       "instead",      "intersect",
    "into",       "is",        "isnull",      "join",         "key",          "left",
    "like",       "limit",     "match",       "natural",      "no",           "not",
    "notnull",    "null",      "of",          "offset",       "on",           "or",
    "order",      "outer",     "plan",        "pragma",       "primary",      "query",
    "raise",      "recursive", "references",  "regexp",       "reindex",      "release",
    "rename",     "replace",   "restrict",    "right",        "rollback",     "row",
    "savepoint",  "select",    "set",         "table",        "temp",         "temporary",
    "then",       "to",        "transaction", "trigger",      "union",        "unique",
    "update",     "using",     "vacuum",      "values",       "view",         "virtual",
    "when",       "where",     "with",        "without",
};

static int word_compare(const void *key, const void *item)
{
    return str_cmp(*(const str *)key, str_of(*(const char *const *)item));
}

bool name_is_reserved(str word)
{
    char lower[24];
    if (word.n == 0 || word.n >= sizeof lower)
        return false;
    str key = str_lower(lower, word);
    return bsearch(&key, reserved_words, ARRAY_LEN(reserved_words), sizeof reserved_words[0], word_compare) != NULL;
}

bool name_is_bare(str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.n > 0 && !name_is_reserved(name);
}

static void put_doubled(struct buf *out, str s, char quote)
{
    buf_putc(out, quote);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == quote)
            buf_putc(out, quote);
        buf_putc(out, s.p[i]);
    }
    buf_putc(out, quote);
}

void name_escape(struct buf *out, str name)
{
    if (name_is_bare(name)) {
        buf_puts(out, name);
    } else if (str_find_char(name, ']') != STR_NPOS) {
        put_doubled(out, name, '"');
    } else {
        buf_putc(out, '[');
        buf_puts(out, name);
        buf_putc(out, ']');
    }
}

void name_quote(struct buf *out, str name)
{
    put_doubled(out, name, '"');
}

void text_literal(struct buf *out, str text)
{
    put_doubled(out, text, '\'');
}

static str quoted(struct arena *a, str s, char quote)
{
    size_t quotes = 0;
    for (size_t i = 0; i < s.n; i++)
        quotes += s.p[i] == quote;
    char *out = arena_alloc_raw(a, s.n + quotes + 2), *to = out;
    *to++ = quote;
    for (size_t i = 0; i < s.n; i++) {
        *to++ = s.p[i];
        if (s.p[i] == quote)
            *to++ = quote;
    }
    *to++ = quote;
    return str_make(out, (size_t)(to - out));
}

str name_quoted(struct arena *a, str name)
{
    return quoted(a, name, '"');
}

str text_quoted(struct arena *a, str text)
{
    return quoted(a, text, '\'');
}
